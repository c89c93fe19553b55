/* SPDX-License-Identifier: Apache-2.0 */
/* What only the embedded driver has: files, their lock, and a process that dies. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/contract/sql/fixture.h"

static const char *program;

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void all_files_are_private(void **state)
{
    struct fixture *f = *state;
    const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
    for (size_t i = 0; i < N_OF(endings); i++) {
        char path[4096];
        struct stat info;
        snprintf(path, sizeof path, "%s%s", f->place, endings[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
}

/* The mask of blocked signals of one thread. */
static uint64_t blocked_signals(const char *thread)
{
    char path[300], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "SigBlk: %llx", &mask) == 1)
            break;
    }
    fclose(file);
    return mask;
}

static void the_stores_threads_take_no_signals(void **state)
{
    (void)state;
    char own[16];
    int n = 0;
    snprintf(own, sizeof own, "%ld", (long)getpid());
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, own) == 0)
            continue;
        uint64_t mask = blocked_signals(entry->d_name);
        /* A sanitizer's own thread may be among them; ours are the ones that block SIGTERM. */
        n +=
            (mask >> (SIGTERM - 1) & 1) && (mask >> (SIGINT - 1) & 1) && (mask >> (SIGHUP - 1) & 1);
    }
    closedir(threads);
    assert_true(n >= 9);
}

static void a_second_open_is_refused_whatever_name_it_takes(void **state)
{
    struct fixture *f = *state;
    struct comb_sql *second = NULL;
    char link_path[4096], pid[32];
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    snprintf(link_path, sizeof link_path, "%s.link", f->place);
    assert_int_equal(symlink(f->place, link_path), 0);
    const char *const names[] = {f->place, link_path};
    for (size_t i = 0; i < N_OF(names); i++) {
        must_fail(COMB_FAILED_PRECONDITION, driver_open(names[i], &second, &f->t.err), &f->t.err);
        assert_non_null(strstr(f->t.err.msg, "another process"));
        assert_non_null(strstr(f->t.err.msg, pid));
        assert_null(second);
    }
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("a"), &f->t.err), &f->t.err);
}

static void what_is_no_store_is_said_to_be_none(void **state)
{
    struct fixture *f = *state;
    char *folder = test_folder_new();
    char *text = test_path(folder, "text"), *missing = test_path(folder, "no/comb.db");
    char *other = test_path(folder, "other.db");
    struct comb_sql *sql = NULL;
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    put_file(text, "this is a text of some length that SQLite cannot take for a database at all, "
                   "it has more than one hundred bytes");
    must_fail(COMB_FAILED_PRECONDITION, driver_open(text, &sql, &f->t.err), &f->t.err);
    must_fail(COMB_FAILED_PRECONDITION, driver_open(missing, &sql, &f->t.err), &f->t.err);
    assert_non_null(strstr(f->t.err.msg, "No such file or directory"));
    must_fail(COMB_FAILED_PRECONDITION, driver_open(folder, &sql, &f->t.err), &f->t.err);
    must_fail(COMB_INVALID_ARGUMENT, driver_open("", &sql, &f->t.err), &f->t.err);
    must_fail(COMB_INVALID_ARGUMENT, driver_open(long_path, &sql, &f->t.err), &f->t.err);
    /* Another program's: one of ours, whose mark has been changed. */
    must_ok(driver_open(other, &sql, &f->t.err), &f->t.err);
    comb_sql_close(sql);
    int fd = open(other, O_RDWR);
    assert_int_equal(pwrite(fd, "\1\2\3\4", 4, 68), 4);
    close(fd);
    sql = NULL;
    must_fail(COMB_FAILED_PRECONDITION, driver_open(other, &sql, &f->t.err), &f->t.err);
    assert_non_null(strstr(f->t.err.msg, "another program"));
    assert_null(sql);
    free(other);
    free(missing);
    free(text);
    free(folder);
}

