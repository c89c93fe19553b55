/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/facts/fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/identity/identity_store.h"
#include "server/permissions/permissions_store.h"
#include "server/tree/tree_store.h"
#include "server/workspaces/workspaces_store.h"
#include "tests/support/sql_row.h"

#define PARTS_MAX 128
#define STATEMENTS_MAX COMB_PLAN_STATEMENTS_MAX

/* ------------------------------------------------------------------------------ the whole thing */

void fixture_start(struct fixture *fixture, const struct comb_facts_options *options)
{
    comb_facts_free(fixture->facts);
    fixture->facts = NULL;
    must_ok(comb_facts_new(gate_sql(fixture->gate), options, &fixture->facts, &fixture->test.err),
            &fixture->test.err);
    must_ok(comb_facts_start(fixture->facts, &fixture->test.err), &fixture->test.err);
}

int fixture_setup_unstarted(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    test_ctx_init(&fixture->test);
    static const struct comb_sql_schema *const *const schemas[] = {
        comb_mutation_schemas, comb_tree_schemas,       comb_permissions_schemas,
        comb_identity_schemas, comb_workspaces_schemas,
    };
    char *folder = test_folder_new();
    struct comb_error *err = &fixture->test.err;
    fixture->store = test_sql_row_open(folder);
    free(folder);
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        must_ok(comb_sql_migrate_schema(fixture->store, schemas[i], err), err);
    must_ok(comb_mutations_new(fixture->store, &fixture->writes, err), err);
    fixture->gate = gate_new(fixture->store);
    fixture->owner = comb_uuid_new();
    fixture->user = comb_uuid_new();
    fixture_user(fixture, &fixture->owner, false);
    fixture_user(fixture, &fixture->user, false);
    fixture->root =
        fixture_create(fixture, &comb_node_super_root, "root", COMB_V1_NODE_KIND_FOLDER).id;
    fixture->bin =
        fixture_create(fixture, &comb_node_super_root, "bin", COMB_V1_NODE_KIND_FOLDER).id;
    fixture->workspace = fixture_workspace(fixture, "work", &fixture->owner, &fixture->root,
                                           &fixture->bin, &fixture->owner);
    *state = fixture;
    return 0;
}

int fixture_setup(void **state)
{
    fixture_setup_unstarted(state);
    fixture_start(*state, NULL);
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    for (int kind = COMB_SQL_READ; kind <= COMB_SQL_HEARTBEAT; kind++) { /* a test that failed */
        gate_open(fixture->gate, (enum comb_sql_kind)kind);
    }
    comb_facts_free(fixture->facts);
    comb_mutations_free(fixture->writes);
    comb_sql_close(fixture->store);
    gate_free(fixture->gate);
    test_ctx_done(&fixture->test);
    free(fixture);
    return 0;
}

struct comb_ctx *fixture_call(struct fixture *fixture)
{
    test_ctx_next(&fixture->test);
    fixture->test.ctx.seen = fixture->test.ctx.reached = (struct comb_position){0};
    fixture->test.ctx.strong = false;
    return &fixture->test.ctx;
}

struct comb_ctx *fixture_call_after_write(struct fixture *fixture)
{
    struct comb_ctx *ctx = fixture_call(fixture);
    ctx->seen = fixture->written;
    return ctx;
}

/* ---------------------------------------------------------------------------------- the writes */

struct write {
    struct comb_sql_statement statements[STATEMENTS_MAX];
    size_t n;
};

static void add(struct write *write, const char *text, const struct comb_sql_value *params,
                size_t n_params)
{
    assert_true(write->n < STATEMENTS_MAX);
    write->statements[write->n++] =
        (struct comb_sql_statement){.text = text, .params = params, .n_params = n_params};
}

struct written {
    const struct write *write;
    const struct comb_feed_entry *entry;
};

static enum comb_status decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err)
{
    const struct written *written = data;
    (void)ctx;
    (void)err;
    plan->kind = COMB_SQL_WRITE;
    for (size_t i = 0; i < written->write->n; i++)
        plan->statements[plan->n_statements++] = written->write->statements[i];
    plan->feed[plan->n_feed++] = *written->entry;
    return COMB_OK;
}

