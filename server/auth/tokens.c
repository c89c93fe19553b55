/* SPDX-License-Identifier: Apache-2.0 */
/* Personal access tokens. */
#include "comb/v1/errors.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "server/auth/internal.h"
#include "server/auth/token_scopes.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/limits.h"
#include "server/core/memory.h"
#include "server/mutation/plan.h"

void comb_auth_token_wipe(struct comb_auth_token *token)
{
    if (token->text.len > 0)
        comb_memory_wipe((char *)token->text.ptr, token->text.len);
    token->text = (comb_str){0};
}

/* One call, over all attempts to write it. */
struct creation {
    struct comb_auth *auth;
    const struct comb_auth_new_token *input;
    uint8_t secret[COMB_OPAQUE_SECRET_SIZE];
};

/* What a repetition needs to give the same answer; the secret is derived again. */
struct token_outcome {
    struct comb_uuid id;
    int64_t expire_us;
};

static enum comb_status exceeded(const char *what, struct comb_error *err)
{
    return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                          "the new token would %s than the one that the call is made with", what);
}

static enum comb_status check_scope(struct comb_auth *auth, struct comb_ctx *ctx,
                                    const struct comb_scope *scope, struct comb_error *err)
{
    const struct comb_principal *caller = ctx->principal;
    if (comb_uuid_is_nil(&scope->node)) {
        return auth_scopes_cover(caller->scopes, caller->n_scopes, scope, NULL)
                   ? COMB_OK
                   : exceeded("reach further", err);
    }
    int rights = 0;
    struct comb_fact_chain chain;
    enum comb_status status =
        comb_access_rights(auth->parts.access, ctx, &scope->node, &rights, &chain, err);
    if (status != COMB_OK)
        return status;
    if (!(rights & COMB_V1_RIGHTS_READ) && !caller->administrator)
        return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND,
                                      "scopes.node_id", "there is no such node");
    return auth_scopes_cover(caller->scopes, caller->n_scopes, scope, &chain)
               ? COMB_OK
               : exceeded("reach further", err);
}

static enum comb_status check_reach(struct comb_auth *auth, struct comb_ctx *ctx,
                                    const struct comb_auth_new_token *input, struct comb_error *err)
{
    if (input->n_scopes == 0 && ctx->principal->n_scopes > 0)
        return exceeded("reach further", err);
    enum comb_status status = COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < input->n_scopes; i++)
        status = check_scope(auth, ctx, &input->scopes[i], err);
    return status;
}

/* A token made by a token lives no longer than that one: who finds it cannot keep himself in. */
static enum comb_status end_of(struct comb_auth *auth, struct comb_ctx *ctx,
                               const struct comb_auth_new_token *input, int64_t now_us,
                               int64_t *ret_expire_us, struct comb_error *err)
{
    struct comb_auth_store *store = auth->parts.store;
    struct comb_token own;
    enum comb_status status =
        store->driver->get_token(store, ctx, &ctx->principal->token, &own, err);
    if (status != COMB_OK && status != COMB_NOT_FOUND)
        return status;
    int64_t latest_us =
        status == COMB_OK ? own.grant.expire_us : now_us + COMB_AUTH_TOKEN_MAX_S * COMB_US_PER_S;
    int64_t expire_us = input->expire_us;
    if (expire_us == 0) {
        expire_us = now_us + COMB_AUTH_TOKEN_S * COMB_US_PER_S;
        if (expire_us > latest_us)
            expire_us = latest_us;
    }
    if (status == COMB_OK && expire_us > latest_us)
        return exceeded("live longer", err);
    if (expire_us <= now_us || expire_us > now_us + COMB_AUTH_TOKEN_MAX_S * COMB_US_PER_S)
        return comb_error_field(err, "expire_time", "must lie ahead, at most %lld days",
                                COMB_AUTH_TOKEN_MAX_S / (24 * 3600));
    *ret_expire_us = expire_us;
    return COMB_OK;
}

static enum comb_status plan_token(struct creation *creation, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct comb_user *user,
                                   struct comb_error *err)
{
    struct comb_auth_store *store = creation->auth->parts.store;
    const struct comb_auth_new_token *input = creation->input;
    uint8_t hash[COMB_SHA256_SIZE];
    struct comb_token token = {.grant = {.id = comb_uuid_new(),
                                         .user = user->id,
                                         .label = input->label,
                                         .generation = user->generation,
                                         .create_us = plan->now_us},
                               .hash = comb_str_of(hash, sizeof hash)};
    struct token_outcome *outcome = grpcc_arena_zalloc(ctx->arena, sizeof *outcome);
    if (!outcome)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_sha256(comb_str_of(creation->secret, sizeof creation->secret), hash, err);
    if (status == COMB_OK)
        status = auth_scopes_pack(ctx->arena, input->scopes, input->n_scopes, &token.scopes, err);
    if (status == COMB_OK)
        status = end_of(creation->auth, ctx, input, plan->now_us, &token.grant.expire_us, err);
    if (status == COMB_OK)
        status = store->driver->plan_insert_token(store, ctx, plan, &token,
                                                  plan->now_us - AUTH_FORGET_AFTER_US, err);
    *outcome = (struct token_outcome){.id = token.grant.id, .expire_us = token.grant.expire_us};
    plan->outcome = comb_str_of(outcome, sizeof *outcome);
    return status;
}

