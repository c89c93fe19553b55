/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata through the tree; its own rules are tested beside metadata.c. */
#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static struct comb_v1_metadata *piece(struct fixture *f, const char *name, const char *text)
{
    struct grpcc_arena *arena = f->test.ctx.arena;
    struct comb_v1_metadata *metadata = comb_v1_metadata_new(arena);

    comb_v1_metadata_set_namespace(metadata, "test");
    comb_v1_metadata_set_name(metadata, name);
    metadata->value = comb_v1_metadata_value_new(arena);
    comb_v1_metadata_value_set_text(metadata->value, text);
    return metadata;
}

static struct comb_v1_tree_set_metadata_request *request_for(struct fixture *f, const char *path)
{
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(f->test.ctx.arena);

    request->node = ref_path(f, path);
    return request;
}

static enum comb_status set(struct fixture *f, struct comb_v1_tree_set_metadata_request *request,
                            struct comb_tree_changed *ret_changed)
{
    const struct comb_request_key key = new_key();

    return comb_tree_set_metadata(f->tree, more(f), &key, request, ret_changed, &f->test.err);
}

static void set_get_and_stat(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *arena = f->test.ctx.arena;
    struct comb_v1_tree_set_metadata_request *request = request_for(f, "/work/file");
    struct comb_v1_tree_get_metadata_request *get = comb_v1_tree_get_metadata_request_new(arena);
    struct comb_v1_tree_get_metadata_response *got;
    struct comb_v1_metadata_key *key = comb_v1_metadata_key_new(arena);
    struct comb_node file = put(f, "/work", "file", 1);
    struct comb_tree_changed changed;
    struct comb_tree_view view;
    char etag[COMB_TREE_ETAG_SIZE];

    assert_true(comb_v1_tree_set_metadata_request_add_set(arena, request, piece(f, "b", "1")));
    assert_true(comb_v1_tree_set_metadata_request_add_set(arena, request, piece(f, "a", "2")));
    must_ok(set(f, request, &changed), &f->test.err);
    assert_int_equal(changed.view.node.revision, file.revision + 1);
    assert_int_equal(changed.view.extra.n_metadata, 2);
    /* The same again changes nothing. */
    must_ok(set(f, request, &changed), &f->test.err);
    assert_int_equal(changed.view.node.revision, file.revision + 1);
    get->node = ref_path(f, "/work/file");
    must_ok(comb_tree_get_metadata(f->tree, more(f), get, &got, &f->test.err), &f->test.err);
    assert_int_equal(got->n_metadata, 2);
    assert_string_equal(got->metadata[0]->name, "a");
    comb_tree_etag(&changed.view.node, etag);
    assert_string_equal(got->etag, etag);
    comb_v1_metadata_key_set_namespace(key, "test");
    comb_v1_metadata_key_set_name(key, "b");
    assert_true(comb_v1_tree_get_metadata_request_add_keys(arena, get, key));
    must_ok(comb_tree_get_metadata(f->tree, more(f), get, &got, &f->test.err), &f->test.err);
    assert_int_equal(got->n_metadata, 1);
    must_ok(try_stat(f, ref_path(f, "/work/file"), COMB_TREE_WITH_METADATA, &view), &f->test.err);
    assert_int_equal(view.extra.n_metadata, 2);
    /* Content and moves leave it alone. */
    put(f, "/work", "file", 2);
    move_to(f, "/work/file", NULL, "other");
    must_ok(try_stat(f, ref_path(f, "/work/other"), COMB_TREE_WITH_METADATA, &view), &f->test.err);
    assert_int_equal(view.extra.n_metadata, 2);
}

static void conditions_and_rights(void **state)
{
    struct fixture *f = *state;
    struct grpcc_arena *arena = f->test.ctx.arena;
    struct comb_v1_tree_set_metadata_request *request = request_for(f, "/work/file");
    struct comb_tree_changed changed;

    put(f, "/work", "file", 1);
    assert_true(comb_v1_tree_set_metadata_request_add_set(arena, request, piece(f, "a", "1")));
    comb_v1_tree_set_metadata_request_set_expected_etag(request, "9-0");
    must_refuse(COMB_FAILED_PRECONDITION, ETAG_MISMATCH, set(f, request, &changed));
    comb_v1_tree_set_metadata_request_set_expected_etag(request, "");
    comb_v1_metadata_set_namespace(request->set[0], "comb.system");
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID, set(f, request, &changed));
    comb_v1_metadata_set_namespace(request->set[0], "test");
    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_READ);
    become(f, &f->stranger);
    must_refuse(COMB_PERMISSION_DENIED, RIGHT_MISSING, set(f, request, &changed));
}

static void a_repetition_shows_the_metadata(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_tree_set_metadata_request *request = request_for(f, "/work/file");
    const struct comb_request_key key = new_key();
    struct comb_tree_changed changed;

    put(f, "/work", "file", 1);
    assert_true(
        comb_v1_tree_set_metadata_request_add_set(f->test.ctx.arena, request, piece(f, "a", "1")));
    for (int i = 0; i < 2; i++) {
        must_ok(comb_tree_set_metadata(f->tree, more(f), &key, request, &changed, &f->test.err),
                &f->test.err);
        assert_int_equal(changed.view.extra.n_metadata, 1);
        assert_int_equal(changed.view.node.revision, 2);
    }
}

int run_metadata(void)
{
    const struct CMUnitTest tests[] = {
        TEST(set_get_and_stat),
        TEST(conditions_and_rights),
        TEST(a_repetition_shows_the_metadata),
    };

    return cmocka_run_group_tests_name("tree metadata", tests, NULL, NULL);
}
