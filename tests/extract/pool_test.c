/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: real files through the real program, and everything that can happen to a file. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/extract/documents.h"
#include "tests/extract/pool.h"
#include "tests/support/support.h"

/* Nothing stays behind, however a test's files ended. */
static unsigned descriptors_before;

static int setup(void **state)
{
    (void)state;
    descriptors_before = pool_count_descriptors();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(pool_count_descriptors(), descriptors_before);
    return 0;
}

static struct comb_extract *good_pool(void)
{
    const struct comb_extract_options options = {.program = pool_program(), .workers = 2};
    return pool_new(&options);
}

static struct comb_extract *bad_pool(const struct comb_extract_limits *limits)
{
    const struct comb_extract_options options = {.program = pool_misbehaving_program(),
                                                 .limits = *limits};
    return pool_new(&options);
}

static void read_word(struct comb_extract *pool, const char *word,
                      enum comb_extract_outcome outcome, enum comb_extract_reason reason,
                      const char *text)
{
    struct pool_file file;
    pool_file_init(&file, comb_str_from(word));
    pool_file_is(pool, &file, outcome, reason, text);
}

static void kinds_come_through(void **state)
{
    struct comb_extract *pool = good_pool();
    struct comb_extract_metrics metrics;
    struct comb_buf documents[4];
    static const char *const texts[] = {"The title\nfirst\ttext\nlast\na note\n",
                                        "A heading\ntext and\tmore\nhere\n", "text\n\n", NULL};
    (void)state;
    document_docx(&documents[0], "text");
    document_odf(&documents[1], "text", "text");
    document_pdf(&documents[2], "text", 1);
    document_mail(&documents[3], "s", "b", "a.docx", "application/x", comb_buf_str(&documents[0]));
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 4; i++) {
            struct pool_file file;
            pool_file_init(&file, comb_buf_str(&documents[i]));
            pool_file_is(pool, &file, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, texts[i]);
        }
    }
    comb_extract_metrics_get(pool, &metrics);
    assert_int_equal(metrics.files, 12);
    assert_int_equal(metrics.texts, 12);
    assert_true(metrics.programs >= 1 && metrics.programs <= 2);
    assert_true(metrics.text_bytes > 0 && metrics.wall_us > 0);
    assert_int_equal(metrics.queued + metrics.running, 0);
    for (size_t i = 0; i < 4; i++)
        comb_buf_done(&documents[i]);
    comb_extract_free(pool);
}

/* Only so much is read as text is wanted, and no side holds more. */
static void a_gibibyte_of_text_is_cut(void **state)
{
    struct comb_extract *pool = good_pool();
    struct rusage before, after;
    struct pool_file file;
    (void)state;
    pool_file_init(&file, STR("some text that goes on and on\n"));
    file.size = 1u << 30;
    file.name = "endless.log";
    getrusage(RUSAGE_SELF, &before);
    pool_file_submit(pool, &file);
    pool_file_await(&file);
    getrusage(RUSAGE_SELF, &after);
    assert_int_equal(file.result.outcome, COMB_EXTRACT_TRUNCATED);
    assert_int_equal(file.result.reason, COMB_EXTRACT_REASON_TOO_LARGE);
    assert_int_equal(file.text.len, COMB_EXTRACT_OUTPUT_BYTES_DEFAULT);
    assert_true(file.n_read < 2 * COMB_EXTRACT_OUTPUT_BYTES_DEFAULT);
    printf("1 GiB of text: %llu bytes read, %lld ms, CPU %lld ms, this process grew by %ld KiB\n",
           (unsigned long long)file.n_read, (long long)file.result.wall_us / 1000,
           (long long)file.result.cpu_us / 1000, after.ru_maxrss - before.ru_maxrss);
    pool_file_done(&file);

    /* A PDF has to be read whole: not that one. */
    pool_file_init(&file, STR("%PDF-1.4 and then nothing of use "));
    file.size = 1u << 30;
    pool_file_submit(pool, &file);
    pool_file_await(&file);
    assert_int_equal(file.result.outcome, COMB_EXTRACT_REFUSED);
    assert_int_equal(file.result.reason, COMB_EXTRACT_REASON_TOO_LARGE);
    assert_true(file.n_read < 2 * COMB_EXTRACT_INPUT_BYTES_DEFAULT);
    pool_file_done(&file);
    comb_extract_free(pool);
}

