/* SPDX-License-Identifier: Apache-2.0 */
/* Watches without end: what breaks goes on from the last cursor. */
#include <string.h>
#include <time.h>

#include "client/lib/transfer.h"
#include "comb/lists.h"

enum { EVENT_BYTES_MAX = 8 << 20 };

struct comb_watch {
    struct comb_client *client;
    struct grpcc_arena *kept; /* the request */
    struct grpcc_arena *events;
    struct comb_v1_tree_watch_request *request;
    char *cursor; /* the newest; NULL: none yet */
    struct comb_again again;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool cancelled;
    struct comb_v1_tree_watch_stream *stream; /* NULL: none is open */
};

/* ---- cursors ---- */

static bool keep_cursor(struct comb_watch *watch, const char *cursor)
{
    if (!*cursor)
        return true;
    char *copy = strdup(cursor);
    if (!copy)
        return false;
    free(watch->cursor);
    watch->cursor = copy;
    return true;
}

static bool keep_cursor_of(struct comb_watch *watch,
                           const struct comb_v1_tree_watch_response *event)
{
    switch (event->event_case) {
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_SNAPSHOT_END:
        return keep_cursor(watch, event->snapshot_end->cursor);
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE:
        return keep_cursor(watch, event->change->cursor);
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_ADDED:
        return keep_cursor(watch, event->added->cursor);
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_REMOVED:
        return keep_cursor(watch, event->removed->cursor);
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_HEARTBEAT:
        return keep_cursor(watch, event->heartbeat->cursor);
    default: /* of the snapshot: it has none before its end */
        return true;
    }
}

/* "Now" as a cursor: what happens before the first event is not lost with the first connection. */
static enum grpcc_status begin_now(struct comb_watch *watch, struct grpcc_error *err)
{
    struct comb_v1_tree_changes_response *response = NULL;
    struct comb_v1_tree_changes_request *request = comb_v1_tree_changes_request_new(watch->events);
    if (!request)
        return comb_error_memory(err);
    request->folder = watch->request->folder;
    enum grpcc_status status =
        comb_v1_tree_changes(watch->client->channel, watch->events, NULL, request, &response, err);
    if (!status && !keep_cursor(watch, response->next_cursor))
        status = comb_error_memory(err);
    return status;
}

/* ---- life ---- */

static struct comb_watch *watch_new(struct comb_client *client,
                                    const struct comb_v1_tree_watch_request *request)
{
    pthread_condattr_t monotonic;
    struct comb_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->client = comb_client_ref(client);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    watch->kept = grpcc_arena_new(0);
    watch->events = grpcc_arena_new(EVENT_BYTES_MAX);
    if (watch->kept && watch->events)
        watch->request = comb_v1_tree_watch_request_dup(watch->kept, request);
    if (watch->request && keep_cursor(watch, request->cursor))
        return watch;
    comb_watch_close(watch);
    return NULL;
}

enum grpcc_status comb_watch_open(struct comb_client *client,
                                  const struct comb_v1_tree_watch_request *request,
                                  struct comb_watch **ret_watch, struct grpcc_error *err)
{
    struct grpcc_error own = GRPCC_ERROR_INIT;
    enum grpcc_status status = comb_client_check(client, err);
    if (status)
        return status;
    struct comb_watch *watch = watch_new(client, request);
    if (!watch)
        return comb_error_memory(err);
    if (!watch->cursor && !request->snapshot)
        status = begin_now(watch, &own);
    if (status) {
        own.details = NULL; /* the arena that they lie in ends here */
        comb_watch_close(watch);
        if (err)
            *err = own;
        return status;
    }
    comb_again_init(&watch->again, client);
    *ret_watch = watch;
    return GRPCC_OK;
}

static void close_stream(struct comb_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    struct comb_v1_tree_watch_stream *stream = watch->stream;
    watch->stream = NULL;
    pthread_mutex_unlock(&watch->lock);
    comb_v1_tree_watch_stream_free(stream);
}

void comb_watch_close(struct comb_watch *watch)
{
    if (!watch)
        return;
    close_stream(watch);
    grpcc_arena_free(watch->kept);
    grpcc_arena_free(watch->events);
    free(watch->cursor);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    comb_client_unref(watch->client);
    free(watch);
}

