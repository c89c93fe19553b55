/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/waits.h"

#include <pthread.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

/* One look at one operation. */
#define LOOK_MS_MAX 5000
/* No answer rests on rights that were looked at longer ago: the bound of what was revoked. */
#define ASK_MS 250
/* What asking may take of one of them. */
#define ASK_MS_MAX 1000

struct operation_waits {
    struct comb_operations_store *store;
    pthread_t thread;
    bool is_started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping, draining, dirty;
    struct operation_wait *first;
    size_t n; /* those that are being looked at included */
};

static enum comb_status say_draining(struct comb_error *err)
{
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                   "this replica is draining: wait on another");
    err->retryable = true;
    return COMB_UNAVAILABLE;
}

/* Whether what was seen of it ends the wait. A store that does not answer is asked again until the
 * time is over. */
static bool is_over(const struct operation_wait *wait, enum comb_status status,
                    const struct comb_operation *operation)
{
    if (comb_clock_monotonic_ns() >= wait->due_ns)
        return true;
    if (status != COMB_OK)
        return status == COMB_NOT_FOUND;
    return comb_operation_has_ended(operation->state) ||
           (wait->seen_revision && operation->revision != wait->seen_revision);
}

static enum comb_status ask_again(struct operation_wait *wait, struct grpcc_arena *arena,
                                  struct comb_error *err)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    if (!wait->waiter->ask_again || now_ns < wait->ask_ns)
        return COMB_OK;
    enum comb_status status =
        wait->waiter->ask_again(wait->self, arena, comb_clock_in_ms(ASK_MS_MAX), err);
    if (status == COMB_OK)
        wait->ask_ns = now_ns + ASK_MS * COMB_NS_PER_MS;
    return status;
}

/* A store that is away says nothing of rights. */
static bool is_refusal(enum comb_status status)
{
    return status == COMB_UNAUTHENTICATED || status == COMB_PERMISSION_DENIED ||
           status == COMB_NOT_FOUND;
}

/* Looks at one; false: it waits on. */
static bool serve(struct operation_waits *waits, struct operation_wait *wait, bool draining,
                  struct grpcc_arena *arena)
{
    struct comb_operation operation;
    struct comb_error err = {0};
    struct comb_ctx ctx = {.arena = arena,
                           .deadline_ns = comb_clock_monotonic_ns() + LOOK_MS_MAX * COMB_NS_PER_MS};
    enum comb_status status;
    grpcc_arena_reset(arena);
    if (wait->waiter->is_gone(wait->self))
        status = comb_error_set(&err, COMB_CANCELLED, 0, "who waited is gone");
    else if (draining)
        status = say_draining(&err);
    else if ((status = ask_again(wait, arena, &err)) != COMB_OK) {
        if (!is_refusal(status) && comb_clock_monotonic_ns() < wait->due_ns)
            return false;
    } else {
        status = waits->store->driver->get(waits->store, &ctx, &wait->id, &operation, &err);
        if (!is_over(wait, status, &operation))
            return false;
    }
    wait->waiter->end(wait->self, status, status == COMB_OK ? &operation : NULL, &err);
    return true;
}

/* Looks at all, without the lock meanwhile; who joins then is looked at in the next round. */
static void serve_all_locked(struct operation_waits *waits, struct grpcc_arena *arena)
{
    struct operation_wait *list = waits->first, *left = NULL;
    bool draining = waits->draining;
    size_t n_over = 0;
    waits->first = NULL;
    waits->dirty = false;
    pthread_mutex_unlock(&waits->lock);
    while (list) {
        struct operation_wait *wait = list;
        list = wait->next; /* it may be gone once it has been served */
        if (serve(waits, wait, draining, arena)) {
            n_over++;
        } else {
            wait->next = left;
            left = wait;
        }
    }
    pthread_mutex_lock(&waits->lock);
    waits->n -= n_over;
    while (left) {
        struct operation_wait *wait = left;
        left = wait->next;
        wait->next = waits->first;
        waits->first = wait;
    }
}

/* Until the next look, the first time that is over, or a change. */
static void rest_locked(struct operation_waits *waits)
{
    int64_t until_ns = comb_clock_in_ms(COMB_OPERATION_LOOK_MS);
    for (const struct operation_wait *wait = waits->first; wait; wait = wait->next)
        if (wait->due_ns < until_ns)
            until_ns = wait->due_ns;
    (void)comb_cond_wait_until(&waits->wake, &waits->lock, until_ns);
}

static void *serve_waits(void *data)
{
    struct operation_waits *waits = data;
    struct grpcc_arena *arena = NULL;
    pthread_mutex_lock(&waits->lock);
    while (!waits->stopping || waits->n > 0) {
        if (!waits->first) {
            pthread_cond_wait(&waits->wake, &waits->lock);
            continue;
        }
        if (!arena)
            arena = grpcc_arena_new(0);
        if (arena)
            serve_all_locked(waits, arena);
        if (!waits->dirty && waits->first)
            rest_locked(waits);
    }
    pthread_mutex_unlock(&waits->lock);
    grpcc_arena_free(arena);
    return NULL;
}

enum comb_status operation_waits_add(struct operation_waits *waits, struct operation_wait *wait,
                                     struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&waits->lock);
    if (waits->draining)
        status = say_draining(err);
    else if (waits->n >= COMB_OPERATION_WAITS_MAX)
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                                "this replica has %d waits already", COMB_OPERATION_WAITS_MAX);
    if (status == COMB_OK) {
        wait->next = waits->first;
        waits->first = wait;
        waits->n++;
        waits->dirty = true;
        pthread_cond_signal(&waits->wake);
    }
    pthread_mutex_unlock(&waits->lock);
    return status;
}

void operation_waits_wake(void *data)
{
    struct operation_waits *waits = data;
    pthread_mutex_lock(&waits->lock);
    waits->dirty = true;
    pthread_cond_signal(&waits->wake);
    pthread_mutex_unlock(&waits->lock);
}

void operation_waits_drain(struct operation_waits *waits)
{
    pthread_mutex_lock(&waits->lock);
    waits->draining = waits->dirty = true;
    pthread_cond_signal(&waits->wake);
    pthread_mutex_unlock(&waits->lock);
}

enum comb_status operation_waits_new(struct comb_operations_store *store,
                                     struct operation_waits **ret_waits, struct comb_error *err)
{
    struct operation_waits *waits = comb_memory_zalloc(sizeof *waits);
    if (!waits)
        return comb_error_no_memory(err);
    waits->store = store;
    pthread_mutex_init(&waits->lock, NULL);
    comb_cond_init(&waits->wake);
    *ret_waits = waits;
    return COMB_OK;
}

enum comb_status operation_waits_start(struct operation_waits *waits, struct comb_error *err)
{
    if (pthread_create(&waits->thread, NULL, serve_waits, waits) != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the waits");
    waits->is_started = true;
    return COMB_OK;
}

void operation_waits_free(struct operation_waits *waits)
{
    if (!waits)
        return;
    pthread_mutex_lock(&waits->lock);
    waits->stopping = waits->draining = true;
    pthread_cond_signal(&waits->wake);
    pthread_mutex_unlock(&waits->lock);
    if (waits->is_started)
        pthread_join(waits->thread, NULL);
    pthread_cond_destroy(&waits->wake);
    pthread_mutex_destroy(&waits->lock);
    comb_memory_free(waits);
}
