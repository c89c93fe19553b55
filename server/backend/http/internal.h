/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of the HTTP client. */
#ifndef COMB_BACKEND_HTTP_INTERNAL_H
#define COMB_BACKEND_HTTP_INTERNAL_H

#include <curl/curl.h>
#include <pthread.h>

#include "server/backend/http/http.h"
#include "server/core/backoff.h"

/* Waits between trials of a store that is away. */
#define TRIAL_FIRST_MS 50
#define TRIAL_MOST_MS 1000

/* A place for one call, with connections of its own that outlive calls. */
struct http_lane {
    CURLM *multi; /* of whoever has the lane; made with its first call */
    bool used;    /* it has been made; under the client's lock */
    struct http_lane *next_free;
};

struct comb_http {
    struct comb_http_options options;
    char *hosts[COMB_URL_HOSTS_MAX]; /* "name" or "[address]" */
    char *ca, *cert, *key;           /* NULL: none */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t freed; /* a lane is free, or the state has changed */
    struct http_lane *lanes, *free_lanes;
    size_t first_host; /* that answered last */
    struct comb_store_status status;
    struct comb_error down; /* why, while the state is DOWN */
    struct comb_backoff backoff;
    int64_t trial_ns; /* no trial before */
    bool trying;      /* a trial is under way */
};

/* What a call has come to. */
struct http_outcome {
    enum comb_status status;
    bool reached;    /* the server has answered */
    bool away;       /* it has not, though it had its time */
    bool sent;       /* a byte of the request may be with the server */
    bool replayable; /* nothing was handed to the caller, and the body can be sent again */
};

/* One exchange with one host, on a lane. */
struct http_outcome http_exchange(struct comb_http *http, struct http_lane *lane, size_t host,
                                  struct comb_ctx *ctx, const struct comb_http_request *request,
                                  struct comb_http_response *ret_response, struct comb_error *err);

/* The errors of libcurl, translated once. detail: libcurl's own words, "": none. */
enum comb_status http_error_set(const struct comb_http *http, struct comb_error *err, CURLcode code,
                                size_t host, long verify_result, const char *detail);

#endif
