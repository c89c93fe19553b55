/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of the tree: what nodes are there, what folders hold. Rows and statements; no rights,
 * no rules of names, no decisions. Where a node lies and what it is called is read through
 * server/facts; here is what facts do not keep (pages, metadata, totals) and all that is written.
 *
 * Slots: any thread, at once. Those that read obey ctx's deadline. plan_ slots never block: they
 * add statements to a plan, whose parameters live in ctx->arena; they fail only without room.
 */
#ifndef COMB_TREE_STORE_H
#define COMB_TREE_STORE_H

#include "server/facts/facts.h"
#include "server/mutation/mutation.h"
#include "server/tree/lock_store.h"

/* The parent of what is deleted for good, until its rows are gone; a child of the super-root. */
extern const struct comb_uuid comb_node_purge; /* 00000000-0000-7000-8000-000000000004 */

/* Children that one request of a page examines at most. */
#define COMB_TREE_EXAMINED_MAX 5000

/* Rows that one purge removes, or takes up, at most: it holds the one writer of SQLite. */
#define COMB_TREE_PURGE_MAX 500

enum comb_tree_key { COMB_TREE_BY_NAME = 0, COMB_TREE_BY_UPDATE_TIME, COMB_TREE_BY_SIZE };

/* A place in an order: what stands right before the next row. */
struct comb_tree_place {
    bool started;        /* false: the beginning; the rest is not looked at */
    comb_str name;       /* COMB_TREE_BY_NAME */
    int64_t value;       /* the others: microseconds or bytes … */
    struct comb_uuid id; /* … and the node, for ties */
};

struct comb_tree_children_query {
    struct comb_uuid folder;
    enum comb_tree_key key;
    bool descending;
    struct comb_tree_place after;
    size_t max; /* 1 to COMB_TREE_EXAMINED_MAX */
};

/* A child with the permission entries on it. */
struct comb_tree_child {
    struct comb_node node;
    const struct comb_entry *entries;
    size_t n_entries;
};

/* May be shorter than asked for, where the children carry many entries. */
struct comb_tree_children {
    struct comb_tree_child *children;
    size_t n_children;
    bool last; /* nothing follows */
};

struct comb_tree_totals {
    int64_t bytes, files, folders;
};

/* What is known of one node by its id. */
struct comb_tree_details {
    bool found;
    struct comb_node node;
    comb_str meta; /* serialized, see tree_metadata.h; "" for none */
    struct comb_tree_totals totals;
    const struct comb_tree_lock *locks; /* where asked for: those that hold, by token */
    size_t n_locks;
};

struct comb_tree_total_delta {
    struct comb_uuid folder;
    struct comb_tree_totals delta;
};

struct comb_tree_store;

/* details: one for each id that was asked, in order, in the ctx's arena; NULL on failure. */
typedef void (*comb_tree_details_done)(void *data, enum comb_status status,
                                       const struct comb_tree_details *details,
                                       const struct comb_error *err);

struct comb_tree_store_driver {
    const char *name; /* "sql" */

    /* ---- reads, one round trip each ---- */

