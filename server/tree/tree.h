/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of files and folders: the rules. What is there is read through facts and the store; what
 * is written is decided here and composed by server/mutation.
 *
 * Requests are taken as they came; every function checks what it uses of them and names the field
 * in its errors. Answers live in ctx->arena. Threads: any, one per ctx. All functions block but
 * those called _start.
 */
#ifndef COMB_TREE_H
#define COMB_TREE_H

#include "comb/v1/tree.grpcc.h"
#include "server/permissions/access.h"
#include "server/tree/tree_message.h"
#include "server/tree/tree_store.h"
#include "server/tree/tree_write.h"

/* What to add to a node; the paths of a read mask. */
enum comb_tree_with {
    COMB_TREE_WITH_PATH = 1,
    COMB_TREE_WITH_TOTALS = 2,
    COMB_TREE_WITH_METADATA = 4,
    COMB_TREE_WITH_RIGHTS = 8,
    COMB_TREE_WITH_LOCKS = 16
};

/* A node as a caller sees it. */
struct comb_tree_view {
    struct comb_node node;
    struct comb_tree_extra extra;
};

/* Nodes of one batch, folders that one call makes. */
#define COMB_TREE_BATCH_MAX 1000
#define COMB_TREE_PARENTS_MAX 15

/* What the tree asks of other areas, which stand on it themselves. */
struct comb_tree_hooks {
    /* Workspaces of which the caller of ctx may read the root, by slug, bytewise, after `after`, at
     * most max; all in ctx->arena. Blocks. NULL: "/" is empty. */
    enum comb_status (*workspaces)(void *data, struct comb_ctx *ctx, comb_str after, size_t max,
                                   const struct comb_workspace_fact **ret_workspaces, size_t *ret_n,
                                   struct comb_error *err);
    void *data;
};

/* All borrowed; they outlive the tree. */
struct comb_tree_options {
    struct comb_sql *sql;
    struct comb_tree_store *store;
    struct comb_facts *facts;
    struct comb_access *access;
    struct comb_mutations *mutations;
};

/* Registers with facts: before comb_facts_start(). */
enum comb_status comb_tree_new(const struct comb_tree_options *options, struct comb_tree **ret_tree,
                               struct comb_error *err) COMB_MUST_CHECK;
/* Before the first call. */
void comb_tree_set_hooks(struct comb_tree *tree, const struct comb_tree_hooks *hooks);
/* Starts the threads that fold totals, purge, and serve watches. After comb_facts_start(). */
enum comb_status comb_tree_start(struct comb_tree *tree, struct comb_error *err) COMB_MUST_CHECK;
/* Ends all watches with UNAVAILABLE (DRAINING); new ones too. Does not block. */
void comb_tree_drain(struct comb_tree *tree);
/* Drains and joins the threads, which use facts: before comb_facts_free(). No call may be running,
 * and none may come. NULL is fine. */
void comb_tree_stop(struct comb_tree *tree);
/* Frees what facts call when the feed grows: after comb_facts_free(). NULL is fine. */
void comb_tree_free(struct comb_tree *tree);

/* COMB_TREE_WITH_ bits of a read mask; FIELD_INVALID for a path that there is not. */
enum comb_status comb_tree_with_of(const struct google_protobuf_field_mask *mask,
                                   uint32_t *ret_with, struct comb_error *err) COMB_MUST_CHECK;

/* ---- reads ---- */

/* One node; ret_view is written before done, which may be called before this returns. "/" is a
 * folder without id. */
void comb_tree_stat_start(struct comb_tree *tree, struct comb_ctx *ctx,
                          const struct comb_v1_node_ref *ref, uint32_t with,
                          struct comb_tree_view *ret_view, comb_facts_done done, void *data);

struct comb_tree_result {
    enum comb_status status;
    struct comb_error err;
    struct comb_tree_view view;
};
/* 1 to COMB_TREE_BATCH_MAX nodes, each with its own outcome; fails as a whole only where the store
 * does. */
