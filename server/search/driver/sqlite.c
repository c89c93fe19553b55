/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search index over SQLite and its FTS5. A document is a row of search_doc, and its terms one
 * of search_text with the same number. FTS5 gives its matches by number, so the number follows from
 * the id: the first 63 bits of it that count, and the next free one below where two ids agree in
 * them, which two nodes made in the same quarter of a microsecond would.
 *
 * FTS5 cuts the terms apart at blanks again: its ascii tokenizer takes all that is not ASCII for
 * letters, and terms have nothing else but lower case letters and digits.
 */
#include "server/search/driver/sqlite.h"

#include <pthread.h>

#include "server/backend/sql/sql_read.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/search/driver/sqlite_match.h"

/* Numbers that are tried for an id. */
#define PLACES_MAX 64
/* Questions to FTS5 in one request: their rows are candidates each. */
#define HOLDS_REQUEST_MAX (COMB_SQL_ROWS_MAX / COMB_SEARCH_SCAN_MAX)

struct search_sqlite {
    struct comb_search_store base;
    struct comb_sql *sql;
};

static const struct comb_sql_migration steps[] = {
    {"search", 1,
     "CREATE TABLE search_doc (place INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
     " epoch INTEGER NOT NULL DEFAULT 0, rev INTEGER NOT NULL DEFAULT 0,"
     " dead_us INTEGER NOT NULL DEFAULT 0, parent BLOB, owner BLOB,"
     " is_folder INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,"
     " modified_us INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '',"
     " media TEXT NOT NULL DEFAULT '', text BLOB NOT NULL DEFAULT x'');"
     "CREATE INDEX search_doc_epoch ON search_doc (epoch, place);"
     "CREATE INDEX search_doc_dead ON search_doc (dead_us) WHERE dead_us > 0;"
     "CREATE VIRTUAL TABLE search_text USING fts5 (name, meta, keyed, content,"
     " tokenize = 'ascii')"},
};
static const struct comb_sql_schema schema = {
    .driver = "sqlite", .steps = steps, .n_steps = sizeof steps / sizeof steps[0]};
static const struct comb_sql_schema *const schemas[] = {&schema, NULL};

/* ---- statements ---- */

#define CANDIDATE                                                                                  \
    "search_doc.place, id, parent, owner, epoch, rev, is_folder, size, modified_us, "              \
    "search_doc.name, media"
/* ?2 the id or NULL, ?3 its number where it is not there. */
#define BEFORE "coalesce((SELECT place FROM search_doc WHERE id = ?2), ?3)"
#define PLACE_OF_ID "(SELECT place FROM search_doc WHERE id = ?1)"
/* ?1 epoch, ?2 max. */
#define OF_OLD_EPOCHS                                                                              \
    "(SELECT place FROM search_doc WHERE epoch < ?1 ORDER BY epoch, place LIMIT ?2)"

/* ?1 place ?2 id: nothing where either is there. */
static const char make_sql[] = "INSERT OR IGNORE INTO search_doc (place, id) VALUES (?1, ?2)";
#define IS_NOT_LATE " WHERE id = ?1 AND (epoch < ?2 OR (epoch = ?2 AND rev <= ?3))"
static const char put_sql[] =
    "UPDATE search_doc SET epoch = ?2, rev = ?3, dead_us = 0, parent = ?4, owner = ?5,"
    " is_folder = ?6, size = ?7, modified_us = ?8, name = ?9, media = ?10, text = ?11" IS_NOT_LATE;
static const char remove_sql[] =
    "UPDATE search_doc SET epoch = ?2, rev = ?3, dead_us = ?4, parent = NULL, owner = NULL,"
    " name = '', media = '', text = x''" IS_NOT_LATE;
static const char unindex_sql[] = "DELETE FROM search_text WHERE rowid = " PLACE_OF_ID;
static const char index_sql[] = "INSERT INTO search_text (rowid, name, meta, keyed, content)"
                                " VALUES (" PLACE_OF_ID ", ?2, ?3, ?4, ?5)";
static const char is_there_sql[] = "SELECT 1 FROM search_doc WHERE id = ?1";

/* ?1 expression, BEFORE, ?4 max. */
static const char matches_sql[] =
    "SELECT " CANDIDATE " FROM search_text CROSS JOIN search_doc ON place = search_text.rowid"
    " WHERE search_text MATCH ?1 AND search_text.rowid < " BEFORE
    " ORDER BY search_text.rowid DESC LIMIT ?4";
