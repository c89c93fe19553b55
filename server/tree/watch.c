/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that serves all watches. */

#include "server/core/cond.h"
#include "server/core/memory.h"
#include "server/tree/watch_events.h"

struct tree_watches {
    struct comb_tree *tree;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, draining;
    struct tree_watch *first;
    size_t n;
};

static void send_next(struct tree_watch *watch);

/* The receiver took an event, or is gone. */
static void sent(void *data, bool ok)
{
    struct tree_watch *watch = data;
    struct tree_watches *watches = watch->watches;

    if (ok && watch->next_event < watch->n_events) {
        send_next(watch);
        return;
    }
    pthread_mutex_lock(&watches->lock);
    watch->state = TREE_WATCH_IDLE;
    watch->failed = !ok;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

static void send_next(struct tree_watch *watch)
{
    const struct comb_v1_tree_watch_response *event = watch->events[watch->next_event++];

    watch->receiver->send(watch->self, event, sent, watch);
}

static void unlink_locked(struct tree_watches *watches, struct tree_watch *watch)
{
    struct tree_watch **link = &watches->first;

    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    watches->n--;
}

/* Takes the watch out, tells the receiver and frees. Without the lock. */
static void end_watch(struct tree_watches *watches, struct tree_watch *watch,
                      const struct comb_error *err)
{
    pthread_mutex_lock(&watches->lock);
    unlink_locked(watches, watch);
    pthread_mutex_unlock(&watches->lock);
    watch->receiver->end(watch->self, err);
    tree_watch_done(watch);
    comb_memory_free(watch);
}

/* Why a watch must end now, whatever the feed says; OK: it must not. */
static enum comb_status must_end(const struct tree_watch *watch, bool failed, bool draining,
                                 struct comb_error *err)
{
    enum comb_tree_receiver_state state = watch->receiver->state(watch->self);

    if (failed || state == COMB_TREE_RECEIVER_GONE)
        return comb_error_set(err, COMB_CANCELLED, 0, "the watcher is gone");
    if (draining || state == COMB_TREE_RECEIVER_DRAINING) {
        comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                       "this replica is draining: go on from the last cursor on another");
        err->retryable = true;
        return COMB_UNAVAILABLE;
    }
    return COMB_OK;
}

/* One turn of a watch whose state is WORKING. Without the lock. */
static void serve(struct tree_watches *watches, struct tree_watch *watch, bool failed,
                  bool draining)
{
    struct comb_error err = {0};
    enum comb_status status = must_end(watch, failed, draining, &err);

    if (status == COMB_OK && watch->pending_end) {
        err = watch->end_error;
        status = err.status;
    } else if (status == COMB_OK) {
        status = tree_watch_round(watch, &err);
        if (status != COMB_OK && watch->n_events > 0) {
            /* What came before the reason is told first. */
            watch->pending_end = true;
            watch->end_error = err;
            status = COMB_OK;
        }
    }
    if (status != COMB_OK) {
        end_watch(watches, watch, &err);
        return;
    }
    pthread_mutex_lock(&watches->lock);
    watch->state = watch->n_events > 0 ? TREE_WATCH_SENDING : TREE_WATCH_IDLE;
    watch->dirty = watch->dirty || watch->more || watch->pending_end;
    pthread_mutex_unlock(&watches->lock);
    if (watch->n_events > 0)
        send_next(watch);
}

static int64_t due_ns(const struct tree_watch *watch)
{
    return watch->heartbeat_due_ns < watch->check_due_ns ? watch->heartbeat_due_ns
                                                         : watch->check_due_ns;
}

/* The next watch that has something to do; NULL: *ret_due_ns says when one will. */
static struct tree_watch *pick_locked(struct tree_watches *watches, int64_t *ret_due_ns)
{
    int64_t now = comb_clock_monotonic_ns();

    *ret_due_ns = INT64_MAX;
    for (struct tree_watch *watch = watches->first; watch; watch = watch->next) {
        if (watch->state != TREE_WATCH_IDLE)
            continue;
        if (watch->dirty || watch->failed || watches->draining || due_ns(watch) <= now)
            return watch;
        if (due_ns(watch) < *ret_due_ns)
            *ret_due_ns = due_ns(watch);
    }
    return NULL;
}

