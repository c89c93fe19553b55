/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sql row knows of its own moving: the table move_state. A store that is being filled is not
 * served from; one that has been fenced takes no changes, whichever replica they come from, since
 * triggers in the store itself refuse them.
 */
#ifndef COMB_MOVE_STATE_H
#define COMB_MOVE_STATE_H

#include "server/backend/sql/sql.h"

/* Where a row goes, or what a store is filled from; bytes. */
#define COMB_MOVE_OTHER_BYTES_MAX 1024

enum comb_move_phase {
    COMB_MOVE_NONE = 0,
    COMB_MOVE_FENCED = 1,  /* a row is being moved to another store */
    COMB_MOVE_FILLING = 2, /* this store is being filled */
    COMB_MOVE_MOVED = 3,   /* the row is whole in the other store, and still fenced here */
};

struct comb_move_state {
    enum comb_move_phase phase;
    char row[16];                          /* FENCED, MOVED: which one moves */
    char other[COMB_MOVE_OTHER_BYTES_MAX]; /* FENCED, MOVED: its new URL; FILLING: what from */
};

/* The table move_state, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_move_schemas[];

enum comb_status comb_move_state_get(struct comb_sql *sql, struct comb_ctx *ctx,
                                     struct comb_move_state *ret_state,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* UNAVAILABLE while a row is being moved: for changes that no table shows, of other rows. */
enum comb_status comb_move_state_may_change(struct comb_sql *sql, struct comb_ctx *ctx,
                                            struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_move_state_set(struct comb_sql *sql, struct comb_ctx *ctx,
                                     const struct comb_move_state *state,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* FAILED_PRECONDITION, with what to do, where the store is being filled: for the start. */
enum comb_status comb_move_state_check(struct comb_sql *sql, struct comb_ctx *ctx,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* From when it returns OK on all changes of what is copied end with UNAVAILABLE, those that were
 * under way too; log-ins go on. Repeatable. Blocks, a few seconds under load. */
enum comb_status comb_move_fence(struct comb_sql *sql, struct comb_error *err) COMB_MUST_CHECK;
/* The contrary. Repeatable. */
enum comb_status comb_move_unfence(struct comb_sql *sql, struct comb_error *err) COMB_MUST_CHECK;

#endif
