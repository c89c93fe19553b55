/* SPDX-License-Identifier: Apache-2.0 */
/* What drivers of the sql row share, and who builds on their results. */
#ifndef COMB_BACKEND_SQL_DRIVER_H
#define COMB_BACKEND_SQL_DRIVER_H

#include "grpcc/arena.h"
#include "server/backend/sql/sql.h"

/* Bytes of a request's statements and results together. */
#define COMB_SQL_REQUEST_BYTES_MAX (16u << 20)

/* What a write is told that a trigger of server/move refuses: the only triggers that there are. */
#define COMB_SQL_FENCED_TEXT                                                                       \
    "the installation is being moved: what is there is served, and changes are refused until "     \
    "that "                                                                                        \
    "is done"

/*
 * What stands behind the result that a driver gives to done; it lives in the arena itself. A done
 * that wants to keep the result takes the arena; the driver frees what has not been taken once done
 * has returned.
 */
struct comb_sql_reply {
    struct comb_sql_result result; /* the first member: a result is a reply */
    struct grpcc_arena **arena;    /* the driver's variable, outside of the arena */
};

/* Inside a done only: moves the result's memory to the caller, who frees the arena. */
static inline struct grpcc_arena *comb_sql_result_take(const struct comb_sql_result *result)
{
    struct comb_sql_reply *reply = (struct comb_sql_reply *)(uintptr_t)result;
    struct grpcc_arena *arena = *reply->arena;
    *reply->arena = NULL;
    return arena;
}

/* A deep copy of statements with parameters and their bytes, texts excepted; NULL: no room. */
struct comb_sql_statement *comb_sql_copy_statements(struct grpcc_arena *arena,
                                                    const struct comb_sql_statement *statements,
                                                    size_t n) COMB_MUST_CHECK;

#endif