static enum comb_status create_once(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct creation *creation = data;
    struct comb_user user;
    plan->kind = COMB_SQL_WRITE;
    enum comb_status status = comb_auth_caller(creation->auth, ctx, &user, err);
    if (status == COMB_NOT_FOUND || (status == COMB_OK && user.disabled))
        return auth_token_revoked(err);
    if (status == COMB_OK)
        status = auth_plan_user(ctx, plan, &user, err);
    if (status == COMB_OK)
        status = check_reach(creation->auth, ctx, creation->input, err);
    if (status == COMB_OK)
        status = plan_token(creation, ctx, plan, &user, err);
    return status;
}

static enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct creation *creation = data;
    return comb_tree_decide(creation->auth->parts.tree, create_once, data, ctx, plan, err);
}

static enum comb_status check_input(const struct comb_auth_new_token *input, struct comb_error *err)
{
    if (input->label.len == 0 || input->label.len > COMB_LABEL_BYTES_MAX)
        return comb_error_field(err, "label", "1 to %d bytes, to know the token by",
                                COMB_LABEL_BYTES_MAX);
    if (input->n_scopes > COMB_TOKEN_SCOPES_MAX)
        return comb_error_field(err, "scopes", "at most %d", COMB_TOKEN_SCOPES_MAX);
    for (size_t i = 0; i < input->n_scopes; i++) {
        if (input->scopes[i].rights < COMB_V1_RIGHTS_READ ||
            input->scopes[i].rights > COMB_V1_RIGHTS_READ_WRITE)
            return comb_error_field(err, "scopes.rights", "must be READ, WRITE or READ_WRITE");
    }
    return COMB_OK;
}

static enum comb_status read_outcome(struct comb_ctx *ctx, struct creation *creation,
                                     const struct comb_outcome *outcome,
                                     struct comb_auth_token *ret_token, struct comb_error *err)
{
    struct token_outcome kept;
    if (outcome->bytes.len != sizeof kept)
        return comb_error_set(err, COMB_INTERNAL, 0, "an outcome is no token");
    memcpy(&kept, outcome->bytes.ptr, sizeof kept);
    struct comb_opaque opaque = {.id = kept.id};
    memcpy(opaque.secret, creation->secret, sizeof opaque.secret);
    char *text = comb_opaque_pat_text(ctx->arena, &opaque);
    comb_memory_wipe(&opaque, sizeof opaque);
    if (!text)
        return comb_error_no_memory(err);
    *ret_token = (struct comb_auth_token){
        .text = comb_str_from(text), .id = kept.id, .expire_us = kept.expire_us};
    return COMB_OK;
}

enum comb_status comb_auth_create_token(struct comb_auth *auth, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_auth_new_token *new_token,
                                        struct comb_auth_token *ret_token, struct comb_error *err)
{
    struct creation creation = {.auth = auth, .input = new_token};
    struct comb_outcome outcome;
    enum comb_status status = check_input(new_token, err);
    if (status == COMB_OK)
        status = comb_opaque_derive_pat(&auth->keys->opaque, &ctx->principal->user, &key->id,
                                        creation.secret, err);
    if (status == COMB_OK)
        status = comb_mutation_run(auth->parts.mutations, ctx, key, create_decide, &creation,
                                   &outcome, err);
    if (status == COMB_OK)
        status = read_outcome(ctx, &creation, &outcome, ret_token, err);
    comb_memory_wipe(creation.secret, sizeof creation.secret);
    return status;
}

/* ---- revoke ---- */

struct revocation {
    struct comb_auth *auth;
    struct comb_uuid id;
};

static enum comb_status revoke_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct revocation *revocation = data;
    struct comb_auth_store *store = revocation->auth->parts.store;
    const struct comb_principal *caller = ctx->principal;
    struct comb_token token;
    plan->kind = COMB_SQL_WRITE;
    enum comb_status status = store->driver->get_token(store, ctx, &revocation->id, &token, err);
    if (status != COMB_OK)
        return status;
    if (!caller->administrator && !comb_uuid_equal(&token.grant.user, &caller->user))
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_TOKEN_NOT_FOUND,
                              "there is no such token");
    if (caller->n_scopes > 0 && !comb_uuid_equal(&token.grant.id, &caller->token))
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_SCOPE_EXCEEDED,
                              "a token with scopes ends no token but itself");
    status = store->driver->plan_revoke_token(store, ctx, plan, &revocation->id, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_TOKEN, &revocation->id, 0, err);
    return status;
}

enum comb_status comb_auth_revoke_token(struct comb_auth *auth, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_uuid *id, struct comb_error *err)
{
    struct revocation revocation = {.auth = auth, .id = *id};
    struct comb_outcome outcome;
    return comb_mutation_run(auth->parts.mutations, ctx, key, revoke_decide, &revocation, &outcome,
                             err);
}
