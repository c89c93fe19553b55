/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/tree/fixture.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/identity/identity_store.h"
#include "server/permissions/permissions_store.h"
#include "server/workspaces/workspaces_store.h"
#include "tests/support/sql_row.h"

/* ---- calls ---- */

struct comb_ctx *more(struct fixture *f)
{
    struct comb_ctx *ctx = &f->test.ctx;

    if (f->seen.incarnation)
        comb_ctx_reach(ctx, f->seen);
    f->seen = ctx->seen = ctx->reached;
    ctx->deadline_ns = comb_clock_monotonic_ns() + 120 * COMB_NS_PER_S;
    ctx->authorised = 0;
    f->test.err = (struct comb_error){0};
    return ctx;
}

struct comb_ctx *next(struct fixture *f)
{
    more(f);
    test_ctx_next(&f->test);
    return more(f);
}

void become(struct fixture *f, const struct comb_uuid *user)
{
    f->test.principal.user = *user;
}

struct comb_request_key new_key(void)
{
    return (struct comb_request_key){.id = comb_uuid_new()};
}

struct comb_v1_node_ref *ref_path(struct fixture *f, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(f->test.ctx.arena);

    assert_non_null(ref);
    comb_v1_node_ref_set_path(ref, grpcc_arena_strdup(f->test.ctx.arena, path));
    return ref;
}

struct comb_v1_node_ref *ref_id(struct fixture *f, const struct comb_uuid *id)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(f->test.ctx.arena);

    assert_non_null(ref);
    comb_v1_node_ref_set_id(ref, comb_uuid_text(f->test.ctx.arena, id));
    return ref;
}

int64_t sql_number(struct fixture *f, const char *text, const struct comb_uuid *id)
{
    const struct comb_sql_value param = comb_sql_uuid(id);
    const struct comb_sql_statement statement = {.text = text, .params = &param, .n_params = 1};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_SCAN, .statements = &statement, .n_statements = 1};
    const struct comb_sql_result *result;

    must_ok(comb_sql_run(f->sql, more(f), &request, &result, &f->test.err), &f->test.err);
    assert_true(result->rows[0].n_rows >= 1);
    return comb_sql_at(&result->rows[0], 0, 0)->integer;
}

/* ---- what other areas would do ---- */

static const char insert_user[] =
    "INSERT INTO \"user\" (id, login, display_name, email, password, disabled, roles_rev,"
    " generation, rev, create_us, personal) VALUES (?1, ?2, '', '', '', 0, 1, 1, 1, 0, ?1)";
static const char insert_workspace[] =
    "INSERT INTO workspace (id, slug, label, description, kind, owner, bin, rev, create_us)"
    " VALUES (?1, 'work', '', '', 1, ?2, ?3, 1, 0)";
static const char insert_root[] =
    "INSERT INTO workspace_root (workspace, position, node) VALUES (?1, 0, ?2)";
static const char set_entry[] = "INSERT INTO entry (node, role, rights, expire_us, create_us,"
                                " granted_by) VALUES (?1, ?2, ?3, 0, 1, ?2)"
                                " ON CONFLICT (node, role) DO UPDATE SET rights = excluded.rights";
static const char clear_entry[] = "DELETE FROM entry WHERE node = ?1 AND role = ?2 AND ?3 = 0";
static const char raise_acl[] = "UPDATE node SET acl_rev = acl_rev + 1 WHERE id = ?1";

static void write_now(struct fixture *f, comb_mutation_decide decide, void *data)
{
    const struct comb_request_key key = new_key();
    struct comb_outcome outcome;

    must_ok(comb_mutation_run(f->mutations, more(f), &key, decide, data, &outcome, &f->test.err),
            &f->test.err);
    more(f);
}

static enum comb_status decide_user(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    const struct comb_uuid *user = data;
    const struct comb_sql_value params[] = {
        comb_sql_uuid(user), comb_sql_text(comb_str_from(comb_uuid_text(ctx->arena, user)))};

    plan->kind = COMB_SQL_WRITE;
    plan->feed[plan->n_feed++] =
        (struct comb_feed_entry){.kind = COMB_FEED_USER, .subject = *user, .revision = 1};
    return comb_tree_plan_statement(ctx, plan, insert_user, params, 2, true, err);
}

static enum comb_status decide_workspace(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                         struct comb_error *err)
{
    struct fixture *f = data;
    struct comb_workspace_fact *w = &f->workspace;
    struct comb_sql_value params[3];

    plan->kind = COMB_SQL_WRITE;
    must_ok(comb_tree_plan_create_root(f->tree, ctx, plan, &w->id, &f->root, &w->bin, err), err);
    params[0] = comb_sql_uuid(&w->id);
    params[1] = comb_sql_uuid(&f->owner);
    params[2] = comb_sql_uuid(&w->bin);
    must_ok(comb_tree_plan_statement(ctx, plan, insert_workspace, params, 3, false, err), err);
    params[1] = comb_sql_uuid(&f->root);
    must_ok(comb_tree_plan_statement(ctx, plan, insert_root, params, 2, false, err), err);
    params[0] = comb_sql_uuid(&f->root);
    params[1] = comb_sql_uuid(&f->owner);
    params[2] = comb_sql_integer(COMB_V1_RIGHTS_READ_WRITE);
    must_ok(comb_tree_plan_statement(ctx, plan, set_entry, params, 3, false, err), err);
    plan->feed[plan->n_feed++] =
        (struct comb_feed_entry){.kind = COMB_FEED_WORKSPACE, .subject = w->id, .revision = 1};
    return COMB_OK;
}

struct granting {
    struct fixture *f;
    const struct comb_uuid *node, *role;
    enum comb_v1_rights rights;
};

