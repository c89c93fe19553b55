/* SPDX-License-Identifier: Apache-2.0 */
/* The connection's life: cnats' callbacks, and the thread that connects where cnats does not. */
#include <stdio.h>
#include <string.h>

#include "server/backend/nats/internal.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000

static void tell_all_locked(struct comb_nats *nats)
{
    for (struct comb_nats_subscription *at = nats->first; at; at = at->next) {
        pthread_mutex_lock(&at->lock);
        if (!at->closed)
            at->listener.lost(at->listener.data, 0);
        pthread_mutex_unlock(&at->lock);
    }
}

static void set_down_locked(struct comb_nats *nats, natsStatus native, const char *detail)
{
    comb_nats_error(&nats->why, native, detail);
    comb_store_status_set(&nats->status, COMB_STORE_DOWN, &nats->why);
    nats->status.failures++;
    nats->status.connections = 0;
}

static void set_up_locked(struct comb_nats *nats, natsConnection *connection)
{
    char url[256] = "";
    if (natsConnection_GetConnectedUrl(connection, url, sizeof url) != NATS_OK)
        url[0] = '\0';
    snprintf(nats->status.server, sizeof nats->status.server, "NATS at %.50s", url);
    comb_store_status_set(&nats->status, COMB_STORE_UP, NULL);
    nats->status.connections = 1;
}

/* ---- callbacks of cnats, on its thread ---- */

static void on_disconnected(natsConnection *connection, void *data)
{
    struct comb_nats *nats = data;
    const char *detail = NULL;
    natsStatus native = natsConnection_GetLastError(connection, &detail);
    pthread_mutex_lock(&nats->lock);
    set_down_locked(nats, native == NATS_OK ? NATS_CONNECTION_DISCONNECTED : native, NULL);
    pthread_mutex_unlock(&nats->lock);
}

static void on_reconnected(natsConnection *connection, void *data)
{
    struct comb_nats *nats = data;
    pthread_mutex_lock(&nats->lock);
    set_up_locked(nats, connection);
    tell_all_locked(nats);
    pthread_mutex_unlock(&nats->lock);
}

static void on_closed(natsConnection *connection, void *data)
{
    struct comb_nats *nats = data;
    const char *detail = NULL;
    natsStatus native = natsConnection_GetLastError(connection, &detail);
    pthread_mutex_lock(&nats->lock);
    if (!nats->closing)
        set_down_locked(nats, native == NATS_OK ? NATS_CONNECTION_CLOSED : native, NULL);
    nats->lost = true;
    nats->ended = true;
    pthread_cond_broadcast(&nats->changed);
    pthread_mutex_unlock(&nats->lock);
}

/* A slow consumer is told once per episode; an authorization violation ends in on_closed(). */
static void on_error(natsConnection *connection, natsSubscription *handle, natsStatus native,
                     void *data)
{
    struct comb_nats *nats = data;
    (void)connection;
    (void)native;
    pthread_mutex_lock(&nats->lock);
    for (struct comb_nats_subscription *at = nats->first; handle && at; at = at->next) {
        pthread_mutex_lock(&at->lock);
        if (at->handle == handle && !at->closed)
            at->listener.lost(at->listener.data, 0);
        pthread_mutex_unlock(&at->lock);
    }
    pthread_mutex_unlock(&nats->lock);
}

/* ---- the keeper ---- */

static natsStatus set_callbacks(struct comb_nats *nats)
{
    natsStatus status = natsOptions_SetDisconnectedCB(nats->options, on_disconnected, nats);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectedCB(nats->options, on_reconnected, nats);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(nats->options, on_closed, nats);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(nats->options, on_error, nats);
    return status;
}

/* Takes the connection away from who uses it, and ends it. */
static void drop_connection(struct comb_nats *nats)
{
    pthread_rwlock_wrlock(&nats->connecting);
    natsConnection *connection = nats->connection;
    nats->connection = NULL;
    pthread_rwlock_unlock(&nats->connecting);
    pthread_mutex_lock(&nats->lock);
    for (struct comb_nats_subscription *at = nats->first; at; at = at->next) {
        natsSubscription_Destroy(at->handle);
        at->handle = NULL;
    }
    pthread_mutex_unlock(&nats->lock);
    if (!connection)
        return;
    natsConnection_Close(connection);
    pthread_mutex_lock(&nats->lock);
    while (!nats->ended)
        pthread_cond_wait(&nats->changed, &nats->lock);
    pthread_mutex_unlock(&nats->lock);
    natsConnection_Destroy(connection);
}

/* A new connection takes over all subscriptions; what came between is lost to them. */
static void take_connection(struct comb_nats *nats, natsConnection *connection)
{
    pthread_rwlock_wrlock(&nats->connecting);
    nats->connection = connection;
    pthread_mutex_lock(&nats->lock);
    set_up_locked(nats, connection);
    for (struct comb_nats_subscription *at = nats->first; at; at = at->next)
        comb_nats_subscribe_locked(nats, at, connection);
    tell_all_locked(nats);
    pthread_mutex_unlock(&nats->lock);
    pthread_rwlock_unlock(&nats->connecting);
}

static bool connect_once(struct comb_nats *nats)
{
    natsConnection *connection = NULL;
    pthread_mutex_lock(&nats->lock);
    nats->lost = false;
    nats->ended = false;
    pthread_mutex_unlock(&nats->lock);
    natsStatus native = set_callbacks(nats);
    if (native == NATS_OK)
        native = natsConnection_Connect(&connection, nats->options);
    if (native == NATS_OK) {
        take_connection(nats, connection);
    } else {
        natsStatus last = NATS_OK;
        const char *detail = native == NATS_SSL_ERROR ? nats_GetLastError(&last) : NULL;
        pthread_mutex_lock(&nats->lock);
        set_down_locked(nats, native, detail);
        pthread_mutex_unlock(&nats->lock);
    }
    pthread_mutex_lock(&nats->lock);
    nats->tried = true;
    pthread_cond_broadcast(&nats->changed);
    pthread_mutex_unlock(&nats->lock);
    return native == NATS_OK;
}

static void wait_locked(struct comb_nats *nats, uint32_t wait_ms)
{
    int64_t end_ns = comb_clock_in_ms(wait_ms);
    while (!nats->closing && comb_cond_wait_until(&nats->changed, &nats->lock, end_ns))
        continue;
}

void *comb_nats_keep(void *data)
{
    struct comb_nats *nats = data;
    struct comb_backoff backoff = {.first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS};
    pthread_mutex_lock(&nats->lock);
    while (!nats->closing) {
        pthread_mutex_unlock(&nats->lock);
        bool connected = connect_once(nats);
        pthread_mutex_lock(&nats->lock);
        while (connected && !nats->lost && !nats->closing)
            pthread_cond_wait(&nats->changed, &nats->lock);
        pthread_mutex_unlock(&nats->lock);
        drop_connection(nats);
        pthread_mutex_lock(&nats->lock);
        if (connected)
            comb_backoff_reset(&backoff);
        if (!nats->closing)
            wait_locked(nats, comb_backoff_next_ms(&backoff));
    }
    pthread_mutex_unlock(&nats->lock);
    return NULL;
}
