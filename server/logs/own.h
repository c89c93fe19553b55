/* SPDX-License-Identifier: Apache-2.0 */
/* The server's own log among the logs: what the sink (sink.h) gives becomes entries. */
#ifndef COMB_LOGS_OWN_H
#define COMB_LOGS_OWN_H

#include "server/logs/logs.h"
#include "server/logs/sink.h"

/* The service of such entries. */
#define COMB_LOGS_OWN_SERVICE "combd"

struct comb_logs_own {
    struct comb_logs *logs;
    char replica[COMB_UUID_TEXT_LENGTH + 1]; /* of this process */
};

/* A comb_logs_sink_append_fn; data: a struct comb_logs_own. The fields "trace" and "user" of a line
 * become those of its entry, the others its values, behind "component" and "replica". */
enum comb_status comb_logs_own_append(void *data, struct comb_ctx *ctx,
                                      const struct comb_uuid *batch,
                                      const struct comb_log_line *const *lines, size_t n,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