void comb_tree_stat_many_start(struct comb_tree *tree, struct comb_ctx *ctx,
                               struct comb_v1_node_ref *const *refs, size_t n, uint32_t with,
                               struct comb_tree_result *ret_results, comb_facts_done done,
                               void *data);

struct comb_tree_list_query {
    const struct comb_v1_node_ref *folder;
    const struct comb_v1_node_filter *filter; /* NULL: all */
    enum comb_v1_tree_order order;
    size_t size; /* 1 to COMB_PAGE_SIZE_MAX */
    uint32_t with;
    comb_str state; /* of the page before; "" for the first */
};
struct comb_tree_page {
    struct comb_tree_view *views;
    size_t n_views;
    comb_str state; /* for the next page; "": this was the last one */
};
/* A page of a folder: what the caller may read, examining at most COMB_TREE_EXAMINED_MAX. */
enum comb_status comb_tree_list(struct comb_tree *tree, struct comb_ctx *ctx,
                                const struct comb_tree_list_query *query,
                                struct comb_tree_page *ret_page,
                                struct comb_error *err) COMB_MUST_CHECK;

enum comb_status comb_tree_get_metadata(struct comb_tree *tree, struct comb_ctx *ctx,
                                        const struct comb_v1_tree_get_metadata_request *request,
                                        struct comb_v1_tree_get_metadata_response **ret_response,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* ---- changes of the tree; see api/comb/v1/tree.proto and CONSISTENCY for what they promise ----
 */

/* What a mutation answers. A repetition of one whose node is gone has only id and revision. */
struct comb_tree_changed {
    struct comb_tree_view view;
    bool created; /* CreateFolder: it was not there before */
};

enum comb_status comb_tree_create_folder(struct comb_tree *tree, struct comb_ctx *ctx,
                                         const struct comb_request_key *key,
                                         const struct comb_v1_tree_create_folder_request *request,
                                         struct comb_tree_changed *ret_changed,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_move(struct comb_tree *tree, struct comb_ctx *ctx,
                                const struct comb_request_key *key,
                                const struct comb_v1_tree_move_request *request,
                                struct comb_tree_changed *ret_changed,
                                struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_delete(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_request_key *key,
                                  const struct comb_v1_tree_delete_request *request,
                                  struct comb_tree_changed *ret_changed,
                                  struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_restore(struct comb_tree *tree, struct comb_ctx *ctx,
                                   const struct comb_request_key *key,
                                   const struct comb_v1_tree_restore_request *request,
                                   struct comb_tree_changed *ret_changed,
                                   struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_set_metadata(struct comb_tree *tree, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_v1_tree_set_metadata_request *request,
                                        struct comb_tree_changed *ret_changed,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* ---- locks; see lock_store.h for what they are ---- */

/* ret_lock: for a repetition, as it was then. */
enum comb_status comb_tree_lock(struct comb_tree *tree, struct comb_ctx *ctx,
                                const struct comb_request_key *key,
                                const struct comb_v1_tree_lock_request *request,
                                struct comb_tree_lock *ret_lock,
                                struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_refresh_lock(struct comb_tree *tree, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_v1_tree_refresh_lock_request *request,
                                        struct comb_tree_lock *ret_lock,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_unlock(struct comb_tree *tree, struct comb_ctx *ctx,
                                  const struct comb_request_key *key,
                                  const struct comb_v1_tree_unlock_request *request,
                                  struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_break_lock(struct comb_tree *tree, struct comb_ctx *ctx,
                                      const struct comb_request_key *key,
                                      const struct comb_v1_tree_break_lock_request *request,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* ---- the feed ---- */

/* size: 1 to COMB_PAGE_SIZE_MAX changes. */
enum comb_status comb_tree_changes(struct comb_tree *tree, struct comb_ctx *ctx,
                                   const struct comb_v1_tree_changes_request *request, size_t size,
                                   struct comb_v1_tree_changes_response **ret_response,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* The totals and the purge have nothing left to do up to this moment: for tests. Blocks. */
enum comb_status comb_tree_settle(struct comb_tree *tree, struct comb_ctx *ctx,
                                  struct comb_error *err) COMB_MUST_CHECK;

#endif