/* Runs one mutation; gives the position that covers it. */
static struct comb_position mutate(struct fixture *fixture, comb_mutation_decide decide_it,
                                   void *data)
{
    const struct comb_request_key key = {.id = comb_uuid_new()};
    struct comb_outcome outcome;
    struct test_ctx test;
    test_ctx_init(&test);
    must_ok(
        comb_mutation_run(fixture->writes, &test.ctx, &key, decide_it, data, &outcome, &test.err),
        &test.err);
    struct comb_position position = test.ctx.reached;
    test_ctx_done(&test);
    return position;
}

/* Runs the statements with the feed entry; fixture->written covers both from then on. */
static void run(struct fixture *fixture, const struct write *write,
                const struct comb_feed_entry *entry)
{
    struct written written = {write, entry};
    fixture->written = mutate(fixture, decide, &written);
}

/* What the feed carries of a node: here only its name. */
static comb_str payload_of(struct fixture *fixture, const char *name)
{
    size_t size;
    struct grpcc_arena *arena = fixture->test.ctx.arena;
    struct comb_v1_node *message = comb_v1_node_new(arena);
    assert_non_null(message);
    comb_v1_node_set_name(message, name);
    void *bytes = grpcc_message_pack(arena, &message->base, &size);
    assert_non_null(bytes);
    return comb_str_of(bytes, size);
}

struct fixture_node fixture_create(struct fixture *fixture, const struct comb_uuid *parent,
                                   const char *name, enum comb_v1_node_kind kind)
{
    struct fixture_node node = {.id = comb_uuid_new(), .parent = *parent, .name = name};
    struct comb_sql_value params[] = {comb_sql_uuid(&node.id), comb_sql_uuid(parent),
                                      comb_sql_text(comb_str_from(name)), comb_sql_integer(kind)};
    struct write write = {.n = 0};
    add(&write,
        "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, media_type, create_us,"
        " update_us) VALUES (?1, ?2, ?3, ?4, 1, 1, 0, 'text/plain', 7, 8)",
        params, 4);
    run(fixture, &write,
        &(struct comb_feed_entry){.kind = COMB_FEED_NODE_CREATED,
                                  .subject = node.id,
                                  .ancestors = parent,
                                  .n_ancestors = 1,
                                  .payload = payload_of(fixture, name)});
    return node;
}

static void place(struct fixture *fixture, struct fixture_node *node, enum comb_feed_kind kind,
                  const struct comb_uuid *parent, const char *name, bool in_bin)
{
    struct comb_sql_value params[] = {
        comb_sql_uuid(&node->id), comb_sql_uuid(parent), comb_sql_text(comb_str_from(name)),
        in_bin ? comb_sql_uuid(&node->parent) : comb_sql_null(),
        in_bin ? comb_sql_text(comb_str_from(node->name)) : comb_sql_null()};
    struct write write = {.n = 0};
    add(&write,
        "UPDATE node SET parent = ?2, name = ?3, rev = rev + 1, trash_parent = ?4, trash_name = ?5"
        " WHERE id = ?1",
        params, 5);
    run(fixture, &write,
        &(struct comb_feed_entry){.kind = kind,
                                  .subject = node->id,
                                  .old_parent = node->parent,
                                  .old_name = comb_str_from(node->name),
                                  .ancestors = parent,
                                  .n_ancestors = 1,
                                  .payload = payload_of(fixture, name)});
    node->parent = *parent;
    node->name = name;
}

void fixture_move(struct fixture *fixture, struct fixture_node *node,
                  const struct comb_uuid *parent, const char *name)
{
    place(fixture, node, COMB_FEED_NODE_MOVED, parent, name, false);
}

void fixture_recycle_as(struct fixture *fixture, struct fixture_node *node, const char *name)
{
    place(fixture, node, COMB_FEED_NODE_RECYCLED, &fixture->bin, name, true);
}

