/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection in pipeline mode. A request is a run of commands that ends with a Sync: one
 * transaction, undone as a whole where one of them fails.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/postgres.h"
#include "server/backend/sql/snapshot.h"
#include "server/core/clock.h"
#include "server/core/log.h"

/* The class of our advisory locks: "COMB". */
#define LOCK_CLASS 0x434f4d42

static const char lock_text[] = "SELECT pg_advisory_xact_lock(?1::int, ?2::int)";

/* Behind each write, in a transaction of its own and on the same way: a snapshot that sees it. */
static const char look_text[] = "SELECT " COMB_SQL_POSTGRES_SNAPSHOT;
static const struct comb_sql_statement look = {.text = look_text};

/* Longest name of a prepared statement. */
enum { NAME_MAX_LEN = 32 };

static void name_of(const struct comb_pg_conn *conn, const struct comb_pg_text *text,
                    char ret_name[NAME_MAX_LEN])
{
    snprintf(ret_name, NAME_MAX_LEN, "comb_%u_%u", text->id, conn->texts[text->id].generation);
}

static void add_step(struct comb_pg_job *job, int kind, struct comb_pg_text *text, size_t statement)
{
    struct comb_pg_step *step = &job->steps[job->n_steps++];
    step->kind = kind;
    step->text = text;
    step->statement = statement;
}

/* UNAVAILABLE: libpq would not take it, which leaves the connection in an unknown state. */
static enum comb_status send_statement(struct comb_pg_conn *conn, struct comb_pg_job *job, int kind,
                                       const struct comb_sql_statement *statement, size_t index,
                                       struct comb_pg_text *text, struct comb_error *err)
{
    const char *const *values;
    const int *lengths, *formats;
    char name[NAME_MAX_LEN];
    if (!comb_pg_encode(job->arena, statement, &values, &lengths, &formats))
        return comb_error_no_memory(err);
    name_of(conn, text, name);
    if (!conn->texts[text->id].ready) {
        if (!PQsendPrepare(conn->pq, name, text->sql, (int)text->n_types, text->types))
            return comb_pg_unreachable(err, PQerrorMessage(conn->pq));
        conn->texts[text->id].ready = true;
        add_step(job, COMB_PG_PREPARE, text, index);
    }
    if (!PQsendQueryPrepared(conn->pq, name, (int)statement->n_params, values, lengths, formats, 1))
        return comb_pg_unreachable(err, PQerrorMessage(conn->pq));
    add_step(job, kind, text, index);
    return COMB_OK;
}

/* What does not depend on the connection is found first, so that nothing of a request that cannot
 * be sent has been sent. */
static enum comb_status prepare_job(struct comb_pg *pg, struct comb_pg_job *job,
                                    struct comb_pg_text ***ret_texts, struct comb_error *err)
{
    size_t n = job->n_statements;
    struct comb_pg_text **texts = grpcc_arena_calloc(job->arena, n, sizeof(*texts));
    /* The lock before them and the look behind them are two more. */
    job->steps = grpcc_arena_calloc(job->arena, 2 * (n + 2), sizeof *job->steps);
    job->rows = grpcc_arena_calloc(job->arena, n + 1, sizeof *job->rows);
    if (!texts || !job->steps || !job->rows)
        return comb_error_no_memory(err);
    job->n_steps = job->at = job->n_total_rows = 0;
    job->status = COMB_OK;
    job->sqlstate[0] = '\0';
    job->durable = job->synced = job->aborted = false;
    job->syncs = 0;
    for (size_t i = 0; i < n; i++) {
        texts[i] = comb_pg_text_of(pg, &job->statements[i], err);
        if (!texts[i])
            return COMB_RESOURCE_EXHAUSTED;
    }
    *ret_texts = texts;
    return COMB_OK;
}

static bool is_write(const struct comb_pg_job *job)
{
    return job->set == COMB_PG_WRITE || job->set == COMB_PG_LOCKED;
}

static enum comb_status send_lock(struct comb_pg_conn *conn, struct comb_pg_job *job,
                                  struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer(LOCK_CLASS),
                                            comb_sql_integer(job->lock)};
    const struct comb_sql_statement lock = {lock_text, params, 2, false};
    struct comb_pg_text *text = comb_pg_text_of(conn->pg, &lock, err);
    if (!text)
        return COMB_RESOURCE_EXHAUSTED;
    return send_statement(conn, job, COMB_PG_TAKE_LOCK, &lock, 0, text, err);
}

