/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/indexer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/search/terms.h"
#include "server/search/walk.h"
#include "server/tree/metadata.h"

/* A step of a rebuild goes on with further pages for so long: each step is a write. */
#define STEP_MS 3000
/* Documents that are taken out at once. */
#define TIDY_MAX 500
/* Between two looks for tombstones that are old enough. */
#define PURGE_INTERVAL_MS 60000
/* Texts of one node's metadata: each value may have many. */
#define METAS_MAX 20000

struct comb_search_indexer {
    struct comb_search_store *store;
    struct comb_tree_store *tree;
    int64_t purge_ns; /* CLOCK_MONOTONIC: when the next look is due; the consumer's thread's */
};

/* ---- documents ---- */

static size_t texts_of(const struct comb_v1_metadata *piece, struct comb_search_meta *metas)
{
    const struct comb_v1_metadata_value *value = piece->value;
    struct comb_search_meta meta = {.space = comb_str_from(piece->namespace_),
                                    .name = comb_str_from(piece->name)};
    if (!value)
        return 0;
    if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_TEXT) {
        if (metas) {
            meta.value = comb_str_from(value->text);
            metas[0] = meta;
        }
        return 1;
    }
    if (value->value_case != COMB_V1_METADATA_VALUE_VALUE_TEXTS || !value->texts)
        return 0;
    for (size_t i = 0; metas && i < value->texts->n_texts; i++) {
        meta.value = comb_str_from(value->texts->texts[i]);
        metas[i] = meta;
    }
    return value->texts->n_texts;
}

/* Numbers, times and flags are no words. */
static enum comb_status add_metadata(struct comb_ctx *ctx, comb_str stored,
                                     struct comb_search_document *document, struct comb_error *err)
{
    struct comb_v1_tree_get_metadata_response *response;
    size_t n = 0, at = 0;
    if (stored.len == 0)
        return COMB_OK;
    enum comb_status status = comb_tree_metadata_unpack(ctx->arena, stored, &response, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < response->n_metadata; i++)
        n += texts_of(response->metadata[i], NULL);
    if (n == 0 || n > METAS_MAX)
        return COMB_OK;
    struct comb_search_meta *metas = grpcc_arena_calloc(ctx->arena, n, sizeof *metas);
    if (!metas)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < response->n_metadata; i++)
        at += texts_of(response->metadata[i], metas + at);
    return comb_search_meta_terms(ctx->arena, metas, n, &document->meta_terms,
                                  &document->keyed_terms, err);
}

static comb_str lower(struct grpcc_arena *arena, comb_str text)
{
    char *copy = grpcc_arena_memdup(arena, text.len > 0 ? text.ptr : "", text.len);
    for (size_t i = 0; copy && i < text.len; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    return comb_str_of(copy, copy ? text.len : 0);
}

static enum comb_status make_document(struct comb_ctx *ctx, uint64_t epoch,
                                      const struct comb_tree_details *details,
                                      struct comb_search_document *ret_document,
                                      struct comb_error *err)
{
    const struct comb_node *node = &details->node;
    struct comb_search_document document = {
        .id = node->id,
        .version = {epoch, node->revision},
        .parent = node->parent,
        .is_folder = node->kind == COMB_V1_NODE_KIND_FOLDER,
        .size = (int64_t)node->size,
        .modified_us = node->update_us,
        /* In a bin a node is called by its id. */
        .name = comb_uuid_is_nil(&node->trash_parent) ? node->name : node->trash_name,
        .media = lower(ctx->arena, node->media_type),
        .meta_terms = STR(""),
        .keyed_terms = STR(""),
    };
    enum comb_status status =
        comb_search_terms(ctx->arena, document.name, &document.name_terms, err);
    if (status == COMB_OK)
        status = add_metadata(ctx, details->meta, &document, err);
    if (status == COMB_OK)
        *ret_document = document;
    return status;
}

/* ---- writing ---- */

/* What becomes of some nodes. */
struct load {
    struct comb_search_document *documents;
    struct comb_search_removal *removals;
    size_t n_documents, n_removals;
};

static enum comb_status make_load(struct comb_ctx *ctx, uint64_t epoch, const struct comb_uuid *ids,
                                  const struct comb_tree_details *details, size_t n,
                                  struct load *ret_load, struct comb_error *err)
{
    struct load load = {grpcc_arena_calloc(ctx->arena, n, sizeof *load.documents),
                        grpcc_arena_calloc(ctx->arena, n, sizeof *load.removals), 0, 0};
    if (!load.documents || !load.removals)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct comb_node *node = &details[i].node;
        if (!details[i].found || comb_uuid_equal(&node->parent, &comb_node_purge)) {
            /* It never comes back. */
            load.removals[load.n_removals++] = (struct comb_search_removal){
                .id = ids ? ids[i] : node->id,
                .version = {epoch, COMB_SEARCH_REVISION_GONE},
                .is_folder = !details[i].found || node->kind == COMB_V1_NODE_KIND_FOLDER};
        } else if (comb_search_is_indexed(node)) {
            enum comb_status status =
                make_document(ctx, epoch, &details[i], &load.documents[load.n_documents++], err);
            if (status != COMB_OK)
                return status;
        }
    }
    *ret_load = load;
    return COMB_OK;
}

