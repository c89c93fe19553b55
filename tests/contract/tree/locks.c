/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on nodes: whom they keep off, when they end, what is told of them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/contract/tree/fixture.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* ---- calls ---- */

static enum comb_status lock_with(struct fixture *f, const struct comb_request_key *key,
                                  const char *path, enum comb_v1_lock_mode mode, uint32_t lease_s,
                                  struct comb_tree_lock *ret_lock)
{
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_lock_request *request = comb_v1_tree_lock_request_new(ctx->arena);

    request->node = ref_path(f, path);
    request->mode = mode;
    request->lease_seconds = lease_s;
    comb_v1_tree_lock_request_set_note(request, "at lunch");
    return comb_tree_lock(f->tree, ctx, key, request, ret_lock, &f->test.err);
}

static enum comb_status try_lock(struct fixture *f, const char *path, enum comb_v1_lock_mode mode,
                                 struct comb_tree_lock *ret_lock)
{
    const struct comb_request_key key = new_key();

    return lock_with(f, &key, path, mode, 0, ret_lock);
}

static struct comb_tree_lock take(struct fixture *f, const char *path)
{
    struct comb_tree_lock lock;

    must_ok(try_lock(f, path, COMB_V1_LOCK_MODE_UNSPECIFIED, &lock), &f->test.err);
    return lock;
}

static enum comb_status try_refresh(struct fixture *f, const struct comb_v1_node_ref *node,
                                    uint64_t token, uint32_t lease_s,
                                    struct comb_tree_lock *ret_lock)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_refresh_lock_request *request =
        comb_v1_tree_refresh_lock_request_new(ctx->arena);

    request->node = comb_v1_node_ref_dup(ctx->arena, node);
    request->lock_token = token;
    request->lease_seconds = lease_s;
    return comb_tree_refresh_lock(f->tree, ctx, &key, request, ret_lock, &f->test.err);
}

static enum comb_status unlock_with(struct fixture *f, const struct comb_request_key *key,
                                    const struct comb_v1_node_ref *node, uint64_t token)
{
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_unlock_request *request = comb_v1_tree_unlock_request_new(ctx->arena);

    request->node = comb_v1_node_ref_dup(ctx->arena, node);
    request->lock_token = token;
    return comb_tree_unlock(f->tree, ctx, key, request, &f->test.err);
}

static enum comb_status try_unlock(struct fixture *f, const char *path, uint64_t token)
{
    const struct comb_request_key key = new_key();

    return unlock_with(f, &key, ref_path(f, path), token);
}

static enum comb_status try_break(struct fixture *f, const char *path, uint64_t token)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_break_lock_request *request =
        comb_v1_tree_break_lock_request_new(ctx->arena);

    request->node = ref_path(f, path);
    request->lock_token = token;
    return comb_tree_break_lock(f->tree, ctx, &key, request, &f->test.err);
}

static enum comb_status try_annotate(struct fixture *f, const char *path, const char *text)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(ctx->arena);
    struct comb_v1_metadata *piece = comb_v1_metadata_new(ctx->arena);
    struct comb_tree_changed changed;

    request->node = ref_path(f, path);
    request->lock_token = f->lock_token;
    comb_v1_metadata_set_namespace(piece, "test");
    comb_v1_metadata_set_name(piece, "value");
    piece->value = comb_v1_metadata_value_new(ctx->arena);
    comb_v1_metadata_value_set_text(piece->value, grpcc_arena_strdup(ctx->arena, text));
    assert_true(comb_v1_tree_set_metadata_request_add_set(ctx->arena, request, piece));
    return comb_tree_set_metadata(f->tree, ctx, &key, request, &changed, &f->test.err);
}

static enum comb_status try_write(struct fixture *f)
{
    return try_put(f, "/work", "file", 2, COMB_TREE_ANY, NULL, NULL);
}

/* The other user from now on, with the right to write, and with a login. */
static void become_other(struct fixture *f)
{
    become(f, &f->stranger);
    f->test.principal.login = STR("other");
}

