/* SPDX-License-Identifier: Apache-2.0 */
/* `comb admin move-row`: a row into another store, while what it holds is served (docs/move.md). */
#ifndef COMB_MOVER_H
#define COMB_MOVER_H

#include <stdatomic.h>

#include "server/move/backup.h"
#include "server/rows.h"

struct comb_v1_admin_move_row_request;
struct grpcc_call;

struct comb_mover {
    const struct comb_rows *rows; /* borrowed, as what follows */
    struct comb_backup_rows open;
    atomic_bool busy; /* one at a time */
};

/* The method MoveRow of comb.v1.Admin. self: struct comb_mover. */
void comb_mover_rpc(void *self, struct grpcc_call *call,
                    const struct comb_v1_admin_move_row_request *request);

/*
 * At a start: where a row was moved, and this server has the new store, changes are taken again;
 * where it has the old one, the log says so. FAILED_PRECONDITION: the new store is not whole.
 */
enum comb_status comb_mover_settle(const struct comb_rows *rows, struct comb_sql *sql,
                                   struct comb_ctx *ctx, struct comb_error *err) COMB_MUST_CHECK;

#endif
