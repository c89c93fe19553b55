/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sql row's connection layer: statements in, rows out, asynchronous. It knows no domain.
 *
 * A request is a list of statements that run in order and all or none. Reads run on a pool of
 * readers, each request on one snapshot. Writes are queued: on SQLite one writer takes all that is
 * queued, a savepoint per request, and commits them as one durable group; nobody is answered before
 * the commit is durable. A PostgreSQL driver sends them through pipelines of their kind.
 *
 * A statement marked `guard` repeats in SQL what a decision rested on: if it neither changes nor
 * returns a row, the request writes nothing and ends with ABORTED and result.guard_failed >= 0:
 * decide again, in a new request.
 */
#ifndef COMB_BACKEND_SQL_H
#define COMB_BACKEND_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/ctx.h"
#include "server/core/store.h"

struct comb_sql;

enum comb_sql_type {
    COMB_SQL_NULL = 0,
    COMB_SQL_INTEGER,
    COMB_SQL_REAL,
    COMB_SQL_TEXT,
    COMB_SQL_BLOB
};

struct comb_sql_value {
    enum comb_sql_type type;
    int64_t integer;
    double real;
    comb_str bytes; /* TEXT and BLOB */
};

static inline struct comb_sql_value comb_sql_null(void)
{
    return (struct comb_sql_value){.type = COMB_SQL_NULL};
}
static inline struct comb_sql_value comb_sql_integer(int64_t value)
{
    return (struct comb_sql_value){.type = COMB_SQL_INTEGER, .integer = value};
}
static inline struct comb_sql_value comb_sql_real(double value)
{
    return (struct comb_sql_value){.type = COMB_SQL_REAL, .real = value};
}
static inline struct comb_sql_value comb_sql_text(comb_str value)
{
    return (struct comb_sql_value){.type = COMB_SQL_TEXT, .bytes = value};
}
static inline struct comb_sql_value comb_sql_blob(comb_str value)
{
    return (struct comb_sql_value){.type = COMB_SQL_BLOB, .bytes = value};
}
static inline struct comb_sql_value comb_sql_uuid(const struct comb_uuid *id)
{
    return comb_sql_blob(comb_uuid_bytes(id));
}

struct comb_sql_statement {
    const char *text; /* in the store's dialect, parameters ?1 ?2 …; static storage: its address is
                         the key of the prepared one */
    const struct comb_sql_value *params;
    size_t n_params;
    bool guard;
};

enum comb_sql_kind {
    COMB_SQL_READ = 0, /* a point read */
    COMB_SQL_SCAN,     /* a page or a walk: kept apart, so that it delays no point read */
    COMB_SQL_WRITE,
    COMB_SQL_WRITE_LOCKED, /* a write under the advisory lock `lock`; on SQLite, with its one
                              writer, the same as WRITE */
    COMB_SQL_POLL,         /* the poll of the caches: never waits behind others */
    COMB_SQL_HEARTBEAT     /* the write that goes with a poll: counted as one, not as a write */
};

/* Largest number of rows that all statements of one request may return together. */
#define COMB_SQL_ROWS_MAX 10000
/* Largest number of statements in one request. */
#define COMB_SQL_STATEMENTS_MAX 64

struct comb_sql_request {
    enum comb_sql_kind kind;
    int lock; /* WRITE_LOCKED: which lock */
    const struct comb_sql_statement *statements;
    size_t n_statements;
};

struct comb_sql_rows {
    size_t n_rows, n_columns;            /* n_columns: 0 where there is no row */
    const struct comb_sql_value *values; /* row by row */
    int64_t changes;                     /* rows that a write changed */
};

struct comb_sql_result {
    const struct comb_sql_rows *rows; /* one for each statement */
    size_t n_rows;                    /* number of statements that have run */
    int guard_failed;                 /* index of the guard that did not hold; -1: none */
    int constraint_failed; /* index of the statement that violated UNIQUE or a foreign key; -1: none
                            */
    /* Of a write, where the store numbers its snapshots: the number of one that was taken once the
     * write was durable, so all with that number or a higher one see it. 0: the store does not. */
    uint64_t after;
};

static inline const struct comb_sql_value *comb_sql_at(const struct comb_sql_rows *rows, size_t row,
                                                       size_t column)
{
    return &rows->values[row * rows->n_columns + column];
}

/*
 * Called exactly once for each submit, on a thread of the store, also on deadline, on close and on
 * failure; it must not block. Only what is refused at the door (a passed deadline, a full queue, no
 * memory, a store that is being closed, a request that breaks the limits) ends on the caller's own
 * thread, before submit returns. result is NULL unless status is OK, or ABORTED by a guard, or
 * ALREADY_EXISTS by a constraint; it lives until done returns. A deadline ends the wait, not the
 * write: DEADLINE_EXCEEDED of a write that may have happened has err->ambiguous.
 */
