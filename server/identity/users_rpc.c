/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of comb.v1.Identity that are about users. */
#include "server/identity/methods_rpc.h"

#include "grpcc/wkt.h"
#include "server/core/memory.h"
#include "server/identity/user_message.h"

/* Overwrites a password in a request, which nobody reads any more. */
static void wipe(const char *password)
{
    if (password && password[0])
        comb_memory_wipe((char *)password, strlen(password));
}

static enum comb_status names_of(struct grpcc_arena *arena, char *const *texts, size_t n,
                                 const comb_str **ret_names, struct comb_error *err)
{
    comb_str *names = grpcc_arena_calloc(arena, n, sizeof *names);
    if (!names)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        names[i] = comb_str_from(texts[i]);
    *ret_names = names;
    return COMB_OK;
}

/* ---- create ---- */

/* The request's key, the password hidden. */
static enum comb_status create_key(const struct comb_identity_rpc *rpc, struct grpcc_call *call,
                                   const struct comb_v1_identity_create_user_request *request,
                                   struct comb_request_key *key, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_create_user_request hidden = *request;
    enum comb_status status =
        comb_identity_hide_password(rpc->identity, arena, request->password, &hidden.password, err);
    if (status == COMB_OK)
        status = comb_rpc_request_key(call, request->request_id, &hidden.base, key, err);
    return status;
}

