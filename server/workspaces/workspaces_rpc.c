/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workspaces/workspaces_rpc.h"

#include <string.h>

#include "comb/v1/workspaces.grpcc.h"
#include "server/core/timestamp.h"

static bool add_roots(struct grpcc_arena *arena, const struct comb_workspace *workspace,
                      struct comb_v1_workspace *message)
{
    for (size_t i = 0; i < workspace->n_roots; i++) {
        char *id = comb_uuid_text(arena, &workspace->roots[i]);
        if (!id || !comb_v1_workspace_add_root_ids(arena, message, id))
            return false;
    }
    return true;
}

static enum comb_status to_message(struct grpcc_arena *arena,
                                   const struct comb_workspace_view *view,
                                   struct comb_v1_workspace **ret_message, struct comb_error *err)
{
    const struct comb_workspace *workspace = &view->workspace;
    struct comb_v1_workspace *message = comb_v1_workspace_new(arena);
    char etag[COMB_WORKSPACES_ETAG_SIZE];
    if (!message)
        return comb_error_no_memory(err);
    message->id = comb_uuid_text(arena, &workspace->id);
    message->slug = comb_str_dup(arena, workspace->slug);
    message->label = comb_str_dup(arena, workspace->label);
    message->description = comb_str_dup(arena, workspace->description);
    message->kind = (enum comb_v1_workspace_kind)workspace->kind;
    message->owner_id = comb_uuid_text(arena, &workspace->owner);
    message->default_rights = (enum comb_v1_rights)view->default_rights;
    message->create_time = comb_timestamp_new(arena, workspace->create_us);
    comb_workspaces_etag(workspace->revision, etag);
    message->etag = grpcc_arena_strdup(arena, etag);
    if (!message->id || !message->slug || !message->label || !message->description ||
        !message->owner_id || !message->create_time || !message->etag ||
        !add_roots(arena, workspace, message))
        return comb_error_no_memory(err);
    *ret_message = message;
    return COMB_OK;
}

static void rpc_create(void *self, struct grpcc_call *call,
                       const struct comb_v1_workspaces_create_request *request)
{
    const struct comb_workspaces_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_workspaces_create_response *response =
        comb_v1_workspaces_create_response_new(arena);
    const struct comb_workspaces_new_workspace input = {
        .slug = comb_str_from(request->slug),
        .label = comb_str_from(request->label),
        .description = comb_str_from(request->description),
        .owner = comb_str_from(request->owner),
        .default_rights = (int)request->default_rights};
    struct comb_request_key key;
    struct comb_workspace_view view;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status =
            comb_workspaces_create(rpc->workspaces, comb_rpc_ctx(call), &key, &input, &view, &err);
    if (status == COMB_OK)
        status = to_message(arena, &view, &response->workspace, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_get(void *self, struct grpcc_call *call,
                    const struct comb_v1_workspaces_get_request *request)
{
    const struct comb_workspaces_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_workspaces_get_response *response = comb_v1_workspaces_get_response_new(arena);
    struct comb_workspace_view view;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_workspaces_get(rpc->workspaces, comb_rpc_ctx(call),
                                       comb_str_from(request->workspace), &view, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = to_message(arena, &view, &response->workspace, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status fill_page(const struct comb_workspaces_rpc *rpc, struct grpcc_call *call,
                                  const struct comb_workspaces_page *page,
                                  struct comb_v1_workspaces_list_response *response,
                                  struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < page->n && status == COMB_OK; i++) {
        struct comb_v1_workspace *message;
        status = to_message(arena, &page->views[i], &message, err);
        if (status == COMB_OK &&
            !comb_v1_workspaces_list_response_add_workspaces(arena, response, message))
            status = comb_error_no_memory(err);
    }
    if (status == COMB_OK && page->next.len > 0)
        status = comb_page_token_seal(rpc->sealer, comb_rpc_ctx(call), STR(""), page->next,
                                      &response->next_page_token, err);
    return status;
}

static void rpc_list(void *self, struct grpcc_call *call,
                     const struct comb_v1_workspaces_list_request *request)
{
    const struct comb_workspaces_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_workspaces_list_response *response =
        comb_v1_workspaces_list_response_new(grpcc_call_arena(call));
    struct comb_workspaces_page page;
    comb_str after;
    size_t size = 0;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, STR(""), request->page_token, &after, &err);
    if (status == COMB_OK)
        status = comb_workspaces_list(rpc->workspaces, ctx, after, size, &page, &err);
    if (status == COMB_OK)
        status = fill_page(rpc, call, &page, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status fields_of(const struct google_protobuf_field_mask *mask,
                                  unsigned *ret_fields, struct comb_error *err)
{
    static const struct {
        const char *name;
        enum comb_workspaces_field field;
    } known[] = {{"slug", COMB_WORKSPACES_SLUG},
                 {"label", COMB_WORKSPACES_LABEL},
                 {"description", COMB_WORKSPACES_DESCRIPTION}};
    const size_t n_known = sizeof known / sizeof known[0];
    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        size_t k = 0;
        while (k < n_known && strcmp(mask->paths[i], known[k].name) != 0)
            k++;
        if (k == n_known)
            return comb_error_field(err, "update_mask", "names any of slug, label, description");
        *ret_fields |= known[k].field;
    }
    return COMB_OK;
}

static void rpc_update(void *self, struct grpcc_call *call,
                       const struct comb_v1_workspaces_update_request *request)
{
    const struct comb_workspaces_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_workspaces_update_response *response =
        comb_v1_workspaces_update_response_new(arena);
    struct comb_workspaces_changes changes = {.slug = comb_str_from(request->slug),
                                              .label = comb_str_from(request->label),
                                              .description = comb_str_from(request->description)};
    struct comb_request_key key;
    struct comb_workspace_view view;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = fields_of(request->update_mask, &changes.fields, &err);
    if (status == COMB_OK)
        status = comb_workspaces_update(
            rpc->workspaces, comb_rpc_ctx(call), &key, comb_str_from(request->workspace),
            comb_str_from(request->expected_etag), &changes, &view, &err);
    if (status == COMB_OK)
        status = to_message(arena, &view, &response->workspace, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_workspaces_server METHODS = {
    .create = rpc_create, .get = rpc_get, .list = rpc_list, .update = rpc_update};

enum comb_status comb_workspaces_rpc_register(struct grpcc_server *server,
                                              struct comb_workspaces_rpc *rpc,
                                              struct comb_error *err)
{
    struct grpcc_error grpcc_err;
    if (comb_v1_workspaces_register(server, &METHODS, rpc, &grpcc_err) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Workspaces: %s", grpcc_err.message);
}