void fixture_recycle(struct fixture *fixture, struct fixture_node *node)
{
    fixture_recycle_as(fixture, node, "some id");
}

void fixture_restore(struct fixture *fixture, struct fixture_node *node,
                     const struct comb_uuid *parent, const char *name)
{
    place(fixture, node, COMB_FEED_NODE_RESTORED, parent, name, false);
}

/* An entry about a node that stays where it is. */
static struct comb_feed_entry entry_of(enum comb_feed_kind kind, const struct comb_uuid *subject)
{
    return (struct comb_feed_entry){.kind = kind, .subject = *subject};
}

/* A write that compares the revision of what it changes, as those of the domains do. */
struct touch {
    struct comb_sql *store;
    struct comb_sql_value params[2];
    struct comb_uuid id;
    uint64_t revision; /* after it */
};

static enum comb_status decide_touch(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    struct touch *touch = data;
    const struct comb_sql_statement look = {
        .text = "SELECT rev FROM node WHERE id = ?1", .params = touch->params, .n_params = 1};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_READ, .statements = &look, .n_statements = 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(touch->store, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    assert_int_equal(result->rows[0].n_rows, 1);
    touch->params[1] = *comb_sql_at(&result->rows[0], 0, 0);
    touch->revision = (uint64_t)touch->params[1].integer + 1;
    plan->kind = COMB_SQL_WRITE;
    plan->statements[plan->n_statements++] =
        (struct comb_sql_statement){.text = "UPDATE node SET rev = ?2 + 1 WHERE id = ?1"
                                            " AND rev = ?2",
                                    .params = touch->params,
                                    .n_params = 2,
                                    .guard = true};
    struct comb_feed_entry *entry = &plan->feed[plan->n_feed++];
    *entry = entry_of(COMB_FEED_NODE_CONTENT, &touch->id);
    entry->revision = touch->revision;
    return COMB_OK;
}

uint64_t fixture_touch(struct fixture *fixture, const struct comb_uuid *id,
                       struct comb_position *ret_position)
{
    struct touch touch = {.store = fixture->store, .id = *id};
    touch.params[0] = comb_sql_uuid(&touch.id);
    struct test_ctx test;
    enum comb_status status;
    do { /* others may touch it too, and be faster */
        struct comb_request_key key = {.id = comb_uuid_new()};
        struct comb_outcome outcome;
        test_ctx_init(&test);
        status = comb_mutation_run(fixture->writes, &test.ctx, &key, decide_touch, &touch, &outcome,
                                   &test.err);
        *ret_position = test.ctx.reached;
        if (status != COMB_ABORTED)
            must_ok(status, &test.err);
        test_ctx_done(&test);
    } while (status == COMB_ABORTED);
    return touch.revision;
}

void fixture_purge(struct fixture *fixture, const struct comb_uuid *id, bool deleted)
{
    struct comb_sql_value param = comb_sql_uuid(id);
    struct write write = {.n = 0};
    struct comb_uuid nobody = comb_uuid_new();
    struct comb_feed_entry entry =
        deleted ? entry_of(COMB_FEED_NODE_DELETED, id) : entry_of(COMB_FEED_TOKEN, &nobody);
    add(&write, "DELETE FROM node WHERE id = ?1", &param, 1);
    run(fixture, &write, &entry);
}

void fixture_grant(struct fixture *fixture, const struct comb_uuid *node,
                   const struct comb_uuid *role, int rights)
{
    struct comb_sql_value params[] = {comb_sql_uuid(node), comb_sql_uuid(role),
                                      comb_sql_integer(rights)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_NODE_PERMISSIONS, node);
    add(&write, "UPDATE node SET acl_rev = acl_rev + 1 WHERE id = ?1", params, 1);
    if (rights == 0) {
        add(&write, "DELETE FROM entry WHERE node = ?1 AND role = ?2", params, 2);
    } else {
        add(&write,
            "INSERT INTO entry (node, role, rights, expire_us, create_us, granted_by)"
            " VALUES (?1, ?2, ?3, 0, 9, ?2)"
            " ON CONFLICT (node, role) DO UPDATE SET rights = excluded.rights",
            params, 3);
    }
    run(fixture, &write, &entry);
}

void fixture_user(struct fixture *fixture, const struct comb_uuid *id, bool disabled)
{
    char login[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(id, login);
    struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_integer(disabled),
                                      comb_sql_text(comb_str_from(login))};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_USER, id);
    add(&write,
        "INSERT INTO \"user\" (id, login, display_name, email, password, disabled, roles_rev,"
        " generation, rev, create_us, personal) VALUES (?1, ?3, '', '', '', ?2, 1, 1, 1, 0, ?1)"
        " ON CONFLICT (id) DO UPDATE SET disabled = excluded.disabled,"
        " generation = \"user\".generation + 1",
        params, 3);
    run(fixture, &write, &entry);
}

