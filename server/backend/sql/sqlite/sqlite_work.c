/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the threads do: readers give each request a snapshot; the writer commits what is queued as
 * one durable group (CONSISTENCY 2).
 */
#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/sqlite/sqlite.h"
#include "server/backend/sql/sqlite/sqlite_error.h"
#include "server/core/log.h"

/* Instructions of SQLite's machine between two looks at whether anybody still waits. */
enum { PROGRESS_STEPS = 10000 };
/* Frames in the write-ahead log that make a checkpoint, and so many that the log is cut even if
 * readers have to be waited for. */
enum { CHECKPOINT_FRAMES = 1000, TRUNCATE_FRAMES = 64000 };

static const char begin_text[] = "BEGIN";
static const char begin_write_text[] = "BEGIN IMMEDIATE";
static const char commit_text[] = "COMMIT";
static const char rollback_text[] = "ROLLBACK";
static const char savepoint_text[] = "SAVEPOINT request";
static const char release_text[] = "RELEASE request";
static const char rollback_to_text[] = "ROLLBACK TO request";

/* Opens the connection where it is not open; the job, or all of a group, fails where that fails. */
static enum comb_status ensure_open(struct comb_sqlite_worker *worker, struct comb_error *err)
{
    if (worker->conn.db)
        return COMB_OK;
    bool writer = worker->queue == COMB_SQLITE_QUEUE_WRITE;
    enum comb_status status = comb_sqlite_conn_open(
        &worker->conn, worker->sqlite->path, writer ? COMB_SQLITE_WRITER : COMB_SQLITE_READER, err);
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, comb_sqlite_domain, "opening again failed", err);
    return status;
}

/* Drops the connection after a code that leaves it in doubt; the next request opens another. */
static void drop_if_fatal(struct comb_sqlite_worker *worker, int code)
{
    if (comb_sqlite_is_fatal(code))
        comb_sqlite_conn_close(&worker->conn);
}

static int nobody_waits(void *data)
{
    struct comb_sqlite_job *job = data;
    return atomic_load_explicit(&job->answered, memory_order_relaxed);
}

/* One statement is a snapshot by itself; several need a transaction. */
static int read_in_transaction(struct comb_sqlite_conn *conn, struct comb_sqlite_job *job)
{
    int code = SQLITE_OK, end;
    if (job->n_statements > 1)
        code = comb_sqlite_conn_do(conn, begin_text);
    if (code != SQLITE_OK) {
        job->status = comb_sqlite_error(&job->err, code, conn->db);
        return code;
    }
    job->status =
        comb_sqlite_execute(conn, job->statements, job->n_statements, job->reply, &code, &job->err);
    if (!sqlite3_get_autocommit(conn->db)) {
        end = comb_sqlite_conn_do(conn, rollback_text);
        if (code == SQLITE_OK)
            code = end;
    }
    return code;
}

static void read_one(struct comb_sqlite_worker *worker, struct comb_sqlite_job *job)
{
    job->status = ensure_open(worker, &job->err);
    if (job->status != COMB_OK)
        return;
    sqlite3_progress_handler(worker->conn.db, PROGRESS_STEPS, nobody_waits, job);
    int code = read_in_transaction(&worker->conn, job);
    sqlite3_progress_handler(worker->conn.db, 0, NULL, NULL);
    /* A transaction that cannot be ended would pin its snapshot for ever. */
    if (!sqlite3_get_autocommit(worker->conn.db))
        comb_sqlite_conn_close(&worker->conn);
    else
        drop_if_fatal(worker, code);
}

void *comb_sqlite_reader(void *data)
{
    struct comb_sqlite_worker *worker = data;
    struct comb_sqlite_job *job;
    while (comb_sqlite_take(worker->sqlite, worker->queue, &job, 1) > 0) {
        read_one(worker, job);
        comb_sqlite_answer(worker->sqlite, job);
    }
    return NULL;
}

enum group_end {
    GROUP_DURABLE, /* committed, or nothing was to be; each job has its status */
    GROUP_LOST,    /* the transaction is gone, by one job's fault; nothing is written */
    GROUP_REFUSED, /* no transaction could be begun; every job has the error */
    GROUP_IN_DOUBT /* the commit failed: every job has the error, ambiguous */
};

static void fail_all(struct comb_sqlite_job **jobs, size_t n, int code, sqlite3 *db, bool in_doubt)
{
    struct comb_error err;
    enum comb_status status = comb_sqlite_error(&err, code, db);
    err.ambiguous = in_doubt;
    for (size_t i = 0; i < n; i++) {
        jobs[i]->status = status;
        jobs[i]->err = err;
    }
}

/*
 * Runs one job inside a savepoint. False: the whole transaction is gone, as after a full disk, and
 * the job, whose fault it is, has its error. Other failures undo the job's own changes only.
 */
