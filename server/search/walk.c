/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/walk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A phase, an id, a big-endian number. */
enum { STATE_SIZE = 1 + sizeof(struct comb_uuid) + 8 };

enum comb_status comb_search_progress_read(comb_str state,
                                           struct comb_search_progress *ret_progress,
                                           struct comb_error *err)
{
    const uint8_t *bytes = (const uint8_t *)state.ptr;
    struct comb_search_progress progress = {0};
    if (state.len > 0) {
        if (state.len != STATE_SIZE || bytes[0] > COMB_SEARCH_PRUNING)
            return comb_error_set(err, COMB_DATA_LOSS, 0, "the state of a rebuild is damaged");
        progress.phase = (enum comb_search_phase)bytes[0];
        memcpy(progress.last.bytes, bytes + 1, sizeof progress.last.bytes);
        for (size_t i = 0; i < 8; i++)
            progress.nodes = progress.nodes << 8 | bytes[STATE_SIZE - 8 + i];
    }
    *ret_progress = progress;
    return COMB_OK;
}

comb_str comb_search_progress_write(struct grpcc_arena *arena,
                                    const struct comb_search_progress *progress)
{
    uint8_t *bytes = grpcc_arena_alloc(arena, STATE_SIZE);
    if (!bytes)
        return (comb_str){NULL, 0};
    bytes[0] = (uint8_t)progress->phase;
    memcpy(bytes + 1, progress->last.bytes, sizeof progress->last.bytes);
    for (size_t i = 0; i < 8; i++)
        bytes[STATE_SIZE - 8 + i] = (uint8_t)(progress->nodes >> (56 - 8 * i));
    return comb_str_of(bytes, STATE_SIZE);
}

bool comb_search_is_of_node(const struct comb_feed_entry *entry)
{
    return entry->kind >= COMB_FEED_NODE_CREATED && entry->kind < COMB_FEED_NODE_PERMISSIONS;
}

bool comb_search_is_indexed(const struct comb_node *node)
{
    return !comb_uuid_equal(&node->parent, &comb_node_super_root) &&
           !comb_uuid_equal(&node->parent, &comb_node_purge);
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct comb_uuid));
}

enum comb_status comb_search_nodes_of(struct grpcc_arena *arena,
                                      const struct comb_feed_record *records, size_t n,
                                      const struct comb_uuid **ret_ids, size_t *ret_n,
                                      struct comb_error *err)
{
    struct comb_uuid *ids = grpcc_arena_calloc(arena, n, sizeof *ids);
    size_t found = 0, kept = 0;
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        if (comb_search_is_of_node(&records[i].entry))
            ids[found++] = records[i].entry.subject;
    qsort(ids, found, sizeof *ids, compare_ids);
    for (size_t i = 0; i < found; i++)
        if (kept == 0 || !comb_uuid_equal(&ids[kept - 1], &ids[i]))
            ids[kept++] = ids[i];
    *ret_ids = ids;
    *ret_n = kept;
    return COMB_OK;
}

/* A read that is waited for. */
struct reading {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over;
    enum comb_status status;
    const struct comb_tree_details *details;
    struct comb_error err;
};

static void on_details(void *data, enum comb_status status, const struct comb_tree_details *details,
                       const struct comb_error *err)
{
    struct reading *reading = data;
    pthread_mutex_lock(&reading->lock);
    reading->status = status;
    reading->details = details;
    if (status != COMB_OK && err)
        reading->err = *err;
    reading->is_over = true;
    pthread_cond_signal(&reading->over);
    pthread_mutex_unlock(&reading->lock);
}

enum comb_status comb_search_read_nodes(struct comb_tree_store *tree, struct comb_ctx *ctx,
                                        const struct comb_uuid *ids, size_t n,
                                        const struct comb_tree_details **ret_details,
                                        struct comb_error *err)
{
    struct reading reading = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER};
    tree->driver->details(tree, ctx, ids, n, false, on_details, &reading);
    /* The store keeps ctx's deadline. */
    pthread_mutex_lock(&reading.lock);
    while (!reading.is_over)
        pthread_cond_wait(&reading.over, &reading.lock);
    pthread_mutex_unlock(&reading.lock);
    if (reading.status == COMB_OK)
        *ret_details = reading.details;
    else if (err)
        *err = reading.err;
    return reading.status;
}