static enum comb_status write_load(struct comb_search_indexer *indexer, struct comb_ctx *ctx,
                                   const struct comb_consumer_run *run, const struct load *load,
                                   struct comb_error *err)
{
    struct comb_search_store *store = indexer->store;
    enum comb_status status = COMB_OK;
    for (size_t at = 0, n; at < load->n_documents && status == COMB_OK; at += n) {
        n = load->n_documents - at < COMB_SEARCH_PUT_MAX ? load->n_documents - at
                                                         : COMB_SEARCH_PUT_MAX;
        status = comb_consumer_may_go_on(run)
                     ? store->driver->put(store, ctx, load->documents + at, n, err)
                     : comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
    }
    for (size_t at = 0, n; at < load->n_removals && status == COMB_OK; at += n) {
        n = load->n_removals - at < COMB_SEARCH_PUT_MAX ? load->n_removals - at
                                                        : COMB_SEARCH_PUT_MAX;
        status = comb_consumer_may_go_on(run)
                     ? store->driver->remove(store, ctx, load->removals + at, n, err)
                     : comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
    }
    return status;
}

/* ---- the feed ---- */

static enum comb_status apply(void *data, struct comb_ctx *ctx, struct comb_consumer_batch *batch,
                              struct comb_error *err)
{
    struct comb_search_indexer *indexer = data;
    const struct comb_tree_details *details;
    const struct comb_uuid *ids;
    struct load load;
    size_t n = 0;
    enum comb_status status =
        comb_search_nodes_of(ctx->arena, batch->records, batch->n, &ids, &n, err);
    if (status != COMB_OK || n == 0)
        return status;
    status = comb_search_read_nodes(indexer->tree, ctx, ids, n, &details, err);
    if (status == COMB_OK)
        status = make_load(ctx, batch->epoch, ids, details, n, &load, err);
    return status == COMB_OK ? write_load(indexer, ctx, batch->run, &load, err) : status;
}

static enum comb_status tend(void *data, struct comb_ctx *ctx, const struct comb_consumer_run *run,
                             bool *ret_more, struct comb_error *err)
{
    struct comb_search_indexer *indexer = data;
    struct comb_search_store *store = indexer->store;
    size_t n = 0;
    (void)run;
    enum comb_status status = store->driver->prune(store, ctx, TIDY_MAX, &n, err);
    if (status == COMB_OK && n == 0 && comb_clock_monotonic_ns() >= indexer->purge_ns) {
        status = store->driver->purge(store, ctx, COMB_SEARCH_TOMBSTONE_US, TIDY_MAX, &n, err);
        if (status == COMB_OK && n == 0)
            indexer->purge_ns = comb_clock_in_ms(PURGE_INTERVAL_MS);
    }
    *ret_more = n > 0;
    return status;
}

/* ---- anew ---- */