static void become_owner(struct fixture *f)
{
    become(f, &f->owner);
    f->test.principal.login = STR("owner");
}

static void share(struct fixture *f)
{
    become_owner(f);
    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_READ_WRITE);
}

/* All locks on a node have ended by the store's clock, as if their holders slept. */
static enum comb_status decide_expiry(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    static const char row[] = "UPDATE node SET lock_until = 1 WHERE id = ?1",
                      locks[] = "UPDATE node_lock SET expire_us = 1 WHERE node = ?1";
    const struct comb_sql_value param = comb_sql_uuid(data);

    plan->kind = COMB_SQL_WRITE;
    must_ok(comb_tree_plan_statement(ctx, plan, row, &param, 1, true, err), err);
    return comb_tree_plan_statement(ctx, plan, locks, &param, 1, false, err);
}

static void let_expire(struct fixture *f, const struct comb_uuid *node)
{
    const struct comb_request_key key = new_key();
    struct comb_uuid id = *node;
    struct comb_outcome outcome;

    must_ok(
        comb_mutation_run(f->mutations, more(f), &key, decide_expiry, &id, &outcome, &f->test.err),
        &f->test.err);
}

/* ---- cases ---- */

static void only_the_holder_changes_the_node(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_tree_lock lock;
    struct comb_node file = put(f, "/work", "file", 1);

    share(f);
    mkdir_at(f, "/work", "folder");
    lock = take(f, "/work/file");
    assert_int_equal(lock.token, 1);
    for (int other = 0; other < 2; other++) {
        if (other)
            become_other(f);
        must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_write(f));
        assert_non_null(strstr(f->test.err.msg, "\"owner\" until 2"));
        must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_annotate(f, "/work/file", "a"));
        must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                    try_move(f, "/work/file", NULL, "other", COMB_V1_MOVE_CONFLICT_FAIL, &changed));
        must_refuse(
            COMB_FAILED_PRECONDITION, NODE_LOCKED,
            try_move(f, "/work/file", "/work/folder", "", COMB_V1_MOVE_CONFLICT_FAIL, &changed));
        must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                    try_delete(f, ref_path(f, "/work/file"), false, &changed));
        must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                    try_delete(f, ref_path(f, "/work/file"), true, &changed));
    }
    /* Another user's token is none. */
    f->lock_token = lock.token;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_write(f));
    become_owner(f);
    must_ok(try_write(f), &f->test.err);
    must_ok(try_annotate(f, "/work/file", "b"), &f->test.err);
    must_ok(
        try_move(f, "/work/file", "/work/folder", "moved", COMB_V1_MOVE_CONFLICT_FAIL, &changed),
        &f->test.err);
    must_ok(try_delete(f, ref_path(f, "/work/folder/moved"), false, &changed), &f->test.err);
    /* It lives on in the bin. */
    f->lock_token = 0;
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                try_restore(f, &file.id, NULL, "", &changed));
    must_ok(try_refresh(f, ref_id(f, &file.id), lock.token, 5, &lock), &f->test.err);
    f->lock_token = lock.token;
    must_ok(try_restore(f, &file.id, NULL, "", &changed), &f->test.err);
    must_ok(try_unlock(f, "/work/folder/moved", lock.token), &f->test.err);
    f->lock_token = 0;
    become_other(f);
    must_ok(try_annotate(f, "/work/folder/moved", "c"), &f->test.err);
}

static void what_is_not_the_node_itself_is_free(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_tree_lock lock;

    share(f);
    mkdir_at(f, "/work", "folder");
    put(f, "/work/folder", "file", 1);
    take(f, "/work/folder/file");
    lock = take(f, "/work/folder");
    become_other(f);
    put(f, "/work/folder", "new", 1);
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                try_move(f, "/work/folder", NULL, "b", COMB_V1_MOVE_CONFLICT_FAIL, &changed));
    become_owner(f);
    must_ok(try_unlock(f, "/work/folder", lock.token), &f->test.err);
    /* A folder goes with what is locked below it. */
    become_other(f);
    move_to(f, "/work/folder", NULL, "b");
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                try_delete(f, ref_path(f, "/work/b/file"), false, &changed));
    recycle(f, "/work/b");
}