static const char all_sql[] =
    "SELECT " CANDIDATE " FROM search_doc WHERE place < " BEFORE " AND dead_us = 0 AND ?1 = ''"
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
static const char sweep_text_sql[] = "DELETE FROM search_text WHERE rowid IN " OF_OLD_EPOCHS;
static const char sweep_sql[] = "DELETE FROM search_doc WHERE place IN " OF_OLD_EPOCHS;
/* ?1 dead until, ?2 max. */
static const char purge_sql[] =
    "DELETE FROM search_doc WHERE place IN (SELECT place FROM search_doc"
    " WHERE dead_us > 0 AND dead_us < ?1 ORDER BY dead_us LIMIT ?2)";
static const char count_sql[] = "SELECT (SELECT count(*) FROM search_doc),"
                                " (SELECT count(*) FROM search_doc WHERE dead_us > 0)";

const char *const comb_search_sqlite_reads[] = {matches_sql, all_sql,   holds_sql, texts_sql,
                                                sweep_sql,   purge_sql, NULL};

static struct comb_sql *sql_of(struct comb_search_store *self)
{
    return ((struct search_sqlite *)self)->sql;
}

/* ---- writing ---- */

/* The 60 bits of time and fraction, and three of the random ones behind them. */
static int64_t place_of(const struct comb_uuid *id)
{
    uint64_t time = 0, place;
    for (int i = 0; i < 6; i++)
        time = time << 8 | id->bytes[i];
    place = time << 15 | (uint64_t)(id->bytes[6] & 0x0f) << 11 | (uint64_t)id->bytes[7] << 3 |
            (uint64_t)(id->bytes[8] >> 3 & 7);
    return (int64_t)place;
}

/* Writes of one call, which share commits. */
struct wave {
    pthread_mutex_t lock;
    pthread_cond_t over;
    size_t left;
};
struct wave_write {
    struct wave *wave;
    enum comb_status status;
    struct comb_error err;
    bool is_refused; /* by the guard: the version, or the place */
};

enum { PUT_STATEMENTS = 4 };

/* What is done with one document. */
struct change {
    const struct comb_uuid *id;
    struct comb_sql_value make[2], change[11], unindex[1], index[5];
    struct comb_sql_statement statements[PUT_STATEMENTS];
    size_t n_statements;
};

static void begin_change(struct change *change, const struct comb_uuid *id,
                         const struct comb_search_version *version)
{
    change->id = id;
    change->make[0] = comb_sql_integer(place_of(id));
    change->make[1] = change->change[0] = change->unindex[0] = comb_sql_uuid(id);
    change->change[1] = comb_sql_integer((int64_t)version->epoch);
    change->change[2] = comb_sql_integer((int64_t)version->revision);
    change->statements[0] = (struct comb_sql_statement){make_sql, change->make, 2, false};
    change->statements[2] = (struct comb_sql_statement){unindex_sql, change->unindex, 1, false};
}

static void put_change(struct change *change, const struct comb_search_document *document)
{
    begin_change(change, &document->id, &document->version);
    struct comb_sql_value *value = change->change;
    value[3] = comb_sql_uuid(&document->parent);
    value[4] = comb_sql_uuid(&document->owner);
    value[5] = comb_sql_integer(document->is_folder);
    value[6] = comb_sql_integer(document->size);
    value[7] = comb_sql_integer(document->modified_us);
    value[8] = comb_sql_text(document->name);
    value[9] = comb_sql_text(document->media);
    value[10] = comb_sql_blob(document->text);
    change->index[0] = comb_sql_uuid(&document->id);
    change->index[1] = comb_sql_text(document->name_terms);
    change->index[2] = comb_sql_text(document->meta_terms);
    change->index[3] = comb_sql_text(document->keyed_terms);
    change->index[4] = comb_sql_text(document->content_terms);
    change->statements[1] = (struct comb_sql_statement){put_sql, value, 11, true};
    change->statements[3] = (struct comb_sql_statement){index_sql, change->index, 5, false};
    change->n_statements = 4;
}

static void remove_change(struct change *change, const struct comb_uuid *id,
                          const struct comb_search_version *version)
{
    begin_change(change, id, version);
    change->change[3] = comb_sql_integer(comb_clock_wall_us());
    change->statements[1] = (struct comb_sql_statement){remove_sql, change->change, 4, true};
    change->n_statements = 3;
}

static void wave_done(void *data, enum comb_status status, const struct comb_sql_result *result,
                      const struct comb_error *err)
{
    struct wave_write *write = data;
    struct wave *wave = write->wave;
    write->status = status;
    write->is_refused = status == COMB_ABORTED && result && result->guard_failed >= 0;
    if (status != COMB_OK && err)
        write->err = *err;
    pthread_mutex_lock(&wave->lock);
    if (--wave->left == 0)
        pthread_cond_signal(&wave->over);
    pthread_mutex_unlock(&wave->lock);
}

