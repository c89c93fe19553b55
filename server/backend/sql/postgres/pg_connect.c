/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making sessions. libpq's own timeouts do not end a connection to a server that is frozen, and its
 * non-blocking form has none at all: every step here has a deadline of ours, host by host.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend/sql/postgres/postgres.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/random.h"

/* Between attempts to connect: doubled up to the second, with jitter of a half. */
enum { BACKOFF_MIN_MS = 50, BACKOFF_MAX_MS = 2000 };
/* Hosts of one URL. */
enum { HOSTS_MAX = 16 };
/* Guards against sessions of ours that hold back others. */
enum { IDLE_IN_TRANSACTION_MS = 10000 };

const struct comb_pg_rule comb_pg_rules[COMB_PG_SETS] = {
    /* While one transaction of reads is on its way, what comes gathers for the next. */
    [COMB_PG_READ] = {"reads", 3, 1, 32, 500, "repeatable read", true, 200},
    [COMB_PG_SCAN] = {"scans", 3, 1, 1, 30000, "repeatable read", true, 200},
    [COMB_PG_WRITE] = {"writes", 6, 8, 1, 500, "read committed", false, 200},
    [COMB_PG_LOCKED] = {"moves", 2, 1, 1, 3000, "read committed", false, 2000},
    [COMB_PG_POLL] = {"poll", 1, 4, 1, 500, "repeatable read", true, 200},
};

/* Waits until the socket can be read or written; false: the deadline came first. */
static bool wait_socket(PGconn *pq, short events, int64_t deadline_ns)
{
    for (;;) {
        int64_t left_ns = deadline_ns - comb_clock_steady_ns();
        if (left_ns <= 0)
            return false;
        struct pollfd fd = {.fd = PQsocket(pq), .events = events};
        int n = poll(&fd, 1, (int)(left_ns / COMB_NS_PER_MS) + 1);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* ---- one command at a time ---- */

static PGresult *ask_failed(PGconn *pq, PGresult *result, struct comb_error *err)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (sqlstate)
        comb_pg_judge(sqlstate, message ? message : "", err);
    else
        comb_pg_unreachable(err, PQerrorMessage(pq));
    PQclear(result);
    return NULL;
}

static bool is_failure(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

/* What has been sent has been answered: its last result. */
static PGresult *take_answer(PGconn *pq, int64_t deadline_ns, struct comb_error *err)
{
    PGresult *last = NULL;
    for (;;) {
        while (PQisBusy(pq)) {
            if (!wait_socket(pq, POLLIN, deadline_ns)) {
                PQclear(last);
                comb_pg_unreachable(err, "the database does not answer");
                return NULL;
            }
            if (!PQconsumeInput(pq))
                return ask_failed(pq, last, err);
        }
        PGresult *result = PQgetResult(pq);
        if (!result)
            return last;
        if (last && is_failure(last)) {
            PQclear(result);
            continue;
        }
        PQclear(last);
        last = result;
        if (is_failure(last)) {
            /* What follows of the same command is read, and dropped. */
            while ((result = PQgetResult(pq)))
                PQclear(result);
            return ask_failed(pq, last, err);
        }
    }
}

PGresult *comb_pg_ask(PGconn *pq, const char *sql, const char *const *params, int n_params,
                      int64_t deadline_ns, struct comb_error *err)
{
    int sent = n_params > 0 ? PQsendQueryParams(pq, sql, n_params, NULL, params, NULL, NULL, 0)
                            : PQsendQuery(pq, sql);
    return sent ? take_answer(pq, deadline_ns, err) : ask_failed(pq, NULL, err);
}

PGresult *comb_pg_ask_binary(PGconn *pq, const char *sql,
                             const struct comb_sql_statement *statement, struct grpcc_arena *arena,
                             int64_t deadline_ns, struct comb_error *err)
{
    Oid types[COMB_PG_PARAMS_MAX];
    const char *const *values = NULL;
    const int *lengths = NULL, *formats = NULL;
    if (statement->n_params > COMB_PG_PARAMS_MAX ||
        !comb_pg_encode(arena, statement, &values, &lengths, &formats)) {
        comb_error_no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < statement->n_params; i++)
        types[i] = comb_pg_type_of(statement->params[i].type);
    int sent =
        PQsendQueryParams(pq, sql, (int)statement->n_params, types, values, lengths, formats, 1);
    return sent ? take_answer(pq, deadline_ns, err) : ask_failed(pq, NULL, err);
}

/* ---- one session ---- */

static bool poll_connection(PGconn *pq, int64_t deadline_ns)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            return false;
        if (!wait_socket(pq, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ns))
            return false;
        state = PQconnectPoll(pq);
    }
    return true;
}

