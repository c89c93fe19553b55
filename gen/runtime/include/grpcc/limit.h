/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on calls: how many at once, per method, per peer and per key, and how many a second per
 * key. What is too much is refused before its handler runs, with the time after which to try
 * again. Health checks (grpc.health.v1) are never limited.
 *
 *     struct grpcc_limits *limits = grpcc_limits_new(&(struct grpcc_limit_options){
 *         .size = sizeof(struct grpcc_limit_options), .per_peer = 100, .rate_per_s = 50}, &err);
 *     grpcc_limits_attach(limits, server, &err)               ... after the interceptors that it
 *                                                                 needs, as one that authenticates
 *
 * Limits are of this process; behind it there may be more of them.
 */
#ifndef GRPCC_LIMIT_H
#define GRPCC_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_call;
struct grpcc_limits;
struct grpcc_server;

/* How many peers and keys are told apart by default; see keys_max. */
#define GRPCC_LIMIT_KEYS_DEFAULT 4096
/* The longest key, in bytes; what is longer is cut. */
#define GRPCC_LIMIT_KEY_MAX 128

/* Zero in a number: no limit, or what is in brackets. */
struct grpcc_limit_options {
    size_t size;         /* sizeof(struct grpcc_limit_options) */
    unsigned total;      /* calls at once */
    unsigned per_method; /* calls of one method at once */
    /* Calls at once from one peer: an IP address whatever its port, or all of a Unix socket. */
    unsigned per_peer;
    /* Calls at once, and calls a second, of one key. `key` names whose call it is, as a principal
     * or a tenant: NULL or "" is not limited. Without `key` the peer is the key. It runs where
     * interceptors begin; its text lives until it is called again for another call, or longer. */
    unsigned per_key;
    double rate_per_s;
    unsigned burst; /* calls that may come at once after a rest [rate_per_s, at least 1] */
    const char *(*key)(void *data, struct grpcc_call *call);
    void *key_data;
    /* Peers and keys with calls under way, or with fewer than `burst` calls to spare, are kept;
     * those that find no place share one, with the limits of one [4096] */
    unsigned keys_max;
    /* RESOURCE_EXHAUSTED or UNAVAILABLE [RESOURCE_EXHAUSTED] */
    enum grpcc_status status;
    unsigned pushback_ms; /* where too many are under way; of a rate it is computed [100] */
};

/* INVALID_ARGUMENT for options that contradict themselves; RESOURCE_EXHAUSTED. NULL and err. */
struct grpcc_limits *grpcc_limits_new(const struct grpcc_limit_options *options,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;
/* After the servers that use it. NULL is fine. */
void grpcc_limits_free(struct grpcc_limits *limits);

/* Limits the calls of server, as an interceptor at this place among them. Several servers may share
 * limits; a server may have several. Before its _start. */
enum grpcc_status grpcc_limits_attach(struct grpcc_limits *limits, struct grpcc_server *server,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;

struct grpcc_limit_stats {
    uint64_t admitted;
    uint64_t refused_total, refused_method, refused_peer, refused_key, refused_rate;
    uint64_t shared; /* calls of peers and keys that found no place of their own */
    uint32_t keys;   /* peers and keys that are kept */
};
/* Any thread; not one consistent snapshot. */
void grpcc_limits_get_stats(const struct grpcc_limits *limits, struct grpcc_limit_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
