/* SPDX-License-Identifier: Apache-2.0 */
/* The kind of operation that builds the index anew: asks both consumers for it, tells how far they
 * are, and is done when both are. */
#ifndef COMB_SEARCH_REINDEX_KIND_H
#define COMB_SEARCH_REINDEX_KIND_H

#include "server/consumers/consumers_store.h"
#include "server/operations/engine.h"
#include "server/search/reindex.h"
#include "server/search/search_driver.h"

/* All borrowed. */
struct comb_search_reindex_parts {
    struct comb_consumers_store *leases;
    struct comb_search_store *store;
};

/* parts outlive the engine. Contents that nobody reads, since no replica has comb-extract, are not
 * waited for. */
void comb_search_reindex_kind(const struct comb_search_reindex_parts *parts,
                              struct comb_operation_kind *ret_kind);

#endif
