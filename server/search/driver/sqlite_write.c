/* SPDX-License-Identifier: Apache-2.0 */
/* Writing documents into the search index in SQLite: the two parts, and tombstones. */
#include <pthread.h>

#include "server/core/clock.h"
#include "server/search/driver/sqlite_internal.h"

/* Numbers that are tried for an id. */
#define PLACES_MAX 64

/* ?1 place ?2 id ?3 now: nothing where either is there. */
static const char make_sql[] =
    "INSERT OR IGNORE INTO search_doc (place, id, dead_us) VALUES (?1, ?2, ?3)";
/* ?1 id ?2 epoch ?3 revision */
#define IS_NOT_LATE " WHERE id = ?1 AND (epoch < ?2 OR (epoch = ?2 AND rev <= ?3))"
#define CONTENT_IS_NOT_LATE                                                                        \
    " WHERE id = ?1 AND (content_epoch < ?2 OR (content_epoch = ?2 AND content_rev <= ?3))"
static const char put_sql[] =
    "UPDATE search_doc SET epoch = ?2, rev = ?3, dead_us = 0, below = 0, parent = ?4,"
    " is_folder = ?5, size = ?6, modified_us = ?7, name = ?8, media = ?9" IS_NOT_LATE;
static const char remove_sql[] =
    "UPDATE search_doc SET epoch = ?2, rev = ?3, dead_us = ?4, below = ?5, parent = NULL,"
    " name = '', media = '', blob = NULL, outcome = 0, reason = 0, text = x''" IS_NOT_LATE;
static const char put_content_sql[] =
    "UPDATE search_doc SET content_epoch = ?2, content_rev = ?3, blob = ?4, outcome = ?5,"
    " reason = ?6, text = ?7" CONTENT_IS_NOT_LATE;
static const char same_content_sql[] =
    "UPDATE search_doc SET content_epoch = ?2, content_rev = ?3" CONTENT_IS_NOT_LATE
    " AND blob = ?4";

#define PLACE_OF_ID "(SELECT place FROM search_doc WHERE id = ?1)"
static const char unindex_sql[] = "DELETE FROM search_text WHERE rowid = " PLACE_OF_ID;
static const char unname_sql[] = "DELETE FROM search_name WHERE rowid = " PLACE_OF_ID;
/* What there is of the other part stays. */
#define INDEXED(column)                                                                            \
    "coalesce((SELECT " column " FROM search_text WHERE rowid = search_doc.place), '')"
static const char index_sql[] =
    "INSERT OR REPLACE INTO search_text (rowid, name, meta, keyed, content)"
    " SELECT place, ?2, ?3, ?4, " INDEXED("content") " FROM search_doc WHERE id = ?1";
static const char name_sql[] = "INSERT OR REPLACE INTO search_name (rowid, name)"
                               " SELECT place, ?2 FROM search_doc WHERE id = ?1";
static const char index_content_sql[] =
    "INSERT OR REPLACE INTO search_text (rowid, name, meta, keyed, content)"
    " SELECT place, " INDEXED("name") ", " INDEXED("meta") ", " INDEXED(
        "keyed") ", ?2"
                 " FROM search_doc WHERE id = ?1";
static const char is_there_sql[] = "SELECT 1 FROM search_doc WHERE id = ?1";

int64_t search_sqlite_place(const struct comb_uuid *id)
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

enum { CHANGE_STATEMENTS = 4 };

/* What is done with one document. */
struct change {
    const struct comb_uuid *id;
    struct comb_sql_value make[3], change[9], index[4];
    struct comb_sql_statement statements[CHANGE_STATEMENTS];
    size_t n_statements;
    bool is_optional; /* where there is no row, nothing is to be done */
};

/* guard: the statement that writes the row unless it came late; index: that of its terms, or NULL.
 */
static void begin_change(struct change *change, const struct comb_uuid *id,
                         const struct comb_search_version *version, const char *guard,
                         size_t n_guard, const char *index, size_t n_index)
{
    change->id = id;
    change->make[0] = comb_sql_integer(search_sqlite_place(id));
    change->make[1] = change->change[0] = change->index[0] = comb_sql_uuid(id);
    change->make[2] = comb_sql_integer(comb_clock_wall_us());
    change->change[1] = comb_sql_integer((int64_t)version->epoch);
    change->change[2] = comb_sql_integer((int64_t)version->revision);
    change->statements[0] = (struct comb_sql_statement){make_sql, change->make, 3, false};
    change->statements[1] = (struct comb_sql_statement){guard, change->change, n_guard, true};
    change->statements[2] = (struct comb_sql_statement){index, change->index, n_index, false};
    change->n_statements = index ? 3 : 2;
}

