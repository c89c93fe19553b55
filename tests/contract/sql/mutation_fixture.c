/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/sql/mutation_fixture.h"

#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/hash.h"

static void count_committed(void *data, struct comb_position position)
{
    struct mutation_fixture *m = data;
    assert_true(position.incarnation != 0);
    m->committed++;
}

static enum comb_status count_refresh(void *data, struct comb_ctx *ctx, struct comb_error *err)
{
    struct mutation_fixture *m = data;
    (void)ctx;
    (void)err;
    m->refreshed++;
    return COMB_OK;
}

static void insert_node(struct mutation_fixture *m, const struct comb_uuid *id,
                        const struct comb_uuid *parent, const char *name)
{
    static const char text[] = "INSERT INTO node VALUES (?1, ?2, ?3, 1)";
    struct comb_sql_value params[] = {comb_sql_uuid(id), comb_sql_uuid(parent),
                                      comb_sql_text(comb_str_from(name))};
    struct comb_sql_statement statement = {text, params, 3, false};
    const struct comb_sql_result *result;
    must_ok(run_all(m->f, COMB_SQL_WRITE, &statement, 1, &result), &m->f->t.err);
}

void insert_user(struct mutation_fixture *m, const struct comb_uuid *user)
{
    static const char text[] = "INSERT INTO \"user\" VALUES (?1, 1)";
    struct comb_sql_value id = comb_sql_uuid(user);
    struct comb_sql_statement statement = {text, &id, 1, false};
    const struct comb_sql_result *result;
    must_ok(run_all(m->f, COMB_SQL_WRITE, &statement, 1, &result), &m->f->t.err);
}

int mutation_setup(void **state)
{
    struct mutation_fixture *m = calloc(1, sizeof *m);
    void *f = NULL;
    assert_int_equal(fixture_setup(&f), 0);
    m->f = f;
    struct test_ctx *t = &m->f->t;
    const struct comb_sql_migration tables = {"test", 1, driver_nodes_sql};
    must_ok(comb_sql_migrate(m->f->sql, &tables, 1, &t->err), &t->err);
    must_ok(comb_sql_migrate_schema(m->f->sql, comb_mutation_schemas, &t->err), &t->err);
    test_fault_sql_init(&m->sql, m->f->sql);
    must_ok(comb_mutations_new(&m->sql.base, &m->mutations, &t->err), &t->err);
    comb_mutations_set_hooks(m->mutations, &(struct comb_mutations_hooks){
                                               .committed = count_committed,
                                               .refresh = count_refresh,
                                               .data = m,
                                           });
    m->root = comb_uuid_new();
    m->folder = comb_uuid_new();
    m->other = comb_uuid_new();
    insert_node(m, &m->root, &m->root, "root");
    insert_node(m, &m->folder, &m->root, "folder");
    insert_node(m, &m->other, &m->root, "other");
    insert_user(m, &m->f->t.principal.user);
    *state = m;
    return 0;
}

int mutation_teardown(void **state)
{
    struct mutation_fixture *m = *state;
    void *f = m->f;
    comb_mutations_free(m->mutations);
    free(m);
    return fixture_teardown(&f);
}

struct comb_request_key new_key(const char *content)
{
    struct comb_request_key key = {.id = comb_uuid_new()};
    must_ok(comb_sha256(comb_str_from(content), key.hash, NULL), NULL);
    return key;
}

void write_text(struct mutation_fixture *m, const char *text)
{
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct test_ctx t;
    test_ctx_init(&t);
    must_ok(comb_sql_run(m->f->sql, &t.ctx, &request, &result, &t.err), &t.err);
    test_ctx_done(&t);
}

uint64_t position_now(struct mutation_fixture *m)
{
    return (uint64_t)number(m->f, comb_position_sql(m->f->sql));
}

int64_t count_nodes(struct mutation_fixture *m)
{
    return number(m->f, "SELECT count(*) FROM node") - 3;
}

static enum comb_status name_taken(void *data, size_t statement, struct comb_error *err)
{
    (void)data;
    assert_int_equal(statement, 1);
    return comb_error_set(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN, "taken");
}