static bool write_one(struct comb_sqlite_conn *conn, struct comb_sqlite_job *job, int *ret_code)
{
    int code = comb_sqlite_conn_do(conn, savepoint_text);
    if (code == SQLITE_OK) {
        job->status = comb_sqlite_execute(conn, job->statements, job->n_statements, job->reply,
                                          ret_code, &job->err);
        if (job->status != COMB_OK && !sqlite3_get_autocommit(conn->db))
            code = comb_sqlite_conn_do(conn, rollback_to_text);
        if (code == SQLITE_OK && !sqlite3_get_autocommit(conn->db))
            code = comb_sqlite_conn_do(conn, release_text);
    }
    if (code == SQLITE_OK)
        return !sqlite3_get_autocommit(conn->db);
    *ret_code = code;
    job->status = comb_sqlite_error(&job->err, code, conn->db);
    return false;
}

/* Ends what may be left of a transaction: by a rollback, or where even that fails by dropping the
 * connection, which is one too. */
static void abandon(struct comb_sqlite_worker *worker, int code)
{
    struct comb_sqlite_conn *conn = &worker->conn;
    if (!sqlite3_get_autocommit(conn->db) && comb_sqlite_conn_do(conn, rollback_text) != SQLITE_OK)
        comb_sqlite_conn_close(conn);
    else
        drop_if_fatal(worker, code);
}

/* Runs jobs in one transaction. *ret_lost: whose fault GROUP_LOST is. */
static enum group_end write_group(struct comb_sqlite_worker *worker, struct comb_sqlite_job **jobs,
                                  size_t n, size_t *ret_lost)
{
    struct comb_sqlite_conn *conn = &worker->conn;
    int code = comb_sqlite_conn_do(conn, begin_write_text);
    if (code != SQLITE_OK) {
        fail_all(jobs, n, code, conn->db, false);
        drop_if_fatal(worker, code);
        return GROUP_REFUSED;
    }
    bool writes = false;
    for (size_t i = 0; i < n; i++) {
        if (!write_one(conn, jobs[i], &code)) {
            *ret_lost = i;
            abandon(worker, code);
            return GROUP_LOST;
        }
        writes |= jobs[i]->status == COMB_OK;
    }
    code = comb_sqlite_conn_do(conn, commit_text);
    if (code != SQLITE_OK) {
        /* Nobody knows what a crash now would leave: each caller finds out by his request id. */
        fail_all(jobs, n, code, conn->db, true);
        comb_sqlite_conn_close(conn);
        return GROUP_IN_DOUBT;
    }
    if (writes)
        atomic_fetch_add_explicit(&worker->sqlite->commits, 1, memory_order_relaxed);
    return GROUP_DURABLE;
}

static void answer_all(struct comb_sqlite *sqlite, struct comb_sqlite_job **jobs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        comb_sqlite_answer(sqlite, jobs[i]);
}

static enum group_end try_group(struct comb_sqlite_worker *worker, struct comb_sqlite_job **jobs,
                                size_t n, size_t *ret_lost)
{
    struct comb_error err;
    enum comb_status status = ensure_open(worker, &err);
    if (status == COMB_OK)
        return write_group(worker, jobs, n, ret_lost);
    for (size_t i = 0; i < n; i++) {
        jobs[i]->status = status;
        jobs[i]->err = err;
    }
    return GROUP_REFUSED;
}

/* Runs and answers the jobs: together, or where one of them loses the transaction, the others each
 * on their own: also those that had failed, since what they saw has been undone. */
static void run_jobs(struct comb_sqlite_worker *worker, struct comb_sqlite_job **jobs, size_t n)
{
    size_t lost = 0, nobody;
    if (try_group(worker, jobs, n, &lost) != GROUP_LOST) {
        answer_all(worker->sqlite, jobs, n);
        return;
    }
    atomic_fetch_add_explicit(&worker->sqlite->retries, n - 1, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        if (i != lost)
            try_group(worker, &jobs[i], 1, &nobody);
        comb_sqlite_answer(worker->sqlite, jobs[i]);
    }
}

/*
 * Moves the log into the database while nobody waits for this commit any more, each time that so
 * many frames have been added: readers may keep the log from beginning anew, and then it is long
 * after each commit. A failure costs nothing: the next commit tries again.
 */
static void checkpoint(struct comb_sqlite_conn *conn)
{
    if (conn->wal_frames < conn->checkpoint_frames)
        conn->checkpoint_frames = 0; /* the log has begun anew */
    if (!conn->db || conn->wal_frames - conn->checkpoint_frames < CHECKPOINT_FRAMES)
        return;
    int mode =
        conn->wal_frames < TRUNCATE_FRAMES ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
    if (sqlite3_wal_checkpoint_v2(conn->db, NULL, mode, NULL, NULL) == SQLITE_OK)
        conn->checkpoint_frames = conn->wal_frames;
}

void *comb_sqlite_writer(void *data)
{
    struct comb_sqlite_worker *worker = data;
    struct comb_sqlite_job *jobs[COMB_SQLITE_GROUP_MAX];
    size_t n;
    while ((n = comb_sqlite_take(worker->sqlite, worker->queue, jobs, COMB_SQLITE_GROUP_MAX)) > 0) {
        run_jobs(worker, jobs, n);
        checkpoint(&worker->conn);
    }
    return NULL;
}