void fixture_make_administrator(struct fixture *fixture, const struct comb_uuid *user)
{
    struct comb_sql_value param = comb_sql_uuid(&comb_role_administrators);
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_ROLE, &comb_role_administrators);
    add(&write, "UPDATE role SET override = 0 WHERE id = ?1", &param, 1);
    run(fixture, &write, &entry);
    fixture_add_role(fixture, user, &comb_role_administrators, 0);
}

struct comb_uuid fixture_role(struct fixture *fixture, const char *name, bool override)
{
    struct comb_uuid id = comb_uuid_new();
    struct comb_sql_value params[] = {comb_sql_uuid(&id), comb_sql_text(comb_str_from(name)),
                                      comb_sql_integer(override)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_ROLE, &id);
    add(&write,
        "INSERT INTO role (id, name, label, override, built_in, rev, create_us)"
        " VALUES (?1, ?2, '', ?3, 0, 1, 0)",
        params, 3);
    run(fixture, &write, &entry);
    return id;
}

void fixture_override(struct fixture *fixture, const struct comb_uuid *role, bool override)
{
    struct comb_sql_value params[] = {comb_sql_uuid(role), comb_sql_integer(override)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_ROLE, role);
    add(&write, "UPDATE role SET override = ?2 WHERE id = ?1", params, 2);
    run(fixture, &write, &entry);
}

void fixture_add_role(struct fixture *fixture, const struct comb_uuid *user,
                      const struct comb_uuid *role, int position)
{
    struct comb_sql_value params[] = {comb_sql_uuid(user), comb_sql_uuid(role),
                                      comb_sql_integer(position)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_USER, user);
    add(&write, "INSERT INTO user_role (\"user\", role, position) VALUES (?1, ?2, ?3)", params, 3);
    add(&write, "UPDATE \"user\" SET roles_rev = roles_rev + 1 WHERE id = ?1", params, 1);
    run(fixture, &write, &entry);
}

struct comb_uuid fixture_group(struct fixture *fixture, const struct comb_uuid *parent,
                               const char *name)
{
    struct comb_uuid id = comb_uuid_new();
    struct comb_sql_value params[] = {comb_sql_uuid(&id), comb_sql_uuid(parent),
                                      comb_sql_text(comb_str_from(name))};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_GROUP, &id);
    add(&write,
        "INSERT INTO user_group (id, parent, name, label, rev, create_us)"
        " VALUES (?1, ?2, ?3, '', 1, 0)",
        params, 3);
    run(fixture, &write, &entry);
    return id;
}

void fixture_move_group(struct fixture *fixture, const struct comb_uuid *group,
                        const struct comb_uuid *parent)
{
    struct comb_sql_value params[] = {comb_sql_uuid(group), comb_sql_uuid(parent)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_GROUP, group);
    add(&write, "UPDATE user_group SET parent = ?2 WHERE id = ?1", params, 2);
    add(&write, "UPDATE identity_state SET rights_rev = rights_rev + 1", NULL, 0);
    run(fixture, &write, &entry);
}