void comb_watch_cancel(struct comb_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->cancelled = true;
    if (watch->stream)
        comb_v1_tree_watch_stream_cancel(watch->stream);
    pthread_cond_broadcast(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
}

const char *comb_watch_cursor(const struct comb_watch *watch)
{
    return watch->cursor ? watch->cursor : "";
}

/* ---- events ---- */

static bool is_cancelled(struct comb_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    bool cancelled = watch->cancelled;
    pthread_mutex_unlock(&watch->lock);
    return cancelled;
}

static enum grpcc_status open_stream(struct comb_watch *watch, struct grpcc_error *err)
{
    comb_v1_tree_watch_request_set_cursor(watch->request, watch->cursor);
    watch->request->snapshot = !watch->cursor;
    struct comb_v1_tree_watch_stream *stream =
        comb_v1_tree_watch_stream_open(watch->client->channel, NULL, watch->request, err);
    if (!stream)
        return err->status;
    pthread_mutex_lock(&watch->lock);
    watch->stream = stream;
    if (watch->cancelled)
        comb_v1_tree_watch_stream_cancel(stream);
    pthread_mutex_unlock(&watch->lock);
    return GRPCC_OK;
}

/* How the stream ended; one that the server ended well is to be opened again, as by a replica that
 * drains. */
static enum grpcc_status finish_stream(struct comb_watch *watch, struct grpcc_error *err)
{
    enum grpcc_status status = comb_v1_tree_watch_stream_finish(watch->stream, watch->events, err);
    close_stream(watch);
    if (status)
        return status;
    status = grpcc_error_set(err, GRPCC_UNAVAILABLE, "the replica ended the watch");
    err->pushback_ms = 0;
    return status;
}

static void pause_ms(struct comb_watch *watch, int64_t ms)
{
    int64_t until_ns = comb_now_ns() + ms * COMB_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / COMB_NS_PER_S),
                             .tv_nsec = (long)(until_ns % COMB_NS_PER_S)};
    pthread_mutex_lock(&watch->lock);
    while (!watch->cancelled && comb_now_ns() < until_ns)
        pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    pthread_mutex_unlock(&watch->lock);
}

/* After a failure: true: another stream is to be opened. */
static bool goes_on(struct comb_watch *watch, enum grpcc_status status,
                    const struct grpcc_error *err)
{
    int64_t wait_ms = 0;
    if (status == GRPCC_OUT_OF_RANGE &&
        comb_error_has_reason(err, COMB_V1_ERROR_REASON_CURSOR_EXPIRED) && watch->cursor) {
        free(watch->cursor);
        watch->cursor = NULL;
        return true;
    }
    struct grpcc_error judged = *err;
    if (status == GRPCC_CANCELLED && !is_cancelled(watch)) {
        comb_retry_take_for_unavailable(&judged);
        status = judged.status;
        judged.pushback_ms = 0;
    }
    if (!comb_again_judge(&watch->again, status, &judged, &wait_ms))
        return false;
    pause_ms(watch, wait_ms);
    return true;
}

/* 1: an event; 0: the stream ended or broke, *ret_status tells how. */
static int read_event(struct comb_watch *watch,
                      const struct comb_v1_tree_watch_response **ret_event,
                      enum grpcc_status *ret_status, struct grpcc_error *err)
{
    struct comb_v1_tree_watch_response *event = NULL;
    if (!watch->stream) {
        *ret_status = open_stream(watch, err);
        if (*ret_status)
            return 0;
    }
    int result = comb_v1_tree_watch_stream_read(watch->stream, watch->events, &event, err);
    if (result > 0 && keep_cursor_of(watch, event)) {
        comb_again_progress(&watch->again);
        *ret_event = event;
        return 1;
    }
    if (result == 0)
        *ret_status = finish_stream(watch, err);
    else
        *ret_status = result < 0 ? err->status : comb_error_memory(err);
    close_stream(watch);
    return 0;
}

int comb_watch_next(struct comb_watch *watch, const struct comb_v1_tree_watch_response **ret_event,
                    struct grpcc_error *err)
{
    struct grpcc_error own = GRPCC_ERROR_INIT;
    for (;;) {
        enum grpcc_status status = GRPCC_OK;
        grpcc_arena_reset(watch->events);
        if (is_cancelled(watch))
            return 0;
        if (read_event(watch, ret_event, &status, &own))
            return 1;
        if (!is_cancelled(watch) && !goes_on(watch, status, &own)) {
            if (err)
                *err = own;
            return -1;
        }
    }
}
