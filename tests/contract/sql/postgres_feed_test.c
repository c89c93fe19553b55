/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two readers of the feed while a transaction stays open, in the same database or in another
 * one of the server (CONSISTENCY 3.2): who reads in order waits for it and skips nothing; the poll
 * of the caches goes on, and sees in the end what the slow one did.
 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/clock.h"
#include "tests/contract/sql/mutation_fixture.h"
#include "tests/support/postgres_server.h"

/* driver_postgres.c */
extern struct postgres_server driver_server;

/* A session of somebody else, with a transaction that has an id and stays open. */
static PGconn *pause_transaction(const char *url)
{
    PGconn *pq = PQconnectdb(url);
    assert_int_equal(PQstatus(pq), CONNECTION_OK);
    PGresult *result = PQexec(pq, "BEGIN; SELECT pg_current_xact_id()");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    return pq;
}

static void run_there(PGconn *pq, const char *sql)
{
    PGresult *result = PQexec(pq, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pq));
    PQclear(result);
}

static void create(struct mutation_fixture *m, const char *name)
{
    struct create create = {.m = m, .name = name};
    struct comb_request_key key = new_key(name);
    struct comb_outcome outcome;
    must_ok(run_create(&create, &m->f->t, &key, &outcome), &m->f->t.err);
}

/* An entry of the paused transaction itself, as a mutation would write it. */
static const char slow_entry_sql[] =
    "INSERT INTO feed SELECT pg_current_xact_id()::text::bigint << 6, 0, 1, z, 1, z, z, '', '',"
    " '', 0, 'slow' FROM (SELECT decode(repeat('00', 16), 'hex')) AS t(z)";

static struct comb_feed_page read_on(struct mutation_fixture *m, struct comb_cursor after)
{
    struct test_ctx *t = &m->f->t;
    struct comb_feed_page page = {.n = 0};
    must_ok(comb_feed_read(m->f->sql, &t->ctx, after, 100, &page, &t->err), &t->err);
    return page;
}

static struct comb_feed_news poll(struct mutation_fixture *m, const struct comb_feed_mark *since)
{
    enum { MAX = 100, RETRIES = 100 };
    struct test_ctx *t = &m->f->t;
    struct comb_sql_value params[2];
    struct comb_sql_statement statements[COMB_FEED_POLL_STATEMENTS];
    size_t n = comb_feed_poll(m->f->sql, since, MAX, statements, params);
    const struct comb_sql_result *result;
    struct comb_feed_news news;
    /* A session that was ended is made again, which takes a busy machine longer than calls wait. */
    enum comb_status status = run_all(m->f, COMB_SQL_POLL, statements, n, &result);
    for (int i = 0; status == COMB_UNAVAILABLE && i < RETRIES; i++) {
        nanosleep(&(struct timespec){0, 50 * 1000 * 1000}, NULL);
        status = run_all(m->f, COMB_SQL_POLL, statements, n, &result);
    }
    must_ok(status, &t->err);
    must_ok(comb_feed_poll_decode(m->f->sql, t->ctx.arena, since, MAX, result, &news, &t->err),
            &t->err);
    return news;
}

static void must_be_new(const struct comb_feed_news *news, const char *name)
{
    assert_false(news->lost);
    assert_int_equal(news->n, 1);
    assert_true(comb_str_equal(news->records[0].entry.payload, comb_str_from(name)));
}

/* Rule 3.2, caches: with the horizon held back the poll sees each change at once, and once; and the
 * slow one's when it commits, although newer ones were seen before. */
static void the_poll_waits_for_no_transaction(void **state)
{
    struct mutation_fixture *m = *state;
    char *elsewhere = postgres_server_database(&driver_server);
    const struct comb_feed_mark nothing = {.through = 0};
    struct comb_feed_news news = poll(m, &nothing);
    assert_true(news.lost);
    PGconn *same = pause_transaction(m->f->place), *other = pause_transaction(elsewhere);
    create(m, "a");
    uint64_t written = m->f->t.ctx.reached.sequence;
    news = poll(m, &news.mark);
    must_be_new(&news, "a");
    assert_true(news.mark.position.sequence >= written);
    run_there(same, slow_entry_sql);
    create(m, "b");
    news = poll(m, &news.mark);
    must_be_new(&news, "b");
    run_there(same, "COMMIT");
    news = poll(m, &news.mark);
    must_be_new(&news, "slow");
    news = poll(m, &news.mark);
    assert_true(!news.lost && news.n == 0);
    PQfinish(same);
    PQfinish(other);
    free(elsewhere);
}

