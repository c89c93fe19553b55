/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the domain share. */
#ifndef COMB_TREE_INTERNAL_H
#define COMB_TREE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "server/mutation/feed.h"
#include "server/tree/tree.h"

struct tree_watches;

struct comb_tree {
    struct comb_tree_options use;
    struct comb_tree_hooks hooks;
    struct tree_watches *watches;
    /* The background thread (tree_background.c). */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake, settled;
    bool stopping, dirty; /* dirty: the feed has something new */
    atomic_bool stop_now; /* stopping, for who does not hold the lock */
    /* The background thread's own: how far totals are folded, and what is purged once they are
     * folded up to purge_after. */
    struct comb_position folded, purge_after;
    bool purge_due;
    struct comb_uuid purge_ids[COMB_TREE_PURGE_MAX];
    size_t n_purge_ids;
    uint64_t rounds_asked, rounds_done;
};

/* ---- names and paths ---- */

/* 1 to COMB_NAME_BYTES_MAX bytes of UTF-8 without "/" and NUL, neither "." nor "..". */
enum comb_status tree_name_check(comb_str name, const char *field,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Splits "a/b/c" and checks each part; at most max parts. */
enum comb_status tree_path_split(struct grpcc_arena *arena, comb_str path, size_t max,
                                 const char *field, comb_str **ret_parts, size_t *ret_n,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* "base/rest" in arena; base "/" or "" adds no slash of its own. NULL: no room. */
const char *tree_path_join(struct grpcc_arena *arena, const char *base, comb_str rest);

/* ---- chains ---- */

/* The ids of the links from `first` on. NULL: no room. */
struct comb_uuid *tree_chain_ids(struct grpcc_arena *arena, const struct comb_fact_link *links,
                                 size_t n);
bool tree_ids_contain(const struct comb_uuid *ids, size_t n, const struct comb_uuid *id);
/* FAILED_PRECONDITION (NOT_A_FOLDER). */
enum comb_status tree_need_folder(const struct comb_node *node, const char *field,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* TOO_DEEP where a chain of n links would be too long. */
enum comb_status tree_need_depth(size_t n_links, const char *field,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* The name by which the caller knows the chain's first node: a root's is its workspace's slug; NULL
 * for all others, or without room. */
const char *tree_title(struct grpcc_arena *arena, const struct comb_fact_chain *chain);

/* ---- plans ---- */

/* Adds a feed entry about node as it will be, with the locks given; ancestors and old ones are
 * borrowed until the plan is written, the rest is copied. */
struct tree_feed {
    enum comb_feed_kind kind;
    const struct comb_node *node;
    const struct comb_node *before; /* where it was, if its place changes; else NULL */
    const struct comb_uuid *ancestors, *old_ancestors;
    size_t n_ancestors, n_old_ancestors;
    int64_t bytes_delta;
    const struct comb_tree_lock *locks;
    size_t n_locks;
};
enum comb_status tree_plan_feed(struct comb_ctx *ctx, struct comb_plan *plan,
                                const struct tree_feed *feed,
                                struct comb_error *err) COMB_MUST_CHECK;

/* Plans n new folders with these names, each in the one before, the first below the chain's first
 * node; meta is the last one's. What follows them goes below *ret_ancestors[0]. */
struct tree_folders {
    const struct comb_fact_chain *below;
    const comb_str *names;
    size_t n;
    comb_str meta;
};
enum comb_status tree_plan_folders(struct comb_tree *tree, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct tree_folders *folders,
                                   struct comb_node *ret_last,
                                   const struct comb_uuid **ret_ancestors, size_t *ret_n_ancestors,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* Runs a mutation whose decide keeps what it wrote in *written and sets plan->outcome; answers
 * *ret_changed, for a repetition from the outcome. */
enum comb_status tree_mutate(struct comb_tree *tree, struct comb_ctx *ctx,
                             const struct comb_request_key *key, comb_mutation_decide decide,
                             void *data, const struct comb_tree_written *written,
                             struct comb_tree_changed *ret_changed,
                             struct comb_error *err) COMB_MUST_CHECK;

/* ---- locks (lock.c) ---- */

/* What the caller knows of the lock on a node that he changes: its token, 0 for none. */
struct comb_tree_claim tree_claim_of(const struct comb_ctx *ctx, uint64_t token);
/* Once the guard of a plan has not held: whether it was for a lock. FAILED_PRECONDITION
 * (NODE_LOCKED, LOCK_LOST) about field. */
enum comb_status tree_claim_check(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_plan *plan, const struct comb_access_node *node,
                                  const struct comb_tree_claim *claim, const char *field,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* ---- reads ---- */

/* The details of nodes; blocks. */
enum comb_status tree_details(struct comb_tree *tree, struct comb_ctx *ctx,
                              const struct comb_uuid *ids, size_t n, bool locks,
                              const struct comb_tree_details **ret_details,
                              struct comb_error *err) COMB_MUST_CHECK;
/* A page of the children of a folder that is resolved. */
enum comb_status tree_list_folder(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_access_node *folder,
                                  const struct comb_tree_list_query *query,
                                  struct comb_tree_page *ret_page,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* ---- watches (tree_watch.c) and the background (tree_background.c) ---- */

enum comb_status tree_watches_new(struct comb_tree *tree, struct tree_watches **ret_watches,
                                  struct comb_error *err) COMB_MUST_CHECK;
enum comb_status tree_watches_start(struct tree_watches *watches,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* The feed has grown. Never blocks. */
void tree_watches_wake(struct tree_watches *watches);
void tree_watches_drain(struct tree_watches *watches);
/* Ends all watches and joins the thread. NULL is fine. */
void tree_watches_stop(struct tree_watches *watches);
void tree_watches_free(struct tree_watches *watches);

enum comb_status tree_background_start(struct comb_tree *tree,
                                       struct comb_error *err) COMB_MUST_CHECK;
void tree_background_wake(struct comb_tree *tree);
void tree_background_stop(struct comb_tree *tree);
/* Folds up to max feed entries; *ret_more: there may be more. */
enum comb_status tree_totals_fold(struct comb_tree *tree, struct comb_ctx *ctx, bool *ret_more,
                                  struct comb_error *err) COMB_MUST_CHECK;

#endif
