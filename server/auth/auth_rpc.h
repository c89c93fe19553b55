/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Auth: from messages to the domain and back. */
#ifndef COMB_AUTH_RPC_H
#define COMB_AUTH_RPC_H

#include "server/auth/auth.h"
#include "server/rpc/rpc.h"

/* Adds the service to the server, before it starts; auth outlives it. */
enum comb_status comb_auth_rpc_register(struct grpcc_server *server, struct comb_auth *auth,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
