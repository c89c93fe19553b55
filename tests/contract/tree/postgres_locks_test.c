/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A write that waits behind a lock for the node's row: both began before either was there, and the
 * write's snapshot is older than the lock. It is refused all the same, since what it compares
 * stands in the row that it waited for; a guard that looked at another table would see the old one.
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/tree/fixture.h"
#include "tests/support/postgres_server.h"
#include "tests/support/sql_row_postgres.h"

/* A row is waited for 200 ms: a machine that stalls makes a round say nothing. */
enum { ROUNDS = 3, TRIES = 60, PATIENCE_MS = 120 };

static PGconn *connect_beside(struct fixture *f)
{
    const struct comb_sql_statement statement = {.text = "SELECT current_database()::text"};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    char url[256];

    must_ok(comb_sql_run(f->sql, next(f), &request, &result, &f->test.err), &f->test.err);
    comb_str name = comb_sql_at(&result->rows[0], 0, 0)->bytes;
    snprintf(url, sizeof url, "postgres://app@127.0.0.1:%d/%.*s", test_sql_row_server.port,
             (int)name.len, name.ptr);
    PGconn *pq = PQconnectdb(url);
    if (PQstatus(pq) != CONNECTION_OK)
        fail_msg("%s: %s", url, PQerrorMessage(pq));
    return pq;
}

static void run_there(PGconn *pq, const char *sql)
{
    PGresult *result = PQexec(pq, sql);

    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pq));
    PQclear(result);
}

/* Until n sessions wait for a lock; false: it takes too long. */
static bool await_waiting(PGconn *pq, int n)
{
    static const char sql[] = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                              " AND datname = current_database()";
    int64_t end_ns = comb_clock_monotonic_ns() + PATIENCE_MS * INT64_C(1000000) / 2;
    int waiting = 0;

    while (waiting < n && comb_clock_monotonic_ns() < end_ns) {
        PGresult *result = PQexec(pq, sql);
        waiting = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        PQclear(result);
    }
    return waiting >= n;
}

/* One of the two, on a thread of its own. */
struct caller {
    struct fixture *f;
    struct comb_uuid file;
    pthread_t thread;
    enum comb_status status;
    int reason;
    uint64_t token;
};

static struct comb_v1_node_ref *ref_in(struct test_ctx *test, const struct comb_uuid *id)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(test->ctx.arena);

    comb_v1_node_ref_set_id(ref, comb_uuid_text(test->ctx.arena, id));
    return ref;
}

static void *lock_it(void *data)
{
    struct caller *caller = data;
    const struct comb_request_key key = new_key();
    struct comb_tree_lock lock;
    struct test_ctx test;

    test_ctx_init(&test);
    test.principal.user = caller->f->owner;
    struct comb_v1_tree_lock_request *request = comb_v1_tree_lock_request_new(test.ctx.arena);
    request->node = ref_in(&test, &caller->file);
    caller->status = comb_tree_lock(caller->f->tree, &test.ctx, &key, request, &lock, &test.err);
    caller->reason = test.err.reason;
    caller->token = caller->status == COMB_OK ? lock.token : 0;
    test_ctx_done(&test);
    return NULL;
}

static void *rename_it(void *data)
{
    struct caller *caller = data;
    const struct comb_request_key key = new_key();
    struct comb_tree_changed changed;
    struct test_ctx test;

    test_ctx_init(&test);
    test.principal.user = caller->f->owner;
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(test.ctx.arena);
    request->node = ref_in(&test, &caller->file);
    comb_v1_tree_move_request_set_target_name(request, "renamed");
    caller->status = comb_tree_move(caller->f->tree, &test.ctx, &key, request, &changed, &test.err);
    caller->reason = test.err.reason;
    test_ctx_done(&test);
    return NULL;
}

/* True: both waited for the row, the lock in front. */
static bool run_round(struct fixture *f, PGconn *pq, const char *name)
{
    struct caller locker = {.f = f, .file = put(f, "/work", name, 1).id}, writer = locker;
    struct comb_uuid node = locker.file;
    char sql[160], id[40];
    bool both = false;

    snprintf(id, sizeof id, "%s", comb_uuid_text(more(f)->arena, &node));
    snprintf(sql, sizeof sql,
             "SELECT 1 FROM node WHERE id = decode(replace('%s', '-', ''), 'hex') FOR UPDATE", id);
    run_there(pq, "BEGIN");
    run_there(pq, sql);
    assert_int_equal(pthread_create(&locker.thread, NULL, lock_it, &locker), 0);
    bool first = await_waiting(pq, 1);
    assert_int_equal(pthread_create(&writer.thread, NULL, rename_it, &writer), 0);
    both = first && await_waiting(pq, 2);
    run_there(pq, "ROLLBACK");
    pthread_join(locker.thread, NULL);
    pthread_join(writer.thread, NULL);
    if (locker.status != COMB_OK || !both)
        return false;
    assert_int_equal(writer.status, COMB_FAILED_PRECONDITION);
    assert_int_equal(writer.reason, COMB_V1_ERROR_REASON_NODE_LOCKED);
    return true;
}

static void a_write_that_waits_behind_a_lock_is_refused(void **state)
{
    struct fixture *f = *state;
    PGconn *pq = connect_beside(f);
    int rounds = 0;

    for (int i = 0; i < TRIES && rounds < ROUNDS; i++) {
        char name[32];
        snprintf(name, sizeof name, "file-%d", i);
        rounds += run_round(f, pq, name);
    }
    PQfinish(pq);
    assert_int_equal(rounds, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_that_waits_behind_a_lock_is_refused, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests_name("tree locks on PostgreSQL", tests, NULL, NULL);
}
