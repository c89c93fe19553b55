/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that folds totals and purges what was deleted for good. */

#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/tree/internal.h"

/* Changes are gathered that long before they are folded: far less than the second that is promised,
 * far more than the time between two writes. */
#define GATHER_MS 200
/* A round that failed is tried again after this long. */
#define RETRY_MS 500
#define ROUND_DEADLINE_MS 30000
#define ROUND_ARENA_MAX (64u << 20)

/* Waits for `ms`, or until the thread has to stop or somebody waits for it. */
static void pause_locked(struct comb_tree *tree, int64_t ms)
{
    int64_t until_ns = comb_clock_in_ms(ms);

    while (!tree->stopping && tree->rounds_asked <= tree->rounds_done) {
        if (!comb_cond_wait_until(&tree->wake, &tree->lock, until_ns))
            return;
    }
}

/* Either looks what there is to purge, or purges what an earlier look found. */
static enum comb_status purge_step(struct comb_tree *tree, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct comb_tree_store *store = tree->use.store;
    const struct comb_uuid *ids;
    size_t n;
    enum comb_status status;

    if (tree->n_purge_ids > 0) {
        if (tree->folded.incarnation != tree->purge_after.incarnation) {
            tree->n_purge_ids = 0; /* another server has taken over: look again */
            return COMB_OK;
        }
        if (tree->folded.sequence < tree->purge_after.sequence)
            return COMB_OK;
        n = tree->n_purge_ids;
        tree->n_purge_ids = 0;
        return store->driver->purge(store, ctx, tree->purge_ids, n, err);
    }
    ctx->reached = (struct comb_position){0};
    status = store->driver->purgeable(store, ctx, &ids, &n, err);
    if (status != COMB_OK)
        return status;
    memcpy(tree->purge_ids, ids, n * sizeof *ids);
    tree->n_purge_ids = n;
    tree->purge_after = ctx->reached;
    tree->purge_due = n > 0;
    return COMB_OK;
}

static enum comb_status one_step(struct comb_tree *tree, struct grpcc_arena *arena, bool *ret_more,
                                 struct comb_error *err)
{
    struct comb_ctx ctx = {.arena = arena};
    enum comb_status status;

    ctx.deadline_ns = comb_clock_monotonic_ns() + ROUND_DEADLINE_MS * COMB_NS_PER_MS;
    status = tree_totals_fold(tree, &ctx, ret_more, err);
    if (status != COMB_OK || *ret_more || !tree->purge_due)
        return status;
    status = purge_step(tree, &ctx, err);
    *ret_more = tree->purge_due;
    return status;
}

static enum comb_status one_round(struct comb_tree *tree, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(ROUND_ARENA_MAX);
    enum comb_status status = COMB_OK;
    bool more = true;

    if (!arena)
        return comb_error_no_memory(err);
    while (more && status == COMB_OK && !atomic_load(&tree->stop_now)) {
        more = false;
        status = one_step(tree, arena, &more, err);
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
    return status;
}

static void *background(void *data)
{
    struct comb_tree *tree = data;

    pthread_mutex_lock(&tree->lock);
    while (!tree->stopping) {
        struct comb_error err = {0};
        enum comb_status status;
        uint64_t asked;

        if (!tree->dirty && tree->rounds_asked <= tree->rounds_done) {
            pthread_cond_wait(&tree->wake, &tree->lock);
            continue;
        }
        pause_locked(tree, GATHER_MS);
        tree->dirty = false;
        asked = tree->rounds_asked;
        pthread_mutex_unlock(&tree->lock);
        status = one_round(tree, &err);
        if (status != COMB_OK)
            comb_log_error(COMB_LOG_DEBUG, "tree", "folding totals and purging", &err);
        pthread_mutex_lock(&tree->lock);
        if (status != COMB_OK && !tree->stopping) {
            tree->dirty = true;
            (void)comb_cond_wait_until(&tree->wake, &tree->lock, comb_clock_in_ms(RETRY_MS));
            continue;
        }
        tree->rounds_done = asked;
        pthread_cond_broadcast(&tree->settled);
    }
    pthread_mutex_unlock(&tree->lock);
    return NULL;
}

enum comb_status tree_background_start(struct comb_tree *tree, struct comb_error *err)
{
    /* What the last run left behind. */
    tree->dirty = true;
    tree->purge_due = true;
    if (pthread_create(&tree->thread, NULL, background, tree) != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the tree's totals");
    tree->started = true;
    return COMB_OK;
}

void tree_background_wake(struct comb_tree *tree)
{
    pthread_mutex_lock(&tree->lock);
    if (!tree->dirty) {
        tree->dirty = true;
        pthread_cond_signal(&tree->wake);
    }
    pthread_mutex_unlock(&tree->lock);
}

void tree_background_stop(struct comb_tree *tree)
{
    if (!tree->started)
        return;
    pthread_mutex_lock(&tree->lock);
    tree->stopping = true;
    atomic_store(&tree->stop_now, true);
    pthread_cond_broadcast(&tree->wake);
    pthread_cond_broadcast(&tree->settled);
    pthread_mutex_unlock(&tree->lock);
    pthread_join(tree->thread, NULL);
    tree->started = false;
}

enum comb_status comb_tree_settle(struct comb_tree *tree, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    uint64_t mine;

    pthread_mutex_lock(&tree->lock);
    mine = ++tree->rounds_asked;
    pthread_cond_broadcast(&tree->wake);
    while (tree->rounds_done < mine && !tree->stopping && status == COMB_OK) {
        if (!comb_cond_wait_until(&tree->settled, &tree->lock, ctx->deadline_ns))
            status = comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0,
                                    "the tree's background did not get done in time");
    }
    pthread_mutex_unlock(&tree->lock);
    return status;
}
