/* SPDX-License-Identifier: Apache-2.0 */
/* Making nodes, their names, stat, etags, request ids. */
#include <stdio.h>

#include "server/core/limits.h"
#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void names_of_all_lengths_and_letters(void **state)
{
    static const char *const good[] = {"a",    "...",     " ",        "\xc3\xa4",
                                       "a\\b", "*?\"<>|", "\x01\x7f", "\xf0\x9f\x8c\xb3"};
    struct fixture *f = *state;
    char name[COMB_TREE_ETAG_SIZE + 300];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct comb_node node = mkdir_at(f, "/work", good[i]);

        assert_true(comb_str_equal(node.name, comb_str_from(good[i])));
        assert_true(comb_uuid_is_v7(&node.id));
    }
    memset(name, 'n', 255);
    name[255] = '\0';
    mkdir_at(f, "/work", name);
    name[255] = 'n';
    name[256] = '\0';
    must_refuse(COMB_INVALID_ARGUMENT, PATH_INVALID,
                try_mkdir(f, "/work", name, false, false, NULL));
}

static void names_that_are_refused(void **state)
{
    static const char *const bad[] = {"",  ".",    "..",       "a/b",
                                      "/", "\xff", "\xc0\xaf", "\xed\xa0\x80"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        must_refuse(COMB_INVALID_ARGUMENT, PATH_INVALID,
                    try_mkdir(f, "/work", bad[i], false, false, NULL));
        must_refuse(COMB_INVALID_ARGUMENT, PATH_INVALID,
                    try_put(f, "/work", bad[i], 1, COMB_TREE_ANY, NULL, NULL));
    }
    mkdir_at(f, "/work", "a");
    must_refuse(COMB_INVALID_ARGUMENT, PATH_INVALID, try_move(f, "/work/a", NULL, "b/c", 0, NULL));
    must_refuse(COMB_INVALID_ARGUMENT, PATH_INVALID, try_move(f, "/work/a", NULL, "..", 0, NULL));
}

static void a_name_is_taken_once(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node folder = mkdir_at(f, "/work", "a");

    must_refuse(COMB_ALREADY_EXISTS, NAME_TAKEN,
                try_mkdir(f, "/work", "a", false, false, &changed));
    must_ok(try_mkdir(f, "/work", "a", false, true, &changed), &f->test.err);
    assert_false(changed.created);
    assert_true(comb_uuid_equal(&changed.view.node.id, &folder.id));
    put(f, "/work", "file", 1);
    must_refuse(COMB_ALREADY_EXISTS, NAME_TAKEN,
                try_mkdir(f, "/work", "file", false, true, &changed));
    must_refuse(COMB_FAILED_PRECONDITION, NOT_A_FILE,
                try_put(f, "/work", "a", 1, COMB_TREE_ANY, NULL, NULL));
    must_refuse(COMB_FAILED_PRECONDITION, NOT_A_FOLDER,
                try_mkdir(f, "/work/file", "x", false, false, &changed));
    /* Bytewise: neither case nor composition is folded. */
    mkdir_at(f, "/work", "A");
    mkdir_at(f, "/work", "\xc3\xa4");
    mkdir_at(f, "/work", "a\xcc\x88");
}

static void parents_come_in_one_change(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_sql_stats before, after;

    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND,
                try_mkdir(f, "/work/a", "b", false, false, &changed));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND,
                try_mkdir(f, "/work/a", "b/c", true, false, &changed));
    comb_sql_get_stats(f->sql, &before);
    must_ok(try_mkdir(f, "/work", "a/b/c", true, false, &changed), &f->test.err);
    comb_sql_get_stats(f->sql, &after);
    assert_true(comb_str_equal(changed.view.node.name, STR("c")));
    assert_string_equal(changed.view.extra.path, "/work/a/b/c");
    assert_int_equal(after.writes - before.writes, 1);
    stat_path(f, "/work/a/b");
    must_ok(try_mkdir(f, "/work", "a/b/c", true, true, &changed), &f->test.err);
    assert_false(changed.created);
    must_ok(try_mkdir(f, "/work", "a/x/y", true, false, &changed), &f->test.err);
    assert_int_equal(
        sql_number(f, "SELECT count(*) FROM node WHERE kind = 2 AND name = 'a' AND parent = ?1",
                   &f->root),
        1);
}

static void stat_by_every_reference(void **state)
{
    struct fixture *f = *state;
    struct comb_node file;
    struct comb_v1_node_ref *both;
    struct comb_tree_view view;

    mkdir_at(f, "/work", "a");
    file = put(f, "/work/a", "file", 7);
    must_ok(try_stat(f, ref_id(f, &file.id), 0, &view), &f->test.err);
    assert_int_equal(view.node.size, 7);
    assert_null(view.extra.path);
    must_ok(try_stat(f, ref_id(f, &file.id), COMB_TREE_WITH_PATH | COMB_TREE_WITH_RIGHTS, &view),
            &f->test.err);
    assert_string_equal(view.extra.path, "/work/a/file");
    assert_int_equal(view.extra.rights, COMB_V1_RIGHTS_READ_WRITE);
    both = ref_id(f, &f->root);
    comb_v1_node_ref_set_path(both, "a/file");
    must_ok(try_stat(f, both, 0, &view), &f->test.err);
    assert_true(comb_uuid_equal(&view.node.id, &file.id));
    must_ok(try_stat(f, ref_path(f, "/work"), 0, &view), &f->test.err);
    assert_string_equal(view.extra.title, "work");
    must_ok(try_stat(f, ref_path(f, "/"), 0, &view), &f->test.err);
    assert_int_equal(view.node.kind, COMB_V1_NODE_KIND_FOLDER);
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_path(f, "/work/b"), 0, &view));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_path(f, "/no/b"), 0, &view));
    become(f, &f->stranger);
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_id(f, &file.id), 0, &view));
}

