/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/auth_rpc.h"

#include "comb/v1/auth.grpcc.h"
#include "server/core/memory.h"
#include "server/core/timestamp.h"

/* Overwrites a secret of a request, which nobody reads any more. */
static void wipe(const char *secret)
{
    if (secret && secret[0])
        comb_memory_wipe((char *)secret, strlen(secret));
}

static enum comb_status pair_of(struct grpcc_arena *arena, const struct comb_auth_tokens *tokens,
                                struct comb_v1_token_pair **ret_pair, struct comb_error *err)
{
    struct comb_v1_token_pair *pair = comb_v1_token_pair_new(arena);
    if (!pair)
        return comb_error_no_memory(err);
    /* Both texts are NUL-terminated and live in the call's arena, as the message does. */
    pair->access_token = (char *)tokens->access.ptr;
    pair->refresh_token = (char *)tokens->refresh.ptr;
    pair->access_expire_time = comb_timestamp_new(arena, tokens->access_expire_us);
    pair->refresh_expire_time = comb_timestamp_new(arena, tokens->refresh_expire_us);
    if (!pair->access_expire_time || !pair->refresh_expire_time)
        return comb_error_no_memory(err);
    *ret_pair = pair;
    return COMB_OK;
}

/* ---- sessions ---- */

static void rpc_login(void *self, struct grpcc_call *call,
                      const struct comb_v1_auth_login_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_auth_login_response *response = comb_v1_auth_login_response_new(arena);
    struct comb_auth_tokens tokens = {0};
    struct comb_user user;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_auth_login(self, comb_rpc_ctx(call), comb_str_from(request->login),
                                   comb_str_from(request->password), comb_str_from(request->label),
                                   &tokens, &user, &err)
                 : comb_error_no_memory(&err);
    wipe(request->password);
    if (status == COMB_OK)
        status = pair_of(arena, &tokens, &response->tokens, &err);
    if (status == COMB_OK)
        status = comb_identity_user_message(arena, &user, true, &response->user, &err);
    grpcc_call_ref(call);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
    comb_auth_tokens_wipe(&tokens);
    grpcc_call_unref(call);
}

static void rpc_refresh(void *self, struct grpcc_call *call,
                        const struct comb_v1_auth_refresh_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_auth_refresh_response *response = comb_v1_auth_refresh_response_new(arena);
    struct comb_auth_tokens tokens = {0};
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_auth_refresh(self, comb_rpc_ctx(call), &key,
                                   comb_str_from(request->refresh_token), &tokens, &err);
    wipe(request->refresh_token);
    if (status == COMB_OK)
        status = pair_of(arena, &tokens, &response->tokens, &err);
    grpcc_call_ref(call);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
    comb_auth_tokens_wipe(&tokens);
    grpcc_call_unref(call);
}

