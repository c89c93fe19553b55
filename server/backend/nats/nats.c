/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/nats/nats.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "server/backend/nats/internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

/* What cnats holds for one subscription, until it counts as slow: its listener never blocks. */
#define PENDING_MESSAGES_MAX 16384
#define PENDING_BYTES_MAX (16 << 20)
/* For the look at a certificate that was refused. */
#define EXPLAIN_MS 2000

/* ---- publishing ---- */

static enum comb_status refuse_down(struct comb_nats *nats, struct comb_error *err)
{
    pthread_mutex_lock(&nats->lock);
    if (nats->status.state != COMB_STORE_DOWN)
        comb_nats_error(err, NATS_NOT_YET_CONNECTED, NULL);
    else if (err)
        *err = nats->why;
    if (err)
        err->status = COMB_UNAVAILABLE;
    pthread_mutex_unlock(&nats->lock);
    return COMB_UNAVAILABLE;
}

enum comb_status comb_nats_publish(struct comb_nats *nats, const char *subject, comb_str bytes,
                                   struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_rwlock_rdlock(&nats->connecting);
    if (!nats->connection) {
        status = refuse_down(nats, err);
    } else {
        natsStatus native =
            natsConnection_Publish(nats->connection, subject, bytes.ptr, (int)bytes.len);
        if (native != NATS_OK)
            status = comb_nats_error(err, native, NULL);
    }
    pthread_rwlock_unlock(&nats->connecting);
    pthread_mutex_lock(&nats->lock);
    nats->status.requests++;
    nats->status.failures += status != COMB_OK;
    pthread_mutex_unlock(&nats->lock);
    return status;
}

/* ---- subscriptions ---- */

static void on_message(natsConnection *connection, natsSubscription *handle, natsMsg *message,
                       void *data)
{
    struct comb_nats_subscription *subscription = data;
    (void)connection;
    (void)handle;
    pthread_mutex_lock(&subscription->lock);
    if (!subscription->closed)
        subscription->listener.message(
            subscription->listener.data, comb_str_from(natsMsg_GetSubject(message)),
            comb_str_of(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message)));
    pthread_mutex_unlock(&subscription->lock);
    natsMsg_Destroy(message);
}

void comb_nats_subscription_unref(struct comb_nats_subscription *subscription)
{
    if (atomic_fetch_sub(&subscription->references, 1) > 1)
        return;
    pthread_mutex_destroy(&subscription->lock);
    comb_memory_free(subscription);
}

static void on_complete(void *data)
{
    comb_nats_subscription_unref(data);
}

void comb_nats_subscribe_locked(struct comb_nats *nats, struct comb_nats_subscription *subscription,
                                natsConnection *connection)
{
    natsSubscription *handle = NULL;
    natsStatus native =
        subscription->group[0]
            ? natsConnection_QueueSubscribe(&handle, connection, subscription->subject,
                                            subscription->group, on_message, subscription)
            : natsConnection_Subscribe(&handle, connection, subscription->subject, on_message,
                                       subscription);
    if (native == NATS_OK) {
        subscription->references++;
        subscription->handle = handle;
        if (natsSubscription_SetOnCompleteCB(handle, on_complete, subscription) != NATS_OK)
            subscription->references--; /* closed already: it is not called */
        natsSubscription_SetPendingLimits(handle, PENDING_MESSAGES_MAX, PENDING_BYTES_MAX);
        return;
    }
    comb_nats_error(&nats->why, native, NULL);
    comb_store_status_set(&nats->status, COMB_STORE_DOWN, &nats->why);
    nats->lost = true; /* the keeper begins again */
    pthread_cond_broadcast(&nats->changed);
}

enum comb_status comb_nats_subscribe(struct comb_nats *nats, const char *subject, const char *group,
                                     const struct comb_nats_listener *listener,
                                     struct comb_nats_subscription **ret_subscription,
                                     struct comb_error *err)
{
    struct comb_nats_subscription *subscription = comb_memory_zalloc(sizeof *subscription);
    if (!subscription)
        return comb_error_no_memory(err);
    subscription->nats = nats;
    subscription->listener = *listener;
    subscription->references = 1;
    pthread_mutex_init(&subscription->lock, NULL);
    snprintf(subscription->subject, sizeof subscription->subject, "%s", subject);
    snprintf(subscription->group, sizeof subscription->group, "%s", group);
    pthread_rwlock_rdlock(&nats->connecting);
    pthread_mutex_lock(&nats->lock);
    subscription->next = nats->first;
    nats->first = subscription;
    if (nats->connection)
        comb_nats_subscribe_locked(nats, subscription, nats->connection);
    pthread_mutex_unlock(&nats->lock);
    pthread_rwlock_unlock(&nats->connecting);
    *ret_subscription = subscription;
    return COMB_OK;
}

