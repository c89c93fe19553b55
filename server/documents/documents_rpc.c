/* SPDX-License-Identifier: Apache-2.0 */
#include "server/documents/documents_rpc.h"

#include "comb/v1/document.grpcc.h"
#include "grpcc/wkt.h"
#include "server/core/timestamp.h"

/* ---- conversions ---- */

/* Text of the message; the caller where it is empty. */
static enum comb_status read_owner(const struct comb_ctx *ctx, const char *text,
                                   struct comb_uuid *ret_owner, struct comb_error *err)
{
    if (!text[0])
        *ret_owner = ctx->principal->user;
    else if (!comb_uuid_parse(comb_str_from(text), ret_owner))
        return comb_error_field(err, "owner", "is the UUID of a user, or empty");
    return COMB_OK;
}

/* NULL: no room. */
static struct comb_v1_document *to_message(struct grpcc_arena *arena,
                                           const struct comb_document *document)
{
    struct comb_v1_document *message = comb_v1_document_new(arena);
    char *owner = grpcc_arena_alloc(arena, COMB_UUID_TEXT_LENGTH + 1);
    char *id = comb_str_dup(arena, document->id), *body = comb_str_dup(arena, document->body);
    if (!message || !owner || !id || !body)
        return NULL;
    comb_uuid_format(&document->owner, owner);
    message->owner = owner;
    message->id = id;
    message->body = body;
    message->revision = document->revision;
    message->create_time = comb_timestamp_new(arena, document->create_us);
    message->update_time = comb_timestamp_new(arena, document->update_us);
    message->expire_time =
        document->expire_us ? comb_timestamp_new(arena, document->expire_us) : NULL;
    return message->create_time && message->update_time ? message : NULL;
}

static bool add_index(struct grpcc_arena *arena, struct comb_v1_document_store *to,
                      const struct comb_document_index *index)
{
    struct comb_v1_document_index *message = comb_v1_document_index_new(arena);
    char *name = comb_str_dup(arena, index->name);
    if (!message || !name || !comb_v1_document_store_add_indexes(arena, to, message))
        return false;
    message->name = name;
    message->by_owner = index->by_owner;
    for (size_t i = 0; i < index->n_paths; i++) {
        char *path = comb_str_dup(arena, index->paths[i]);
        if (!path || !comb_v1_document_index_add_paths(arena, message, path))
            return false;
    }
    return true;
}

/* NULL: no room. */
static struct comb_v1_document_store *to_store_message(struct grpcc_arena *arena,
                                                       const struct comb_document_store *store)
{
    struct comb_v1_document_store *message = comb_v1_document_store_new(arena);
    char *name = comb_str_dup(arena, store->name);
    if (!message || !name)
        return NULL;
    message->name = name;
    message->access = (enum comb_v1_document_access)store->access;
    for (size_t i = 0; i < store->n_indexes; i++) {
        if (!add_index(arena, message, &store->indexes[i]))
            return NULL;
    }
    return message;
}

/* ---- documents ---- */

static enum comb_status read_ttl(const struct google_protobuf_duration *ttl, int64_t *ret_ms,
                                 struct comb_error *err)
{
    *ret_ms = 0;
    if (!ttl)
        return COMB_OK;
    if (!grpcc_duration_to_ms(ttl, ret_ms) || *ret_ms < 1)
        return comb_error_field(err, "ttl", "is a millisecond at least");
    return COMB_OK;
}