/* The installation is the same one, its history from there on is not. */
static void a_copy_gets_an_incarnation_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct comb_sql_info before, after, again;
    char copy[4096];
    must_ok(insert_item(f->sql, &f->t.ctx, 1, STR("kept"), &f->t.err), &f->t.err);
    comb_sql_get_info(f->sql, &before);
    comb_sql_close(f->sql);
    snprintf(copy, sizeof copy, "%s.copy", f->place);
    test_copy_file(f->place, copy);
    must_ok(driver_open(copy, &f->sql, &f->t.err), &f->t.err);
    comb_sql_get_info(f->sql, &after);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 1);
    comb_sql_close(f->sql);
    must_ok(driver_open(copy, &f->sql, &f->t.err), &f->t.err);
    comb_sql_get_info(f->sql, &again);
    assert_true(comb_uuid_equal(&before.installation, &after.installation));
    assert_true(before.incarnation != after.incarnation);
    assert_true(after.incarnation == again.incarnation);
}

static void a_full_store_refuses_and_recovers(void **state)
{
    static const char big_text[] = "INSERT INTO item (name) VALUES (hex(randomblob(20000)))";
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    int64_t written = 0;
    static char limit_text[64];
    snprintf(limit_text, sizeof limit_text, "PRAGMA max_page_count = %d",
             (int)number(f, "SELECT page_count + 100 FROM pragma_page_count"));
    must_ok(run_text(f, COMB_SQL_WRITE, limit_text, &result), &f->t.err);
    while (run_text(f, COMB_SQL_WRITE, big_text, &result) == COMB_OK)
        assert_true(++written < 100);
    assert_int_equal(f->t.err.status, COMB_RESOURCE_EXHAUSTED);
    assert_int_equal(f->t.err.reason, COMB_V1_ERROR_REASON_STORE_FULL);
    assert_true(f->t.err.retryable);
    assert_false(f->t.err.ambiguous);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), written);
    must_ok(run_text(f, COMB_SQL_WRITE, "PRAGMA max_page_count = 1000000", &result), &f->t.err);
    must_ok(run_text(f, COMB_SQL_WRITE, big_text, &result), &f->t.err);
    assert_int_equal(number(f, "SELECT count(*) FROM item"), written + 1);
}

/* In a group one request is too much for the store: the others are written. */
static void a_request_that_loses_the_transaction_falls_alone(void **state)
{
    static const char small_text[] = "INSERT INTO item (rev) VALUES (1)";
    static const char taken_text[] = "INSERT INTO item (id, rev) VALUES (1000, 1)";
    static const char huge_text[] = "INSERT INTO item (name) VALUES (hex(randomblob(4000000)))";
    static const char *const texts[] = {small_text, taken_text, taken_text, huge_text, small_text};
    enum { N = 5 };
    static const enum comb_status expected[N] = {COMB_OK, COMB_OK, COMB_ALREADY_EXISTS,
                                                 COMB_RESOURCE_EXHAUSTED, COMB_OK};
    struct fixture *f = *state;
    const struct comb_sql_result *result;
    struct listener slow = LISTENER_INIT, listeners[N];
    must_ok(run_text(f, COMB_SQL_WRITE, "PRAGMA max_page_count = 200", &result), &f->t.err);
    struct comb_sql_statement statement = {.text = driver_slow_sql};
    struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, &slow);
    for (int i = 0; i < N; i++) {
        statement.text = texts[i];
        listeners[i] = (struct listener)LISTENER_INIT;
        comb_sql_submit(f->sql, &f->t.ctx, &request, listener_done, &listeners[i]);
    }
    listener_wait(&slow);
    for (int i = 0; i < N; i++) {
        listener_wait(&listeners[i]);
        assert_int_equal(listeners[i].status, expected[i]);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM item"), 3);
    struct comb_sql_stats stats;
    comb_sql_get_stats(f->sql, &stats);
    assert_in_range(stats.retries, 1, N);
}

/* A child process that writes pairs of rows and tells each acknowledged pair; it never ends. */
struct child {
    pid_t pid;
    int acknowledged; /* reading end: one int64_t a pair */
};

