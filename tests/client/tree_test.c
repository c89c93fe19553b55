/* SPDX-License-Identifier: Apache-2.0 */
/* Trees from disk into a real combd and back. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comb/files.h"
#include "comb/lists.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"

enum { LARGE = 9 << 20, MANY = 40 };

struct fixture {
    struct combd combd;
    struct comb_client *client;
    struct comb_tree_report report;
    struct grpcc_error err;
    char problems[4096];
    char root[2048];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    combd_start(&f->combd, NULL);
    f->client = combd_client(&f->combd);
    snprintf(f->root, sizeof(f->root), "%s/files.XXXXXX", getenv("TEST_TMPDIR"));
    assert_non_null(mkdtemp(f->root));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->client);
    combd_done(&f->combd);
    free(f);
    return 0;
}

/* Runs a shell command with $R as the fixture's folder. */
static int shell(const struct fixture *f, const char *command)
{
    char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
                         (char *)(uintptr_t)command, NULL};
    int status = 0;
    pid_t pid = 0;
    assert_int_equal(setenv("R", f->root, 1), 0);
    assert_int_equal(posix_spawnp(&pid, "sh", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void note_problem(void *data, const char *path, const char *why)
{
    struct fixture *f = data;
    size_t n = strlen(f->problems);
    snprintf(f->problems + n, sizeof(f->problems) - n, "%s: %s\n", path + strlen(f->root) + 1, why);
}

#define must_ok(call, err)                                                                         \
    do {                                                                                           \
        if ((call) != GRPCC_OK)                                                                    \
            fail_msg("%s: %s", #call, (err)->message);                                             \
    } while (0)

static void put(struct fixture *f, const char *name, const char *path,
                const struct comb_tree_options *given)
{
    char local[4096];
    struct comb_tree_options options = {0};
    if (given)
        options = *given;
    options.size = sizeof(options);
    options.problem = note_problem;
    options.problem_data = f;
    snprintf(local, sizeof(local), "%s/%s", f->root, name);
    f->problems[0] = '\0';
    must_ok(comb_put_tree(f->client, local, path, &options, &f->report, &f->err), &f->err);
}

static void get(struct fixture *f, const char *path, const char *name)
{
    char local[4096];
    struct comb_tree_options options = {
        .size = sizeof(options), .problem = note_problem, .problem_data = f};
    snprintf(local, sizeof(local), "%s/%s", f->root, name);
    f->problems[0] = '\0';
    must_ok(comb_get_tree(f->client, path, local, &options, &f->report, &f->err), &f->err);
}

static void make_source(struct fixture *f)
{
    assert_int_equal(
        shell(f, "set -e; cd \"$R\"; mkdir -p src/a/b/c src/empty src/a/deep/er; "
                 "echo one > src/one; : > src/nothing; echo two > 'src/a/two words'; "
                 "printf 'x%.0s' $(seq 1000) > src/a/b/c/x; echo ü > src/a/ü; "
                 "head -c 9437184 /dev/urandom > src/large; chmod 640 src/one; chmod 750 src/a/b; "
                 "for i in $(seq 40); do echo $i > src/a/deep/er/$i; done; "
                 "mkdir out; echo linked > out/file; ln -s ../out src/link; ln -s one src/alias; "
                 "touch -d 2001-02-03T04:05:06.789 src/one src/a/b"),
        0);
}

static void a_tree_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    make_source(f);
    put(f, "src", "/personal/in/src", NULL);
    assert_string_equal(f->problems, "");
    assert_int_equal(f->report.problems, 0);
    assert_int_equal(f->report.files, MANY + 8);
    assert_int_equal(f->report.unchanged, 0);
    get(f, "/personal/in/src", "back");
    assert_string_equal(f->problems, "");
    assert_int_equal(f->report.files, MANY + 8);
    assert_int_equal(shell(f, "cp -rL \"$R/src\" \"$R/copy\" && diff -r \"$R/copy\" \"$R/back\""),
                     0);
    assert_int_equal(shell(f,
                           "cd \"$R\"; for p in one a/b a/b/c/x; do "
                           "[ \"$(stat -c '%a %.9Y' src/$p)\" = \"$(stat -c '%a %.9Y' back/$p)\" ]"
                           " || exit 1; done"),
                     0);
    /* Again: nothing to do, in both directions. */
    put(f, "src", "/personal/in/src", NULL);
    assert_int_equal(f->report.files + f->report.folders + f->report.problems, 0);
    assert_int_equal(f->report.unchanged, MANY + 8);
    get(f, "/personal/in/src", "back");
    assert_int_equal(f->report.files + f->report.folders + f->report.problems, 0);
    assert_int_equal(f->report.unchanged, MANY + 8);
    /* Only what changed. */
    assert_int_equal(shell(f, "echo more >> \"$R/src/a/b/c/x\"; chmod 600 \"$R/src/one\""), 0);
    put(f, "src", "/personal/in/src", NULL);
    assert_int_equal(f->report.files, 1);
    get(f, "/personal/in/src", "again");
    assert_int_equal(shell(f, "cp -rL \"$R/src\" \"$R/copy2\" && diff -r \"$R/copy2\" \"$R/again\" "
                              "&& [ $(stat -c %a \"$R/again/one\") = 600 ]"),
                     0);
}

static void what_cannot_be_kept_is_named(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(shell(f, "set -e; cd \"$R\"; mkdir -p odd/sub; echo good > odd/good; "
                              "ln -s nowhere odd/dangling; ln -s ../../odd odd/sub/loop; "
                              "mkfifo odd/pipe; echo bad > \"$(printf 'odd/\\377')\""),
                     0);
    put(f, "odd", "/personal/odd", NULL);
    assert_int_equal(f->report.files, 1);
    assert_int_equal(f->report.problems, 4);
    assert_non_null(strstr(f->problems, "odd/dangling: a link to nowhere\n"));
    assert_non_null(strstr(f->problems, "odd/sub/loop: a loop"));
    assert_non_null(strstr(f->problems, "odd/pipe: a pipe"));
    assert_non_null(strstr(f->problems, "is not UTF-8"));
}

static void only_the_files_that_are_asked_for_are_sent(void **state)
{
    struct fixture *f = *state;
    const char *const files[] = {"a/deep/er/7", "one", "./a/ü", "a/b", "missing", NULL};
    make_source(f);
    put(f, "src", "/personal/some", &(struct comb_tree_options){.files = files});
    assert_int_equal(f->report.files, 4);
    assert_int_equal(f->report.problems, 1);
    get(f, "/personal/some", "back");
    assert_int_equal(
        shell(f, "cd \"$R/back\" && [ \"$(find . -type f | LC_ALL=C sort | tr '\\n' ' ')\" "
                 "= './a/b/c/x ./a/deep/er/7 ./a/ü ./one ' ]"),
        0);
}

static void nothing_is_written_through_a_link(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(shell(f, "set -e; cd \"$R\"; mkdir -p src/a victim target; echo x > src/a/x; "
                              "echo y > src/y; echo safe > victim/y; ln -s ../victim target/a; "
                              "ln -s ../victim/y target/y"),
                     0);
    put(f, "src", "/personal/src", NULL);
    get(f, "/personal/src", "target");
    assert_int_equal(f->report.problems, 1); /* the folder; a link in a file's place is replaced */
    assert_int_equal(shell(f, "cd \"$R\"; [ \"$(cat victim/y)\" = safe ] && [ ! -e victim/x ] && "
                              "[ \"$(cat target/y)\" = y ] && [ ! -L target/y ]"),
                     0);
}

static void lists_have_no_pages(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    int n = 0;
    make_source(f);
    put(f, "src/a/deep/er", "/personal/many", NULL);
    request->folder = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_path(request->folder, "/personal/many");
    must_ok(comb_list_open(f->client, request, &list, &f->err), &f->err);
    while (comb_list_next(list, &node, &f->err) > 0)
        n++;
    assert_int_equal(n, MANY);
    assert_int_equal(comb_list_next(list, &node, &f->err), 0);
    comb_list_close(list);
    comb_v1_node_ref_set_path(request->folder, "/personal/nobody");
    must_ok(comb_list_open(f->client, request, &list, &f->err), &f->err);
    assert_int_equal(comb_list_next(list, &node, &f->err), -1);
    assert_int_equal(f->err.status, GRPCC_NOT_FOUND);
    assert_string_equal(comb_error_reason(&f->err), "NODE_NOT_FOUND");
    comb_list_close(list);
    grpcc_arena_free(arena);
}

static void a_watch_survives_its_replica(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(arena);
    const struct comb_v1_tree_watch_response *event = NULL;
    struct comb_watch *watch = NULL;
    make_source(f);
    request->recursive = true;
    must_ok(comb_watch_open(f->client, request, &watch, &f->err), &f->err);
    for (int i = 0; i < 3; i++) {
        char path[64];
        bool found = false;
        snprintf(path, sizeof(path), "/personal/%d.txt", i);
        must_ok(comb_put_bytes(f->client, arena, path, "x", 1, NULL, NULL, &f->err), &f->err);
        while (!found && comb_watch_next(watch, &event, &f->err) == 1)
            found = event->event_case == COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE &&
                    strcmp(event->change->node->name, path + strlen("/personal/")) == 0;
        assert_true(found);
        combd_kill(&f->combd);
        combd_start(&f->combd, NULL);
    }
    assert_true(*comb_watch_cursor(watch));
    comb_watch_cancel(watch);
    assert_int_equal(comb_watch_next(watch, &event, &f->err), 0);
    comb_watch_close(watch);
    grpcc_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_tree_comes_back_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_kept_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_files_that_are_asked_for_are_sent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_written_through_a_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_have_no_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_watch_survives_its_replica, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
