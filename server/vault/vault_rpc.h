/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Vault: messages to and from the vault row and its keys. */
#ifndef COMB_VAULT_RPC_H
#define COMB_VAULT_RPC_H

#include "grpcc/server.h"
#include "server/rpc/rpc.h"
#include "server/vault/vault_driver.h"

struct comb_vault_rpc {
    struct comb_vault *vault;
    struct comb_sealer *sealer;
    struct comb_mutations *mutations; /* keeps the ids of requests */
};

/* Adds the service; rpc must live until the server is freed. */
enum comb_status comb_vault_rpc_register(struct grpcc_server *server, struct comb_vault_rpc *rpc,
                                         struct comb_error *err) COMB_MUST_CHECK;

#endif
