/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search index over SQLite and its FTS5. A document is a row of search_doc, and its terms one
 * of search_text with the same number. FTS5 gives its matches by number, so the number follows from
 * the id: the first 63 bits of it that count, and the next free one below where two ids agree in
 * them, which two nodes made in the same quarter of a microsecond would.
 *
 * dead_us is 0 while a document has attributes; else it says since when it has none, being a
 * tombstone, or content that came first. below: a folder's tombstone is to be worked off.
 *
 * The names of documents stand in search_name once more: FTS5 goes through all that has a word and
 * then asks whether it is in the name, which for a word of many contents and no name is everything.
 *
 * FTS5 cuts the terms apart at blanks again: its ascii tokenizer takes all that is not ASCII for
 * letters, and terms have nothing else but lower case letters and digits.
 */
#include "server/backend/sql/sql_read.h"
#include "server/core/memory.h"
#include "server/search/driver/sqlite_internal.h"
#include "server/search/driver/sqlite_match.h"

/* Questions to FTS5 in one request: their rows are candidates each. */
#define HOLDS_REQUEST_MAX (COMB_SQL_ROWS_MAX / COMB_SEARCH_SCAN_MAX)

static const struct comb_sql_migration steps[] = {
    {"search", 1,
     "CREATE TABLE search_doc (place INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
     " epoch INTEGER NOT NULL DEFAULT 0, rev INTEGER NOT NULL DEFAULT 0,"
     " dead_us INTEGER NOT NULL, below INTEGER NOT NULL DEFAULT 0, parent BLOB,"
     " is_folder INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,"
     " modified_us INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '',"
     " media TEXT NOT NULL DEFAULT '', content_epoch INTEGER NOT NULL DEFAULT 0,"
     " content_rev INTEGER NOT NULL DEFAULT 0, blob BLOB, outcome INTEGER NOT NULL DEFAULT 0,"
     " reason INTEGER NOT NULL DEFAULT 0, text BLOB NOT NULL DEFAULT x'');"
     "CREATE INDEX search_doc_epoch ON search_doc (epoch, place) WHERE dead_us = 0;"
     "CREATE INDEX search_doc_dead ON search_doc (dead_us) WHERE dead_us > 0;"
     "CREATE INDEX search_doc_below ON search_doc (below, place) WHERE below = 1;"
     "CREATE INDEX search_doc_parent ON search_doc (parent, place) WHERE parent IS NOT NULL;"
     "CREATE INDEX search_doc_content ON search_doc (content_epoch, place)"
     " WHERE blob IS NOT NULL;"
     "CREATE VIRTUAL TABLE search_text USING fts5 (name, meta, keyed, content,"
     /* Else FTS5 merges all terms of a short prefix anew for every scan. */
     " tokenize = 'ascii', prefix = '1 2 3')"},
    {"search", 2,
     "CREATE VIRTUAL TABLE search_name USING fts5 (name, tokenize = 'ascii',"
     " prefix = '1 2 3 4 5 6 7 8');"
     "INSERT INTO search_name (rowid, name)"
     " SELECT rowid, name FROM search_text WHERE name <> '';"
     "CREATE INDEX search_doc_live ON search_doc (place) WHERE dead_us = 0"},
};
static const struct comb_sql_schema schema = {
    .driver = "sqlite", .steps = steps, .n_steps = sizeof steps / sizeof steps[0]};
static const struct comb_sql_schema *const schemas[] = {&schema, NULL};

/* ---- statements ---- */

/* ?2 the id or NULL, ?3 its number where it is not there. */
#define BEFORE "coalesce((SELECT place FROM search_doc WHERE id = ?2), ?3)"

/* ?1 expression, BEFORE, ?4 max. */
static const char matches_sql[] =
    "SELECT " SEARCH_SQLITE_CANDIDATE
    " FROM search_text CROSS JOIN search_doc ON place = search_text.rowid"
    " WHERE search_text MATCH ?1 AND search_text.rowid < " BEFORE
    " AND search_doc.dead_us = 0 ORDER BY search_text.rowid DESC LIMIT ?4";
/* The same where nothing but names is asked for. */
static const char names_sql[] =
    "SELECT " SEARCH_SQLITE_CANDIDATE
    " FROM search_name CROSS JOIN search_doc ON place = search_name.rowid"
    " WHERE search_name MATCH ?1 AND search_name.rowid < " BEFORE
    " AND search_doc.dead_us = 0 ORDER BY search_name.rowid DESC LIMIT ?4";