    /* A page of a folder's children with their entries, in one snapshot. Blocks. */
    enum comb_status (*children)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                 const struct comb_tree_children_query *query,
                                 struct comb_tree_children *ret_children, struct comb_error *err);
    /* Nodes by id with metadata and totals, and where asked for their locks, 1 to
     * COMB_TREE_DETAILS_MAX. Does not block; done is called once, on a thread of the store. ctx is
     * not used by anybody else until then. */
    void (*details)(struct comb_tree_store *self, struct comb_ctx *ctx, const struct comb_uuid *ids,
                    size_t n, bool locks, comb_tree_details_done done, void *data);
    /* The locks of one node and the store's clock, in one snapshot; raises ctx->reached. Blocks. */
    enum comb_status (*locks)(struct comb_tree_store *self, struct comb_ctx *ctx,
                              const struct comb_uuid *id, struct comb_tree_lock_state *ret_state,
                              struct comb_error *err);

    /* All nodes, those of bins and of the purge node too, by id: up to max (_DETAILS_MAX) behind
     * `after` with their metadata, without totals; raises ctx->reached. Ids do not change, so a
     * walk over pages misses no node that was there when it began, wherever it is moved meanwhile.
     * Blocks. */
    enum comb_status (*walk)(struct comb_tree_store *self, struct comb_ctx *ctx,
                             const struct comb_uuid *after, size_t max,
                             const struct comb_tree_details **ret_details, size_t *ret_n,
                             struct comb_error *err);

    /* Ids of some nodes, up to COMB_TREE_BELOW_MAX, and of all below them, each once, in no order:
     * up to max of them in all, at most COMB_TREE_BELOW_MAX. One that does not exist may be among
     * them. Raises ctx->reached. Blocks. */
    enum comb_status (*below)(struct comb_tree_store *self, struct comb_ctx *ctx,
                              const struct comb_uuid *ids, size_t n, size_t max,
                              const struct comb_uuid **ret_ids, size_t *ret_n,
                              struct comb_error *err);

    /* ---- pieces of plans; node: the row as it will be ---- */

    /* A new row. Violates UNIQUE where the parent has the name. */
    enum comb_status (*plan_insert)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_node *node,
                                    comb_str meta, struct comb_error *err);
    /* All of these are guarded: the row must have revision `before`, and its locks must allow
     * claim, by the store's clock. */
    /* New content; meta NULL: stays. */
    enum comb_status (*plan_content)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                     struct comb_plan *plan, const struct comb_node *node,
                                     uint64_t before, const struct comb_tree_claim *claim,
                                     const comb_str *meta, struct comb_error *err);
    /* New parent, name and trash_ columns: move, rename, recycle, restore, purge. check_cycle: it
     * must not lie above its new parent, which is asked in the statement itself. Violates UNIQUE
     * where the new parent has the name. */
    enum comb_status (*plan_place)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct comb_node *node,
                                   uint64_t before, const struct comb_tree_claim *claim,
                                   bool check_cycle, struct comb_error *err);
    enum comb_status (*plan_meta)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, const struct comb_node *node,
                                  uint64_t before, const struct comb_tree_claim *claim,
                                  comb_str meta, struct comb_error *err);
    /* Guarded by the node's revision and fence, and what is refreshed by its expiry. Rows of a few
     * other locks that have expired go with it, so that they never become many. */
    enum comb_status (*plan_lock)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan,
                                  const struct comb_tree_lock_change *change,
                                  struct comb_error *err);

    /* ---- the background; these block ---- */

    /* How far the totals have been folded. incarnation 0: never. */
    enum comb_status (*totals_position)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                        struct comb_cursor *ret_cursor, struct comb_error *err);
    /* Adds deltas and moves the position, both or none. ABORTED: the position is not `before`:
     * another process folds too. */
    enum comb_status (*totals_apply)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                     const struct comb_tree_total_delta *deltas, size_t n,
                                     struct comb_cursor before, struct comb_cursor after,
                                     struct comb_error *err);
    /* Counts all folders anew and sets the position to the newest change counted. */
    enum comb_status (*totals_rebuild)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                       struct comb_cursor before, struct comb_error *err);
    /* Some of the children of the purge node, at most COMB_TREE_PURGE_MAX; raises ctx->reached to
     * the position of the snapshot. They may be purged once the totals have been folded that far:
     * before, a folder's totals still have to be taken off from those above it. */
    enum comb_status (*purgeable)(struct comb_tree_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid **ret_ids, size_t *ret_n,
                                  struct comb_error *err);
    /* Removes these children of the purge node, a folder's own children first becoming children of
     * the purge node themselves, as many as one batch allows. */
    enum comb_status (*purge)(struct comb_tree_store *self, struct comb_ctx *ctx,
                              const struct comb_uuid *ids, size_t n, struct comb_error *err);
    void (*close)(struct comb_tree_store *self); /* NULL is fine */
};
#define COMB_TREE_DETAILS_MAX 1000
#define COMB_TREE_BELOW_MAX 9999

struct comb_tree_store {
    const struct comb_tree_store_driver *driver;
};

/* Adds one statement; INTERNAL where the plan has no room: a bug. params are copied, what they
 * point to is not. */
enum comb_status comb_tree_plan_statement(struct comb_ctx *ctx, struct comb_plan *plan,
                                          const char *text, const struct comb_sql_value *params,
                                          size_t n_params, bool guard,
                                          struct comb_error *err) COMB_MUST_CHECK;

/* Opens the store on the sql row, whose schema has been migrated; sql is borrowed. */
enum comb_status comb_tree_store_open(struct comb_sql *sql, struct comb_tree_store **ret_store,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* Tables node, node_lock, folder_total, tree_cursor; the super-root and the purge node, for
 * comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_tree_schemas[];

#endif
