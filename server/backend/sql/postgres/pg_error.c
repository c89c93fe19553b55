/* SPDX-License-Identifier: Apache-2.0 */
/* The table of PostgreSQL's SQLSTATEs. Source: PostgreSQL 15, appendix A, "Error Codes". */
#include <stdlib.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/postgres.h"

const char comb_pg_domain[] = "sql.postgres";

struct row {
    const char *state; /* five characters, or a class of two */
    enum comb_pg_verdict verdict;
    enum comb_status status;
    int reason;
    bool retryable;
    const char *text; /* NULL: the store's own words */
};

enum {
    DOWN = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
    FULL = COMB_V1_ERROR_REASON_STORE_FULL,
    LARGE = COMB_V1_ERROR_REASON_TOO_LARGE
};

/* The first row that fits counts: states before their classes. */
static const struct row table[] = {
    {"CG001", COMB_PG_GUARD, COMB_ABORTED, 0, true, "what the decision rested on has changed"},
    {"CF001", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, false, COMB_SQL_FENCED_TEXT},
    {"23505", COMB_PG_CONSTRAINT, COMB_ALREADY_EXISTS, 0, false, "a value is taken already"},
    {"23503", COMB_PG_CONSTRAINT, COMB_ALREADY_EXISTS, 0, false, "a reference does not hold"},
    /* A statement that was prepared before its tables changed, or in a session that is gone. */
    {"0A000", COMB_PG_FORGET, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, false, NULL},
    {"26000", COMB_PG_FORGET, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, false, NULL},
    {"42P05", COMB_PG_FORGET, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, false, NULL},
    {"40001", COMB_PG_AGAIN, COMB_UNAVAILABLE, DOWN, true, "others changed the same rows"},
    {"40P01", COMB_PG_AGAIN, COMB_UNAVAILABLE, DOWN, true, "others held each other's locks"},
    {"55P03", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, true,
     "another change holds the lock: repeat this one"},
    {"57014", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, true, "the database ended the statement"},
    {"25006", COMB_PG_FAIL, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, false, NULL},
    {"08P01", COMB_PG_FAIL, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, false, NULL},
    {"53100", COMB_PG_FAIL, COMB_RESOURCE_EXHAUSTED, FULL, true,
     "the disk of the database is full: make room there"},
    {"53200", COMB_PG_FAIL, COMB_RESOURCE_EXHAUSTED, 0, true, "the database is out of memory"},
    {"53300", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, true,
     "the database takes no more connections: raise its max_connections"},
    {"54000", COMB_PG_FAIL, COMB_RESOURCE_EXHAUSTED, LARGE, false,
     "a value is larger than the store takes"},
    {"28P01", COMB_PG_FAIL, COMB_FAILED_PRECONDITION, 0, false,
     "the database refuses the password"},
    {"28000", COMB_PG_FAIL, COMB_FAILED_PRECONDITION, 0, false, "the database refuses the user"},
    {"3D000", COMB_PG_FAIL, COMB_FAILED_PRECONDITION, 0, false,
     "the database does not exist: create it, or name another one in the URL"},
    {"42501", COMB_PG_FAIL, COMB_FAILED_PRECONDITION, 0, false,
     "the database's user may not do this: make it the owner of its schema"},
    {"XX001", COMB_PG_FAIL, COMB_DATA_LOSS, 0, false, "the database is damaged"},
    {"XX002", COMB_PG_FAIL, COMB_DATA_LOSS, 0, false, "the database is damaged"},
    {"08", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, true, "the connection to the database is lost"},
    {"57", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, true, "the database is shutting down or starting"},
    {"58", COMB_PG_FAIL, COMB_UNAVAILABLE, DOWN, true, "the disk of the database fails"},
};

static const struct row *find(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strncmp(table[i].state, sqlstate, strlen(table[i].state)) == 0)
            return &table[i];
    }
    return NULL;
}

enum comb_pg_verdict comb_pg_judge(const char *sqlstate, const char *message,
                                   struct comb_error *err)
{
    const struct row *row = find(sqlstate);
    if (row)
        comb_error_set(err, row->status, row->reason, "%s", row->text ? row->text : message);
    else
        comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, "%s (SQLSTATE %s)",
                       message, sqlstate);
    err->domain = comb_pg_domain;
    err->native = strtol(sqlstate, NULL, 36);
    err->retryable = row && row->retryable;
    if (err->retryable && row->status == COMB_UNAVAILABLE)
        err->retry_ms = COMB_PG_AWAY_MS;
    return row ? row->verdict : COMB_PG_FAIL;
}

enum comb_status comb_pg_unreachable(struct comb_error *err, const char *why)
{
    size_t len = strcspn(why, "\n");
    comb_error_set(err, COMB_UNAVAILABLE, DOWN, "the database cannot be reached: %.*s", (int)len,
                   why);
    if (err) {
        err->domain = comb_pg_domain;
        err->retryable = true;
        err->retry_ms = COMB_PG_AWAY_MS;
    }
    return COMB_UNAVAILABLE;
}