/* To the end of the list, so that a busy one keeps nobody waiting. */
static void rotate_locked(struct tree_watches *watches, struct tree_watch *watch)
{
    struct tree_watch **link = &watches->first;

    unlink_locked(watches, watch);
    while (*link)
        link = &(*link)->next;
    *link = watch;
    watch->next = NULL;
    watches->n++;
}

static void *serve_all(void *data)
{
    struct tree_watches *watches = data;

    pthread_mutex_lock(&watches->lock);
    while (!watches->stopping || watches->n > 0) {
        int64_t due;
        struct tree_watch *watch = pick_locked(watches, &due);
        bool failed, draining = watches->draining;

        if (!watch) {
            (void)comb_cond_wait_until(&watches->wake, &watches->lock, due);
            continue;
        }
        rotate_locked(watches, watch);
        watch->state = TREE_WATCH_WORKING;
        watch->dirty = false;
        failed = watch->failed;
        pthread_mutex_unlock(&watches->lock);
        serve(watches, watch, failed, draining);
        pthread_mutex_lock(&watches->lock);
    }
    pthread_mutex_unlock(&watches->lock);
    return NULL;
}

enum comb_status comb_tree_watch_start(struct comb_tree *tree, struct comb_ctx *ctx,
                                       const struct comb_v1_tree_watch_request *request,
                                       const struct comb_tree_receiver *receiver, void *self,
                                       struct comb_error *err)
{
    struct tree_watches *watches = tree->watches;
    struct tree_watch *watch = comb_memory_zalloc(sizeof *watch);
    enum comb_status status;

    if (!watch)
        return comb_error_no_memory(err);
    status = tree_watch_init(watch, tree, ctx, request, err);
    ctx->authorised |= watch->ctx.authorised | 1u << COMB_V1_NEED_READ;
    watch->receiver = receiver;
    watch->self = self;
    watch->watches = watches;
    watch->dirty = true;
    if (status == COMB_OK) {
        pthread_mutex_lock(&watches->lock);
        if (watches->n >= COMB_TREE_WATCHES_MAX)
            status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                                    "this replica has %d watches already", COMB_TREE_WATCHES_MAX);
        else if (watches->draining || watches->stopping)
            status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                                    "this replica is draining: try another");
        if (status == COMB_OK) {
            watch->next = watches->first;
            watches->first = watch;
            watches->n++;
            pthread_cond_signal(&watches->wake);
        }
        pthread_mutex_unlock(&watches->lock);
    }
    if (status != COMB_OK) {
        tree_watch_done(watch);
        comb_memory_free(watch);
    }
    return status;
}

enum comb_status tree_watches_new(struct comb_tree *tree, struct tree_watches **ret_watches,
                                  struct comb_error *err)
{
    struct tree_watches *watches = comb_memory_zalloc(sizeof *watches);

    if (!watches)
        return comb_error_no_memory(err);
    watches->tree = tree;
    pthread_mutex_init(&watches->lock, NULL);
    comb_cond_init(&watches->wake);
    *ret_watches = watches;
    return COMB_OK;
}

enum comb_status tree_watches_start(struct tree_watches *watches, struct comb_error *err)
{
    if (pthread_create(&watches->thread, NULL, serve_all, watches) != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the watches");
    watches->started = true;
    return COMB_OK;
}

void tree_watches_wake(struct tree_watches *watches)
{
    pthread_mutex_lock(&watches->lock);
    for (struct tree_watch *watch = watches->first; watch; watch = watch->next)
        watch->dirty = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

void tree_watches_drain(struct tree_watches *watches)
{
    pthread_mutex_lock(&watches->lock);
    watches->draining = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

void tree_watches_stop(struct tree_watches *watches)
{
    if (!watches || !watches->started)
        return;
    pthread_mutex_lock(&watches->lock);
    watches->stopping = watches->draining = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
    pthread_join(watches->thread, NULL);
    watches->started = false;
}

void tree_watches_free(struct tree_watches *watches)
{
    if (!watches)
        return;
    pthread_cond_destroy(&watches->wake);
    pthread_mutex_destroy(&watches->lock);
    comb_memory_free(watches);
}
