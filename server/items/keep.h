/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing items: by age and number, in calls and by a thread. Any number of replicas may do so at
 * a time.
 */
#ifndef COMB_ITEMS_KEEP_H
#define COMB_ITEMS_KEEP_H

#include "server/items/items_driver.h"

/* Items that one purge removes. */
#define COMB_ITEMS_PURGE_MAX 2000

/* When the item was, in microseconds since 1970. False: it cannot be read. */
typedef bool (*comb_items_time_fn)(struct comb_ctx *ctx, const struct comb_item *item,
                                   int64_t *ret_us);

/* Which items of a scan go. */
struct comb_items_sieve {
    int64_t before_us; /* 0: none by time; those older than it */
    int64_t from_us;   /* 0: none by time; those not older */
    uint64_t surplus;  /* so many whatever their time */
};

/* Removes what goes of a scan, until a batch of it has nothing that does, or max have gone. What
 * cannot be read goes. *ret_n less than max: these were all. */
enum comb_status comb_items_sift(struct comb_items_store *store, comb_items_time_fn time_of,
                                 struct comb_ctx *ctx, const struct comb_item_scan *scan,
                                 struct comb_items_sieve *sieve, size_t max, size_t *ret_n,
                                 struct comb_error *err) COMB_MUST_CHECK;

/* What is to be kept of a store. */
struct comb_items_keep {
    struct comb_items_store *store;
    comb_items_time_fn time_of;
    int64_t keep_us;       /* items are removed at that age; 0: never */
    uint64_t keep_items;   /* and the oldest where there are more; 0: any number */
    const char *component; /* of the log; static */
};

/* Up to COMB_ITEMS_PURGE_MAX of those before before_us (0: by no time), and of those that are more
 * than keep_items (0: any number), whatever keep says. */
enum comb_status comb_items_purge(const struct comb_items_keep *keep, struct comb_ctx *ctx,
                                  int64_t before_us, uint64_t keep_items, uint64_t *ret_removed,
                                  bool *ret_more, struct comb_error *err) COMB_MUST_CHECK;

/* A thread that removes what is not to be kept, every minute; by number every ten. */
struct comb_items_keeper;
enum comb_status comb_items_keeper_new(const struct comb_items_keep *keep,
                                       struct comb_items_keeper **ret_keeper,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_items_keeper_free(struct comb_items_keeper *keeper);

#endif