void fixture_put_into_group(struct fixture *fixture, const struct comb_uuid *user,
                            const struct comb_uuid *group)
{
    struct comb_sql_value params[] = {comb_sql_uuid(user), comb_sql_uuid(group)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_USER, user);
    add(&write, "UPDATE \"user\" SET group_id = ?2, roles_rev = roles_rev + 1 WHERE id = ?1",
        params, 2);
    run(fixture, &write, &entry);
}

void fixture_drop_role(struct fixture *fixture, const struct comb_uuid *user,
                       const struct comb_uuid *role)
{
    struct comb_sql_value params[] = {comb_sql_uuid(user), comb_sql_uuid(role)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_USER, user);
    add(&write, "DELETE FROM user_role WHERE \"user\" = ?1 AND role = ?2", params, 2);
    add(&write, "UPDATE \"user\" SET roles_rev = roles_rev + 1 WHERE id = ?1", params, 1);
    run(fixture, &write, &entry);
}

void fixture_fill_entries(struct fixture *fixture, const struct comb_uuid *node, size_t n)
{
    struct comb_feed_entry entry = entry_of(COMB_FEED_NODE_PERMISSIONS, node);
    while (n > 0) {
        struct comb_uuid roles[STATEMENTS_MAX];
        struct comb_sql_value params[STATEMENTS_MAX][2];
        struct write write = {.n = 0};
        for (size_t i = 0; i < STATEMENTS_MAX && n > 0; i++, n--) {
            roles[i] = comb_uuid_new();
            params[i][0] = comb_sql_uuid(node);
            params[i][1] = comb_sql_uuid(&roles[i]);
            add(&write,
                "INSERT INTO entry (node, role, rights, expire_us, create_us, granted_by)"
                " VALUES (?1, ?2, 1, 0, 9, ?1)",
                params[i], 2);
        }
        run(fixture, &write, &entry);
    }
}

struct comb_uuid fixture_workspace(struct fixture *fixture, const char *slug,
                                   const struct comb_uuid *owner, const struct comb_uuid *root,
                                   const struct comb_uuid *bin, const struct comb_uuid *user)
{
    struct comb_uuid id = comb_uuid_new();
    struct comb_sql_value params[] = {comb_sql_uuid(&id), comb_sql_text(comb_str_from(slug)),
                                      comb_sql_uuid(owner), comb_sql_uuid(bin)};
    struct comb_sql_value root_params[] = {comb_sql_uuid(&id), comb_sql_uuid(root)};
    struct comb_sql_value user_params[] = {comb_sql_uuid(&id),
                                           comb_sql_uuid(user == NULL ? &id : user)};
    struct write write = {.n = 0};
    struct comb_feed_entry entry = entry_of(COMB_FEED_WORKSPACE, &id);
    add(&write,
        "INSERT INTO workspace (id, slug, label, description, kind, owner, bin, rev, create_us)"
        " VALUES (?1, ?2, '', '', 1, ?3, ?4, 1, 0)",
        params, 4);
    add(&write, "INSERT INTO workspace_root (workspace, position, node) VALUES (?1, 0, ?2)",
        root_params, 2);
    add(&write, "UPDATE \"user\" SET personal = ?1 WHERE id = ?2", user_params, 2);
    run(fixture, &write, &entry);
    return id;
}

static enum comb_status decide_noise(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    struct comb_uuid nobody = comb_uuid_new();
    (void)ctx;
    (void)err;
    plan->kind = COMB_SQL_WRITE;
    for (size_t n = *(const size_t *)data; n > 0; n--)
        plan->feed[plan->n_feed++] = entry_of(COMB_FEED_TOKEN, &nobody);
    return COMB_OK;
}

void fixture_noise(struct fixture *fixture, size_t n)
{
    while (n > 0) {
        size_t now = n < COMB_PLAN_FEED_MAX ? n : COMB_PLAN_FEED_MAX;
        fixture->written = mutate(fixture, decide_noise, &now);
        n -= now;
    }
}

