/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of the feed: cursors, scope, rights at delivery. */
#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static enum comb_status changes(struct fixture *f, const char *folder, const char *cursor,
                                size_t size, struct comb_v1_tree_changes_response **ret_response)
{
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_changes_request *request = comb_v1_tree_changes_request_new(ctx->arena);

    if (folder)
        request->folder = ref_path(f, folder);
    comb_v1_tree_changes_request_set_cursor(request, cursor);
    return comb_tree_changes(f->tree, ctx, request, size, ret_response, &f->test.err);
}

static const char *cursor_now(struct fixture *f)
{
    struct comb_v1_tree_changes_response *response;

    must_ok(changes(f, NULL, "", 100, &response), &f->test.err);
    assert_int_equal(response->n_changes, 0);
    return response->next_cursor;
}

static struct comb_v1_tree_changes_response *since(struct fixture *f, const char *folder,
                                                   const char *cursor)
{
    struct comb_v1_tree_changes_response *response;

    must_ok(changes(f, folder, cursor, 1000, &response), &f->test.err);
    assert_false(response->more);
    return response;
}

static void every_kind_of_change(void **state)
{
    static const enum comb_v1_change_kind kinds[] = {
        COMB_V1_CHANGE_KIND_CREATED, COMB_V1_CHANGE_KIND_CREATED,  COMB_V1_CHANGE_KIND_CONTENT,
        COMB_V1_CHANGE_KIND_MOVED,   COMB_V1_CHANGE_KIND_RECYCLED, COMB_V1_CHANGE_KIND_RESTORED,
        COMB_V1_CHANGE_KIND_DELETED};
    struct fixture *f = *state;
    struct comb_v1_tree_changes_response *response;
    const char *cursor = cursor_now(f);
    struct comb_node file;
    struct comb_tree_changed changed;
    char id[COMB_UUID_TEXT_LENGTH + 1];

    mkdir_at(f, "/work", "a");
    put(f, "/work", "file", 1);
    put(f, "/work", "file", 2);
    file = move_to(f, "/work/file", "/work/a", "moved");
    comb_uuid_format(&file.id, id);
    recycle(f, "/work/a/moved");
    must_ok(try_restore(f, &file.id, NULL, "", &changed), &f->test.err);
    response = since(f, "/work", cursor);
    assert_int_equal(response->n_changes, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(response->changes[i]->kind, kinds[i]);
        assert_string_equal(response->changes[i]->node->id,
                            i == 0 ? response->changes[0]->node->id : id);
    }
    assert_string_equal(response->changes[3]->old_name, "file");
    /* Of what is gone by now only the ways out are told, and those by its id alone. */
    delete_for_good(f, "/work/a/moved");
    response = since(f, "/work", cursor);
    assert_int_equal(response->n_changes, 4);
    assert_int_equal(response->changes[3]->kind, COMB_V1_CHANGE_KIND_DELETED);
    assert_string_equal(response->changes[3]->node->id, id);
    assert_string_equal(response->changes[3]->node->name, "");
    assert_int_equal(since(f, "/work", response->next_cursor)->n_changes, 0);
}

static void pages_lose_nothing(void **state)
{
    struct fixture *f = *state;
    const char *cursor = cursor_now(f);
    struct comb_v1_tree_changes_response *response;
    int n = 0;

    for (int i = 0; i < 20; i++) {
        char name[2] = {(char)('a' + i), '\0'};

        mkdir_at(f, "/work", name);
    }
    do {
        must_ok(changes(f, "/work", cursor, 3, &response), &f->test.err);
        for (size_t i = 0; i < response->n_changes; i++) {
            char name[2] = {(char)('a' + n++), '\0'};

            assert_string_equal(response->changes[i]->node->name, name);
        }
        cursor = response->n_changes ? response->changes[response->n_changes - 1]->cursor
                                     : response->next_cursor;
    } while (response->more);
    assert_int_equal(n, 20);
}