/* Where that cannot be sent the write is on its way all the same: it ends without a number. */
static void send_look(struct comb_pg_conn *conn, struct comb_pg_job *job)
{
    struct comb_error unheard;
    size_t n_steps = job->n_steps;
    struct comb_pg_text *text = comb_pg_text_of(conn->pg, &look, &unheard);
    if (text &&
        send_statement(conn, job, COMB_PG_LOOK, &look, job->n_statements, text, &unheard) ==
            COMB_OK &&
        PQpipelineSync(conn->pq))
        job->syncs++;
    else
        job->n_steps = n_steps;
}

enum comb_status comb_pg_conn_send(struct comb_pg_conn *conn, struct comb_pg_job *job,
                                   struct comb_error *err)
{
    struct comb_pg_text **texts = NULL;
    enum comb_status status = prepare_job(conn->pg, job, &texts, err);
    if (status != COMB_OK)
        return status;
    if (job->set == COMB_PG_LOCKED)
        status = send_lock(conn, job, err);
    for (size_t i = 0; i < job->n_statements && status == COMB_OK; i++)
        status = send_statement(conn, job, COMB_PG_EXECUTE, &job->statements[i], i, texts[i], err);
    /* Half a request must not stay on the connection. */
    if (status != COMB_OK)
        return job->n_steps ? COMB_UNAVAILABLE : status;
    job->next = NULL;
    job->sent = true;
    job->attempts++;
    if (conn->last)
        conn->last->next = job;
    else
        conn->first = job;
    conn->last = job;
    if (conn->n++ == 0)
        conn->head_since_ns = comb_clock_steady_ns();
    return COMB_OK;
}

bool comb_pg_conn_end_transaction(struct comb_pg_conn *conn)
{
    struct comb_pg_job *job = conn->last;
    if (!PQpipelineSync(conn->pq))
        return false;
    conn->n_transactions++;
    job->syncs = 1;
    if (is_write(job))
        send_look(conn, job);
    return true;
}

/* ---- answers ---- */

static void fail_job(struct comb_pg_job *job, enum comb_status status, const struct comb_error *err)
{
    if (job->status != COMB_OK)
        return;
    job->status = status;
    job->err = *err;
    job->failed_step = job->at - 1;
}

static void take_rows(struct comb_pg_job *job, const struct comb_pg_step *step, PGresult *result)
{
    struct comb_error err = {.status = COMB_OK};
    bool wanted = step->kind == COMB_PG_EXECUTE || step->kind == COMB_PG_LOOK;
    if (!wanted || job->status != COMB_OK || job->answered) {
        PQclear(result);
        return;
    }
    size_t n = (size_t)PQntuples(result);
    enum comb_status status;
    if (n > COMB_SQL_ROWS_MAX - job->n_total_rows) {
        PQclear(result);
        status = comb_error_set(&err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                "more than %d rows", COMB_SQL_ROWS_MAX);
    } else {
        job->n_total_rows += n;
        status = comb_pg_decode(job->arena, result, step->text, &job->rows[step->statement], &err);
    }
    if (status == COMB_OK)
        return;
    /* The transaction goes on, and commits, whatever we make of its answer. */
    err.ambiguous = is_write(job);
    err.domain = comb_pg_domain;
    fail_job(job, status, &err);
}

static void take_failure(struct comb_pg_conn *conn, struct comb_pg_job *job,
                         const struct comb_pg_step *step, PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    struct comb_error err;
    if (step->kind == COMB_PG_PREPARE)
        conn->texts[step->text->id].ready = false;
    if (job->status == COMB_OK)
        snprintf(job->sqlstate, sizeof job->sqlstate, "%s", sqlstate ? sqlstate : "");
    comb_pg_judge(job->sqlstate, message ? message : "no reason given", &err);
    fail_job(job, err.status, &err);
    PQclear(result);
}

static struct comb_pg_job *pop(struct comb_pg_conn *conn)
{
    struct comb_pg_job *job = conn->first;
    conn->first = job->next;
    if (!conn->first)
        conn->last = NULL;
    conn->n--;
    job->next = NULL;
    job->sent = false;
    return job;
}

static void forget(struct comb_pg_conn *conn, const struct comb_pg_text *text)
{
    conn->texts[text->id].ready = false;
    conn->texts[text->id].generation++;
}

