/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/sqlite/sqlite_error.h"

#include <stddef.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sql_driver.h"

const char comb_sqlite_domain[] = "sql.sqlite";

struct row {
    int code; /* primary */
    enum comb_status status;
    int reason;
    bool retryable;
    bool fatal;
    const char *text;
};

static const struct row table[] = {
    {SQLITE_BUSY, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true, false,
     "another program holds the database's lock"},
    {SQLITE_LOCKED, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true, false,
     "a table of the database is locked"},
    {SQLITE_NOMEM, COMB_RESOURCE_EXHAUSTED, 0, true, false, "the store is out of memory"},
    {SQLITE_FULL, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, true, false,
     "the disk of the database is full: make room there"},
    {SQLITE_TOOBIG, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE, false, false,
     "a value is larger than the store takes"},
    {SQLITE_IOERR, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true, true,
     "the disk of the database fails"},
    {SQLITE_CANTOPEN, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true, true,
     "the database cannot be opened"},
    {SQLITE_PROTOCOL, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true, true,
     "the locks of the database are in disorder"},
    {SQLITE_INTERRUPT, COMB_DEADLINE_EXCEEDED, 0, false, false,
     "the deadline passed while the store was at work"},
    {SQLITE_READONLY, COMB_FAILED_PRECONDITION, 0, false, true,
     "the database cannot be written: its file or folder is read-only for this user"},
    {SQLITE_PERM, COMB_FAILED_PRECONDITION, 0, false, true, "this user may not open the database"},
    {SQLITE_CORRUPT, COMB_DATA_LOSS, 0, false, true, "the database is damaged"},
    {SQLITE_NOTADB, COMB_FAILED_PRECONDITION, 0, false, true, "the file is not a database"},
};

static const struct row *find(int code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == (code & 0xFF))
            return &table[i];
    }
    return NULL;
}

bool comb_sqlite_is_constraint(int code)
{
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
           code == SQLITE_CONSTRAINT_ROWID || code == SQLITE_CONSTRAINT_FOREIGNKEY;
}

bool comb_sqlite_is_fatal(int code)
{
    const struct row *row = find(code);
    return row && row->fatal;
}

enum comb_status comb_sqlite_error(struct comb_error *err, int code, sqlite3 *db)
{
    const struct row *row = find(code);
    enum comb_status status;
    if (row)
        status = comb_error_set(err, row->status, row->reason, "%s", row->text);
    else if (code == SQLITE_CONSTRAINT_TRIGGER)
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                COMB_SQL_FENCED_TEXT);
    else if (comb_sqlite_is_constraint(code))
        status = comb_error_set(err, COMB_ALREADY_EXISTS, 0, "a value is taken already");
    else
        status = comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, "%s",
                                db && sqlite3_extended_errcode(db) == code ? sqlite3_errmsg(db)
                                                                           : sqlite3_errstr(code));
    if (err) {
        err->domain = comb_sqlite_domain;
        err->native = code;
        err->retryable = row && row->retryable;
    }
    return status;
}
