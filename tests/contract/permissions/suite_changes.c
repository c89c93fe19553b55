/* SPDX-License-Identifier: Apache-2.0 */
/* Grant, Revoke and List. */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "tests/contract/permissions/fixture.h"

#define FOLDER COMB_V1_NODE_KIND_FOLDER
#define READ COMB_V1_RIGHTS_READ
#define READ_WRITE COMB_V1_RIGHTS_READ_WRITE
#define PAGE 3

/* By the owner, for ben unless said otherwise. */
static enum comb_status grant_as(struct rights_fixture *fixture, const struct comb_uuid *caller,
                                 const struct comb_uuid *node, int rights, int64_t expire_us,
                                 const struct comb_request_key *key,
                                 struct comb_permission *ret_permission)
{
    struct comb_ctx *ctx = call_as(fixture, caller);
    struct comb_permissions_grant grant = {
        .node = by_id(ctx, node),
        .subject = {.name = STR("ben")},
        .rights = rights,
        .expire_us = expire_us,
    };
    return comb_permissions_grant(fixture->permissions, ctx, key, &grant, ret_permission,
                                  &fixture->f->test.err);
}

static enum comb_status revoke_as(struct rights_fixture *fixture, const struct comb_uuid *caller,
                                  const struct comb_uuid *node, const struct comb_request_key *key)
{
    struct comb_ctx *ctx = call_as(fixture, caller);
    struct comb_permissions_subject subject = {.name = STR("ben")};
    return comb_permissions_revoke(fixture->permissions, ctx, key, by_id(ctx, node), &subject,
                                   &fixture->f->test.err);
}

/* ben's rights on the node, as any later call sees them. */
static int rights_of_ben(struct rights_fixture *fixture, const struct comb_uuid *node)
{
    int rights;
    struct comb_fact_chain chain;
    struct comb_ctx *ctx = call_as(fixture, &fixture->f->user);
    must_ok(comb_access_rights(fixture->access, ctx, node, &rights, &chain, &fixture->f->test.err),
            &fixture->f->test.err);
    return rights;
}

static void grant_to_group(struct rights_fixture *fixture, const struct comb_uuid *node, int rights)
{
    struct comb_ctx *ctx = call_as(fixture, &fixture->f->owner);
    const struct comb_permissions_grant grant = {
        .node = by_id(ctx, node),
        .subject = {.is_group = true, .name = STR("/staff")},
        .rights = rights};
    struct comb_permission permission;
    struct comb_request_key key = new_key();
    for (int again = 0; again <= 1; again++) {
        must_ok(comb_permissions_grant(fixture->permissions, ctx, &key, &grant, &permission,
                                       &fixture->f->test.err),
                &fixture->f->test.err);
        assert_true(permission.is_group);
        assert_true(comb_uuid_equal(&permission.entry.role, &fixture->group));
    }
}

static void a_group_s_entry_is_for_all_in_it(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid role = fixture_role(f, "role", false);
    fixture->group = fixture_group(f, &comb_role_everybody, "staff");
    struct comb_uuid below = fixture_group(f, &fixture->group, "below");
    grant_to_group(fixture, &a, READ);
    fixture_grant(f, &a, &role, READ_WRITE);
    assert_int_equal(rights_of_ben(fixture, &a), 0);
    fixture_put_into_group(f, &f->user, &below);
    assert_int_equal(rights_of_ben(fixture, &a), READ);
    fixture_move_group(f, &below, &comb_role_everybody);
    assert_int_equal(rights_of_ben(fixture, &a), 0);
    const struct comb_permission *page;
    size_t n, groups = 0, roles = 0;
    bool more;
    const struct comb_uuid first = {{0}};
    struct comb_ctx *ctx = call_as(fixture, &f->owner);
    must_ok(comb_permissions_list(fixture->permissions, ctx, by_id(ctx, &a), &first, PAGE, &page,
                                  &n, &more, &f->test.err),
            &f->test.err);
    for (size_t i = 0; i < n; i++) {
        groups += page[i].is_group && comb_uuid_equal(&page[i].entry.role, &fixture->group);
        roles += page[i].is_role;
    }
    assert_int_equal(n, 2);
    assert_int_equal(groups, 1);
    assert_int_equal(roles, 1);
}

