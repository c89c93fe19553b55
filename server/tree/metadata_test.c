/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/metadata.h"

#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/support/support.h"

static struct comb_v1_metadata *piece(struct test_ctx *test, const char *space, const char *name,
                                      const char *text)
{
    struct comb_v1_metadata *metadata = comb_v1_metadata_new(test->ctx.arena);

    assert_non_null(metadata);
    comb_v1_metadata_set_namespace(metadata, space);
    comb_v1_metadata_set_name(metadata, name);
    metadata->value = comb_v1_metadata_value_new(test->ctx.arena);
    assert_non_null(metadata->value);
    comb_v1_metadata_value_set_text(metadata->value, text);
    return metadata;
}

static struct comb_v1_metadata_key *key_of(struct test_ctx *test, const char *space,
                                           const char *name)
{
    struct comb_v1_metadata_key *key = comb_v1_metadata_key_new(test->ctx.arena);

    assert_non_null(key);
    comb_v1_metadata_key_set_namespace(key, space);
    comb_v1_metadata_key_set_name(key, name);
    return key;
}

static comb_str apply(struct test_ctx *test, comb_str meta,
                      const struct comb_tree_metadata_change *change)
{
    comb_str after;

    must_ok(comb_tree_metadata_apply(test->ctx.arena, meta, change, &after, &test->err),
            &test->err);
    return after;
}

static void set_replace_and_remove(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_metadata *first[] = {piece(test, "b", "x", "1"), piece(test, "a", "y", "2"),
                                        piece(test, "a", "x", "3"), piece(test, "b", "x", "4")};
    struct comb_v1_metadata_key *gone[] = {key_of(test, "a", "")};
    struct comb_v1_metadata *again[] = {piece(test, "a", "y", "5")};
    struct comb_v1_tree_get_metadata_response *list;
    comb_str meta =
        apply(test, (comb_str){0}, &(struct comb_tree_metadata_change){.set = first, .n_set = 4});

    must_ok(comb_tree_metadata_unpack(test->ctx.arena, meta, &list, &test->err), &test->err);
    assert_int_equal(list->n_metadata, 3);
    assert_string_equal(list->metadata[0]->name, "x");
    assert_string_equal(list->metadata[1]->name, "y");
    assert_string_equal(list->metadata[2]->value->text, "4");
    meta = apply(test, meta,
                 &(struct comb_tree_metadata_change){
                     .set = again, .n_set = 1, .remove = gone, .n_remove = 1});
    must_ok(comb_tree_metadata_unpack(test->ctx.arena, meta, &list, &test->err), &test->err);
    assert_int_equal(list->n_metadata, 2);
    assert_string_equal(list->metadata[0]->value->text, "5");
    assert_string_equal(list->metadata[1]->namespace_, "b");
}

static void removing_all_leaves_nothing(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_metadata *one[] = {piece(test, "a", "x", "1")};
    struct comb_v1_metadata_key *gone[] = {key_of(test, "a", "x")};
    comb_str meta =
        apply(test, (comb_str){0}, &(struct comb_tree_metadata_change){.set = one, .n_set = 1});

    meta = apply(test, meta, &(struct comb_tree_metadata_change){.remove = gone, .n_remove = 1});
    assert_int_equal(meta.len, 0);
}

static void refuses(struct test_ctx *test, struct comb_v1_metadata *metadata, const char *field)
{
    must_fail(COMB_INVALID_ARGUMENT, comb_tree_metadata_check(&metadata, 1, "set", &test->err),
              &test->err);
    assert_string_equal(test->err.subject, field);
}

static void what_may_be_set(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_metadata *good = piece(test, "combine.x-1", "any name", "");
    struct comb_v1_metadata *empty = piece(test, "a", "x", "");
    struct comb_v1_metadata_key *key;
    char long_name[COMB_TREE_METADATA_NAME_MAX + 2];

    must_ok(comb_tree_metadata_check(&good, 1, "set", &test->err), &test->err);
    refuses(test, piece(test, "", "x", ""), "set[0].namespace");
    refuses(test, piece(test, "A", "x", ""), "set[0].namespace");
    refuses(test, piece(test, "comb", "x", ""), "set[0].namespace");
    refuses(test, piece(test, "comb.y", "x", ""), "set[0].namespace");
    key = key_of(test, "comb.y", "");
    must_ok(comb_tree_metadata_check_keys(&key, 1, false, "keys", &test->err), &test->err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_tree_metadata_check_keys(&key, 1, true, "remove", &test->err), &test->err);
    refuses(test, piece(test, "a", "", ""), "set[0].name");
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    refuses(test, piece(test, "a", long_name, ""), "set[0].name");
    empty->value = comb_v1_metadata_value_new(test->ctx.arena);
    refuses(test, empty, "set[0].value");
}

static void too_much_is_refused(void **state)
{
    struct test_ctx *test = *state;
    char *text = grpcc_arena_alloc(test->ctx.arena, COMB_METADATA_VALUE_BYTES_MAX + 1);
    struct comb_v1_metadata *pieces[5], *large;
    comb_str meta;

    memset(text, 't', COMB_METADATA_VALUE_BYTES_MAX);
    text[COMB_METADATA_VALUE_BYTES_MAX] = '\0';
    large = piece(test, "a", "x", text);
    must_fail(COMB_RESOURCE_EXHAUSTED, comb_tree_metadata_check(&large, 1, "set", &test->err),
              &test->err);
    assert_int_equal(test->err.reason, COMB_V1_ERROR_REASON_TOO_LARGE);
    text[COMB_METADATA_VALUE_BYTES_MAX - 100] = '\0';
    for (int i = 0; i < 5; i++)
        pieces[i] = piece(test, "a", (const char *[]){"a", "b", "c", "d", "e"}[i], text);
    must_fail(
        COMB_RESOURCE_EXHAUSTED,
        comb_tree_metadata_apply(test->ctx.arena, (comb_str){0},
                                 &(struct comb_tree_metadata_change){.set = pieces, .n_set = 5},
                                 &meta, &test->err),
        &test->err);
    assert_int_equal(test->err.reason, COMB_V1_ERROR_REASON_TOO_LARGE);
}

static int set_up(void **state)
{
    static struct test_ctx test;

    test_ctx_init(&test);
    *state = &test;
    return 0;
}

static int tear_down(void **state)
{
    test_ctx_done(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(set_replace_and_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_all_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_all_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_be_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_much_is_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
