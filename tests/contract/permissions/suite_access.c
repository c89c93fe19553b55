/* SPDX-License-Identifier: Apache-2.0 */
/* From references to rights: what is found, what is refused, and how much the refusal tells. */
#include <pthread.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"
#include "tests/contract/permissions/fixture.h"

#define FOLDER COMB_V1_NODE_KIND_FOLDER
#define FILE_ COMB_V1_NODE_KIND_FILE
#define READ COMB_V1_RIGHTS_READ
#define WRITE COMB_V1_RIGHTS_WRITE
#define READ_WRITE COMB_V1_RIGHTS_READ_WRITE
#define DENY COMB_V1_RIGHTS_DENY

static enum comb_status resolve(struct rights_fixture *fixture, struct comb_v1_node_ref *ref,
                                enum comb_v1_need need, struct comb_access_node *ret_node)
{
    struct comb_access_options options = {.need = need, .field = "node"};
    return comb_access_resolve(fixture->access, &fixture->f->test.ctx, ref, &options, ret_node,
                               &fixture->f->test.err);
}

/* The caller of ctx on the node. */
static void must_resolve(struct rights_fixture *fixture, const struct comb_uuid *id,
                         enum comb_v1_need need)
{
    struct comb_access_node node;
    struct comb_ctx *ctx = &fixture->f->test.ctx;
    ctx->authorised = 0;
    must_ok(resolve(fixture, by_id(ctx, id), need, &node), &fixture->f->test.err);
    assert_true(comb_uuid_equal(&node.node->id, id));
    assert_int_equal(ctx->authorised, 1u << need);
}

static void must_refuse(struct rights_fixture *fixture, const struct comb_uuid *id,
                        enum comb_v1_need need, enum comb_status status, int reason)
{
    struct comb_access_node node = {.rights = 4711};
    struct comb_ctx *ctx = &fixture->f->test.ctx;
    ctx->authorised = 0;
    must_fail(status, resolve(fixture, by_id(ctx, id), need, &node), &fixture->f->test.err);
    assert_int_equal(fixture->f->test.err.reason, reason);
    assert_string_equal(fixture->f->test.err.subject, "node");
    assert_int_equal(node.rights, 4711);
    assert_int_equal(ctx->authorised, 0);
}

#define MUST_HIDE(fixture, id, need)                                                               \
    must_refuse(fixture, id, need, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND)
#define MUST_DENY(fixture, id, need)                                                               \
    must_refuse(fixture, id, need, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_RIGHT_MISSING)

static void what_may_not_be_read_does_not_exist(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid nothing = comb_uuid_new();
    static const enum comb_v1_need NEEDS[] = {COMB_V1_NEED_READ, COMB_V1_NEED_WRITE,
                                              COMB_V1_NEED_MANAGE, COMB_V1_NEED_LOGIN};
    call_as(fixture, &f->user);
    for (size_t i = 0; i < sizeof NEEDS / sizeof *NEEDS; i++) {
        char told[COMB_ERROR_MESSAGE_MAX];
        MUST_HIDE(fixture, &nothing, NEEDS[i]);
        snprintf(told, sizeof told, "%s", f->test.err.msg);
        MUST_HIDE(fixture, &a, NEEDS[i]);
        assert_string_equal(told, f->test.err.msg); /* the same words for both */
    }
}

static void refusals_tell_who_may_read(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &f->root, &f->user, READ);
    call_as(fixture, &f->user);
    must_resolve(fixture, &a, COMB_V1_NEED_READ);
    must_resolve(fixture, &a, COMB_V1_NEED_LOGIN);
    MUST_DENY(fixture, &a, COMB_V1_NEED_WRITE);
    MUST_DENY(fixture, &a, COMB_V1_NEED_MANAGE);
    fixture_grant(f, &a, &f->user, READ_WRITE);
    call_as(fixture, &f->user);
    must_resolve(fixture, &a, COMB_V1_NEED_WRITE);
    MUST_DENY(fixture, &f->root, COMB_V1_NEED_WRITE);
}

