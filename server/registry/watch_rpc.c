/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread serves all watches: whoever has taken the last answer gets what is new since. A slow
 * watcher costs nothing but its place: it gets the newest of what it missed, not all of it.
 */
#include "server/registry/watch_rpc.h"

#include <pthread.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

/* Entries of one answer. */
#define ANSWER_ENTRIES_MAX 100
/* How often it is looked whether watchers are still there and may still watch: the bound of what
 * was revoked. */
#define LOOK_MS 250
/* What asking that may take of one of them. */
#define ASK_MS_MAX 1000

struct watch {
    struct watch *next;
    struct comb_registry_watches *watches;
    struct grpcc_call *call;
    struct grpcc_arena *arena; /* of the answer on its way */
    char service[COMB_REGISTRY_NAME_BYTES_MAX + 1];
    struct comb_directory_cursor cursor;
    int64_t ask_ns; /* when his token is looked at next */
    /* under the lock */
    bool sending, failed;
};

struct comb_registry_watches {
    struct comb_directory *directory;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below; the directory's lock is taken outside of it */
    pthread_cond_t wake;
    struct watch *first;
    size_t n;
    bool news, draining, stopping;
};

static void free_watch(struct watch *watch)
{
    grpcc_call_unref(watch->call);
    grpcc_arena_free(watch->arena);
    comb_memory_free(watch);
}

/* ---- one watch ---- */

static enum comb_status add_entries(struct grpcc_arena *arena,
                                    const struct comb_directory_changes *changes,
                                    struct comb_v1_registry_watch_response *answer,
                                    struct comb_error *err)
{
    for (size_t i = 0; i < changes->n_entries; i++) {
        struct comb_v1_registry_entry *message = NULL;
        enum comb_status status = comb_registry_message(arena, &changes->entries[i], &message, err);
        if (status == COMB_DATA_LOSS) /* written by somebody else: not ours to show */
            continue;
        if (status != COMB_OK)
            return status;
        if (!comb_v1_registry_watch_response_add_entries(arena, answer, message))
            return comb_error_no_memory(err);
    }
    return COMB_OK;
}

static enum comb_status add_removed(struct grpcc_arena *arena,
                                    const struct comb_directory_changes *changes,
                                    struct comb_v1_registry_watch_response *answer,
                                    struct comb_error *err)
{
    for (size_t i = 0; i < changes->n_gone; i++) {
        struct comb_v1_registry_key *key = comb_v1_registry_key_new(arena);
        if (!key)
            return comb_error_no_memory(err);
        key->service = comb_str_dup(arena, changes->gone[i].service);
        key->id = comb_str_dup(arena, changes->gone[i].id);
        if (!key->service || !key->id ||
            !comb_v1_registry_watch_response_add_removed(arena, answer, key))
            return comb_error_no_memory(err);
    }
    return COMB_OK;
}

/* What is new for a watch; *ret_answer NULL: nothing. */
static enum comb_status make_answer(struct comb_directory *directory, struct watch *watch,
                                    struct comb_v1_registry_watch_response **ret_answer,
                                    struct comb_error *err)
{
    struct comb_directory_changes changes;
    bool news = false;
    grpcc_arena_reset(watch->arena);
    *ret_answer = NULL;
    enum comb_status status =
        comb_directory_follow(directory, watch->arena, comb_str_from(watch->service),
                              ANSWER_ENTRIES_MAX, &watch->cursor, &news, &changes, err);
    if (status != COMB_OK || !news)
        return status;
    struct comb_v1_registry_watch_response *answer =
        comb_v1_registry_watch_response_new(watch->arena);
    if (!answer)
        return comb_error_no_memory(err);
    answer->begins_anew = changes.begins_anew;
    answer->complete = changes.complete;
    answer->stale = changes.stale;
    status = add_entries(watch->arena, &changes, answer, err);
    if (status == COMB_OK)
        status = add_removed(watch->arena, &changes, answer, err);
    if (status == COMB_OK)
        *ret_answer = answer;
    return status;
}

static void sent(void *data, enum grpcc_status status)
{
    struct watch *watch = data;
    struct comb_registry_watches *watches = watch->watches;
    pthread_mutex_lock(&watches->lock);
    watch->sending = false;
    watch->failed = status != GRPCC_OK;
    watches->news = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

/* Why a watch has to end; OK: it has not. */
static enum comb_status must_end(struct watch *watch, bool draining, struct comb_error *err)
{
    if (watch->failed || grpcc_call_is_cancelled(watch->call))
        return comb_error_set(err, COMB_CANCELLED, 0, "the watcher is gone");
    if (draining || grpcc_call_is_draining(watch->call)) {
        comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                       "this replica is draining: watch on another");
        err->retryable = true;
        return COMB_UNAVAILABLE;
    }
    int64_t now_ns = comb_clock_monotonic_ns();
    if (now_ns < watch->ask_ns)
        return COMB_OK;
    watch->ask_ns = now_ns + LOOK_MS * COMB_NS_PER_MS;
    grpcc_arena_reset(watch->arena);
    return comb_rpc_ask_again(watch->call, watch->arena, comb_clock_in_ms(ASK_MS_MAX), err);
}