void identity_rpc_create_user(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_create_user_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_create_user_response *response =
        comb_v1_identity_create_user_response_new(arena);
    struct comb_identity_new_user new_user = {.login = comb_str_from(request->login),
                                              .display_name = comb_str_from(request->display_name),
                                              .email = comb_str_from(request->email),
                                              .password = comb_str_from(request->password),
                                              .n_roles = request->n_roles,
                                              .group = comb_str_from(request->group)};
    struct comb_request_key key;
    struct comb_user user;
    struct comb_error err = {0};
    enum comb_status status =
        response ? create_key(rpc, call, request, &key, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = names_of(arena, request->roles, request->n_roles, &new_user.roles, &err);
    if (status == COMB_OK)
        status = comb_identity_create_user(rpc->identity, comb_rpc_ctx(call), &key, &new_user,
                                           &user, &err);
    wipe(request->password);
    if (status == COMB_OK)
        status = comb_identity_user_message(arena, &user, true, &response->user, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- read ---- */

void identity_rpc_get_user(void *self, struct grpcc_call *call,
                           const struct comb_v1_identity_get_user_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_get_user_response *response =
        comb_v1_identity_get_user_response_new(arena);
    struct comb_user user;
    bool all = false;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_identity_get_user(rpc->identity, comb_rpc_ctx(call),
                                          comb_str_from(request->user), &user, &all, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_identity_user_message(arena, &user, all, &response->user, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* What must stay the same from page to page: all but size and token. */
static enum comb_status pack_query(struct grpcc_arena *arena,
                                   const struct comb_v1_identity_list_users_request *request,
                                   comb_str *ret_query, struct comb_error *err)
{
    struct comb_v1_identity_list_users_request same = *request;
    same.page_size = 0;
    same.page_token = (char *)"";
    *ret_query = comb_rpc_pack(arena, &same.base);
    return ret_query->ptr ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status fill_users(const struct comb_identity_rpc *rpc, struct grpcc_call *call,
                                   comb_str query, size_t size, const struct comb_user *users,
                                   size_t n, struct comb_v1_identity_list_users_response *response,
                                   struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    enum comb_status status = COMB_OK;
    /* One more than asked for was read: then there is a next page, after the last one shown. */
    for (size_t i = 0; i < n && i < size && status == COMB_OK; i++) {
        struct comb_v1_user *message;
        status = comb_identity_user_message(arena, &users[i], true, &message, err);
        if (status == COMB_OK &&
            !comb_v1_identity_list_users_response_add_users(arena, response, message))
            status = comb_error_no_memory(err);
    }
    if (status == COMB_OK && n > size)
        status = comb_page_token_seal(rpc->sealer, comb_rpc_ctx(call), query, users[size - 1].login,
                                      &response->next_page_token, err);
    return status;
}

void identity_rpc_list_users(void *self, struct grpcc_call *call,
                             const struct comb_v1_identity_list_users_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_identity_list_users_response *response =
        comb_v1_identity_list_users_response_new(grpcc_call_arena(call));
    const struct comb_identity_users which = {.login_prefix = comb_str_from(request->login_prefix),
                                              .group = comb_str_from(request->group)};
    comb_str query = {0}, after;
    const struct comb_user *users;
    size_t n, size = 0;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = pack_query(grpcc_call_arena(call), request, &query, &err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, query, request->page_token, &after, &err);
    if (status == COMB_OK)
        status =
            comb_identity_list_users(rpc->identity, ctx, &which, after, size + 1, &users, &n, &err);
    if (status == COMB_OK)
        status = fill_users(rpc, call, query, size, users, n, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- update ---- */

static enum comb_status fields_of(const struct google_protobuf_field_mask *mask,
                                  unsigned *ret_fields, struct comb_error *err)
{
    static const struct {
        const char *path;
        unsigned field;
    } FIELDS[] = {
        {"login", COMB_IDENTITY_LOGIN},       {"display_name", COMB_IDENTITY_DISPLAY_NAME},
        {"email", COMB_IDENTITY_EMAIL},       {"disabled", COMB_IDENTITY_DISABLED},
        {"password", COMB_IDENTITY_PASSWORD}, {"group", COMB_IDENTITY_GROUP},
    };
    unsigned fields = 0;
    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        unsigned field = 0;
        for (size_t j = 0; j < sizeof FIELDS / sizeof FIELDS[0]; j++) {
            if (strcmp(mask->paths[i], FIELDS[j].path) == 0)
                field = FIELDS[j].field;
        }
        if (!field)
            return comb_error_field(err, "update_mask",
                                    "names any of login, display_name, email, disabled, password, "
                                    "group");
        fields |= field;
    }
    *ret_fields = fields;
    return COMB_OK;
}

static enum comb_status update_key(const struct comb_identity_rpc *rpc, struct grpcc_call *call,
                                   const struct comb_v1_identity_update_user_request *request,
                                   struct comb_request_key *key, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_update_user_request hidden = *request;
    enum comb_status status =
        comb_identity_hide_password(rpc->identity, arena, request->password, &hidden.password, err);
    if (status == COMB_OK)
        status = comb_identity_hide_password(rpc->identity, arena, request->old_password,
                                             &hidden.old_password, err);
    if (status == COMB_OK)
        status = comb_rpc_request_key(call, request->request_id, &hidden.base, key, err);
    return status;
}

void identity_rpc_update_user(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_update_user_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_update_user_response *response =
        comb_v1_identity_update_user_response_new(arena);
    struct comb_identity_update update = {.user = comb_str_from(request->user),
                                          .expected_etag = comb_str_from(request->expected_etag),
                                          .login = comb_str_from(request->login),
                                          .display_name = comb_str_from(request->display_name),
                                          .email = comb_str_from(request->email),
                                          .password = comb_str_from(request->password),
                                          .disabled = request->disabled,
                                          .group = comb_str_from(request->group),
                                          .old_password = comb_str_from(request->old_password)};
    struct comb_request_key key;
    struct comb_user user;
    struct comb_error err = {0};
    enum comb_status status =
        response ? update_key(rpc, call, request, &key, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = fields_of(request->update_mask, &update.fields, &err);
    if (status == COMB_OK)
        status = comb_identity_update_user(rpc->identity, comb_rpc_ctx(call), &key, &update, &user,
                                           &err);
    wipe(request->password);
    wipe(request->old_password);
    if (status == COMB_OK)
        status = comb_identity_user_message(arena, &user, true, &response->user, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- delete and set roles ---- */

void identity_rpc_delete_user(void *self, struct grpcc_call *call,
                              const struct comb_v1_identity_delete_user_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct comb_v1_identity_delete_user_response *response =
        comb_v1_identity_delete_user_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_identity_delete_user(rpc->identity, comb_rpc_ctx(call), &key,
                                           comb_str_from(request->user),
                                           comb_str_from(request->expected_etag), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

void identity_rpc_set_roles(void *self, struct grpcc_call *call,
                            const struct comb_v1_identity_set_roles_request *request)
{
    const struct comb_identity_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_identity_set_roles_response *response =
        comb_v1_identity_set_roles_response_new(arena);
    struct comb_request_key key;
    const comb_str *roles = NULL;
    struct comb_user user;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = names_of(arena, request->roles, request->n_roles, &roles, &err);
    if (status == COMB_OK)
        status = comb_identity_set_roles(
            rpc->identity, comb_rpc_ctx(call), &key, comb_str_from(request->user),
            comb_str_from(request->expected_etag), roles, request->n_roles, &user, &err);
    if (status == COMB_OK)
        status = comb_identity_user_message(arena, &user, true, &response->user, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}