static void what_is_replaced_may_be_locked(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;

    put(f, "/work", "a", 1);
    put(f, "/work", "b", 2);
    f->replaced_lock_token = take(f, "/work/b").token;
    f->lock_token = take(f, "/work/a").token;
    f->replaced_lock_token += 7;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST,
                try_move(f, "/work/a", NULL, "b", COMB_V1_MOVE_CONFLICT_REPLACE, &changed));
    f->replaced_lock_token = 0;
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                try_move(f, "/work/a", NULL, "b", COMB_V1_MOVE_CONFLICT_REPLACE, &changed));
    f->replaced_lock_token = 1;
    must_ok(try_move(f, "/work/a", NULL, "b", COMB_V1_MOVE_CONFLICT_REPLACE, &changed),
            &f->test.err);
    assert_int_equal(changed.view.node.size, 1);
}

/* The shortest lease there is, by the store's own clock. */
static void who_sleeps_past_his_lease_writes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct comb_request_key key = new_key();
    struct comb_tree_lock old, lock;

    put(f, "/work", "file", 1);
    share(f);
    must_ok(lock_with(f, &key, "/work/file", COMB_V1_LOCK_MODE_EXCLUSIVE, 1, &old), &f->test.err);
    assert_int_equal(old.expire_us - old.create_us, 1000000);
    become_other(f);
    /* Refused until it has expired, then granted. */
    while (try_lock(f, "/work/file", COMB_V1_LOCK_MODE_EXCLUSIVE, &lock) != COMB_OK) {
        assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_NODE_LOCKED);
        next(f);
    }
    assert_true(lock.create_us >= old.expire_us);
    assert_true(lock.token > old.token);
    become_owner(f);
    f->lock_token = old.token;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_write(f));
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST,
                try_refresh(f, ref_path(f, "/work/file"), old.token, 5, &old));
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_unlock(f, "/work/file", old.token));
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_unlock(f, "/work/file", lock.token));
    become_other(f);
    f->lock_token = lock.token;
    must_ok(try_write(f), &f->test.err);
}

static void an_old_token_opens_nothing_also_where_nobody_has_a_lock(void **state)
{
    struct fixture *f = *state;
    struct comb_node file = put(f, "/work", "file", 1);
    struct comb_tree_lock lock = take(f, "/work/file"), next_lock;

    let_expire(f, &file.id);
    f->lock_token = lock.token;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_write(f));
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST,
                try_refresh(f, ref_path(f, "/work/file"), lock.token, 5, &lock));
    f->lock_token = 0;
    must_ok(try_write(f), &f->test.err);
    next_lock = take(f, "/work/file");
    assert_true(next_lock.token > lock.token);
    must_ok(try_unlock(f, "/work/file", next_lock.token), &f->test.err);
    f->lock_token = next_lock.token;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_write(f));
    /* Nor for a file that is gone and made anew. */
    f->lock_token = 0;
    delete_for_good(f, "/work/file");
    f->lock_token = next_lock.token;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_write(f));
}

static void shared_locks_keep_all_off(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_lock locks[COMB_LOCK_HOLDERS_MAX], lock;

    put(f, "/work", "file", 1);
    share(f);
    for (int i = 0; i < COMB_LOCK_HOLDERS_MAX; i++) {
        if (i == 1)
            become_other(f);
        must_ok(try_lock(f, "/work/file", COMB_V1_LOCK_MODE_SHARED, &locks[i]), &f->test.err);
        assert_true(i == 0 || locks[i].token > locks[i - 1].token);
    }
    must_refuse(COMB_RESOURCE_EXHAUSTED, TOO_LARGE,
                try_lock(f, "/work/file", COMB_V1_LOCK_MODE_SHARED, &lock));
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                try_lock(f, "/work/file", COMB_V1_LOCK_MODE_EXCLUSIVE, &lock));
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_write(f));
    f->lock_token = locks[2].token;
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_write(f));
    f->lock_token = 0;
    for (int i = 1; i < COMB_LOCK_HOLDERS_MAX; i++)
        must_ok(try_unlock(f, "/work/file", locks[i].token), &f->test.err);
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_write(f));
    become_owner(f);
    must_ok(try_unlock(f, "/work/file", locks[0].token), &f->test.err);
    must_ok(try_write(f), &f->test.err);
    take(f, "/work/file");
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED,
                try_lock(f, "/work/file", COMB_V1_LOCK_MODE_SHARED, &lock));
}

