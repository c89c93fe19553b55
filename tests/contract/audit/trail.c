/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/audit/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/clock.h"

static void open_row(struct trail *f)
{
    struct comb_error *err = &f->t.err;
    char *vault = test_path(f->folder, "vault"), *config = test_path(f->folder, "config");
    const struct comb_store_options vault_options = {.url = comb_str_from(vault)};
    const struct comb_store_options config_options = {.url = comb_str_from(config)};
    f->sql = test_sql_row_open(f->folder);
    must_ok(comb_sql_migrate_schema(f->sql, comb_mutation_schemas, err), err);
    must_ok(comb_sql_migrate_schema(f->sql, comb_consumers_schemas, err), err);
    must_ok(comb_sql_migrate_schema(f->sql, comb_audit_schemas, err), err);
    must_ok(comb_vault_json_open(&vault_options, &f->vault, err), err);
    must_ok(comb_config_json_open(&config_options, &f->config, err), err);
    must_ok(comb_consumers_store_open(f->sql, &f->leases, err), err);
    must_ok(comb_audit_store_open(f->sql, &f->store, err), err);
    free(vault);
    free(config);
}

struct comb_audit_parts trail_parts(const struct trail *f)
{
    return (struct comb_audit_parts){.store = f->store,
                                     .leases = f->leases,
                                     .vault = f->vault,
                                     .config = f->config,
                                     .installation = {{7, 1}},
                                     .history = 3};
}

static void begin(struct trail *f, const struct comb_audit_parts *parts)
{
    must_ok(comb_audit_new(parts, &f->audit, &f->t.err), &f->t.err);
    must_ok(comb_audit_start(f->audit, &f->t.err), &f->t.err);
}

void trail_next(struct trail *f)
{
    test_ctx_next(&f->t);
    f->t.ctx.method = STR("/comb.v1.Config/Set");
    f->t.ctx.peer = STR("ipv4:192.0.2.7:4711");
}

int trail_setup(void **state)
{
    struct trail *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->t);
    f->t.principal.login = STR("ada");
    f->t.principal.administrator = true;
    trail_next(f);
    f->folder = test_folder_new();
    open_row(f);
    const struct comb_audit_parts parts = trail_parts(f);
    begin(f, &parts);
    *state = f;
    return 0;
}

int trail_teardown(void **state)
{
    struct trail *f = *state;
    comb_audit_free(f->audit);
    comb_audit_store_close(f->store);
    comb_consumers_store_close(f->leases);
    comb_config_store_close(f->config);
    comb_vault_close(f->vault);
    comb_sql_close(f->sql);
    test_ctx_done(&f->t);
    free(f->folder);
    free(f);
    return 0;
}

void trail_settle_with(struct trail *f, const struct comb_audit_parts *parts)
{
    comb_audit_stop(f->audit);
    comb_audit_free(f->audit);
    begin(f, parts);
}

void trail_settle(struct trail *f)
{
    const struct comb_audit_parts parts = trail_parts(f);
    trail_settle_with(f, &parts);
}

void trail_add(struct trail *f, size_t n)
{
    struct comb_uuid intent;
    const struct comb_audit_target target = {"path", STR("/a/b")};
    for (size_t i = 0; i < n; i++)
        must_ok(comb_audit_intend(f->audit, &f->t.ctx, STR("r"), &target, 1, &intent, &f->t.err),
                &f->t.err);
}

static enum comb_status keep_last(void *data, const struct comb_audit_progress *now,
                                  struct comb_error *err)
{
    (void)err;
    *(struct comb_audit_progress *)data = *now;
    return COMB_OK;
}

struct comb_audit_finding trail_verify(struct trail *f)
{
    struct comb_audit_progress last = {0};
    trail_next(f);
    must_ok(comb_audit_verify(f->audit, &f->t.ctx, keep_last, &last, &f->t.err), &f->t.err);
    assert_true(last.done);
    return last.finding;
}

void trail_check(struct trail *f, struct comb_audit_finding expected, const char *file, int line)
{
    struct comb_audit_finding found = trail_verify(f);
    char text[160];
    comb_audit_finding_text(&found, text, sizeof text);
    if (found.fault != expected.fault || found.n != expected.n || found.other != expected.other) {
        print_error("fault %d, %llu, %llu: %s; expected %d, %llu, %llu\n", (int)found.fault,
                    (unsigned long long)found.n, (unsigned long long)found.other, text,
                    (int)expected.fault, (unsigned long long)expected.n,
                    (unsigned long long)expected.other);
        _fail(file, line);
    }
}

static const struct comb_sql_rows *run(struct trail *f, enum comb_sql_kind kind, const char *text,
                                       const struct comb_sql_value *params, size_t n)
{
    const struct comb_sql_statement statement = {text, params, n, false};
    const struct comb_sql_request request = {kind, 0, &statement, 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(f->sql, &f->t.ctx, &request, &result, &f->t.err), &f->t.err);
    return &result->rows[0];
}

int64_t trail_spoil(struct trail *f, const char *text, const struct comb_sql_value *params,
                    size_t n)
{
    return run(f, COMB_SQL_WRITE, text, params, n)->changes;
}

const struct comb_sql_rows *trail_ask(struct trail *f, const char *text)
{
    return run(f, COMB_SQL_READ, text, NULL, 0);
}

comb_str trail_head(struct trail *f)
{
    struct comb_config_entry entry;
    must_ok(
        comb_config_store_get(f->config, &f->t.ctx, STR(COMB_AUDIT_HEAD_PATH), &entry, &f->t.err),
        &f->t.err);
    return entry.value;
}

void trail_put_head(struct trail *f, comb_str value)
{
    static int number;
    char request[32];
    const struct comb_config_change change = {.path = STR(COMB_AUDIT_HEAD_PATH), .value = value};
    snprintf(request, sizeof request, "spoil-%d", ++number);
    const struct comb_config_batch batch = {
        .changes = &change, .n = 1, .actor = STR("mallory"), .request = comb_str_from(request)};
    struct comb_config_outcome outcome;
    must_ok(comb_config_store_apply(f->config, &f->t.ctx, &batch, &outcome, &f->t.err), &f->t.err);
}
