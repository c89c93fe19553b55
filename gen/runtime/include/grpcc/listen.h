/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a server listens, with all that can be said about it: certificates, who may connect, the
 * mode of a Unix socket. grpcc_server_listen() is the short form.
 *
 * TLS is core's: 1.2 and 1.3, ALPN must be h2. There is no knob for either.
 *
 * Certificates are read again while the server serves. Certificate and key are used as a pair or
 * not at all: where the key does not fit, or a file cannot be read, the old ones stay in use and
 * one warning is logged. So the files may be replaced one after the other, without renaming.
 * Connections that are open keep what they were made with, at most for
 * grpcc_server_options.connection_age_max_ms.
 */
#ifndef GRPCC_LISTEN_H
#define GRPCC_LISTEN_H

#include <stddef.h>

#include "grpcc/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a client must show in the handshake. */
enum grpcc_client_certificate {
    GRPCC_CLIENT_CERTIFICATE_DEFAULT =
        0, /* required with a client_ca_file, not asked for without */
    GRPCC_CLIENT_CERTIFICATE_NONE = 1,
    /* Asked for. A client may show none, and then has no identity; what it shows must be valid. */
    GRPCC_CLIENT_CERTIFICATE_OPTIONAL = 2,
    GRPCC_CLIENT_CERTIFICATE_REQUIRED = 3
};

/* Zero in a member: the default in brackets. Everything is copied. */
struct grpcc_listen_options {
    size_t size; /* sizeof(struct grpcc_listen_options) */
    /* PEM: the certificate with the chain after it, and its key, not encrypted. Both or none
     * [plaintext]. */
    const char *certificate_file;
    const char *key_file;
    /* PEM: the CAs that client certificates come from [none]. */
    const char *client_ca_file;
    enum grpcc_client_certificate client_certificate;
    /*
     * Revocation lists of client_ca_file's CAs, named as `openssl rehash` names them (HASH.r0)
     * [none: nothing is checked]. A CA without a list revokes nothing; a list past its nextUpdate
     * refuses all that its CA issued. Read again with the certificates: where one cannot be read,
     * the old ones stay in use, as with certificates.
     */
    const char *crl_directory;
    unsigned reload_s; /* how often files and directory are looked at [10]; used 1 s later */
    /*
     * Clients whose handshake may succeed: NULL-terminated list of SPIFFE IDs, exact
     * ("spiffe://example.org/ns/a/sa/b") or everything below one that ends in a slash
     * ("spiffe://example.org/ns/a/", "spiffe://example.org/": the trust domain)
     * [all of client_ca_file's]. The certificate must have that ID as its only URI.
     */
    const char *const *client_spiffe_ids;
    unsigned unix_mode; /* of a Unix socket [0600] */
};

/*
 * Listens on address, as grpcc_server_listen() does. Before grpcc_server_start(). options NULL:
 * plaintext.
 * @param ret_port the port bound, 0 for a Unix socket; NULL is fine.
 * Errors: INVALID_ARGUMENT: the options contradict each other, or a file cannot be used: err names
 * it. UNAVAILABLE: the address is taken or not of this machine. FAILED_PRECONDITION: started.
 */
enum grpcc_status grpcc_server_listen_with(struct grpcc_server *server, const char *address,
                                           const struct grpcc_listen_options *options,
                                           int *ret_port, struct grpcc_error *err) GRPCC_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
