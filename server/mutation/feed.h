/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the change feed (CONSISTENCY 3). Entries are written by mutation.h, in the transaction of
 * the change itself.
 *
 * Two readers. The ordered one goes by cursors and skips nothing, so it waits for the slowest
 * transaction that is open. The poll of the caches waits for nobody: it asks what has become
 * visible since it last asked, in whatever order.
 */
#ifndef COMB_MUTATION_FEED_H
#define COMB_MUTATION_FEED_H

#include "server/mutation/mutation.h"

/* A place in the order in which the ordered reader reads. It is no position: what stands in front
 * of it may become visible later than what stands behind. */
struct comb_cursor {
    uint64_t incarnation;
    uint64_t sequence;
};

/* A feed entry as it was stored. All in the arena of the ctx that read it. */
struct comb_feed_record {
    struct comb_cursor cursor;
    int64_t time_us;
    struct comb_uuid actor; /* nil: the server itself */
    struct comb_feed_entry entry;
};

struct comb_feed_page {
    const struct comb_feed_record *records;
    size_t n;
    struct comb_cursor end; /* go on from it */
    /* All entries that a snapshot at this position sees stand in front of `end`. */
    struct comb_position complete;
};

/*
 * The ordered reader: up to max entries after `after`, nothing skipped. OUT_OF_RANGE
 * (CURSOR_EXPIRED) where `after` is older than the retention; INVALID_ARGUMENT (CURSOR_INVALID)
 * where it is of another history or ahead of the feed. Raises ctx->reached to the position of what
 * was read, which sees all of the entries. Blocks.
 */
enum comb_status comb_feed_read(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_cursor after, size_t max,
                                struct comb_feed_page *ret_page,
                                struct comb_error *err) COMB_MUST_CHECK;
/* The newest cursor: what is not visible at ctx->reached, which is raised, comes after it; so may
 * some of what is. Blocks. */
enum comb_status comb_feed_head(struct comb_sql *sql, struct comb_ctx *ctx,
                                struct comb_cursor *ret_head,
                                struct comb_error *err) COMB_MUST_CHECK;

/* The oldest cursor that can still be read from. Blocks. */
enum comb_status comb_feed_oldest(struct comb_sql *sql, struct comb_ctx *ctx,
                                  struct comb_cursor *ret_oldest,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* How many entries there are behind a cursor, those included that the ordered reader may not read
 * yet; no more than the first max are looked at. *ret_oldest_us: when the oldest of them was
 * written; 0: there is none. Blocks. */
enum comb_status comb_feed_lag(struct comb_sql *sql, struct comb_ctx *ctx, struct comb_cursor after,
                               size_t max, size_t *ret_n, int64_t *ret_oldest_us,
                               struct comb_error *err) COMB_MUST_CHECK;

/* A statement without parameters that gives the position of its snapshot (comb_position.sequence)
 * in its only column: to be read in one request with what it is the position of. */
const char *comb_position_sql(struct comb_sql *sql);

/* The same for the newest cursor (comb_cursor.sequence). In a write it agrees with what the write
 * reads only behind the statements of comb_feed_hold(), which keep the feed still to its end; they
 * are guards, which fail while a slow transaction is open. Returns their number. */
#define COMB_FEED_HOLD_STATEMENTS 2
const char *comb_cursor_sql(struct comb_sql *sql);
size_t comb_feed_hold(struct comb_sql *sql,
                      struct comb_sql_statement statements[COMB_FEED_HOLD_STATEMENTS]);

/* What polls have seen so far. Zero: nothing. */
struct comb_feed_mark {
    struct comb_position position;
    uint64_t through; /* entries up to this sequence have been seen, whatever happens */
    uint64_t beat;    /* of the store's heartbeat */
    char session[40]; /* of the store: numbers of another session do not compare */
    comb_str snapshot;
};
/* What a poll brought. */
struct comb_feed_news {
    const struct comb_feed_record *records;
    size_t n;
    bool lost; /* there may be changes that are not among the records: know nothing any more */
    bool more; /* and ask again, there is more already */
    struct comb_feed_mark mark; /* snapshot in the arena; for the next poll */
};
/*
 * The statements of a poll, for a COMB_SQL_POLL request of the caller's own: what became visible
 * since, at most max entries. Returns their number. since and params live as long as statements.
 * _decode reads the answer; records come in the order in which the store's transactions began.
 */
#define COMB_FEED_POLL_STATEMENTS 2
size_t comb_feed_poll(struct comb_sql *sql, const struct comb_feed_mark *since, size_t max,
                      struct comb_sql_statement statements[COMB_FEED_POLL_STATEMENTS],
                      struct comb_sql_value params[2]);
enum comb_status comb_feed_poll_decode(struct comb_sql *sql, struct grpcc_arena *arena,
                                       const struct comb_feed_mark *since, size_t max,
                                       const struct comb_sql_result *result,
                                       struct comb_feed_news *ret_news,
                                       struct comb_error *err) COMB_MUST_CHECK;

/*
 * A write that raises the heartbeat, durable where all writes are (CONSISTENCY 1.8): a server that
 * was left behind by a promotion, or is cut off from its standby, completes none, so polls of it
 * see none. NULL: the store needs none.
 */
const char *comb_feed_heartbeat_sql(struct comb_sql *sql);

/* The store was put back from a backup, maybe into another server: where its entries have numbers
 * that this one would give out again, they go. Blocks. */
enum comb_status comb_feed_begin_anew(struct comb_sql *sql, struct comb_ctx *ctx,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* Deletes what is older than keep_us and tells how far the feed goes back. Blocks. */
enum comb_status comb_feed_trim(struct comb_sql *sql, struct comb_ctx *ctx, int64_t keep_us,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
