/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords, kept as Argon2id (RFC 9106) in its usual text form,
 * "$argon2id$v=19$m=…,t=…,p=…$SALT$HASH".
 *
 * A hash takes COMB_PASSWORD_MEMORY_KIB of memory and tens of milliseconds. So only a few run at
 * once, the others wait their turn within their deadline; the memory goes back to the kernel after
 * each. Threads: any.
 */
#ifndef COMB_IDENTITY_PASSWORD_H
#define COMB_IDENTITY_PASSWORD_H

#include "server/core/ctx.h"

/* The parameters of new hashes; those of old ones are read from their text. */
#define COMB_PASSWORD_MEMORY_KIB 19456
#define COMB_PASSWORD_PASSES 2
#define COMB_PASSWORD_LANES 1
/* More memory or passes than this are not spent on a stored text: it is damaged. */
#define COMB_PASSWORD_MEMORY_MAX_KIB (256 * 1024)
#define COMB_PASSWORD_PASSES_MAX 16

/* Hashes at once, and calls that wait for their turn, at most. */
#define COMB_PASSWORD_PARALLEL_MAX 2
#define COMB_PASSWORD_WAITERS_MAX 64
/* Shortest password as typed; the longest is COMB_PASSWORD_BYTES_MAX. */
#define COMB_PASSWORD_BYTES_MIN 8

/* INVALID_ARGUMENT about field: too short, too long, not UTF-8. */
enum comb_status comb_password_check(comb_str password, const char *field,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* *ret_text in ctx->arena. UNAVAILABLE, OVERLOADED: too many wait. DEADLINE_EXCEEDED. */
enum comb_status comb_password_hash(struct comb_ctx *ctx, comb_str password, comb_str *ret_text,
                                    struct comb_error *err) COMB_MUST_CHECK;

/*
 * Whether password is the one that text was made of. An empty or unreadable text costs as much as
 * any and matches nothing: whoever measures learns not whether there is one.
 */
enum comb_status comb_password_verify(struct comb_ctx *ctx, comb_str text, comb_str password,
                                      bool *ret_matches, struct comb_error *err) COMB_MUST_CHECK;

#endif