/* What PQerrorMessage says has a SQLSTATE nowhere: these are told apart by libpq's own words. */
static void connect_failed(PGconn *pq, int64_t deadline_ns, struct comb_error *err)
{
    const char *why = PQerrorMessage(pq);
    if (comb_clock_steady_ns() >= deadline_ns)
        comb_pg_unreachable(err, "it does not answer");
    else if (strstr(why, "password authentication failed") || strstr(why, "no password supplied"))
        comb_pg_judge("28P01", why, err);
    else if (strstr(why, "role \"") && strstr(why, "does not exist"))
        comb_pg_judge("28000", why, err);
    else if (strstr(why, "database \"") && strstr(why, "does not exist"))
        comb_pg_judge("3D000", why, err);
    else
        comb_pg_unreachable(err, why);
}

static bool configure(PGconn *pq, enum comb_pg_set_number set, int64_t deadline_ns,
                      struct comb_error *err)
{
    const struct comb_pg_rule *rule = &comb_pg_rules[set];
    uint64_t session;
    char sql[512];
    comb_random(&session, sizeof session);
    snprintf(sql, sizeof sql,
             "SET comb.session = '%016llx';"
             "SET default_transaction_isolation = '%s';"
             "SET default_transaction_read_only = %s;"
             "SET lock_timeout = %d;"
             "SET idle_in_transaction_session_timeout = %d;"
             "SET plan_cache_mode = force_generic_plan;"
             "SET synchronous_commit = on;"
             "SET client_min_messages = warning",
             (unsigned long long)session, rule->isolation, rule->read_only ? "on" : "off",
             rule->lock_timeout_ms, IDLE_IN_TRANSACTION_MS);
    PGresult *result = comb_pg_ask(pq, sql, NULL, 0, deadline_ns, err);
    PQclear(result);
    return result != NULL;
}

static void ignore_notice(void *data, const char *message)
{
    (void)data;
    (void)message;
}

/* host, hostaddr, port: NULL where the URL names none. */
static PGconn *connect_host(struct comb_pg *pg, enum comb_pg_set_number set, const char *host,
                            const char *hostaddr, const char *port, struct comb_error *err)
{
    char application[64];
    snprintf(application, sizeof application, "comb %s", comb_pg_rules[set].name);
    /* What comes later counts: the URL may set what comes before it. */
    const char *const keys[] = {"application_name",
                                "target_session_attrs",
                                "dbname",
                                "client_encoding",
                                "host",
                                "hostaddr",
                                "port",
                                "user",
                                "password",
                                NULL};
    /* What is empty leaves what was there. */
    const char *const values[] = {application, "read-write", pg->url,  "UTF8",       host,
                                  hostaddr,    port,         pg->user, pg->password, NULL};
    int64_t deadline_ns = comb_clock_steady_ns() + COMB_PG_CONNECT_MS * COMB_NS_PER_MS;
    PGconn *pq = PQconnectStartParams(keys, values, 1);
    if (!pq) {
        comb_error_no_memory(err);
        return NULL;
    }
    if (PQstatus(pq) == CONNECTION_BAD || !poll_connection(pq, deadline_ns)) {
        connect_failed(pq, deadline_ns, err);
        PQfinish(pq);
        return NULL;
    }
    PQsetNoticeProcessor(pq, ignore_notice, NULL);
    if (configure(pq, set, deadline_ns, err))
        return pq;
    PQfinish(pq);
    return NULL;
}

/* The next piece of a list with commas, which strtok would take two at once of; NULL at the end. */
static char *next_piece(char **list)
{
    return *list ? strsep(list, ",") : NULL;
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++) {
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    }
    return NULL;
}

