/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/domain.h"

#include <stdlib.h>

#include "server/core/clock.h"
#include "server/identity/identity_store.h"
#include "server/permissions/permissions_store.h"
#include "server/tree/tree.h"
#include "server/workspaces/workspaces_store.h"
#include "tests/contract/data/fixture.h"
#include "tests/support/sql_row.h"

static void migrate(struct domain *d)
{
    const struct comb_sql_schema *const *schemas[] = {
        comb_data_schemas,       comb_mutation_schemas,    comb_identity_schemas,
        comb_workspaces_schemas, comb_permissions_schemas, comb_tree_schemas,
    };

    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        must_ok(comb_sql_migrate_schema(d->sql, schemas[i], &d->call.err), &d->call.err);
}

static void insert(struct domain *d, const char *text, const struct comb_sql_value *params,
                   size_t n)
{
    const struct comb_sql_statement statement = {.text = text, .params = params, .n_params = n};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_WRITE, .statements = &statement, .n_statements = 1};
    const struct comb_sql_result *result;

    must_ok(comb_sql_run(d->sql, &d->call.ctx, &request, &result, &d->call.err), &d->call.err);
}

/* Two users, a workspace with its root and bin, and an entry that lets the first user in. */
static void populate(struct domain *d)
{
    static const char user[] =
        "INSERT INTO \"user\" (id, login, display_name, email, password, disabled, roles_rev,"
        " generation, rev, create_us, personal) VALUES (?1, ?2, '', '', '', 0, 1, 1, 1, 0, ?1)";
    static const char node[] =
        "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, create_us, update_us)"
        " VALUES (?1, ?2, ?3, 2, 1, 1, 0, 0, 0)";
    static const char workspace[] =
        "INSERT INTO workspace VALUES (?1, 'w', '', '', 1, ?2, ?3, 1, 0)";
    static const char workspace_root[] = "INSERT INTO workspace_root VALUES (?1, 0, ?2)";
    static const char entry[] = "INSERT INTO entry VALUES (?1, ?2, 3, 0, 0, ?2)";
    const struct comb_uuid id = comb_uuid_new(), bin = comb_uuid_new();
    char name[COMB_UUID_TEXT_LENGTH + sizeof ".bin"];
    struct comb_sql_value params[3];

    d->root = comb_uuid_new();
    comb_uuid_format(&id, name);
    params[0] = comb_sql_uuid(&d->call.principal.user);
    params[1] = comb_sql_text(STR("caller"));
    insert(d, user, params, 2);
    params[0] = comb_sql_uuid(&d->stranger.principal.user);
    params[1] = comb_sql_text(STR("stranger"));
    insert(d, user, params, 2);
    params[0] = comb_sql_uuid(&d->root);
    params[1] = comb_sql_uuid(&comb_node_super_root);
    params[2] = comb_sql_text(comb_str_from(name));
    insert(d, node, params, 3);
    memcpy(name + COMB_UUID_TEXT_LENGTH, ".bin", sizeof ".bin");
    params[0] = comb_sql_uuid(&bin);
    params[2] = comb_sql_text(comb_str_from(name));
    insert(d, node, params, 3);
    params[0] = comb_sql_uuid(&id);
    params[1] = comb_sql_uuid(&d->call.principal.user);
    params[2] = comb_sql_uuid(&bin);
    insert(d, workspace, params, 3);
    params[1] = comb_sql_uuid(&d->root);
    insert(d, workspace_root, params, 2);
    params[0] = comb_sql_uuid(&d->root);
    params[1] = comb_sql_uuid(&d->call.principal.user);
    insert(d, entry, params, 2);
}

static enum comb_status refresh(void *data, struct comb_ctx *ctx, struct comb_error *err)
{
    struct domain *d = data;
    bool was_strong = ctx->strong;
    enum comb_status status;

    ctx->strong = true;
    status = comb_facts_sync_wait(d->facts, ctx, err);
    ctx->strong = was_strong;
    return status;
}

static void committed(void *data, struct comb_position position)
{
    struct domain *d = data;

    (void)position;
    comb_facts_wake(d->facts);
}

static void open_areas(struct domain *d)
{
    struct comb_error *err = &d->call.err;
    const struct comb_facts_options facts = {.bytes_max = 0};
    const struct comb_mutations_hooks hooks = {
        .committed = committed, .refresh = refresh, .data = d};
    struct comb_tree_options tree = {.sql = d->sql};

    must_ok(comb_mutations_new(d->sql, &d->mutations, err), err);
    must_ok(comb_facts_new(d->sql, &facts, &d->facts, err), err);
    comb_mutations_set_hooks(d->mutations, &hooks);
    must_ok(comb_access_new(d->facts, &d->access, err), err);
    must_ok(comb_tree_store_open(d->sql, &d->tree_store, err), err);
    tree.store = d->tree_store;
    tree.facts = d->facts;
    tree.access = d->access;
    tree.mutations = d->mutations;
    must_ok(comb_tree_new(&tree, &d->tree, err), err);
    must_ok(comb_facts_start(d->facts, err), err);
    must_ok(comb_data_store_open(d->sql, &d->store, err), err);
    d->data = domain_another(d);
}

