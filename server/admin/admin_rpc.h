/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Admin on the admin listener. */
#ifndef COMB_ADMIN_RPC_H
#define COMB_ADMIN_RPC_H

#include "grpcc/server.h"
#include "server/admin/admin.h"
#include "server/core/error.h"

/* admin must live as long as the server. */
enum comb_status comb_admin_rpc_register(struct grpcc_server *server, struct comb_admin *admin,
                                         struct comb_error *err) COMB_MUST_CHECK;

#endif
