/* SPDX-License-Identifier: Apache-2.0 */
/* The token: where it comes from, and that it does not end. */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/hashivault/internal.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

/* One question of the keeper. */
#define QUESTION_MS 10000
/* Between attempts that fail. */
#define AGAIN_FIRST_MS 500
#define AGAIN_MOST_MS 15000
/* A lease is renewed at the earliest after that. */
#define RENEW_LEAST_MS 200

static enum comb_status too_late(struct comb_error *err)
{
    return comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0,
                          "Vault did not let combd log in within the call's deadline");
}

/* What was granted: seconds, 0: for ever. */
static void take_lease_locked(struct comb_hashivault *vault, int64_t granted_ms, bool renewable)
{
    int64_t wait_ms = granted_ms * 2 / 3;
    if (wait_ms < RENEW_LEAST_MS)
        wait_ms = RENEW_LEAST_MS;
    bool ends = granted_ms > 0 && (renewable || vault->role_id.len > 0);
    vault->renew_ns = ends ? comb_clock_monotonic_ns() + wait_ms * COMB_NS_PER_MS : INT64_MAX;
}

static enum comb_status strange(struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                          "Vault answered to a log-in without a token");
}

/* Takes token and lease out of an answer's "auth". */
static enum comb_status take_auth_locked(struct comb_hashivault *vault, const json_t *body,
                                         struct comb_error *err)
{
    const json_t *auth = json_object_get(body, "auth");
    const json_t *token = json_object_get(auth, "client_token");
    const char *text = json_string_value(token);
    size_t len = text ? json_string_length(token) : 0;
    if (len == 0 || len > TOKEN_MAX || strpbrk(text, "\r\n"))
        return strange(err);
    memcpy(vault->token->text, text, len);
    vault->token->len = len;
    vault->generation++;
    vault->lease_ms = json_integer_value(json_object_get(auth, "lease_duration")) * 1000;
    take_lease_locked(vault, vault->lease_ms, json_is_true(json_object_get(auth, "renewable")));
    return COMB_OK;
}

static enum comb_status log_in_locked(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    struct comb_hashivault_answer answer = {0};
    json_t *body = json_pack("{s:s%, s:s%}", "role_id", vault->role_id.ptr, vault->role_id.len,
                             "secret_id", vault->secret_id.ptr, vault->secret_id.len);
    if (!body)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "an AppRole's ROLE_ID:SECRET_ID must be text");
    enum comb_status status = hashivault_send(vault, ctx, "POST", STR("auth/approle/login"), body,
                                              (comb_str){0}, false, &answer, err);
    json_decref(body);
    if (status == COMB_OK && answer.code == 200)
        status = take_auth_locked(vault, answer.body, err);
    else if (status == COMB_OK)
        status = comb_hashivault_refuse(&answer, err);
    json_decref(answer.body);
    return status;
}

enum comb_status hashivault_token(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                  comb_str *ret_token, uint64_t *ret_generation,
                                  struct comb_error *err)
{
    if (!comb_mutex_lock_until(&vault->lock, ctx->deadline_ns))
        return too_late(err);
    enum comb_status status = COMB_OK;
    if (vault->token->len == 0)
        status = log_in_locked(vault, ctx, err);
    if (status == COMB_OK) {
        char *copy = grpcc_arena_memdup(ctx->arena, vault->token->text, vault->token->len);
        *ret_token = comb_str_of(copy, vault->token->len);
        *ret_generation = vault->generation;
        if (!copy)
            status = comb_error_no_memory(err);
    }
    pthread_mutex_unlock(&vault->lock);
    return status;
}

enum comb_status hashivault_replace_token(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                          uint64_t generation, struct comb_error *err)
{
    if (!comb_mutex_lock_until(&vault->lock, ctx->deadline_ns))
        return too_late(err);
    enum comb_status status = COMB_OK;
    if (vault->generation == generation)
        status = log_in_locked(vault, ctx, err);
    pthread_mutex_unlock(&vault->lock);
    return status;
}

/* ---- the keeper ---- */

