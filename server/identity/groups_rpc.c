/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of comb.v1.Identity that are about groups. */
#include "server/identity/methods_rpc.h"

#include "grpcc/wkt.h"
#include "server/identity/user_message.h"

void identity_rpc_create_group(void *self, struct grpcc_call *call,
                               const struct comb_v1_identity_create_group_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_create_group_response *response =
        comb_v1_identity_create_group_response_new(arena);
    const struct comb_identity_group_fields fields = {.name = comb_str_from(request->name),
                                                      .label = comb_str_from(request->label),
                                                      .parent = comb_str_from(request->parent)};
    struct comb_request_key key;
    struct comb_group group;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_identity_create_group(rpc->identity, comb_rpc_ctx(call), &key, &fields,
                                            &group, &err);
    if (status == COMB_OK)
        status = comb_identity_group_message(arena, &group, &response->group, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

void identity_rpc_get_group(void *self, struct grpcc_call *call,
                            const struct comb_v1_identity_get_group_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_get_group_response *response =
        comb_v1_identity_get_group_response_new(arena);
    struct comb_group group;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_identity_get_group(rpc->identity, comb_rpc_ctx(call),
                                           comb_str_from(request->group), &group, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_identity_group_message(arena, &group, &response->group, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status fill_groups(const struct comb_identity_rpc *rpc, struct grpcc_call *call,
                                    comb_str parent, size_t size, const struct comb_group *groups,
                                    size_t n,
                                    struct comb_v1_identity_list_groups_response *response,
                                    struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    enum comb_status status = COMB_OK;
    /* One more than asked for was read: then there is a next page, after the last one shown. */
    for (size_t i = 0; i < n && i < size && status == COMB_OK; i++) {
        struct comb_v1_group *message;
        status = comb_identity_group_message(arena, &groups[i], &message, err);
        if (status == COMB_OK &&
            !comb_v1_identity_list_groups_response_add_groups(arena, response, message))
            status = comb_error_no_memory(err);
    }
    if (status == COMB_OK && n > size)
        status = comb_page_token_seal(rpc->sealer, comb_rpc_ctx(call), parent,
                                      groups[size - 1].name, &response->next_page_token, err);
    return status;
}

void identity_rpc_list_groups(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_list_groups_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_identity_list_groups_response *response =
        comb_v1_identity_list_groups_response_new(grpcc_call_arena(call));
    comb_str parent = comb_str_from(request->parent), after;
    const struct comb_group *groups;
    size_t n, size = 0;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, parent, request->page_token, &after, &err);
    if (status == COMB_OK)
        status = comb_identity_list_groups(rpc->identity, ctx, parent, after, size + 1, &groups, &n,
                                           &err);
    if (status == COMB_OK)
        status = fill_groups(rpc, call, parent, size, groups, n, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status fields_of(const struct google_protobuf_field_mask *mask,
                                  unsigned *ret_fields, struct comb_error *err)
{
    unsigned fields = 0;
    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        if (strcmp(mask->paths[i], "name") == 0)
            fields |= COMB_IDENTITY_GROUP_NAME;
        else if (strcmp(mask->paths[i], "label") == 0)
            fields |= COMB_IDENTITY_GROUP_LABEL;
        else if (strcmp(mask->paths[i], "parent") == 0)
            fields |= COMB_IDENTITY_GROUP_PARENT;
        else
            return comb_error_field(err, "update_mask", "names any of name, label, parent");
    }
    *ret_fields = fields;
    return COMB_OK;
}

void identity_rpc_update_group(void *self, struct grpcc_call *call,
                               const struct comb_v1_identity_update_group_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_update_group_response *response =
        comb_v1_identity_update_group_response_new(arena);
    struct comb_identity_group_fields fields = {.name = comb_str_from(request->name),
                                                .label = comb_str_from(request->label),
                                                .parent = comb_str_from(request->parent)};
    struct comb_request_key key;
    struct comb_group group;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = fields_of(request->update_mask, &fields.fields, &err);
    if (status == COMB_OK)
        status = comb_identity_update_group(
            rpc->identity, comb_rpc_ctx(call), &key, comb_str_from(request->group),
            comb_str_from(request->expected_etag), &fields, &group, &err);
    if (status == COMB_OK)
        status = comb_identity_group_message(arena, &group, &response->group, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

void identity_rpc_delete_group(void *self, struct grpcc_call *call,
                               const struct comb_v1_identity_delete_group_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct comb_v1_identity_delete_group_response *response =
        comb_v1_identity_delete_group_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_identity_delete_group(
            rpc->identity, comb_rpc_ctx(call), &key, comb_str_from(request->group),
            comb_str_from(request->expected_etag), request->recursive, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}
