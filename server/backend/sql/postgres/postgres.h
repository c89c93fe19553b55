/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PostgreSQL driver from inside: sets of connections in pipeline mode, one thread that drives
 * them all, and one that connects.
 *
 * A job is answered once, by the driving thread, where it was let in at the door. It waits in the
 * queue of its set, then on one connection, behind what was sent before it; what its caller has
 * given up stays there until PostgreSQL has answered, since nothing cancels a connection that
 * others share (CONSISTENCY 1.6).
 *
 * Everything here belongs to the driving thread but for what `lock` guards.
 */
#ifndef COMB_POSTGRES_H
#define COMB_POSTGRES_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/backend/sql/sql_driver.h"
#include "server/core/map.h"

/* Requests that wait in the queue of one set; more are shed. */
enum { COMB_PG_QUEUE_MAX = 4096 };
/* Different statements that a program may have, times the types of their parameters. */
enum { COMB_PG_TEXTS_MAX = 4096 };
/* Parameters of one statement; PostgreSQL's own limit is 65535. */
enum { COMB_PG_PARAMS_MAX = 64 };
/* Connections of all sets together. */
enum { COMB_PG_CONNS_MAX = 32 };
/* How long calls wait for a set without a connection before they are refused at once. */
enum { COMB_PG_PATIENCE_MS = 500 };
/* Making one connection, the first question included. */
enum { COMB_PG_CONNECT_MS = 2000 };
/* How often a request is sent again that failed through no fault of its own. */
enum { COMB_PG_ATTEMPTS_MAX = 5 };

enum comb_pg_set_number {
    COMB_PG_READ,
    COMB_PG_SCAN,
    COMB_PG_WRITE,
    COMB_PG_LOCKED,
    COMB_PG_POLL,
    COMB_PG_SETS
};

/* What kind of connections a set has. */
struct comb_pg_rule {
    const char *name; /* what the server shows as application_name, after "comb " */
    unsigned connections;
    unsigned depth; /* transactions on their way on one connection */
    unsigned batch; /* requests that share one: all of them only read */
    int stall_ms;   /* the oldest one unanswered for so long: the set is dropped */
    const char *isolation;
    bool read_only;
    int lock_timeout_ms; /* what one row lock may take */
};
extern const struct comb_pg_rule comb_pg_rules[COMB_PG_SETS];

/* A statement as PostgreSQL is told it, for one combination of parameter types. */
struct comb_pg_text {
    unsigned id; /* 0, 1, … */
    char *sql;
    Oid *types;
    size_t n_types;
    bool guard;
    size_t hidden; /* leading columns that are the driver's own */
    bool hides_all;
};

/* One command on its way. */
struct comb_pg_step {
    enum { COMB_PG_PREPARE, COMB_PG_TAKE_LOCK, COMB_PG_EXECUTE, COMB_PG_LOOK } kind;
    struct comb_pg_text *text;
    size_t statement; /* EXECUTE: which one; LOOK: one more than there are */
};

struct comb_pg_job {
    struct comb_pg_job *next;                      /* in the door, its queue or its connection */
    struct comb_pg_job *live_previous, *live_next; /* among those not answered */
    struct grpcc_arena *arena; /* of the statements and the reply; NULL: done has taken it */
    struct comb_sql_reply *reply;
    const struct comb_sql_statement *statements;
    size_t n_statements;
    enum comb_pg_set_number set;
    int lock;
    int64_t deadline_ns;
    comb_sql_done done;
    void *data;
    bool answered;
    bool alone; /* shares no transaction: another one's failure has cost it one */
    unsigned attempts;

    /* of the attempt that is on its way */
    bool sent;
    struct comb_pg_step *steps;
    size_t n_steps, at;
    bool durable;   /* committed, whatever is made of its answer */
    bool synced;    /* its own transaction has ended */
    bool aborted;   /* a step was not run, because one before it failed */
    unsigned syncs; /* still to come: a write has a second one, behind the look at its result; a
                       read has none where one behind it ends the transaction that they share */
    struct comb_sql_rows *rows; /* one a statement */
    size_t n_total_rows;
    enum comb_status status; /* of the first step that failed, and which one that was */
    struct comb_error err;
    char sqlstate[6];
    size_t failed_step;
};

struct comb_pg;

