/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/move/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/audit/audit_store.h"
#include "server/auth/auth_store.h"
#include "server/consumers/consumers_store.h"
#include "server/data/data_store.h"
#include "server/identity/identity_store.h"
#include "server/mutation/mutation.h"
#include "server/operations/operations_store.h"
#include "server/permissions/permissions_store.h"
#include "server/tree/tree_store.h"
#include "server/workspaces/workspaces_store.h"

/* On a machine that is busy a store may seem to be away for a moment. */
#define ATTEMPTS 50

static const struct comb_sql_migration steps_sqlite[] = {
    {"house", 1,
     "CREATE TABLE house (word TEXT NOT NULL, n INTEGER NOT NULL, whole INTEGER, part REAL,"
     " bytes BLOB, PRIMARY KEY (word, n)) WITHOUT ROWID"},
};
static const struct comb_sql_migration steps_postgres[] = {
    {"house", 1,
     "CREATE TABLE house (word text NOT NULL, n bigint NOT NULL, whole bigint,"
     " part double precision, bytes bytea, PRIMARY KEY (word, n))"},
};
static const struct comb_sql_schema schema_sqlite = {"sqlite", steps_sqlite, 1, NULL};
static const struct comb_sql_schema schema_postgres = {"postgres", steps_postgres, 1, NULL};
static const struct comb_sql_schema *const house_schemas[] = {&schema_sqlite, &schema_postgres,
                                                              NULL};

static void migrate(struct comb_sql *sql, struct comb_error *err)
{
    const struct comb_sql_schema *const *areas[] = {
        comb_mutation_schemas,    comb_tree_schemas,       comb_data_schemas,
        comb_permissions_schemas, comb_identity_schemas,   comb_workspaces_schemas,
        comb_auth_schemas,        comb_operations_schemas, comb_consumers_schemas,
        comb_audit_schemas,       comb_move_schemas,       house_schemas,
    };
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++)
        must_ok(comb_sql_migrate_schema(sql, areas[i], err), err);
}

static void open_docs(struct house *house)
{
    struct comb_error *err = &house->t.err;
    struct comb_docs_stores *stores = &house->rows.docs;
    struct comb_items_store **items = stores->items;
    char url[4096];
    snprintf(url, sizeof url, "sqlite:%s/docs.db", house->folder);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_sqlite_open(&options, &house->docs, err), err);
    must_ok(comb_documents_store_open(house->docs, &stores->documents, err), err);
    must_ok(comb_items_store_open(house->docs, COMB_ITEMS_LOGS, &items[COMB_DOCS_LOGS], err), err);
    must_ok(comb_items_store_open(house->docs, COMB_ITEMS_ACTIVITIES, &items[COMB_DOCS_ACTIVITIES],
                                  err),
            err);
}

/* The sql row is open. */
static void open_others(struct house *house)
{
    struct comb_error *err = &house->t.err;
    char *vault = test_path(house->folder, "vault"), *config = test_path(house->folder, "config"),
         *data = test_path(house->folder, "data");
    const struct comb_store_options vault_options = {.url = comb_str_from(vault)};
    const struct comb_store_options config_options = {.url = comb_str_from(config)};
    migrate(house->sql, err);
    must_ok(comb_vault_json_open(&vault_options, &house->vault, err), err);
    must_ok(comb_config_json_open(&config_options, &house->config, err), err);
    must_ok(comb_blob_files_open(comb_str_from(data), &house->blobs, err), err);
    house->rows = (struct comb_backup_rows){
        .sql = house->sql, .vault = house->vault, .config = house->config, .blobs = house->blobs};
    open_docs(house);
    free(vault);
    free(config);
    free(data);
}

void house_open(struct house *house)
{
    *house = (struct house){.folder = test_folder_new()};
    test_ctx_init(&house->t);
    house->sql = test_sql_row_open(house->folder);
    open_others(house);
}

void house_open_sqlite(struct house *house)
{
    *house = (struct house){.folder = test_folder_new()};
    test_ctx_init(&house->t);
    char *path = test_path(house->folder, "source.db");
    must_ok(comb_sql_sqlite_open(comb_str_from(path), &house->sql, &house->t.err), &house->t.err);
    free(path);
    open_others(house);
}

void house_close(struct house *house)
{
    comb_documents_store_close(house->rows.docs.documents);
    for (int i = 0; i < COMB_DOCS_ITEMS; i++)
        comb_items_store_close(house->rows.docs.items[i]);
    comb_docs_close(house->docs);
    comb_blobs_close(house->blobs);
    comb_config_store_close(house->config);
    comb_vault_close(house->vault);
    comb_sql_close(house->sql);
    test_ctx_done(&house->t);
    free(house->folder);
}

enum comb_status house_run_once(struct house *house, const char *text,
                                const struct comb_sql_value *params, size_t n_params,
                                const struct comb_sql_rows **ret_rows)
{
    bool writes = strncmp(text, "SELECT", 6) != 0;
    const struct comb_sql_statement statement = {text, params, n_params, false};
    const struct comb_sql_request request = {writes ? COMB_SQL_WRITE : COMB_SQL_SCAN, 0, &statement,
                                             1};
    const struct comb_sql_result *result;
    test_ctx_next(&house->t);
    enum comb_status status =
        comb_sql_run(house->sql, &house->t.ctx, &request, &result, &house->t.err);
    if (status == COMB_OK && ret_rows)
        *ret_rows = &result->rows[0];
    return status;
}

enum comb_status house_run(struct house *house, const char *text,
                           const struct comb_sql_value *params, size_t n_params,
                           const struct comb_sql_rows **ret_rows)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    enum comb_status status = house_run_once(house, text, params, n_params, ret_rows);
    for (int i = 0; i < ATTEMPTS && status == COMB_UNAVAILABLE && house->t.err.retryable; i++) {
        nanosleep(&pause, NULL);
        status = house_run_once(house, text, params, n_params, ret_rows);
    }
    return status;
}

