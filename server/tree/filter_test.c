/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/filter.h"

#include "comb/v1/errors.grpcc.h"
#include "tests/support/support.h"

static struct comb_v1_node_filter *new_filter(struct test_ctx *test)
{
    struct comb_v1_node_filter *filter = comb_v1_node_filter_new(test->ctx.arena);

    assert_non_null(filter);
    return filter;
}

static struct comb_v1_node_filter *named(struct test_ctx *test, const char *name)
{
    struct comb_v1_node_filter *filter = new_filter(test);

    comb_v1_node_filter_set_name(filter, name);
    return filter;
}

static struct comb_v1_node_filter *negated(struct test_ctx *test, struct comb_v1_node_filter *inner)
{
    struct comb_v1_node_filter *filter = new_filter(test);

    comb_v1_node_filter_set_negate(filter, inner);
    return filter;
}

static struct comb_v1_node_filter_list *
list_of(struct test_ctx *test, struct comb_v1_node_filter *a, struct comb_v1_node_filter *b)
{
    struct comb_v1_node_filter_list *list = comb_v1_node_filter_list_new(test->ctx.arena);

    assert_non_null(list);
    assert_true(comb_v1_node_filter_list_add_filters(test->ctx.arena, list, a));
    assert_true(comb_v1_node_filter_list_add_filters(test->ctx.arena, list, b));
    return list;
}

static const struct comb_node photo = {.name = {"Summer.JPG", 10},
                                       .kind = COMB_V1_NODE_KIND_FILE,
                                       .size = 100,
                                       .update_us = 5000000,
                                       .media_type = {"image/jpeg", 10}};

static void no_filter_chooses_all(void **state)
{
    struct test_ctx *test = *state;

    must_ok(comb_tree_filter_check(NULL, "filter", &test->err), &test->err);
    assert_true(comb_tree_filter_match(NULL, &photo));
}

static void each_condition(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_node_filter *filter = new_filter(test);
    struct comb_v1_size_range *size = comb_v1_size_range_new(test->ctx.arena);
    struct comb_v1_time_range *time = comb_v1_time_range_new(test->ctx.arena);

    comb_v1_node_filter_set_kind(filter, COMB_V1_NODE_KIND_FILE);
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_kind(filter, COMB_V1_NODE_KIND_FOLDER);
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_name(filter, "Summer.JPG");
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_name(filter, "summer.jpg");
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_name_prefix(filter, "Sum");
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_name_prefix(filter, "um");
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_name_contains(filter, "MER.j");
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_name_contains(filter, "merj");
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_media_type_prefix(filter, "image/");
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_media_type_prefix(filter, "text/");
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_size(filter, size);
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_size_range_set_min(size, 100);
    comb_v1_size_range_set_max(size, 100);
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_size_range_set_max(size, 99);
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_update_time(filter, time);
    assert_true(comb_tree_filter_match(filter, &photo));
    time->from = google_protobuf_timestamp_new(test->ctx.arena);
    time->from->seconds = 5;
    assert_true(comb_tree_filter_match(filter, &photo));
    time->until = google_protobuf_timestamp_new(test->ctx.arena);
    time->until->seconds = 5;
    assert_false(comb_tree_filter_match(filter, &photo));
}

static void all_any_and_not(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_node_filter *right = named(test, "Summer.JPG"), *wrong = named(test, "x");
    struct comb_v1_node_filter *filter = new_filter(test);

    comb_v1_node_filter_set_all_of(filter, list_of(test, right, wrong));
    assert_false(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_all_of(filter, list_of(test, right, negated(test, wrong)));
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_any_of(filter, list_of(test, wrong, right));
    assert_true(comb_tree_filter_match(filter, &photo));
    comb_v1_node_filter_set_any_of(filter, list_of(test, wrong, wrong));
    assert_false(comb_tree_filter_match(filter, &photo));
}

static void refusals_name_the_field(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_node_filter *filter = new_filter(test);

    comb_v1_node_filter_set_all_of(
        filter, list_of(test, named(test, "a"), negated(test, new_filter(test))));
    must_fail(COMB_INVALID_ARGUMENT, comb_tree_filter_check(filter, "filter", &test->err),
              &test->err);
    assert_string_equal(test->err.subject, "filter.all_of.filters[1].negate");
    assert_int_equal(test->err.reason, COMB_V1_ERROR_REASON_FIELD_INVALID);
    comb_v1_node_filter_set_any_of(filter, comb_v1_node_filter_list_new(test->ctx.arena));
    must_fail(COMB_INVALID_ARGUMENT, comb_tree_filter_check(filter, "filter", &test->err),
              &test->err);
    assert_string_equal(test->err.subject, "filter.any_of");
    comb_v1_node_filter_set_kind(filter, (enum comb_v1_node_kind)7);
    must_fail(COMB_INVALID_ARGUMENT, comb_tree_filter_check(filter, "filter", &test->err),
              &test->err);
    assert_string_equal(test->err.subject, "filter.kind");
}

static void depth_and_conditions_are_bounded(void **state)
{
    struct test_ctx *test = *state;
    struct comb_v1_node_filter *filter = named(test, "a"), *wide = new_filter(test);
    struct comb_v1_node_filter_list *list = comb_v1_node_filter_list_new(test->ctx.arena);

    for (int depth = 1; depth < COMB_TREE_FILTER_DEPTH_MAX; depth++)
        filter = negated(test, filter);
    must_ok(comb_tree_filter_check(filter, "filter", &test->err), &test->err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_tree_filter_check(negated(test, filter), "filter", &test->err), &test->err);
    for (int i = 1; i < COMB_TREE_FILTER_CONDITIONS_MAX; i++)
        assert_true(comb_v1_node_filter_list_add_filters(test->ctx.arena, list, named(test, "a")));
    comb_v1_node_filter_set_any_of(wide, list);
    must_ok(comb_tree_filter_check(wide, "filter", &test->err), &test->err);
    assert_true(comb_v1_node_filter_list_add_filters(test->ctx.arena, list, named(test, "a")));
    must_fail(COMB_INVALID_ARGUMENT, comb_tree_filter_check(wide, "filter", &test->err),
              &test->err);
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
        cmocka_unit_test_setup_teardown(no_filter_chooses_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_condition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_any_and_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_name_the_field, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_and_conditions_are_bounded, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