static int64_t feed_length(struct fixture *fixture)
{
    struct test_ctx test;
    test_ctx_init(&test);
    const struct comb_sql_statement statement = {.text = "SELECT count(*) FROM feed"};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_READ, .statements = &statement, .n_statements = 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(fixture->store, &test.ctx, &request, &result, &test.err), &test.err);
    int64_t length = comb_sql_at(&result->rows[0], 0, 0)->integer;
    test_ctx_done(&test);
    return length;
}

void fixture_trim(struct fixture *fixture)
{
    do { /* a store may keep what a transaction that is still open does not see */
        struct test_ctx test;
        test_ctx_init(&test);
        must_ok(comb_feed_trim(fixture->store, &test.ctx, -COMB_US_PER_S, &test.err), &test.err);
        test_ctx_done(&test);
    } while (feed_length(fixture) > 0);
}

/* ----------------------------------------------------------------------------------- the reads */

struct comb_fact_chain fixture_path(struct fixture *fixture, struct comb_ctx *ctx,
                                    const struct comb_uuid *start, const char *path)
{
    comb_str parts[PARTS_MAX];
    size_t n = 0;
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        assert_true(n < PARTS_MAX);
        parts[n++] = comb_str_of(at, len);
        at += len + (at[len] == '/');
    }
    struct comb_fact_chain chain;
    must_ok(comb_facts_path_wait(fixture->facts, ctx, start, parts, n, &chain, &fixture->test.err),
            &fixture->test.err);
    return chain;
}

struct comb_fact_chain fixture_chain(struct fixture *fixture, struct comb_ctx *ctx,
                                     const struct comb_uuid *id)
{
    struct comb_fact_chain chain;
    must_ok(comb_facts_chain_wait(fixture->facts, ctx, id, &chain, &fixture->test.err),
            &fixture->test.err);
    return chain;
}

struct comb_facts_stats fixture_stats(struct fixture *fixture)
{
    struct comb_facts_stats stats;
    comb_facts_get_stats(fixture->facts, &stats);
    return stats;
}

struct fixture_read {
    struct test_ctx test;
    struct comb_fact_chain chain;
    struct comb_uuid id;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum comb_status status;
    struct comb_error err;
};

static void read_done(void *data, enum comb_status status, const struct comb_error *err)
{
    struct fixture_read *read = data;
    pthread_mutex_lock(&read->lock);
    assert_false(read->done);
    read->status = status;
    if (err != NULL) {
        read->err = *err;
    }
    read->done = true;
    pthread_cond_broadcast(&read->changed);
    pthread_mutex_unlock(&read->lock);
}

struct fixture_read *fixture_read_start(struct fixture *fixture, const struct comb_uuid *id,
                                        bool strong, struct comb_position seen)
{
    struct fixture_read *read = calloc(1, sizeof *read);
    assert_non_null(read);
    test_ctx_init(&read->test);
    pthread_mutex_init(&read->lock, NULL);
    pthread_cond_init(&read->changed, NULL);
    read->test.ctx.strong = strong;
    read->test.ctx.seen = seen;
    read->id = *id;
    comb_facts_chain(fixture->facts, &read->test.ctx, &read->id, &read->chain, read_done, read);
    return read;
}

bool fixture_read_is_done(struct fixture_read *read)
{
    pthread_mutex_lock(&read->lock);
    bool done = read->done;
    pthread_mutex_unlock(&read->lock);
    return done;
}

enum comb_status fixture_read_end(struct fixture_read *read, struct comb_fact_chain *ret_chain,
                                  struct comb_error *ret_err)
{
    pthread_mutex_lock(&read->lock);
    while (!read->done) {
        pthread_cond_wait(&read->changed, &read->lock);
    }
    pthread_mutex_unlock(&read->lock);
    if (read->status == COMB_OK && ret_chain != NULL) {
        *ret_chain = read->chain;
    }
    if (read->status != COMB_OK && ret_err != NULL) {
        *ret_err = read->err;
    }
    return read->status;
}

void fixture_read_free(struct fixture_read *read)
{
    pthread_mutex_destroy(&read->lock);
    pthread_cond_destroy(&read->changed);
    test_ctx_done(&read->test);
    free(read);
}