/* By an index without the tombstones, however many lie one behind the other. */
static const char all_sql[] =
    "SELECT " SEARCH_SQLITE_CANDIDATE " FROM search_doc INDEXED BY search_doc_live"
    " WHERE place < " BEFORE " AND dead_us = 0 AND ?1 = ''"
    " ORDER BY place DESC LIMIT ?4";
/* ?1 expression, ?2 a JSON array of numbers: those of them that match. */
static const char holds_sql[] =
    "SELECT value FROM json_each(?2) WHERE EXISTS"
    " (SELECT 1 FROM search_text WHERE search_text MATCH ?1 AND rowid = value)";
/* ?1 packed ids, ?2 a JSON array of as many elements, ?3 bytes: in the order of the ids. */
static const char texts_sql[] = "SELECT asked.key, substr(doc.text, 1, ?3)"
                                " FROM json_each(?2) AS asked CROSS JOIN search_doc AS doc"
                                " ON doc.id = substr(?1, asked.key * 16 + 1, 16)"
                                " WHERE doc.dead_us = 0";
/* The same ids. */
static const char contents_sql[] =
    "SELECT asked.key, doc.content_epoch, doc.content_rev, doc.blob, doc.outcome, doc.reason"
    " FROM json_each(?2) AS asked CROSS JOIN search_doc AS doc"
    " ON doc.id = substr(?1, asked.key * 16 + 1, 16) WHERE doc.blob IS NOT NULL";
static const char count_sql[] = "SELECT (SELECT count(*) FROM search_doc),"
                                " (SELECT count(*) FROM search_doc WHERE dead_us > 0)";

/* What the files that write read. */
static const char swept_sql[] = SEARCH_SQLITE_SWEPT;
static const char swept_content_sql[] = SEARCH_SQLITE_SWEPT_CONTENT;
static const char below_sql[] = SEARCH_SQLITE_BELOW;
static const char to_prune_sql[] = SEARCH_SQLITE_TO_PRUNE;
static const char purged_sql[] = SEARCH_SQLITE_PURGED;
/* And the one that looks at a few documents alone. */
static const char among_sql[] = SEARCH_SQLITE_AMONG;
static const char terms_sql[] = SEARCH_SQLITE_TERMS;

const char *const comb_search_sqlite_reads[] = {
    matches_sql,       names_sql, all_sql,      holds_sql,  texts_sql, contents_sql, swept_sql,
    swept_content_sql, below_sql, to_prune_sql, purged_sql, among_sql, terms_sql,    NULL,
};

struct comb_sql *search_sqlite_of(struct comb_search_store *self)
{
    return ((struct search_sqlite *)self)->sql;
}

/* ---- scanning ---- */

enum comb_status search_sqlite_candidates(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                          uint64_t certain, struct search_found *ret_found,
                                          struct comb_error *err)
{
    struct search_found found = {.n = rows->n_rows};
    found.candidates = grpcc_arena_calloc(ctx->arena, found.n, sizeof *found.candidates);
    found.places = grpcc_arena_calloc(ctx->arena, found.n, sizeof *found.places);
    if (!found.candidates || !found.places)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < found.n; i++) {
        const struct comb_sql_value *column = comb_sql_at(rows, i, 0);
        struct comb_search_candidate *candidate = &found.candidates[i];
        found.places[i] = column[0].integer;
        if (!comb_sql_uuid_at(rows, i, 1, &candidate->id) ||
            !comb_sql_uuid_at(rows, i, 2, &candidate->parent))
            return comb_sql_row_damaged("search_doc", err);
        candidate->version =
            (struct comb_search_version){(uint64_t)column[3].integer, (uint64_t)column[4].integer};
        candidate->is_folder = column[5].integer != 0;
        candidate->size = column[6].integer;
        candidate->modified_us = column[7].integer;
        candidate->name = column[8].bytes;
        candidate->media = column[9].bytes;
        candidate->holds = certain;
    }
    *ret_found = found;
    return COMB_OK;
}

/* [1,2,3]. In arena; ptr is NULL without room. */
comb_str search_sqlite_array(struct grpcc_arena *arena, const int64_t *numbers, size_t n)
{
    struct comb_buf buf;
    comb_str text = {NULL, 0};
    comb_buf_init(&buf, SEARCH_MATCH_BYTES_MAX);
    comb_buf_append_char(&buf, '[');
    for (size_t i = 0; i < n; i++)
        comb_buf_printf(&buf, "%s%lld", i > 0 ? "," : "", (long long)(numbers ? numbers[i] : 0));
    comb_buf_append_char(&buf, ']');
    if (!buf.failed)
        text = comb_str_of(grpcc_arena_memdup(arena, buf.data, buf.len), buf.len);
    comb_buf_done(&buf);
    return text;
}