static void etags_follow_the_node(void **state)
{
    struct fixture *f = *state;
    struct comb_node file, again;
    char first[COMB_TREE_ETAG_SIZE], second[COMB_TREE_ETAG_SIZE];

    must_refuse(COMB_FAILED_PRECONDITION, ETAG_MISMATCH,
                try_put(f, "/work", "file", 1, COMB_TREE_ETAG, "1-0", NULL));
    file = put(f, "/work", "file", 1);
    comb_tree_etag(&file, first);
    must_refuse(COMB_ALREADY_EXISTS, NAME_TAKEN,
                try_put(f, "/work", "file", 1, COMB_TREE_ABSENT, NULL, NULL));
    must_ok(try_put(f, "/work", "file", 2, COMB_TREE_ETAG, first, &again), &f->test.err);
    assert_true(comb_uuid_equal(&file.id, &again.id));
    assert_int_equal(again.revision, 2);
    must_refuse(COMB_FAILED_PRECONDITION, ETAG_MISMATCH,
                try_put(f, "/work", "file", 3, COMB_TREE_ETAG, first, NULL));
    /* Another node of that name at the same revision is another node. */
    delete_for_good(f, "/work/file");
    put(f, "/work", "file", 1);
    again = stat_path(f, "/work/file");
    comb_tree_etag(&again, second);
    assert_string_not_equal(first, second);
    must_refuse(COMB_FAILED_PRECONDITION, ETAG_MISMATCH,
                try_put(f, "/work", "file", 3, COMB_TREE_ETAG, first, NULL));
}

/* Rule 1.4: all who make children of one folder at the same time would wait for its row. */
static void children_leave_their_parent_alone(void **state)
{
    struct fixture *f = *state;
    struct comb_node before, after;
    char first[COMB_TREE_ETAG_SIZE], second[COMB_TREE_ETAG_SIZE];

    mkdir_at(f, "/work", "parent");
    before = stat_path(f, "/work/parent");
    put(f, "/work/parent", "file", 1);
    mkdir_at(f, "/work/parent", "folder");
    delete_for_good(f, "/work/parent/file");
    after = stat_path(f, "/work/parent");
    comb_tree_etag(&before, first);
    comb_tree_etag(&after, second);
    assert_string_equal(first, second);
    assert_int_equal(before.revision, after.revision);
    assert_int_equal(before.update_us, after.update_us);
}

static struct comb_v1_tree_create_folder_request *folder_request(struct fixture *f,
                                                                 const char *name)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(f->test.ctx.arena);

    request->parent = ref_path(f, "/work");
    comb_v1_tree_create_folder_request_set_name(request, name);
    return request;
}

static void a_repetition_has_the_first_outcome(void **state)
{
    struct fixture *f = *state;
    struct comb_request_key key = new_key();
    struct comb_tree_changed first, again;

    must_ok(comb_tree_create_folder(f->tree, more(f), &key, folder_request(f, "a"), &first,
                                    &f->test.err),
            &f->test.err);
    must_ok(comb_tree_create_folder(f->tree, more(f), &key, folder_request(f, "a"), &again,
                                    &f->test.err),
            &f->test.err);
    assert_true(comb_uuid_equal(&first.view.node.id, &again.view.node.id));
    assert_true(again.created);
    assert_true((f->test.ctx.authorised & 1u << COMB_V1_NEED_WRITE) != 0);
    key.hash[0]++;
    must_refuse(COMB_INVALID_ARGUMENT, REQUEST_ID_REUSED,
                comb_tree_create_folder(f->tree, more(f), &key, folder_request(f, "b"), &again,
                                        &f->test.err));
    key.hash[0]--;
    /* What the caller may no longer read is told of by id only. */
    recycle(f, "/work/a");
    grant(f, &f->root, &f->owner, COMB_V1_RIGHTS_DENY);
    must_ok(comb_tree_create_folder(f->tree, more(f), &key, folder_request(f, "a"), &again,
                                    &f->test.err),
            &f->test.err);
    assert_true(comb_uuid_equal(&first.view.node.id, &again.view.node.id));
}

static void paths_have_an_end(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    char path[COMB_PATH_DEPTH_MAX * 2 + 20] = "/work";
    size_t length = strlen(path);

    for (int i = 0; i < COMB_PATH_DEPTH_MAX; i++) {
        must_ok(try_mkdir(f, path, "d", false, false, &changed), &f->test.err);
        length += (size_t)snprintf(path + length, sizeof path - length, "/d");
    }
    assert_int_not_equal(try_mkdir(f, path, "d", false, false, &changed), COMB_OK);
    must_refuse(COMB_INVALID_ARGUMENT, PATH_INVALID,
                try_mkdir(f, "/work", "1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g", true, false, &changed));
}

int run_names(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_of_all_lengths_and_letters),
        TEST(names_that_are_refused),
        TEST(a_name_is_taken_once),
        TEST(parents_come_in_one_change),
        TEST(stat_by_every_reference),
        TEST(etags_follow_the_node),
        TEST(children_leave_their_parent_alone),
        TEST(a_repetition_has_the_first_outcome),
        TEST(paths_have_an_end),
    };

    return cmocka_run_group_tests_name("tree names", tests, NULL, NULL);
}
