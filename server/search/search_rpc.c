/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/search_rpc.h"

#include "comb/v1/options.grpcc.h"

/* 0: the default; else 1 to max. */
static enum comb_status read_size(int32_t asked, size_t otherwise, size_t max, size_t *ret_size,
                                  struct comb_error *err)
{
    if (asked < 0 || (size_t)asked > max)
        return comb_error_field(err, "page_size", "is 1 to %zu, or 0 for %zu", max, otherwise);
    *ret_size = asked ? (size_t)asked : otherwise;
    return COMB_OK;
}

/* Whoever has logged in may ask: hits are decided one by one. */
static void authorise(struct comb_ctx *ctx)
{
    ctx->authorised |= 1u << COMB_V1_NEED_LOGIN;
}

/* All of the request that must stay the same from page to page. */
static enum comb_status query_identity(struct grpcc_arena *arena,
                                       const struct comb_v1_search_query_request *request,
                                       comb_str *ret_identity, struct comb_error *err)
{
    struct comb_v1_search_query_request *same = comb_v1_search_query_request_dup(arena, request);
    size_t size = 0;
    if (!same)
        return comb_error_no_memory(err);
    comb_v1_search_query_request_set_page_token(same, "");
    same->page_size = 0;
    same->highlight = same->reading = false;
    void *packed = comb_v1_search_query_request_pack(arena, same, &size);
    *ret_identity = comb_str_of(packed, size);
    return packed ? COMB_OK : comb_error_no_memory(err);
}

static unsigned shown(const struct comb_v1_search_query_request *request)
{
    return (request->highlight ? COMB_SEARCH_SHOW_HIGHLIGHTS : 0) |
           (request->reading ? COMB_SEARCH_SHOW_READING : 0);
}

static void rpc_query(void *self, struct grpcc_call *call,
                      const struct comb_v1_search_query_request *request)
{
    const struct comb_search_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_search_query_response *response = comb_v1_search_query_response_new(ctx->arena);
    const struct comb_search_question question = {comb_str_from(request->query), request->condition,
                                                  request->in};
    comb_str identity, state, next = STR("");
    struct comb_error err = {0};
    char *token = NULL;
    size_t size = 0;
    enum comb_status status = response ? read_size(request->page_size, COMB_SEARCH_PAGE_DEFAULT,
                                                   COMB_SEARCH_PAGE_MAX, &size, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = query_identity(ctx->arena, request, &identity, &err);
    if (status == COMB_OK)
        status =
            comb_page_token_open(rpc->sealer, ctx, identity, request->page_token, &state, &err);
    if (status == COMB_OK)
        status = comb_search_query(rpc->search, ctx, &question, size, shown(request), state,
                                   response, &next, &err);
    if (status == COMB_OK && next.len > 0)
        status = comb_page_token_seal(rpc->sealer, ctx, identity, next, &token, &err);
    if (status == COMB_OK) {
        authorise(ctx);
        if (token)
            comb_v1_search_query_response_set_next_page_token(response, token);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_facets(void *self, struct grpcc_call *call,
                       const struct comb_v1_search_facets_request *request)
{
    const struct comb_search_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_search_facets_response *response =
        comb_v1_search_facets_response_new(ctx->arena);
    const struct comb_search_question question = {comb_str_from(request->query), request->condition,
                                                  request->in};
    struct comb_error err = {0};
    enum comb_status status = response
                                  ? comb_search_facets(rpc->search, ctx, &question, response, &err)
                                  : comb_error_no_memory(&err);
    if (status == COMB_OK)
        authorise(ctx);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_suggest(void *self, struct grpcc_call *call,
                        const struct comb_v1_search_suggest_request *request)
{
    const struct comb_search_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_search_suggest_response *response =
        comb_v1_search_suggest_response_new(ctx->arena);
    struct comb_error err = {0};
    size_t max = 0;
    enum comb_status status = response
                                  ? read_size(request->page_size, COMB_SEARCH_SUGGESTIONS_DEFAULT,
                                              COMB_SEARCH_SUGGESTIONS_MAX, &max, &err)
                                  : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_search_suggest(rpc->search, ctx, comb_str_from(request->query), max, response,
                                     &err);
    if (status == COMB_OK)
        authorise(ctx);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_reindex(void *self, struct grpcc_call *call,
                        const struct comb_v1_search_reindex_request *request)
{
    const struct comb_search_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_search_reindex_response *response =
        comb_v1_search_reindex_response_new(ctx->arena);
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = rpc->reindex(rpc->data, ctx, &key, &response->operation, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_search_server METHODS = {
    .query = rpc_query,
    .facets = rpc_facets,
    .suggest = rpc_suggest,
    .reindex = rpc_reindex,
};

enum comb_status comb_search_rpc_register(struct grpcc_server *server, struct comb_search_rpc *rpc,
                                          struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_search_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Search: %.200s", failure.message);
}
