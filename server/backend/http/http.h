/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 to the servers of one store, over libcurl: calls that block, connections that are kept,
 * and what the row tells of itself. For drivers that speak HTTP (Vault, S3); knows no domain.
 *
 * A call ends by its ctx's deadline, or where no byte has moved for `stall_ms`, whichever comes
 * first: a frozen server holds nobody. Once a call has found the store away, further ones fail at
 * once with the same error until a trial, made by one call at a time at growing intervals, gets an
 * answer. Redirects are not followed, proxies of the environment not used, paths not normalised.
 */
#ifndef COMB_BACKEND_HTTP_H
#define COMB_BACKEND_HTTP_H

#include <sys/types.h>

#include "server/core/store.h"
#include "server/core/url.h"

struct comb_http;

/* A response's body that is collected in memory has at most so many bytes unless asked otherwise.
 */
#define COMB_HTTP_BODY_MAX ((size_t)4 << 20)
/* Wanted headers of one request, and the longest value that is kept of each. */
#define COMB_HTTP_WANTED_MAX 8
#define COMB_HTTP_HEADER_VALUE_MAX 4096

struct comb_http_options {
    const char *domain;     /* of errors: "vault.hashivault"; static */
    const char *driver;     /* of the status: "vault"; static */
    const char *store;      /* in messages: "Vault"; static */
    struct comb_url url;    /* hosts, in the order they are tried; copied */
    bool tls;               /* https */
    comb_str ca, cert, key; /* PEM files' paths, each may be empty: the system's CAs, no certificate
                             */
    uint32_t connections_max; /* calls at a time; more wait. 0: 16 */
    uint32_t connect_ms;      /* 0: 2000 */
    uint32_t stall_ms;        /* 0: 5000 */
};

struct comb_http_header {
    comb_str name, value; /* of printable characters: drivers check what comes from callers */
};

struct comb_http_request {
    const char *method; /* "GET" */
    comb_str target;    /* escaped, with its query: "/v1/secret/data/a?version=2" */
    comb_str host; /* asked for (Host, SNI, certificate) at the same server; empty: the URL's */
    const struct comb_http_header *headers;
    size_t n_headers;

    comb_str body; /* where read is NULL */
    /* Streams body_size bytes: puts at most size of them into room and says how many; 0 ends the
     * call (body_size was promised), -1 too, with *err filled. */
    ssize_t (*read)(void *data, char *room, size_t size, struct comb_error *err);
    bool (*rewind)(void *data); /* to the first byte, for another trial; NULL: cannot */
    uint64_t body_size;

    /* Streams the body of an answer 200…299; anything but OK ends the call with that. NULL: the
     * body is collected, as are those of other answers. code is the answer's. */
    enum comb_status (*write)(void *data, long code, comb_str chunk, struct comb_error *err);
    size_t collect_max; /* RESOURCE_EXHAUSTED above; 0: COMB_HTTP_BODY_MAX */
    void *data;         /* of the three callbacks, which run on the calling thread */

    const char *const *wanted; /* names of the answer's headers, in small letters; NULL ends it */
    uint32_t stall_ms;         /* 0: the client's */
    bool trial;                /* goes out although the store is known to be away */
};

struct comb_http_response {
    long code;                              /* 100 to 599 */
    comb_str body;                          /* collected; in ctx's arena, wiped with it */
    comb_str headers[COMB_HTTP_WANTED_MAX]; /* as wanted; ptr NULL: the answer has it not. Arena */
};

/* Looks at nothing but options. RESOURCE_EXHAUSTED: no memory; INVALID_ARGUMENT: a key without its
 * certificate. */
enum comb_status comb_http_open(const struct comb_http_options *options,
                                struct comb_http **ret_http,
                                struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running. NULL is fine. */
void comb_http_close(struct comb_http *http);

/*
 * Blocks. Any answer of the server is OK, whatever its code. Otherwise UNAVAILABLE (the store is
 * away, in one line that says what to do), DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, or what a
 * callback returned. err->ambiguous: the request was sent, at least in part, and its method may
 * change something. A host that cannot be reached is followed by the next within the same call.
 */
enum comb_status comb_http_call(struct comb_http *http, struct comb_ctx *ctx,
                                const struct comb_http_request *request,
                                struct comb_http_response *ret_response,
                                struct comb_error *err) COMB_MUST_CHECK;

/*
 * What the driver made of an answer, where that says more than that there was one: a Vault that is
 * sealed is DOWN. (A code below 500 has set UP already; one above changes nothing by itself.) Says
 * whether the state changed.
 */
bool comb_http_set_state(struct comb_http *http, enum comb_store_state state,
                         const struct comb_error *err);
/* "Vault 1.21.4"; at most 63 bytes are kept. */
void comb_http_set_server(struct comb_http *http, comb_str server);
/* Never blocks. */
void comb_http_status(struct comb_http *http, struct comb_store_status *ret_status);

/* Appends text to a target, all but unreserved characters and (where keep_slash) "/" escaped. */
struct comb_buf;
bool comb_http_escape(struct comb_buf *target, comb_str text, bool keep_slash);

#endif