static void open_vault(struct domain *d)
{
    char *path = test_path(d->folder, "vault");
    const struct comb_store_options options = {.url = comb_str_from(path)};

    must_ok(comb_vault_json_open(&options, &d->vault, &d->call.err), &d->call.err);
    free(path);
}

int domain_setup(void **state)
{
    struct domain *d = calloc(1, sizeof *d);

    assert_non_null(d);
    test_ctx_init(&d->call);
    test_ctx_init(&d->stranger);
    d->folder = test_folder_new();
    d->sql = test_sql_row_open(d->folder);
    must_ok(fixture_open_store(d->folder, &d->blobs, &d->call.err), &d->call.err);
    open_vault(d);
    migrate(d);
    populate(d);
    open_areas(d);
    *state = d;
    return 0;
}

int domain_teardown(void **state)
{
    struct domain *d = *state;

    comb_data_free(d->data);
    d->store->driver->close(d->store);
    comb_facts_free(d->facts); /* its poll tells the tree: it ends first */
    comb_tree_free(d->tree);
    d->tree_store->driver->close(d->tree_store);
    comb_access_free(d->access);
    comb_mutations_free(d->mutations);
    comb_blobs_close(d->blobs);
    comb_vault_close(d->vault);
    comb_sql_close(d->sql);
    test_ctx_done(&d->call);
    test_ctx_done(&d->stranger);
    free(d->folder);
    free(d);
    return 0;
}

struct comb_data *domain_another(struct domain *d)
{
    const struct comb_data_options options = {
        .blobs = d->blobs,
        .store = d->store,
        .tree = d->tree,
        .access = d->access,
        .mutations = d->mutations,
        .restore_window_us = DOMAIN_WINDOW_US,
        .vault = d->vault,
        .encrypts = d->encrypts,
        .uploads_max = DOMAIN_UPLOADS_MAX,
    };
    struct comb_data *data = NULL;

    must_ok(comb_data_new(&options, &d->call.ctx, &data, &d->call.err), &d->call.err);
    return data;
}

struct comb_data *domain_successor(struct domain *d)
{
    struct comb_sql_info info;

    comb_sql_get_info(d->sql, &info);
    if (info.shared)
        domain_advance_us(d, COMB_DATA_SESSION_LEASE_US + COMB_US_PER_S);
    return domain_another(d);
}

struct comb_ctx *domain_next(struct domain *d)
{
    struct comb_position reached = d->call.ctx.reached;

    test_ctx_next(&d->call);
    d->call.ctx.seen = reached; /* as an SDK sends its token */
    return &d->call.ctx;
}

struct comb_request_key domain_key(void)
{
    const struct comb_request_key key = {.id = comb_uuid_new(), .hash = {1}};

    return key;
}

void domain_advance_us(struct domain *d, int64_t us)
{
    comb_clock_advance_ns(us * 1000);
    domain_next(d);
    test_ctx_next(&d->stranger);
}

void domain_sweep(struct domain *d, struct comb_data *data)
{
    struct comb_data_swept swept = {0};
    bool more = true;

    for (int i = 0; more && i < 100; i++)
        must_ok(comb_data_sweep(data, domain_next(d), &swept, &more, &d->call.err), &d->call.err);
    assert_false(more);
}

static bool count(void *data, comb_str key, uint64_t size)
{
    (void)key;
    (void)size;
    ++*(size_t *)data;
    return true;
}

size_t domain_objects(struct domain *d)
{
    size_t n = 0;

    must_ok(comb_blob_list(d->blobs, &d->call.ctx, STR(""), count, &n, &d->call.err), &d->call.err);
    return n;
}

struct rights_change {
    const char *text;
    struct comb_sql_value param;
    const struct comb_uuid *node;
};

static enum comb_status decide_rights(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    struct rights_change *change = data;

    (void)ctx;
    (void)err;
    plan->kind = COMB_SQL_WRITE;
    plan->statements[plan->n_statements++] =
        (struct comb_sql_statement){.text = change->text, .params = &change->param, .n_params = 1};
    plan->statements[plan->n_statements++] =
        (struct comb_sql_statement){.text = "UPDATE node SET acl_rev = acl_rev + 1 WHERE id = ?1",
                                    .params = &change->param,
                                    .n_params = 1};
    plan->feed[plan->n_feed++] = (struct comb_feed_entry){
        .kind = COMB_FEED_NODE_PERMISSIONS, .subject = *change->node, .revision = 1};
    return COMB_OK;
}

