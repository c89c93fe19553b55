/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the change feed (CONSISTENCY 3). Entries are written by mutation.h, in the transaction of
 * the change itself.
 */
#ifndef COMB_MUTATION_FEED_H
#define COMB_MUTATION_FEED_H

#include "server/mutation/mutation.h"

/* A feed entry as it was stored. All in the arena of the ctx that read it. */
struct comb_feed_record {
    struct comb_position position;
    int64_t time_us;
    struct comb_uuid actor; /* nil: the server itself */
    struct comb_feed_entry entry;
};

/*
 * The ordered reader: up to max entries after `after`, nothing skipped. *ret_end is the position up
 * to which has been read: go on from it. OUT_OF_RANGE (CURSOR_EXPIRED) where `after` is older than
 * the retention; INVALID_ARGUMENT (CURSOR_INVALID) where it is of another incarnation or ahead of
 * the feed. Blocks.
 */
enum comb_status comb_feed_read(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_position after, size_t max,
                                const struct comb_feed_record **ret_records, size_t *ret_n,
                                struct comb_position *ret_end,
                                struct comb_error *err) COMB_MUST_CHECK;
/* The newest position. Blocks. */
enum comb_status comb_feed_head(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_position *ret_head,
                                struct comb_error *err) COMB_MUST_CHECK;

/* The statements of the caches' poll, for a COMB_SQL_POLL request of the caller's own: entries
 * after ?1, at most ?2, by sequence; comb_feed_decode reads its rows. And deletes entries older
 * than ?1 (microseconds): retention. */
extern const char comb_feed_poll_sql[];
extern const char comb_feed_head_sql[];
enum comb_status comb_feed_decode(struct grpcc_arena *arena, uint64_t incarnation,
                                  const struct comb_sql_rows *rows,
                                  const struct comb_feed_record **ret_records,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Deletes what is older than keep_us and tells how far the feed goes back. Blocks. */
enum comb_status comb_feed_trim(struct comb_sql *sql, struct comb_ctx *ctx, int64_t keep_us,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