struct comb_pg_conn {
    struct comb_pg *pg;
    enum comb_pg_set_number set;
    /* CLOSED and READY are the driving thread's states, the others the connecting one's. */
    enum { COMB_PG_CLOSED, COMB_PG_WANTED, COMB_PG_FRESH, COMB_PG_READY } state; /* under lock */
    PGconn *fresh;                                                               /* under lock */
    uint64_t incarnation; /* of the server that the session is to; under lock */
    PGconn *pq;
    struct comb_pg_job *first, *last;
    unsigned n, n_transactions;
    int64_t head_since_ns; /* the oldest one's last sign of life */
    bool wants_write, warned, was_open;
    /* By text: whether it has been prepared here, under which generation of its name. */
    struct {
        bool ready;
        unsigned generation;
    } texts[COMB_PG_TEXTS_MAX];
};

struct comb_pg_set {
    struct comb_pg_job *first, *last; /* the queue */
    size_t n;
    struct comb_pg_conn *conns; /* as many as its rule says */
    unsigned n_ready;
    int64_t down_since_ns; /* n_ready is 0 since then */
};

struct comb_pg {
    struct comb_sql base;
    char *url;
    char *user, *password; /* of the credentials; "": the URL's. Nowhere else. */
    int epoll, wake;       /* wake: an eventfd */

    pthread_mutex_t lock;                 /* of what follows */
    struct comb_pg_job *door, *door_last; /* submitted, not yet seen by the driving thread */
    bool closing;
    struct comb_sql_info info;
    uint64_t system; /* of the server at first, and of those promoted from it */
    uint64_t least;  /* servers of an older incarnation are left alone */
    struct comb_store_status status;
    struct comb_error connect_err; /* why the last attempt to connect failed */
    pthread_cond_t connect_wake;

    /* the driving thread's */
    struct comb_pg_set sets[COMB_PG_SETS];
    struct comb_pg_conn *conns; /* all of them */
    size_t n_conns;
    struct comb_pg_job *live;
    int64_t next_deadline_ns;
    struct comb_map texts;
    unsigned n_texts;
    bool refusing; /* closing, and queues have been ended */

    _Atomic size_t waiting[COMB_PG_SETS]; /* at the door and in the queue */
    _Atomic uint64_t reads, writes, commits, polls, retries, failures, reconnects;
    _Atomic uint32_t n_open, n_live; /* sessions; requests that have been let in, not answered */
    pthread_t driver, connector;
    bool driver_started, connector_started;
};

/* ---- pg_text.c ---- */

/* The statement for these parameters, made at first use; NULL and err without memory or where there
 * are too many. */
struct comb_pg_text *comb_pg_text_of(struct comb_pg *pg, const struct comb_sql_statement *statement,
                                     struct comb_error *err) COMB_MUST_CHECK;
void comb_pg_text_free(void *text);
/* statement->text with "?1" as "$1", and where it is a guard, failing without a row. For tests. */
char *comb_pg_text_translate(const char *text, bool guard, size_t *ret_hidden, bool *ret_hides_all);

/* ---- pg_value.c ---- */

/* The parameters as libpq wants them, in arena; false: no room. */
bool comb_pg_encode(struct grpcc_arena *arena, const struct comb_sql_statement *statement,
                    const char *const **ret_values, const int **ret_lengths,
                    const int **ret_formats) COMB_MUST_CHECK;
Oid comb_pg_type_of(enum comb_sql_type type);
/* Rows of result, which from then on belongs to arena. */
enum comb_status comb_pg_decode(struct grpcc_arena *arena, PGresult *result,
                                const struct comb_pg_text *text, struct comb_sql_rows *ret_rows,
                                struct comb_error *err) COMB_MUST_CHECK;

/* ---- pg_error.c ---- */

extern const char comb_pg_domain[];
/* What clients of a database that is away are told to wait. It may be so for a moment only: a disk
 * that stands still, a lock of a step of the schema. Who comes again at once has used up his
 * attempts before it is back. */
enum { COMB_PG_AWAY_MS = 1000 };
enum comb_pg_verdict {
    COMB_PG_FAIL,      /* the request ends with err */
    COMB_PG_AGAIN,     /* it may be run again, nothing of it has happened */
    COMB_PG_FORGET,    /* as AGAIN, after the statement has been prepared anew */
    COMB_PG_GUARD,     /* a guard did not hold */
    COMB_PG_CONSTRAINT /* a value is taken */
};
/* What a failed command means; fills err. */
enum comb_pg_verdict comb_pg_judge(const char *sqlstate, const char *message,
                                   struct comb_error *err);
/* err for a store that cannot be reached, with libpq's own words of why. */
enum comb_status comb_pg_unreachable(struct comb_error *err, const char *why);

/* ---- pg_conn.c ---- */

/* Sends all of the job but the end of its transaction and puts it at the connection's end.
 * UNAVAILABLE: the connection is of no use any more. Other errors: nothing was sent. */
