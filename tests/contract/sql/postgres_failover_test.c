/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A primary and its synchronous standby (CONSISTENCY 1.7 and 1.8): what was acknowledged survives a
 * promotion, cursors go on, the old primary is recognised when it comes back, and one that is cut
 * off from its standby answers no reads of truth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/backend/sql/postgres/open.h"
#include "server/core/clock.h"
#include "server/facts/facts.h"
#include "tests/contract/sql/mutation_fixture.h"
#include "tests/support/postgres_server.h"

static struct postgres_server primary, standby;

const char driver_item_sql[] = "CREATE TABLE item (id bigint PRIMARY KEY, name text UNIQUE,"
                               " rev bigint)";
const char driver_nodes_sql[] =
    "CREATE TABLE node (id bytea PRIMARY KEY, parent bytea, name text, acl_rev bigint,"
    " UNIQUE (parent, name));"
    "CREATE TABLE \"user\" (id bytea PRIMARY KEY, roles_rev bigint)";

static void stop(void)
{
    postgres_server_done(&primary);
    postgres_server_done(&standby);
}

char *driver_place(void)
{
    char *url = NULL;
    stop();
    primary = standby = (struct postgres_server){.port = 0};
    postgres_server_start(&primary);
    postgres_server_start_standby(&standby, &primary);
    postgres_server_run(&primary, "CREATE DATABASE comb");
    assert_true(asprintf(&url, "postgres://app@127.0.0.1:%d,127.0.0.1:%d/comb", primary.port,
                         standby.port) > 0);
    return url;
}

enum comb_status driver_open(const char *place, struct comb_sql **ret_sql, struct comb_error *err)
{
    return comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(place)},
                                  ret_sql, err);
}

/* A caller who sends the same request until it is answered. */
static void create(struct mutation_fixture *m, int number)
{
    struct test_ctx *t = &m->f->t;
    char name[16];
    snprintf(name, sizeof name, "n%d", number);
    struct create create = {.m = m, .name = name};
    struct comb_request_key key = new_key(name);
    struct comb_outcome outcome;
    enum comb_status status;
    do {
        test_ctx_next(t);
        status = run_create(&create, t, &key, &outcome);
    } while (status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED);
    must_ok(status, &t->err);
}

static void a_promotion_loses_nothing_acknowledged(void **state)
{
    enum { EACH = 40 };
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_feed_page page;
    uint64_t before = comb_sql_incarnation(m->f->sql);
    for (int i = 0; i < EACH; i++)
        create(m, i);
    must_ok(comb_feed_read(m->f->sql, &t->ctx, (struct comb_cursor){before, 0}, 10, &page, &t->err),
            &t->err);
    struct comb_cursor at = page.end;
    store_process_kill(&primary.process);
    int64_t killed_ns = comb_clock_monotonic_ns();
    postgres_server_promote(&standby);
    create(m, EACH);
    print_message("acknowledged %d, lost 0, written again after %lld ms\n", EACH,
                  (long long)((comb_clock_monotonic_ns() - killed_ns) / COMB_NS_PER_MS));
    assert_int_equal(count_nodes(m), EACH + 1);
    uint64_t after = comb_sql_incarnation(m->f->sql);
    assert_true(after > before && comb_sql_is_history(m->f->sql, before));
    /* A cursor of before goes on where it was. */
    test_ctx_next(t);
    must_ok(comb_feed_read(m->f->sql, &t->ctx, at, 100, &page, &t->err), &t->err);
    assert_int_equal(page.n, EACH + 1 - 10);
    assert_true(page.end.incarnation == after);
    /* The old primary comes back, and takes writes like any: it is not ours any more, although the
     * URL names it first. */
    postgres_server_start(&primary);
    postgres_server_run(&standby, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                  " WHERE application_name LIKE 'comb %'");
    create(m, EACH + 1);
    assert_int_equal(count_nodes(m), EACH + 2);
    assert_true(comb_sql_incarnation(m->f->sql) == after);
}

static enum comb_status ask(struct comb_facts *facts, struct test_ctx *t)
{
    test_ctx_next(t);
    t->ctx.strong = true;
    return comb_facts_sync_wait(facts, &t->ctx, &t->err);
}

/* Rule 1.8: reads need no standby, so PostgreSQL itself would answer them for ever. */
static void a_primary_without_its_standby_goes_quiet(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_facts *facts = NULL;
    must_ok(comb_facts_new(m->f->sql, NULL, &facts, &t->err), &t->err);
    must_ok(comb_facts_start(facts, &t->err), &t->err);
    must_ok(ask(facts, t), &t->err);
    store_process_freeze(&standby.process);
    int64_t frozen_ns = comb_clock_monotonic_ns();
    while (ask(facts, t) == COMB_OK)
        continue;
    int64_t quiet_ns = comb_clock_monotonic_ns() - frozen_ns;
    assert_int_equal(t->err.status, COMB_UNAVAILABLE);
    assert_int_equal(number(m->f, "SELECT 1"), 1); /* the server itself would answer */
    assert_false(comb_facts_is_current(facts, &(struct comb_ctx){.strong = false}));
    store_process_thaw(&standby.process);
    while (ask(facts, t) != COMB_OK)
        continue;
    print_message("quiet after %lld ms\n", (long long)(quiet_ns / COMB_NS_PER_MS));
    comb_facts_free(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MUTATION_TEST(a_promotion_loses_nothing_acknowledged),
        MUTATION_TEST(a_primary_without_its_standby_goes_quiet),
    };
    atexit(stop);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
