/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/tree_rpc.h"

#include "server/tree/watch_rpc.h"

/* ---- Stat, BatchStat: finished by the store's thread where it has to be asked ---- */

struct stat_call {
    struct grpcc_call *call;
    struct comb_tree_view view;
};

static void stat_done(void *data, enum comb_status status, const struct comb_error *why)
{
    struct stat_call *stat = data;
    struct grpcc_arena *arena = grpcc_call_arena(stat->call);
    struct comb_v1_tree_stat_response *response = comb_v1_tree_stat_response_new(arena);
    struct comb_error err = {0};

    if (status != COMB_OK)
        err = *why;
    else if (!response)
        status = comb_error_no_memory(&err);
    else
        status = comb_tree_node_message(arena, &stat->view.node, &stat->view.extra, &response->node,
                                        &err);
    comb_rpc_finish(stat->call, status, response ? &response->base : NULL, &err);
}

static void rpc_stat(void *self, struct grpcc_call *call,
                     const struct comb_v1_tree_stat_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct stat_call *stat = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof *stat);
    struct comb_error err = {0};
    uint32_t with = 0;
    enum comb_status status =
        stat ? comb_tree_with_of(request->read_mask, &with, &err) : comb_error_no_memory(&err);

    if (status != COMB_OK) {
        comb_rpc_fail(call, &err);
        return;
    }
    stat->call = call;
    comb_tree_stat_start(rpc->tree, comb_rpc_ctx(call), request->node, with, &stat->view, stat_done,
                         stat);
}

struct batch_call {
    struct grpcc_call *call;
    struct comb_tree_result *results;
    size_t n;
};

static struct comb_v1_tree_batch_stat_result *batch_result(struct grpcc_arena *arena,
                                                           const struct comb_tree_result *result)
{
    struct comb_v1_tree_batch_stat_result *message = comb_v1_tree_batch_stat_result_new(arena);
    struct google_rpc_status *failure;
    struct comb_v1_node *node;

    if (!message)
        return NULL;
    if (result->status == COMB_OK) {
        if (comb_tree_node_message(arena, &result->view.node, &result->view.extra, &node, NULL) !=
            COMB_OK)
            return NULL;
        comb_v1_tree_batch_stat_result_set_node(message, node);
        return message;
    }
    failure = comb_rpc_status(arena, &result->err);
    if (!failure)
        return NULL;
    comb_v1_tree_batch_stat_result_set_error(message, failure);
    return message;
}

static void batch_done(void *data, enum comb_status status, const struct comb_error *why)
{
    struct batch_call *batch = data;
    struct grpcc_arena *arena = grpcc_call_arena(batch->call);
    struct comb_v1_tree_batch_stat_response *response = comb_v1_tree_batch_stat_response_new(arena);
    struct comb_error err = {0};

    if (status != COMB_OK)
        err = *why;
    else if (!response)
        status = comb_error_no_memory(&err);
    for (size_t i = 0; i < batch->n && status == COMB_OK; i++) {
        struct comb_v1_tree_batch_stat_result *result = batch_result(arena, &batch->results[i]);

        if (!result || !comb_v1_tree_batch_stat_response_add_results(arena, response, result))
            status = comb_error_no_memory(&err);
    }
    /* Each node has been decided on; that none may be read is an answer too. */
    if (status == COMB_OK)
        comb_rpc_ctx(batch->call)->authorised |= 1u << COMB_V1_NEED_READ;
    comb_rpc_finish(batch->call, status, response ? &response->base : NULL, &err);
}

static void rpc_batch_stat(void *self, struct grpcc_call *call,
                           const struct comb_v1_tree_batch_stat_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct batch_call *batch = grpcc_arena_zalloc(arena, sizeof *batch);
    struct comb_error err = {0};
    uint32_t with = 0;
    enum comb_status status = comb_tree_with_of(request->read_mask, &with, &err);

    if (status == COMB_OK && batch)
        batch->results = grpcc_arena_calloc(arena, request->n_nodes, sizeof *batch->results);
    if (status == COMB_OK && (!batch || !batch->results))
        status = comb_error_no_memory(&err);
    if (status != COMB_OK) {
        comb_rpc_fail(call, &err);
        return;
    }
    batch->call = call;
    batch->n = request->n_nodes;
    comb_tree_stat_many_start(rpc->tree, comb_rpc_ctx(call), request->nodes, request->n_nodes, with,
                              batch->results, batch_done, batch);
}

/* ---- List ---- */

