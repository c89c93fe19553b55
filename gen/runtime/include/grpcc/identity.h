/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls: what the client's certificate says, as the server's TLS has checked it, or as a proxy
 * in front says that it has.
 *
 * A proxy's word is its header x-forwarded-client-cert (Envoy's), and it is taken only from the
 * peers in grpcc_server_options.forwarded_from; from all others the header is removed before
 * anything can see it. Such a peer speaks for others only: its own certificate is never the
 * identity of a call, and a call without the header has none.
 *
 * The header has one element for each proxy that the call came through; the last one counts: it is
 * what the peer itself saw. A header that cannot be read answers UNAUTHENTICATED before any
 * interceptor. Two rules for the proxy: it must not pass the header on as it came from outside
 * (Envoy: SANITIZE_SET, or APPEND_FORWARD behind proxies of your own), and clients that it trusts
 * should have SPIFFE IDs: other URIs are not quoted by Envoy, and those with ',', ';' or '=' in
 * them are refused here.
 */
#ifndef GRPCC_IDENTITY_H
#define GRPCC_IDENTITY_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_call;

enum grpcc_identity_source {
    GRPCC_IDENTITY_NONE = 0,     /* not known: plaintext, or no certificate was shown */
    GRPCC_IDENTITY_TLS = 1,      /* the connection's client certificate */
    GRPCC_IDENTITY_FORWARDED = 2 /* what a trusted proxy says of its client's */
};

/* Absent strings are NULL, and lists empty; with GRPCC_IDENTITY_NONE all are. Grows at its end. */
struct grpcc_identity {
    enum grpcc_identity_source source;
    /* The only URI of the certificate, where it is a SPIFFE ID; else NULL. */
    const char *spiffe_id;
    const char *const *uris; /* subject alternative names */
    size_t n_uris;
    const char *const *dns_names; /* subject alternative names */
    size_t n_dns_names;
    const char *common_name;     /* NULL where forwarded: it is in the subject */
    const char *subject;         /* "CN=a,O=b", as RFC 2253 has it */
    const char *certificate_pem; /* where forwarded: if the proxy sends it */
};

/*
 * The caller's identity; never NULL. In interceptors and handlers, by one thread at a time.
 * Ownership: the call's, lives as long as its arena. Found out at the first use; where the arena
 * has no room for that, it is GRPCC_IDENTITY_NONE, and grpcc_arena_failed() says so.
 */
const struct grpcc_identity *grpcc_call_identity(struct grpcc_call *call);

#ifdef __cplusplus
}
#endif

#endif
