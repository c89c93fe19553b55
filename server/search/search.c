/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of hits. */
#include "server/search/search.h"

#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"
#include "server/search/internal.h"
#include "server/tree/tree_message.h"

/* Hits of one step of search_each. */
#define EACH_STEP 500

enum comb_status comb_search_new(const struct comb_search_parts *parts,
                                 struct comb_search **ret_search, struct comb_error *err)
{
    struct comb_search *search = comb_memory_zalloc(sizeof *search);
    if (!search)
        return comb_error_no_memory(err);
    search->parts = *parts;
    *ret_search = search;
    return COMB_OK;
}

void comb_search_free(struct comb_search *search)
{
    comb_memory_free(search);
}

/* ---- where a page goes on: rank and reach, and the id below which ---- */

#define STATE_SIZE (1 + sizeof((struct comb_uuid *)0)->bytes)
/* Of the first byte: the rank is below. */
#define REACH_SHIFT 4

static enum comb_status pack_state(struct comb_ctx *ctx, const struct comb_search_at *at,
                                   comb_str *ret_state, struct comb_error *err)
{
    char *state = grpcc_arena_alloc(ctx->arena, STATE_SIZE);
    if (!state)
        return comb_error_no_memory(err);
    state[0] = (char)(at->rank | (unsigned)at->reach << REACH_SHIFT);
    memcpy(state + 1, at->id.bytes, sizeof at->id.bytes);
    *ret_state = comb_str_of(state, at->has_id ? STATE_SIZE : 1);
    return COMB_OK;
}

static enum comb_status open_state(comb_str state, struct comb_search_at *ret_at,
                                   struct comb_error *err)
{
    *ret_at = (struct comb_search_at){0};
    if (state.len == 0)
        return COMB_OK;
    if (state.len != 1 && state.len != STATE_SIZE)
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT,
                                      COMB_V1_ERROR_REASON_PAGE_TOKEN_INVALID, "page_token",
                                      "the page token is of another query");
    ret_at->rank = (unsigned char)state.ptr[0] & ((1u << REACH_SHIFT) - 1);
    ret_at->reach = (enum comb_search_reach)((unsigned char)state.ptr[0] >> REACH_SHIFT);
    ret_at->has_id = state.len == STATE_SIZE;
    if (ret_at->has_id)
        memcpy(ret_at->id.bytes, state.ptr + 1, sizeof ret_at->id.bytes);
    return COMB_OK;
}

/* ---- what goes out of a hit ---- */

struct page {
    struct comb_ctx *ctx;
    const struct comb_search_condition *query;
    const comb_str *texts;                      /* NULL: no highlights */
    const struct comb_search_content *contents; /* NULL: nothing of how far they were read */
    struct comb_v1_search_query_response *response;
};

static enum comb_status add_highlight(struct page *page, struct comb_v1_search_hit *hit,
                                      enum comb_search_field field, comb_str text,
                                      struct comb_error *err)
{
    struct comb_v1_search_highlight *highlight = NULL;
    enum comb_status status = search_highlight(page->ctx->arena, page->query, field, text,
                                               field == COMB_SEARCH_NAME, &highlight, err);
    if (status == COMB_OK && highlight &&
        !comb_v1_search_hit_add_highlights(page->ctx->arena, hit, highlight))
        return comb_error_no_memory(err);
    return status;
}

/* The node as it is now. What is gone, or may no longer be read, since the index was asked, is left
 * out. */
static enum comb_status add_hit(void *data, size_t i, int rights,
                                const struct comb_fact_chain *chain, struct comb_error *err)
{
    struct page *page = data;
    struct grpcc_arena *arena = page->ctx->arena;
    struct comb_tree_extra extra = {0};
    if ((rights & COMB_V1_RIGHTS_READ) == 0)
        return COMB_OK;
    struct comb_v1_search_hit *hit = comb_v1_search_hit_new(arena);
    if (!hit || !comb_v1_search_query_response_add_hits(arena, page->response, hit))
        return comb_error_no_memory(err);
    enum comb_status status = comb_access_path(page->ctx, chain, &extra.path, err);
    /* A root is called as its workspace. */
    if (status == COMB_OK && chain->n_links == 1)
        extra.title = strrchr(extra.path, '/') + 1;
    if (status == COMB_OK)
        status = comb_tree_node_message(arena, chain->links[0].node, &extra, &hit->node, err);
    if (status == COMB_OK && page->contents)
        status = search_reading_show(arena, chain->links[0].node, &page->contents[i], hit, err);
    if (status == COMB_OK && page->texts)
        status = add_highlight(page, hit, COMB_SEARCH_NAME, comb_str_from(hit->node->name), err);
    if (status == COMB_OK && page->texts && page->texts[i].len > 0)
        status = add_highlight(page, hit, COMB_SEARCH_CONTENT, page->texts[i], err);
    return status;
}

