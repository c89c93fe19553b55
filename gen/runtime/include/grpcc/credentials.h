/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call credentials: headers, a bearer token as a rule, that are asked for anew for every call, by
 * grpcc_channel_options.credentials for all calls of a channel or grpcc_call_options.credentials
 * for one. All four kinds of calls wait for them without a thread.
 *
 * They are sent over TLS only. A call that would send them in plain text ends with
 * FAILED_PRECONDITION, a channel with INVALID_ARGUMENT, unless `allow_plaintext` says that the way
 * to the server is safe without, such as a Unix socket or a proxy in the same pod. An attempt that
 * is repeated asks again.
 */
#ifndef GRPCC_CREDENTIALS_H
#define GRPCC_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "grpcc/channel.h"
#include "grpcc/compiler.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_credentials;
/* A call that waits for its headers. */
struct grpcc_credentials_request;

/* The most headers that one answer has, and the longest token of a file, in bytes. */
enum { GRPCC_CREDENTIALS_HEADERS_MAX = 4, GRPCC_TOKEN_BYTES_MAX = 8 << 10 };

struct grpcc_credentials_options {
    size_t size; /* sizeof(struct grpcc_credentials_options) */
    /*
     * Asked once for each attempt of a call. Ends the request with grpcc_credentials_give() or
     * grpcc_credentials_refuse(), one of them, once, before it returns or later. service_url is
     * "https://host/pkg.Service", method "Method"; both are gone when it returns. Threads: any,
     * many at once; must not block.
     */
    void (*get)(void *self, const char *service_url, const char *method,
                struct grpcc_credentials_request *request);
    /* Nothing will ask any more: the last channel and call that used them is gone. NULL is fine.
     * Any thread. */
    void (*free)(void *self);
    void *self;
    bool allow_plaintext;
};

/* NULL and err: no get, or no memory; then self stays the caller's. Pairs with _free. */
struct grpcc_credentials *grpcc_credentials_new(const struct grpcc_credentials_options *options,
                                                struct grpcc_error *err) GRPCC_MUST_CHECK;
/*
 * "authorization: Bearer TOKEN", the token being the one line of a file, which is read again when
 * it has changed, as Kubernetes changes them. INVALID_ARGUMENT where it cannot be read now; where
 * it cannot be read later, the calls fail. Reading is done on the client's thread: not for files
 * on a network.
 */
struct grpcc_credentials *
grpcc_credentials_new_token_file(const char *path, bool allow_plaintext,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Channels and calls that use them go on doing so. NULL is fine. */
void grpcc_credentials_free(struct grpcc_credentials *credentials);

/* The headers of the call, up to GRPCC_CREDENTIALS_HEADERS_MAX, copied; keys as in grpcc_metadata.
 * More, or what is not a header, refuses. Ownership: takes request. Any thread. */
void grpcc_credentials_give(struct grpcc_credentials_request *request,
                            const struct grpcc_metadata *headers, size_t n);
/* The call ends with UNAVAILABLE and a message that has why in it. Ownership: takes request. Any
 * thread. */
void grpcc_credentials_refuse(struct grpcc_credentials_request *request, const char *why);

#ifdef __cplusplus
}
#endif

#endif