/* All at once, so that they share commits; waits for the answers, which the deadline ends. */
static void run_wave(struct comb_search_store *self, struct comb_ctx *ctx,
                     const struct change *changes, size_t n, struct wave_write *writes)
{
    struct wave wave = {.left = n};
    pthread_mutex_init(&wave.lock, NULL);
    pthread_cond_init(&wave.over, NULL);
    for (size_t i = 0; i < n; i++) {
        const struct comb_sql_request request = {COMB_SQL_WRITE, 0, changes[i].statements,
                                                 changes[i].n_statements};
        writes[i] = (struct wave_write){.wave = &wave};
        comb_sql_submit(sql_of(self), ctx, &request, wave_done, &writes[i]);
    }
    pthread_mutex_lock(&wave.lock);
    while (wave.left > 0)
        pthread_cond_wait(&wave.over, &wave.lock);
    pthread_mutex_unlock(&wave.lock);
    pthread_cond_destroy(&wave.over);
    pthread_mutex_destroy(&wave.lock);
}

/* A refused write came late, and that is all; or its number is another's: the next one below. */
static enum comb_status place_anew(struct comb_search_store *self, struct comb_ctx *ctx,
                                   struct change *change, struct comb_error *err)
{
    const struct comb_sql_value id = comb_sql_uuid(change->id);
    const struct comb_sql_statement is_there = {is_there_sql, &id, 1, false};
    for (int i = 0; i < PLACES_MAX; i++) {
        const struct comb_sql_request read = {COMB_SQL_READ, 0, &is_there, 1};
        const struct comb_sql_request write = {COMB_SQL_WRITE, 0, change->statements,
                                               change->n_statements};
        const struct comb_sql_result *result = NULL;
        enum comb_status status = comb_sql_run(sql_of(self), ctx, &read, &result, err);
        if (status != COMB_OK || result->rows[0].n_rows > 0)
            return status;
        change->make[0].integer--;
        result = NULL;
        status = comb_sql_run(sql_of(self), ctx, &write, &result, err);
        if (status != COMB_ABORTED || !result || result->guard_failed < 0)
            return status;
    }
    return comb_error_set(err, COMB_INTERNAL, 0, "the search index has no number for a document");
}

static enum comb_status write_changes(struct comb_search_store *self, struct comb_ctx *ctx,
                                      struct change *changes, size_t n, struct comb_error *err)
{
    struct wave_write *writes = grpcc_arena_calloc(ctx->arena, n, sizeof *writes);
    if (!writes)
        return comb_error_no_memory(err);
    run_wave(self, ctx, changes, n, writes);
    for (size_t i = 0; i < n; i++) {
        enum comb_status status = writes[i].status;
        if (writes[i].is_refused)
            status = place_anew(self, ctx, &changes[i], err);
        else if (status != COMB_OK && err)
            *err = writes[i].err;
        if (status != COMB_OK)
            return status;
    }
    return COMB_OK;
}

static enum comb_status sqlite_put(struct comb_search_store *self, struct comb_ctx *ctx,
                                   const struct comb_search_document *documents, size_t n,
                                   struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        put_change(&changes[i], &documents[i]);
    return write_changes(self, ctx, changes, n, err);
}

static enum comb_status sqlite_remove(struct comb_search_store *self, struct comb_ctx *ctx,
                                      const struct comb_uuid *id,
                                      const struct comb_search_version *version,
                                      struct comb_error *err)
{
    struct change change;
    remove_change(&change, id, version);
    return write_changes(self, ctx, &change, 1, err);
}

/* ---- scanning ---- */

/* A candidate and its number. */
struct found {
    struct comb_search_candidate *candidates;
    int64_t *places;
    size_t n;
};

static enum comb_status read_candidates(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                        uint64_t certain, struct found *ret_found,
                                        struct comb_error *err)
{
    struct found found = {.n = rows->n_rows};
    found.candidates = grpcc_arena_calloc(ctx->arena, found.n, sizeof *found.candidates);
    found.places = grpcc_arena_calloc(ctx->arena, found.n, sizeof *found.places);
    if (!found.candidates || !found.places)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < found.n; i++) {
        const struct comb_sql_value *column = comb_sql_at(rows, i, 0);
        struct comb_search_candidate *candidate = &found.candidates[i];
        found.places[i] = column[0].integer;
        if (!comb_sql_uuid_at(rows, i, 1, &candidate->id) ||
            !comb_sql_uuid_at(rows, i, 2, &candidate->parent) ||
            !comb_sql_uuid_at(rows, i, 3, &candidate->owner))
            return comb_sql_row_damaged("search_doc", err);
        candidate->version =
            (struct comb_search_version){(uint64_t)column[4].integer, (uint64_t)column[5].integer};
        candidate->is_folder = column[6].integer != 0;
        candidate->size = column[7].integer;
        candidate->modified_us = column[8].integer;
        candidate->name = column[9].bytes;
        candidate->media = column[10].bytes;
        candidate->holds = certain;
    }
    *ret_found = found;
    return COMB_OK;
}