static void drop_box_takes_and_hides(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid box = fixture_create(f, &f->root, "box", FOLDER).id;
    fixture_grant(f, &box, &f->user, WRITE);
    call_as(fixture, &f->user);
    must_resolve(fixture, &box, COMB_V1_NEED_WRITE);
    must_resolve(fixture, &box, COMB_V1_NEED_LOGIN);
    MUST_HIDE(fixture, &box, COMB_V1_NEED_READ);
    MUST_HIDE(fixture, &box, COMB_V1_NEED_MANAGE);
}

static void owners_manage_and_need_entries_to_read(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    call_as(fixture, &f->owner);
    must_resolve(fixture, &a, COMB_V1_NEED_MANAGE);
    MUST_DENY(fixture, &a, COMB_V1_NEED_READ); /* it exists for him: he manages it */
}

static void administrators_may_everything(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &a, &comb_role_everybody, DENY);
    fixture_make_administrator(f, &f->user);
    call_as(fixture, &f->user);
    must_resolve(fixture, &a, COMB_V1_NEED_WRITE);
    must_resolve(fixture, &a, COMB_V1_NEED_MANAGE);
    /* A token with scopes is narrower than its owner. */
    struct comb_scope scope = {.node = a, .rights = READ};
    call_scoped(fixture, &f->user, &scope, 1);
    must_resolve(fixture, &a, COMB_V1_NEED_READ);
    must_refuse(fixture, &a, COMB_V1_NEED_WRITE, COMB_PERMISSION_DENIED,
                COMB_V1_ERROR_REASON_SCOPE_EXCEEDED);
    must_refuse(fixture, &a, COMB_V1_NEED_MANAGE, COMB_PERMISSION_DENIED,
                COMB_V1_ERROR_REASON_SCOPE_EXCEEDED);
    MUST_HIDE(fixture, &f->root, COMB_V1_NEED_READ);
}

static void who_is_gone_may_nothing(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid nobody = comb_uuid_new();
    fixture_grant(f, &f->root, &comb_role_everybody, READ);
    call_as(fixture, &f->user);
    must_resolve(fixture, &f->root, COMB_V1_NEED_READ);
    fixture_user(f, &f->user, true);
    struct comb_access_node node;
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    must_fail(COMB_UNAUTHENTICATED,
              resolve(fixture, by_id(ctx, &f->root), COMB_V1_NEED_READ, &node), &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_TOKEN_REVOKED);
    ctx = call_as(fixture, &nobody);
    must_fail(COMB_UNAUTHENTICATED,
              resolve(fixture, by_id(ctx, &f->root), COMB_V1_NEED_READ, &node), &f->test.err);
    ctx = call_as(fixture, &f->user);
    ctx->principal = NULL;
    must_fail(COMB_UNAUTHENTICATED,
              resolve(fixture, by_id(ctx, &f->root), COMB_V1_NEED_READ, &node), &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_TOKEN_MISSING);
    ctx->principal = &f->test.principal;
}

static void all_forms_lead_to_the_node(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &a, "b", FILE_).id;
    fixture_grant(f, &f->root, &f->owner, READ_WRITE);
    struct comb_access_node node;
    struct comb_ctx *ctx = call_as(fixture, &f->owner);
    static const char *const PATHS[] = {"/work/a/b", "/personal/a/b"};
    for (size_t i = 0; i < 2; i++) {
        must_ok(resolve(fixture, by_path(ctx, PATHS[i]), COMB_V1_NEED_READ, &node), &f->test.err);
        assert_true(comb_uuid_equal(&node.node->id, &b));
        assert_string_equal(node.path, PATHS[i]);
    }
    must_ok(resolve(fixture, by_both(ctx, &a, "b"), COMB_V1_NEED_READ, &node), &f->test.err);
    assert_true(comb_uuid_equal(&node.node->id, &b));
    assert_null(node.path);
    must_ok(resolve(fixture, by_path(ctx, "/work"), COMB_V1_NEED_READ, &node), &f->test.err);
    assert_true(comb_uuid_equal(&node.node->id, &f->root));
    /* "/personal" is one's own, and ben has none. */
    ctx = call_as(fixture, &f->user);
    must_fail(COMB_NOT_FOUND,
              resolve(fixture, by_path(ctx, "/personal/a"), COMB_V1_NEED_READ, &node),
              &f->test.err);
    must_fail(COMB_NOT_FOUND, resolve(fixture, by_path(ctx, "/nowhere"), COMB_V1_NEED_READ, &node),
              &f->test.err);
    must_fail(COMB_INVALID_ARGUMENT, resolve(fixture, by_path(ctx, "/"), COMB_V1_NEED_READ, &node),
              &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_PATH_INVALID);
}

