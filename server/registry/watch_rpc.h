/* SPDX-License-Identifier: Apache-2.0 */
/* Registry.Watch. For server/registry alone. */
#ifndef COMB_REGISTRY_WATCH_RPC_H
#define COMB_REGISTRY_WATCH_RPC_H

#include "server/registry/registry_rpc.h"

/* Watches that one replica serves at a time. */
#define COMB_REGISTRY_WATCHES_MAX 1000

enum comb_status comb_registry_watches_new(struct comb_directory *directory,
                                           struct comb_registry_watches **ret_watches,
                                           struct comb_error *err) COMB_MUST_CHECK;
void comb_registry_watches_drain(struct comb_registry_watches *watches);
/* Ends all watches, waits, frees. NULL is fine. */
void comb_registry_watches_free(struct comb_registry_watches *watches);

/* Takes the call. */
void comb_registry_watches_add(struct comb_registry_watches *watches, struct grpcc_call *call,
                               const struct comb_v1_registry_watch_request *request);

/* The message of an entry, in arena. DATA_LOSS: its body is none. */
enum comb_status comb_registry_message(struct grpcc_arena *arena,
                                       const struct comb_registry_entry *entry,
                                       struct comb_v1_registry_entry **ret_message,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