static enum comb_status walk(struct comb_search_indexer *indexer, struct comb_ctx *ctx,
                             const struct comb_consumer_rebuild *step,
                             struct comb_search_progress *progress, struct comb_error *err)
{
    const struct comb_tree_details *details;
    struct load load;
    size_t n = 0;
    enum comb_status status = indexer->tree->driver->walk(indexer->tree, ctx, &progress->last,
                                                          COMB_SEARCH_WALK_MAX, &details, &n, err);
    if (status == COMB_OK)
        status = make_load(ctx, step->epoch, NULL, details, n, &load, err);
    if (status == COMB_OK)
        status = write_load(indexer, ctx, step->run, &load, err);
    if (status != COMB_OK)
        return status;
    progress->nodes += n;
    if (n > 0)
        progress->last = details[n - 1].node.id;
    else
        progress->phase = COMB_SEARCH_SWEEPING;
    return COMB_OK;
}

/* One piece of the phase that it is in. *ret_last: there is nothing left to do. */
static enum comb_status do_piece(struct comb_search_indexer *indexer, struct comb_ctx *ctx,
                                 const struct comb_consumer_rebuild *step,
                                 struct comb_search_progress *progress, bool *ret_last,
                                 struct comb_error *err)
{
    struct comb_search_store *store = indexer->store;
    enum comb_status status = COMB_OK;
    size_t n = 0;
    if (!comb_consumer_may_go_on(step->run))
        return comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
    switch (progress->phase) {
    case COMB_SEARCH_WALKING:
        return walk(indexer, ctx, step, progress, err);
    case COMB_SEARCH_SWEEPING:
        status = store->driver->sweep(store, ctx, step->epoch, TIDY_MAX, &n, err);
        if (status == COMB_OK && n == 0)
            progress->phase = COMB_SEARCH_PRUNING;
        return status;
    case COMB_SEARCH_PRUNING:
        /* Not sooner: what lies below a folder that is on its way out has been met, too. */
        status = store->driver->prune(store, ctx, TIDY_MAX, &n, err);
        *ret_last = status == COMB_OK && n == 0;
        return status;
    }
    return status;
}

static enum comb_status rebuild(void *data, struct comb_ctx *ctx,
                                struct comb_consumer_rebuild *step, struct comb_error *err)
{
    struct comb_search_indexer *indexer = data;
    struct comb_search_progress progress;
    int64_t until_ns = comb_clock_in_ms(STEP_MS);
    bool is_last = false;
    struct grpcc_arena *callers = ctx->arena, *arena = grpcc_arena_new(0);
    enum comb_status status = comb_search_progress_read(step->state, &progress, err);
    if (!arena)
        return comb_error_no_memory(err);
    ctx->arena = arena;
    do {
        if (status == COMB_OK)
            status = do_piece(indexer, ctx, step, &progress, &is_last, err);
        grpcc_arena_reset(arena);
    } while (status == COMB_OK && !is_last && comb_clock_monotonic_ns() < until_ns);
    ctx->arena = callers;
    grpcc_arena_free(arena);
    if (status != COMB_OK)
        return status;
    step->is_last = is_last;
    step->next_state = comb_search_progress_write(ctx->arena, &progress);
    return step->next_state.ptr ? COMB_OK : comb_error_no_memory(err);
}

/* ---- itself ---- */

enum comb_status comb_search_indexer_new(struct comb_search_store *store,
                                         struct comb_tree_store *tree,
                                         struct comb_search_indexer **ret_indexer,
                                         struct comb_error *err)
{
    struct comb_search_indexer *indexer = comb_memory_zalloc(sizeof *indexer);
    if (!indexer)
        return comb_error_no_memory(err);
    indexer->store = store;
    indexer->tree = tree;
    *ret_indexer = indexer;
    return COMB_OK;
}

void comb_search_indexer_free(struct comb_search_indexer *indexer)
{
    comb_memory_free(indexer);
}

void comb_search_indexer_consumer(struct comb_search_indexer *indexer,
                                  struct comb_consumer *ret_consumer)
{
    *ret_consumer = (struct comb_consumer){.name = COMB_SEARCH_CONSUMER,
                                           .apply = apply,
                                           .rebuild = rebuild,
                                           .tend = tend,
                                           .data = indexer};
}