static void top_is_allowed_where_asked(void **state)
{
    struct rights_fixture *fixture = *state;
    struct comb_ctx *ctx = call_as(fixture, &fixture->f->user);
    struct comb_access_node node;
    struct comb_access_options options = {
        .need = COMB_V1_NEED_READ, .field = "folder", .allow_top = true};
    must_ok(comb_access_resolve(fixture->access, ctx, by_path(ctx, "/"), &options, &node,
                                &fixture->f->test.err),
            &fixture->f->test.err);
    assert_null(node.node);
    assert_int_equal(ctx->authorised, 1u << COMB_V1_NEED_READ);
    options.need = COMB_V1_NEED_WRITE;
    must_fail(COMB_PERMISSION_DENIED,
              comb_access_resolve(fixture->access, ctx, by_path(ctx, "/"), &options, &node,
                                  &fixture->f->test.err),
              &fixture->f->test.err);
}

static void missing_ends_are_named(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &a, &f->user, READ_WRITE);
    struct comb_access_node node;
    struct comb_access_options options = {
        .need = COMB_V1_NEED_WRITE, .field = "node", .allow_missing = true};
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    must_ok(comb_access_resolve(fixture->access, ctx, by_path(ctx, "/work/a/b/c"), &options, &node,
                                &f->test.err),
            &f->test.err);
    assert_null(node.node);
    assert_true(comb_uuid_equal(&node.chain.links[0].node->id, &a));
    assert_true(comb_str_equal(node.missing[0], STR("b/c")));
    assert_true(comb_str_equal(node.missing[1], STR("c")));
    /* Asked of the deepest folder that exists: the root, where ben has nothing. */
    must_fail(COMB_NOT_FOUND,
              comb_access_resolve(fixture->access, ctx, by_path(ctx, "/work/x"), &options, &node,
                                  &f->test.err),
              &f->test.err);
    must_fail(COMB_NOT_FOUND,
              comb_access_resolve(fixture->access, ctx, by_path(ctx, "/nowhere/x"), &options, &node,
                                  &f->test.err),
              &f->test.err);
}

static void bin_is_hidden_but_from_its_methods(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct fixture_node a = fixture_create(f, &f->root, "a", FOLDER);
    struct fixture_node b = fixture_create(f, &a.id, "b", FOLDER);
    struct comb_uuid c = fixture_create(f, &b.id, "c", FILE_).id;
    fixture_grant(f, &a.id, &f->user, READ_WRITE);
    fixture_recycle(f, &b);
    call_as(fixture, &f->user);
    MUST_HIDE(fixture, &b.id, COMB_V1_NEED_READ);
    MUST_HIDE(fixture, &c, COMB_V1_NEED_READ);
    MUST_HIDE(fixture, &f->bin, COMB_V1_NEED_READ);
    call_as(fixture, &f->owner);
    MUST_HIDE(fixture, &b.id, COMB_V1_NEED_MANAGE);

    /* The place it came from decides, … */
    struct comb_access_options options = {
        .need = COMB_V1_NEED_WRITE, .field = "node", .allow_recycled = true};
    struct comb_access_node node;
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    must_ok(
        comb_access_resolve(fixture->access, ctx, by_id(ctx, &c), &options, &node, &f->test.err),
        &f->test.err);
    assert_int_equal(node.rights, READ_WRITE);
    assert_int_equal(node.n_judged, 4); /* c, b, a, root */
    /* … with the chain through the bin and that of the place under guard, … */
    assert_int_equal(node.decision.n_links, 3 + 2);
    fixture_grant(f, &a.id, &f->user, READ);
    ctx = call_as(fixture, &f->user);
    must_fail(
        COMB_PERMISSION_DENIED,
        comb_access_resolve(fixture->access, ctx, by_id(ctx, &c), &options, &node, &f->test.err),
        &f->test.err);
    /* … also where that has been deleted by now, … */
    fixture_grant(f, &a.id, &f->user, READ_WRITE);
    fixture_recycle_as(f, &a, "another id");
    ctx = call_as(fixture, &f->user);
    must_ok(
        comb_access_resolve(fixture->access, ctx, by_id(ctx, &c), &options, &node, &f->test.err),
        &f->test.err);
    /* … and nobody but administrators and owners once it is gone. */
    fixture_purge(f, &a.id, true);
    ctx = call_as(fixture, &f->user);
    must_fail(
        COMB_NOT_FOUND,
        comb_access_resolve(fixture->access, ctx, by_id(ctx, &c), &options, &node, &f->test.err),
        &f->test.err);
    must_fail(COMB_NOT_FOUND,
              comb_access_resolve(fixture->access, ctx, by_id(ctx, &f->bin), &options, &node,
                                  &f->test.err),
              &f->test.err);
}