/* All of the request that must stay the same from page to page. */
static enum comb_status list_identity(struct grpcc_arena *arena,
                                      const struct comb_v1_tree_list_request *request,
                                      comb_str *ret_identity, struct comb_error *err)
{
    struct comb_v1_tree_list_request *same = comb_v1_tree_list_request_dup(arena, request);
    size_t size = 0;
    void *packed;

    if (!same)
        return comb_error_no_memory(err);
    comb_v1_tree_list_request_set_page_token(same, "");
    same->page_size = 0;
    packed = comb_v1_tree_list_request_pack(arena, same, &size);
    if (!packed)
        return comb_error_no_memory(err);
    *ret_identity = comb_str_of(packed, size);
    return COMB_OK;
}

static enum comb_status list_response(struct grpcc_arena *arena, const struct comb_tree_page *page,
                                      struct comb_v1_tree_list_response *response,
                                      struct comb_error *err)
{
    for (size_t i = 0; i < page->n_views; i++) {
        const struct comb_tree_view *view = &page->views[i];
        struct comb_v1_node *node;
        enum comb_status status =
            comb_tree_node_message(arena, &view->node, &view->extra, &node, err);

        if (status != COMB_OK)
            return status;
        if (!comb_v1_tree_list_response_add_nodes(arena, response, node))
            return comb_error_no_memory(err);
    }
    return COMB_OK;
}

