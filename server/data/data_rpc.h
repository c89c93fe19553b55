/* SPDX-License-Identifier: Apache-2.0 */
/* The service comb.v1.Data: converts between messages and the domain. */
#ifndef COMB_DATA_RPC_H
#define COMB_DATA_RPC_H

#include "grpcc/server.h"
#include "server/core/error.h"

struct comb_data;

/* data is borrowed, and outlives the server. Before grpcc_server_start(). */
enum comb_status comb_data_rpc_register(struct grpcc_server *server, struct comb_data *data,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
