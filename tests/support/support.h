/* SPDX-License-Identifier: Apache-2.0 */
/* What tests share: a context to call with, places to write to, judging results. */
#ifndef COMB_TESTS_SUPPORT_H
#define COMB_TESTS_SUPPORT_H

#include <stdint.h>

#include "server/core/ctx.h"
#include "tests/support/cmocka.h"

/* A call's context with an arena of its own. */
struct test_ctx {
    struct comb_ctx ctx;
    struct comb_principal principal;
    struct comb_error err;
};

/* Deadline 30 s from now, a principal with a new user id. */
void test_ctx_init(struct test_ctx *test);
void test_ctx_done(struct test_ctx *test);
/* A new arena, deadline and error: the next call of the same principal. */
void test_ctx_next(struct test_ctx *test);

/* A new, empty folder below $TEST_TMPDIR; the test frees the text with free(). */
char *test_folder_new(void);
/* FOLDER/NAME; the test frees it. */
char *test_path(const char *folder, const char *name);

/* Copies a file's bytes to a new or emptied one; a missing one leaves none. */
void test_copy_file(const char *from, const char *to);

/* Fails the test where status is not OK, printing err's message. */
#define must_ok(call, err) test_must_ok((call), (err), #call, __FILE__, __LINE__)
/* Fails the test where status is another than expected, or err does not say the same. */
#define must_fail(expected, call, err)                                                             \
    test_must_fail((expected), (call), (err), #call, __FILE__, __LINE__)

void test_must_ok(enum comb_status status, const struct comb_error *err, const char *call,
                  const char *file, int line);
void test_must_fail(enum comb_status expected, enum comb_status status,
                    const struct comb_error *err, const char *call, const char *file, int line);

/*
 * The N-th allocation fails: of comb_memory_*, of grpcc's runtime, and of SQLite where the test has
 * installed it (fault_sqlite.h). Threads: any; install once, before everything else.
 */
void test_fault_install(void);
/* From now on allocation number n (1: the next one) fails, once; 0: none. */
void test_fault_arm(long n);
/* Whether the armed allocation has been reached and failed; disarms. */
bool test_fault_disarm(void);
/* For other libraries' seams: counts one allocation; true: it must fail. */
bool test_fault_hit(void);

#endif