static void grants_and_revokes_take_effect(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    assert_int_equal(rights_of_ben(fixture, &a), 0);
    struct comb_request_key keys[] = {new_key(), new_key(), new_key()};
    must_ok(grant_as(fixture, &f->owner, &a, READ, 0, &keys[0], &permission), &f->test.err);
    assert_false(permission.is_role);
    assert_true(comb_uuid_equal(&permission.entry.role, &f->user));
    assert_true(comb_uuid_equal(&permission.entry.node, &a));
    assert_true(comb_uuid_equal(&permission.entry.granted_by, &f->owner));
    assert_int_equal(permission.entry.rights, READ);
    assert_true(permission.entry.create_us > 0);
    assert_int_equal(f->test.ctx.authorised, 1u << COMB_V1_NEED_MANAGE);
    assert_int_equal(rights_of_ben(fixture, &a), READ);
    must_ok(grant_as(fixture, &f->owner, &a, READ_WRITE, 0, &keys[1], &permission), &f->test.err);
    assert_int_equal(rights_of_ben(fixture, &a), READ_WRITE);
    must_ok(revoke_as(fixture, &f->owner, &a, &keys[2]), &f->test.err);
    assert_int_equal(rights_of_ben(fixture, &a), 0);
    /* Each raised the node's acl_revision, and none its revision. */
    struct comb_fact_chain chain = fixture_chain(f, call_as(fixture, &f->owner), &a);
    assert_int_equal(chain.links[0].node->acl_revision, 4);
    assert_int_equal(chain.links[0].node->revision, 1);
}

static void caller_sees_his_change_at_once(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_request_key key = new_key();
    must_ok(grant_as(fixture, &f->owner, &a, READ, 0, &key, &permission), &f->test.err);
    struct comb_position reached = f->test.ctx.reached;
    assert_true(reached.sequence > f->written.sequence);
    struct comb_ctx *ctx = call_as(fixture, &f->owner);
    ctx->strong = false;
    ctx->seen = reached; /* his token */
    struct comb_fact_chain chain = fixture_chain(f, ctx, &a);
    assert_int_equal(chain.links[0].n_entries, 1);
}

static void repetitions_answer_the_first_outcome(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission first, again;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_request_key grant = new_key(), revoke = new_key();
    must_ok(grant_as(fixture, &f->owner, &a, READ, 0, &grant, &first), &f->test.err);
    must_ok(revoke_as(fixture, &f->owner, &a, &revoke), &f->test.err);
    must_ok(grant_as(fixture, &f->owner, &a, READ, 0, &grant, &again), &f->test.err);
    assert_memory_equal(&first.entry, &again.entry, sizeof first.entry);
    assert_int_equal(rights_of_ben(fixture, &a), 0); /* it was not executed again */
    must_ok(revoke_as(fixture, &f->owner, &a, &revoke), &f->test.err);
}

static void only_who_manages_may_change(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_request_key key = new_key();
    must_fail(COMB_NOT_FOUND, grant_as(fixture, &f->user, &a, READ, 0, &key, &permission),
              &f->test.err);
    fixture_grant(f, &a, &f->user, READ_WRITE);
    must_fail(COMB_PERMISSION_DENIED, grant_as(fixture, &f->user, &a, READ, 0, &key, &permission),
              &f->test.err);
    must_fail(COMB_PERMISSION_DENIED, revoke_as(fixture, &f->user, &a, &key), &f->test.err);
    fixture_make_administrator(f, &f->user);
    must_ok(grant_as(fixture, &f->user, &a, READ, 0, &key, &permission), &f->test.err);
}

/* By ben, without a token that would tell the replica what happened a moment ago. */
static enum comb_status grant_by_ben(struct rights_fixture *fixture, const struct comb_uuid *node)
{
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_request_key key = new_key();
    struct comb_ctx *ctx = fixture_call(f);
    f->test.principal.user = f->user;
    struct comb_permissions_grant grant = {
        .node = by_id(ctx, node), .subject = {.name = STR("anna")}, .rights = READ};
    return comb_permissions_grant(fixture->permissions, ctx, &key, &grant, &permission,
                                  &f->test.err);
}

