/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Registry: messages to and from the directory. */
#ifndef COMB_REGISTRY_RPC_H
#define COMB_REGISTRY_RPC_H

#include "comb/v1/registry.grpcc.h"
#include "grpcc/server.h"
#include "server/registry/directory.h"
#include "server/rpc/rpc.h"

struct comb_registry_watches;

struct comb_registry_rpc {
    struct comb_directory *directory;
    struct comb_sealer *sealer;
    struct comb_registry_watches *watches;
};

/* Begins what serves the watches; directory and sealer must live until _done. */
enum comb_status comb_registry_rpc_init(struct comb_registry_rpc *rpc,
                                        struct comb_directory *directory,
                                        struct comb_sealer *sealer,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Ends all watches with UNAVAILABLE, DRAINING, and lets no new one begin. Fine before _init. */
void comb_registry_rpc_drain(struct comb_registry_rpc *rpc);
/* Drains and waits. No call may be running but watches. Fine before _init. */
void comb_registry_rpc_done(struct comb_registry_rpc *rpc);

/* Adds the service; rpc must live until the server is freed. */
enum comb_status comb_registry_rpc_register(struct grpcc_server *server,
                                            struct comb_registry_rpc *rpc,
                                            struct comb_error *err) COMB_MUST_CHECK;

/* An entry's message as the body that the row keeps, in arena; ptr NULL: no room. */
comb_str comb_registry_body(struct grpcc_arena *arena, const struct comb_v1_registry_entry *entry);

#endif
