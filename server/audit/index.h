/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trail's index on the docs row: an item for each line, with keys for nodes, method and
 * words; who did it the trail itself has an index for. It is derived, and only says which lines may
 * be meant: what a query gives is read from the trail by their numbers and decided there, so keys
 * may be hashes and may be too many, and nothing that changes later (an intent's result) is in it.
 *
 * An item's place is (time of the record, number), the order of queries. All items belong to an
 * epoch, which is that of the lease "audit.index": building anew begins a higher one, whose items
 * have nothing in common with the others. How far an epoch has come is a note beside the items
 * that only rises, behind the items that it tells of: who has lost the lease may still raise it and
 * says the truth, and an index that is lost, or put back from a copy, says so itself.
 */
#ifndef COMB_AUDIT_INDEX_H
#define COMB_AUDIT_INDEX_H

#include "comb/v1/audit.grpcc.h"
#include "server/audit/audit.h"
#include "server/items/items_driver.h"
#include "server/mutation/audit.h"

/* Of one line; what has more words is a candidate for all. */
#define AUDIT_WORDS_MAX 64
/* Those, the nodes, the method and its service. */
#define AUDIT_KEYS_MAX (AUDIT_WORDS_MAX + COMB_AUDIT_TARGETS_MAX + 3)
/* A letter, and of a hash. */
#define AUDIT_KEY_LENGTH (1 + 16)
/* Keys of a walk. */
#define AUDIT_WALK_KEYS_MAX 2

/* ---- words ---- */

/* What a query asks for: words that a record has all of. */
struct audit_asked {
    struct audit_word {
        comb_str term;
        bool is_prefix;
    } words[COMB_AUDIT_ASKED_MAX];
    size_t n;
};
/* INVALID_ARGUMENT: no word in it, or too many. Empty text asks for nothing. */
enum comb_status audit_ask(struct grpcc_arena *arena, comb_str text, struct audit_asked *ret_asked,
                           struct comb_error *err) COMB_MUST_CHECK;
bool audit_has_words(const struct comb_v1_audit_record *record, const struct audit_asked *asked);

/* ---- items ---- */

/* What a line becomes. *ret_is false: it is found by nothing. */
enum comb_status audit_to_item(struct comb_ctx *ctx, uint64_t epoch,
                               const struct comb_audit_row *row, struct comb_item *ret_item,
                               bool *ret_is, struct comb_error *err) COMB_MUST_CHECK;
/* The number and the epoch of an item. False: it is none of these. */
bool audit_item_read(const struct comb_item *item, uint64_t *ret_n, uint64_t *ret_epoch);
/* Less than the places of all items at and behind the key (time_us, n). NULL: no memory. */
comb_str audit_place(struct grpcc_arena *arena, int64_t time_us, uint64_t n);
/* The key that a place begins with. False: it is no place. */
bool audit_place_read(comb_str place, struct comb_audit_place *ret_place);
/* By which keys to walk for a filter: items with one of them. *ret_n 0: none is of use. */
enum comb_status audit_keys_of(struct comb_ctx *ctx, uint64_t epoch,
                               const struct comb_audit_filter *filter,
                               const struct audit_asked *asked,
                               comb_str ret_keys[AUDIT_WALK_KEYS_MAX], size_t *ret_n,
                               struct comb_error *err) COMB_MUST_CHECK;

/* ---- how far it is ---- */

/* All lines up to *ret_n are there; 0: none. */
enum comb_status audit_reached(struct comb_items_store *items, struct comb_ctx *ctx, uint64_t epoch,
                               uint64_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status audit_reach(struct comb_items_store *items, struct comb_ctx *ctx, uint64_t epoch,
                             uint64_t n, struct comb_error *err) COMB_MUST_CHECK;
/* Forgets how far epochs before this one had come. */
enum comb_status audit_forget_before(struct comb_items_store *items, struct comb_ctx *ctx,
                                     uint64_t epoch, struct comb_error *err) COMB_MUST_CHECK;

#endif
