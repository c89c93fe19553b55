/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/backend/sql/sql_driver.h"
#include "server/core/buf.h"
#include "server/core/clock.h"
#include "server/move/tables.h"

#define STEP_MS 30000
/* A table under load gives its lock only now and then: so often, after so long. */
#define FENCE_ATTEMPTS 60
#define FENCE_PAUSE_MS 100
#define TEXT_BYTES_MAX 512

/* What is refused. */
enum { INSERTS, UPDATES, DELETES, EVENTS };

/* Texts with the table's name in the place of "%s". */
struct move_dialect {
    const char *fence[EVENTS];
    const char *unfence[EVENTS];
};

/* ---- SQLite ---- */

#define SQLITE_FENCE(name, event)                                                                  \
    "CREATE TRIGGER IF NOT EXISTS \"comb_fence_%s_" name "\" BEFORE " event                        \
    " ON \"%s\" BEGIN SELECT raise(ABORT, 'fenced'); END"
#define SQLITE_UNFENCE(name) "DROP TRIGGER IF EXISTS \"comb_fence_%s_" name "\""

static const struct comb_sql_migration steps_sqlite[] = {
    {"move", 1,
     "CREATE TABLE move_state (one INTEGER PRIMARY KEY CHECK (one = 1), phase INTEGER NOT NULL,"
     " row TEXT NOT NULL, other TEXT NOT NULL);"
     "INSERT INTO move_state VALUES (1, 0, '', '')"},
};
static const struct move_dialect dialect_sqlite = {
    .fence = {SQLITE_FENCE("insert", "INSERT"), SQLITE_FENCE("update", "UPDATE"),
              SQLITE_FENCE("delete", "DELETE")},
    .unfence = {SQLITE_UNFENCE("insert"), SQLITE_UNFENCE("update"), SQLITE_UNFENCE("delete")},
};
static const struct comb_sql_schema schema_sqlite = {"sqlite", steps_sqlite, 1, &dialect_sqlite};

/* ---- PostgreSQL ---- */

#define POSTGRES_FENCE(name, event)                                                                \
    "CREATE OR REPLACE TRIGGER comb_fence_" name " BEFORE " event                                  \
    " ON \"%s\" FOR EACH ROW EXECUTE FUNCTION comb_fence()"
#define POSTGRES_UNFENCE(name) "DROP TRIGGER IF EXISTS comb_fence_" name " ON \"%s\""

static const struct comb_sql_migration steps_postgres[] = {
    {"move", 1,
     "CREATE TABLE move_state (one integer PRIMARY KEY CHECK (one = 1), phase bigint NOT NULL,"
     " row text NOT NULL, other text NOT NULL);"
     "INSERT INTO move_state VALUES (1, 0, '', '');"
     "CREATE FUNCTION comb_fence() RETURNS trigger LANGUAGE plpgsql AS $$"
     " BEGIN RAISE 'fenced' USING ERRCODE = 'CF001'; END $$"},
};
static const struct move_dialect dialect_postgres = {
    .fence = {POSTGRES_FENCE("insert", "INSERT"), POSTGRES_FENCE("update", "UPDATE"),
              POSTGRES_FENCE("delete", "DELETE")},
    .unfence = {POSTGRES_UNFENCE("insert"), POSTGRES_UNFENCE("update"), POSTGRES_UNFENCE("delete")},
};
static const struct comb_sql_schema schema_postgres = {"postgres", steps_postgres, 1,
                                                       &dialect_postgres};

const struct comb_sql_schema *const comb_move_schemas[] = {&schema_sqlite, &schema_postgres, NULL};

/* ---- the state ---- */

enum comb_status comb_move_state_get(struct comb_sql *sql, struct comb_ctx *ctx,
                                     struct comb_move_state *ret_state, struct comb_error *err)
{
    static const char text[] = "SELECT phase, row, other FROM move_state";
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql, ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    if (result->rows[0].n_rows != 1)
        return comb_error_set(err, COMB_INTERNAL, 0, "the table move_state is damaged");
    const struct comb_sql_value *row = comb_sql_at(&result->rows[0], 0, 0);
    ret_state->phase = (enum comb_move_phase)row[0].integer;
    snprintf(ret_state->row, sizeof ret_state->row, "%.*s", COMB_STR_ARG(row[1].bytes));
    snprintf(ret_state->other, sizeof ret_state->other, "%.*s", COMB_STR_ARG(row[2].bytes));
    return COMB_OK;
}