static void a_repetition_gets_the_same_lock(void **state)
{
    struct fixture *f = *state;
    const struct comb_request_key key = new_key(), end = new_key();
    struct comb_tree_lock first, again, refreshed;

    put(f, "/work", "file", 1);
    must_ok(lock_with(f, &key, "/work/file", COMB_V1_LOCK_MODE_SHARED, 7, &first), &f->test.err);
    must_ok(try_refresh(f, ref_path(f, "/work/file"), first.token, 3600, &refreshed), &f->test.err);
    assert_true(refreshed.expire_us > first.expire_us + 3000LL * 1000000);
    assert_int_equal(refreshed.token, first.token);
    assert_int_equal(refreshed.create_us, first.create_us);
    must_ok(lock_with(f, &key, "/work/file", COMB_V1_LOCK_MODE_SHARED, 7, &again), &f->test.err);
    assert_int_equal(again.token, first.token);
    assert_int_equal(again.expire_us, first.expire_us);
    assert_int_equal(again.mode, COMB_V1_LOCK_MODE_SHARED);
    assert_true(comb_str_equal(again.note, STR("at lunch")));
    must_ok(unlock_with(f, &end, ref_path(f, "/work/file"), first.token), &f->test.err);
    must_ok(unlock_with(f, &end, ref_path(f, "/work/file"), first.token), &f->test.err);
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_unlock(f, "/work/file", first.token));
}

static void what_is_asked_wrongly(void **state)
{
    struct fixture *f = *state;
    const struct comb_request_key key = new_key();
    struct comb_tree_lock lock;
    struct comb_node file = put(f, "/work", "file", 1);

    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID,
                lock_with(f, &key, "/work/file", COMB_V1_LOCK_MODE_SHARED, 3601, &lock));
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID,
                lock_with(f, &key, "/work/file", (enum comb_v1_lock_mode)3, 0, &lock));
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID, try_unlock(f, "/work/file", 0));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND,
                try_lock(f, "/work/none", COMB_V1_LOCK_MODE_SHARED, &lock));
    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_READ);
    become_other(f);
    must_refuse(COMB_PERMISSION_DENIED, RIGHT_MISSING,
                try_lock(f, "/work/file", COMB_V1_LOCK_MODE_SHARED, &lock));
    /* Who writes without reading is not told by whom. */
    become_owner(f);
    take(f, "/work/file");
    grant(f, &file.id, &f->stranger, COMB_V1_RIGHTS_WRITE);
    become_other(f);
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_write(f));
    assert_null(strstr(f->test.err.msg, "owner"));
}

static void locks_are_broken_by_who_manages(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_lock lock;

    put(f, "/work", "file", 1);
    share(f);
    become_other(f);
    lock = take(f, "/work/file");
    must_refuse(COMB_PERMISSION_DENIED, RIGHT_MISSING, try_break(f, "/work/file", 0));
    become_owner(f);
    must_ok(try_break(f, "/work/file", lock.token + 1), &f->test.err);
    must_refuse(COMB_FAILED_PRECONDITION, NODE_LOCKED, try_write(f));
    must_ok(try_break(f, "/work/file", lock.token), &f->test.err);
    must_ok(try_write(f), &f->test.err);
    must_ok(try_break(f, "/work/file", 0), &f->test.err);
    become_other(f);
    f->lock_token = lock.token;
    must_refuse(COMB_FAILED_PRECONDITION, LOCK_LOST, try_write(f));
}

