/* SPDX-License-Identifier: Apache-2.0 */
/* The background: totals of folders, and the removal of what was deleted for good. */
#include <stdio.h>

#include "server/mutation/feed.h"
#include "server/tree/driver/sql.h"

static const char TOTALS_POSITION[] =
    "SELECT incarnation, sequence FROM tree_cursor WHERE name = 'totals'";
/* ?1 incarnation ?2 sequence, ?3 ?4 those before */
static const char TOTALS_ADVANCE[] =
    "UPDATE tree_cursor SET incarnation = ?1, sequence = ?2"
    " WHERE name = 'totals' AND incarnation = ?3 AND sequence = ?4";
static const char TOTALS_CLEAR[] = "DELETE FROM folder_total";
/* ?1 the purge node ?2 max */
static const char PURGEABLE[] =
    "SELECT n.id FROM node n WHERE n.parent = ?1 ORDER BY n.name LIMIT ?2";

/* Room for the text of three numbers with brackets and commas. */
#define DELTA_TEXT_MAX 72

static enum comb_status run(const struct comb_tree_sql *store, struct comb_ctx *ctx,
                            enum comb_sql_kind kind, const struct comb_sql_statement *statements,
                            size_t n, const struct comb_sql_result **ret_result,
                            struct comb_error *err)
{
    const struct comb_sql_request request = {
        .kind = kind, .statements = statements, .n_statements = n};

    return comb_sql_run(store->sql, ctx, &request, ret_result, err);
}