/* An expression in the arena; ptr is NULL without room. */
static comb_str words_expression(struct grpcc_arena *arena,
                                 const struct comb_search_condition *words, bool names_alone)
{
    struct comb_buf buf;
    comb_str text = {NULL, 0};
    comb_buf_init(&buf, SEARCH_MATCH_BYTES_MAX);
    search_match_words(&buf, words, names_alone);
    if (!buf.failed)
        text = comb_str_of(grpcc_arena_memdup(arena, buf.data, buf.len), buf.len);
    comb_buf_done(&buf);
    return text;
}

static void mark_holding(const struct comb_sql_rows *rows, struct search_found *found,
                         unsigned number)
{
    size_t at = 0;
    /* Both are in the order of the candidates. */
    for (size_t row = 0; row < rows->n_rows; row++) {
        int64_t place = comb_sql_at(rows, row, 0)->integer;
        while (at < found->n && found->places[at] != place)
            at++;
        if (at < found->n)
            found->candidates[at].holds |= UINT64_C(1) << number;
    }
}

/* Asks for each of n conditions on words which of the candidates it holds for. */
static enum comb_status ask_holds(struct comb_search_store *self, struct comb_ctx *ctx,
                                  const struct comb_search_condition *const *words, size_t n,
                                  bool names_alone, struct search_found *found,
                                  struct comb_error *err)
{
    struct comb_sql_value params[HOLDS_REQUEST_MAX][2];
    struct comb_sql_statement statements[HOLDS_REQUEST_MAX];
    const struct comb_sql_result *result;
    comb_str places = search_sqlite_array(ctx->arena, found->places, found->n);
    for (size_t i = 0; i < n; i++) {
        comb_str expression = words_expression(ctx->arena, words[i], names_alone);
        if (!expression.ptr || !places.ptr)
            return comb_error_no_memory(err);
        params[i][0] = comb_sql_text(expression);
        params[i][1] = comb_sql_text(places);
        statements[i] = (struct comb_sql_statement){holds_sql, params[i], 2, false};
    }
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, statements, n};
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        mark_holding(&result->rows[i], found, words[i]->number);
    return status;
}

/* What the scan's own expression does not say. */
static enum comb_status complete(struct comb_search_store *self, struct comb_ctx *ctx,
                                 const struct comb_search_scan *scan, uint64_t certain,
                                 struct search_found *found, struct comb_error *err)
{
    const struct comb_search_condition *all[COMB_SEARCH_CONDITIONS_MAX];
    const struct comb_search_condition *asked[COMB_SEARCH_CONDITIONS_MAX];
    size_t n_all = search_match_collect(scan->query, all), n = 0;
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n_all; i++)
        if (!(certain >> all[i]->number & 1))
            asked[n++] = all[i];
    for (size_t at = 0; at < n && found->n > 0 && status == COMB_OK; at += HOLDS_REQUEST_MAX) {
        size_t batch = n - at < HOLDS_REQUEST_MAX ? n - at : HOLDS_REQUEST_MAX;
        status = ask_holds(self, ctx, asked + at, batch, scan->names_alone, found, err);
    }
    return status;
}