static void decision_is_the_whole_chain(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &a, &f->user, READ);
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    struct comb_access_node node;
    must_ok(resolve(fixture, by_id(ctx, &a), COMB_V1_NEED_READ, &node), &f->test.err);
    const struct comb_decision *decision = &node.decision;
    assert_int_equal(decision->n_links, 2);
    assert_true(comb_uuid_equal(&decision->links[0].id, &a));
    assert_true(comb_uuid_equal(&decision->links[0].parent, &f->root));
    assert_int_equal(decision->links[0].acl_revision, 2);
    assert_true(comb_uuid_equal(&decision->links[1].id, &f->root));
    assert_true(comb_uuid_equal(&decision->links[1].parent, &comb_node_super_root));
    assert_true(comb_uuid_equal(&decision->user, &f->user));
    assert_int_equal(decision->roles_revision, 1);
}

struct answer {
    struct comb_access_node node;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum comb_status status;
};

static void answered(void *data, enum comb_status status, const struct comb_error *err)
{
    struct answer *answer = data;
    (void)err;
    pthread_mutex_lock(&answer->lock);
    answer->status = status;
    answer->done = true;
    pthread_cond_signal(&answer->changed);
    pthread_mutex_unlock(&answer->lock);
}

static bool is_done(struct answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    bool done = answer->done;
    pthread_mutex_unlock(&answer->lock);
    return done;
}

static void async_form_answers_at_once_or_later(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &a, &f->user, READ);
    struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    for (int warm = 0; warm <= 1; warm++) {
        struct answer answer = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .changed = PTHREAD_COND_INITIALIZER};
        struct comb_ctx *ctx = call_as(fixture, &f->user);
        must_ok(comb_facts_sync_wait(f->facts, ctx, &f->test.err), &f->test.err);
        ctx->strong = false;
        gate_close(f->gate, COMB_SQL_READ); /* a round trip cannot end */
        comb_access_resolve_start(fixture->access, ctx, by_path(ctx, "/work/a"), &options,
                                  &answer.node, answered, &answer);
        assert_int_equal(is_done(&answer), warm);
        gate_open(f->gate, COMB_SQL_READ);
        pthread_mutex_lock(&answer.lock);
        while (!answer.done) {
            pthread_cond_wait(&answer.changed, &answer.lock);
        }
        pthread_mutex_unlock(&answer.lock);
        assert_int_equal(answer.status, COMB_OK);
        assert_true(comb_uuid_equal(&answer.node.node->id, &a));
    }
    struct answer answer = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    comb_access_resolve_start(fixture->access, ctx, by_path(ctx, "no path"), &options, &answer.node,
                              answered, &answer);
    assert_true(is_done(&answer));
    assert_int_equal(answer.status, COMB_INVALID_ARGUMENT);
}

