/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes as they are stored with a token, and what a new token may have of those of another. */
#ifndef COMB_AUTH_TOKEN_SCOPES_H
#define COMB_AUTH_TOKEN_SCOPES_H

#include "server/core/ctx.h"
#include "server/facts/facts.h"

/* "" for none. In arena. */
enum comb_status auth_scopes_pack(struct grpcc_arena *arena, const struct comb_scope *scopes,
                                  size_t n, comb_str *ret_packed,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* DATA_LOSS where packed is not what auth_scopes_pack() makes: a token that cannot be read must not
 * reach everything. */
enum comb_status auth_scopes_unpack(struct grpcc_arena *arena, comb_str packed,
                                    const struct comb_scope **ret_scopes, size_t *ret_n,
                                    struct comb_error *err) COMB_MUST_CHECK;
/*
 * Whether scopes (n of them, 0: everything) reach all that `asked` does. chain: of asked's node;
 * NULL where that is the whole tree.
 */
bool auth_scopes_cover(const struct comb_scope *scopes, size_t n, const struct comb_scope *asked,
                       const struct comb_fact_chain *chain);

#endif
