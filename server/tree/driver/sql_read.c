/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of children, and nodes with metadata and totals. */
#include "server/mutation/feed.h"
#include "server/tree/driver/sql.h"

/* Entries that one page brings at most: with the nodes, within COMB_SQL_ROWS_MAX. */
#define PAGE_ENTRIES_MAX (COMB_SQL_ROWS_MAX - COMB_TREE_EXAMINED_MAX)

/* Sorts behind every name: 256 bytes of U+10FFFF, where names have 255 at most. */
#define LAST4 "\xf4\x8f\xbf\xbf"
#define LAST16 LAST4 LAST4 LAST4 LAST4
#define LAST64 LAST16 LAST16 LAST16 LAST16
static const char after_every_name[] = LAST64 LAST64 LAST64 LAST64;
/* Sorts behind every id, being longer. */
static const char after_every_id[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                                     "\xff\xff";

/* The parameters of both statements of a page; returns their number without the last one, which
 * only the entries have. */
static size_t page_params(const struct comb_tree_children_query *query,
                          struct comb_sql_value params[5])
{
    const struct comb_tree_place *after = &query->after;
    size_t n = 0;

    params[n++] = comb_sql_uuid(&query->folder);
    if (query->key == COMB_TREE_BY_NAME) {
        comb_str start = query->descending ? comb_str_from(after_every_name) : STR("");

        if (after->started)
            start = after->name;
        params[n++] = comb_sql_text(start);
    } else {
        int64_t start = query->descending ? INT64_MAX : INT64_MIN;

        params[n++] = comb_sql_integer(after->started ? after->value : start);
        params[n++] = after->started      ? comb_sql_uuid(&after->id)
                      : query->descending ? comb_sql_blob(comb_str_from(after_every_id))
                                          : comb_sql_blob(STR(""));
    }
    params[n++] = comb_sql_integer((int64_t)query->max);
    params[n] = comb_sql_integer(PAGE_ENTRIES_MAX);
    return n;
}

static struct comb_entry entry_of(const struct comb_sql_value *row)
{
    return (struct comb_entry){
        .node = comb_tree_sql_uuid(&row[0]),
        .role = comb_tree_sql_uuid(&row[1]),
        .rights = (int)row[2].integer,
        .expire_us = row[3].integer,
        .create_us = row[4].integer,
        .granted_by = comb_tree_sql_uuid(&row[5]),
    };
}

/* Hands out the entries, which come in the order of the children. Where there may be more of them
 * than were read, the page ends before the last child that has some. */
static enum comb_status take_entries(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                     struct comb_tree_children *page, struct comb_error *err)
{
    struct comb_entry *entries = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *entries);
    size_t used = 0;

    if (!entries)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++)
        entries[i] = entry_of(comb_sql_at(rows, i, 0));
    for (size_t i = 0; i < page->n_children && used < rows->n_rows; i++) {
        struct comb_tree_child *child = &page->children[i];
        size_t first = used;

        while (used < rows->n_rows && comb_uuid_equal(&entries[used].node, &child->node.id))
            used++;
        child->entries = &entries[first];
        child->n_entries = used - first;
        if (used == PAGE_ENTRIES_MAX && i + 1 < page->n_children) {
            if (i == 0)
                return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                                      "a node carries more than %d permission entries",
                                      PAGE_ENTRIES_MAX);
            page->n_children = i;
            page->last = false;
        }
    }
    return COMB_OK;
}

