/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's metadata as stored: the packed comb.v1.TreeGetMetadataResponse with nothing but
 * `metadata`, sorted by namespace and name. Pure functions; all they return lives in arena.
 */
#ifndef COMB_TREE_METADATA_H
#define COMB_TREE_METADATA_H

#include "comb/v1/tree.grpcc.h"
#include "server/core/error.h"
#include "server/core/limits.h"
#include "server/core/str.h"

#define COMB_TREE_METADATA_NAMESPACE_MAX 64
#define COMB_TREE_METADATA_NAME_MAX 128
#define COMB_TREE_METADATA_TEXTS_MAX 1000
/* Pieces that one request sets, and removes. */
#define COMB_TREE_METADATA_CHANGES_MAX 100

/* Checks what a request sets. Errors: FIELD_INVALID ("set[3].value"), TOO_LARGE. */
enum comb_status comb_tree_metadata_check(struct comb_v1_metadata *const *set, size_t n,
                                          const char *field,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* Keys to read, or where `change` to remove: reserved namespaces may only be read. */
enum comb_status comb_tree_metadata_check_keys(struct comb_v1_metadata_key *const *keys, size_t n,
                                               bool change, const char *field,
                                               struct comb_error *err) COMB_MUST_CHECK;
/* meta: as stored, "" for none. INTERNAL where it cannot be read. */
enum comb_status comb_tree_metadata_unpack(struct grpcc_arena *arena, comb_str meta,
                                           struct comb_v1_tree_get_metadata_response **ret_metadata,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* What is stored after the change: removes first, then sets. TOO_LARGE where it is too much. */
struct comb_tree_metadata_change {
    struct comb_v1_metadata *const *set;
    size_t n_set;
    struct comb_v1_metadata_key *const *remove;
    size_t n_remove;
};
enum comb_status comb_tree_metadata_apply(struct grpcc_arena *arena, comb_str meta,
                                          const struct comb_tree_metadata_change *change,
                                          comb_str *ret_meta,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* Whether a key names the piece; an empty name: all of the namespace. */
bool comb_tree_metadata_is_named(const struct comb_v1_metadata *piece,
                                 const struct comb_v1_metadata_key *key);

#endif
