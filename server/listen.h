/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that combd listens on: what is allowed, and what was bound. */
#ifndef COMB_LISTEN_H
#define COMB_LISTEN_H

#include "grpcc/server.h"
#include "server/core/error.h"
#include "server/options.h"

#define COMB_ADDRESS_TEXT_MAX 256

/*
 * Binds server to address as the options say (TLS, --insecure) and tells what clients connect to:
 * "127.0.0.1:7070", "unix:/path". INVALID_ARGUMENT for an address without a port;
 * FAILED_PRECONDITION where it reaches beyond this machine without TLS and --insecure was not
 * given; UNAVAILABLE where it is taken.
 */
enum comb_status comb_listen(struct grpcc_server *server, const char *address,
                             const struct comb_options *options,
                             char ret_address[COMB_ADDRESS_TEXT_MAX],
                             struct comb_error *err) COMB_MUST_CHECK;

/* The same on the first free port from address' own on, at most COMB_LISTEN_PORTS_MAX of them. */
#define COMB_LISTEN_PORTS_MAX 64
enum comb_status comb_listen_next(struct grpcc_server *server, const char *address,
                                  const struct comb_options *options,
                                  char ret_address[COMB_ADDRESS_TEXT_MAX],
                                  struct comb_error *err) COMB_MUST_CHECK;

/* Whether --advertise names one place that can be connected to. INVALID_ARGUMENT: no HOST:PORT or
 * unix:PATH, port 0, or a wildcard. */
enum comb_status comb_advertise_check(const char *address, struct comb_error *err) COMB_MUST_CHECK;

/* Whether flag's address is HOST:PORT, and may be listened on without TLS: errors as of
 * comb_listen. ret_host is what stands before the port. */
enum comb_status comb_listen_plain_check(const char *flag, const char *address,
                                         const struct comb_options *options,
                                         char ret_host[COMB_ADDRESS_TEXT_MAX],
                                         struct comb_error *err) COMB_MUST_CHECK;

/* Writes the ready file at once: it appears whole. metrics "": without its line. */
enum comb_status comb_ready_write(const char *path, const char *listen, const char *admin,
                                  const char *metrics, struct comb_error *err) COMB_MUST_CHECK;

#endif