void domain_change_rights(struct domain *d, const char *text, const struct comb_uuid *node)
{
    struct rights_change change = {.text = text, .param = comb_sql_uuid(node), .node = node};
    const struct comb_request_key key = domain_key();
    struct comb_outcome outcome;

    must_ok(comb_mutation_run(d->mutations, domain_next(d), &key, decide_rights, &change, &outcome,
                              &d->call.err),
            &d->call.err);
}

/* ---- files ---- */

struct comb_v1_upload_header *domain_header_in(struct grpcc_arena *arena, const char *name)
{
    struct comb_v1_upload_header *header = comb_v1_upload_header_new(arena);

    assert_non_null(header);
    header->target = comb_v1_upload_target_new(arena);
    assert_non_null(header->target);
    header->target->parent = comb_v1_node_ref_new(arena);
    assert_non_null(header->target->parent);
    header->target->parent->path = grpcc_arena_strdup(arena, "/w");
    header->target->name = grpcc_arena_strdup(arena, name);
    return header;
}

struct comb_v1_upload_header *domain_header(struct domain *d, const char *name)
{
    return domain_header_in(d->call.ctx.arena, name);
}

enum comb_status domain_write(struct domain *d, const struct comb_v1_upload_header *header,
                              const struct comb_request_key *key, comb_str content,
                              struct comb_v1_node **ret_node)
{
    struct comb_data_writer *writer = NULL;
    struct comb_ctx *ctx = &d->call.ctx;
    struct comb_error *err = &d->call.err;
    enum comb_status status = comb_data_begin_file(d->data, ctx, header, "", key, &writer, err);

    while (status == COMB_OK && content.len > 0) {
        size_t n = content.len < COMB_DATA_CHUNK_MAX ? content.len : COMB_DATA_CHUNK_MAX;

        status = comb_data_write(writer, ctx, comb_str_of(content.ptr, n), err);
        content = comb_str_of(content.ptr + n, content.len - n);
    }
    if (status == COMB_OK)
        status = comb_data_end_file(writer, ctx, ret_node, err);
    comb_data_writer_free(writer);
    return status;
}

struct comb_uuid domain_put(struct domain *d, const char *name, comb_str content)
{
    const struct comb_request_key key = domain_key();
    struct comb_v1_node *node = NULL;
    struct comb_uuid id;

    domain_next(d);
    must_ok(domain_write(d, domain_header(d, name), &key, content, &node), &d->call.err);
    assert_true(comb_uuid_parse(comb_str_from(node->id), &id));
    return id;
}

struct comb_v1_data_download_request *domain_request(struct domain *d, const char *name)
{
    struct grpcc_arena *arena = d->call.ctx.arena;
    struct comb_v1_data_download_request *request = comb_v1_data_download_request_new(arena);

    assert_non_null(request);
    request->node = comb_v1_node_ref_new(arena);
    assert_non_null(request->node);
    request->node->path = grpcc_arena_printf(arena, "/w/%s", name);
    return request;
}

enum comb_status domain_get(struct domain *d, const struct comb_v1_data_download_request *request,
                            comb_str *ret_content)
{
    static char content[4 << 20];
    struct comb_data_reader *reader = NULL;
    struct comb_v1_download_header *header;
    struct comb_ctx *ctx = &d->call.ctx;
    struct comb_error *err = &d->call.err;
    comb_str bytes = {NULL, 0};
    size_t n = 0;
    enum comb_status status =
        comb_data_begin_download(d->data, ctx, request, &reader, &header, err);

    if (status != COMB_OK)
        return status;
    do {
        status = comb_data_read(reader, ctx, &bytes, err);
        assert_true(status != COMB_OK || n + bytes.len <= sizeof content);
        if (status == COMB_OK && bytes.len > 0)
            memcpy(content + n, bytes.ptr, bytes.len);
        n += bytes.len;
    } while (status == COMB_OK && bytes.len > 0);
    comb_data_reader_free(reader);
    assert_true(status != COMB_OK || n == header->length);
    *ret_content = comb_str_of(content, n);
    return status;
}

void domain_must_hold(struct domain *d, const char *name, comb_str content)
{
    comb_str actual = {NULL, 0};

    domain_next(d);
    must_ok(domain_get(d, domain_request(d, name), &actual), &d->call.err);
    assert_int_equal(actual.len, content.len);
    assert_memory_equal(actual.ptr, content.ptr, content.len);
}

void domain_must_lack(struct domain *d, const char *name)
{
    comb_str content;

    domain_next(d);
    must_fail(COMB_NOT_FOUND, domain_get(d, domain_request(d, name), &content), &d->call.err);
}
