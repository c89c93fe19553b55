/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of requests while PostgreSQL is killed, frozen, away, or not ours. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/open.h"
#include "server/core/clock.h"
#include "tests/contract/sql/fixture.h"
#include "tests/support/postgres_server.h"

/* driver_postgres.c */
extern struct postgres_server driver_server;

static const char insert_text[] = "INSERT INTO item (id, name, rev) VALUES (?1, NULL, 1)";

enum { WRITERS = 4 };

struct writer {
    struct fixture *f;
    pthread_t thread;
    int number;
    _Atomic bool *stop;
    _Atomic int *acknowledged; /* of all writers */
    bool *known;               /* by id: acknowledged */
    bool *possible;            /* by id: may be there */
    int n, failed;
    int64_t longest_ns; /* of its calls */
};

enum { EACH_MAX = 20000 };

/* As a caller should be who is told UNAVAILABLE: else all ids are used up while the store is away.
 */
static void be_patient(enum comb_status status)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};
    assert_true(status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED);
    nanosleep(&pause, NULL);
}

static void *write_on(void *data)
{
    struct writer *writer = data;
    struct test_ctx t;
    test_ctx_init(&t);
    while (!*writer->stop && writer->n < EACH_MAX) {
        int id = writer->number * EACH_MAX + writer->n++;
        struct comb_sql_value param = comb_sql_integer(id);
        struct comb_sql_statement statement = {insert_text, &param, 1, false};
        struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
        const struct comb_sql_result *result;
        t.ctx.deadline_ns = comb_clock_monotonic_ns() + 2 * COMB_NS_PER_S;
        int64_t begin_ns = comb_clock_monotonic_ns();
        enum comb_status status = comb_sql_run(writer->f->sql, &t.ctx, &request, &result, &t.err);
        int64_t took_ns = comb_clock_monotonic_ns() - begin_ns;
        assert_true(took_ns < 10 * COMB_NS_PER_S);
        writer->longest_ns = took_ns > writer->longest_ns ? took_ns : writer->longest_ns;
        writer->failed += status != COMB_OK;
        writer->known[id] = status == COMB_OK;
        writer->possible[id] = status == COMB_OK || t.err.ambiguous;
        if (status == COMB_OK)
            atomic_fetch_add(writer->acknowledged, 1);
        else
            be_patient(status);
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

struct load {
    struct writer writers[WRITERS];
    _Atomic bool stop;
    _Atomic int acknowledged;
    bool known[WRITERS * EACH_MAX], possible[WRITERS * EACH_MAX];
};

static struct load *load_start(struct fixture *f)
{
    struct load *load = calloc(1, sizeof *load);
    assert_non_null(load);
    for (int i = 0; i < WRITERS; i++) {
        load->writers[i] = (struct writer){.f = f,
                                           .number = i,
                                           .stop = &load->stop,
                                           .acknowledged = &load->acknowledged,
                                           .known = load->known,
                                           .possible = load->possible};
        assert_int_equal(
            pthread_create(&load->writers[i].thread, NULL, write_on, &load->writers[i]), 0);
    }
    return load;
}

static void wait_for_more(const struct load *load, int n)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};
    for (int before = load->acknowledged; load->acknowledged < before + n;)
        nanosleep(&pause, NULL);
}

/* How long it takes until somebody is answered again. */
static int64_t recover(const struct load *load)
{
    int64_t begin_ns = comb_clock_monotonic_ns();
    wait_for_more(load, 1);
    return comb_clock_monotonic_ns() - begin_ns;
}

/* All that was acknowledged is there, and nothing that was said not to be. Prints what is in the
 * table of docs/operations.md. */
