/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that have been verified, by their hash, until they expire or the feed tells of a change of
 * their user or of themselves. Bounded. Threads: any.
 */
#ifndef COMB_AUTH_REMEMBERED_H
#define COMB_AUTH_REMEMBERED_H

#include "server/core/ctx.h"

struct auth_remembered;

enum comb_status auth_remembered_new(size_t max, struct auth_remembered **ret_remembered,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void auth_remembered_free(struct auth_remembered *remembered);

/* How many forgettings there have been: to be read before what is then added is read. */
uint64_t auth_remembered_era(struct auth_remembered *remembered);
/* Remembers a principal, unless something has been forgotten since era was read: then what was read
 * may be older than that. */
void auth_remembered_add(struct auth_remembered *remembered, comb_str bearer,
                         const struct comb_principal *principal, uint64_t era);
/* A copy in arena; NULL: not known, expired, or no room. */
const struct comb_principal *auth_remembered_find(struct auth_remembered *remembered,
                                                  struct grpcc_arena *arena, comb_str bearer);
/* Everything of this user, or this token; NULL: of everybody. */
void auth_remembered_forget(struct auth_remembered *remembered, const struct comb_uuid *id);

#endif
