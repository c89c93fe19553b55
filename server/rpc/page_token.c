/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page token is base64url(seal(state)), bound to caller, method, query and incarnation: a
 * readable one would tell the hidden name at which a page stopped.
 */
#include "server/rpc/sealer.h"

#include <stdatomic.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/core/seal.h"
#include "server/rpc/rpc.h"

#define KEY_NAME "page-tokens"
#define STATE_BYTES_MAX 1024
/* base64url of the largest sealed state. */
#define TOKEN_BYTES_MAX ((STATE_BYTES_MAX + COMB_SEAL_OVERHEAD + 2) / 3 * 4)

struct comb_sealer {
    uint8_t key[COMB_SEAL_KEY_SIZE];
    _Atomic uint64_t incarnation;
};

/* What a token is bound to: all that must be the same when it comes back. */
struct binding {
    uint8_t query[COMB_SHA256_SIZE];
    uint8_t method[COMB_SHA256_SIZE];
    uint8_t user[sizeof(struct comb_uuid)];
    uint64_t incarnation;
};

static enum comb_status bind_token(const struct comb_sealer *sealer, const struct comb_ctx *ctx,
                                   comb_str query, struct binding *ret_binding,
                                   struct comb_error *err)
{
    struct binding binding;
    memset(&binding, 0, sizeof binding);
    binding.incarnation = atomic_load_explicit(&sealer->incarnation, memory_order_relaxed);
    if (ctx->principal)
        memcpy(binding.user, ctx->principal->user.bytes, sizeof binding.user);
    enum comb_status status = comb_sha256(query, binding.query, err);
    if (status == COMB_OK)
        status = comb_sha256(ctx->method, binding.method, err);
    if (status == COMB_OK)
        *ret_binding = binding;
    return status;
}

enum comb_status comb_page_token_seal(struct comb_sealer *sealer, struct comb_ctx *ctx,
                                      comb_str query, comb_str state, char **ret_token,
                                      struct comb_error *err)
{
    struct binding binding;
    comb_str sealed;
    if (state.len > STATE_BYTES_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "page state of %zu bytes", state.len);
    enum comb_status status = bind_token(sealer, ctx, query, &binding, err);
    if (status == COMB_OK)
        status = comb_seal(ctx->arena, sealer->key, state, comb_str_of(&binding, sizeof binding),
                           &sealed, err);
    if (status != COMB_OK)
        return status;
    char *token = comb_base64url_encode(ctx->arena, sealed);
    if (!token)
        return comb_error_no_memory(err);
    *ret_token = token;
    return COMB_OK;
}

static enum comb_status token_invalid(struct comb_error *err)
{
    return comb_error_set_subject(
        err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_PAGE_TOKEN_INVALID, "page_token",
        "page_token: not the next_page_token of a page of this very query by this caller; begin "
        "again without one");
}

enum comb_status comb_page_token_open(struct comb_sealer *sealer, struct comb_ctx *ctx,
                                      comb_str query, const char *token, comb_str *ret_state,
                                      struct comb_error *err)
{
    struct binding binding;
    comb_str sealed, text = comb_str_from(token);
    if (comb_str_is_empty(text)) {
        *ret_state = (comb_str){0};
        return COMB_OK;
    }
    if (text.len > TOKEN_BYTES_MAX || !comb_base64url_decode(ctx->arena, text, &sealed))
        return token_invalid(err);
    enum comb_status status = bind_token(sealer, ctx, query, &binding, err);
    if (status != COMB_OK)
        return status;
    status = comb_seal_open(ctx->arena, sealer->key, sealed, comb_str_of(&binding, sizeof binding),
                            ret_state, err);
    return status == COMB_INVALID_ARGUMENT ? token_invalid(err) : status;
}

enum comb_status comb_sealer_new(struct comb_vault *vault, struct comb_ctx *ctx,
                                 uint64_t incarnation, struct comb_sealer **ret_sealer,
                                 struct comb_error *err)
{
    uint32_t version = 0;
    struct comb_sealer *sealer = comb_memory_zalloc(sizeof *sealer);
    if (!sealer)
        return comb_error_no_memory(err);
    enum comb_status status = comb_vault_key(vault, ctx, STR(KEY_NAME), sealer->key, &version, err);
    if (status != COMB_OK) {
        comb_memory_free(sealer);
        return status;
    }
    atomic_init(&sealer->incarnation, incarnation);
    *ret_sealer = sealer;
    return COMB_OK;
}

void comb_sealer_set_incarnation(struct comb_sealer *sealer, uint64_t incarnation)
{
    atomic_store_explicit(&sealer->incarnation, incarnation, memory_order_relaxed);
}

void comb_sealer_free(struct comb_sealer *sealer)
{
    if (!sealer)
        return;
    comb_memory_wipe(sealer, sizeof *sealer);
    comb_memory_free(sealer);
}