static void load_check(struct fixture *f, struct load *load, const char *fault, int64_t recovered)
{
    int64_t longest_ns = 0;
    int failed = 0;
    load->stop = true;
    for (int i = 0; i < WRITERS; i++) {
        struct writer *writer = &load->writers[i];
        pthread_join(writer->thread, NULL);
        longest_ns = writer->longest_ns > longest_ns ? writer->longest_ns : longest_ns;
        failed += writer->failed;
    }
    test_ctx_next(&f->t);
    for (int64_t after = -1;;) {
        static const char text[] = "SELECT id FROM item WHERE id > ?1 ORDER BY id LIMIT 5000";
        struct comb_sql_value param = comb_sql_integer(after);
        struct comb_sql_statement statement = {text, &param, 1, false};
        const struct comb_sql_result *result;
        must_ok(run_all(f, COMB_SQL_SCAN, &statement, 1, &result), &f->t.err);
        for (size_t i = 0; i < result->rows[0].n_rows; i++) {
            after = comb_sql_at(&result->rows[0], i, 0)->integer;
            assert_true(load->possible[after]);
            load->known[after] = false;
        }
        if (result->rows[0].n_rows == 0)
            break;
    }
    for (int i = 0; i < WRITERS * EACH_MAX; i++)
        assert_false(load->known[i]);
    print_message("PostgreSQL, %d writers, %s: acknowledged %d, lost 0, failed %d, longest call"
                  " %.2f s (2 s), answers again after %.2f s\n",
                  WRITERS, fault, load->acknowledged, failed, (double)longest_ns / COMB_NS_PER_S,
                  (double)recovered / COMB_NS_PER_S);
    free(load);
}

static void a_killed_server_loses_nothing_and_is_found_again(void **state)
{
    struct fixture *f = *state;
    struct load *load = load_start(f);
    int64_t longest_ns = 0;
    wait_for_more(load, 50);
    for (int i = 0; i < 3; i++) {
        store_process_kill(&driver_server.process);
        postgres_server_start(&driver_server);
        int64_t recovered_ns = recover(load);
        longest_ns = recovered_ns > longest_ns ? recovered_ns : longest_ns;
        wait_for_more(load, 50);
    }
    load_check(f, load, "killed with -9 three times", longest_ns);
}

static void a_frozen_server_hangs_nobody(void **state)
{
    struct fixture *f = *state;
    struct load *load = load_start(f);
    const struct comb_sql_result *result;
    wait_for_more(load, 50);
    store_process_freeze(&driver_server.process);
    bool is_long = getenv("COMB_LONG") != NULL;
    int64_t thaw_ns = comb_clock_monotonic_ns() + (is_long ? 30 : 2) * COMB_NS_PER_S;
    for (int i = 0; i < 5 || comb_clock_monotonic_ns() < thaw_ns; i++) {
        test_ctx_next(&f->t);
        f->t.ctx.deadline_ns = comb_clock_monotonic_ns() + COMB_NS_PER_S;
        enum comb_status status =
            run_text(f, i % 2 ? COMB_SQL_READ : COMB_SQL_POLL, "SELECT 1", &result);
        assert_true(status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED);
    }
    store_process_thaw(&driver_server.process);
    int64_t recovered_ns = recover(load);
    wait_for_more(load, 50);
    load_check(f, load, is_long ? "frozen for 30 s" : "frozen for 2 s", recovered_ns);
}

static void must_not_open(const char *url, enum comb_status expected, const char *words)
{
    struct comb_sql *sql = NULL;
    struct comb_error err;
    must_fail(
        expected,
        comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(url)}, &sql, &err),
        &err);
    assert_null(sql);
    if (!strstr(err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

static void what_is_wrong_with_a_url_is_said(void **state)
{
    char url[128];
    (void)state;
    must_not_open("postgres://app@127.0.0.1:1/test", COMB_UNAVAILABLE, "cannot be reached");
    must_not_open("postgres://app@127.0.0.1:99999/test", COMB_UNAVAILABLE, "port");
    must_not_open("postgres://app@127.0.0.1:1/test?nonsense=1", COMB_INVALID_ARGUMENT, "nonsense");
    snprintf(url, sizeof url, "postgres://app@127.0.0.1:%d/nowhere", driver_server.port);
    must_not_open(url, COMB_FAILED_PRECONDITION, "does not exist");
    snprintf(url, sizeof url, "postgres://nobody_known@127.0.0.1:%d/postgres", driver_server.port);
    must_not_open(url, COMB_FAILED_PRECONDITION, "refuses the user");
}

static void a_url_with_a_password_is_refused_and_not_repeated(void **state)
{
    static const char *const urls[] = {
        "postgres://app:geheim@127.0.0.1:1/test",
        "postgres://127.0.0.1:1/test?password=geheim",
        "postgres://app:geheim@127.0.0.1:1/test?nonsense=1",
        "postgres://app:geheim@[127.0.0.1:1/test",
    };
    (void)state;
    for (size_t i = 0; i < N_OF(urls); i++) {
        struct comb_sql *sql = NULL;
        struct comb_error err;
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_sql_postgres_open(
                      &(struct comb_store_options){.url = comb_str_from(urls[i])}, &sql, &err),
                  &err);
        assert_null(strstr(err.msg, "geheim"));
    }
}

/* A user who needs a password from now on. */
static void make_guarded_user(struct fixture *f)
{
    const struct comb_sql_result *result;
    char *path = test_path(driver_server.process.folder, "data/pg_hba.conf");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("host all guarded 127.0.0.1/32 scram-sha-256\n"
                      "host all all 127.0.0.1/32 trust\n",
                      file) >= 0);
    assert_int_equal(fclose(file), 0);
    free(path);
    must_ok(
        run_text(f, COMB_SQL_WRITE, "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'a:b'", &result),
        &f->t.err);
    must_ok(run_text(f, COMB_SQL_WRITE, "SELECT pg_reload_conf()", &result), &f->t.err);
}