static void rpc_list(void *self, struct grpcc_call *call,
                     const struct comb_v1_tree_list_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_tree_list_response *response = comb_v1_tree_list_response_new(arena);
    struct comb_tree_list_query query = {
        .folder = request->folder, .filter = request->filter, .order = request->order_by};
    struct comb_tree_page page;
    struct comb_error err = {0};
    comb_str identity;
    char *token = NULL;
    enum comb_status status = comb_rpc_page_size(request->page_size, &query.size, &err);

    if (status == COMB_OK)
        status = comb_tree_with_of(request->read_mask, &query.with, &err);
    if (status == COMB_OK)
        status = list_identity(arena, request, &identity, &err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, identity, request->page_token, &query.state,
                                      &err);
    if (status == COMB_OK)
        status = comb_tree_list(rpc->tree, ctx, &query, &page, &err);
    if (status == COMB_OK && page.state.len > 0)
        status = comb_page_token_seal(rpc->sealer, ctx, identity, page.state, &token, &err);
    if (status == COMB_OK && !response)
        status = comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = list_response(arena, &page, response, &err);
    if (status == COMB_OK && token)
        comb_v1_tree_list_response_set_next_page_token(response, token);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- mutations ---- */

/* Ends a mutation whose response is made, node in *slot. absent: the answer has no node. */
static void finish_changed(struct grpcc_call *call, enum comb_status status,
                           const struct comb_tree_changed *changed, ProtobufCMessage *response,
                           struct comb_v1_node **slot, struct comb_error *err)
{
    if (status == COMB_OK && !response)
        status = comb_error_no_memory(err);
    if (status == COMB_OK && slot)
        status = comb_tree_node_message(grpcc_call_arena(call), &changed->view.node,
                                        &changed->view.extra, slot, err);
    comb_rpc_finish(call, status, response, err);
}

static void rpc_create_folder(void *self, struct grpcc_call *call,
                              const struct comb_v1_tree_create_folder_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_create_folder_response *response =
        comb_v1_tree_create_folder_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_changed changed = {.created = false};
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status =
            comb_tree_create_folder(rpc->tree, comb_rpc_ctx(call), &key, request, &changed, &err);
    if (response)
        response->created = changed.created;
    finish_changed(call, status, &changed, response ? &response->base : NULL,
                   response ? &response->node : NULL, &err);
}

static void rpc_move(void *self, struct grpcc_call *call,
                     const struct comb_v1_tree_move_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_move_response *response =
        comb_v1_tree_move_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_changed changed;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_move(rpc->tree, comb_rpc_ctx(call), &key, request, &changed, &err);
    finish_changed(call, status, &changed, response ? &response->base : NULL,
                   response ? &response->node : NULL, &err);
}

static void rpc_delete(void *self, struct grpcc_call *call,
                       const struct comb_v1_tree_delete_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_delete_response *response =
        comb_v1_tree_delete_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_changed changed;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_delete(rpc->tree, comb_rpc_ctx(call), &key, request, &changed, &err);
    finish_changed(call, status, &changed, response ? &response->base : NULL,
                   response && !request->permanently ? &response->node : NULL, &err);
}

static void rpc_restore(void *self, struct grpcc_call *call,
                        const struct comb_v1_tree_restore_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_restore_response *response =
        comb_v1_tree_restore_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_changed changed;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_restore(rpc->tree, comb_rpc_ctx(call), &key, request, &changed, &err);
    finish_changed(call, status, &changed, response ? &response->base : NULL,
                   response ? &response->node : NULL, &err);
}

static void rpc_set_metadata(void *self, struct grpcc_call *call,
                             const struct comb_v1_tree_set_metadata_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_set_metadata_response *response =
        comb_v1_tree_set_metadata_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_changed changed;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status =
            comb_tree_set_metadata(rpc->tree, comb_rpc_ctx(call), &key, request, &changed, &err);
    finish_changed(call, status, &changed, response ? &response->base : NULL,
                   response ? &response->node : NULL, &err);
}

static void rpc_get_metadata(void *self, struct grpcc_call *call,
                             const struct comb_v1_tree_get_metadata_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_get_metadata_response *response = NULL;
    struct comb_error err = {0};
    enum comb_status status =
        comb_tree_get_metadata(rpc->tree, comb_rpc_ctx(call), request, &response, &err);

    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- locks ---- */

/* Ends a call that answers with a lock. */
static void finish_lock(struct grpcc_call *call, enum comb_status status,
                        const struct comb_tree_lock *lock, ProtobufCMessage *response,
                        struct comb_v1_lock **slot, struct comb_error *err)
{
    if (status == COMB_OK && !response)
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status = comb_tree_lock_message(grpcc_call_arena(call), lock, slot, err);
    comb_rpc_finish(call, status, response, err);
}

static void rpc_lock(void *self, struct grpcc_call *call,
                     const struct comb_v1_tree_lock_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_lock_response *response =
        comb_v1_tree_lock_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_lock lock;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_lock(rpc->tree, comb_rpc_ctx(call), &key, request, &lock, &err);
    finish_lock(call, status, &lock, response ? &response->base : NULL,
                response ? &response->lock : NULL, &err);
}

static void rpc_refresh_lock(void *self, struct grpcc_call *call,
                             const struct comb_v1_tree_refresh_lock_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_refresh_lock_response *response =
        comb_v1_tree_refresh_lock_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_tree_lock lock;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_refresh_lock(rpc->tree, comb_rpc_ctx(call), &key, request, &lock, &err);
    finish_lock(call, status, &lock, response ? &response->base : NULL,
                response ? &response->lock : NULL, &err);
}

static void rpc_unlock(void *self, struct grpcc_call *call,
                       const struct comb_v1_tree_unlock_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_unlock_response *response =
        comb_v1_tree_unlock_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_unlock(rpc->tree, comb_rpc_ctx(call), &key, request, &err);
    finish_changed(call, status, NULL, response ? &response->base : NULL, NULL, &err);
}

static void rpc_break_lock(void *self, struct grpcc_call *call,
                           const struct comb_v1_tree_break_lock_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_break_lock_response *response =
        comb_v1_tree_break_lock_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);

    if (status == COMB_OK)
        status = comb_tree_break_lock(rpc->tree, comb_rpc_ctx(call), &key, request, &err);
    finish_changed(call, status, NULL, response ? &response->base : NULL, NULL, &err);
}

/* ---- the feed ---- */

static void rpc_changes(void *self, struct grpcc_call *call,
                        const struct comb_v1_tree_changes_request *request)
{
    const struct comb_tree_rpc *rpc = self;
    struct comb_v1_tree_changes_response *response = NULL;
    struct comb_error err = {0};
    size_t size = 0;
    enum comb_status status = comb_rpc_page_size(request->page_size, &size, &err);

    if (status == COMB_OK)
        status = comb_tree_changes(rpc->tree, comb_rpc_ctx(call), request, size, &response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_watch(void *self, struct grpcc_call *call,
                      const struct comb_v1_tree_watch_request *request)
{
    const struct comb_tree_rpc *rpc = self;

    comb_tree_rpc_watch(rpc->tree, call, request);
}

static const struct comb_v1_tree_server tree_server = {
    .stat = rpc_stat,
    .batch_stat = rpc_batch_stat,
    .list = rpc_list,
    .create_folder = rpc_create_folder,
    .move = rpc_move,
    .delete_ = rpc_delete,
    .restore = rpc_restore,
    .set_metadata = rpc_set_metadata,
    .get_metadata = rpc_get_metadata,
    .lock = rpc_lock,
    .refresh_lock = rpc_refresh_lock,
    .unlock = rpc_unlock,
    .break_lock = rpc_break_lock,
    .changes = rpc_changes,
    .watch = rpc_watch,
};

enum comb_status comb_tree_rpc_register(struct grpcc_server *server,
                                        const struct comb_tree_rpc *parts, struct comb_error *err)
{
    struct grpcc_error grpcc_err;

    if (comb_v1_tree_register(server, &tree_server, (void *)parts, &grpcc_err) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Tree: %s", grpcc_err.message);
}
