/* SPDX-License-Identifier: Apache-2.0 */
/* Moves: places, rights, cycles, cost. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void rename_and_move(void **state)
{
    struct fixture *f = *state;
    struct comb_node folder = mkdir_at(f, "/work", "a"), moved;
    struct comb_tree_view view;

    put(f, "/work/a", "file", 1);
    moved = move_to(f, "/work/a", NULL, "b");
    assert_int_equal(moved.revision, folder.revision + 1);
    stat_path(f, "/work/b/file");
    must_fail(COMB_NOT_FOUND, try_stat(f, ref_path(f, "/work/a"), 0, &view), &f->test.err);
    mkdir_at(f, "/work", "c");
    moved = move_to(f, "/work/b", "/work/c", "");
    assert_true(comb_uuid_equal(&moved.id, &folder.id));
    stat_path(f, "/work/c/b/file");
    moved = move_to(f, "/work/c/b/file", "/work", "x");
    assert_true(comb_str_equal(stat_path(f, "/work/x").name, STR("x")));
    /* To where it is: nothing changes. */
    assert_int_equal(move_to(f, "/work/x", "/work", "x").revision, moved.revision);
    must_ok(try_stat(f, ref_id(f, &folder.id), COMB_TREE_WITH_PATH, &view), &f->test.err);
    assert_string_equal(view.extra.path, "/work/c/b");
}

static void places_that_are_refused(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;

    mkdir_at(f, "/work", "a");
    mkdir_at(f, "/work/a", "b");
    put(f, "/work", "file", 1);
    must_refuse(COMB_FAILED_PRECONDITION, MOVE_INTO_SELF,
                try_move(f, "/work/a", "/work/a", "", 0, &changed));
    must_refuse(COMB_FAILED_PRECONDITION, MOVE_INTO_SELF,
                try_move(f, "/work/a", "/work/a/b", "", 0, &changed));
    must_refuse(COMB_FAILED_PRECONDITION, NOT_A_FOLDER,
                try_move(f, "/work/a", "/work/file", "", 0, &changed));
    must_refuse(COMB_FAILED_PRECONDITION, IS_ROOT,
                try_move(f, "/work", NULL, "other", 0, &changed));
    must_refuse(COMB_FAILED_PRECONDITION, IS_ROOT,
                try_delete(f, ref_path(f, "/work"), false, &changed));
    must_refuse(COMB_ALREADY_EXISTS, NAME_TAKEN,
                try_move(f, "/work/a", "/work", "file", 0, &changed));
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID,
                try_move(f, "/work/a", NULL, "x", (enum comb_v1_move_conflict)9, &changed));
    must_fail(COMB_NOT_FOUND, try_move(f, "/work/a", "/work/none", "", 0, &changed), &f->test.err);
}

static void replacing_recycles(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node old = put(f, "/work", "old", 1), new = put(f, "/work", "new", 2), old_place;
    struct comb_tree_view view;

    mkdir_at(f, "/work", "folder");
    must_refuse(COMB_FAILED_PRECONDITION, NOT_A_FILE,
                try_move(f, "/work/new", NULL, "folder", COMB_V1_MOVE_CONFLICT_REPLACE, &changed));
    must_refuse(COMB_FAILED_PRECONDITION, NOT_A_FOLDER,
                try_move(f, "/work/folder", NULL, "new", COMB_V1_MOVE_CONFLICT_REPLACE, &changed));
    must_ok(try_move(f, "/work/new", NULL, "old", COMB_V1_MOVE_CONFLICT_REPLACE, &changed),
            &f->test.err);
    old_place = stat_path(f, "/work/old");
    assert_true(comb_uuid_equal(&old_place.id, &new.id));
    must_fail(COMB_NOT_FOUND, try_stat(f, ref_id(f, &old.id), 0, &view), &f->test.err);
    must_ok(try_restore(f, &old.id, NULL, "older", &changed), &f->test.err);
    assert_int_equal(stat_path(f, "/work/older").size, 1);
    /* The folder that it lies in cannot make room for it. */
    mkdir_at(f, "/work/folder", "folder");
    mkdir_at(f, "/work/folder/folder", "x");
    must_refuse(COMB_FAILED_PRECONDITION, MOVE_INTO_SELF,
                try_move(f, "/work/folder/folder", "/work", "folder", COMB_V1_MOVE_CONFLICT_REPLACE,
                         &changed));
}