enum comb_status comb_move_state_may_change(struct comb_sql *sql, struct comb_ctx *ctx,
                                            struct comb_error *err)
{
    struct comb_move_state state;
    enum comb_status status = comb_move_state_get(sql, ctx, &state, err);
    if (status == COMB_OK && (state.phase == COMB_MOVE_FENCED || state.phase == COMB_MOVE_MOVED))
        return comb_error_set(err, COMB_UNAVAILABLE, 0, COMB_SQL_FENCED_TEXT);
    return status;
}

enum comb_status comb_move_state_set(struct comb_sql *sql, struct comb_ctx *ctx,
                                     const struct comb_move_state *state, struct comb_error *err)
{
    static const char text[] = "UPDATE move_state SET phase = ?1, row = ?2, other = ?3";
    const struct comb_sql_value params[] = {comb_sql_integer(state->phase),
                                            comb_sql_text(comb_str_from(state->row)),
                                            comb_sql_text(comb_str_from(state->other))};
    const struct comb_sql_statement statement = {text, params, 3, true};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    return comb_sql_run(sql, ctx, &request, &result, err);
}

enum comb_status comb_move_state_check(struct comb_sql *sql, struct comb_ctx *ctx,
                                       struct comb_error *err)
{
    struct comb_move_state state;
    enum comb_status status = comb_move_state_get(sql, ctx, &state, err);
    if (status == COMB_OK && state.phase == COMB_MOVE_FILLING)
        return comb_error_set(
            err, COMB_FAILED_PRECONDITION, 0,
            "sql: this store is not whole: it was being filled from %.160s; go on "
            "with that, or begin again with an empty store",
            state.other);
    return status;
}

/* ---- the fence ---- */

/* One statement in a transaction of its own, which waits for the table's lock. */
static enum comb_status run_text(struct comb_sql *sql, const char *text, struct comb_error *err)
{
    const struct timespec pause = {.tv_nsec = FENCE_PAUSE_MS * COMB_NS_PER_MS};
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = COMB_UNAVAILABLE;
    for (int i = 0; i < FENCE_ATTEMPTS && status == COMB_UNAVAILABLE; i++) {
        struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                               .deadline_ns = comb_clock_in_ms(STEP_MS)};
        if (!ctx.arena)
            return comb_error_no_memory(err);
        if (i > 0)
            nanosleep(&pause, NULL);
        status = comb_sql_run(sql, &ctx, &request, &result, err);
        grpcc_arena_free(ctx.arena);
    }
    return status;
}

static enum comb_status run_for(struct comb_sql *sql, const char *form, const char *table,
                                struct comb_error *err)
{
    struct comb_buf buf;
    comb_buf_init(&buf, TEXT_BYTES_MAX);
    /* The table's name, as often as the form has a place for it. */
    for (const char *at = form; *at;) {
        const char *place = strstr(at, "%s");
        comb_buf_append(&buf, at, place ? (size_t)(place - at) : strlen(at));
        if (!place)
            break;
        comb_buf_append_str(&buf, comb_str_from(table));
        at = place + 2;
    }
    const char *text = buf.failed ? NULL : move_text_keep(comb_buf_str(&buf));
    comb_buf_done(&buf);
    return text ? run_text(sql, text, err) : comb_error_no_memory(err);
}

/* Sessions may be opened, and forgotten once they have ended, but none may be ended or go on: that
 * would not hold in the copy. */
static bool is_fenced(const struct move_table *table, int event)
{
    return table->kind == MOVE_TABLE_TRUTH ||
           (event == UPDATES && strcmp(table->name, "session") == 0);
}

static enum comb_status run_all(struct comb_sql *sql, bool fence, struct comb_error *err)
{
    const struct comb_sql_schema *schema = comb_sql_schema_of(sql, comb_move_schemas, err);
    struct move_tables *tables = NULL;
    if (!schema)
        return COMB_INTERNAL;
    const struct move_dialect *dialect = schema->dialect;
    const char *const *forms = fence ? dialect->fence : dialect->unfence;
    enum comb_status status = move_tables_read(sql, &tables, err);
    for (size_t i = 0; status == COMB_OK && i < tables->n; i++)
        for (int j = 0; status == COMB_OK && j < EVENTS; j++)
            if (is_fenced(&tables->items[i], j))
                status = run_for(sql, forms[j], tables->items[i].name, err);
    move_tables_free(tables);
    return status;
}

enum comb_status comb_move_fence(struct comb_sql *sql, struct comb_error *err)
{
    return run_all(sql, true, err);
}

enum comb_status comb_move_unfence(struct comb_sql *sql, struct comb_error *err)
{
    return run_all(sql, false, err);
}