void comb_nats_unsubscribe(struct comb_nats *nats, struct comb_nats_subscription *subscription)
{
    pthread_mutex_lock(&subscription->lock);
    subscription->closed = true;
    pthread_mutex_unlock(&subscription->lock);
    pthread_mutex_lock(&nats->lock);
    struct comb_nats_subscription **link = &nats->first;
    while (*link != subscription)
        link = &(*link)->next;
    *link = subscription->next;
    natsSubscription *handle = subscription->handle;
    subscription->handle = NULL;
    pthread_mutex_unlock(&nats->lock);
    natsSubscription_Destroy(handle);
    comb_nats_subscription_unref(subscription);
}

/* ---- check, status ---- */

static enum comb_status await_first_attempt(struct comb_nats *nats, const struct comb_ctx *ctx,
                                            struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&nats->lock);
    while (!nats->tried && comb_cond_wait_until(&nats->changed, &nats->lock, ctx->deadline_ns))
        continue;
    if (nats->status.state != COMB_STORE_UP) {
        status = nats->tried ? nats->why.status : COMB_UNAVAILABLE;
        if (!nats->tried)
            comb_nats_error(err, NATS_NOT_YET_CONNECTED, NULL);
        else if (err)
            *err = nats->why;
    }
    pthread_mutex_unlock(&nats->lock);
    return status;
}

enum comb_status comb_nats_check(struct comb_nats *nats, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    enum comb_status status = await_first_attempt(nats, ctx, err);
    if (status != COMB_OK) {
        if (err && err->native == NATS_SSL_ERROR && nats->tls.host)
            (void)comb_tls_explain(&nats->tls, EXPLAIN_MS, err);
        return status;
    }
    pthread_rwlock_rdlock(&nats->connecting);
    int left_ms = comb_ctx_left_ms(ctx);
    natsStatus native = NATS_NOT_YET_CONNECTED;
    if (nats->connection)
        native = natsConnection_FlushTimeout(nats->connection, left_ms > 0 ? left_ms : 1);
    if (native != NATS_OK)
        status = comb_nats_error(err, native, NULL);
    else if (natsConnection_GetMaxPayload(nats->connection) < (int64_t)nats->bytes_max)
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "NATS takes too small messages: raise its max_payload to %zu",
                                nats->bytes_max);
    pthread_rwlock_unlock(&nats->connecting);
    return status;
}

void comb_nats_status(struct comb_nats *nats, struct comb_store_status *ret_status)
{
    pthread_mutex_lock(&nats->lock);
    *ret_status = nats->status;
    pthread_mutex_unlock(&nats->lock);
}

const char *comb_nats_prefix(const struct comb_nats *nats)
{
    return nats->prefix;
}

/* ---- open, close ---- */

enum comb_status comb_nats_open(const struct comb_store_options *options, size_t bytes_max,
                                struct comb_nats **ret_nats, struct comb_error *err)
{
    struct comb_nats *nats = comb_memory_zalloc(sizeof *nats);
    if (!nats)
        return comb_error_no_memory(err);
    comb_cond_init(&nats->changed);
    pthread_mutex_init(&nats->lock, NULL);
    /* Who publishes all the time must not keep a new connection out. */
    pthread_rwlockattr_t writers;
    pthread_rwlockattr_init(&writers);
    pthread_rwlockattr_setkind_np(&writers, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&nats->connecting, &writers);
    pthread_rwlockattr_destroy(&writers);
    nats->bytes_max = bytes_max;
    nats->status = (struct comb_store_status){
        .driver = "nats", .shared = true, .since_us = comb_clock_wall_us()};
    nats->arena = grpcc_arena_new(0);
    enum comb_status status =
        nats->arena ? comb_nats_configure(nats, options, err) : comb_error_no_memory(err);
    if (status == COMB_OK) {
        nats->has_keeper = pthread_create(&nats->keeper, NULL, comb_nats_keep, nats) == 0;
        status = nats->has_keeper ? COMB_OK : comb_error_no_memory(err);
    }
    if (status == COMB_OK)
        *ret_nats = nats;
    else
        comb_nats_close(nats);
    return status;
}

void comb_nats_close(struct comb_nats *nats)
{
    if (!nats)
        return;
    pthread_mutex_lock(&nats->lock);
    nats->closing = true;
    pthread_cond_broadcast(&nats->changed);
    pthread_mutex_unlock(&nats->lock);
    if (nats->has_keeper)
        pthread_join(nats->keeper, NULL);
    natsOptions_Destroy(nats->options);
    if (nats->secret)
        comb_memory_wipe(nats->secret, strlen(nats->secret));
    if (nats->arena)
        grpcc_arena_free(nats->arena);
    pthread_rwlock_destroy(&nats->connecting);
    pthread_mutex_destroy(&nats->lock);
    pthread_cond_destroy(&nats->changed);
    comb_memory_free(nats);
}