/* Also: the statement that keeps the name, of the first parameters of the one for the terms. */
static void add_naming(struct change *change, const char *naming, size_t n)
{
    change->statements[change->n_statements++] =
        (struct comb_sql_statement){naming, change->index, n, false};
}

static void put_change(struct change *change, const struct comb_search_document *document)
{
    begin_change(change, &document->id, &document->version, put_sql, 9, index_sql, 4);
    add_naming(change, name_sql, 2);
    struct comb_sql_value *value = change->change;
    value[3] = comb_sql_uuid(&document->parent);
    value[4] = comb_sql_integer(document->is_folder);
    value[5] = comb_sql_integer(document->size);
    value[6] = comb_sql_integer(document->modified_us);
    value[7] = comb_sql_text(document->name);
    value[8] = comb_sql_text(document->media);
    change->index[1] = comb_sql_text(document->name_terms);
    change->index[2] = comb_sql_text(document->meta_terms);
    change->index[3] = comb_sql_text(document->keyed_terms);
}

static void remove_change(struct change *change, const struct comb_search_removal *removal)
{
    begin_change(change, &removal->id, &removal->version, remove_sql, 5, unindex_sql, 1);
    add_naming(change, unname_sql, 1);
    change->change[3] = comb_sql_integer(comb_clock_wall_us());
    change->change[4] = comb_sql_integer(removal->is_folder);
}

static void content_change(struct change *change, const struct comb_search_content *content)
{
    if (content->is_unchanged)
        begin_change(change, &content->id, &content->version, same_content_sql, 4, NULL, 0);
    else
        begin_change(change, &content->id, &content->version, put_content_sql, 7, index_content_sql,
                     2);
    change->is_optional = content->is_unchanged;
    struct comb_sql_value *value = change->change;
    value[3] = comb_sql_uuid(&content->blob);
    value[4] = comb_sql_integer(content->outcome);
    value[5] = comb_sql_integer(content->reason);
    value[6] = comb_sql_blob(content->text);
    change->index[1] = comb_sql_text(content->terms);
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
        comb_sql_submit(search_sqlite_of(self), ctx, &request, wave_done, &writes[i]);
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
    bool was_there = false;
    for (int i = 0; i < PLACES_MAX; i++) {
        const struct comb_sql_request read = {COMB_SQL_READ, 0, &is_there, 1};
        const struct comb_sql_request write = {COMB_SQL_WRITE, 0, change->statements,
                                               change->n_statements};
        const struct comb_sql_result *result = NULL;
        enum comb_status status = comb_sql_run(search_sqlite_of(self), ctx, &read, &result, err);
        if (status != COMB_OK)
            return status;
        bool is_there_now = result->rows[0].n_rows > 0;
        /* Who writes the other part may just have made it. */
        if (is_there_now && was_there)
            return COMB_OK;
        was_there = is_there_now;
        if (!is_there_now)
            change->make[0].integer--;
        result = NULL;
        status = comb_sql_run(search_sqlite_of(self), ctx, &write, &result, err);
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
        if (writes[i].is_refused && changes[i].is_optional)
            status = COMB_OK;
        else if (writes[i].is_refused)
            status = place_anew(self, ctx, &changes[i], err);
        else if (status != COMB_OK && err)
            *err = writes[i].err;
        if (status != COMB_OK)
            return status;
    }
    return COMB_OK;
}

enum comb_status search_sqlite_put(struct comb_search_store *self, struct comb_ctx *ctx,
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

enum comb_status search_sqlite_remove(struct comb_search_store *self, struct comb_ctx *ctx,
                                      const struct comb_search_removal *removals, size_t n,
                                      struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        remove_change(&changes[i], &removals[i]);
    return write_changes(self, ctx, changes, n, err);
}

enum comb_status search_sqlite_put_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                           const struct comb_search_content *contents, size_t n,
                                           struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        content_change(&changes[i], &contents[i]);
    return write_changes(self, ctx, changes, n, err);
}
