/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a store's certificate is not accepted, in words. gRPC core and libpq say no more than that it
 * is not; who operates the store needs to know whether it has expired or is somebody else's.
 */
#ifndef COMB_BACKEND_TLS_H
#define COMB_BACKEND_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/error.h"

/* How the server is spoken to before TLS begins. */
enum comb_tls_opening {
    COMB_TLS_AT_ONCE = 0,
    COMB_TLS_POSTGRES, /* SSLRequest (PostgreSQL 15, Frontend/Backend Protocol 55.2.10) */
    COMB_TLS_NATS      /* behind the server's line INFO (NATS client protocol) */
};

struct comb_tls_server {
    const char *host; /* a name or an address */
    uint16_t port;
    enum comb_tls_opening opening;
    const char *ca; /* PEM file; NULL: the system's */
};

/* Whether this is what a library says of a certificate that it does not accept. */
bool comb_tls_is_refusal(const char *message);
/*
 * Connects once more and looks at the certificate. False, and nothing is changed: it cannot be
 * reached, or nothing is wrong with its certificate. Else err's message says what is wrong and what
 * to do; the rest of err stays. Blocks, timeout_ms at most for each of connecting and shaking
 * hands.
 */
bool comb_tls_explain(const struct comb_tls_server *server, unsigned timeout_ms,
                      struct comb_error *err);

#endif
