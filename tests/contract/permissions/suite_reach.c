/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller can read at all, where it is little: never less than the rule lets him read. */
#include <stdio.h>
#include <string.h>

#include "server/permissions/reach.h"
#include "tests/contract/permissions/fixture.h"

#define FOLDER COMB_V1_NODE_KIND_FOLDER
#define READ COMB_V1_RIGHTS_READ
#define WRITE COMB_V1_RIGHTS_WRITE
#define READ_WRITE COMB_V1_RIGHTS_READ_WRITE
#define DENY COMB_V1_RIGHTS_DENY

static struct comb_tree_store *tree;

static int reach_setup(void **state)
{
    struct rights_fixture *fixture;
    rights_setup(state);
    fixture = *state;
    must_ok(comb_tree_store_open(fixture->f->store, &tree, &fixture->f->test.err),
            &fixture->f->test.err);
    return 0;
}

static int reach_teardown(void **state)
{
    tree->driver->close(tree);
    return rights_teardown(state);
}

/* Of the call that was made last. */
static struct comb_reach find_within(struct rights_fixture *fixture, const struct comb_uuid *folder)
{
    const struct comb_reach_parts parts = {fixture->f->facts, fixture->store, tree};
    struct comb_reach_question question = {.n_within = folder ? 1 : 0};
    struct comb_reach reach = {.n = 0};
    if (folder)
        question.within[0] = *folder;
    must_ok(
        comb_reach_find(&parts, &fixture->f->test.ctx, &question, &reach, &fixture->f->test.err),
        &fixture->f->test.err);
    for (size_t i = 1; i < reach.n; i++)
        assert_true(memcmp(&reach.ids[i - 1], &reach.ids[i], sizeof *reach.ids) > 0);
    return reach;
}

static bool has(const struct comb_reach *reach, const struct comb_uuid *id)
{
    bool found = false;
    for (size_t i = 0; i < reach->n; i++)
        found = found || comb_uuid_equal(&reach->ids[i], id);
    return found;
}

static void what_lies_below_entries_is_reached(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid role = fixture_role(f, "role", false);
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &a, "b", FOLDER).id;
    struct comb_uuid c = fixture_create(f, &b, "c", FOLDER).id;
    struct comb_uuid d = fixture_create(f, &f->root, "d", FOLDER).id;
    struct comb_uuid e = fixture_create(f, &d, "e", FOLDER).id;
    call_as(fixture, &f->user);
    struct comb_reach reach = find_within(fixture, NULL);
    assert_true(reach.are_few);
    assert_int_equal(reach.n, 0);
    /* Of several roles, one below the other; what only lets write or refuses reaches nothing. */
    fixture_add_role(f, &f->user, &role, 0);
    fixture_grant(f, &a, &role, READ_WRITE);
    fixture_grant(f, &b, &f->user, READ);
    fixture_grant(f, &d, &f->user, WRITE);
    fixture_grant(f, &f->root, &f->user, DENY);
    fixture_grant(f, &d, &f->owner, READ);
    call_as(fixture, &f->user);
    reach = find_within(fixture, NULL);
    assert_true(reach.are_few);
    assert_int_equal(reach.n, 3);
    assert_true(has(&reach, &a) && has(&reach, &b) && has(&reach, &c));
    fixture_grant(f, &e, &comb_role_everybody, READ);
    call_as(fixture, &f->user);
    reach = find_within(fixture, NULL);
    assert_int_equal(reach.n, 4);
    assert_true(has(&reach, &e));
    call_as(fixture, &f->owner);
    reach = find_within(fixture, &b);
    assert_true(reach.are_few);
    assert_int_equal(reach.n, 2);
    assert_true(has(&reach, &b) && has(&reach, &c));
}

static void a_token_reaches_what_its_scopes_do(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &f->root, "b", FOLDER).id;
    struct comb_uuid c = fixture_create(f, &b, "c", FOLDER).id;
    const struct comb_scope both[] = {{a, READ}, {b, READ_WRITE}}, write[] = {{a, WRITE}},
                            everywhere[] = {{{{0}}, READ}};
    fixture_grant(f, &c, &f->user, READ);
    call_scoped(fixture, &f->user, both, 2);
    struct comb_reach reach = find_within(fixture, NULL);
    assert_true(reach.are_few);
    assert_int_equal(reach.n, 3);
    call_scoped(fixture, &f->user, write, 1);
    reach = find_within(fixture, NULL);
    assert_true(reach.are_few);
    assert_int_equal(reach.n, 0);
    call_scoped(fixture, &f->user, everywhere, 1);
    reach = find_within(fixture, NULL);
    assert_true(reach.are_few);
    assert_int_equal(reach.n, 1);
    assert_true(has(&reach, &c));
}

static void an_administrator_reaches_all(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    fixture_make_administrator(f, &f->user);
    call_as(fixture, &f->user);
    assert_false(find_within(fixture, NULL).are_few);
}

/* More entries than are looked at, and more nodes than are few. */
static void what_is_much_is_not_told(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    const struct comb_uuid *ids;
    size_t n = 0;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    for (int i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        struct comb_uuid child = fixture_create(f, &a, name, FOLDER).id;
        fixture_grant(f, &child, &f->user, READ);
    }
    const struct comb_uuid roots[] = {a, f->user, a};
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    must_ok(tree->driver->below(tree, ctx, roots, 3, 4, &ids, &n, &f->test.err), &f->test.err);
    assert_int_equal(n, 4);
    must_ok(tree->driver->below(tree, ctx, roots, 3, 100, &ids, &n, &f->test.err), &f->test.err);
    assert_int_equal(n, 7); /* the one that does not exist, too */
    must_ok(fixture->store->driver->readable(fixture->store, ctx, &f->user, 1, 0, 3, &ids, &n,
                                             &f->test.err),
            &f->test.err);
    assert_int_equal(n, 3);
    must_ok(fixture->store->driver->readable(fixture->store, ctx, roots, 3, 0, 100, &ids, &n,
                                             &f->test.err),
            &f->test.err);
    assert_int_equal(n, 5);
}

#define REACH_TEST(name) cmocka_unit_test_setup_teardown(name, reach_setup, reach_teardown)

int run_suite_reach(void)
{
    const struct CMUnitTest tests[] = {
        REACH_TEST(what_lies_below_entries_is_reached),
        REACH_TEST(a_token_reaches_what_its_scopes_do),
        REACH_TEST(an_administrator_reaches_all),
        REACH_TEST(what_is_much_is_not_told),
    };
    return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
