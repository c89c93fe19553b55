/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building the search index anew, as an operation: attributes and contents, while the old index
 * serves. Whatever the index has is found in the tree and the blobs, so nothing is lost by it; it
 * helps where comb-extract has learnt to read more, or where the docs row has lost something.
 */
#ifndef COMB_SEARCH_REINDEX_H
#define COMB_SEARCH_REINDEX_H

#include "server/operations/operations.h"

#define COMB_SEARCH_REINDEX_KIND "search.reindex"

/* Starts it, for an administrator; where one is under way, that one is answered. In ctx's arena.
 * Blocks. Errors: ADMINISTRATOR_ONLY; those of comb_operations_start_kind(). */
enum comb_status comb_search_reindex_start(struct comb_operations *operations, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           struct comb_operation *ret_operation,
                                           struct comb_error *err) COMB_MUST_CHECK;

#endif
