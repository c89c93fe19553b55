/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/reference.h"

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"
#include "tests/support/support.h"

#define ID "0198f3a2-7c41-7d3e-9b5a-2f6c8e1d4a70"

static int setup(void **state)
{
    static struct test_ctx test;
    test_ctx_init(&test);
    *state = &test;
    return 0;
}

static int teardown(void **state)
{
    test_ctx_done(*state);
    return 0;
}

static enum comb_status parse(struct test_ctx *test, const char *id, const char *path,
                              struct comb_reference *ret_reference)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(test->ctx.arena);
    assert_non_null(ref);
    ref->id = grpcc_arena_strdup(test->ctx.arena, id);
    ref->path = grpcc_arena_strdup(test->ctx.arena, path);
    return comb_reference_parse(test->ctx.arena, ref, "node", ret_reference, &test->err);
}

static void assert_part(const struct comb_reference *reference, size_t i, const char *expected)
{
    assert_true(i < reference->n_parts);
    assert_true(comb_str_equal(reference->parts[i], comb_str_from(expected)));
}

static void reads_absolute_paths(void **state)
{
    struct test_ctx *test = *state;
    struct comb_reference reference;
    must_ok(parse(test, "", "/slug", &reference), &test->err);
    assert_true(comb_str_equal(reference.slug, STR("slug")));
    assert_int_equal(reference.n_parts, 0);
    must_ok(parse(test, "", "/slug/a/b c/\xc3\xa9", &reference), &test->err);
    assert_int_equal(reference.n_parts, 3);
    assert_part(&reference, 0, "a");
    assert_part(&reference, 1, "b c");
    assert_part(&reference, 2, "\xc3\xa9");
    assert_true(comb_uuid_is_nil(&reference.id));
    assert_false(reference.top);
}

static void reads_the_top(void **state)
{
    struct test_ctx *test = *state;
    struct comb_reference reference;
    must_ok(parse(test, "", "/", &reference), &test->err);
    assert_true(reference.top);
    assert_int_equal(reference.n_parts, 0);
}

static void reads_ids(void **state)
{
    struct test_ctx *test = *state;
    struct comb_reference reference;
    must_ok(parse(test, ID, "", &reference), &test->err);
    assert_false(comb_uuid_is_nil(&reference.id));
    assert_int_equal(reference.n_parts, 0);
    must_ok(parse(test, ID, "a/b", &reference), &test->err);
    assert_int_equal(reference.n_parts, 2);
    assert_part(&reference, 1, "b");
    assert_true(comb_str_is_empty(reference.slug));
}

static void must_refuse(struct test_ctx *test, const char *id, const char *path, int reason,
                        const char *subject)
{
    struct comb_reference reference = {.n_parts = 4711};
    must_fail(COMB_INVALID_ARGUMENT, parse(test, id, path, &reference), &test->err);
    assert_int_equal(test->err.reason, reason);
    assert_string_equal(test->err.subject, subject);
    assert_int_equal(reference.n_parts, 4711);
}

static void refuses_what_is_no_path(void **state)
{
    struct test_ctx *test = *state;
    static const char *const PATHS[] = {"a",      "slug/a",   "//",          "//a",
                                        "/slug/", "/slug//a", "/slug/.",     "/slug/..",
                                        "/../a",  "/a/\xff",  "/a/\xc0\xaf", "/a/b/"};
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        must_refuse(test, "", PATHS[i], COMB_V1_ERROR_REASON_PATH_INVALID, "node.path");
    }
    static const char *const BELOW[] = {"/a", "a/", "a//b", "..", "a/../b", "."};
    for (size_t i = 0; i < sizeof BELOW / sizeof *BELOW; i++) {
        must_refuse(test, ID, BELOW[i], COMB_V1_ERROR_REASON_PATH_INVALID, "node.path");
    }
}

static void refuses_what_is_no_id(void **state)
{
    struct test_ctx *test = *state;
    must_refuse(test, "4711", "", COMB_V1_ERROR_REASON_FIELD_INVALID, "node.id");
    must_refuse(test, "00000000-0000-0000-0000-000000000000", "",
                COMB_V1_ERROR_REASON_FIELD_INVALID, "node.id");
    must_refuse(test, "", "", COMB_V1_ERROR_REASON_FIELD_INVALID, "node");
    struct comb_reference reference;
    must_fail(COMB_INVALID_ARGUMENT,
              comb_reference_parse(test->ctx.arena, NULL, "node", &reference, &test->err),
              &test->err);
}

static void names_the_part(void **state)
{
    struct test_ctx *test = *state;
    must_refuse(test, "", "/slug/a/../b", COMB_V1_ERROR_REASON_PATH_INVALID, "node.path");
    assert_non_null(strstr(test->err.msg, "part 3"));
}

/* n parts "x" behind prefix. */
static char *deep(struct test_ctx *test, const char *prefix, size_t n)
{
    size_t len = strlen(prefix);
    char *path = grpcc_arena_zalloc(test->ctx.arena, len + 2 * n + 1);
    assert_non_null(path);
    memcpy(path, prefix, len);
    for (size_t i = 0; i < n; i++) {
        memcpy(path + len + 2 * i, i + 1 < n ? "x/" : "x", i + 1 < n ? 2 : 1);
    }
    return path;
}

static void holds_the_limits(void **state)
{
    struct test_ctx *test = *state;
    struct comb_reference reference;
    must_ok(parse(test, "", deep(test, "/slug/", COMB_PATH_DEPTH_MAX), &reference), &test->err);
    assert_int_equal(reference.n_parts, COMB_PATH_DEPTH_MAX);
    must_refuse(test, "", deep(test, "/slug/", COMB_PATH_DEPTH_MAX + 1),
                COMB_V1_ERROR_REASON_PATH_INVALID, "node.path");
    must_ok(parse(test, ID, deep(test, "", COMB_PATH_DEPTH_MAX), &reference), &test->err);
    must_refuse(test, ID, deep(test, "", COMB_PATH_DEPTH_MAX + 1),
                COMB_V1_ERROR_REASON_PATH_INVALID, "node.path");

    char name[COMB_NAME_BYTES_MAX + 2] = "";
    memset(name, 'n', COMB_NAME_BYTES_MAX);
    must_ok(parse(test, ID, name, &reference), &test->err);
    name[COMB_NAME_BYTES_MAX] = 'n';
    must_refuse(test, ID, name, COMB_V1_ERROR_REASON_PATH_INVALID, "node.path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_absolute_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_path, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_id, setup, teardown),
        cmocka_unit_test_setup_teardown(names_the_part, setup, teardown),
        cmocka_unit_test_setup_teardown(holds_the_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
