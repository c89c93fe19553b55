/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to NATS, kept for ever: subjects and bytes out, subjects and bytes in.
 *
 * cnats connects again by itself after a connection was lost, and gives up for good where the
 * server refuses its credentials twice; then, and before the first connection, a thread of ours
 * connects, with backoff, and subscribes anew. Pings every 500 ms show a server that is frozen
 * within 1.5 s.
 */
#ifndef COMB_NATS_H
#define COMB_NATS_H

#include "server/core/store.h"

struct comb_nats;
struct comb_nats_subscription;

/* On a thread of cnats' and, for `lost`, of ours; one at a time; must not block or call back. */
struct comb_nats_listener {
    void (*message)(void *data, comb_str subject, comb_str bytes);
    /* Messages may have been lost up to here. n: how many; 0: nobody knows. */
    void (*lost)(void *data, uint64_t n);
    void *data;
};

/* Longest subject, zero included. */
#define COMB_NATS_SUBJECT_MAX 400

/*
 * url: nats://HOST[:PORT][,HOST[:PORT]…][/PREFIX][?tls=on&ca=PATH&cert=PATH&key=PATH].
 * INVALID_ARGUMENT, with what to do. bytes_max: of a message, which the server has to take. Does
 * not wait for the server.
 */
enum comb_status comb_nats_open(const struct comb_store_options *options, size_t bytes_max,
                                struct comb_nats **ret_nats,
                                struct comb_error *err) COMB_MUST_CHECK;
/* No subscription may be left, no call running. NULL is fine. */
void comb_nats_close(struct comb_nats *nats);

/* What subjects of this installation begin with; "comb" unless the URL says otherwise. */
const char *comb_nats_prefix(const struct comb_nats *nats);

/* UNAVAILABLE: there is no connection, or too much waits for one. OK says nothing. */
enum comb_status comb_nats_publish(struct comb_nats *nats, const char *subject, comb_str bytes,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* group: "" or NATS' queue group. */
enum comb_status comb_nats_subscribe(struct comb_nats *nats, const char *subject, const char *group,
                                     const struct comb_nats_listener *listener,
                                     struct comb_nats_subscription **ret_subscription,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* The listener is not called any more when this returns. Not from a listener. */
void comb_nats_unsubscribe(struct comb_nats *nats, struct comb_nats_subscription *subscription);

/* A round trip to the server. */
enum comb_status comb_nats_check(struct comb_nats *nats, struct comb_ctx *ctx,
                                 struct comb_error *err) COMB_MUST_CHECK;
void comb_nats_status(struct comb_nats *nats, struct comb_store_status *ret_status);

#endif
