/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes over one PostgreSQL: the one that holds a consumer is killed, or frozen, and the
 * other goes on, nothing missing and nothing twice. The second process is this program again, told
 * by its arguments.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/backend/sql/postgres/open.h"
#include "server/core/clock.h"
#include "tests/contract/consumers/gather.h"
#include "tests/support/sql_row.h"
#include "tests/support/sql_row_postgres.h"

#define LEASE_MS 6000
#define CHANGES 200
/* In the middle of a batch. */
#define STOP_AT 57
#define KILLS 3

struct fixture {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_consumers_store *store;
    struct gather gather;
    pid_t child;
    int from_child, to_child;
};

/* ---- the child: consumes, and stands still at a change until it is told ---- */

static void say(int fd, char c)
{
    assert_int_equal(write(fd, &c, 1), 1);
}

static char hear(int fd)
{
    char c = 0;
    ssize_t n;
    do
        n = read(fd, &c, 1);
    while (n < 0 && errno == EINTR);
    return n == 1 ? c : 0;
}

static int run_child(const char *url, int in, int out, uint64_t stop_at)
{
    struct gather gather;
    struct comb_sql *sql = NULL;
    struct comb_consumers_store *store = NULL;
    struct comb_error err;
    must_ok(
        comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(url)}, &sql, &err),
        &err);
    gather_init(&gather, sql, true);
    gather.stop_at = stop_at;
    must_ok(comb_consumers_store_open(sql, &store, &err), &err);
    struct comb_consumers *consumers = gather_start(&gather, sql, store, LEASE_MS);
    gather_await_standing(&gather);
    say(out, 's');
    if (hear(in) != 'g')
        return 1;
    gather_go_on(&gather);
    comb_consumers_stop(consumers);
    /* It was told so before it wrote, and what it wrote all the same was refused. */
    say(out, !gather.may_go_on && gather.applied < (int)stop_at ? 'l' : 'w');
    comb_consumers_free(consumers);
    comb_consumers_store_close(store);
    comb_sql_close(sql);
    return 0;
}

static void spawn_child(struct fixture *f, uint64_t stop_at)
{
    int in[2], out[2];
    char in_text[16], out_text[16], stop_text[24];
    char *url = test_sql_row_postgres_url(f->folder);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    snprintf(in_text, sizeof in_text, "%d", in[0]);
    snprintf(out_text, sizeof out_text, "%d", out[1]);
    snprintf(stop_text, sizeof stop_text, "%llu", (unsigned long long)stop_at);
    f->child = fork();
    assert_true(f->child >= 0);
    if (f->child == 0) {
        close(in[1]);
        close(out[0]);
        execl("/proc/self/exe", "takeover_test", "--child", url, in_text, out_text, stop_text,
              (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    f->to_child = in[1];
    f->from_child = out[0];
    free(url);
}

/* ---- the parent ---- */

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->t);
    f->folder = test_folder_new();
    f->sql = test_sql_row_open(f->folder);
    gather_migrate(f->sql);
    must_ok(comb_consumers_store_open(f->sql, &f->store, &f->t.err), &f->t.err);
    gather_init(&f->gather, f->sql, true);
    gather_change(f->sql, 1, CHANGES);
    f->to_child = f->from_child = -1;
    *state = f;
    return 0;
}

static void forget_child(struct fixture *f)
{
    if (f->to_child >= 0)
        close(f->to_child);
    if (f->from_child >= 0)
        close(f->from_child);
    f->to_child = f->from_child = -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    forget_child(f);
    comb_consumers_store_close(f->store);
    comb_sql_close(f->sql);
    test_ctx_done(&f->t);
    free(f->folder);
    free(f);
    return 0;
}

static void begin(struct fixture *f, uint64_t stop_at)
{
    spawn_child(f, stop_at);
    assert_int_equal(hear(f->from_child), 's');
    assert_int_equal(gather_count(f->sql), stop_at - 1);
}

static void killed_holders_are_followed_and_nothing_is_missing_or_twice(void **state)
{
    struct fixture *f = *state;
    int64_t killed_ns = 0;
    for (uint64_t i = 1; i <= KILLS; i++) {
        begin(f, i * 30 + i);
        killed_ns = comb_clock_monotonic_ns();
        assert_int_equal(kill(f->child, SIGKILL), 0);
        assert_int_equal(waitpid(f->child, NULL, 0), f->child);
        forget_child(f);
    }
    struct comb_consumers *consumers = gather_start(&f->gather, f->sql, f->store, LEASE_MS);
    gather_await(f->sql, CHANGES);
    printf("%d holders killed; gone on by the last %.1f s after the kill (lease %.1f s)\n", KILLS,
           (double)(comb_clock_monotonic_ns() - killed_ns) / COMB_NS_PER_S, LEASE_MS / 1000.0);
    comb_consumers_free(consumers);
    assert_int_equal(gather_count(f->sql), CHANGES);
    assert_int_equal(f->gather.first, KILLS * 31);
    assert_true(f->gather.applied <= CHANGES - (KILLS * 31 - 1));
}

static void a_frozen_holder_wakes_up_and_writes_nothing(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    begin(f, STOP_AT);
    assert_int_equal(kill(f->child, SIGSTOP), 0);
    struct comb_consumers *consumers = gather_start(&f->gather, f->sql, f->store, LEASE_MS);
    gather_await(f->sql, CHANGES);
    assert_int_equal(kill(f->child, SIGCONT), 0);
    say(f->to_child, 'g');
    assert_int_equal(hear(f->from_child), 'l');
    assert_int_equal(waitpid(f->child, &status, 0), f->child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    comb_consumers_free(consumers);
    assert_int_equal(gather_count(f->sql), CHANGES);
    assert_int_equal(f->gather.first, STOP_AT);
    assert_true(f->gather.applied <= CHANGES - (STOP_AT - 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_holders_are_followed_and_nothing_is_missing_or_twice),
        TEST(a_frozen_holder_wakes_up_and_writes_nothing),
    };
    if (argc == 6 && strcmp(argv[1], "--child") == 0)
        return run_child(argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10),
                         strtoull(argv[5], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