/* As libpq walks through the hosts of a URL, but with a deadline for each. */
static PGconn *connect_any(struct comb_pg *pg, enum comb_pg_set_number set,
                           const PQconninfoOption *options, uint64_t *ret_incarnation,
                           struct comb_error *err)
{
    const char *texts[] = {option_of(options, "host"), option_of(options, "hostaddr"),
                           option_of(options, "port")};
    char *lists[3], *rests[3];
    const char *last_port = NULL;
    PGconn *pq = NULL;
    for (int i = 0; i < 3; i++)
        rests[i] = lists[i] = texts[i] ? strdup(texts[i]) : NULL;
    for (int host = 0; !pq && host < HOSTS_MAX; host++) {
        const char *pieces[3];
        for (int i = 0; i < 3; i++)
            pieces[i] = next_piece(&rests[i]);
        if (host > 0 && !pieces[0] && !pieces[1])
            break;
        /* One port may stand for all hosts. */
        last_port = pieces[2] ? pieces[2] : last_port;
        pq = connect_host(pg, set, pieces[0], pieces[1], last_port, err);
        /* One that was left behind takes writes too: the next may be the one that took over. */
        if (pq && comb_pg_identify(pg, pq, ret_incarnation, err) != COMB_OK) {
            PQfinish(pq);
            pq = NULL;
        }
    }
    for (int i = 0; i < 3; i++)
        free(lists[i]);
    return pq;
}

/* libpq's words on a URL that it cannot read repeat it. */
static bool has_password(const char *url)
{
    const char *at = strchr(url, '@'), *colon = strchr(url, ':');
    colon = colon ? strchr(colon + 1, ':') : NULL;
    return strstr(url, "password") || (at && colon && colon < at);
}

PGconn *comb_pg_connect(struct comb_pg *pg, enum comb_pg_set_number set, uint64_t *ret_incarnation,
                        struct comb_error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(pg->url, &why);
    if (!options) {
        comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "not a URL of a database: %.*s",
                       why && !has_password(pg->url) ? (int)strcspn(why, "\n") : 0, why ? why : "");
        err->domain = comb_pg_domain;
        PQfreemem(why);
        return NULL;
    }
    PGconn *pq = NULL;
    if (option_of(options, "password"))
        comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                       "a URL is no place for a password: others see it; give a file with "
                       "user:password by --sql-credentials-file");
    else
        pq = connect_any(pg, set, options, ret_incarnation, err);
    PQconninfoFree(options);
    return pq;
}

/* ---- the thread ---- */

/* The first one of each set before the second one of any: calls wait for a set that has none. */
static struct comb_pg_conn *wanted_locked(struct comb_pg *pg)
{
    for (unsigned i = 0; i < COMB_PG_CONNS_MAX; i++) {
        for (int set = 0; set < COMB_PG_SETS; set++) {
            struct comb_pg_conn *conn = &pg->sets[set].conns[i];
            if (i < comb_pg_rules[set].connections && conn->state == COMB_PG_WANTED)
                return conn;
        }
    }
    return NULL;
}

static void sleep_locked(struct comb_pg *pg, int milliseconds)
{
    uint32_t jitter;
    comb_random(&jitter, sizeof jitter);
    int64_t until_ns = comb_clock_in_ms(milliseconds / 2 + jitter % (uint32_t)milliseconds);
    while (!pg->closing && comb_cond_wait_until(&pg->connect_wake, &pg->lock, until_ns))
        continue;
}

void *comb_pg_connect_all(void *data)
{
    struct comb_pg *pg = data;
    int backoff_ms = BACKOFF_MIN_MS;
    pthread_mutex_lock(&pg->lock);
    while (!pg->closing) {
        struct comb_pg_conn *conn = wanted_locked(pg);
        if (!conn) {
            pthread_cond_wait(&pg->connect_wake, &pg->lock);
            continue;
        }
        enum comb_pg_set_number set = conn->set;
        struct comb_error err = {.status = COMB_OK};
        uint64_t incarnation = 0;
        pthread_mutex_unlock(&pg->lock);
        PGconn *pq = comb_pg_connect(pg, set, &incarnation, &err);
        comb_pg_set_state(pg, pq ? COMB_STORE_UP : COMB_STORE_DOWN, &err);
        pthread_mutex_lock(&pg->lock);
        pg->connect_err = err;
        if (pq) {
            conn->fresh = pq;
            conn->incarnation = incarnation;
            conn->state = COMB_PG_FRESH;
            backoff_ms = BACKOFF_MIN_MS;
            comb_pg_wake(pg);
        } else {
            sleep_locked(pg, backoff_ms);
            backoff_ms = backoff_ms * 2 < BACKOFF_MAX_MS ? backoff_ms * 2 : BACKOFF_MAX_MS;
        }
    }
    pthread_mutex_unlock(&pg->lock);
    return NULL;
}