static void rpc_logout(void *self, struct grpcc_call *call,
                       const struct comb_v1_auth_logout_request *request)
{
    struct comb_v1_auth_logout_response *response =
        comb_v1_auth_logout_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_auth_logout(self, comb_rpc_ctx(call), &key, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- who calls ---- */

static enum comb_status add_scopes(struct grpcc_arena *arena,
                                   const struct comb_principal *principal,
                                   struct comb_v1_auth_who_am_i_response *response,
                                   struct comb_error *err)
{
    for (size_t i = 0; i < principal->n_scopes; i++) {
        const struct comb_scope *scope = &principal->scopes[i];
        struct comb_v1_token_scope *message = comb_v1_token_scope_new(arena);
        if (!message || !comb_v1_auth_who_am_i_response_add_scopes(arena, response, message))
            return comb_error_no_memory(err);
        message->rights = (enum comb_v1_rights)scope->rights;
        if (!comb_uuid_is_nil(&scope->node)) {
            message->node_id = comb_uuid_text(arena, &scope->node);
            if (!message->node_id)
                return comb_error_no_memory(err);
        }
    }
    return COMB_OK;
}

static void rpc_who_am_i(void *self, struct grpcc_call *call,
                         const struct comb_v1_auth_who_am_i_request *request)
{
    (void)request;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    const struct comb_principal *principal = ctx->principal;
    struct comb_v1_auth_who_am_i_response *response = comb_v1_auth_who_am_i_response_new(arena);
    struct comb_user user;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_auth_caller(self, ctx, &user, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_identity_user_message(arena, &user, true, &response->user, &err);
    if (status == COMB_OK)
        status = add_scopes(arena, principal, response, &err);
    if (status == COMB_OK) {
        response->token_id = comb_uuid_text(arena, &principal->token);
        if (principal->expire_us > 0)
            response->expire_time = comb_timestamp_new(arena, principal->expire_us);
        if (!response->token_id || (principal->expire_us > 0 && !response->expire_time))
            status = comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- personal access tokens ---- */

static enum comb_status scopes_of(struct grpcc_arena *arena,
                                  const struct comb_v1_auth_create_token_request *request,
                                  const struct comb_scope **ret_scopes, struct comb_error *err)
{
    struct comb_scope *scopes = grpcc_arena_calloc(arena, request->n_scopes, sizeof *scopes);
    if (!scopes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < request->n_scopes; i++) {
        comb_str node = comb_str_from(request->scopes[i]->node_id);
        scopes[i].rights = (uint32_t)request->scopes[i]->rights;
        if (node.len > 0 && !comb_uuid_parse(node, &scopes[i].node))
            return comb_error_field(err, "scopes.node_id", "is not a UUID");
    }
    *ret_scopes = scopes;
    return COMB_OK;
}

static enum comb_status end_of(const struct comb_v1_auth_create_token_request *request,
                               int64_t *ret_expire_us, struct comb_error *err)
{
    if (!comb_timestamp_read(request->expire_time, ret_expire_us) ||
        (request->expire_time && *ret_expire_us == 0))
        return comb_error_field(err, "expire_time", "must lie ahead");
    return COMB_OK;
}

static enum comb_status answer_token(struct grpcc_arena *arena, const struct comb_auth_token *token,
                                     struct comb_v1_auth_create_token_response *response,
                                     struct comb_error *err)
{
    response->token = (char *)token->text.ptr;
    response->token_id = comb_uuid_text(arena, &token->id);
    response->expire_time = comb_timestamp_new(arena, token->expire_us);
    return response->token_id && response->expire_time ? COMB_OK : comb_error_no_memory(err);
}

static void rpc_create_token(void *self, struct grpcc_call *call,
                             const struct comb_v1_auth_create_token_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_auth_create_token_response *response =
        comb_v1_auth_create_token_response_new(arena);
    struct comb_auth_new_token new_token = {.label = comb_str_from(request->label),
                                            .n_scopes = request->n_scopes};
    struct comb_auth_token token = {0};
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = scopes_of(arena, request, &new_token.scopes, &err);
    if (status == COMB_OK)
        status = end_of(request, &new_token.expire_us, &err);
    if (status == COMB_OK)
        status = comb_auth_create_token(self, comb_rpc_ctx(call), &key, &new_token, &token, &err);
    if (status == COMB_OK)
        status = answer_token(arena, &token, response, &err);
    grpcc_call_ref(call);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
    comb_auth_token_wipe(&token);
    grpcc_call_unref(call);
}

static void rpc_revoke_token(void *self, struct grpcc_call *call,
                             const struct comb_v1_auth_revoke_token_request *request)
{
    struct comb_v1_auth_revoke_token_response *response =
        comb_v1_auth_revoke_token_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_uuid id;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK && !comb_uuid_parse(comb_str_from(request->token_id), &id))
        status = comb_error_field(&err, "token_id", "is not a UUID");
    if (status == COMB_OK)
        status = comb_auth_revoke_token(self, comb_rpc_ctx(call), &key, &id, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_auth_server METHODS = {.login = rpc_login,
                                                   .refresh = rpc_refresh,
                                                   .logout = rpc_logout,
                                                   .who_am_i = rpc_who_am_i,
                                                   .create_token = rpc_create_token,
                                                   .revoke_token = rpc_revoke_token};

enum comb_status comb_auth_rpc_register(struct grpcc_server *server, struct comb_auth *auth,
                                        struct comb_error *err)
{
    struct grpcc_error grpcc_err;
    if (comb_v1_auth_register(server, &METHODS, auth, &grpcc_err) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Auth: %s", grpcc_err.message);
}