static enum comb_status decide_grant(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    struct granting *granting = data;
    const char *text = granting->rights ? set_entry : clear_entry;
    const struct comb_sql_value params[] = {comb_sql_uuid(granting->node),
                                            comb_sql_uuid(granting->role),
                                            comb_sql_integer(granting->rights)};
    struct comb_feed_entry entry = {.kind = COMB_FEED_NODE_PERMISSIONS, .subject = *granting->node};
    struct comb_fact_chain chain;
    struct comb_v1_node *message;
    struct comb_uuid *ancestors;
    size_t size;

    plan->kind = COMB_SQL_WRITE;
    must_ok(comb_facts_chain_wait(granting->f->facts, ctx, granting->node, &chain, err), err);
    assert_true(chain.found);
    must_ok(comb_tree_node_message(ctx->arena, chain.links[0].node, NULL, &message, err), err);
    entry.payload.ptr = comb_v1_node_pack(ctx->arena, message, &size);
    entry.payload.len = size;
    entry.revision = chain.links[0].node->revision;
    ancestors = grpcc_arena_calloc(ctx->arena, chain.n_links, sizeof *ancestors);
    for (size_t i = 1; i < chain.n_links; i++)
        ancestors[i - 1] = chain.links[i].node->id;
    entry.ancestors = ancestors;
    entry.n_ancestors = chain.n_links - 1;
    plan->feed[plan->n_feed++] = entry;
    must_ok(comb_tree_plan_statement(ctx, plan, raise_acl, params, 1, true, err), err);
    return comb_tree_plan_statement(ctx, plan, text, params, 3, false, err);
}

void grant(struct fixture *f, const struct comb_uuid *node, const struct comb_uuid *role,
           enum comb_v1_rights rights)
{
    struct granting granting = {.f = f, .node = node, .role = role, .rights = rights};

    write_now(f, decide_grant, &granting);
}

static enum comb_status one_workspace(void *data, struct comb_ctx *ctx, comb_str after, size_t max,
                                      const struct comb_workspace_fact **ret_workspaces,
                                      size_t *ret_n, struct comb_error *err)
{
    struct fixture *f = data;

    (void)ctx;
    (void)err;
    *ret_workspaces = &f->workspace;
    *ret_n = max > 0 && comb_str_compare(after, f->workspace.slug) < 0;
    return COMB_OK;
}

/* ---- the whole thing ---- */

static void on_committed(void *data, struct comb_position position)
{
    struct fixture *f = data;

    (void)position;
    comb_facts_wake(f->facts);
}

static enum comb_status on_refresh(void *data, struct comb_ctx *ctx, struct comb_error *err)
{
    struct fixture *f = data;
    bool strong = ctx->strong;
    enum comb_status status;

    ctx->strong = true;
    status = comb_facts_sync_wait(f->facts, ctx, err);
    ctx->strong = strong;
    ctx->seen = ctx->reached;
    return status;
}

static void start(struct fixture *f)
{
    struct comb_error *err = &f->test.err;
    struct comb_tree_options options;

    must_ok(comb_facts_new(f->sql, NULL, &f->facts, err), err);
    must_ok(comb_access_new(f->facts, &f->access, err), err);
    must_ok(comb_mutations_new(f->sql, &f->mutations, err), err);
    comb_mutations_set_hooks(f->mutations, &(struct comb_mutations_hooks){
                                               .committed = on_committed,
                                               .refresh = on_refresh,
                                               .data = f,
                                           });
    must_ok(comb_tree_store_open(f->sql, &f->store, err), err);
    options = (struct comb_tree_options){.sql = f->sql,
                                         .store = f->store,
                                         .facts = f->facts,
                                         .access = f->access,
                                         .mutations = f->mutations};
    must_ok(comb_tree_new(&options, &f->tree, err), err);
    comb_tree_set_hooks(f->tree, &(struct comb_tree_hooks){.workspaces = one_workspace, .data = f});
    must_ok(comb_facts_start(f->facts, err), err);
    must_ok(comb_tree_start(f->tree, err), err);
}

static void stop(struct fixture *f)
{
    comb_tree_stop(f->tree);
    comb_access_free(f->access);
    comb_facts_free(f->facts);
    comb_tree_free(f->tree);
    comb_mutations_free(f->mutations);
    f->store->driver->close(f->store);
}

void fixture_restart(struct fixture *f)
{
    stop(f);
    start(f);
}

void add_user(struct fixture *f, const struct comb_uuid *user)
{
    struct comb_uuid id = *user;

    write_now(f, decide_user, &id);
}

struct fixture *fixture_new(struct comb_sql *sql)
{
    static const struct comb_sql_schema *const *const schemas[] = {
        comb_mutation_schemas, comb_permissions_schemas, comb_tree_schemas,
        comb_identity_schemas, comb_workspaces_schemas,
    };
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_ctx_init(&f->test);
    f->sql = sql;
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        must_ok(comb_sql_migrate_schema(sql, schemas[i], &f->test.err), &f->test.err);
    start(f);
    f->owner = comb_uuid_new();
    f->stranger = comb_uuid_new();
    f->workspace = (struct comb_workspace_fact){.id = comb_uuid_new(),
                                                .owner = f->owner,
                                                .slug = STR("work"),
                                                .kind = 1,
                                                .roots = &f->root,
                                                .n_roots = 1};
    become(f, &f->owner);
    add_user(f, &f->owner);
    add_user(f, &f->stranger);
    write_now(f, decide_workspace, f);
    return f;
}

void fixture_free(struct fixture *f)
{
    stop(f);
    comb_sql_close(f->sql);
    test_ctx_done(&f->test);
    free(f);
}

int fixture_setup(void **state)
{
    char *folder = test_folder_new();

    *state = fixture_new(test_sql_row_open(folder));
    free(folder);
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}