static enum comb_status add_hits(struct comb_search *search, struct page *page,
                                 const struct comb_search_hit *hits, size_t n, unsigned show,
                                 struct comb_error *err)
{
    struct comb_search_store *store = search->parts.store;
    struct comb_uuid *ids = grpcc_arena_calloc(page->ctx->arena, n ? n : 1, sizeof *ids);
    enum comb_status status = COMB_OK;
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = hits[i].candidate.id;
    if ((show & COMB_SEARCH_SHOW_HIGHLIGHTS) && n > 0)
        status = store->driver->texts(store, page->ctx, ids, n, COMB_SEARCH_HIGHLIGHT_TEXT_MAX,
                                      &page->texts, err);
    if (status == COMB_OK && (show & COMB_SEARCH_SHOW_READING) && n > 0)
        status = store->driver->contents(store, page->ctx, ids, n, &page->contents, err);
    if (status == COMB_OK)
        status =
            comb_access_rights_each(search->parts.access, page->ctx, ids, n, add_hit, page, err);
    return status;
}

enum comb_status comb_search_query(struct comb_search *search, struct comb_ctx *ctx,
                                   const struct comb_search_question *question, size_t size,
                                   unsigned show, comb_str state,
                                   struct comb_v1_search_query_response *response,
                                   comb_str *ret_state, struct comb_error *err)
{
    struct search_reach reach = {.keeper = ctx};
    struct search_rights rights = {.search = search, .reach = &reach};
    const struct comb_search_judge judge = search_rights_judge(&rights);
    struct comb_search_condition *query = NULL;
    const struct comb_search_hit *hits;
    struct comb_search_at at;
    size_t n = 0;
    bool more = false;
    enum comb_status status = open_state(state, &at, err);
    if (status == COMB_OK)
        status = search_question_read(search, ctx, question, &query, err);
    rights.query = query;
    const struct comb_search_walk walk = {.store = search->parts.store,
                                          .query = query,
                                          .judge = &judge,
                                          .max = size,
                                          .patience = search->parts.patience};
    if (status == COMB_OK)
        status = comb_search_walk(&walk, ctx, &at, &hits, &n, &more, err);
    struct page page = {.ctx = ctx, .query = query, .response = response};
    if (status == COMB_OK)
        status = add_hits(search, &page, hits, n, show, err);
    *ret_state = STR("");
    if (status == COMB_OK && more)
        status = pack_state(ctx, &at, ret_state, err);
    return status;
}

/* ---- all hits ---- */

static enum comb_status step(struct comb_search *search, struct comb_ctx *ctx,
                             const struct comb_search_condition *query, struct search_reach *reach,
                             struct comb_search_at *at, search_take take, void *data,
                             bool *ret_more, struct comb_error *err)
{
    struct search_rights rights = {.search = search, .query = query, .reach = reach};
    const struct comb_search_judge judge = search_rights_judge(&rights);
    const struct comb_search_walk walk = {.store = search->parts.store,
                                          .query = query,
                                          .judge = &judge,
                                          .max = EACH_STEP,
                                          .examined_max = EACH_STEP,
                                          .patience = search->parts.patience};
    const struct comb_search_hit *hits;
    size_t n = 0, i = 0;
    rights.owners = grpcc_arena_calloc(ctx->arena, EACH_STEP, sizeof *rights.owners);
    if (!rights.owners)
        return comb_error_no_memory(err);
    enum comb_status status = comb_search_walk(&walk, ctx, at, &hits, &n, ret_more, err);
    while (status == COMB_OK && i < n && take(data, &hits[i].candidate, &rights.owners[i]))
        i++;
    if (status == COMB_OK && i < n)
        status = COMB_OUT_OF_RANGE;
    return status;
}

enum comb_status search_each(struct comb_search *search, struct comb_ctx *ctx,
                             const struct comb_search_condition *query, size_t examined_max,
                             search_take take, void *data, bool *ret_complete,
                             struct comb_error *err)
{
    struct comb_ctx own = *ctx;
    struct comb_search_at at = {0};
    struct search_reach reach = {.keeper = ctx};
    enum comb_status status = COMB_OK;
    bool more = true;
    own.arena = grpcc_arena_new(0);
    if (!own.arena)
        return comb_error_no_memory(err);
    /* A walk looks at COMB_SEARCH_EXAMINED_MAX candidates at most; several make the bound. */
    for (size_t examined = 0; status == COMB_OK && more && examined < examined_max;
         examined += EACH_STEP) {
        grpcc_arena_reset(own.arena);
        status = step(search, &own, query, &reach, &at, take, data, &more, err);
    }
    grpcc_arena_free(own.arena);
    comb_ctx_reach(ctx, own.reached);
    bool is_enough = status == COMB_OUT_OF_RANGE;
    *ret_complete = !more && !is_enough;
    return is_enough ? COMB_OK : status;
}