static void the_scope_holds_what_is_below(void **state)
{
    struct fixture *f = *state;
    const char *cursor;
    struct comb_v1_tree_changes_response *response;

    mkdir_at(f, "/work", "in");
    mkdir_at(f, "/work", "out");
    cursor = cursor_now(f);
    mkdir_at(f, "/work/in", "a");
    mkdir_at(f, "/work/in/a", "deep");
    mkdir_at(f, "/work/out", "b");
    move_to(f, "/work/out/b", "/work/in", "");
    move_to(f, "/work/in/a", "/work/out", "");
    mkdir_at(f, "/work/out/a", "unseen");
    response = since(f, "/work/in", cursor);
    assert_int_equal(response->n_changes, 4);
    assert_string_equal(response->changes[2]->node->name, "b");
    assert_string_equal(response->changes[3]->node->name, "a");
}

static void rights_count_at_delivery(void **state)
{
    struct fixture *f = *state;
    const char *cursor = cursor_now(f);
    struct comb_node a = mkdir_at(f, "/work", "a"), b = mkdir_at(f, "/work", "b");
    struct comb_v1_tree_changes_response *response;
    char id[COMB_UUID_TEXT_LENGTH + 1];

    put(f, "/work/a", "file", 1);
    put(f, "/work/b", "secret", 1);
    become(f, &f->stranger);
    assert_int_equal(since(f, NULL, cursor)->n_changes, 0);
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND, changes(f, "/work", cursor, 10, &response));
    become(f, &f->owner);
    grant(f, &a.id, &f->stranger, COMB_V1_RIGHTS_READ);
    become(f, &f->stranger);
    /* Both creations and the grant itself. */
    assert_int_equal(since(f, NULL, cursor)->n_changes, 3);
    become(f, &f->owner);
    cursor = cursor_now(f);
    comb_uuid_format(&a.id, id);
    move_to(f, "/work/a/file", "/work/b", "");
    become(f, &f->stranger);
    response = since(f, NULL, cursor);
    assert_int_equal(response->n_changes, 1);
    assert_int_equal(response->changes[0]->kind, COMB_V1_CHANGE_KIND_MOVED);
    assert_string_equal(response->changes[0]->node->name, "");
    assert_string_equal(response->changes[0]->node->parent_id, "");
    assert_string_equal(response->changes[0]->old_parent_id, id);
    /* What he never saw is not told of when it goes. */
    become(f, &f->owner);
    cursor = cursor_now(f);
    recycle(f, "/work/b/secret");
    (void)b;
    become(f, &f->stranger);
    assert_int_equal(since(f, NULL, cursor)->n_changes, 0);
}

static void cursors_are_checked(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_tree_changes_response *response;
    const char *first = cursor_now(f);
    char broken[64];

    must_refuse(COMB_INVALID_ARGUMENT, CURSOR_INVALID, changes(f, NULL, "nonsense", 10, &response));
    assert_true(strlen(first) < sizeof broken);
    memcpy(broken, first, strlen(first) + 1);
    broken[12] = broken[12] == 'A' ? 'B' : 'A';
    must_refuse(COMB_INVALID_ARGUMENT, CURSOR_INVALID, changes(f, NULL, broken, 10, &response));
    mkdir_at(f, "/work", "a");
    mkdir_at(f, "/work", "b");
    comb_clock_advance_ns(3600 * COMB_NS_PER_S);
    must_ok(comb_mutations_trim(f->mutations, more(f), 60 * COMB_US_PER_S, &f->test.err),
            &f->test.err);
    must_refuse(COMB_OUT_OF_RANGE, CURSOR_EXPIRED, changes(f, NULL, first, 10, &response));
}

int run_feed(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_change),          TEST(pages_lose_nothing),
        TEST(the_scope_holds_what_is_below), TEST(rights_count_at_delivery),
        TEST(cursors_are_checked),
    };

    return cmocka_run_group_tests_name("tree feed", tests, NULL, NULL);
}