/* The request goes back into the queue where that may help. */
static bool again(struct comb_pg_conn *conn, struct comb_pg_job *job, enum comb_pg_verdict verdict)
{
    if (job->aborted && job->status == COMB_OK && !job->answered) {
        job->alone = true;
        atomic_fetch_add_explicit(&conn->pg->retries, 1, memory_order_relaxed);
        comb_pg_requeue(conn->pg, job);
        return true;
    }
    if (verdict != COMB_PG_AGAIN && verdict != COMB_PG_FORGET)
        return false;
    const struct comb_pg_text *text = job->steps[job->failed_step].text;
    if (verdict == COMB_PG_FORGET)
        forget(conn, text);
    if (job->answered || job->attempts >= COMB_PG_ATTEMPTS_MAX)
        return false;
    atomic_fetch_add_explicit(&conn->pg->retries, 1, memory_order_relaxed);
    comb_pg_requeue(conn->pg, job);
    return true;
}

/* What stands between a write that said OK and its answer: nothing is acknowledged without. */
static void check_written(struct comb_pg_conn *conn, struct comb_pg_job *job)
{
    struct comb_sql_result *result = &job->reply->result;
    const struct comb_sql_rows *number = &job->rows[job->n_statements];
    if (job->status == COMB_OK && number->n_rows == 1)
        result->after = (uint64_t)comb_sql_at(number, 0, 0)->integer;
    if (!job->durable || result->after != 0)
        return;
    for (size_t i = 0; i < job->n_steps; i++) {
        if (job->steps[i].kind == COMB_PG_LOOK)
            forget(conn, job->steps[i].text);
    }
    job->status = comb_pg_unreachable(&job->err, "it did not say what a write has led to");
    job->err.ambiguous = true;
    job->sqlstate[0] = '\0';
}

static void end_job(struct comb_pg_conn *conn)
{
    struct comb_pg *pg = conn->pg;
    struct comb_pg_job *job = pop(conn);
    struct comb_sql_result *result = &job->reply->result;
    enum comb_pg_verdict verdict = COMB_PG_FAIL;
    if (is_write(job) && !job->answered)
        check_written(conn, job);
    if (job->sqlstate[0])
        verdict =
            comb_pg_judge(job->sqlstate, job->err.msg, &(struct comb_error){.status = COMB_OK});
    if ((job->status != COMB_OK || job->aborted) && again(conn, job, verdict))
        return;
    if (job->durable)
        atomic_fetch_add_explicit(&pg->commits, 1, memory_order_relaxed);
    size_t failed = job->n_statements;
    if (verdict == COMB_PG_GUARD || verdict == COMB_PG_CONSTRAINT)
        failed = job->steps[job->failed_step].statement;
    result->rows = job->rows;
    result->n_rows = failed < job->n_statements ? failed + 1 : job->n_statements;
    result->guard_failed = verdict == COMB_PG_GUARD ? (int)failed : -1;
    result->constraint_failed = verdict == COMB_PG_CONSTRAINT ? (int)failed : -1;
    comb_pg_answer(pg, job);
    comb_pg_job_free(job);
}

/* The end of a write's own transaction. */
static void take_commit(struct comb_pg_job *job, bool warned)
{
    struct comb_error err;
    job->durable = job->status == COMB_OK;
    if (!job->durable || !warned)
        return;
    /* Committed here, and perhaps nowhere else: no standby has confirmed it (CONSISTENCY 1.7). */
    comb_pg_unreachable(&err, "it gave up waiting for its standby");
    err.ambiguous = true;
    fail_job(job, err.status, &err);
}

/* The end of a transaction: of the request, or of the look behind a write, if that could be sent.
 */
static void take_sync(struct comb_pg_conn *conn, struct comb_pg_job *job)
{
    bool warned = conn->warned, first = !job->synced;
    conn->warned = false;
    job->synced = true;
    if (first && is_write(job))
        take_commit(job, warned);
    if (--job->syncs > 0)
        return;
    conn->n_transactions--;
    end_job(conn);
}

/* False: the connection is of no use any more. */
static bool take(struct comb_pg_conn *conn, PGresult *result)
{
    struct comb_pg_job *job = conn->first;
    ExecStatusType status = PQresultStatus(result);
    conn->head_since_ns = comb_clock_steady_ns();
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        take_sync(conn, job);
        return true;
    }
    if (PQstatus(conn->pq) == CONNECTION_BAD || job->at >= job->n_steps) {
        PQclear(result);
        return false;
    }
    const struct comb_pg_step *step = &job->steps[job->at++];
    switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        take_rows(job, step, result);
        break;
    case PGRES_FATAL_ERROR:
        take_failure(conn, job, step, result);
        break;
    case PGRES_PIPELINE_ABORTED:
        if (step->kind == COMB_PG_PREPARE)
            conn->texts[step->text->id].ready = false;
        job->aborted = true;
        PQclear(result);
        break;
    default:
        PQclear(result);
        return false;
    }
    /* The Sync is another one's, which shares the transaction. */
    if (job->at == job->n_steps && job->syncs == 0)
        end_job(conn);
    return true;
}