enum comb_status comb_tree_sql_children(struct comb_tree_store *base, struct comb_ctx *ctx,
                                        const struct comb_tree_children_query *query,
                                        struct comb_tree_children *ret_children,
                                        struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_tree_dialect_page *page =
        &store->dialect->pages[query->key][query->descending];
    struct comb_tree_children children = {0};
    struct comb_sql_value params[5];
    size_t n = page_params(query, params);
    const struct comb_sql_statement statements[] = {
        {.text = page->nodes, .params = params, .n_params = n},
        {.text = page->entries, .params = params, .n_params = n + 1},
        {.text = comb_position_sql(store->sql)},
    };
    const struct comb_sql_request request = {
        .kind = COMB_SQL_SCAN, .statements = statements, .n_statements = 3};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(store->sql, ctx, &request, &result, err);

    if (status != COMB_OK)
        return status;
    children.n_children = result->rows[0].n_rows;
    children.last = children.n_children < query->max;
    children.children =
        grpcc_arena_calloc(ctx->arena, children.n_children, sizeof *children.children);
    if (!children.children)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < children.n_children && status == COMB_OK; i++)
        status = comb_tree_sql_node(ctx->arena, comb_sql_at(&result->rows[0], i, 0),
                                    &children.children[i].node, err);
    if (status == COMB_OK)
        status = take_entries(ctx, &result->rows[1], &children, err);
    if (status != COMB_OK)
        return status;
    comb_ctx_reach(ctx, comb_tree_sql_head(store, &result->rows[2]));
    *ret_children = children;
    return COMB_OK;
}

struct details_read {
    const struct comb_tree_sql *store;
    struct comb_ctx *ctx;
    size_t n;
    bool locks;
    comb_tree_details_done done;
    void *data;
};

static enum comb_status take_details(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                     struct comb_tree_details *details, size_t n,
                                     struct comb_error *err)
{
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *row = comb_sql_at(rows, i, 0);
        const struct comb_sql_value *rest = row + COMB_TREE_NODE_COLUMNS_N;
        size_t position = (size_t)rest[4].integer;
        enum comb_status status;

        if (position >= n)
            return comb_error_set(err, COMB_INTERNAL, 0, "a row that was not asked for");
        status = comb_tree_sql_node(ctx->arena, row, &details[position].node, err);
        if (status != COMB_OK)
            return status;
        if (!comb_tree_sql_bytes(ctx->arena, &rest[0], &details[position].meta))
            return comb_error_no_memory(err);
        details[position].totals = (struct comb_tree_totals){
            .bytes = rest[1].integer, .files = rest[2].integer, .folders = rest[3].integer};
        details[position].found = true;
    }
    return COMB_OK;
}

/* Hands out the locks, which come in the order of the nodes. */
static enum comb_status take_locks(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                   struct comb_tree_details *details, size_t n,
                                   struct comb_error *err)
{
    struct comb_tree_lock *locks = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *locks);

    if (!locks)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *row = comb_sql_at(rows, i, 0);
        size_t position = (size_t)row[COMB_TREE_LOCK_COLUMNS_N].integer;

        if (position >= n)
            return comb_error_set(err, COMB_INTERNAL, 0, "a row that was not asked for");
        if (!comb_tree_sql_lock(ctx->arena, row, &locks[i]))
            return comb_error_no_memory(err);
        if (details[position].n_locks++ == 0)
            details[position].locks = &locks[i];
    }
    return COMB_OK;
}

static void details_done(void *data, enum comb_status status, const struct comb_sql_result *result,
                         const struct comb_error *sql_err)
{
    struct details_read *read = data;
    struct comb_tree_details *details = NULL;
    struct comb_error err = {0};

    if (sql_err)
        err = *sql_err;
    if (status == COMB_OK) {
        details = grpcc_arena_calloc(read->ctx->arena, read->n, sizeof *details);
        status = details ? take_details(read->ctx, &result->rows[0], details, read->n, &err)
                         : comb_error_no_memory(&err);
        if (status == COMB_OK && read->locks)
            status = take_locks(read->ctx, &result->rows[2], details, read->n, &err);
        comb_ctx_reach(read->ctx, comb_tree_sql_head(read->store, &result->rows[1]));
    }
    read->done(read->data, status, status == COMB_OK ? details : NULL, &err);
}