static void rpc_put(void *self, struct grpcc_call *call,
                    const struct comb_v1_documents_put_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_put_response *response =
        comb_v1_documents_put_response_new(ctx->arena);
    struct comb_document_put put = {
        .store = comb_str_from(request->store),
        .id = comb_str_from(request->id),
        .body = comb_str_from(request->body),
        .expected = request->has_expected_revision ? &request->expected_revision : NULL,
    };
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_owner(ctx, request->owner, &put.owner, &err);
    if (status == COMB_OK)
        status = read_ttl(request->ttl, &put.ttl_ms, &err);
    if (status == COMB_OK)
        status = comb_documents_put(rpc->documents, ctx, &key, &put, &response->revision, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_get(void *self, struct grpcc_call *call,
                    const struct comb_v1_documents_get_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_get_response *response =
        comb_v1_documents_get_response_new(ctx->arena);
    const comb_str id = comb_str_from(request->id);
    struct comb_document document;
    struct comb_error err = {0};
    struct comb_uuid owner;
    enum comb_status status =
        response ? read_owner(ctx, request->owner, &owner, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_documents_get(rpc->documents, ctx, comb_str_from(request->store), &owner, &id,
                                    1, &document, &err);
    if (status == COMB_OK && document.revision == 0)
        status = comb_documents_not_found(&err);
    if (status == COMB_OK) {
        response->document = to_message(ctx->arena, &document);
        status = response->document ? COMB_OK : comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_batch_get(void *self, struct grpcc_call *call,
                          const struct comb_v1_documents_batch_get_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_batch_get_response *response =
        comb_v1_documents_batch_get_response_new(ctx->arena);
    struct comb_document documents[COMB_DOCUMENT_RECORDS_MAX];
    comb_str ids[COMB_DOCUMENT_RECORDS_MAX];
    struct comb_error err = {0};
    struct comb_uuid owner;
    size_t n = request->n_ids;
    enum comb_status status =
        response ? read_owner(ctx, request->owner, &owner, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK && (n < 1 || n > COMB_DOCUMENT_RECORDS_MAX))
        status = comb_error_field(&err, "ids", "are 1 to %d", COMB_DOCUMENT_RECORDS_MAX);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        ids[i] = comb_str_from(request->ids[i]);
    if (status == COMB_OK)
        status = comb_documents_get(rpc->documents, ctx, comb_str_from(request->store), &owner, ids,
                                    n, documents, &err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        if (documents[i].revision == 0)
            continue;
        struct comb_v1_document *message = to_message(ctx->arena, &documents[i]);
        if (!message ||
            !comb_v1_documents_batch_get_response_add_documents(ctx->arena, response, message))
            status = comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_delete(void *self, struct grpcc_call *call,
                       const struct comb_v1_documents_delete_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_delete_response *response =
        comb_v1_documents_delete_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    struct comb_uuid owner;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_owner(ctx, request->owner, &owner, &err);
    if (status == COMB_OK)
        status = comb_documents_delete(
            rpc->documents, ctx, &key, comb_str_from(request->store), &owner,
            comb_str_from(request->id),
            request->has_expected_revision ? &request->expected_revision : NULL, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- queries ---- */

/* What must stay the same from page to page: all but size and token. NULL: no room. */
static comb_str pack_query(struct grpcc_arena *arena,
                           const struct comb_v1_documents_query_request *request)
{
    struct comb_v1_documents_query_request same = *request;
    same.page_size = 0;
    same.page_token = (char *)"";
    return comb_rpc_pack(arena, &same.base);
}

static enum comb_status read_query(const struct comb_v1_documents_query_request *request,
                                   struct comb_document_condition *conditions, comb_str *order,
                                   struct comb_document_query *query, struct comb_error *err)
{
    if (request->n_conditions > COMB_DOCUMENT_CONDITIONS_MAX)
        return comb_error_field(err, "conditions", "are %d at most", COMB_DOCUMENT_CONDITIONS_MAX);
    if (request->n_order > COMB_DOCUMENT_PATHS_MAX)
        return comb_error_field(err, "order", "has %d paths at most", COMB_DOCUMENT_PATHS_MAX);
    for (size_t i = 0; i < request->n_conditions; i++) {
        const struct comb_v1_document_condition *condition = request->conditions[i];
        conditions[i] = (struct comb_document_condition){
            comb_str_from(condition->path), (enum comb_document_compare)condition->compare,
            comb_str_from(condition->value)};
    }
    for (size_t i = 0; i < request->n_order; i++)
        order[i] = comb_str_from(request->order[i]);
    *query = (struct comb_document_query){
        .store = comb_str_from(request->store),
        .conditions = conditions,
        .n_conditions = request->n_conditions,
        .order = order,
        .n_order = request->n_order,
        .is_descending = request->descending,
    };
    return COMB_OK;
}

static enum comb_status fill_page(const struct comb_documents_rpc *rpc, struct comb_ctx *ctx,
                                  const struct comb_document_page *page, comb_str same,
                                  struct comb_v1_documents_query_response *response,
                                  struct comb_error *err)
{
    for (size_t i = 0; i < page->n; i++) {
        struct comb_v1_document *message = to_message(ctx->arena, &page->documents[i]);
        if (!message ||
            !comb_v1_documents_query_response_add_documents(ctx->arena, response, message))
            return comb_error_no_memory(err);
    }
    if (page->next.len == 0)
        return COMB_OK;
    return comb_page_token_seal(rpc->sealer, ctx, same, page->next, &response->next_page_token,
                                err);
}

static void rpc_query(void *self, struct grpcc_call *call,
                      const struct comb_v1_documents_query_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_query_response *response =
        comb_v1_documents_query_response_new(ctx->arena);
    struct comb_document_condition conditions[COMB_DOCUMENT_CONDITIONS_MAX];
    comb_str order[COMB_DOCUMENT_PATHS_MAX], same = pack_query(ctx->arena, request);
    struct comb_document_query query = {0};
    struct comb_document_page page;
    struct comb_error err = {0};
    struct comb_uuid owner;
    enum comb_status status = response && same.ptr
                                  ? read_query(request, conditions, order, &query, &err)
                                  : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_owner(ctx, request->owner, &owner, &err);
    if (status == COMB_OK)
        status = comb_rpc_page_size(request->page_size, &query.max, &err);
    if (status == COMB_OK)
        status =
            comb_page_token_open(rpc->sealer, ctx, same, request->page_token, &query.after, &err);
    query.owner = request->all_owners ? NULL : &owner;
    if (status == COMB_OK)
        status = comb_documents_query(rpc->documents, ctx, &query, &page, &err);
    if (status == COMB_OK)
        status = fill_page(rpc, ctx, &page, same, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- stores ---- */

static void rpc_set_store(void *self, struct grpcc_call *call,
                          const struct comb_v1_documents_set_store_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_set_store_response *response =
        comb_v1_documents_set_store_response_new(ctx->arena);
    struct comb_document_store store;
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_documents_set_store(rpc->documents, ctx, comb_str_from(request->name),
                                          (enum comb_document_access)request->access, &store, &err);
    if (status == COMB_OK) {
        response->store = to_store_message(ctx->arena, &store);
        status = response->store ? COMB_OK : comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_get_store(void *self, struct grpcc_call *call,
                          const struct comb_v1_documents_get_store_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_get_store_response *response =
        comb_v1_documents_get_store_response_new(ctx->arena);
    struct comb_document_store store;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_documents_get_store(rpc->documents, ctx, comb_str_from(request->name),
                                            &store, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK) {
        response->store = to_store_message(ctx->arena, &store);
        status = response->store ? COMB_OK : comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_list_stores(void *self, struct grpcc_call *call,
                            const struct comb_v1_documents_list_stores_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_list_stores_response *response =
        comb_v1_documents_list_stores_response_new(ctx->arena);
    const struct comb_document_store *stores = NULL;
    struct comb_error err = {0};
    comb_str after = {0};
    size_t size = 0, n = 0;
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, STR(""), request->page_token, &after, &err);
    if (status == COMB_OK)
        status = comb_documents_list_stores(rpc->documents, ctx, after, size, &stores, &n, &err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        struct comb_v1_document_store *message = to_store_message(ctx->arena, &stores[i]);
        if (!message ||
            !comb_v1_documents_list_stores_response_add_stores(ctx->arena, response, message))
            status = comb_error_no_memory(&err);
    }
    if (status == COMB_OK && n == size)
        status = comb_page_token_seal(rpc->sealer, ctx, STR(""), stores[n - 1].name,
                                      &response->next_page_token, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status read_index(const struct comb_v1_document_index *from,
                                   struct comb_document_index *ret, struct comb_error *err)
{
    if (!from)
        return comb_error_field(err, "index", "is missing");
    if (from->n_paths > COMB_DOCUMENT_PATHS_MAX)
        return comb_error_field(err, "index.paths", "are 1 to %d", COMB_DOCUMENT_PATHS_MAX);
    *ret = (struct comb_document_index){
        .name = comb_str_from(from->name), .n_paths = from->n_paths, .by_owner = from->by_owner};
    for (size_t i = 0; i < from->n_paths; i++)
        ret->paths[i] = comb_str_from(from->paths[i]);
    return COMB_OK;
}

static void rpc_declare_index(void *self, struct grpcc_call *call,
                              const struct comb_v1_documents_declare_index_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_declare_index_response *response =
        comb_v1_documents_declare_index_response_new(ctx->arena);
    struct comb_document_index index;
    struct comb_document_store store;
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_index(request->index, &index, &err);
    if (status == COMB_OK)
        status = comb_documents_declare_index(rpc->documents, ctx, comb_str_from(request->store),
                                              &index, &store, &err);
    if (status == COMB_OK) {
        response->store = to_store_message(ctx->arena, &store);
        status = response->store ? COMB_OK : comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_drop_index(void *self, struct grpcc_call *call,
                           const struct comb_v1_documents_drop_index_request *request)
{
    const struct comb_documents_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_documents_drop_index_response *response =
        comb_v1_documents_drop_index_response_new(ctx->arena);
    struct comb_document_store store;
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_documents_drop_index(rpc->documents, ctx, comb_str_from(request->store),
                                           comb_str_from(request->name), &store, &err);
    if (status == COMB_OK) {
        response->store = to_store_message(ctx->arena, &store);
        status = response->store ? COMB_OK : comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_documents_server METHODS = {
    .put = rpc_put,
    .get = rpc_get,
    .batch_get = rpc_batch_get,
    .query = rpc_query,
    .delete_ = rpc_delete,
    .set_store = rpc_set_store,
    .get_store = rpc_get_store,
    .list_stores = rpc_list_stores,
    .declare_index = rpc_declare_index,
    .drop_index = rpc_drop_index,
};

enum comb_status comb_documents_rpc_register(struct grpcc_server *server,
                                             struct comb_documents_rpc *rpc, struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_documents_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Documents: %.200s", failure.message);
}