static enum comb_status sqlite_scan(struct comb_search_store *self, struct comb_ctx *ctx,
                                    const struct comb_search_scan *scan,
                                    struct comb_search_found *ret_found, struct comb_error *err)
{
    const struct comb_sql_result *result;
    struct comb_buf expression;
    struct search_found found;
    uint64_t certain = 0;
    if (scan->among)
        return search_sqlite_scan_among(self, ctx, scan, ret_found, err);
    comb_buf_init(&expression, SEARCH_MATCH_BYTES_MAX);
    bool has_words = search_match_query(&expression, scan->query, scan->names_alone, &certain);
    const struct comb_sql_value params[] = {
        comb_sql_text(has_words ? comb_buf_str(&expression) : STR("")),
        scan->before ? comb_sql_uuid(scan->before) : comb_sql_null(),
        comb_sql_integer(scan->before ? search_sqlite_place(scan->before) : INT64_MAX),
        comb_sql_integer((int64_t)scan->max)};
    const char *words_sql =
        search_match_is_of_names(scan->query, scan->names_alone) ? names_sql : matches_sql;
    const struct comb_sql_statement statement = {has_words ? words_sql : all_sql, params, 4, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    enum comb_status status =
        expression.failed ? comb_error_no_memory(err)
                          : comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    comb_buf_done(&expression);
    if (status == COMB_OK)
        status = search_sqlite_candidates(ctx, &result->rows[0], certain, &found, err);
    if (status == COMB_OK)
        status = complete(self, ctx, scan, certain, &found, err);
    if (status != COMB_OK)
        return status;
    *ret_found = (struct comb_search_found){found.candidates, found.n, found.n == scan->max};
    return COMB_OK;
}

/* ---- the rest ---- */

/* Without a character that was cut in two. */
static comb_str whole(comb_str text)
{
    size_t at = text.len;
    while (at > 0 && text.len - at < 4 && ((unsigned char)text.ptr[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0 || comb_str_is_utf8(comb_str_of(text.ptr + at - 1, text.len - at + 1)))
        return text;
    return comb_str_of(text.ptr, at - 1);
}

static enum comb_status sqlite_texts(struct comb_search_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *ids, size_t n, size_t bytes_max,
                                     const comb_str **ret_texts, struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_blob(comb_str_of(ids, n * sizeof *ids)),
                                            comb_sql_text(search_sqlite_array(ctx->arena, NULL, n)),
                                            comb_sql_integer((int64_t)bytes_max)};
    const struct comb_sql_statement statement = {texts_sql, params, 3, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    comb_str *texts = grpcc_arena_calloc(ctx->arena, n, sizeof *texts);
    if (!texts || !params[1].bytes.ptr)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    for (size_t i = 0; i < rows->n_rows; i++) {
        int64_t index = comb_sql_at(rows, i, 0)->integer;
        if (index >= 0 && (size_t)index < n)
            texts[index] = whole(comb_sql_at(rows, i, 1)->bytes);
    }
    *ret_texts = texts;
    return COMB_OK;
}

static enum comb_status sqlite_contents(struct comb_search_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *ids, size_t n,
                                        const struct comb_search_content **ret_contents,
                                        struct comb_error *err)
{
    const struct comb_sql_value params[] = {
        comb_sql_blob(comb_str_of(ids, n * sizeof *ids)),
        comb_sql_text(search_sqlite_array(ctx->arena, NULL, n))};
    const struct comb_sql_statement statement = {contents_sql, params, 2, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct comb_search_content *contents = grpcc_arena_calloc(ctx->arena, n, sizeof *contents);
    if (!contents || !params[1].bytes.ptr)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_rows *rows = &result->rows[0];
    for (size_t i = 0; i < rows->n_rows; i++) {
        const struct comb_sql_value *column = comb_sql_at(rows, i, 0);
        size_t index = (size_t)column[0].integer;
        if (index >= n || !comb_sql_uuid_at(rows, i, 3, &contents[index].blob))
            return comb_sql_row_damaged("search_doc", err);
        contents[index].version =
            (struct comb_search_version){(uint64_t)column[1].integer, (uint64_t)column[2].integer};
        contents[index].outcome = (int)column[4].integer;
        contents[index].reason = (int)column[5].integer;
    }
    for (size_t i = 0; i < n; i++)
        contents[i].id = ids[i];
    *ret_contents = contents;
    return COMB_OK;
}

static enum comb_status sqlite_count(struct comb_search_store *self, struct comb_ctx *ctx,
                                     struct comb_search_counts *ret_counts, struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = count_sql};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_value *column = comb_sql_at(&result->rows[0], 0, 0);
    *ret_counts =
        (struct comb_search_counts){.documents = (uint64_t)(column[0].integer - column[1].integer),
                                    .tombstones = (uint64_t)column[1].integer};
    return COMB_OK;
}

static void sqlite_close(struct comb_search_store *self)
{
    comb_memory_free(self);
}

static const struct comb_search_store_driver driver = {
    .name = "sqlite",
    .put = search_sqlite_put,
    .remove = search_sqlite_remove,
    .prune = search_sqlite_prune,
    .sweep = search_sqlite_sweep,
    .purge = search_sqlite_purge,
    .put_content = search_sqlite_put_content,
    .contents = sqlite_contents,
    .sweep_content = search_sqlite_sweep_content,
    .scan = sqlite_scan,
    .texts = sqlite_texts,
    .count = sqlite_count,
    .close = sqlite_close,
};

enum comb_status comb_search_sqlite_open(struct comb_sql *sql, struct comb_search_store **ret_store,
                                         struct comb_error *err)
{
    struct search_sqlite *store;
    enum comb_status status = comb_sql_migrate_schema(sql, schemas, err);
    if (status != COMB_OK)
        return status;
    store = comb_memory_zalloc(sizeof *store);
    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    store->sql = sql;
    *ret_store = &store->base;
    return COMB_OK;
}