typedef void (*comb_sql_done)(void *data, enum comb_status status,
                              const struct comb_sql_result *result, const struct comb_error *err);

struct comb_sql_info {
    const char *driver;     /* "sqlite" */
    char store[64];         /* "SQLite 3.40.1" */
    bool shared;            /* other processes may use the store at the same time */
    uint64_t incarnation;   /* of this installation's history; changes when it is restored from a
                               copy, and   grows when a standby is promoted */
    uint64_t history_since; /* the oldest incarnation of the same history */
    bool
        copied; /* it lies in another server than its history was written by: comb_sql_begin_anew */
    struct comb_uuid installation;
};

struct comb_sql_stats {
    uint64_t reads, writes, commits, polls,
        retries; /* requests; durable commits; requests run again after a lost transaction */
};

/*
 * A step of the schema. Applied in order of (area, version), each in a transaction of its own
 * together with its record. A release adds one step to an area at the most, and the statements of
 * the release before work on what it made (docs/upgrade.md).
 */
struct comb_sql_migration {
    const char *area; /* "tree" */
    int version;      /* 1, 2, … */
    const char *text; /* statements, separated by ";" */
};

/* Steps of an area that a program need not know: those of the release after its own, which another
 * replica may have applied. A store with more of them is refused. */
#define COMB_SQL_STEPS_AHEAD_MAX 1

/* What an area has for one driver of the row. */
struct comb_sql_schema {
    const char *driver; /* comb_sql_info.driver */
    const struct comb_sql_migration *steps;
    size_t n_steps;
    const void *dialect; /* the area's statements, of a type that it alone knows; NULL: none */
};

struct comb_sql_snapshot;

struct comb_sql_driver {
    const char *name; /* the URL's scheme: "sqlite" */
    uint32_t caps;
    /* See comb_sql_submit. Any thread; never blocks but for the lock of its queue. */
    void (*submit)(struct comb_sql *self, const struct comb_ctx *ctx,
                   const struct comb_sql_request *request, comb_sql_done done, void *data);
    enum comb_status (*migrate)(struct comb_sql *self, const struct comb_sql_migration *migrations,
                                size_t n, struct comb_error *err);
    void (*info)(struct comb_sql *self, struct comb_sql_info *ret_info);
    void (*stats)(struct comb_sql *self, struct comb_sql_stats *ret_stats);
    /* See comb_sql_check and comb_sql_status. NULL: that of the wrapped one is asked elsewhere. */
    enum comb_status (*check)(struct comb_sql *self, struct comb_ctx *ctx, struct comb_error *err);
    void (*status)(struct comb_sql *self, struct comb_store_status *ret_status);
    /* See comb_sql_expect. NULL: the store's server cannot be another one. */
    void (*expect)(struct comb_sql *self, uint64_t incarnation);
    /* See comb_sql_begin_anew: makes the incarnation a new one, above ?1, and returns it. */
    const char *anew;
    /* See comb_sql_adopt: the installation becomes ?1, an id in text form. */
    const char *adopt;
    /* What the store's tables are made of, for who copies them all: a row for each column of each
     * table, with the table's name, the column's, and its place in the primary key, from 1, or 0;
     * tables in the bytewise order of their names. */
    const char *catalogue;
    /* See comb_sql_snapshot_open and what follows it. */
    enum comb_status (*snapshot_open)(struct comb_sql *self, struct comb_ctx *ctx,
                                      struct comb_sql_snapshot **ret_snapshot,
                                      struct comb_error *err);
    enum comb_status (*snapshot_read)(struct comb_sql_snapshot *snapshot, struct comb_ctx *ctx,
                                      const struct comb_sql_statement *statement,
                                      const struct comb_sql_rows **ret_rows,
                                      struct comb_error *err);
    void (*snapshot_close)(struct comb_sql_snapshot *snapshot);
    void (*close)(struct comb_sql *self);
};
/* caps: other processes may use the same store. */
#define COMB_SQL_CAP_SHARED 1u
/* caps: there is one writer; what is queued for it shares a commit. */
#define COMB_SQL_CAP_ONE_WRITER 2u

struct comb_sql {
    const struct comb_sql_driver *driver;
};

/*
 * Runs a request. ctx gives the deadline only; statements, parameters and their bytes are copied,
 * so all may be gone when it returns. Threads: any, also inside a done.
 */
void comb_sql_submit(struct comb_sql *sql, const struct comb_ctx *ctx,
                     const struct comb_sql_request *request, comb_sql_done done, void *data);

