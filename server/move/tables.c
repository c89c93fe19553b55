/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/tables.h"

#include <pthread.h>
#include <string.h>

#include "server/core/buf.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

#define TEXT_BYTES_MAX 8192
#define ASK_MS 60000

/* ---- texts ---- */

/* Bounded by the tables that there are: each has a few texts. */
struct kept {
    struct kept *next;
    char text[];
};
static struct kept *all_kept;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

const char *move_text_keep(comb_str text)
{
    struct kept *kept;
    pthread_mutex_lock(&kept_lock);
    for (kept = all_kept; kept; kept = kept->next)
        if (comb_str_equal(comb_str_from(kept->text), text))
            break;
    if (!kept && (kept = comb_memory_alloc(sizeof *kept + text.len + 1))) {
        memcpy(kept->text, text.ptr, text.len);
        kept->text[text.len] = '\0';
        kept->next = all_kept;
        all_kept = kept;
    }
    pthread_mutex_unlock(&kept_lock);
    return kept ? kept->text : NULL;
}

/* ---- what is what ---- */

static const struct {
    const char *name;
    enum move_table_kind kind;
} kinds[] = {
    {"feed", MOVE_TABLE_HISTORY},
    {"feed_floor", MOVE_TABLE_HISTORY},
    {"heartbeat", MOVE_TABLE_HISTORY},
    {"move_state", MOVE_TABLE_HISTORY},
    {"audit", MOVE_TABLE_GROWS},
    /* What replicas write for themselves. */
    {"blob_session", MOVE_TABLE_LIVE},
    {"folder_total", MOVE_TABLE_LIVE},
    {"lease", MOVE_TABLE_LIVE},
    {"set_aside", MOVE_TABLE_LIVE},
    {"tree_cursor", MOVE_TABLE_LIVE},
    /* What a log-in writes: who looks after a move has to get in. */
    {"audit_end", MOVE_TABLE_LIVE},
    {"audit_intake", MOVE_TABLE_LIVE},
    {"audit_seal", MOVE_TABLE_LIVE},
    {"request", MOVE_TABLE_LIVE},
    {"session", MOVE_TABLE_LIVE},
};

/* A column that one driver alone has, a number of its history: left, and 0 in a copy. */
static bool is_own_column(comb_str table, comb_str column)
{
    return comb_str_equal(table, STR("request")) && comb_str_equal(column, STR("seq"));
}

enum move_table_kind move_table_kind_of(comb_str name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (comb_str_equal(name, comb_str_from(kinds[i].name)))
            return kinds[i].kind;
    return MOVE_TABLE_TRUTH;
}

/* ---- statements ---- */

static void add_columns(struct comb_buf *buf, const struct move_table *table, bool keys,
                        const char *suffix)
{
    size_t n = keys ? table->n_keys : table->n_columns;
    for (size_t i = 0; i < n; i++)
        comb_buf_printf(buf, "%s\"%s\"%s", i ? ", " : "", table->columns[keys ? table->keys[i] : i],
                        suffix);
}

static void add_params(struct comb_buf *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        comb_buf_printf(buf, "%s?%zu", i ? ", " : "", i + 1);
}

static char *page_text(struct comb_buf *buf, const struct move_table *table, bool behind)
{
    comb_buf_clear(buf);
    comb_buf_printf(buf, "SELECT ");
    add_columns(buf, table, false, "");
    comb_buf_printf(buf, " FROM \"%s\"", table->name);
    if (behind) {
        comb_buf_printf(buf, " WHERE (");
        add_columns(buf, table, true, "");
        comb_buf_printf(buf, ") > (");
        add_params(buf, table->n_keys);
        comb_buf_printf(buf, ")");
    }
    comb_buf_printf(buf, " ORDER BY ");
    add_columns(buf, table, true, "");
    comb_buf_printf(buf, " LIMIT %d", MOVE_PAGE_ROWS);
    return buf->failed ? NULL : comb_memory_dup(comb_buf_str(buf));
}

static char *newest_text(struct comb_buf *buf, const struct move_table *table)
{
    comb_buf_clear(buf);
    comb_buf_printf(buf, "SELECT ");
    add_columns(buf, table, true, "");
    comb_buf_printf(buf, " FROM \"%s\" ORDER BY ", table->name);
    add_columns(buf, table, true, " DESC");
    comb_buf_printf(buf, " LIMIT 1");
    return buf->failed ? NULL : comb_memory_dup(comb_buf_str(buf));
}

static const char *insert_text(struct comb_buf *buf, const struct move_table *table, bool fills)
{
    comb_buf_clear(buf);
    comb_buf_printf(buf, "INSERT INTO \"%s\" (", table->name);
    add_columns(buf, table, false, "");
    comb_buf_printf(buf, "%s) VALUES (", fills ? ", seq" : "");
    add_params(buf, table->n_columns);
    comb_buf_printf(buf, "%s) ON CONFLICT DO NOTHING", fills ? ", 0" : "");
    return buf->failed ? NULL : move_text_keep(comb_buf_str(buf));
}