/* The right to manage comes and goes, and memory has not heard of it yet: neither is anything
 * granted by a right that is gone, nor refused for one that is there. */
static void changes_are_decided_on_the_newest_rights(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_grant(f, &a, &f->user, READ);
    for (int i = 0; i < 20; i++) {
        fixture_make_administrator(f, &f->user);
        must_ok(grant_by_ben(fixture, &a), &f->test.err);
        fixture_drop_role(f, &f->user, &comb_role_administrators);
        must_fail(COMB_PERMISSION_DENIED, grant_by_ben(fixture, &a), &f->test.err);
    }
}

static void expiry_must_lie_ahead(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_request_key keys[] = {new_key(), new_key()};
    int64_t now_us = comb_clock_wall_us();
    must_fail(COMB_INVALID_ARGUMENT,
              grant_as(fixture, &f->owner, &a, READ, now_us - 1, &keys[0], &permission),
              &f->test.err);
    assert_string_equal(f->test.err.subject, "expire_time");
    int64_t expire_us = now_us + 3600 * COMB_US_PER_S;
    must_ok(grant_as(fixture, &f->owner, &a, READ, expire_us, &keys[1], &permission), &f->test.err);
    assert_int_equal(permission.entry.expire_us, expire_us);
    assert_int_equal(rights_of_ben(fixture, &a), READ);
    comb_clock_advance_ns(3601 *
                          COMB_NS_PER_S); /* decisions are not remembered: the clock ends it */
    assert_int_equal(rights_of_ben(fixture, &a), 0);
}

static void what_is_not_there_cannot_be_revoked(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_request_key key = new_key();
    fixture_grant(f, &f->root, &f->user, READ); /* inherited, not on the node */
    must_fail(COMB_NOT_FOUND, revoke_as(fixture, &f->owner, &a, &key), &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_ENTRY_NOT_FOUND);
}

static void unknown_subjects_are_told(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_request_key key = new_key();
    struct comb_ctx *ctx = call_as(fixture, &f->owner);
    struct comb_permissions_grant grant = {
        .node = by_id(ctx, &f->root), .subject = {.name = STR("carl")}, .rights = READ};
    must_fail(
        COMB_NOT_FOUND,
        comb_permissions_grant(fixture->permissions, ctx, &key, &grant, &permission, &f->test.err),
        &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_USER_NOT_FOUND);
}

/* A mutation that was decided before a grant is decided again: its guard compares acl_revision. */
struct guarded {
    struct rights_fixture *fixture;
    struct comb_uuid node;
    unsigned calls;
};

static enum comb_status guarded_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                       struct comb_error *err)
{
    struct guarded *guarded = data;
    struct fixture *f = guarded->fixture->f;
    struct comb_access_options options = {.need = COMB_V1_NEED_MANAGE, .field = "node"};
    struct comb_access_node node;
    enum comb_status status = comb_access_resolve(guarded->fixture->access, ctx,
                                                  by_id(ctx, &guarded->node), &options, &node, err);
    if (status != COMB_OK) {
        return status;
    }
    if (guarded->calls++ == 0) { /* between the decision and the write */
        fixture_grant(f, &f->root, &f->user, COMB_V1_RIGHTS_DENY);
    }
    struct comb_decision *decision =
        grpcc_arena_memdup(ctx->arena, &node.decision, sizeof *decision);
    assert_non_null(decision);
    struct comb_sql_value *param = grpcc_arena_zalloc(ctx->arena, sizeof *param);
    assert_non_null(param);
    *param = comb_sql_uuid(&guarded->node);
    plan->kind = COMB_SQL_WRITE;
    plan->decisions = decision;
    plan->n_decisions = 1;
    plan->statements[plan->n_statements++] = (struct comb_sql_statement){
        .text = "UPDATE node SET rev = rev + 1 WHERE id = ?1",
        .params = param,
        .n_params = 1,
        .guard = true,
    };
    return COMB_OK;
}

