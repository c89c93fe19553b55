/* SPDX-License-Identifier: Apache-2.0 */
/* The recycle bin, and deleting for good. */
#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void deleted_and_restored(void **state)
{
    struct fixture *f = *state;
    struct comb_node folder = mkdir_at(f, "/work", "a"), file, deleted;
    struct comb_tree_changed changed;
    struct comb_tree_view view;

    file = put(f, "/work/a", "file", 5);
    deleted = recycle(f, "/work/a");
    assert_true(comb_uuid_equal(&deleted.trash_parent, &f->root));
    assert_true(comb_str_equal(deleted.trash_name, STR("a")));
    assert_true(comb_uuid_equal(&deleted.trash_by, &f->owner));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_path(f, "/work/a"), 0, &view));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_id(f, &folder.id), 0, &view));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_id(f, &file.id), 0, &view));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND,
                try_delete(f, ref_id(f, &folder.id), false, &changed));
    must_ok(try_restore(f, &folder.id, NULL, "", &changed), &f->test.err);
    assert_int_equal(changed.view.node.revision, folder.revision + 2);
    assert_true(comb_uuid_is_nil(&changed.view.node.trash_parent));
    assert_int_equal(stat_path(f, "/work/a/file").size, 5);
}

static void places_to_restore_to(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node inner, first, a = mkdir_at(f, "/work", "a");

    must_refuse(COMB_FAILED_PRECONDITION, NOT_RECYCLED, try_restore(f, &a.id, NULL, "", &changed));
    inner = mkdir_at(f, "/work/a", "inner");
    recycle(f, "/work/a");
    /* It went with its folder; the folder is what can come back. */
    must_refuse(COMB_FAILED_PRECONDITION, NOT_RECYCLED,
                try_restore(f, &inner.id, NULL, "", &changed));
    must_ok(try_restore(f, &a.id, NULL, "", &changed), &f->test.err);

    first = recycle(f, "/work/a/inner");
    mkdir_at(f, "/work/a", "inner");
    must_refuse(COMB_FAILED_PRECONDITION, RESTORE_TARGET,
                try_restore(f, &first.id, NULL, "", &changed));
    must_refuse(COMB_ALREADY_EXISTS, NAME_TAKEN,
                try_restore(f, &first.id, "/work/a", "inner", &changed));
    recycle(f, "/work/a");
    must_refuse(COMB_FAILED_PRECONDITION, RESTORE_TARGET,
                try_restore(f, &first.id, NULL, "", &changed));
    must_ok(try_restore(f, &first.id, "/work", "back", &changed), &f->test.err);
    assert_string_equal(changed.view.extra.path, "/work/back");
    stat_path(f, "/work/back");
}

static void the_place_it_came_from_decides(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node a = mkdir_at(f, "/work", "a"), x = mkdir_at(f, "/work/a", "x");

    recycle(f, "/work/a/x");
    become(f, &f->stranger);
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_restore(f, &x.id, NULL, "", &changed));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_delete(f, ref_id(f, &x.id), true, &changed));
    become(f, &f->owner);
    grant(f, &a.id, &f->stranger, COMB_V1_RIGHTS_READ_WRITE);
    become(f, &f->stranger);
    must_ok(try_restore(f, &x.id, NULL, "", &changed), &f->test.err);
}

static void two_of_a_name_in_the_bin(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node first, second;

    put(f, "/work", "file", 1);
    first = recycle(f, "/work/file");
    put(f, "/work", "file", 2);
    second = recycle(f, "/work/file");
    must_ok(try_restore(f, &first.id, NULL, "", &changed), &f->test.err);
    must_ok(try_restore(f, &second.id, NULL, "again", &changed), &f->test.err);
    assert_int_equal(stat_path(f, "/work/file").size, 1);
    assert_int_equal(stat_path(f, "/work/again").size, 2);
}

static void gone_for_good(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node a = mkdir_at(f, "/work", "a"), x;

    mkdir_at(f, "/work/a", "b");
    mkdir_at(f, "/work/a/b", "c");
    for (int i = 0; i < 20; i++) {
        char name[3] = {(char)('A' + i), '\0'};

        put(f, i % 2 ? "/work/a" : "/work/a/b/c", name, 10);
    }
    delete_for_good(f, "/work/a");
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_restore(f, &a.id, NULL, "", &changed));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, try_stat(f, ref_id(f, &a.id), 0, NULL));
    /* From the bin as well. */
    x = mkdir_at(f, "/work", "x");
    recycle(f, "/work/x");
    must_ok(try_delete(f, ref_id(f, &x.id), true, &changed), &f->test.err);
    must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM node WHERE parent = ?1", &comb_node_purge),
                     0);
    /* What is left: super-root, purge node, root and bin; and no totals but theirs. */
    assert_int_equal(sql_number(f, "SELECT count(*) FROM node WHERE ?1 = ?1", &f->root), 4);
    assert_int_equal(sql_number(f,
                                "SELECT count(*) FROM folder_total WHERE ?1 = ?1 AND node NOT IN"
                                " (SELECT id FROM node)",
                                &f->root),
                     0);
}

static void a_purge_goes_on_after_a_restart(void **state)
{
    struct fixture *f = *state;

    mkdir_at(f, "/work", "a");
    for (int i = 0; i < 10; i++) {
        char name[3] = {(char)('A' + i), '\0'};

        put(f, "/work/a", name, 1);
    }
    delete_for_good(f, "/work/a");
    fixture_restart(f);
    must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
    assert_int_equal(sql_number(f, "SELECT count(*) FROM node WHERE ?1 = ?1", &f->root), 4);
}

int run_trash(void)
{
    const struct CMUnitTest tests[] = {
        TEST(deleted_and_restored),
        TEST(places_to_restore_to),
        TEST(the_place_it_came_from_decides),
        TEST(two_of_a_name_in_the_bin),
        TEST(gone_for_good),
        TEST(a_purge_goes_on_after_a_restart),
    };

    return cmocka_run_group_tests_name("tree trash", tests, NULL, NULL);
}
