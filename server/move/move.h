/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving house: what a row holds, as a stream of records, out of one store and into another
 * (docs/move.md). `comb admin move-row`, `comb admin backup` and `combd --restore` are all made of
 * this.
 *
 * A row gives its records in an order of its own, the same over each of its drivers: by part (a
 * table, "secret", "object"), then by key. Equal contents are equal streams, so counts and SHA-256
 * of the parts say whether a copy is whole. Taking a record in is idempotent: a copy that was
 * interrupted is begun again, and what is there already is passed over.
 *
 * Threads: one for each object, which may have some of its own. All functions block; a store that
 * is away ends them with UNAVAILABLE.
 */
#ifndef COMB_MOVE_H
#define COMB_MOVE_H

#include "server/backend/sql/sql.h"
#include "server/config/config_driver.h"
#include "server/core/buf.h"
#include "server/core/hash.h"
#include "server/data/blob_driver.h"
#include "server/documents/documents_driver.h"
#include "server/items/items_driver.h"
#include "server/vault/vault_driver.h"

/* Parts of one row, and the name of one. */
#define COMB_MOVE_PARTS_MAX 64
#define COMB_MOVE_PART_BYTES_MAX 63
/* Key and value of one record. */
#define COMB_MOVE_KEY_BYTES_MAX 65536
#define COMB_MOVE_VALUE_BYTES_MAX (8u << 20)
/* Bytes of a content in one record. */
#define COMB_MOVE_CHUNK_BYTES (256u << 10)
/* Contents that are read, or written, at once: what a distant store takes for its answer is waited
 * for once and not for each. Only those up to so many bytes, which are in memory whole: larger ones
 * go through in pieces, one content after the other. */
#define COMB_MOVE_AT_ONCE_MAX 16
#define COMB_MOVE_SMALL_BYTES_MAX (1u << 20)

struct comb_move_record {
    comb_str part, key, value; /* borrowed: until the function that it is given to returns */
};

/* Who is given records. What it returns other than OK ends the export. */
struct comb_move_sink {
    enum comb_status (*take)(void *data, const struct comb_move_record *record,
                             struct comb_error *err);
    void *data;
};

/* What a row's store holds of one part. */
struct comb_move_sum {
    char part[COMB_MOVE_PART_BYTES_MAX + 1];
    uint64_t records, bytes;
    uint8_t sha256[COMB_SHA256_SIZE];
};

struct comb_move_sums {
    struct comb_move_sum items[COMB_MOVE_PARTS_MAX];
    size_t n;
};

struct comb_move_row;

struct comb_move_row_ops {
    const char *name; /* "sql" */
    /* Gives all records to sink. */
    enum comb_status (*give)(struct comb_move_row *self, const struct comb_move_sink *sink,
                             struct comb_error *err);
    /* Whether nobody has used the store yet. */
    enum comb_status (*is_empty)(struct comb_move_row *self, bool *ret_empty,
                                 struct comb_error *err);
    /* Before the first record comes: takes away what a new store has by itself. Once only, also
     * where a copy is begun again. NULL: nothing. */
    enum comb_status (*prepare)(struct comb_move_row *self, struct comb_error *err);
    /* Takes one in; it may be durable later only. */
    enum comb_status (*take)(struct comb_move_row *self, const struct comb_move_record *record,
                             struct comb_error *err);
    /* All that was taken is durable. NULL: it is at once. */
    enum comb_status (*flush)(struct comb_move_row *self, struct comb_error *err);
    void (*free)(struct comb_move_row *self);
};

struct comb_move_row {
    const struct comb_move_row_ops *ops;
};

/* NULL is fine. */
void comb_move_row_free(struct comb_move_row *row);

/*
 * The tables of sql, which is borrowed and has been migrated, by its own catalogue. Left out is
 * what is of one store's history and no other's: the feed of changes, whose numbers mean nothing
 * elsewhere.
 */
enum comb_status comb_move_sql_new(struct comb_sql *sql, struct comb_move_row **ret_row,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* The state of the store that `give` reads from now on: that of now. comb_move_data_new() takes the
 * same one. Borrowed, lives as long as the row. */
enum comb_status comb_move_sql_hold(struct comb_move_row *row,
                                    struct comb_sql_snapshot **ret_snapshot,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* All secrets, with those versions that have a value. Their numbers stay, their times do not. */
enum comb_status comb_move_vault_new(struct comb_vault *vault, struct comb_move_row **ret_row,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* All values with who set them. Their revisions are new ones, what they were before is left. */
enum comb_status comb_move_config_new(struct comb_config_store *config,
                                      struct comb_move_row **ret_row,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* What was found of contents that are not as the sql row has them. */
struct comb_move_faults {
    uint64_t missing, damaged;
    char first[COMB_BLOB_KEY_MAX]; /* the key of the first one; "" */
};
/*
 * The contents that the sql row names, each held against the SHA-256 that it has of it. Both are
 * borrowed. names NULL: the row only takes.
 */
enum comb_status comb_move_data_new(struct comb_blobs *blobs, struct comb_sql_snapshot *names,
                                    struct comb_move_row **ret_row,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Of the last `give`. */
void comb_move_data_faults(const struct comb_move_row *row, struct comb_move_faults *ret_faults);

/* What of the docs row is of nothing else's making, in stores that are open on it; borrowed. */
enum { COMB_DOCS_ACTIVITIES, COMB_DOCS_LOGS, COMB_DOCS_ITEMS };
struct comb_docs_stores {
    struct comb_documents_store *documents;
    struct comb_items_store *items[COMB_DOCS_ITEMS];
};
/* Documents, activities with their notes, and kept logs; of the latter two up to the newest that
 * there is. */
enum comb_status comb_move_docs_new(const struct comb_docs_stores *stores,
                                    struct comb_move_row **ret_row,
                                    struct comb_error *err) COMB_MUST_CHECK;

/* ---- the engine ---- */

/* Told now and then; false: stop, with CANCELLED. */
struct comb_move_progress {
    bool (*tell)(void *data, const char *what, comb_str part, uint64_t records, uint64_t bytes);
    void *data;
};

/* Sums of what row gives. sink NULL: only that; else it is given all of it. */
enum comb_status comb_move_sum(struct comb_move_row *row, const char *what,
                               const struct comb_move_sink *sink,
                               const struct comb_move_progress *progress,
                               struct comb_move_sums *ret_sums,
                               struct comb_error *err) COMB_MUST_CHECK;
/* Adds one record to sums; comb_move_sums_end() says them. */
struct comb_move_summer;
struct comb_move_summer *comb_move_summer_new(void) COMB_MUST_CHECK;
enum comb_status comb_move_summer_add(struct comb_move_summer *summer,
                                      const struct comb_move_record *record,
                                      struct comb_error *err) COMB_MUST_CHECK;
void comb_move_summer_end(struct comb_move_summer *summer, struct comb_move_sums *ret_sums);
void comb_move_summer_free(struct comb_move_summer *summer);

/* DATA_LOSS with the first part that differs. */
enum comb_status comb_move_compare(const char *row, const struct comb_move_sums *from,
                                   const struct comb_move_sums *to,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* All that `from` gives into `to`, which has been prepared, and both read again and compared. */
enum comb_status comb_move_copy(struct comb_move_row *from, struct comb_move_row *to,
                                const struct comb_move_progress *progress,
                                struct comb_move_sums *ret_sums,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
