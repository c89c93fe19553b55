/* SPDX-License-Identifier: Apache-2.0 */
/* What operators see of a running combd: metrics and calls over HTTP, and the access log. */
#ifndef COMB_OBSERVE_H
#define COMB_OBSERVE_H

#include "grpcc/server.h"
#include "server/admin/admin.h"
#include "server/core/error.h"
#include "server/listen.h"
#include "server/logs/sink.h"
#include "server/options.h"
#include "server/services.h"

struct comb_observe;

/* As the options say; what they do not ask for costs nothing. Where the access log cannot be opened
 * the error says why. services and sink, which may be NULL, are asked for their counters until
 * _free. */
enum comb_status comb_observe_open(const struct comb_options *options,
                                   struct comb_services *services, struct comb_logs_sink *sink,
                                   struct comb_observe **ret_observe,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Measures and logs the calls of a server that has not started. name: static, "api". */
enum comb_status comb_observe_attach(struct comb_observe *observe, struct grpcc_server *server,
                                     const char *name, struct comb_error *err) COMB_MUST_CHECK;
/* Starts to answer over HTTP; ret_address is "" where nobody asked for it. As comb_listen for
 * errors. */
enum comb_status comb_observe_serve(struct comb_observe *observe, struct grpcc_server *api,
                                    struct grpcc_server *admin,
                                    char ret_address[COMB_ADDRESS_TEXT_MAX],
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Whether comb_observe_reopen() is of use: there is an access log in a file. */
bool comb_observe_has_file(const struct comb_options *options);
/* Opens the access log's file again. A failure is logged, and the old file stays in use. */
void comb_observe_reopen(struct comb_observe *observe);
/* How many calls of the API took how long: the statistics "durations", at most n_max, in
 * arena. None where no metrics were asked for. Watches and waits, which last
 * as long as their callers like, are not counted. */
size_t comb_observe_durations(struct comb_observe *observe, struct grpcc_arena *arena,
                              struct comb_admin_statistic *ret, size_t n_max);
/* Before the servers are freed: nothing asks them any more. NULL is fine, as below. */
void comb_observe_stop(struct comb_observe *observe);
/* After the servers. */
void comb_observe_free(struct comb_observe *observe);

#endif
