/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes over one PostgreSQL: the one that runs an operation is killed, or frozen, and the
 * other finishes it, once. The second process is this program again, told by its arguments.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/backend/sql/postgres/open.h"
#include "server/core/clock.h"
#include "tests/contract/operations/counting.h"
#include "tests/support/sql_row.h"
#include "tests/support/sql_row_postgres.h"

#define LEASE_MS 6000
#define STEPS 5

struct fixture {
    struct test_ctx t;
    char *folder;
    struct comb_sql *sql;
    struct comb_operations_store *store;
    struct counting counting;
    pid_t child;
    int from_child, to_child;
};

/* ---- the child: runs what there is, and stands still in the third step until it is told ---- */

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

static int run_child(const char *url, int in, int out)
{
    struct counting counting;
    struct comb_sql *sql = NULL;
    struct comb_operations_store *store = NULL;
    struct comb_error err;
    counting_init(&counting);
    counting.stop_at = 3;
    must_ok(
        comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(url)}, &sql, &err),
        &err);
    must_ok(comb_operations_store_open(sql, &store, &err), &err);
    struct comb_operation_engine *engine = counting_engine(store, &counting, LEASE_MS);
    counting_await_standing(&counting, 1);
    say(out, 's');
    if (hear(in) != 'g')
        return 1;
    counting_go_on(&counting);
    comb_operation_engine_stop(engine);
    struct comb_operation_stats stats;
    comb_operation_engine_get_stats(engine, &stats);
    say(out, stats.lost >= 1 && stats.done == 0 && !counting.may_go_on ? 'l' : 'w');
    comb_operation_engine_free(engine);
    comb_operations_store_close(store);
    comb_sql_close(sql);
    return 0;
}

static void spawn_child(struct fixture *f)
{
    int in[2], out[2];
    char in_text[16], out_text[16];
    char *url = test_sql_row_postgres_url(f->folder);
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    snprintf(in_text, sizeof in_text, "%d", in[0]);
    snprintf(out_text, sizeof out_text, "%d", out[1]);
    f->child = fork();
    assert_true(f->child >= 0);
    if (f->child == 0) {
        close(in[1]);
        close(out[0]);
        execl("/proc/self/exe", "takeover_test", "--child", url, in_text, out_text, (char *)NULL);
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
    must_ok(comb_sql_migrate_schema(f->sql, comb_operations_schemas, &f->t.err), &f->t.err);
    must_ok(comb_operations_store_open(f->sql, &f->store, &f->t.err), &f->t.err);
    counting_init(&f->counting);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->to_child);
    close(f->from_child);
    comb_operations_store_close(f->store);
    comb_sql_close(f->sql);
    test_ctx_done(&f->t);
    free(f->folder);
    free(f);
    return 0;
}

static void must_be_done_once(struct fixture *f, const struct comb_uuid *id)
{
    struct comb_operation operation = counting_await_end(f->store, &f->t, id);
    assert_int_equal(operation.state, COMB_OPERATION_DONE);
    assert_int_equal(operation.progress.done, STEPS);
    assert_true(comb_str_equal(operation.result, STR("5")));
    assert_true(operation.fence >= 2);
}

/* The other process has it, and has done two steps. */
static struct comb_uuid begin(struct fixture *f)
{
    struct comb_uuid id = counting_make(f->sql, f->store, STEPS);
    spawn_child(f);
    assert_int_equal(hear(f->from_child), 's');
    struct comb_operation operation = counting_get(f->store, &f->t, &id);
    assert_int_equal(operation.state, COMB_OPERATION_RUNNING);
    assert_int_equal(operation.progress.done, 2);
    return id;
}

static void a_killed_holders_operation_is_finished_by_another(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = begin(f);
    int64_t killed_ns = comb_clock_monotonic_ns();
    assert_int_equal(kill(f->child, SIGKILL), 0);
    assert_int_equal(waitpid(f->child, NULL, 0), f->child);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->counting, LEASE_MS);
    must_be_done_once(f, &id);
    printf("finished by the other process %.1f s after the kill (lease %.1f s)\n",
           (double)(comb_clock_monotonic_ns() - killed_ns) / COMB_NS_PER_S, LEASE_MS / 1000.0);
    comb_operation_engine_free(engine);
    /* From the last saved step on. */
    assert_int_equal(f->counting.steps, STEPS - 2);
}

static void a_frozen_holder_finds_it_finished_and_writes_nothing(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    struct comb_uuid id = begin(f);
    assert_int_equal(kill(f->child, SIGSTOP), 0);
    struct comb_operation_engine *engine = counting_engine(f->store, &f->counting, LEASE_MS);
    must_be_done_once(f, &id);
    comb_operation_engine_free(engine);
    struct comb_operation before = counting_get(f->store, &f->t, &id);
    assert_int_equal(kill(f->child, SIGCONT), 0);
    say(f->to_child, 'g');
    assert_int_equal(hear(f->from_child), 'l');
    assert_int_equal(waitpid(f->child, &status, 0), f->child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct comb_operation after = counting_get(f->store, &f->t, &id);
    assert_int_equal(after.revision, before.revision);
    assert_int_equal(f->counting.steps, STEPS - 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_holders_operation_is_finished_by_another),
        TEST(a_frozen_holder_finds_it_finished_and_writes_nothing),
    };
    if (argc == 5 && strcmp(argv[1], "--child") == 0)
        return run_child(argv[2], (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
