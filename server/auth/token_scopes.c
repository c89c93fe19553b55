/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/token_scopes.h"

#include <string.h>

#include "comb/v1/node.grpcc.h"
#include "server/core/limits.h"

/* A scope in store: the node's id, then one byte of rights. */
#define PACKED_SIZE (sizeof(struct comb_uuid) + 1)

enum comb_status auth_scopes_pack(struct grpcc_arena *arena, const struct comb_scope *scopes,
                                  size_t n, comb_str *ret_packed, struct comb_error *err)
{
    uint8_t *packed = grpcc_arena_alloc(arena, n * PACKED_SIZE);
    if (!packed)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        memcpy(packed + i * PACKED_SIZE, scopes[i].node.bytes, sizeof scopes[i].node.bytes);
        packed[i * PACKED_SIZE + PACKED_SIZE - 1] = (uint8_t)scopes[i].rights;
    }
    *ret_packed = comb_str_of(packed, n * PACKED_SIZE);
    return COMB_OK;
}

enum comb_status auth_scopes_unpack(struct grpcc_arena *arena, comb_str packed,
                                    const struct comb_scope **ret_scopes, size_t *ret_n,
                                    struct comb_error *err)
{
    size_t n = packed.len / PACKED_SIZE;
    if (packed.len % PACKED_SIZE != 0 || n > COMB_TOKEN_SCOPES_MAX)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the scopes of a token cannot be read");
    struct comb_scope *scopes = grpcc_arena_calloc(arena, n, sizeof *scopes);
    if (!scopes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *at = packed.ptr + i * PACKED_SIZE;
        memcpy(scopes[i].node.bytes, at, sizeof scopes[i].node.bytes);
        scopes[i].rights = (uint8_t)at[PACKED_SIZE - 1];
        if (scopes[i].rights < COMB_V1_RIGHTS_READ || scopes[i].rights > COMB_V1_RIGHTS_READ_WRITE)
            return comb_error_set(err, COMB_DATA_LOSS, 0, "the scopes of a token cannot be read");
    }
    *ret_scopes = scopes;
    *ret_n = n;
    return COMB_OK;
}

static bool holds(const struct comb_scope *scope, const struct comb_fact_chain *chain)
{
    if (comb_uuid_is_nil(&scope->node))
        return true;
    for (size_t i = 0; chain && i < chain->n_links; i++) {
        if (comb_uuid_equal(&chain->links[i].node->id, &scope->node))
            return true;
    }
    return false;
}

bool auth_scopes_cover(const struct comb_scope *scopes, size_t n, const struct comb_scope *asked,
                       const struct comb_fact_chain *chain)
{
    uint32_t rights = 0;
    /* Several add up: READ here and WRITE there are both, where both reach. */
    for (size_t i = 0; i < n; i++) {
        if (holds(&scopes[i], chain))
            rights |= scopes[i].rights;
    }
    return n == 0 || (asked->rights & ~rights) == 0;
}
