/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of comb.v1.Admin about backups. */
#ifndef COMB_MOVE_RPC_H
#define COMB_MOVE_RPC_H

#include "server/move/backup.h"

struct comb_v1_admin_backup_request;
struct grpcc_call;

struct comb_move_rpc {
    struct comb_backup_rows rows;
};

/* self: struct comb_move_rpc. */
void comb_move_rpc_backup(void *self, struct grpcc_call *call,
                          const struct comb_v1_admin_backup_request *request);

#endif
