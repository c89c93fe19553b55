/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/areas.h"

#include <stdlib.h>
#include <string.h>

#include "server/facts/facts.h"
#include "server/mutation/mutation.h"
#include "tests/support/sql_row.h"

static void committed(void *data, struct comb_position position)
{
    (void)position;
    comb_facts_wake(data);
}

static enum comb_status refresh(void *data, struct comb_ctx *ctx, struct comb_error *err)
{
    bool strong = ctx->strong;
    ctx->strong = true;
    enum comb_status status = comb_facts_sync_wait(data, ctx, err);
    ctx->strong = strong;
    return status;
}

static void migrate(struct test_areas *areas, struct comb_error *err)
{
    const struct comb_sql_schema *const *schemas[] = {
        comb_mutation_schemas, comb_tree_schemas,       comb_permissions_schemas,
        comb_identity_schemas, comb_workspaces_schemas, comb_auth_schemas,
    };
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        must_ok(comb_sql_migrate_schema(areas->sql, schemas[i], err), err);
}

static void open_stores(struct test_areas *areas, struct comb_error *err)
{
    char *vault = test_path(areas->folder, "vault");
    areas->sql = test_sql_row_open(areas->folder);
    const struct comb_store_options options = {.url = comb_str_from(vault)};
    must_ok(comb_vault_json_open(&options, &areas->vault, err), err);
    free(vault);
    migrate(areas, err);
    must_ok(comb_permissions_store_open(areas->sql, &areas->permissions, err), err);
    must_ok(comb_tree_store_open(areas->sql, &areas->tree_store, err), err);
    must_ok(comb_identity_store_open(areas->sql, &areas->identity_store, err), err);
    must_ok(comb_workspaces_store_open(areas->sql, &areas->workspaces_store, err), err);
    must_ok(comb_auth_store_open(areas->sql, &areas->auth_store, err), err);
    must_ok(comb_throttle_new(NULL, &areas->throttle, err), err);
}

static void open_shared(struct test_areas *areas, struct comb_error *err)
{
    const struct comb_facts_options facts = {0};
    must_ok(comb_mutations_new(areas->sql, &areas->mutations, err), err);
    must_ok(comb_facts_new(areas->sql, &facts, &areas->facts, err), err);
    const struct comb_mutations_hooks hooks = {
        .committed = committed, .refresh = refresh, .data = areas->facts};
    comb_mutations_set_hooks(areas->mutations, &hooks);
    must_ok(comb_access_new(areas->facts, &areas->access, err), err);
    const struct comb_tree_options tree = {.sql = areas->sql,
                                           .store = areas->tree_store,
                                           .facts = areas->facts,
                                           .access = areas->access,
                                           .mutations = areas->mutations};
    must_ok(comb_tree_new(&tree, &areas->tree, err), err);
}

static void open_domains(struct test_areas *areas, struct comb_ctx *ctx, struct comb_error *err)
{
    const struct comb_identity_parts identity = {.store = areas->identity_store,
                                                 .sessions = areas->auth_store,
                                                 .workspaces = areas->workspaces_store,
                                                 .permissions = areas->permissions,
                                                 .throttle = areas->throttle,
                                                 .tree = areas->tree,
                                                 .facts = areas->facts,
                                                 .mutations = areas->mutations,
                                                 .vault = areas->vault};
    must_ok(comb_identity_new(&identity, ctx, &areas->identity, err), err);
    struct comb_sql_info info;
    comb_sql_get_info(areas->sql, &info);
    const struct comb_auth_parts auth = {.store = areas->auth_store,
                                         .identity = areas->identity,
                                         .throttle = areas->throttle,
                                         .vault = areas->vault,
                                         .facts = areas->facts,
                                         .access = areas->access,
                                         .tree = areas->tree,
                                         .mutations = areas->mutations,
                                         .installation = info.installation};
    must_ok(comb_auth_new(&auth, ctx, &areas->auth, err), err);
    const struct comb_workspaces_parts workspaces = {.store = areas->workspaces_store,
                                                     .permissions = areas->permissions,
                                                     .identity = areas->identity,
                                                     .access = areas->access,
                                                     .tree = areas->tree,
                                                     .facts = areas->facts,
                                                     .mutations = areas->mutations};
    must_ok(comb_workspaces_new(&workspaces, &areas->workspaces, err), err);
    must_ok(comb_facts_start(areas->facts, err), err);
    must_ok(comb_tree_start(areas->tree, err), err);
}

void test_areas_open(struct test_areas *areas, char *folder)
{
    struct test_ctx test;
    test_ctx_init(&test);
    *areas = (struct test_areas){.folder = folder ? folder : test_folder_new()};
    open_stores(areas, &test.err);
    open_shared(areas, &test.err);
    open_domains(areas, &test.ctx, &test.err);
    test_ctx_done(&test);
}

void test_areas_init(struct test_areas *areas)
{
    struct test_ctx test;
    bool created = false;
    test_areas_open(areas, NULL);
    test_ctx_init(&test);
    test.ctx.principal = NULL;
    must_ok(comb_identity_bootstrap(areas->identity, &test.ctx, STR("admin"),
                                    STR(TEST_ADMIN_PASSWORD), &created, &test.err),
            &test.err);
    assert_true(created);
    test_ctx_done(&test);
}

void test_areas_done(struct test_areas *areas)
{
    comb_tree_drain(areas->tree);
    comb_facts_free(areas->facts);
    comb_workspaces_free(areas->workspaces);
    comb_auth_free(areas->auth);
    comb_identity_free(areas->identity);
    comb_tree_free(areas->tree);
    comb_access_free(areas->access);
    comb_mutations_free(areas->mutations);
    comb_throttle_free(areas->throttle);
    comb_auth_store_close(areas->auth_store);
    comb_workspaces_store_close(areas->workspaces_store);
    comb_identity_store_close(areas->identity_store);
    areas->tree_store->driver->close(areas->tree_store);
    comb_permissions_store_close(areas->permissions);
    comb_sql_close(areas->sql);
    comb_vault_close(areas->vault);
    free(areas->folder);
}

void test_areas_ctx(struct test_areas *areas, struct test_ctx *test, const char *login)
{
    struct comb_user user;
    test_ctx_init(test);
    must_ok(comb_identity_read_login_now(areas->identity, &test->ctx, comb_str_from(login), &user,
                                         &test->err),
            &test->err);
    test->principal = (struct comb_principal){.user = user.id,
                                              .login = comb_str_from(login),
                                              .administrator = comb_user_is_administrator(&user)};
    test->ctx.principal = &test->principal;
}

void test_areas_next(struct test_ctx *test)
{
    test_ctx_next(test);
    test->ctx.principal = &test->principal;
}

struct comb_request_key test_key(void)
{
    return (struct comb_request_key){.id = comb_uuid_new()};
}

struct comb_user test_areas_user(struct test_areas *areas, struct test_ctx *as, const char *login)
{
    const struct comb_identity_new_user input = {.login = comb_str_from(login),
                                                 .password = STR("pass word")};
    const struct comb_request_key key = test_key();
    struct comb_user user;
    must_ok(comb_identity_create_user(areas->identity, &as->ctx, &key, &input, &user, &as->err),
            &as->err);
    return user;
}
