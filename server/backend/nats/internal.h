/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the NATS backend share. */
#ifndef COMB_NATS_INTERNAL_H
#define COMB_NATS_INTERNAL_H

#include <nats/nats.h>
#include <pthread.h>

#include "server/backend/nats/nats.h"
#include "server/backend/tls/tls.h"

/* References: the subscriber's, and one for each handle, which cnats gives back when it will not
 * call any more. */
struct comb_nats_subscription {
    struct comb_nats *nats;
    struct comb_nats_subscription *next; /* lock of nats */
    natsSubscription *handle;            /* lock of nats; NULL: not connected */
    struct comb_nats_listener listener;
    _Atomic int references;
    pthread_mutex_t lock; /* held while the listener is called */
    bool closed;          /* lock */
    char subject[COMB_NATS_SUBJECT_MAX];
    char group[COMB_NATS_SUBJECT_MAX];
};

/* Locks, in this order: connecting, lock, a subscription's. */
struct comb_nats {
    struct grpcc_arena *arena; /* of prefix, user, secret */
    natsOptions *options;
    const char *prefix;
    size_t bytes_max;
    struct comb_tls_server tls; /* the first one; host NULL: without TLS */
    char *secret;               /* password or token; wiped at the end */
    pthread_t keeper;
    bool has_keeper;
    pthread_rwlock_t connecting; /* of connection: read while it is used, written to replace it */
    natsConnection *connection;  /* NULL: none */
    pthread_mutex_t lock;        /* of all below */
    pthread_cond_t changed;
    bool closing, tried; /* tried: the first attempt has ended */
    bool lost;           /* the connection is of no more use */
    bool ended;          /* cnats has called back for the last time */
    struct comb_nats_subscription *first;
    struct comb_error why; /* of DOWN */
    struct comb_store_status status;
};

/* Reads the URL and the credentials into nats->options, prefix and secret. */
enum comb_status comb_nats_configure(struct comb_nats *nats,
                                     const struct comb_store_options *options,
                                     struct comb_error *err);

/* Makes connections until nats is closing; the thread's function. */
void *comb_nats_keep(void *data);
/* Subscribes on the connection; a failure shows as one of the connection. Lock held. */
void comb_nats_subscribe_locked(struct comb_nats *nats, struct comb_nats_subscription *subscription,
                                natsConnection *connection);
void comb_nats_subscription_unref(struct comb_nats_subscription *subscription);

/* What a status of cnats means; detail: its own words, or NULL. */
enum comb_status comb_nats_error(struct comb_error *err, natsStatus status, const char *detail);

#endif
