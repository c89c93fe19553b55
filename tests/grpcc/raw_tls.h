/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS client that is nothing but OpenSSL, for what gRPC's own clients never do. */
#ifndef GRPCC_TESTING_RAW_TLS_H
#define GRPCC_TESTING_RAW_TLS_H

#include <stdbool.h>

/* Zero in a member: OpenSSL's default; no certificate; ALPN "h2". */
struct raw_tls {
    int version;      /* TLS1_1_VERSION and so on: only that one */
    const char *alpn; /* "": none */
    const char *certificate_file, *key_file;
};

struct raw_tls_seen {
    bool accepted; /* the server has sent its first HTTP/2 frame */
    int version;
    long serial; /* of the server's certificate; 0: none was seen */
    int reason;  /* OpenSSL's, of the failure; 0: the server closed without a word */
};

/* Connects to 127.0.0.1, trusts whoever answers, says hello in HTTP/2, and hangs up. */
struct raw_tls_seen raw_tls_connect(int port, const struct raw_tls *options);
/* A plain connection to 127.0.0.1. */
int raw_connect(int port);

#endif
