/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header comb-token: a position in the order of all changes, as text. Opaque to clients; ours
 * alone to read. Form: "1-INCARNATION-SEQUENCE", numbers in hex; a request may hold several,
 * separated by commas.
 */
#ifndef COMB_RPC_CONSISTENCY_TOKEN_H
#define COMB_RPC_CONSISTENCY_TOKEN_H

#include "server/core/ctx.h"

#define COMB_TOKEN_HEADER "comb-token"
/* Tokens in one header at most, and the longest text of one. */
#define COMB_TOKENS_MAX 8
#define COMB_TOKEN_TEXT_MAX 40

/* Writes the token of position and returns its length. */
size_t comb_consistency_token_format(struct comb_position position,
                                     char ret_text[COMB_TOKEN_TEXT_MAX]);

/*
 * Reads a header: the newest position of `incarnation` among its tokens. *ret_foreign says that one
 * of another incarnation was there: its holder has seen a history that this store does not have.
 * INVALID_ARGUMENT (TOKEN_HEADER_INVALID) for anything that was not made by _format.
 */
enum comb_status comb_consistency_token_parse(comb_str header, uint64_t incarnation,
                                              struct comb_position *ret_position, bool *ret_foreign,
                                              struct comb_error *err) COMB_MUST_CHECK;

#endif
