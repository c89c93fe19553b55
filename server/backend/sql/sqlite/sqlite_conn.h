/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of one thread, with its prepared statements, and the execution of a request's
 * statements on it.
 */
#ifndef COMB_SQLITE_CONN_H
#define COMB_SQLITE_CONN_H

#include <sqlite3.h>

#include "server/backend/sql/sql_driver.h"

/* Slots of the table of prepared statements, a power of two; it is emptied where three quarters are
 * taken, which no fixed set of statements does. */
#define COMB_SQLITE_STATEMENTS 1024

struct comb_sqlite_conn {
    sqlite3 *db; /* NULL: not open */
    size_t n_prepared;
    int wal_frames;        /* in the log after the last commit of this connection */
    int checkpoint_frames; /* in the log when it was last moved into the database */
    struct {
        const char *text;
        sqlite3_stmt *statement;
    } prepared[COMB_SQLITE_STATEMENTS];
};

enum comb_sqlite_role { COMB_SQLITE_WRITER, COMB_SQLITE_READER };

/* Opens the file, which exists. Errors: those of the table in sqlite_error.c. */
enum comb_status comb_sqlite_conn_open(struct comb_sqlite_conn *conn, const char *path,
                                       enum comb_sqlite_role role,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* A connection that is not open is fine. */
void comb_sqlite_conn_close(struct comb_sqlite_conn *conn);

/* Forgets all prepared statements. */
void comb_sqlite_conn_forget(struct comb_sqlite_conn *conn);

/* Runs a statement without parameters and results: BEGIN and its like. An extended code. */
int comb_sqlite_conn_do(struct comb_sqlite_conn *conn, const char *text) COMB_MUST_CHECK;

/*
 * Runs the statements in order, in whatever transaction is open, until one fails. reply->result
 * describes what has run, in *reply->arena. Returns OK, ABORTED (a guard), ALREADY_EXISTS (a
 * constraint), or an error, and SQLite's code in *ret_code: OK where SQLite is not at fault.
 */
enum comb_status comb_sqlite_execute(struct comb_sqlite_conn *conn,
                                     const struct comb_sql_statement *statements, size_t n,
                                     struct comb_sql_reply *reply, int *ret_code,
                                     struct comb_error *err) COMB_MUST_CHECK;

#endif
