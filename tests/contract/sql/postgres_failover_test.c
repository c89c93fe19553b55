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
#include "server/incarnation.h"
#include "tests/contract/sql/mutation_fixture.h"
#include "tests/support/postgres_server.h"

static struct postgres_server primary, standby;

const char driver_item_sql[] = "CREATE TABLE item (id bigint PRIMARY KEY, name text UNIQUE,"
                               " rev bigint)";
const char driver_nodes_sql[] =
    "CREATE TABLE node (id bytea PRIMARY KEY, parent bytea, name text, acl_rev bigint,"
    " UNIQUE (parent, name));"
    "CREATE TABLE \"user\" (id bytea PRIMARY KEY, roles_rev bigint);"
    "CREATE TABLE identity_state (rights_rev bigint);"
    "INSERT INTO identity_state VALUES (0)";

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

/* ---- the mark in the configuration ---- */

static struct comb_config_store *open_config(struct test_ctx *t)
{
    struct comb_config_store *config = NULL;
    char *folder = test_folder_new(), *url = NULL;
    assert_true(asprintf(&url, "json:%s/config.json", folder) > 0);
    must_ok(comb_config_json_open(&(struct comb_store_options){.url = comb_str_from(url)}, &config,
                                  &t->err),
            &t->err);
    free(url);
    free(folder);
    return config;
}

/* A replica that was started on that server alone. */
static struct comb_sql *open_at(const struct postgres_server *server, struct test_ctx *t)
{
    struct comb_sql *sql = NULL;
    char *url = NULL;
    assert_true(asprintf(&url, "postgres://app@127.0.0.1:%d/comb", server->port) > 0);
    must_ok(driver_open(url, &sql, &t->err), &t->err);
    free(url);
    return sql;
}

static void await_incarnation(struct comb_sql *sql, uint64_t incarnation)
{
    int64_t end_ns = comb_clock_monotonic_ns() + 60 * COMB_NS_PER_S;
    while (comb_sql_incarnation(sql) < incarnation) {
        if (comb_clock_monotonic_ns() > end_ns)
            fail_msg("still with the server that was left behind");
        nanosleep(&(struct timespec){0, 20 * 1000 * 1000}, NULL);
    }
}

/* Rule 1.8, where nothing else tells: the old primary lives on and commits without a standby. */
static void who_was_left_behind_is_found_out_by_the_mark(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_incarnation *first = NULL, *second = NULL, *third = NULL;
    struct comb_config_store *config = open_config(t);
    must_ok(comb_incarnation_start(m->f->sql, config, &t->ctx, &first, &t->err), &t->err);
    postgres_server_run(&primary, "ALTER SYSTEM RESET synchronous_standby_names");
    postgres_server_run(&primary, "SELECT pg_reload_conf()");
    postgres_server_promote(&standby);
    create(m, 0);
    struct comb_sql *other = open_at(&standby, t);
    assert_true(comb_sql_incarnation(other) > comb_sql_incarnation(m->f->sql));
    must_ok(comb_incarnation_start(other, config, &t->ctx, &second, &t->err), &t->err);
    /* The first replica goes over, with all of its sessions, though nobody cut it off. */
    await_incarnation(m->f->sql, comb_sql_incarnation(other));
    for (int i = 1; i <= 20; i++)
        create(m, i);
    assert_int_equal(count_nodes(m), 20);
    /* One that is started on the old one alone does not serve. */
    struct comb_sql *old = open_at(&primary, t);
    test_ctx_next(t);
    must_fail(COMB_FAILED_PRECONDITION,
              comb_incarnation_start(old, config, &t->ctx, &third, &t->err), &t->err);
    assert_null(third);
    comb_incarnation_stop(first);
    comb_incarnation_stop(second);
    comb_sql_close(old);
    comb_sql_close(other);
    comb_config_store_close(config);
}

/* A configuration that is away keeps nobody from starting. */
static void without_a_mark_the_start_goes_on(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_incarnation *incarnation = NULL;
    struct comb_config_store *config = NULL;
    must_ok(
        comb_config_etcd_open(&(struct comb_store_options){.url = STR("etcd://127.0.0.1:1/nobody")},
                              &config, &t->err),
        &t->err);
    must_ok(comb_incarnation_start(m->f->sql, config, &t->ctx, &incarnation, &t->err), &t->err);
    assert_non_null(incarnation);
    comb_incarnation_stop(incarnation);
    comb_config_store_close(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MUTATION_TEST(a_promotion_loses_nothing_acknowledged),
        MUTATION_TEST(a_primary_without_its_standby_goes_quiet),
        MUTATION_TEST(who_was_left_behind_is_found_out_by_the_mark),
        MUTATION_TEST(without_a_mark_the_start_goes_on),
    };
    atexit(stop);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