static enum comb_status make_texts(struct move_table *table, bool fills, struct comb_error *err)
{
    struct comb_buf buf;
    if (table->n_keys == 0)
        return comb_error_set(err, COMB_INTERNAL, 0, "the table %s has no primary key",
                              table->name);
    comb_buf_init(&buf, TEXT_BYTES_MAX);
    table->first = page_text(&buf, table, false);
    table->next = page_text(&buf, table, true);
    table->newest = newest_text(&buf, table);
    table->insert = insert_text(&buf, table, fills);
    comb_buf_clear(&buf);
    comb_buf_printf(&buf, "DELETE FROM \"%s\" WHERE (", table->name);
    add_columns(&buf, table, true, "");
    comb_buf_printf(&buf, ") IN (SELECT ");
    add_columns(&buf, table, true, "");
    comb_buf_printf(&buf, " FROM \"%s\" LIMIT %d)", table->name, MOVE_CLEAR_ROWS);
    table->clear = buf.failed ? NULL : move_text_keep(comb_buf_str(&buf));
    comb_buf_done(&buf);
    return table->first && table->next && table->newest && table->insert && table->clear
               ? COMB_OK
               : comb_error_no_memory(err);
}

/* ---- the catalogue ---- */

/* Adds a column: its table's name, its own, its place in the key. */
static enum comb_status add_column(struct move_tables *tables, comb_str table_name, comb_str name,
                                   int64_t key, bool *fills, struct comb_error *err)
{
    struct move_table *table = tables->n ? &tables->items[tables->n - 1] : NULL;
    if (!table || !comb_str_equal(comb_str_from(table->name), table_name)) {
        if (table) {
            enum comb_status status = make_texts(table, *fills, err);
            if (status != COMB_OK)
                return status;
        }
        *fills = false;
        if (tables->n == sizeof tables->items / sizeof tables->items[0])
            return comb_error_set(err, COMB_INTERNAL, 0, "the sql row has too many tables");
        table = &tables->items[tables->n++];
        table->name = comb_memory_dup(table_name);
        table->kind = move_table_kind_of(table_name);
        if (!table->name)
            return comb_error_no_memory(err);
    }
    if (is_own_column(table_name, name)) {
        *fills = true;
        return COMB_OK;
    }
    if (table->n_columns == MOVE_COLUMNS_MAX || key > MOVE_KEYS_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "the table %s has too many columns",
                              table->name);
    if (key > 0) {
        table->keys[key - 1] = table->n_columns;
        table->n_keys = (size_t)key > table->n_keys ? (size_t)key : table->n_keys;
    }
    table->columns[table->n_columns] = comb_memory_dup(name);
    return table->columns[table->n_columns++] ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status take_catalogue(struct move_tables *tables, const struct comb_sql_rows *rows,
                                       struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    bool fills = false;
    for (size_t i = 0; status == COMB_OK && i < rows->n_rows; i++)
        status = add_column(tables, comb_sql_at(rows, i, 0)->bytes, comb_sql_at(rows, i, 1)->bytes,
                            comb_sql_at(rows, i, 2)->integer, &fills, err);
    if (status == COMB_OK && tables->n > 0)
        status = make_texts(&tables->items[tables->n - 1], fills, err);
    return status;
}

enum comb_status move_tables_read(struct comb_sql *sql, struct move_tables **ret_tables,
                                  struct comb_error *err)
{
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0), .deadline_ns = comb_clock_in_ms(ASK_MS)};
    struct move_tables *tables = comb_memory_zalloc(sizeof *tables);
    const struct comb_sql_statement statement = {.text = sql->driver->catalogue};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = ctx.arena && tables ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = comb_sql_run(sql, &ctx, &request, &result, err);
    if (status == COMB_OK)
        status = take_catalogue(tables, &result->rows[0], err);
    grpcc_arena_free(ctx.arena);
    if (status == COMB_OK)
        *ret_tables = tables;
    else
        move_tables_free(tables);
    return status;
}

void move_tables_free(struct move_tables *tables)
{
    for (size_t i = 0; tables && i < tables->n; i++) {
        struct move_table *table = &tables->items[i];
        for (size_t j = 0; j < table->n_columns; j++)
            comb_memory_free(table->columns[j]);
        comb_memory_free(table->name);
        comb_memory_free(table->first);
        comb_memory_free(table->next);
        comb_memory_free(table->newest);
    }
    comb_memory_free(tables);
}

const struct move_table *move_tables_find(const struct move_tables *tables, comb_str name)
{
    for (size_t i = 0; i < tables->n; i++)
        if (comb_str_equal(comb_str_from(tables->items[i].name), name))
            return &tables->items[i];
    return NULL;
}