enum comb_status comb_pg_conn_send(struct comb_pg_conn *conn, struct comb_pg_job *job,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Ends the transaction of all that has been sent since the last one. False: the connection is
 * broken. */
bool comb_pg_conn_end_transaction(struct comb_pg_conn *conn) COMB_MUST_CHECK;
/* Takes in what has come. False: the connection is broken. */
bool comb_pg_conn_receive(struct comb_pg_conn *conn) COMB_MUST_CHECK;
/* Sends on; false: broken. */
bool comb_pg_conn_flush(struct comb_pg_conn *conn) COMB_MUST_CHECK;
/* Closes, and has another one made. Jobs on it go back to the queue where they only read, else they
 * end. */
void comb_pg_conn_drop(struct comb_pg_conn *conn, const char *why);
/* Makes a connection that the connecting thread has opened one of its set. */
bool comb_pg_conn_adopt(struct comb_pg_conn *conn, PGconn *pq) COMB_MUST_CHECK;

/* ---- postgres.c ---- */

/* What the row says of itself from now on. err: why, where state is DOWN. */
void comb_pg_set_state(struct comb_pg *pg, enum comb_store_state state,
                       const struct comb_error *err);

/* ---- pg_drive.c: the thread that drives ---- */

void *comb_pg_drive(void *pg);
void comb_pg_submit(struct comb_sql *sql, const struct comb_ctx *ctx,
                    const struct comb_sql_request *request, comb_sql_done done, void *data);
void comb_pg_wake(struct comb_pg *pg);
/* Answers with job->status and job->err, unless it has been answered. It stays. */
void comb_pg_answer(struct comb_pg *pg, struct comb_pg_job *job);
void comb_pg_job_free(struct comb_pg_job *job);
/* Back into its queue, in front. */
void comb_pg_requeue(struct comb_pg *pg, struct comb_pg_job *job);

/* ---- pg_connect.c: the thread that connects, and sessions of its kind ---- */

void *comb_pg_connect_all(void *pg);
/* One session for the rules of that set, to a server that is ours, within COMB_PG_CONNECT_MS for
 * each of the URL's; NULL and err. *ret_incarnation: the server's. */
PGconn *comb_pg_connect(struct comb_pg *pg, enum comb_pg_set_number set, uint64_t *ret_incarnation,
                        struct comb_error *err);
/* One command of any number of statements, or one with text parameters; NULL and err. Blocks until
 * deadline_ns. The caller clears the result. */
PGresult *comb_pg_ask(PGconn *pq, const char *sql, const char *const *params, int n_params,
                      int64_t deadline_ns, struct comb_error *err);

/* As comb_pg_ask, for one command with parameters and results in binary form. */
PGresult *comb_pg_ask_binary(PGconn *pq, const char *sql,
                             const struct comb_sql_statement *statement, struct grpcc_arena *arena,
                             int64_t deadline_ns, struct comb_error *err);

/* ---- pg_snapshot.c: see comb_sql_snapshot_open and what follows it ---- */

enum comb_status comb_pg_snapshot_open(struct comb_sql *sql, struct comb_ctx *ctx,
                                       struct comb_sql_snapshot **ret_snapshot,
                                       struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_pg_snapshot_read(struct comb_sql_snapshot *snapshot, struct comb_ctx *ctx,
                                       const struct comb_sql_statement *statement,
                                       const struct comb_sql_rows **ret_rows,
                                       struct comb_error *err) COMB_MUST_CHECK;
void comb_pg_snapshot_close(struct comb_sql_snapshot *snapshot);

/* ---- pg_setup.c ---- */

/* Makes the driver's own tables and function where they are missing, and reads who the store is. */
enum comb_status comb_pg_setup(struct comb_pg *pg, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_pg_migrate(struct comb_sql *sql, const struct comb_sql_migration *migrations,
                                 size_t n, struct comb_error *err) COMB_MUST_CHECK;
/* A session and a durable write of its own. */
enum comb_status comb_pg_check(struct comb_sql *sql, struct comb_ctx *ctx,
                               struct comb_error *err) COMB_MUST_CHECK;
/* Whether a new session is to the store that we know, and not to one that was left behind. A newer
 * one raises info.incarnation, and the driving thread ends the sessions to older ones. */
enum comb_status comb_pg_identify(struct comb_pg *pg, PGconn *pq, uint64_t *ret_incarnation,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* See comb_sql_expect. */
void comb_pg_expect(struct comb_sql *sql, uint64_t incarnation);

#endif