/* Rule 3.2, ordered readers: nothing behind an open transaction is read before it has ended, and
 * what it wrote comes first. */
static void ordered_readers_wait_and_skip_nothing(void **state)
{
    struct mutation_fixture *m = *state;
    char *elsewhere = postgres_server_database(&driver_server);
    struct comb_cursor at;
    struct test_ctx *t = &m->f->t;
    create(m, "before");
    must_ok(comb_feed_head(m->f->sql, &t->ctx, &at, &t->err), &t->err);
    PGconn *same = pause_transaction(m->f->place), *other = pause_transaction(elsewhere);
    create(m, "a");
    uint64_t written = t->ctx.reached.sequence;
    run_there(same, slow_entry_sql);
    struct comb_feed_page page = read_on(m, at);
    assert_int_equal(page.n, 0);
    assert_true(page.end.sequence == at.sequence);
    assert_true(page.complete.sequence < written);
    run_there(same, "COMMIT");
    page = read_on(m, at);
    assert_int_equal(page.n, 1); /* "a" is behind the transaction in the other database too */
    assert_true(comb_str_equal(page.records[0].entry.payload, STR("slow")));
    run_there(other, "ROLLBACK");
    page = read_on(m, page.end);
    assert_int_equal(page.n, 1);
    assert_true(comb_str_equal(page.records[0].entry.payload, STR("a")));
    PQfinish(other);
    assert_true(page.complete.sequence >= written);
    PQfinish(same);
    free(elsewhere);
}

/* A new session of the store's may be to a server that has crashed in between, whose numbers began
 * again below what was seen: nothing is believed to have been seen. */
static void a_new_session_begins_anew(void **state)
{
    struct mutation_fixture *m = *state;
    const struct comb_feed_mark nothing = {.through = 0};
    struct comb_feed_news news = poll(m, &nothing), again;
    again = poll(m, &news.mark);
    assert_false(again.lost);
    PGconn *pq = PQconnectdb(m->f->place);
    run_there(pq, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                  " WHERE application_name = 'comb poll' AND datname = current_database()");
    PQfinish(pq);
    do
        again = poll(m, &news.mark);
    while (strcmp(again.mark.session, news.mark.session) == 0);
    assert_true(again.lost);
}

static void more_than_asked_for_is_given_up(void **state)
{
    struct mutation_fixture *m = *state;
    const struct comb_feed_mark nothing = {.through = 0};
    struct comb_feed_news news = poll(m, &nothing);
    struct comb_feed_mark mark = news.mark;
    create(m, "first");
    for (int i = 0; i < 2; i++)
        write_text(m, "INSERT INTO feed SELECT (pg_current_xact_id()::text::bigint << 6) + i, 0, 1,"
                      " z, 1, z, z, '', '', '', 0, '' FROM generate_series(0, 60) AS i,"
                      " (SELECT decode(repeat('00', 16), 'hex')) AS t(z)");
    news = poll(m, &mark);
    assert_true(news.lost && !news.more);
    news = poll(m, &news.mark);
    assert_true(!news.lost && news.n == 0);
    /* So is what was trimmed before it was seen. */
    struct test_ctx *t = &m->f->t;
    must_ok(comb_feed_trim(m->f->sql, &t->ctx, -COMB_US_PER_S, &t->err), &t->err);
    assert_true(poll(m, &mark).lost);
}

/* CONSISTENCY 1.7: with a standby that does not answer, a commit is there but not acknowledged, and
 * a look-up of its request id must not acknowledge it either. */