const struct comb_sql_rows *house_ask(struct house *house, const char *text)
{
    const struct comb_sql_rows *rows = NULL;
    must_ok(house_run(house, text, NULL, 0, &rows), &house->t.err);
    return rows;
}

void house_fill(struct house *house)
{
    static const char text[] =
        "INSERT INTO house (word, n, whole, part, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
    static const char *const words[] = {"", "A", "a", "a b", "z\xc3\xa4", "\xe2\x82\xac"};
    static const char bytes[] = {0, 1, '\'', '\\', (char)0xff, 0};
    struct comb_sql_value params[HOUSE_ROWS][5];
    struct comb_sql_statement statements[COMB_SQL_STATEMENTS_MAX];
    const struct comb_sql_result *result;
    for (int i = 0; i < HOUSE_ROWS;) {
        size_t n = 0;
        for (; n < COMB_SQL_STATEMENTS_MAX && i < HOUSE_ROWS; n++, i++) {
            struct comb_sql_value *row = params[i];
            row[0] = comb_sql_text(comb_str_from(words[i % 6]));
            row[1] = comb_sql_integer(i % 2 ? i : -(int64_t)i * (1LL << 40));
            row[2] = i % 3 ? comb_sql_integer(i % 3 == 1 ? INT64_MAX - i : INT64_MIN + i)
                           : comb_sql_null();
            row[3] = i % 4 ? comb_sql_real(i / 7.0) : comb_sql_null();
            row[4] = i % 5 ? comb_sql_blob(comb_str_of(bytes, (size_t)i % sizeof bytes))
                           : comb_sql_null();
            statements[n] = (struct comb_sql_statement){text, row, 5, false};
        }
        const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, n};
        test_ctx_next(&house->t);
        must_ok(comb_sql_run(house->sql, &house->t.ctx, &request, &result, &house->t.err),
                &house->t.err);
    }
}

comb_str house_put(struct house *house, unsigned n, size_t size, char ret_key[COMB_BLOB_KEY_MAX])
{
    static const char text[] = "INSERT INTO blob (id, session, size, sha256, create_us, doomed)"
                               " VALUES (?1, ?2, ?3, ?4, 1, 0)";
    const struct comb_uuid session = {{7}}, id = {{1, 2, (uint8_t)(n >> 8), (uint8_t)n}};
    struct comb_error *err = &house->t.err;
    struct comb_blob_writer *writer;
    uint8_t sha256[COMB_SHA256_SIZE];
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251 + n);
    comb_str content = comb_str_of(bytes, size), key = comb_blob_key(&session, &id, ret_key);
    test_ctx_next(&house->t);
    must_ok(comb_blob_create(house->blobs, &house->t.ctx, key, size, &writer, err), err);
    for (size_t at = 0; at < size; at += COMB_BLOB_CHUNK_MAX) {
        size_t left = size - at;
        comb_str piece =
            comb_str_of(bytes + at, left < COMB_BLOB_CHUNK_MAX ? left : COMB_BLOB_CHUNK_MAX);
        must_ok(comb_blob_write(house->blobs, &house->t.ctx, writer, piece, err), err);
    }
    must_ok(comb_blob_commit(house->blobs, &house->t.ctx, writer, err), err);
    must_ok(comb_sha256(content, sha256, err), err);
    const struct comb_sql_value params[] = {comb_sql_uuid(&id), comb_sql_uuid(&session),
                                            comb_sql_integer((int64_t)size),
                                            comb_sql_blob(comb_str_of(sha256, sizeof sha256))};
    must_ok(house_run(house, text, params, 4, NULL), err);
    free(bytes);
    return key;
}

struct comb_move_row *house_sql_stream(struct house *house)
{
    struct comb_move_row *row = NULL;
    must_ok(comb_move_sql_new(house->sql, &row, &house->t.err), &house->t.err);
    return row;
}

struct comb_move_row *house_data_stream(struct house *house, struct house *names,
                                        struct comb_move_row **ret_names)
{
    struct comb_sql_snapshot *snapshot = NULL;
    struct comb_move_row *row = NULL;
    struct comb_error *err = &house->t.err;
    *ret_names = house_sql_stream(names);
    must_ok(comb_move_sql_hold(*ret_names, &snapshot, err), err);
    must_ok(comb_move_data_new(house->blobs, snapshot, &row, err), err);
    return row;
}

struct comb_move_sums house_sql_sums(struct house *house)
{
    struct comb_move_row *row = house_sql_stream(house);
    struct comb_move_sums sums = {.n = 0};
    must_ok(comb_move_sum(row, "reading", NULL, NULL, &sums, &house->t.err), &house->t.err);
    comb_move_row_free(row);
    return sums;
}

struct cut {
    struct comb_move_row *to;
    unsigned left;
};

static enum comb_status take_some(void *data, const struct comb_move_record *record,
                                  struct comb_error *err)
{
    struct cut *cut = data;
    if (cut->left-- == 0)
        return comb_error_set(err, COMB_CANCELLED, 0, "cut");
    return cut->to->ops->take(cut->to, record, err);
}

void house_cut_copy(struct comb_move_row *from, struct comb_move_row *to, unsigned records)
{
    struct cut cut = {to, records};
    const struct comb_move_sink sink = {take_some, &cut};
    struct comb_move_sums sums;
    struct comb_error err = {0};
    must_fail(COMB_CANCELLED, comb_move_sum(from, "copying", &sink, NULL, &sums, &err), &err);
}