static void grants_send_other_decisions_back(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct guarded guarded = {.fixture = fixture};
    guarded.node = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_request_key key = new_key();
    struct comb_outcome outcome;
    must_ok(comb_mutation_run(fixture->mutations, call_as(fixture, &f->owner), &key, guarded_decide,
                              &guarded, &outcome, &f->test.err),
            &f->test.err);
    assert_int_equal(guarded.calls, 2);
}

static void lists_go_by_pages(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    enum { ENTRIES = 10 };
    fixture_grant(f, &a, &f->user, READ);
    fixture_grant(f, &a, &comb_role_everybody, READ);
    for (int i = 2; i < ENTRIES; i++) {
        char name[16];
        snprintf(name, sizeof name, "role %d", i);
        struct comb_uuid role = fixture_role(f, name, false);
        fixture_grant(f, &a, &role, READ);
    }
    struct comb_uuid after = {{0}};
    size_t seen = 0, users = 0;
    for (bool more = true; more;) {
        const struct comb_permission *page;
        size_t n;
        struct comb_ctx *ctx = call_as(fixture, &f->owner);
        must_ok(comb_permissions_list(fixture->permissions, ctx, by_id(ctx, &a), &after, PAGE,
                                      &page, &n, &more, &f->test.err),
                &f->test.err);
        assert_true(n == PAGE || !more);
        for (size_t i = 0; i < n; i++) {
            assert_true(memcmp(page[i].entry.role.bytes, after.bytes, sizeof after.bytes) > 0);
            after = page[i].entry.role;
            users += !page[i].is_role;
        }
        seen += n;
    }
    assert_int_equal(seen, ENTRIES);
    assert_int_equal(users, 1);
    const struct comb_permission *page;
    size_t n;
    bool more;
    struct comb_ctx *ctx = call_as(fixture, &f->user);
    must_fail(COMB_PERMISSION_DENIED,
              comb_permissions_list(fixture->permissions, ctx, by_id(ctx, &a), &after, PAGE, &page,
                                    &n, &more, &f->test.err),
              &f->test.err);
}

static void entries_of_a_node_are_bounded(void **state)
{
    struct rights_fixture *fixture = *state;
    struct fixture *f = fixture->f;
    struct comb_permission permission;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_fill_entries(f, &a, COMB_NODE_ENTRIES_MAX - 1);
    struct comb_request_key keys[] = {new_key(), new_key(), new_key()};
    must_ok(grant_as(fixture, &f->owner, &a, READ, 0, &keys[0], &permission), &f->test.err);
    struct comb_ctx *ctx = call_as(fixture, &f->owner);
    struct comb_permissions_grant grant = {
        .node = by_id(ctx, &a), .subject = {.name = STR("anna")}, .rights = READ};
    must_fail(COMB_RESOURCE_EXHAUSTED,
              comb_permissions_grant(fixture->permissions, ctx, &keys[1], &grant, &permission,
                                     &f->test.err),
              &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_TOO_LARGE);
    /* One that is there may still be replaced. */
    must_ok(grant_as(fixture, &f->owner, &a, READ_WRITE, 0, &keys[2], &permission), &f->test.err);
}

int run_suite_changes(void)
{
    const struct CMUnitTest tests[] = {
        RIGHTS_TEST(grants_and_revokes_take_effect),
        RIGHTS_TEST(a_group_s_entry_is_for_all_in_it),
        RIGHTS_TEST(caller_sees_his_change_at_once),
        RIGHTS_TEST(repetitions_answer_the_first_outcome),
        RIGHTS_TEST(only_who_manages_may_change),
        RIGHTS_TEST(changes_are_decided_on_the_newest_rights),
        RIGHTS_TEST(expiry_must_lie_ahead),
        RIGHTS_TEST(what_is_not_there_cannot_be_revoked),
        RIGHTS_TEST(unknown_subjects_are_told),
        RIGHTS_TEST(grants_send_other_decisions_back),
        RIGHTS_TEST(lists_go_by_pages),
        RIGHTS_TEST(entries_of_a_node_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