static void rights_of_a_move(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node a = mkdir_at(f, "/work", "a"), b = mkdir_at(f, "/work", "b");
    struct comb_node secret, x = mkdir_at(f, "/work/a", "x");

    secret = mkdir_at(f, "/work/a/x", "secret");
    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_READ);
    become(f, &f->stranger);
    must_refuse(COMB_PERMISSION_DENIED, RIGHT_MISSING,
                try_move(f, "/work/a/x", "/work/b", "", 0, &changed));
    become(f, &f->owner);
    grant(f, &x.id, &f->stranger, COMB_V1_RIGHTS_READ_WRITE);
    grant(f, &b.id, &f->stranger, COMB_V1_RIGHTS_READ_WRITE);
    become(f, &f->stranger);
    /* The old parent is written to as well. */
    must_refuse(COMB_PERMISSION_DENIED, RIGHT_MISSING,
                try_move(f, "/work/a/x", "/work/b", "", 0, &changed));
    become(f, &f->owner);
    grant(f, &a.id, &f->stranger, COMB_V1_RIGHTS_READ_WRITE);
    /* Nothing below is asked, and what is denied there stays so. */
    grant(f, &secret.id, &f->stranger, COMB_V1_RIGHTS_DENY);
    become(f, &f->stranger);
    must_ok(try_move(f, "/work/a/x", "/work/b", "", 0, &changed), &f->test.err);
    must_fail(COMB_NOT_FOUND, try_stat(f, ref_path(f, "/work/b/x/secret"), 0, NULL), &f->test.err);
}

/* What a move from /work/big to /work/to, and back, asks the store for once all is known. */
static struct comb_sql_stats cost_of_a_move(struct fixture *f)
{
    struct comb_sql_stats before, after;

    must_fail(COMB_NOT_FOUND, try_stat(f, ref_path(f, "/work/to/big"), 0, NULL), &f->test.err);
    stat_path(f, "/work/big");
    must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
    comb_sql_get_stats(f->sql, &before);
    move_to(f, "/work/big", "/work/to", "");
    comb_sql_get_stats(f->sql, &after);
    move_to(f, "/work/to/big", "/work", "");
    return (struct comb_sql_stats){.reads = after.reads - before.reads,
                                   .writes = after.writes - before.writes};
}

/* A folder of any size moves by one changed row, in one write. */
static void the_cost_does_not_depend_on_the_size(void **state)
{
    static const char rows_changed[] = "SELECT count(*) FROM node WHERE update_us >"
                                       " (SELECT create_us FROM node WHERE id = ?1)";
    struct fixture *f = *state;
    struct comb_sql_stats cost = {.reads = 1};
    struct comb_node last = {.kind = 0};

    mkdir_at(f, "/work", "big");
    mkdir_at(f, "/work", "to");
    for (int i = 0; i < 300; i++) {
        char name[20];

        next(f);
        snprintf(name, sizeof name, "%d", i);
        last = put(f, "/work/big", name, 1);
    }
    /* Where the machine is so busy that memory gets old meanwhile, a move has to ask again. */
    for (int i = 0; i < TRIES_MAX && cost.reads > 0; i++) {
        cost = cost_of_a_move(f);
        assert_int_equal(cost.writes, 1);
    }
    assert_int_equal(cost.reads, 0);
    assert_int_equal(sql_number(f, rows_changed, &last.id), 1);
}

#define MOVERS 8
#define MOVES 125
#define FOLDERS 6

struct mover {
    struct fixture *f;
    unsigned seed;
    const struct comb_uuid *folders;
    int moved, cycles, other;
};

