/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Events: from messages to the domain and back. */
#ifndef COMB_EVENTS_RPC_H
#define COMB_EVENTS_RPC_H

#include "server/events/event_service.h"
#include "server/rpc/rpc.h"

/* Adds the service to the server, before it starts. service lives longer than the server. */
enum comb_status comb_events_rpc_register(struct grpcc_server *server,
                                          struct comb_event_service *service,
                                          struct comb_error *err) COMB_MUST_CHECK;

#endif