/* One turn of a watch that is not sending. Without the lock. False: it has ended. */
static bool serve(struct comb_registry_watches *watches, struct watch *watch, bool draining)
{
    struct comb_v1_registry_watch_response *answer = NULL;
    struct comb_error err = {0};
    enum comb_status status = must_end(watch, draining, &err);
    if (status == COMB_OK)
        status = make_answer(watches->directory, watch, &answer, &err);
    if (status != COMB_OK) {
        comb_rpc_fail(watch->call, &err);
        return false;
    }
    if (answer) {
        pthread_mutex_lock(&watches->lock);
        watch->sending = true;
        pthread_mutex_unlock(&watches->lock);
        comb_v1_registry_watch_send_start(watch->call, answer, sent, watch);
    }
    return true;
}

/* ---- all of them ---- */

/* Serves each that is not sending, once. Only this thread takes watches out of the list, and new
 * ones come in at its head. */
static void serve_each(struct comb_registry_watches *watches)
{
    pthread_mutex_lock(&watches->lock);
    struct watch *watch = watches->first;
    while (watch) {
        bool busy = watch->sending, draining = watches->draining;
        struct watch *next = watch->next;
        pthread_mutex_unlock(&watches->lock);
        bool goes_on = busy || serve(watches, watch, draining);
        pthread_mutex_lock(&watches->lock);
        if (!goes_on) {
            struct watch **link = &watches->first;
            while (*link != watch)
                link = &(*link)->next;
            *link = watch->next;
            watches->n--;
            free_watch(watch);
        }
        watch = next;
    }
    pthread_mutex_unlock(&watches->lock);
}

static void *serve_all(void *data)
{
    struct comb_registry_watches *watches = data;
    pthread_mutex_lock(&watches->lock);
    while (!watches->stopping || watches->n > 0) {
        watches->news = false;
        pthread_mutex_unlock(&watches->lock);
        serve_each(watches);
        pthread_mutex_lock(&watches->lock);
        int64_t until_ns = comb_clock_in_ms(LOOK_MS);
        bool waits = true;
        while (!watches->news && waits && !(watches->stopping && watches->n == 0))
            waits = comb_cond_wait_until(&watches->wake, &watches->lock,
                                         watches->n > 0 ? until_ns : INT64_MAX);
    }
    pthread_mutex_unlock(&watches->lock);
    return NULL;
}

/* Something changed: on a thread of the store. */
static void wake_up(void *data)
{
    struct comb_registry_watches *watches = data;
    pthread_mutex_lock(&watches->lock);
    watches->news = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

static enum comb_status take_in(struct comb_registry_watches *watches, struct watch *watch,
                                struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&watches->lock);
    if (watches->draining)
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                                "this replica is draining: try another");
    else if (watches->n >= COMB_REGISTRY_WATCHES_MAX)
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                                "this replica has %d watches of the registry already",
                                COMB_REGISTRY_WATCHES_MAX);
    if (status == COMB_OK) {
        watch->next = watches->first;
        watches->first = watch;
        watches->n++;
        watches->news = true;
        pthread_cond_signal(&watches->wake);
    }
    pthread_mutex_unlock(&watches->lock);
    return status;
}

void comb_registry_watches_add(struct comb_registry_watches *watches, struct grpcc_call *call,
                               const struct comb_v1_registry_watch_request *request)
{
    struct comb_error err = {0};
    struct watch *watch = comb_memory_zalloc(sizeof *watch);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    enum comb_status status = watch && arena ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK && strlen(request->service) > COMB_REGISTRY_NAME_BYTES_MAX)
        status = comb_error_field(&err, "service", "must have at most %d bytes",
                                  COMB_REGISTRY_NAME_BYTES_MAX);
    if (status != COMB_OK) {
        grpcc_arena_free(arena);
        comb_memory_free(watch);
        comb_rpc_fail(call, &err);
        return;
    }
    watch->watches = watches;
    watch->arena = arena;
    watch->call = grpcc_call_ref(call);
    watch->ask_ns = comb_clock_in_ms(LOOK_MS); /* the dispatcher has just asked */
    memcpy(watch->service, request->service, strlen(request->service));
    status = take_in(watches, watch, &err);
    if (status != COMB_OK) {
        comb_rpc_fail(call, &err);
        free_watch(watch);
    }
}

static void free_all(struct comb_registry_watches *watches)
{
    pthread_cond_destroy(&watches->wake);
    pthread_mutex_destroy(&watches->lock);
    comb_memory_free(watches);
}

enum comb_status comb_registry_watches_new(struct comb_directory *directory,
                                           struct comb_registry_watches **ret_watches,
                                           struct comb_error *err)
{
    struct comb_registry_watches *watches = comb_memory_zalloc(sizeof *watches);
    if (!watches)
        return comb_error_no_memory(err);
    watches->directory = directory;
    pthread_mutex_init(&watches->lock, NULL);
    comb_cond_init(&watches->wake);
    if (pthread_create(&watches->thread, NULL, serve_all, watches) != 0) {
        free_all(watches);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the watches");
    }
    comb_directory_set_listener(directory, wake_up, watches);
    *ret_watches = watches;
    return COMB_OK;
}

void comb_registry_watches_drain(struct comb_registry_watches *watches)
{
    pthread_mutex_lock(&watches->lock);
    watches->draining = watches->news = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

void comb_registry_watches_free(struct comb_registry_watches *watches)
{
    if (!watches)
        return;
    comb_directory_set_listener(watches->directory, NULL, NULL);
    pthread_mutex_lock(&watches->lock);
    watches->stopping = watches->draining = watches->news = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
    pthread_join(watches->thread, NULL);
    free_all(watches);
}
