/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite driver from inside: queues, the threads that serve them, and the keeper of deadlines.
 *
 * A job is answered once, by whoever marks it first under the lock: its worker, the keeper when its
 * deadline passes, or close. Its memory belongs to the worker, who frees it after the run also when
 * somebody else has answered.
 */
#ifndef COMB_SQLITE_H
#define COMB_SQLITE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/backend/sql/sqlite/sqlite_conn.h"

/* Threads, each with a connection. The writer is one: SQLite has one writer. */
enum { COMB_SQLITE_READERS = 4, COMB_SQLITE_SCANNERS = 2 };
enum { COMB_SQLITE_WORKERS = COMB_SQLITE_READERS + COMB_SQLITE_SCANNERS + 2 };
/* Requests that wait in one queue; more are shed. */
enum { COMB_SQLITE_QUEUE_MAX = 4096 };
/* Requests that one durable commit carries. */
enum { COMB_SQLITE_GROUP_MAX = 256 };

struct comb_sqlite_job {
    struct comb_sqlite_job *next;                      /* in its queue */
    struct comb_sqlite_job *live_previous, *live_next; /* among those not answered */
    struct grpcc_arena *arena; /* of the statements and the reply; NULL: done has taken it */
    struct comb_sql_reply *reply;
    const struct comb_sql_statement *statements;
    size_t n_statements;
    int64_t deadline_ns;
    comb_sql_done done;
    void *data;
    bool write;
    bool running;            /* under the lock: taken from its queue */
    _Atomic bool answered;   /* set under the lock */
    enum comb_status status; /* the worker's */
    struct comb_error err;
};

enum comb_sqlite_queue_number {
    COMB_SQLITE_QUEUE_READ,
    COMB_SQLITE_QUEUE_SCAN,
    COMB_SQLITE_QUEUE_POLL,
    COMB_SQLITE_QUEUE_WRITE,
    COMB_SQLITE_QUEUES
};

struct comb_sqlite_queue {
    struct comb_sqlite_job *first, *last;
    size_t n;
    pthread_cond_t wake;
};

struct comb_sqlite;

struct comb_sqlite_worker {
    struct comb_sqlite *sqlite;
    enum comb_sqlite_queue_number queue;
    pthread_t thread;
    bool started;
    struct comb_sqlite_conn conn; /* its thread's only */
};

struct comb_sqlite {
    struct comb_sql base;
    char *path;
    int lock_fd; /* the installation's lock, held while open */
    struct comb_sql_info info;

    pthread_mutex_t lock; /* of what follows; nothing else is locked under it */
    struct comb_sqlite_queue queues[COMB_SQLITE_QUEUES];
    struct comb_sqlite_job *live;
    bool closing;
    bool workers_gone;
    int64_t keeper_wakes_ns; /* the keeper sleeps until then */
    pthread_cond_t keeper_wake;
    pthread_t keeper;
    bool keeper_started;

    int64_t open_us; /* wall clock: since when it is open */
    _Atomic uint64_t reads, writes, commits, polls, retries, failures;
    struct comb_sqlite_worker workers[COMB_SQLITE_WORKERS];
};

/* sqlite_queue.c */
void comb_sqlite_submit(struct comb_sql *sql, const struct comb_ctx *ctx,
                        const struct comb_sql_request *request, comb_sql_done done, void *data);
/* Waits for jobs, marks up to max of them running; jobs that have been answered are freed on the
 * way. 0: closing, and the queue is empty. */
size_t comb_sqlite_take(struct comb_sqlite *sqlite, enum comb_sqlite_queue_number queue,
                        struct comb_sqlite_job **ret_jobs, size_t max);
/* Answers with job->status, unless it has been answered, and frees it. */
void comb_sqlite_answer(struct comb_sqlite *sqlite, struct comb_sqlite_job *job);
/* The thread that ends waits at their deadline. data: struct comb_sqlite. */
void *comb_sqlite_keeper(void *data);
/* From now on nothing is accepted; ends what is queued. */
void comb_sqlite_refuse(struct comb_sqlite *sqlite);

/* sqlite_work.c: the threads of queues. data: struct comb_sqlite_worker. */
void *comb_sqlite_reader(void *data);
void *comb_sqlite_writer(void *data);

/* sqlite_snapshot.c: see comb_sql_snapshot_open and what follows it. */
enum comb_status comb_sqlite_snapshot_open(struct comb_sql *sql, struct comb_ctx *ctx,
                                           struct comb_sql_snapshot **ret_snapshot,
                                           struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_sqlite_snapshot_read(struct comb_sql_snapshot *snapshot, struct comb_ctx *ctx,
                                           const struct comb_sql_statement *statement,
                                           const struct comb_sql_rows **ret_rows,
                                           struct comb_error *err) COMB_MUST_CHECK;
void comb_sqlite_snapshot_close(struct comb_sql_snapshot *snapshot);

/* sqlite_setup.c */
/* Makes the file where it is missing, resolves its path, takes the installation's lock, brings the
 * file into order and reads the installation's identity. */
enum comb_status comb_sqlite_setup(struct comb_sqlite *sqlite, comb_str path,
                                   struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_sqlite_migrate(struct comb_sql *sql,
                                     const struct comb_sql_migration *migrations, size_t n,
                                     struct comb_error *err) COMB_MUST_CHECK;

#endif