static void credentials_are_used_and_told_to_nobody(void **state)
{
    struct fixture *f = *state;
    make_guarded_user(f);
    struct comb_store_options options = {.url = comb_str_from(f->place)};
    struct comb_sql *sql = NULL;
    struct comb_store_status status;
    const comb_str bad[] = {STR("guarded:"), STR("guarded:geheim"), STR("guarded")};
    for (size_t i = 0; i < N_OF(bad); i++) {
        options.credentials = bad[i];
        /* The server reads its rules again when it gets to it. */
        while (comb_sql_postgres_open(&options, &sql, &f->t.err) == COMB_OK) {
            comb_sql_close(sql);
            sql = NULL;
        }
        assert_int_equal(f->t.err.status, COMB_FAILED_PRECONDITION);
        assert_non_null(strstr(f->t.err.msg, "password"));
        assert_null(strstr(f->t.err.msg, "geheim"));
    }
    options.credentials = STR("guarded:a:b");
    must_ok(comb_sql_postgres_open(&options, &sql, &f->t.err), &f->t.err);
    must_ok(comb_sql_check(sql, &f->t.ctx, &f->t.err), &f->t.err);
    must_ok(insert_item(sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    comb_sql_status(sql, &status);
    assert_string_equal(status.driver, "postgres");
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_true(status.shared && status.connections > 0 && status.requests > 0);
    assert_non_null(strstr(status.server, "PostgreSQL"));
    comb_sql_close(sql);
}

static void of_several_hosts_the_one_that_answers_is_used(void **state)
{
    struct fixture *f = *state;
    struct comb_sql *sql;
    char url[160];
    const char *database = strrchr(f->place, '/') + 1;
    snprintf(url, sizeof url, "postgres://app@127.0.0.1:1,127.0.0.1:%d/%s", driver_server.port,
             database);
    must_ok(comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(url)}, &sql,
                                   &f->t.err),
            &f->t.err);
    must_ok(insert_item(sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    comb_sql_close(sql);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 1);
}

static void another_installation_is_not_taken_for_ours(void **state)
{
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    must_ok(run_text(f, COMB_SQL_WRITE, "UPDATE comb_store SET installation = gen_random_uuid()",
                     &result),
            &f->t.err);
    store_process_kill(&driver_server.process);
    postgres_server_start(&driver_server);
    enum comb_status status;
    do {
        test_ctx_next(&f->t);
        status = run_text(f, COMB_SQL_READ, "SELECT 1", &result);
    } while (status == COMB_UNAVAILABLE && !strstr(f->t.err.msg, "another installation"));
    assert_int_equal(status, COMB_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_server_loses_nothing_and_is_found_again),
        TEST(a_frozen_server_hangs_nobody),
        TEST(what_is_wrong_with_a_url_is_said),
        TEST(a_url_with_a_password_is_refused_and_not_repeated),
        TEST(credentials_are_used_and_told_to_nobody),
        TEST(of_several_hosts_the_one_that_answers_is_used),
        TEST(another_installation_is_not_taken_for_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
