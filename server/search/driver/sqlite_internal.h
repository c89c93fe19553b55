/* SPDX-License-Identifier: Apache-2.0 */
/* What reads and writes of the search index in SQLite share. */
#ifndef COMB_SEARCH_DRIVER_SQLITE_INTERNAL_H
#define COMB_SEARCH_DRIVER_SQLITE_INTERNAL_H

#include "server/search/driver/sqlite.h"

struct search_sqlite {
    struct comb_search_store base;
    struct comb_sql *sql;
};

struct comb_sql *search_sqlite_of(struct comb_search_store *self);
/* The number of an id, by which FTS5 gives its matches: the 60 bits of time and fraction, and three
 * of the random ones behind them. Where another has it, the next free one below. */
int64_t search_sqlite_place(const struct comb_uuid *id);

/* ---- reading ---- */

#define SEARCH_SQLITE_CANDIDATE                                                                    \
    "search_doc.place, id, parent, epoch, rev, is_folder, size, modified_us, "                     \
    "search_doc.name, media"

/* Candidates and their numbers. */
struct search_found {
    struct comb_search_candidate *candidates;
    int64_t *places;
    size_t n;
};
/* From rows that begin with SEARCH_SQLITE_CANDIDATE. certain: conditions that hold for all. */
enum comb_status search_sqlite_candidates(struct comb_ctx *ctx, const struct comb_sql_rows *rows,
                                          uint64_t certain, struct search_found *ret_found,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* [1,2,3]; numbers NULL: zeros. In arena; ptr is NULL without room. */
comb_str search_sqlite_array(struct grpcc_arena *arena, const int64_t *numbers, size_t n);

/* The slot where scan->among is set (sqlite_among.c). */
enum comb_status search_sqlite_scan_among(struct comb_search_store *self, struct comb_ctx *ctx,
                                          const struct comb_search_scan *scan,
                                          struct comb_search_found *ret_found,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* ?1 packed ids, ?2 a JSON array of as many elements: in their order, with the terms of the name.
 */
#define SEARCH_SQLITE_AMONG                                                                        \
    "SELECT " SEARCH_SQLITE_CANDIDATE ", search_name.name"                                         \
    " FROM (SELECT key AS nth FROM json_each(?2)) AS asked"                                        \
    " CROSS JOIN search_doc ON id = substr(?1, asked.nth * 16 + 1, 16)"                            \
    " LEFT JOIN search_name ON search_name.rowid = search_doc.place WHERE dead_us = 0"
/* ?1 a JSON array of numbers, ?2, ?3, ?4 whether content, metadata, keyed metadata are wanted. */
#define SEARCH_SQLITE_TERMS                                                                        \
    "SELECT asked.key, CASE WHEN ?2 THEN content END, CASE WHEN ?3 THEN meta END,"                 \
    " CASE WHEN ?4 THEN keyed END FROM json_each(?1) AS asked"                                     \
    " CROSS JOIN search_text ON search_text.rowid = asked.value"

/* Slots (sqlite_write.c). */
enum comb_status search_sqlite_put(struct comb_search_store *self, struct comb_ctx *ctx,
                                   const struct comb_search_document *documents, size_t n,
                                   struct comb_error *err);
enum comb_status search_sqlite_remove(struct comb_search_store *self, struct comb_ctx *ctx,
                                      const struct comb_search_removal *removals, size_t n,
                                      struct comb_error *err);
enum comb_status search_sqlite_put_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                           const struct comb_search_content *contents, size_t n,
                                           struct comb_error *err);
/* Slots (sqlite_tidy.c). */
enum comb_status search_sqlite_prune(struct comb_search_store *self, struct comb_ctx *ctx,
                                     size_t max, size_t *ret_n, struct comb_error *err);
enum comb_status search_sqlite_sweep(struct comb_search_store *self, struct comb_ctx *ctx,
                                     uint64_t epoch, size_t max, size_t *ret_n,
                                     struct comb_error *err);
enum comb_status search_sqlite_purge(struct comb_search_store *self, struct comb_ctx *ctx,
                                     int64_t age_us, size_t max, size_t *ret_n,
                                     struct comb_error *err);
enum comb_status search_sqlite_sweep_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                             uint64_t epoch, size_t max, size_t *ret_n,
                                             struct comb_error *err);

/* What they look for, by an index each. ?1 epoch or id, ?2 max. */
#define SEARCH_SQLITE_SWEPT                                                                        \
    "SELECT place FROM search_doc WHERE dead_us = 0 AND epoch < ?1 ORDER BY epoch, place LIMIT ?2"
#define SEARCH_SQLITE_SWEPT_CONTENT                                                                \
    "SELECT place FROM search_doc WHERE blob IS NOT NULL AND content_epoch < ?1"                   \
    " ORDER BY content_epoch, place LIMIT ?2"
#define SEARCH_SQLITE_BELOW "SELECT place FROM search_doc WHERE parent = ?1 ORDER BY place LIMIT ?2"
/* The tombstone that is worked off next. */
#define SEARCH_SQLITE_TO_PRUNE "SELECT id FROM search_doc WHERE below = 1 ORDER BY place LIMIT 1"
/* ?1 dead until, ?2 max. */
#define SEARCH_SQLITE_PURGED                                                                       \
    "SELECT place FROM search_doc WHERE dead_us > 0 AND dead_us < ?1 AND below = 0"                \
    " ORDER BY dead_us LIMIT ?2"

#endif
