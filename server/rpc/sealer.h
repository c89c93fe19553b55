/* SPDX-License-Identifier: Apache-2.0 */
/* Makes what page tokens are sealed with; used through comb_page_token_seal() and _open(). */
#ifndef COMB_RPC_SEALER_H
#define COMB_RPC_SEALER_H

#include "server/rpc/rpc.h"
#include "server/vault/vault_driver.h"

/* The key is the vault's "page-tokens", made at first use. Blocks. */
enum comb_status comb_sealer_new(struct comb_vault *vault, struct comb_ctx *ctx,
                                 uint64_t incarnation, struct comb_sealer **ret_sealer,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* The sql store has another incarnation from now on: tokens from before are refused. Any thread. */
void comb_sealer_set_incarnation(struct comb_sealer *sealer, uint64_t incarnation);
/* Wipes the key. NULL is fine. */
void comb_sealer_free(struct comb_sealer *sealer);

#endif