static void locks_are_shown_where_asked_for(void **state)
{
    struct fixture *f = *state;
    struct comb_node file = put(f, "/work", "file", 1), etag = file;
    struct comb_tree_list_query query = {.size = 10, .with = COMB_TREE_WITH_LOCKS};
    struct comb_tree_page page;
    struct comb_tree_lock lock;
    struct comb_tree_view view;

    put(f, "/work", "aside", 1);
    share(f);
    lock = take(f, "/work/file");
    must_ok(try_stat(f, ref_path(f, "/work/file"), 0, &view), &f->test.err);
    assert_int_equal(view.extra.n_locks, 0);
    must_ok(try_stat(f, ref_path(f, "/work/file"), COMB_TREE_WITH_LOCKS, &view), &f->test.err);
    assert_int_equal(view.extra.n_locks, 1);
    assert_int_equal(view.extra.locks[0].token, lock.token);
    assert_true(comb_str_equal(view.extra.locks[0].login, STR("owner")));
    assert_true(comb_uuid_equal(&view.extra.locks[0].user, &f->owner));
    assert_int_equal(view.extra.locks[0].expire_us, lock.expire_us);
    /* A lock is no change of the node. */
    assert_int_equal(view.node.revision, etag.revision);
    query.folder = ref_path(f, "/work");
    must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
    assert_int_equal(page.n_views, 2);
    assert_int_equal(page.views[0].extra.n_locks, 0);
    assert_int_equal(page.views[1].extra.n_locks, 1);
    let_expire(f, &file.id);
    must_ok(try_stat(f, ref_path(f, "/work/file"), COMB_TREE_WITH_LOCKS, &view), &f->test.err);
    assert_int_equal(view.extra.n_locks, 0);
}

static struct comb_v1_tree_changes_response *changes(struct fixture *f, const char *cursor)
{
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_changes_request *request = comb_v1_tree_changes_request_new(ctx->arena);
    struct comb_v1_tree_changes_response *response;

    comb_v1_tree_changes_request_set_cursor(request, cursor);
    must_ok(comb_tree_changes(f->tree, ctx, request, 100, &response, &f->test.err), &f->test.err);
    return response;
}

static void the_feed_tells_of_locks(void **state)
{
    struct fixture *f = *state;
    struct comb_node file = put(f, "/work", "file", 1);
    const char *cursor;
    struct comb_v1_tree_changes_response *seen;
    struct comb_tree_lock lock;

    become_owner(f);
    cursor = changes(f, "")->next_cursor;
    lock = take(f, "/work/file");
    must_ok(try_refresh(f, ref_path(f, "/work/file"), lock.token, 3600, &lock), &f->test.err);
    must_ok(try_unlock(f, "/work/file", lock.token), &f->test.err);
    seen = changes(f, cursor);
    assert_int_equal(seen->n_changes, 3);
    for (int i = 0; i < 3; i++) {
        const struct comb_v1_node *node = seen->changes[i]->node;

        assert_int_equal(seen->changes[i]->kind,
                         i < 2 ? COMB_V1_CHANGE_KIND_LOCKED : COMB_V1_CHANGE_KIND_UNLOCKED);
        assert_int_equal(node->revision, file.revision);
        assert_int_equal(node->n_locks, i < 2);
        if (i < 2)
            assert_string_equal(node->locks[0]->login, "owner");
    }
    assert_true(seen->changes[1]->node->locks[0]->expire_time->seconds >
                seen->changes[0]->node->locks[0]->expire_time->seconds);
}

/* Rows of locks that have expired are taken along by those that come. */
static void rows_do_not_pile_up(void **state)
{
    enum { FILES = 12 };
    static const char count[] = "SELECT count(*) FROM node_lock WHERE node <> ?1";
    struct fixture *f = *state;
    char name[8], path[16];

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        snprintf(path, sizeof path, "/work/f%d", i);
        struct comb_node file = put(f, "/work", name, 1);
        take(f, path);
        let_expire(f, &file.id);
    }
    assert_true(sql_number(f, count, &f->root) <= 2);
}

/* ---- many at once ---- */

