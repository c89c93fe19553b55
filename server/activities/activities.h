/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who did what to what. A consumer of the change feed adds an item for each change of a node
 * (record.h says of what form); everything else is decided when items are read: who may see which,
 * what nodes are called now, what is one line.
 *
 * Calls: any thread, blocking, obeying ctx's deadline; what they return lives in ctx's arena.
 * Errors, unless said otherwise: UNAVAILABLE (the docs row is away) and those of the facts.
 */
#ifndef COMB_ACTIVITIES_H
#define COMB_ACTIVITIES_H

#include "comb/v1/activity.grpcc.h"
#include "server/consumers/consumer.h"
#include "server/items/items_driver.h"
#include "server/permissions/access.h"

/* What one user follows. */
#define COMB_ACTIVITY_FOLLOWS_MAX COMB_ITEM_SCAN_KEYS_MAX
/* Items that a page, a count of the unread, and a digest look at. */
#define COMB_ACTIVITY_PAGE_EXAMINED_MAX 2000
#define COMB_ACTIVITY_DIGEST_EXAMINED_MAX 10000
#define COMB_ACTIVITY_UNREAD_MAX 100
#define COMB_ACTIVITY_DIGEST_LINES_MAX 500
/* Between two changes of one node by one user that are shown as one. */
#define COMB_ACTIVITY_TOGETHER_US (5LL * 60 * 1000 * 1000)

struct comb_activities;

struct comb_activities_parts {
    struct comb_items_store *store;
    struct comb_sql *sql; /* whose feed is consumed */
    struct comb_facts *facts;
    struct comb_access *access;
    int64_t keep_us;     /* items are removed at that age; 0: never */
    uint64_t keep_items; /* and the oldest where there are more; 0: any number */
};

/* Parts must live longer. Starts a thread that removes what is not to be kept. */
enum comb_status comb_activities_new(const struct comb_activities_parts *parts,
                                     struct comb_activities **ret_activities,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running, and no consumer. NULL is fine. */
void comb_activities_free(struct comb_activities *activities);

#define COMB_ACTIVITIES_CONSUMER "activities"
/* The consumer of the feed that adds items: for comb_consumers_add(). */
struct comb_consumer comb_activities_consumer(struct comb_activities *activities);

/* ---- feeds ---- */

/* Whose items: one of the first two is set, or none for what the caller follows. */
struct comb_activity_scope {
    const struct comb_uuid *node; /* that the caller has been found to be able to read */
    const struct comb_uuid *user;
    bool include_own; /* without either: also what the caller did himself */
};

struct comb_activity_query {
    struct comb_activity_scope scope;
    bool is_unread_only; /* of what the caller follows */
    int64_t since_us;    /* 0: all */
    comb_str newer_than; /* an activity's id; empty: all */
    comb_str before;     /* `next` of the page before; empty: the first one */
    size_t max;          /* activities, 1 to 1,000 */
};

struct comb_activity_page {
    struct comb_v1_activity **activities;
    size_t n;
    comb_str next; /* empty: this was the last page */
};

/* INVALID_ARGUMENT: newer_than is no activity. */
enum comb_status comb_activities_feed(struct comb_activities *activities, struct comb_ctx *ctx,
                                      const struct comb_activity_query *query,
                                      struct comb_activity_page *ret_page,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Fills lines, complete and reached of a response. since_us is set. */
enum comb_status comb_activities_digest(struct comb_activities *activities, struct comb_ctx *ctx,
                                        const struct comb_activity_scope *scope,
                                        enum comb_v1_activity_period period, int64_t since_us,
                                        struct comb_v1_activities_digest_response *response,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* ---- what a caller follows, and has read ---- */

/* One of node and user is set. RESOURCE_EXHAUSTED, FOLLOWS_TOO_MANY. */
enum comb_status comb_activities_follow(struct comb_activities *activities, struct comb_ctx *ctx,
                                        const struct comb_uuid *node, const struct comb_uuid *user,
                                        struct comb_v1_activity_follow **ret_follow,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_activities_unfollow(struct comb_activities *activities, struct comb_ctx *ctx,
                                          const struct comb_uuid *node,
                                          const struct comb_uuid *user,
                                          struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_activities_list_follows(struct comb_activities *activities,
                                              struct comb_ctx *ctx,
                                              struct comb_v1_activity_follow ***ret_follows,
                                              size_t *ret_n,
                                              struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_activities_unread(struct comb_activities *activities, struct comb_ctx *ctx,
                                        uint32_t *ret_count, bool *ret_at_least,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* id empty: all that there are. NOT_FOUND, ACTIVITY_NOT_FOUND. */
enum comb_status comb_activities_mark_read(struct comb_activities *activities, struct comb_ctx *ctx,
                                           comb_str id, struct comb_error *err) COMB_MUST_CHECK;

/* ---- keeping ---- */

/* Up to COMB_ITEMS_PURGE_MAX of those before before_us (0: by no time), and of those that are
 * more than keep (0: any number). The caller is an administrator, or the server. */
enum comb_status comb_activities_purge(struct comb_activities *activities, struct comb_ctx *ctx,
                                       int64_t before_us, uint64_t keep, uint64_t *ret_removed,
                                       bool *ret_more, struct comb_error *err) COMB_MUST_CHECK;

#endif
