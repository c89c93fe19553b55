/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the SQL family share: the store, parameters, rows. */
#ifndef COMB_TREE_DRIVER_SQL_H
#define COMB_TREE_DRIVER_SQL_H

#include "server/tree/driver/dialect.h"

struct comb_tree_sql {
    struct comb_tree_store base;
    struct comb_sql *sql;
    const struct comb_tree_dialect *dialect;
};

/* NULL where id is nil. */
struct comb_sql_value comb_tree_sql_id(const struct comb_uuid *id);
/* NULL where text is empty. */
struct comb_sql_value comb_tree_sql_text(comb_str text);
struct comb_sql_value comb_tree_sql_blob(comb_str bytes);

/* Copies a row that begins with COMB_TREE_NODE_COLUMNS into arena. INTERNAL where the row is not
 * one of ours. */
enum comb_status comb_tree_sql_node(struct grpcc_arena *arena, const struct comb_sql_value *row,
                                    struct comb_node *ret_node,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* A copy in arena of a text or blob; empty for NULL. False: no room. */
bool comb_tree_sql_bytes(struct grpcc_arena *arena, const struct comb_sql_value *value,
                         comb_str *ret_bytes) COMB_MUST_CHECK;
/* Nil for NULL and for what is not 16 bytes long. */
struct comb_uuid comb_tree_sql_uuid(const struct comb_sql_value *value);

/* Copies a row of COMB_TREE_LOCK_COLUMNS into arena. False: no room. */
bool comb_tree_sql_lock(struct grpcc_arena *arena, const struct comb_sql_value *row,
                        struct comb_tree_lock *ret_lock) COMB_MUST_CHECK;

/* The position that a result of comb_position_sql() tells. A read of the tree asks for
 * it in its own snapshot: what the answer shows, later reads of the caller must show too. */
struct comb_position comb_tree_sql_head(const struct comb_tree_sql *store,
                                        const struct comb_sql_rows *rows);

/* Slots; see tree_store.h. */
enum comb_status comb_tree_sql_children(struct comb_tree_store *base, struct comb_ctx *ctx,
                                        const struct comb_tree_children_query *query,
                                        struct comb_tree_children *ret_children,
                                        struct comb_error *err);
void comb_tree_sql_details(struct comb_tree_store *base, struct comb_ctx *ctx,
                           const struct comb_uuid *ids, size_t n, bool locks,
                           comb_tree_details_done done, void *data);
enum comb_status comb_tree_sql_locks(struct comb_tree_store *base, struct comb_ctx *ctx,
                                     const struct comb_uuid *id,
                                     struct comb_tree_lock_state *ret_state,
                                     struct comb_error *err);
enum comb_status comb_tree_sql_walk(struct comb_tree_store *base, struct comb_ctx *ctx,
                                    const struct comb_uuid *after, size_t max,
                                    const struct comb_tree_details **ret_details, size_t *ret_n,
                                    struct comb_error *err);
enum comb_status comb_tree_sql_below(struct comb_tree_store *base, struct comb_ctx *ctx,
                                     const struct comb_uuid *ids, size_t n, size_t max,
                                     const struct comb_uuid **ret_ids, size_t *ret_n,
                                     struct comb_error *err);
enum comb_status comb_tree_sql_plan_insert(struct comb_tree_store *base, struct comb_ctx *ctx,
                                           struct comb_plan *plan, const struct comb_node *node,
                                           comb_str meta, struct comb_error *err);
enum comb_status comb_tree_sql_plan_content(struct comb_tree_store *base, struct comb_ctx *ctx,
                                            struct comb_plan *plan, const struct comb_node *node,
                                            uint64_t before, const struct comb_tree_claim *claim,
                                            const comb_str *meta, struct comb_error *err);
enum comb_status comb_tree_sql_plan_place(struct comb_tree_store *base, struct comb_ctx *ctx,
                                          struct comb_plan *plan, const struct comb_node *node,
                                          uint64_t before, const struct comb_tree_claim *claim,
                                          bool check_cycle, struct comb_error *err);
enum comb_status comb_tree_sql_plan_meta(struct comb_tree_store *base, struct comb_ctx *ctx,
                                         struct comb_plan *plan, const struct comb_node *node,
                                         uint64_t before, const struct comb_tree_claim *claim,
                                         comb_str meta, struct comb_error *err);
enum comb_status comb_tree_sql_plan_lock(struct comb_tree_store *base, struct comb_ctx *ctx,
                                         struct comb_plan *plan,
                                         const struct comb_tree_lock_change *change,
                                         struct comb_error *err);
enum comb_status comb_tree_sql_totals_position(struct comb_tree_store *base, struct comb_ctx *ctx,
                                               struct comb_cursor *ret_cursor,
                                               struct comb_error *err);
enum comb_status comb_tree_sql_totals_apply(struct comb_tree_store *base, struct comb_ctx *ctx,
                                            const struct comb_tree_total_delta *deltas, size_t n,
                                            struct comb_cursor before, struct comb_cursor after,
                                            struct comb_error *err);
enum comb_status comb_tree_sql_totals_rebuild(struct comb_tree_store *base, struct comb_ctx *ctx,
                                              struct comb_cursor before, struct comb_error *err);
enum comb_status comb_tree_sql_purgeable(struct comb_tree_store *base, struct comb_ctx *ctx,
                                         const struct comb_uuid **ret_ids, size_t *ret_n,
                                         struct comb_error *err);
enum comb_status comb_tree_sql_purge(struct comb_tree_store *base, struct comb_ctx *ctx,
                                     const struct comb_uuid *ids, size_t n, struct comb_error *err);

#endif