/* What is left of a token that the operator gave. */
static enum comb_status look_up_locked(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                       struct comb_error *err)
{
    struct comb_hashivault_answer answer = {0};
    comb_str token = comb_str_of(vault->token->text, vault->token->len);
    enum comb_status status = hashivault_send(vault, ctx, "GET", STR("auth/token/lookup-self"),
                                              NULL, token, false, &answer, err);
    if (status == COMB_OK && answer.code == 200) {
        const json_t *data = json_object_get(answer.body, "data");
        vault->lease_ms = json_integer_value(json_object_get(data, "ttl")) * 1000;
        take_lease_locked(vault, vault->lease_ms, json_is_true(json_object_get(data, "renewable")));
    }
    json_decref(answer.body);
    return status;
}

static enum comb_status renew_locked(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    struct comb_hashivault_answer answer = {0};
    comb_str token = comb_str_of(vault->token->text, vault->token->len);
    json_t *body = json_pack("{s:I}", "increment", (json_int_t)(vault->lease_ms / 1000));
    enum comb_status status = hashivault_send(vault, ctx, "POST", STR("auth/token/renew-self"),
                                              body, token, false, &answer, err);
    json_decref(body);
    const json_t *auth = json_object_get(answer.body, "auth");
    int64_t granted_ms = json_integer_value(json_object_get(auth, "lease_duration")) * 1000;
    bool whole = status == COMB_OK && answer.code == 200 && granted_ms >= vault->lease_ms;
    if (status == COMB_OK && answer.code == 200)
        take_lease_locked(vault, granted_ms, true);
    json_decref(answer.body);
    /* Less than before: the token's life ends, and only another one helps. The same where it has
     * ended while Vault was away. */
    bool refused =
        status != COMB_OK && status != COMB_UNAVAILABLE && status != COMB_DEADLINE_EXCEEDED;
    if (vault->role_id.len > 0 && ((status == COMB_OK && !whole) || refused))
        return log_in_locked(vault, ctx, err);
    return status;
}

static enum comb_status keep_locked(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                    bool *known, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (vault->token->len == 0)
        status = log_in_locked(vault, ctx, err);
    else if (!*known && vault->role_id.len == 0)
        status = look_up_locked(vault, ctx, err);
    else if (comb_clock_monotonic_ns() >= vault->renew_ns)
        status = renew_locked(vault, ctx, err);
    *known = *known || status == COMB_OK;
    return status;
}

/* Sleeps until then; false: the vault is being closed. */
static bool rest_until(struct comb_hashivault *vault, int64_t then_ns)
{
    bool waits = true;
    /* A token that calls have replaced meanwhile has a lease of its own: look again. */
    int64_t latest_ns = comb_clock_in_ms(AGAIN_MOST_MS);
    if (then_ns > latest_ns)
        then_ns = latest_ns;
    pthread_mutex_lock(&vault->rest_lock);
    while (!vault->stop && waits)
        waits = comb_cond_wait_until(&vault->rest, &vault->rest_lock, then_ns);
    bool go_on = !vault->stop;
    pthread_mutex_unlock(&vault->rest_lock);
    return go_on;
}

void *hashivault_keep(void *data)
{
    struct comb_hashivault *vault = data;
    struct comb_backoff backoff = {.first_ms = AGAIN_FIRST_MS, .most_ms = AGAIN_MOST_MS};
    bool known = false;
    for (int64_t then_ns = comb_clock_monotonic_ns(); rest_until(vault, then_ns);) {
        struct comb_error err;
        struct comb_ctx ctx = {.arena = grpcc_arena_new(0)};
        enum comb_status status = COMB_RESOURCE_EXHAUSTED;
        then_ns = INT64_MAX;
        if (ctx.arena) {
            pthread_mutex_lock(&vault->lock);
            ctx.deadline_ns = comb_clock_monotonic_ns() + QUESTION_MS * COMB_NS_PER_MS;
            status = keep_locked(vault, &ctx, &known, &err);
            then_ns = vault->renew_ns;
            pthread_mutex_unlock(&vault->lock);
        }
        grpcc_arena_free(ctx.arena);
        if (status == COMB_OK)
            comb_backoff_reset(&backoff);
        else
            then_ns = comb_clock_monotonic_ns() + comb_backoff_next_ms(&backoff) * COMB_NS_PER_MS;
    }
    return NULL;
}
