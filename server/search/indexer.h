/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer "search" of the change feed: keeps the attributes of all nodes in the index. It
 * reads the nodes of a batch as they are now, in one request, so a change that comes twice or late
 * makes no difference, and writes documents and tombstones, a hundred at a time.
 *
 * Built anew, it walks all nodes by id: ids do not change, so no move makes it miss one, and where
 * it is fits into a few bytes. Then what it has not met goes.
 *
 * Workspaces' roots and bins are no documents. What lies in a bin is one: who reads decides.
 */
#ifndef COMB_SEARCH_INDEXER_H
#define COMB_SEARCH_INDEXER_H

#include "server/consumers/consumer.h"
#include "server/search/search_driver.h"
#include "server/tree/tree_store.h"

#define COMB_SEARCH_CONSUMER "search"
/* How long tombstones are kept: a lease and an hour. */
#define COMB_SEARCH_TOMBSTONE_US ((3600LL + 15) * 1000000)

struct comb_search_indexer;

/* Both are borrowed. */
enum comb_status comb_search_indexer_new(struct comb_search_store *store,
                                         struct comb_tree_store *tree,
                                         struct comb_search_indexer **ret_indexer,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* After the consumers have stopped. NULL is fine. */
void comb_search_indexer_free(struct comb_search_indexer *indexer);
/* For comb_consumers_add(); indexer outlives the consumers. */
void comb_search_indexer_consumer(struct comb_search_indexer *indexer,
                                  struct comb_consumer *ret_consumer);

#endif