static void a_file_that_ends_its_process_ends_alone(void **state)
{
    const struct comb_extract_limits limits = {0};
    struct comb_extract *pool = bad_pool(&limits);
    struct comb_extract_metrics metrics;
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        read_word(pool, "segv", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_CRASHED, "");
        read_word(pool, "exit", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_CRASHED, "");
        read_word(pool, "abort", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_MEMORY, "");
        /* Nothing of the files before is known to the next one. */
        read_word(pool, "files", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");
    }
    comb_extract_metrics_get(pool, &metrics);
    assert_int_equal(metrics.programs, 1);
    assert_int_equal(metrics.by_reason[COMB_EXTRACT_REASON_CRASHED], 6);
    comb_extract_free(pool);
}

static void what_a_process_says_is_not_believed(void **state)
{
    const struct comb_extract_limits limits = {0};
    struct comb_extract *pool = bad_pool(&limits);
    (void)state;
    read_word(pool, "not-utf8", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_CRASHED, "");
    read_word(pool, "control", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_CRASHED, "");
    read_word(pool, "flood", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_CRASHED, "");
    read_word(pool, "files", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");
    comb_extract_free(pool);
}

static void loops_end(void **state)
{
    const struct comb_extract_limits cpu = {.cpu_s = 1}, wall = {.wall_ms = 1000};
    struct comb_extract *pool = bad_pool(&cpu);
    struct pool_file file;
    (void)state;
    read_word(pool, "spin", COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_TIMEOUT, "before");
    read_word(pool, "stubborn", COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_TIMEOUT, "before");
    comb_extract_free(pool);
    pool = bad_pool(&wall);
    /* A machine that stalls may not even let it say what it says before. */
    pool_file_init(&file, STR("spin"));
    pool_file_submit(pool, &file);
    pool_file_await(&file);
    assert_int_equal(file.result.reason, COMB_EXTRACT_REASON_TIMEOUT);
    assert_true(file.result.wall_us >= 1000000);
    pool_file_done(&file);
    comb_extract_free(pool);
}

/* From outside, as the kernel does where memory is short. */
static void killed_processes_are_replaced(void **state)
{
    const struct comb_extract_limits limits = {0};
    struct comb_extract *pool = bad_pool(&limits);
    struct pool_file file;
    pid_t program, parser;
    (void)state;
    pool_file_init(&file, STR("spin"));
    pool_file_submit(pool, &file);
    program = pool_await_child_of(getpid());
    parser = pool_await_child_of(program);
    kill(parser, SIGKILL);
    pool_file_await(&file);
    assert_int_equal(file.result.reason, COMB_EXTRACT_REASON_CRASHED);
    pool_file_done(&file);
    read_word(pool, "files", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");

    pool_file_init(&file, STR("spin"));
    pool_file_submit(pool, &file);
    parser = pool_await_child_of(program);
    kill(program, SIGKILL);
    pool_file_await(&file);
    assert_int_equal(file.result.reason, COMB_EXTRACT_REASON_UNAVAILABLE);
    pool_await_gone(parser);
    pool_file_done(&file);
    read_word(pool, "files", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");
    comb_extract_free(pool);
}

static void programs_are_replaced_after_so_many_files(void **state)
{
    const struct comb_extract_options options = {.program = pool_program(), .files_per_program = 2};
    struct comb_extract *pool = pool_new(&options);
    struct comb_extract_metrics metrics;
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        read_word(pool, "text", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "text\n");
    comb_extract_metrics_get(pool, &metrics);
    assert_int_equal(metrics.programs, 3);
    comb_extract_free(pool);
}

static void files_are_cancelled(void **state)
{
    const struct comb_extract_limits limits = {0};
    struct comb_extract *pool = bad_pool(&limits);
    struct pool_file running, waiting, last;
    (void)state;
    pool_file_init(&running, STR("spin"));
    pool_file_init(&waiting, STR("files"));
    pool_file_init(&last, STR("files"));
    pool_file_submit(pool, &running);
    pool_file_submit(pool, &waiting);
    pool_file_submit(pool, &last);
    comb_extract_cancel(pool, waiting.id);
    assert_int_equal(waiting.n_done, 1);
    assert_int_equal(waiting.result.reason, COMB_EXTRACT_REASON_CANCELLED);
    comb_extract_cancel(pool, running.id);
    pool_file_await(&running);
    assert_int_equal(running.result.reason, COMB_EXTRACT_REASON_CANCELLED);
    assert_int_equal(running.result.outcome, COMB_EXTRACT_REFUSED);
    pool_file_await(&last);
    assert_int_equal(last.result.outcome, COMB_EXTRACT_TEXT);
    comb_extract_cancel(pool, running.id);
    comb_extract_cancel(pool, 4711);
    pool_file_done(&running);
    pool_file_done(&waiting);
    pool_file_done(&last);
    comb_extract_free(pool);
}

static void the_queue_is_bounded(void **state)
{
    const struct comb_extract_options options = {.program = pool_misbehaving_program(),
                                                 .queue_max = 2};
    struct comb_extract *pool = pool_new(&options);
    struct comb_extract_metrics metrics;
    struct comb_error err = {0};
    struct pool_file files[3], refused;
    const struct comb_extract_file request = {.source = {NULL, NULL, NULL}};
    (void)state;
    pool_file_init(&refused, STR("files"));
    for (size_t i = 0; i < 3; i++) {
        pool_file_init(&files[i], STR("spin"));
        pool_file_submit(pool, &files[i]);
        do {
            comb_extract_metrics_get(pool, &metrics);
        } while (metrics.running == 0);
    }
    must_fail(COMB_RESOURCE_EXHAUSTED, comb_extract_submit(pool, &request, NULL, NULL, NULL, &err),
              &err);
    assert_true(err.retryable);
    /* What runs and what waits ends with the pool. */
    comb_extract_free(pool);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(files[i].n_done, 1);
        assert_int_equal(files[i].n_released, 1);
        assert_int_equal(files[i].result.reason, COMB_EXTRACT_REASON_CANCELLED);
        pool_file_done(&files[i]);
    }
    pool_file_done(&refused);
}

static void content_that_cannot_be_read(void **state)
{
    struct comb_extract *pool = good_pool();
    struct pool_file file;
    (void)state;
    pool_file_init(&file, STR("text"));
    file.fails = true;
    pool_file_is(pool, &file, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_SOURCE, "");
    comb_extract_free(pool);
}

static void names_and_types_reach_the_parser(void **state)
{
    const struct comb_extract_limits limits = {0};
    struct comb_extract *pool = bad_pool(&limits);
    struct pool_file file;
    char longest[400], expected[300];
    (void)state;
    pool_file_init(&file, STR("name"));
    file.name = "a.txt";
    file.media_type = "text/plain";
    pool_file_is(pool, &file, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "a.txt text/plain");
    /* Of a long name, the end. */
    memset(longest, 'n', sizeof longest);
    snprintf(longest + sizeof longest - 5, 5, ".pdf");
    snprintf(expected, sizeof expected, "%s ", longest + sizeof longest - 256);
    pool_file_init(&file, STR("name"));
    file.name = longest;
    pool_file_is(pool, &file, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, expected);
    comb_extract_free(pool);
}

static void programs_that_do_not_answer(void **state)
{
    struct comb_extract_options options = {.program = "/nowhere/comb-extract"};
    struct comb_error err = {0};
    struct comb_extract *pool;
    bool has_namespaces;
    (void)state;
    must_fail(COMB_FAILED_PRECONDITION, comb_extract_new(&options, &pool, &err), &err);
    assert_non_null(strstr(err.msg, "beside combd"));
    options.program = "comb-extract";
    must_fail(COMB_INVALID_ARGUMENT, comb_extract_new(&options, &pool, &err), &err);
    options.program = "/bin/true";
    options.workers = COMB_EXTRACT_WORKERS_MAX + 1;
    must_fail(COMB_INVALID_ARGUMENT, comb_extract_new(&options, &pool, &err), &err);
    options.workers = 1;
    pool = pool_new(&options);
    read_word(pool, "text", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_UNAVAILABLE, "");
    must_fail(COMB_UNAVAILABLE, comb_extract_check(pool, &has_namespaces, &err), &err);
    assert_non_null(strstr(err.msg, "/bin/true"));
    comb_extract_free(pool);
}

/* combd killed with -9 leaves nothing that goes on working. */
static void processes_end_with_their_server(void **state)
{
    pid_t server = fork(), program, parser;
    (void)state;
    if (server == 0) {
        const struct comb_extract_limits limits = {0};
        struct comb_extract *pool = bad_pool(&limits);
        struct pool_file file;
        pool_file_init(&file, STR("spin"));
        pool_file_submit(pool, &file);
        pool_file_await(&file);
        _exit(0);
    }
    assert_true(server > 0);
    program = pool_await_child_of(server);
    parser = pool_await_child_of(program);
    kill(server, SIGKILL);
    assert_int_equal(waitpid(server, NULL, 0), server);
    pool_await_gone(program);
    pool_await_gone(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(processes_end_with_their_server, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_come_through, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gibibyte_of_text_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_ends_its_process_ends_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_process_says_is_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_end, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_processes_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_are_replaced_after_so_many_files, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(content_that_cannot_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(names_and_types_reach_the_parser, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_that_do_not_answer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
