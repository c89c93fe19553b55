/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: entries that are added, found again, counted and followed (api/comb/v1/log.proto). An entry
 * is an item of the docs row (record.h says of what form) at the place of its time, its batch and
 * its index there, so that a batch that is added again changes nothing.
 *
 * Calls: any thread, blocking, obeying ctx's deadline; what they return lives in ctx's arena. Who
 * calls has been found to be an administrator, or is the server. Errors, unless said otherwise:
 * UNAVAILABLE (the docs row is away), RESOURCE_EXHAUSTED (it is full).
 */
#ifndef COMB_LOGS_H
#define COMB_LOGS_H

#include "comb/v1/log.grpcc.h"
#include "server/core/ctx.h"
#include "server/core/log.h"
#include "server/items/items_driver.h"

/* Of one entry. */
#define COMB_LOGS_SERVICE_BYTES_MAX 64
#define COMB_LOGS_USER_BYTES_MAX 255
#define COMB_LOGS_MESSAGE_BYTES_MAX 8192
#define COMB_LOGS_VALUES_MAX 32
#define COMB_LOGS_NAME_BYTES_MAX 64
#define COMB_LOGS_VALUE_BYTES_MAX 4096
#define COMB_LOGS_ENTRY_BYTES_MAX 16384
/* Different words by which an entry is found. */
#define COMB_LOGS_WORDS_MAX 64
/* How far ahead of this server's clock an entry's time may be. */
#define COMB_LOGS_AHEAD_US (60LL * 1000 * 1000)
/* Entries of one call of comb_logs_append, and of one batch. */
#define COMB_LOGS_APPEND_MAX 1000
#define COMB_LOGS_BATCH_MAX 65536
/* What is looked for. */
#define COMB_LOGS_ASKED_BYTES_MAX 1024
#define COMB_LOGS_ASKED_WORDS_MAX 8
/* What a page ends at: entries that were looked at, and bytes. */
#define COMB_LOGS_PAGE_EXAMINED_MAX 2000
#define COMB_LOGS_PAGE_BYTES_MAX ((size_t)1 << 20)
/* And a time, where the store is slow. */
#define COMB_LOGS_PAGE_MS_MAX 5000
/* A count, and a look of who follows, look at so many times what a page does. */
#define COMB_LOGS_LONG_PAGES 5
/* An entry may arrive so much later than its time for who follows. */
#define COMB_LOGS_LATE_US (10LL * 1000 * 1000)
#define COMB_LOGS_FOLLOW_BACK_US (3600LL * 1000 * 1000)
/* Entries of one answer to who follows. */
#define COMB_LOGS_NEWS_MAX 100

struct comb_logs;

struct comb_logs_parts {
    struct comb_items_store *store;
    int64_t keep_us;       /* entries are removed at that age; 0: never */
    uint64_t keep_entries; /* and the oldest where there are more; 0: any number */
    size_t examined_max;   /* by a page; 0: COMB_LOGS_PAGE_EXAMINED_MAX */
};

/* Parts must live longer. Starts a thread that removes what is not to be kept. */
enum comb_status comb_logs_new(const struct comb_logs_parts *parts, struct comb_logs **ret_logs,
                               struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running. NULL is fine. */
void comb_logs_free(struct comb_logs *logs);

struct comb_logs_stats {
    uint64_t appended;  /* entries, repeated ones among them */
    uint64_t followers; /* now */
};
/* Any thread; never blocks. */
void comb_logs_get_stats(const struct comb_logs *logs, struct comb_logs_stats *ret_stats);

/* ---- adding ---- */

struct comb_log_value {
    comb_str name; /* printable ASCII without blanks, '=' and '"' */
    comb_str value;
};

/* Texts are UTF-8 without NUL. */
struct comb_log_entry {
    int64_t time_us;           /* since 1970; 0: the time that is in the batch's id */
    enum comb_log_level level; /* ERROR to TRACE */
    comb_str service;          /* printable ASCII without blanks */
    comb_str user, trace;      /* may be empty; trace: 32 hexadecimal digits */
    comb_str message;
    const struct comb_log_value *values;
    size_t n_values;
};

/*
 * Adds entries `first` and following of a batch: up to COMB_LOGS_APPEND_MAX, in order. Durable when
 * it returns; after a failure some of them may be there. Those that were added before, of the same
 * batch, index and time, stay as they are. batch: version 7. INVALID_ARGUMENT (FIELD_INVALID): an
 * entry is not as it must be, and nothing was added.
 */
enum comb_status comb_logs_append(struct comb_logs *logs, struct comb_ctx *ctx,
                                  const struct comb_uuid *batch, size_t first,
                                  const struct comb_log_entry *entries, size_t n,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* ---- finding ---- */

/* All that is given must hold. */
struct comb_log_filter {
    comb_str text;                 /* words, each of which must be there; empty: any */
    enum comb_log_level level;     /* this and what is worse; 0: any */
    comb_str service, user, trace; /* empty: any */
    int64_t since_us, until_us;    /* since <= time < until; 0: no bound */
};

struct comb_log_query {
    struct comb_log_filter filter;
    bool is_oldest_first;
    comb_str behind; /* `next` of the page before; empty: the first one */
    size_t max;      /* 1 to 1,000 */
};

struct comb_log_page {
    struct comb_v1_log_entry **entries;
    size_t n;
    comb_str next; /* empty: this was the last page */
};

/* INVALID_ARGUMENT (FIELD_INVALID): the filter is not as it must be. */
enum comb_status comb_logs_query(struct comb_logs *logs, struct comb_ctx *ctx,
                                 const struct comb_log_query *query, struct comb_log_page *ret_page,
                                 struct comb_error *err) COMB_MUST_CHECK;

struct comb_log_counts {
    struct comb_v1_log_count **counts; /* newest first; periods without entries are left out */
    size_t n;
    comb_str next; /* empty: all have been counted */
};

/* behind: `next` of the call before, or empty. Errors as of comb_logs_query. */
enum comb_status comb_logs_count(struct comb_logs *logs, struct comb_ctx *ctx,
                                 const struct comb_log_filter *filter, int64_t period_us,
                                 comb_str behind, struct comb_log_counts *ret_counts,
                                 struct comb_error *err) COMB_MUST_CHECK;

/* ---- following ---- */

/* Who follows what comes in. One thread at a time. */
struct comb_log_follow;

struct comb_log_news {
    struct comb_v1_log_entry **entries; /* oldest first */
    size_t n;
    int64_t gap_since_us, gap_until_us; /* entries between may be missing; both 0: none are */
    bool more;                          /* ask again at once */
};

/* filter is copied; its since: where it begins, at most COMB_LOGS_FOLLOW_BACK_US ago, 0: now; it
 * has no until. Asks no store. INVALID_ARGUMENT. */
enum comb_status comb_logs_follow_new(struct comb_logs *logs, const struct comb_log_filter *filter,
                                      struct comb_log_follow **ret_follow,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* What is new since the last call, at most COMB_LOGS_NEWS_MAX; there may be nothing. Behind a
 * failure it goes on where it was, and tells of the time as of a gap. */
enum comb_status comb_logs_follow_next(struct comb_log_follow *follow, struct comb_ctx *ctx,
                                       struct comb_log_news *ret_news,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_logs_follow_free(struct comb_log_follow *follow);

#endif