static void a_replay_waits_for_the_standby_too(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    PGconn *pq = PQconnectdb(m->f->place);
    run_there(pq, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    run_there(pq, "SELECT pg_reload_conf()");
    do {
        run_there(pq, "SELECT pg_sleep(0.01)");
    } while (number(m->f, "SELECT count(*) FROM pg_settings"
                          " WHERE name = 'synchronous_standby_names' AND setting = 'nobody'") == 0);
    test_ctx_next(t);
    must_fail(COMB_UNAVAILABLE, run_create(&create, t, &key, &outcome), &t->err);
    /* A look without a write finds it: that is what must not be answered. */
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), 1);
    run_there(pq, "ALTER SYSTEM RESET synchronous_standby_names");
    run_there(pq, "SELECT pg_reload_conf()");
    PQfinish(pq);
    enum comb_status status;
    do {
        test_ctx_next(t);
        status = run_create(&create, t, &key, &outcome);
    } while (status == COMB_UNAVAILABLE);
    must_ok(status, &t->err);
    assert_true(outcome.replayed);
    assert_int_equal(count_nodes(m), 1);
}

/* CONSISTENCY 1.7: a commit whose wait was cancelled says OK, and warns: nobody may believe it. */
static void a_commit_that_stopped_waiting_is_not_acknowledged(void **state)
{
    struct mutation_fixture *m = *state;
    const struct comb_sql_statement statement = {.text = "INSERT INTO item (rev) VALUES (1)"};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    struct listener listener = LISTENER_INIT;
    struct test_ctx t;
    test_ctx_init(&t);
    PGconn *pq = PQconnectdb(m->f->place);
    run_there(pq, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    run_there(pq, "SELECT pg_reload_conf()");
    while (number(m->f, "SELECT count(*) FROM pg_settings"
                        " WHERE name = 'synchronous_standby_names' AND setting = 'nobody'") == 0)
        continue;
    comb_sql_submit(m->f->sql, &t.ctx, &request, listener_done, &listener);
    for (int64_t cancelled = 0; cancelled == 0;)
        cancelled = number(m->f, "SELECT count(*) FROM (SELECT pid FROM pg_stat_activity WHERE"
                                 " wait_event = 'SyncRep' AND datname = current_database()"
                                 " OFFSET 0) waiting WHERE pg_cancel_backend(pid)");
    listener_wait(&listener);
    assert_int_equal(listener.status, COMB_UNAVAILABLE);
    assert_true(listener.err.ambiguous);
    run_there(pq, "ALTER SYSTEM RESET synchronous_standby_names");
    run_there(pq, "SELECT pg_reload_conf()");
    assert_int_equal(number(m->f, "SELECT count(*) FROM item"), 1);
    PQfinish(pq);
    test_ctx_done(&t);
}

/* Rule 1.2: a write waits shortly for a row that somebody else holds, so that it cannot commit long
 * after what it was decided on. A machine that stalls may drop the session in its place. */
static void a_lock_of_somebody_else_is_waited_for_shortly(void **state)
{
    enum { TRIES = 20 };
    struct fixture *f = ((struct mutation_fixture *)*state)->f;
    const struct comb_sql_statement statement = {.text = "UPDATE item SET rev = 2 WHERE id = 1"};
    const struct comb_sql_result *result;
    bool was_refused = false;
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("locked"), &f->t.err), &f->t.err);
    PGconn *pq = PQconnectdb(f->place);
    assert_int_equal(PQstatus(pq), CONNECTION_OK);
    run_there(pq, "BEGIN");
    run_there(pq, "UPDATE item SET rev = 3 WHERE id = 1");
    for (int i = 0; i < TRIES && !was_refused; i++) {
        test_ctx_next(&f->t);
        must_fail(COMB_UNAVAILABLE, run_all(f, COMB_SQL_WRITE, &statement, 1, &result), &f->t.err);
        was_refused = strstr(f->t.err.msg, "another change holds the lock") && f->t.err.retryable;
    }
    assert_true(was_refused);
    run_there(pq, "ROLLBACK");
    test_ctx_next(&f->t);
    must_ok(run_all(f, COMB_SQL_WRITE, &statement, 1, &result), &f->t.err);
    assert_int_equal(number(f, "SELECT rev FROM item WHERE id = 1"), 2);
    PQfinish(pq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MUTATION_TEST(the_poll_waits_for_no_transaction),
        MUTATION_TEST(ordered_readers_wait_and_skip_nothing),
        MUTATION_TEST(a_new_session_begins_anew),
        MUTATION_TEST(more_than_asked_for_is_given_up),
        MUTATION_TEST(a_lock_of_somebody_else_is_waited_for_shortly),
        MUTATION_TEST(a_replay_waits_for_the_standby_too),
        MUTATION_TEST(a_commit_that_stopped_waiting_is_not_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