/* Lists decide row by row: the same as each row's own reference would. */
static void rows_are_decided_like_references(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    static const char *const NAMES[] = {"none", "read", "write", "both", "deny"};
    static const int RIGHTS[] = {0, READ, WRITE, READ_WRITE, DENY};
    struct comb_uuid folder = fixture_create(f, &f->root, "folder", FOLDER).id;
    struct comb_uuid children[5];
    fixture_grant(f, &folder, &f->user, READ);
    for (size_t i = 0; i < 5; i++) {
        children[i] = fixture_create(f, &folder, NAMES[i], FILE_).id;
        if (RIGHTS[i] != 0) {
            fixture_grant(f, &children[i], &f->user, RIGHTS[i]);
        }
    }
    struct comb_scope scopes[2] = {{.node = folder, .rights = READ},
                                   {.node = children[3], .rights = WRITE}};
    for (size_t n_scopes = 0; n_scopes <= 2; n_scopes += 2) {
        struct comb_access_node parent, child;
        struct comb_ctx *ctx = call_scoped(fixture, &f->user, scopes, n_scopes);
        must_ok(resolve(fixture, by_id(ctx, &folder), COMB_V1_NEED_READ, &parent), &f->test.err);
        for (size_t i = 0; i < 5; i++) {
            int alone = 0;
            struct comb_fact_chain chain;
            must_ok(comb_access_rights(fixture->access, ctx, &children[i], &alone, &chain,
                                       &f->test.err),
                    &f->test.err);
            const struct comb_fact_link *link = &chain.links[0];
            assert_int_equal(comb_access_child_rights(fixture->access, ctx, &parent, link->node,
                                                      link->entries, link->n_entries),
                             alone);
            enum comb_status status =
                resolve(fixture, by_id(ctx, &children[i]), COMB_V1_NEED_LOGIN, &child);
            assert_int_equal(status == COMB_OK ? child.rights : 0, alone);
        }
    }
}

static void paths_lead_back(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct fixture_node a = fixture_create(f, &f->root, "a", FOLDER);
    struct comb_uuid b = fixture_create(f, &a.id, "b", FILE_).id;
    const char *path;
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    struct comb_fact_chain chain = fixture_chain(f, ctx, &b);
    must_ok(comb_access_path(ctx, &chain, &path, &f->test.err), &f->test.err);
    assert_string_equal(path, "/work/a/b");
    chain.workspace.kind = COMB_V1_WORKSPACE_KIND_PERSONAL;
    must_ok(comb_access_path(ctx, &chain, &path, &f->test.err), &f->test.err);
    assert_string_equal(path, "/work/a/b"); /* not his */
    ctx = call_as(fixture, &f->owner);
    chain = fixture_chain(f, ctx, &b);
    chain.workspace.kind = COMB_V1_WORKSPACE_KIND_PERSONAL;
    must_ok(comb_access_path(ctx, &chain, &path, &f->test.err), &f->test.err);
    assert_string_equal(path, "/personal/a/b");
    fixture_recycle(f, &a);
    ctx = call_as(fixture, &f->owner);
    chain = fixture_chain(f, ctx, &b);
    must_ok(comb_access_path(ctx, &chain, &path, &f->test.err), &f->test.err);
    assert_string_equal(path, "");
}

int run_suite_access(void)
{
    const struct CMUnitTest tests[] = {
        RIGHTS_TEST(what_may_not_be_read_does_not_exist),
        RIGHTS_TEST(refusals_tell_who_may_read),
        RIGHTS_TEST(drop_box_takes_and_hides),
        RIGHTS_TEST(owners_manage_and_need_entries_to_read),
        RIGHTS_TEST(administrators_may_everything),
        RIGHTS_TEST(who_is_gone_may_nothing),
        RIGHTS_TEST(all_forms_lead_to_the_node),
        RIGHTS_TEST(top_is_allowed_where_asked),
        RIGHTS_TEST(missing_ends_are_named),
        RIGHTS_TEST(bin_is_hidden_but_from_its_methods),
        RIGHTS_TEST(decision_is_the_whole_chain),
        RIGHTS_TEST(async_form_answers_at_once_or_later),
        RIGHTS_TEST(rows_are_decided_like_references),
        RIGHTS_TEST(paths_lead_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