/*
 * The same, for who may wait: not on a poller and not inside a done. *ret_result lives in ctx's
 * arena. Errors: ABORTED (a guard, result is set), ALREADY_EXISTS (a constraint, result is set),
 * DEADLINE_EXCEEDED, UNAVAILABLE, RESOURCE_EXHAUSTED (disk full), INTERNAL.
 */
enum comb_status comb_sql_run(struct comb_sql *sql, struct comb_ctx *ctx,
                              const struct comb_sql_request *request,
                              const struct comb_sql_result **ret_result,
                              struct comb_error *err) COMB_MUST_CHECK;

enum comb_status comb_sql_migrate(struct comb_sql *sql, const struct comb_sql_migration *migrations,
                                  size_t n, struct comb_error *err) COMB_MUST_CHECK;
/* The one of schemas, which end with NULL, that is of the store's driver. NULL and err (INTERNAL):
 * there is none, a bug. */
const struct comb_sql_schema *comb_sql_schema_of(struct comb_sql *sql,
                                                 const struct comb_sql_schema *const *schemas,
                                                 struct comb_error *err) COMB_MUST_CHECK;
/* comb_sql_migrate with the steps of that one. */
enum comb_status comb_sql_migrate_schema(struct comb_sql *sql,
                                         const struct comb_sql_schema *const *schemas,
                                         struct comb_error *err) COMB_MUST_CHECK;
void comb_sql_get_info(struct comb_sql *sql, struct comb_sql_info *ret_info);
/* info's incarnation alone. It grows while the store is open where another server takes over, so
 * nobody keeps it. */
uint64_t comb_sql_incarnation(struct comb_sql *sql);
/* Whether what was numbered under that incarnation is part of this one's history: it is the same,
 * or on a store with standbys one that this one was promoted from. */
bool comb_sql_is_history(struct comb_sql *sql, uint64_t incarnation);
/*
 * Somebody has met this incarnation of the installation: servers of an older one are left alone
 * from now on, and sessions to them end. Calls go to one that is not older, and are refused where
 * there is none. Does nothing where the store's server cannot be another one. Any thread, never
 * blocks.
 */
void comb_sql_expect(struct comb_sql *sql, uint64_t incarnation);
/*
 * The store's content was put back from a backup: begins a history of its own, whose incarnation
 * *ret_incarnation is above the given one, so that what was numbered before is refused and not
 * misread. Seen by who opens the store afterwards. Blocks.
 */
enum comb_status comb_sql_begin_anew(struct comb_sql *sql, struct comb_ctx *ctx, uint64_t above,
                                     uint64_t *ret_incarnation,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* The store becomes that installation's, for who opens it afterwards. Blocks. */
enum comb_status comb_sql_adopt(struct comb_sql *sql, struct comb_ctx *ctx,
                                const struct comb_uuid *installation,
                                struct comb_error *err) COMB_MUST_CHECK;

/* What a driver's snapshot begins with. */
struct comb_sql_snapshot {
    struct comb_sql *sql;
};
/*
 * One state of the whole store, that of the moment when it is opened, to be read from as long as it
 * is open: a session of its own, which holds up no writer, but keeps the store from forgetting what
 * has been written over meanwhile. One thread at a time. sql must stay open as long.
 */
enum comb_status comb_sql_snapshot_open(struct comb_sql *sql, struct comb_ctx *ctx,
                                        struct comb_sql_snapshot **ret_snapshot,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Runs one statement, which only reads; its text need not be static. *ret_rows lives in ctx's
 * arena. UNAVAILABLE: the session is lost, and the snapshot with it. Blocks. */
enum comb_status comb_sql_snapshot_read(struct comb_sql_snapshot *snapshot, struct comb_ctx *ctx,
                                        const struct comb_sql_statement *statement,
                                        const struct comb_sql_rows **ret_rows,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_sql_snapshot_close(struct comb_sql_snapshot *snapshot);
void comb_sql_get_stats(struct comb_sql *sql, struct comb_sql_stats *ret_stats);
/* Whether the store can do its work, with a connection, the rights and a durable write. Blocks. The
 * error says in one line what the operator has to do. */
enum comb_status comb_sql_check(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Any thread, never blocks. */
void comb_sql_status(struct comb_sql *sql, struct comb_store_status *ret_status);
/* Waits for what is under way; what is queued ends with UNAVAILABLE. NULL is fine. */
void comb_sql_close(struct comb_sql *sql);

/* Opens "sqlite:PATH": the file is made with mode 0600 where it is missing; FAILED_PRECONDITION
 * with a message that says so where another process has the installation open. */
enum comb_status comb_sql_sqlite_open(comb_str path, struct comb_sql **ret_sql,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