enum comb_status comb_tree_sql_totals_position(struct comb_tree_store *base, struct comb_ctx *ctx,
                                               struct comb_cursor *ret_cursor,
                                               struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_sql_statement statement = {.text = TOTALS_POSITION};
    const struct comb_sql_result *result;
    enum comb_status status = run(store, ctx, COMB_SQL_READ, &statement, 1, &result, err);

    if (status != COMB_OK)
        return status;
    if (result->rows[0].n_rows != 1)
        return comb_error_set(err, COMB_INTERNAL, 0, "the totals have no cursor");
    ret_cursor->incarnation = (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer;
    ret_cursor->sequence = (uint64_t)comb_sql_at(&result->rows[0], 0, 1)->integer;
    return COMB_OK;
}

/* Two parameters carry any number of deltas: their ids in a row, and their numbers as JSON. */
static enum comb_status pack_deltas(struct comb_ctx *ctx,
                                    const struct comb_tree_total_delta *deltas, size_t n,
                                    struct comb_sql_value params[2], struct comb_error *err)
{
    size_t room = n * DELTA_TEXT_MAX + 3, used = 0;
    uint8_t *ids = grpcc_arena_calloc(ctx->arena, n, sizeof deltas->folder.bytes);
    char *json = grpcc_arena_alloc(ctx->arena, room);

    if (!ids || !json)
        return comb_error_no_memory(err);
    json[used++] = '[';
    for (size_t i = 0; i < n; i++) {
        const struct comb_tree_totals *d = &deltas[i].delta;

        memcpy(ids + i * sizeof deltas->folder.bytes, deltas[i].folder.bytes,
               sizeof deltas->folder.bytes);
        used += (size_t)snprintf(json + used, room - used, "%s[%lld,%lld,%lld]", i ? "," : "",
                                 (long long)d->bytes, (long long)d->files, (long long)d->folders);
    }
    json[used++] = ']';
    params[0] = comb_sql_blob(comb_str_of(ids, n * sizeof deltas->folder.bytes));
    params[1] = comb_sql_text(comb_str_of(json, used));
    return COMB_OK;
}

static struct comb_sql_statement advance(const struct comb_tree_sql *store,
                                         struct comb_cursor before, struct comb_cursor after,
                                         struct comb_sql_value params[4])
{
    (void)store;
    params[0] = comb_sql_integer((int64_t)after.incarnation);
    params[1] = comb_sql_integer((int64_t)after.sequence);
    params[2] = comb_sql_integer((int64_t)before.incarnation);
    params[3] = comb_sql_integer((int64_t)before.sequence);
    return (struct comb_sql_statement){
        .text = TOTALS_ADVANCE, .params = params, .n_params = 4, .guard = true};
}

enum comb_status comb_tree_sql_totals_apply(struct comb_tree_store *base, struct comb_ctx *ctx,
                                            const struct comb_tree_total_delta *deltas, size_t n,
                                            struct comb_cursor before, struct comb_cursor after,
                                            struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    struct comb_sql_value cursor[4], params[2];
    struct comb_sql_statement statements[2];
    const struct comb_sql_result *result;
    size_t n_statements = 0;

    statements[n_statements++] = advance(store, before, after, cursor);
    if (n > 0) {
        enum comb_status status = pack_deltas(ctx, deltas, n, params, err);

        if (status != COMB_OK)
            return status;
        statements[n_statements++] = (struct comb_sql_statement){
            .text = store->dialect->totals_add, .params = params, .n_params = 2};
    }
    return run(store, ctx, COMB_SQL_WRITE, statements, n_statements, &result, err);
}

enum comb_status comb_tree_sql_totals_rebuild(struct comb_tree_store *base, struct comb_ctx *ctx,
                                              struct comb_cursor before, struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    struct comb_sql_value cursor[4];
    struct comb_sql_statement count[COMB_FEED_HOLD_STATEMENTS + 3];
    struct comb_sql_statement moved;
    struct comb_cursor after = {.incarnation = comb_sql_incarnation(store->sql)};
    const struct comb_sql_result *result;
    size_t n = comb_feed_hold(store->sql, count);
    enum comb_status status;

    count[n++] = (struct comb_sql_statement){.text = TOTALS_CLEAR};
    count[n++] = (struct comb_sql_statement){.text = store->dialect->totals_count};
    count[n++] = (struct comb_sql_statement){.text = comb_cursor_sql(store->sql)};
    status = run(store, ctx, COMB_SQL_WRITE, count, n, &result, err);
    if (status != COMB_OK)
        return status;
    after.sequence = (uint64_t)comb_sql_at(&result->rows[n - 1], 0, 0)->integer;
    /* Ends between the two writes: the cursor is still the one that made this necessary. */
    moved = advance(store, before, after, cursor);
    return run(store, ctx, COMB_SQL_WRITE, &moved, 1, &result, err);
}

enum comb_status comb_tree_sql_purgeable(struct comb_tree_store *base, struct comb_ctx *ctx,
                                         const struct comb_uuid **ret_ids, size_t *ret_n,
                                         struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_sql_value params[] = {comb_sql_uuid(&comb_node_purge),
                                            comb_sql_integer(COMB_TREE_PURGE_MAX)};
    const struct comb_sql_statement statements[] = {
        {.text = PURGEABLE, .params = params, .n_params = 2},
        {.text = comb_position_sql(store->sql)}};
    const struct comb_sql_result *result;
    struct comb_uuid *ids;
    enum comb_status status = run(store, ctx, COMB_SQL_SCAN, statements, 2, &result, err);

    if (status != COMB_OK)
        return status;
    ids = grpcc_arena_calloc(ctx->arena, result->rows[0].n_rows, sizeof *ids);
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < result->rows[0].n_rows; i++)
        ids[i] = comb_tree_sql_uuid(comb_sql_at(&result->rows[0], i, 0));
    comb_ctx_reach(ctx, comb_tree_sql_head(store, &result->rows[1]));
    *ret_ids = ids;
    *ret_n = result->rows[0].n_rows;
    return COMB_OK;
}

enum comb_status comb_tree_sql_purge(struct comb_tree_store *base, struct comb_ctx *ctx,
                                     const struct comb_uuid *ids, size_t n, struct comb_error *err)
{
    const struct comb_tree_sql *store = (const struct comb_tree_sql *)base;
    const struct comb_tree_dialect *dialect = store->dialect;
    const struct comb_sql_value params[] = {
        comb_sql_blob(comb_str_of(ids, n * sizeof *ids)), comb_sql_integer((int64_t)n),
        comb_sql_uuid(&comb_node_purge), comb_sql_integer(COMB_TREE_PURGE_MAX)};
    /* A folder's children are taken up to the purge node first, so that no batch depends on how
     * deep or how wide a tree was. Nobody can reach them on either way. */
    const struct comb_sql_statement statements[] = {
        {.text = dialect->purge_files, .params = params, .n_params = 2},
        {.text = dialect->purge_children, .params = params, .n_params = 4},
        {.text = dialect->purge_totals, .params = params, .n_params = 2},
        {.text = dialect->purge_folders, .params = params, .n_params = 2},
    };
    const struct comb_sql_result *result;

    return run(store, ctx, COMB_SQL_WRITE, statements, sizeof statements / sizeof statements[0],
               &result, err);
}