/* Reads what the decision rests on, as facts would give it. */
static enum comb_status read_decision(struct create *create, struct comb_ctx *ctx,
                                      struct comb_decision *decision, struct comb_error *err)
{
    static const char text[] = "SELECT folder.acl_rev, root.acl_rev, roles_rev + rights_rev"
                               " FROM node AS folder, node AS root, \"user\" AS u, identity_state"
                               " WHERE folder.id = ?1 AND root.id = ?2 AND u.id = ?3";
    struct mutation_fixture *m = create->m;
    const struct comb_sql_value params[] = {comb_sql_uuid(&m->folder), comb_sql_uuid(&m->root),
                                            comb_sql_uuid(&m->f->t.principal.user)};
    const struct comb_sql_statement statement = {text, params, 3, false};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct comb_chain_link *links = grpcc_arena_calloc(ctx->arena, 2, sizeof(*links));
    if (!links)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sql_run(m->f->sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    assert_int_equal(result->rows[0].n_rows, 1);
    const struct comb_sql_value *row = comb_sql_at(&result->rows[0], 0, 0);
    links[0] = (struct comb_chain_link){m->folder, m->root, (uint64_t)row[0].integer};
    links[1] = (struct comb_chain_link){m->root, m->root, (uint64_t)row[1].integer};
    *decision = (struct comb_decision){
        .links = links,
        .n_links = 2,
        .user = m->f->t.principal.user,
        .roles_revision = (uint64_t)row[2].integer,
    };
    return COMB_OK;
}

enum comb_status create_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err)
{
    static const char guard_text[] = "SELECT 1 FROM node WHERE id = ?1";
    static const char insert_text[] = "INSERT INTO node VALUES (?1, ?2, ?3, 1)";
    struct create *create = data;
    struct comb_decision *decisions = grpcc_arena_calloc(ctx->arena, 2, sizeof(*decisions));
    struct comb_sql_value *params = grpcc_arena_calloc(ctx->arena, 4, sizeof(*params));
    struct comb_uuid *id = grpcc_arena_alloc(ctx->arena, sizeof *id);
    if (!decisions || !params || !id)
        return comb_error_no_memory(err);
    create->attempts++;
    plan->outcome = create->outcome;
    if (create->nothing)
        return COMB_OK;
    enum comb_status status = read_decision(create, ctx, &decisions[0], err);
    if (status != COMB_OK)
        return status;
    if (create->must_allow && decisions[0].links[0].acl_revision != 1)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_RIGHT_MISSING,
                              "denied");
    if (create->disturb && create->attempts <= create->disturb_until)
        create->disturb(create->m);
    decisions[1] = decisions[0]; /* chains may repeat */
    *id = comb_uuid_new();
    params[0] = comb_sql_uuid(&create->m->folder);
    params[1] = comb_sql_uuid(id);
    params[2] = params[0];
    params[3] = comb_sql_text(comb_str_from(create->name));
    plan->kind = COMB_SQL_WRITE;
    plan->decisions = decisions;
    plan->n_decisions = 2;
    plan->statements[plan->n_statements++] =
        (struct comb_sql_statement){guard_text, params, 1, true};
    plan->statements[plan->n_statements++] =
        (struct comb_sql_statement){insert_text, params + 1, 3, false};
    plan->feed[plan->n_feed++] = (struct comb_feed_entry){
        .kind = COMB_FEED_NODE_CREATED,
        .subject = *id,
        .revision = 7,
        .old_name = STR(""),
        .ancestors = &create->m->folder,
        .n_ancestors = 1,
        .bytes_delta = -5,
        .payload = comb_str_from(create->name),
    };
    plan->on_constraint = create->unmapped ? NULL : name_taken;
    return COMB_OK;
}

enum comb_status run_create(struct create *create, struct test_ctx *t,
                            const struct comb_request_key *key, struct comb_outcome *ret_outcome)
{
    return comb_mutation_run(create->m->mutations, &t->ctx, key, create_decide, create, ret_outcome,
                             &t->err);
}