static struct child child_start(const char *place)
{
    extern char **environ;
    struct child child;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    char *const arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)place, NULL};
    assert_int_equal(posix_spawn(&child.pid, program, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    child.acknowledged = ends[0];
    return child;
}

static bool child_next(struct child *child, int64_t *ret_id)
{
    return read(child->acknowledged, ret_id, sizeof *ret_id) == sizeof *ret_id;
}

static void child_kill(struct child *child)
{
    int status;
    assert_int_equal(kill(child->pid, SIGKILL), 0);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static _Atomic int64_t next_id;

static void *child_write(void *data)
{
    static const char text[] = "INSERT INTO item (id, rev) VALUES (?1, 1)";
    struct comb_sql *sql = data;
    for (;;) {
        struct test_ctx t;
        test_ctx_init(&t);
        int64_t id = atomic_fetch_add(&next_id, 1);
        const struct comb_sql_value params[] = {comb_sql_integer(2 * id),
                                                comb_sql_integer(2 * id + 1)};
        const struct comb_sql_statement statements[] = {{text, &params[0], 1, false},
                                                        {text, &params[1], 1, false}};
        const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, 2};
        const struct comb_sql_result *result;
        if (comb_sql_run(sql, &t.ctx, &request, &result, &t.err) != COMB_OK ||
            write(STDOUT_FILENO, &id, sizeof id) != sizeof id)
            _exit(1);
        test_ctx_done(&t);
    }
    return NULL;
}

static int child_main(const char *place)
{
    struct fixture f = {.place = NULL};
    pthread_t threads[4];
    test_ctx_init(&f.t);
    if (driver_open(place, &f.sql, &f.t.err) != COMB_OK)
        return 1;
    next_id = number(&f, "SELECT coalesce(max(id), 0) / 2 + 1 FROM item");
    for (size_t i = 0; i < N_OF(threads); i++) {
        if (pthread_create(&threads[i], NULL, child_write, f.sql) != 0)
            return 1;
    }
    pthread_join(threads[0], NULL);
    return 1;
}

static void another_process_is_named_and_its_death_frees_the_store(void **state)
{
    struct fixture *f = *state;
    char pid[32];
    int64_t id;
    comb_sql_close(f->sql);
    f->sql = NULL;
    struct child child = child_start(f->place);
    assert_true(child_next(&child, &id));
    snprintf(pid, sizeof pid, "(pid %ld)", (long)child.pid);
    must_fail(COMB_FAILED_PRECONDITION, driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
    assert_non_null(strstr(f->t.err.msg, pid));
    child_kill(&child);
    close(child.acknowledged);
    must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    enum { ROUNDS = 20, PAIRS_MAX = 100000 };
    static bool acknowledged[PAIRS_MAX];
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t id;
        comb_sql_close(f->sql);
        f->sql = NULL;
        struct child child = child_start(f->place);
        for (int i = 0; i <= 7 * round; i++) {
            assert_true(child_next(&child, &id));
            acknowledged[id % PAIRS_MAX] = true;
        }
        child_kill(&child);
        while (child_next(&child, &id))
            acknowledged[id % PAIRS_MAX] = true;
        close(child.acknowledged);
        must_ok(driver_open(f->place, &f->sql, &f->t.err), &f->t.err);
        test_ctx_next(&f->t);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM item AS a WHERE id % 2 = 0 AND NOT EXISTS"
                               " (SELECT 1 FROM item AS b WHERE b.id = a.id + 1)"),
                     0);
    assert_int_equal(number(f, "SELECT sum(id % 2) * 2 - count(*) FROM item"), 0);
    static const char there_text[] = "SELECT count(*) FROM item WHERE id = ?1";
    for (int64_t id = 0; id < PAIRS_MAX; id++) {
        if (!acknowledged[id])
            continue;
        const struct comb_sql_value param = comb_sql_integer(2 * id);
        const struct comb_sql_statement statement = {there_text, &param, 1, false};
        const struct comb_sql_result *result;
        must_ok(run_all(f, COMB_SQL_READ, &statement, 1, &result), &f->t.err);
        assert_int_equal(comb_sql_at(&result->rows[0], 0, 0)->integer, 1);
        test_ctx_next(&f->t);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM pragma_integrity_check"
                               " WHERE integrity_check = 'ok'"),
                     1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(all_files_are_private),
        TEST(the_stores_threads_take_no_signals),
        TEST(a_second_open_is_refused_whatever_name_it_takes),
        TEST(what_is_no_store_is_said_to_be_none),
        TEST(a_copy_gets_an_incarnation_of_its_own),
        TEST(a_full_store_refuses_and_recovers),
        TEST(a_request_that_loses_the_transaction_falls_alone),
        TEST(another_process_is_named_and_its_death_frees_the_store),
        TEST(what_was_acknowledged_survives_kill_9),
    };
    program = argv[0];
    if (argc > 1)
        return child_main(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
