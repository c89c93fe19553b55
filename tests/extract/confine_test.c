/* SPDX-License-Identifier: Apache-2.0 */
/* What the process of a file cannot do, tried by one that wants to. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/extract/documents.h"
#include "tests/extract/pool.h"
#include "tests/support/support.h"

static void read_word(struct comb_extract *pool, const char *word,
                      enum comb_extract_outcome outcome, enum comb_extract_reason reason,
                      const char *text)
{
    struct pool_file file;
    pool_file_init(&file, comb_str_from(word));
    pool_file_is(pool, &file, outcome, reason, text);
}

static void forbidden_calls_end_the_process(void **state)
{
    static const char *const words[] = {"socket", "exec",   "fork",
                                        "kill",   "ptrace", "execute-memory"};
    const struct comb_extract_options options = {.program = pool_misbehaving_program()};
    struct comb_extract *pool = pool_new(&options);
    struct comb_extract_metrics metrics;
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        read_word(pool, words[i], COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_FORBIDDEN, "");
    /* Libraries try this, and do without. */
    read_word(pool, "open", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "EACCES");
    comb_extract_metrics_get(pool, &metrics);
    assert_int_equal(metrics.by_reason[COMB_EXTRACT_REASON_FORBIDDEN], 6);
    comb_extract_free(pool);
}

static void nothing_of_the_server_is_there(void **state)
{
    const struct comb_extract_options options = {.program = pool_misbehaving_program()};
    struct comb_extract *pool = pool_new(&options);
    (void)state;
    assert_int_equal(setenv("COMB_TEST_SECRET", "secret", 1), 0);
    read_word(pool, "environment", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "0");
    read_word(pool, "descriptors", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");
    comb_extract_free(pool);
}

static void memory_is_bounded(void **state)
{
    const struct comb_extract_options options = {.program = pool_misbehaving_program()};
    struct comb_extract *pool = pool_new(&options);
    (void)state;
    read_word(pool, "exhaust", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "refused");
    comb_extract_free(pool);
}

/* What it got here; that it is known at all is what callers rely on. */
static void confinement_is_told(void **state)
{
    const struct comb_extract_options options = {.program = pool_program()};
    struct comb_extract *pool = pool_new(&options);
    struct comb_error err = {0};
    bool has_namespaces;
    (void)state;
    must_ok(comb_extract_check(pool, &has_namespaces, &err), &err);
    printf("namespaces: %s\n", has_namespaces ? "yes" : "no");
    comb_extract_free(pool);
}

/* Runs act in a process that may not make one system call, as in containers; its exit status is 0.
 */
static void without(int call, int error, void (*act)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        assert_non_null(filter);
        assert_int_equal(
            seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error & 0xffffu), call, 0), 0);
        assert_int_equal(seccomp_load(filter), 0);
        seccomp_release(filter);
        act();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void check_and_read(void)
{
    const struct comb_extract_options options = {.program = pool_misbehaving_program()};
    struct comb_extract *pool = pool_new(&options);
    struct comb_extract_metrics metrics;
    struct comb_error err = {0};
    bool has_namespaces = true;
    must_ok(comb_extract_check(pool, &has_namespaces, &err), &err);
    assert_false(has_namespaces);
    read_word(pool, "files", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");
    read_word(pool, "socket", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_FORBIDDEN, "");
    read_word(pool, "open", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "EACCES");
    read_word(pool, "descriptors", COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "1");
    comb_extract_metrics_get(pool, &metrics);
    assert_false(metrics.namespaces);
    comb_extract_free(pool);
}

/* Docker refuses unshare(), others the mounts: the filter stands alone, and that is told. */
static void without_namespaces_the_filter_stands(void **state)
{
    (void)state;
    without(SCMP_SYS(unshare), EPERM, check_and_read);
    without(SCMP_SYS(mount), EACCES, check_and_read);
}

static void check_is_refused(void)
{
    const struct comb_extract_options options = {.program = pool_program()};
    struct comb_extract *pool = pool_new(&options);
    struct comb_error err = {0};
    bool has_namespaces;
    must_fail(COMB_FAILED_PRECONDITION, comb_extract_check(pool, &has_namespaces, &err), &err);
    assert_non_null(strstr(err.msg, "seccomp"));
    read_word(pool, "text", COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_UNAVAILABLE, "");
    comb_extract_free(pool);
}

static void without_the_filter_nothing_is_read(void **state)
{
    (void)state;
    without(SCMP_SYS(seccomp), ENOSYS, check_is_refused);
}

/* PDFs whose streams inflate to far more than their file has; whose pages are many. */
static void pdf_bombs_end(void **state)
{
    const struct comb_extract_options options = {
        .program = pool_program(), .limits = {.cpu_s = 2, .memory_bytes = 256u << 20}};
    struct comb_extract *pool = pool_new(&options);
    static const char *const units[] = {
        "BT /F 1 Tf 1 1 Td (x) Tj ET\n", /* text that fits nowhere */
        "q\n",                           /* saved states that are never restored */
        "((((((((",                      /* strings within strings */
        "[[[[[[[[",
    };
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct comb_buf stream, file;
        struct pool_file reading;
        comb_buf_init(&stream, 128u << 20);
        while (stream.len < 64u << 20)
            assert_true(comb_buf_append_str(&stream, comb_str_from(units[i])));
        document_pdf_of(&file, comb_buf_str(&stream));
        assert_true(file.len < 1u << 20);
        pool_file_init(&reading, comb_buf_str(&file));
        pool_file_submit(pool, &reading);
        pool_file_await(&reading);
        printf("64 MiB of '%.8s' in a PDF of %zu bytes: %s, %s, %zu bytes of text, %lld ms\n",
               units[i], file.len, comb_extract_outcome_name(reading.result.outcome),
               comb_extract_reason_name(reading.result.reason), reading.text.len,
               (long long)reading.result.wall_us / 1000);
        /* However it ended, it did so within its limits, and by itself. */
        assert_int_not_equal(reading.result.reason, COMB_EXTRACT_REASON_FORBIDDEN);
        assert_true(reading.text.len <= COMB_EXTRACT_OUTPUT_BYTES_DEFAULT);
        pool_file_done(&reading);
        comb_buf_done(&stream);
        comb_buf_done(&file);
    }
    comb_extract_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_calls_end_the_process),
        cmocka_unit_test(nothing_of_the_server_is_there),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(confinement_is_told),
        cmocka_unit_test(without_namespaces_the_filter_stands),
        cmocka_unit_test(without_the_filter_nothing_is_read),
        cmocka_unit_test(pdf_bombs_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