bool comb_pg_conn_receive(struct comb_pg_conn *conn)
{
    bool ended = false;
    if (!PQconsumeInput(conn->pq))
        return false;
    while (conn->first && !PQisBusy(conn->pq)) {
        PGresult *result = PQgetResult(conn->pq);
        if (!result) {
            /* Once behind each command; twice means that there is nothing more. */
            if (ended)
                return PQstatus(conn->pq) != CONNECTION_BAD;
            ended = true;
            continue;
        }
        ended = false;
        if (!take(conn, result))
            return false;
    }
    return PQstatus(conn->pq) != CONNECTION_BAD;
}

bool comb_pg_conn_flush(struct comb_pg_conn *conn)
{
    int left = PQflush(conn->pq);
    if (left < 0)
        return false;
    if ((left == 1) == conn->wants_write)
        return true;
    conn->wants_write = left == 1;
    struct epoll_event event = {.events = EPOLLIN | (conn->wants_write ? EPOLLOUT : 0u),
                                .data.ptr = conn};
    return epoll_ctl(conn->pg->epoll, EPOLL_CTL_MOD, PQsocket(conn->pq), &event) == 0;
}

/* ---- beginning and end ---- */

/* Nothing that our statements do warns, but a commit that did not wait for its standby. The text
 * may be in any language, so each warning counts. */
static void take_notice(void *data, const PGresult *notice)
{
    struct comb_pg_conn *conn = data;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    conn->warned |= severity && strcmp(severity, "WARNING") == 0;
}

bool comb_pg_conn_adopt(struct comb_pg_conn *conn, PGconn *pq)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (PQsetnonblocking(pq, 1) != 0 || !PQenterPipelineMode(pq) ||
        epoll_ctl(conn->pg->epoll, EPOLL_CTL_ADD, PQsocket(pq), &event) != 0) {
        PQfinish(pq);
        return false;
    }
    memset(conn->texts, 0, sizeof conn->texts);
    PQsetNoticeReceiver(pq, take_notice, conn);
    conn->pq = pq;
    conn->wants_write = conn->warned = false;
    conn->n_transactions = 0;
    conn->pg->sets[conn->set].n_ready++;
    atomic_fetch_add_explicit(&conn->pg->n_open, 1, memory_order_relaxed);
    if (conn->was_open)
        atomic_fetch_add_explicit(&conn->pg->reconnects, 1, memory_order_relaxed);
    conn->was_open = true;
    return true;
}

static void end_lost_job(struct comb_pg *pg, struct comb_pg_job *job, const char *why)
{
    bool write = is_write(job);
    if (!job->answered && !write && job->attempts < COMB_PG_ATTEMPTS_MAX && !pg->refusing) {
        atomic_fetch_add_explicit(&pg->retries, 1, memory_order_relaxed);
        comb_pg_requeue(pg, job);
        return;
    }
    job->status = comb_pg_unreachable(&job->err, why);
    job->err.ambiguous = write;
    comb_pg_answer(pg, job);
    comb_pg_job_free(job);
}

void comb_pg_conn_drop(struct comb_pg_conn *conn, const char *why)
{
    struct comb_pg *pg = conn->pg;
    struct comb_pg_set *set = &pg->sets[conn->set];
    char reason[COMB_ERROR_MESSAGE_MAX];
    /* why may be the connection's own text. */
    snprintf(reason, sizeof reason, "%s", why);
    comb_log(pg->refusing ? COMB_LOG_DEBUG : COMB_LOG_WARN, comb_pg_domain,
             "a connection is dropped",
             comb_log_text("set", comb_str_from(comb_pg_rules[conn->set].name)),
             comb_log_text("why", comb_str_from(reason)));
    epoll_ctl(pg->epoll, EPOLL_CTL_DEL, PQsocket(conn->pq), NULL);
    PQfinish(conn->pq);
    conn->pq = NULL;
    atomic_fetch_sub_explicit(&pg->n_open, 1, memory_order_relaxed);
    if (--set->n_ready == 0) {
        struct comb_error err;
        set->down_since_ns = comb_clock_steady_ns();
        comb_pg_unreachable(&err, reason);
        if (!pg->refusing)
            comb_pg_set_state(pg, COMB_STORE_DOWN, &err);
    }
    pthread_mutex_lock(&pg->lock);
    conn->state = pg->closing ? COMB_PG_CLOSED : COMB_PG_WANTED;
    pthread_cond_signal(&pg->connect_wake);
    pthread_mutex_unlock(&pg->lock);
    while (conn->first)
        end_lost_job(pg, pop(conn), reason);
}