void comb_tree_sql_details(struct comb_tree_store *base, struct comb_ctx *ctx,
                           const struct comb_uuid *ids, size_t n, bool locks,
                           comb_tree_details_done done, void *data)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    struct details_read *read = grpcc_arena_alloc(ctx->arena, sizeof *read);
    const struct comb_sql_value params[] = {
        comb_sql_blob(comb_str_of(ids, n * sizeof *ids)),
        comb_sql_integer((int64_t)n),
    };
    const struct comb_sql_statement statements[] = {
        {.text = store->dialect->details, .params = params, .n_params = 2},
        {.text = comb_position_sql(store->sql)},
        {.text = store->dialect->locks_of, .params = params, .n_params = 2},
    };
    const struct comb_sql_request request = {
        .kind = COMB_SQL_READ, .statements = statements, .n_statements = locks ? 3 : 2};
    struct comb_error err;

    if (!read) {
        enum comb_status status = comb_error_no_memory(&err);

        done(data, status, NULL, &err);
        return;
    }
    *read = (struct details_read){
        .store = store, .ctx = ctx, .n = n, .locks = locks, .done = done, .data = data};
    comb_sql_submit(store->sql, ctx, &request, details_done, read);
}

/* Asks for rows and for the position at which they were read, which is left in the result's last
 * rows. */
static enum comb_status scan(const struct comb_tree_sql *store, struct comb_ctx *ctx,
                             const struct comb_sql_statement *statement,
                             const struct comb_sql_result **ret_result, struct comb_error *err)
{
    const struct comb_sql_statement statements[] = {*statement,
                                                    {.text = comb_position_sql(store->sql)}};
    const struct comb_sql_request request = {
        .kind = COMB_SQL_SCAN, .statements = statements, .n_statements = 2};
    return comb_sql_run(store->sql, ctx, &request, ret_result, err);
}

/* ?1 id ?2 max */
static const char WALK[] = "SELECT " COMB_TREE_NODE_COLUMNS ", n.meta FROM node n WHERE n.id > ?1"
                           " ORDER BY n.id LIMIT ?2";

enum comb_status comb_tree_sql_walk(struct comb_tree_store *base, struct comb_ctx *ctx,
                                    const struct comb_uuid *after, size_t max,
                                    const struct comb_tree_details **ret_details, size_t *ret_n,
                                    struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_sql_value params[] = {comb_sql_uuid(after), comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {.text = WALK, .params = params, .n_params = 2};
    const struct comb_sql_result *result;
    enum comb_status status = scan(store, ctx, &statement, &result, err);

    if (status != COMB_OK)
        return status;
    size_t n = result->rows[0].n_rows;
    struct comb_tree_details *details = grpcc_arena_calloc(ctx->arena, n, sizeof *details);
    if (!details)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct comb_sql_value *row = comb_sql_at(&result->rows[0], i, 0);
        status = comb_tree_sql_node(ctx->arena, row, &details[i].node, err);
        if (status != COMB_OK)
            return status;
        if (!comb_tree_sql_bytes(ctx->arena, &row[COMB_TREE_NODE_COLUMNS_N], &details[i].meta))
            return comb_error_no_memory(err);
        details[i].found = true;
    }
    comb_ctx_reach(ctx, comb_tree_sql_head(store, &result->rows[1]));
    *ret_details = details;
    *ret_n = n;
    return COMB_OK;
}

enum comb_status comb_tree_sql_below(struct comb_tree_store *base, struct comb_ctx *ctx,
                                     const struct comb_uuid *ids, size_t n, size_t max,
                                     const struct comb_uuid **ret_ids, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_sql_value params[] = {comb_sql_blob(comb_str_of(ids, n * sizeof *ids)),
                                            comb_sql_integer((int64_t)n),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {
        .text = store->dialect->below, .params = params, .n_params = 3};
    const struct comb_sql_result *result;
    enum comb_status status = scan(store, ctx, &statement, &result, err);

    if (status != COMB_OK)
        return status;
    size_t found = result->rows[0].n_rows;
    struct comb_uuid *below = grpcc_arena_calloc(ctx->arena, found, sizeof *below);
    if (!below)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < found; i++)
        below[i] = comb_tree_sql_uuid(comb_sql_at(&result->rows[0], i, 0));
    comb_ctx_reach(ctx, comb_tree_sql_head(store, &result->rows[1]));
    *ret_ids = below;
    *ret_n = found;
    return COMB_OK;
}
