/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a few documents have what a query asks for: by their terms, not by FTS5, which would
 * walk through all that have the words to find out that one document has not.
 */
#include "server/backend/sql/sql_read.h"
#include "server/search/driver/holds.h"
#include "server/search/driver/sqlite_internal.h"

/* Documents whose terms are read at once: what they take is gone before the next ones are. */
enum { TERMS_READ_MAX = 8 };

struct among {
    struct comb_search_store *store;
    struct comb_ctx own; /* with an arena for the terms */
    const struct comb_search_scan *scan;
    struct search_wanted wanted;
    struct search_found found;
    comb_str *names; /* terms of the candidates' names */
};

static comb_str text_at(const struct comb_sql_value *value)
{
    return value->type == COMB_SQL_TEXT ? value->bytes : STR("");
}

static void judge(struct among *among, size_t i, struct search_fields fields)
{
    fields.name = among->names[i];
    among->found.candidates[i].holds =
        search_holds(among->scan->query, among->scan->names_alone, &fields, 0);
}

/* Candidates from the first on, n of them. What has no terms but those of its name has no row. */
static enum comb_status judge_some(struct among *among, size_t first, size_t n,
                                   struct comb_error *err)
{
    static const char terms_sql[] = SEARCH_SQLITE_TERMS;
    const struct search_fields none = {STR(""), STR(""), STR(""), STR("")};
    struct comb_ctx *ctx = &among->own;
    grpcc_arena_reset(ctx->arena);
    const struct comb_sql_value params[] = {
        comb_sql_text(search_sqlite_array(ctx->arena, among->found.places + first, n)),
        comb_sql_integer(among->wanted.content), comb_sql_integer(among->wanted.meta),
        comb_sql_integer(among->wanted.keyed)};
    const struct comb_sql_statement statement = {terms_sql, params, 4, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    if (!params[0].bytes.ptr)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_sql_run(search_sqlite_of(among->store), ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        judge(among, first + i, none);
    for (size_t row = 0; row < result->rows[0].n_rows; row++) {
        const struct comb_sql_value *column = comb_sql_at(&result->rows[0], row, 0);
        const struct search_fields fields = {.content = text_at(&column[1]),
                                             .meta = text_at(&column[2]),
                                             .keyed = text_at(&column[3])};
        if (column[0].integer < 0 || (size_t)column[0].integer >= n)
            return comb_sql_row_damaged("search_text", err);
        judge(among, first + (size_t)column[0].integer, fields);
    }
    return COMB_OK;
}

static enum comb_status judge_all(struct among *among, struct comb_error *err)
{
    const struct search_fields none = {STR(""), STR(""), STR(""), STR("")};
    enum comb_status status = COMB_OK;
    if (!search_wants_any(among->wanted)) {
        for (size_t i = 0; i < among->found.n; i++)
            judge(among, i, none);
        return COMB_OK;
    }
    among->own.arena = grpcc_arena_new(0);
    if (!among->own.arena)
        return comb_error_no_memory(err);
    for (size_t at = 0; at < among->found.n && status == COMB_OK; at += TERMS_READ_MAX) {
        size_t rest = among->found.n - at;
        status = judge_some(among, at, rest < TERMS_READ_MAX ? rest : TERMS_READ_MAX, err);
    }
    grpcc_arena_free(among->own.arena);
    return status;
}

enum comb_status search_sqlite_scan_among(struct comb_search_store *self, struct comb_ctx *ctx,
                                          const struct comb_search_scan *scan,
                                          struct comb_search_found *ret_found,
                                          struct comb_error *err)
{
    static const char among_sql[] = SEARCH_SQLITE_AMONG;
    struct among among = {.store = self,
                          .own = *ctx,
                          .scan = scan,
                          .wanted = search_wanted_by(scan->query, scan->names_alone, 0)};
    const struct comb_sql_value params[] = {
        comb_sql_blob(comb_str_of(scan->among, scan->n_among * sizeof *scan->among)),
        comb_sql_text(search_sqlite_array(ctx->arena, NULL, scan->n_among))};
    const struct comb_sql_statement statement = {among_sql, params, 2, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    if (!params[1].bytes.ptr)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    among.names = grpcc_arena_calloc(ctx->arena, rows->n_rows, sizeof *among.names);
    if (!among.names)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < rows->n_rows; i++)
        among.names[i] = text_at(comb_sql_at(rows, i, rows->n_columns - 1));
    status = search_sqlite_candidates(ctx, rows, 0, &among.found, err);
    if (status == COMB_OK)
        status = judge_all(&among, err);
    if (status != COMB_OK)
        return status;
    *ret_found = (struct comb_search_found){among.found.candidates, among.found.n, false};
    return COMB_OK;
}