/* [1,2,3]. In arena; ptr is NULL without room. */
static comb_str json_array(struct grpcc_arena *arena, const int64_t *numbers, size_t n)
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

static void mark_holding(const struct comb_sql_rows *rows, struct found *found, unsigned number)
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
                                  bool names_alone, struct found *found, struct comb_error *err)
{
    struct comb_sql_value params[HOLDS_REQUEST_MAX][2];
    struct comb_sql_statement statements[HOLDS_REQUEST_MAX];
    const struct comb_sql_result *result;
    comb_str places = json_array(ctx->arena, found->places, found->n);
    for (size_t i = 0; i < n; i++) {
        comb_str expression = words_expression(ctx->arena, words[i], names_alone);
        if (!expression.ptr || !places.ptr)
            return comb_error_no_memory(err);
        params[i][0] = comb_sql_text(expression);
        params[i][1] = comb_sql_text(places);
        statements[i] = (struct comb_sql_statement){holds_sql, params[i], 2, false};
    }
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, statements, n};
    enum comb_status status = comb_sql_run(sql_of(self), ctx, &request, &result, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        mark_holding(&result->rows[i], found, words[i]->number);
    return status;
}

/* What the scan's own expression does not say. */
static enum comb_status complete(struct comb_search_store *self, struct comb_ctx *ctx,
                                 const struct comb_search_scan *scan, uint64_t certain,
                                 struct found *found, struct comb_error *err)
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
    struct found found;
    uint64_t certain = 0;
    comb_buf_init(&expression, SEARCH_MATCH_BYTES_MAX);
    bool has_words = search_match_query(&expression, scan->query, scan->names_alone, &certain);
    const struct comb_sql_value params[] = {
        comb_sql_text(has_words ? comb_buf_str(&expression) : STR("")),
        scan->before ? comb_sql_uuid(scan->before) : comb_sql_null(),
        comb_sql_integer(scan->before ? place_of(scan->before) : INT64_MAX),
        comb_sql_integer((int64_t)scan->max)};
    const struct comb_sql_statement statement = {has_words ? matches_sql : all_sql, params, 4,
                                                 false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    enum comb_status status = expression.failed
                                  ? comb_error_no_memory(err)
                                  : comb_sql_run(sql_of(self), ctx, &request, &result, err);
    comb_buf_done(&expression);
    if (status == COMB_OK)
        status = read_candidates(ctx, &result->rows[0], certain, &found, err);
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
                                            comb_sql_text(json_array(ctx->arena, NULL, n)),
                                            comb_sql_integer((int64_t)bytes_max)};
    const struct comb_sql_statement statement = {texts_sql, params, 3, false};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    comb_str *texts = grpcc_arena_calloc(ctx->arena, n, sizeof *texts);
    if (!texts || !params[1].bytes.ptr)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sql_run(sql_of(self), ctx, &request, &result, err);
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

static enum comb_status sqlite_sweep(struct comb_search_store *self, struct comb_ctx *ctx,
                                     uint64_t epoch, size_t max, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)epoch),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statements[] = {{sweep_text_sql, params, 2, false},
                                                    {sweep_sql, params, 2, false}};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, statements, 2};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql_of(self), ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_n = (size_t)result->rows[1].changes;
    return status;
}

static enum comb_status sqlite_purge(struct comb_search_store *self, struct comb_ctx *ctx,
                                     int64_t age_us, size_t max, size_t *ret_n,
                                     struct comb_error *err)
{
    const struct comb_sql_value params[] = {comb_sql_integer(comb_clock_wall_us() - age_us),
                                            comb_sql_integer((int64_t)max)};
    const struct comb_sql_statement statement = {purge_sql, params, 2, false};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql_of(self), ctx, &request, &result, err);
    if (status == COMB_OK)
        *ret_n = (size_t)result->rows[0].changes;
    return status;
}

static enum comb_status sqlite_count(struct comb_search_store *self, struct comb_ctx *ctx,
                                     struct comb_search_counts *ret_counts, struct comb_error *err)
{
    const struct comb_sql_statement statement = {.text = count_sql};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(sql_of(self), ctx, &request, &result, err);
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
    .put = sqlite_put,
    .remove = sqlite_remove,
    .scan = sqlite_scan,
    .texts = sqlite_texts,
    .sweep = sqlite_sweep,
    .purge = sqlite_purge,
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
