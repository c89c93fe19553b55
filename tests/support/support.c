/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/clock.h"

/* Longer than any machine stands still: a test that is about time sets its own. */
enum { DEADLINE_S = 120 };

static void begin(struct test_ctx *test)
{
    test->err = (struct comb_error){0};
    test->ctx = (struct comb_ctx){
        .arena = grpcc_arena_new(0),
        .deadline_ns = comb_clock_monotonic_ns() + DEADLINE_S * COMB_NS_PER_S,
        .principal = &test->principal,
        .method = STR("/comb.v1.Test/Test"),
    };
    assert_non_null(test->ctx.arena);
}

void test_ctx_init(struct test_ctx *test)
{
    test->principal = (struct comb_principal){.user = comb_uuid_new(), .login = STR("tester")};
    begin(test);
}

void test_ctx_done(struct test_ctx *test)
{
    grpcc_arena_free(test->ctx.arena);
    test->ctx.arena = NULL;
}

void test_ctx_next(struct test_ctx *test)
{
    test_ctx_done(test);
    begin(test);
}

char *test_path(const char *folder, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

char *test_folder_new(void)
{
    const char *base = getenv("TEST_TMPDIR");
    char *path = test_path(base ? base : "/tmp", "comb-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

void test_copy_file(const char *from, const char *to)
{
    char block[4096];
    FILE *in = fopen(from, "rb");
    if (!in) {
        remove(to);
        return;
    }
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    for (size_t n; (n = fread(block, 1, sizeof block, in)) > 0;)
        assert_int_equal(fwrite(block, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    fclose(in);
}

void test_must_ok(enum comb_status status, const struct comb_error *err, const char *call,
                  const char *file, int line)
{
    if (status == COMB_OK)
        return;
    print_error("%s\n  ended with %s (%s)\n", call, comb_status_name(status), err ? err->msg : "");
    _fail(file, line);
}

void test_must_fail(enum comb_status expected, enum comb_status status,
                    const struct comb_error *err, const char *call, const char *file, int line)
{
    bool told = !err || (err->status == status && err->msg[0] != '\0');
    if (status == expected && told)
        return;
    print_error("%s\n  ended with %s, not %s (%s: %s)\n", call, comb_status_name(status),
                comb_status_name(expected), err ? comb_status_name(err->status) : "",
                err ? err->msg : "");
    _fail(file, line);
}