/* Moves folders below each other at random; every refusal but those is a fault. */
static void *move_around(void *data)
{
    struct mover *mover = data;
    struct fixture *f = mover->f;

    for (int i = 0; i < MOVES; i++) {
        struct test_ctx test;
        const struct comb_request_key key = new_key();
        struct comb_v1_tree_move_request *request;
        struct comb_tree_changed changed;
        enum comb_status status;

        test_ctx_init(&test);
        test.principal.user = f->owner;
        request = comb_v1_tree_move_request_new(test.ctx.arena);
        request->node = comb_v1_node_ref_new(test.ctx.arena);
        request->target_parent = comb_v1_node_ref_new(test.ctx.arena);
        comb_v1_node_ref_set_id(
            request->node,
            comb_uuid_text(test.ctx.arena, &mover->folders[rand_r(&mover->seed) % FOLDERS]));
        comb_v1_node_ref_set_id(
            request->target_parent,
            comb_uuid_text(test.ctx.arena, &mover->folders[rand_r(&mover->seed) % FOLDERS]));
        status = comb_tree_move(f->tree, &test.ctx, &key, request, &changed, &test.err);
        mover->moved += status == COMB_OK;
        mover->cycles += status == COMB_FAILED_PRECONDITION &&
                         test.err.reason == COMB_V1_ERROR_REASON_MOVE_INTO_SELF;
        mover->other +=
            status != COMB_OK && status != COMB_FAILED_PRECONDITION && status != COMB_ABORTED;
        test_ctx_done(&test);
    }
    return NULL;
}

static void a_thousand_parallel_moves_make_no_cycle(void **state)
{
    static const char unreachable[] =
        "SELECT count(*) FROM node WHERE id NOT IN (WITH RECURSIVE below(id) AS"
        " (SELECT ?1 UNION SELECT n.id FROM below b JOIN node n ON n.parent = b.id)"
        " SELECT id FROM below)";
    struct fixture *f = *state;
    struct comb_uuid folders[FOLDERS];
    struct mover movers[MOVERS];
    pthread_t threads[MOVERS];
    int moved = 0, cycles = 0;

    for (int i = 0; i < FOLDERS; i++) {
        char name[] = {(char)('a' + i), '\0'};

        folders[i] = mkdir_at(f, "/work", name).id;
    }
    for (int i = 0; i < MOVERS; i++) {
        movers[i] = (struct mover){.f = f, .seed = (unsigned)i + 1, .folders = folders};
        assert_int_equal(pthread_create(&threads[i], NULL, move_around, &movers[i]), 0);
    }
    for (int i = 0; i < MOVERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(movers[i].other, 0);
        moved += movers[i].moved;
        cycles += movers[i].cycles;
    }
    assert_true(moved > 0);
    assert_true(cycles > 0);
    assert_int_equal(sql_number(f, unreachable, &comb_node_super_root), 0);
}

struct creator {
    struct fixture *f;
    enum comb_status status;
};

static void *create_one(void *data)
{
    struct creator *creator = data;
    const struct comb_request_key key = new_key();
    struct comb_v1_tree_create_folder_request *request;
    struct comb_tree_changed changed;
    struct test_ctx test;

    test_ctx_init(&test);
    test.principal.user = creator->f->owner;
    request = comb_v1_tree_create_folder_request_new(test.ctx.arena);
    request->parent = comb_v1_node_ref_new(test.ctx.arena);
    comb_v1_node_ref_set_path(request->parent, "/work");
    comb_v1_tree_create_folder_request_set_name(request, "one");
    creator->status =
        comb_tree_create_folder(creator->f->tree, &test.ctx, &key, request, &changed, &test.err);
    test_ctx_done(&test);
    return NULL;
}

static void one_of_many_gets_the_name(void **state)
{
    struct fixture *f = *state;
    struct creator creators[MOVERS];
    pthread_t threads[MOVERS];
    int made = 0, refused = 0;

    for (int i = 0; i < MOVERS; i++) {
        creators[i] = (struct creator){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, create_one, &creators[i]), 0);
    }
    for (int i = 0; i < MOVERS; i++) {
        pthread_join(threads[i], NULL);
        made += creators[i].status == COMB_OK;
        refused += creators[i].status == COMB_ALREADY_EXISTS;
    }
    assert_int_equal(made, 1);
    assert_int_equal(refused, MOVERS - 1);
}

int run_moves(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rename_and_move),
        TEST(places_that_are_refused),
        TEST(replacing_recycles),
        TEST(rights_of_a_move),
        TEST(the_cost_does_not_depend_on_the_size),
        TEST(a_thousand_parallel_moves_make_no_cycle),
        TEST(one_of_many_gets_the_name),
    };

    return cmocka_run_group_tests_name("tree moves", tests, NULL, NULL);
}
