/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/permissions/fixture.h"

#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"

static void committed(void *data, struct comb_position position)
{
    struct rights_fixture *fixture = data;
    (void)position;
    comb_facts_wake(fixture->f->facts);
}

static enum comb_status refresh(void *data, struct comb_ctx *ctx, struct comb_error *err)
{
    struct rights_fixture *fixture = data;
    bool strong = ctx->strong;
    ctx->strong = true;
    enum comb_status status = comb_facts_sync_wait(fixture->f->facts, ctx, err);
    ctx->strong = strong;
    return status;
}

static enum comb_status find_user(void *data, struct comb_ctx *ctx, comb_str name,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    struct rights_fixture *fixture = data;
    (void)ctx;
    if (comb_str_equal(name, STR("anna"))) {
        *ret_id = fixture->f->owner;
    } else if (comb_str_equal(name, STR("ben"))) {
        *ret_id = fixture->f->user;
    } else if (!comb_uuid_parse(name, ret_id)) {
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_USER_NOT_FOUND, "no user");
    }
    return COMB_OK;
}

static enum comb_status find_role(void *data, struct comb_ctx *ctx, comb_str name,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    (void)data;
    (void)ctx;
    if (comb_str_equal(name, STR("everybody"))) {
        *ret_id = comb_role_everybody;
    } else if (!comb_uuid_parse(name, ret_id)) {
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_ROLE_NOT_FOUND, "no role");
    }
    return COMB_OK;
}

static enum comb_status find_group(void *data, struct comb_ctx *ctx, comb_str name,
                                   struct comb_uuid *ret_id, struct comb_error *err)
{
    const struct rights_fixture *fixture = data;
    (void)ctx;
    if (!comb_str_equal(name, STR("/staff")))
        return comb_error_set(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_GROUP_NOT_FOUND,
                              "no group");
    *ret_id = fixture->group;
    return COMB_OK;
}

static enum comb_status are_groups(void *data, struct comb_ctx *ctx, const struct comb_uuid *ids,
                                   size_t n, bool *ret_are, struct comb_error *err)
{
    const struct rights_fixture *fixture = data;
    (void)ctx;
    (void)err;
    for (size_t i = 0; i < n; i++)
        ret_are[i] = comb_uuid_equal(&ids[i], &fixture->group);
    return COMB_OK;
}

int rights_setup(void **state)
{
    struct rights_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    void *inner;
    fixture_setup(&inner);
    fixture->f = inner;
    struct comb_error *err = &fixture->f->test.err;
    must_ok(comb_access_new(fixture->f->facts, &fixture->access, err), err);
    must_ok(comb_mutations_new(fixture->f->store, &fixture->mutations, err), err);
    comb_mutations_set_hooks(fixture->mutations,
                             &(struct comb_mutations_hooks){
                                 .committed = committed, .refresh = refresh, .data = fixture});
    must_ok(comb_permissions_store_open(fixture->f->store, &fixture->store, err), err);
    struct comb_permissions_parts parts = {
        .store = fixture->store,
        .access = fixture->access,
        .facts = fixture->f->facts,
        .mutations = fixture->mutations,
        .directory = {.find_user = find_user,
                      .find_role = find_role,
                      .find_group = find_group,
                      .are_groups = are_groups,
                      .data = fixture},
    };
    must_ok(comb_permissions_new(&parts, &fixture->permissions, err), err);
    *state = fixture;
    return 0;
}

int rights_teardown(void **state)
{
    struct rights_fixture *fixture = *state;
    void *inner = fixture->f;
    comb_permissions_free(fixture->permissions);
    comb_permissions_store_close(fixture->store);
    comb_mutations_free(fixture->mutations);
    comb_access_free(fixture->access);
    fixture_teardown(&inner);
    free(fixture);
    return 0;
}

struct comb_ctx *call_as(struct rights_fixture *fixture, const struct comb_uuid *user)
{
    struct comb_ctx *ctx = fixture_call_after_write(fixture->f);
    fixture->f->test.principal.user = *user;
    fixture->f->test.principal.scopes = NULL;
    fixture->f->test.principal.n_scopes = 0;
    ctx->method = STR("/comb.v1.Permissions/Test");
    ctx->authorised = 0;
    ctx->strong = true; /* mutations of the layer itself do not raise fixture->written */
    return ctx;
}

struct comb_ctx *call_scoped(struct rights_fixture *fixture, const struct comb_uuid *user,
                             const struct comb_scope *scopes, size_t n_scopes)
{
    struct comb_ctx *ctx = call_as(fixture, user);
    fixture->f->test.principal.scopes = scopes;
    fixture->f->test.principal.n_scopes = n_scopes;
    return ctx;
}

struct comb_v1_node_ref *by_path(struct comb_ctx *ctx, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(ctx->arena);
    assert_non_null(ref);
    comb_v1_node_ref_set_path(ref, path);
    return ref;
}

struct comb_v1_node_ref *by_id(struct comb_ctx *ctx, const struct comb_uuid *id)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(ctx->arena);
    assert_non_null(ref);
    comb_v1_node_ref_set_id(ref, comb_uuid_text(ctx->arena, id));
    return ref;
}

struct comb_v1_node_ref *by_both(struct comb_ctx *ctx, const struct comb_uuid *id, const char *path)
{
    struct comb_v1_node_ref *ref = by_id(ctx, id);
    comb_v1_node_ref_set_path(ref, path);
    return ref;
}

struct comb_request_key new_key(void)
{
    struct comb_request_key key = {.id = comb_uuid_new()};
    key.hash[0] = 1;
    return key;
}