enum { ROUNDS = 12 };

struct crowd {
    struct fixture *f;
    struct comb_uuid file;
    atomic_bool locked;         /* by the one who locks */
    atomic_uint_fast64_t fence; /* writes that began under the lock, and went through */
    _Atomic int written, failed;
};

static struct comb_v1_node_ref *ref_in(struct test_ctx *test, const struct comb_uuid *id)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(test->ctx.arena);

    comb_v1_node_ref_set_id(ref, comb_uuid_text(test->ctx.arena, id));
    return ref;
}

/* Renames without a token, all the time. A rename that is answered while the lock was held from
 * before it began to after its answer has got past the lock. */
static void *rename_on(void *data)
{
    struct crowd *crowd = data;

    for (unsigned i = 0; atomic_load(&crowd->fence) < ROUNDS; i++) {
        const struct comb_request_key key = new_key();
        uint_fast64_t round = atomic_load(&crowd->fence);
        bool locked = atomic_load(&crowd->locked);
        struct comb_v1_tree_move_request *request;
        struct comb_tree_changed changed;
        struct test_ctx test;
        enum comb_status status;

        test_ctx_init(&test);
        test.principal.user = crowd->f->owner;
        request = comb_v1_tree_move_request_new(test.ctx.arena);
        request->node = ref_in(&test, &crowd->file);
        comb_v1_tree_move_request_set_target_name(
            request, grpcc_arena_printf(test.ctx.arena, "%p-%u", (void *)&test, i));
        status = comb_tree_move(crowd->f->tree, &test.ctx, &key, request, &changed, &test.err);
        crowd->written += status == COMB_OK;
        if (status == COMB_OK && locked && atomic_load(&crowd->locked) &&
            atomic_load(&crowd->fence) == round)
            crowd->failed++;
        test_ctx_done(&test);
    }
    return NULL;
}

/* Once the lock is acknowledged the node stands still until it is given back. */
static void a_lock_that_was_acknowledged_holds(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {.f = f, .file = put(f, "/work", "file", 1).id};
    static const char revision[] = "SELECT rev FROM node WHERE id = ?1";
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, rename_on, &crowd), 0);
    while (atomic_load(&crowd.fence) < ROUNDS) {
        const struct comb_request_key key = new_key(), end = new_key();
        struct comb_ctx *ctx = next(f);
        struct comb_v1_tree_lock_request *request = comb_v1_tree_lock_request_new(ctx->arena);
        struct comb_tree_lock lock;
        int64_t before;

        request->node = ref_id(f, &crowd.file);
        /* Where all others are always faster, it is tried again. */
        if (comb_tree_lock(f->tree, ctx, &key, request, &lock, &f->test.err) != COMB_OK) {
            assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_CONTENTION);
            continue;
        }
        atomic_store(&crowd.locked, true);
        before = sql_number(f, revision, &crowd.file);
        for (int i = 0; i < 10; i++)
            assert_int_equal(sql_number(f, revision, &crowd.file), before);
        atomic_store(&crowd.locked, false);
        must_ok(unlock_with(f, &end, ref_id(f, &crowd.file), lock.token), &f->test.err);
        atomic_fetch_add(&crowd.fence, 1);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.failed, 0);
    assert_true(crowd.written > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_holder_changes_the_node),
        TEST(what_is_not_the_node_itself_is_free),
        TEST(what_is_replaced_may_be_locked),
        TEST(who_sleeps_past_his_lease_writes_nothing),
        TEST(an_old_token_opens_nothing_also_where_nobody_has_a_lock),
        TEST(shared_locks_keep_all_off),
        TEST(a_repetition_gets_the_same_lock),
        TEST(what_is_asked_wrongly),
        TEST(locks_are_broken_by_who_manages),
        TEST(locks_are_shown_where_asked_for),
        TEST(the_feed_tells_of_locks),
        TEST(rows_do_not_pile_up),
        TEST(a_lock_that_was_acknowledged_holds),
    };

    return cmocka_run_group_tests_name("tree locks", tests, NULL, NULL);
}
