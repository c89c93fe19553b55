/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of the tree that differ between SQL dialects; those that do not stand where they
 * are used. Texts are static: their address is the key of the prepared statement.
 */
#ifndef COMB_TREE_DRIVER_DIALECT_H
#define COMB_TREE_DRIVER_DIALECT_H

#include "server/tree/tree_store.h"

/* Columns of a node, in the order in which sql_node_read() takes them. */
#define COMB_TREE_NODE_COLUMNS                                                                     \
    "n.id, n.parent, n.name, n.kind, n.rev, n.acl_rev, n.size, n.blob, n.sha256, n.media_type, "   \
    "n.create_us, n.update_us, n.trash_parent, n.trash_name, n.trash_us, n.trash_by"
#define COMB_TREE_NODE_COLUMNS_N 16

/* ?1 id ?2 before ?3 rev ?4 update_us ?5 parent ?6 name ?7 trash_parent ?8 trash_name ?9 trash_us
 * ?10 trash_by */
#define COMB_TREE_SET_PLACE                                                                        \
    "UPDATE node SET rev = ?3, update_us = ?4, parent = ?5, name = ?6, trash_parent = ?7,"         \
    " trash_name = ?8, trash_us = ?9, trash_by = ?10 WHERE id = ?1 AND rev = ?2"

/* A page of children and the entries on them; by name: ?1 folder, ?2 name, ?3 max (, ?4 entries);
 * by value: ?1 folder, ?2 value, ?3 id, ?4 max (, ?5 entries). */
struct comb_tree_dialect_page {
    const char *nodes, *entries;
};

struct comb_tree_dialect {
    struct comb_tree_dialect_page pages[3][2]; /* [enum comb_tree_key][descending] */
    const char *details;                       /* ?1 ids, 16 bytes each; ?2 their number */
    const char *below;                         /* the same; ?3 max */
    const char *place_below; /* COMB_TREE_SET_PLACE where ?5 does not lie below ?1 */
    const char *totals_add;  /* ?1 ids, ?2 JSON array of [bytes, files, folders] */
    const char *totals_count;
    /* ?1 ids, 16 bytes each; ?2 their number; purge_children takes the children of those folders up
     * to ?3, the purge node, at most ?4. */
    const char *purge_files, *purge_children, *purge_totals, *purge_folders;
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_tree_schema_sqlite;
extern const struct comb_sql_schema comb_tree_schema_postgres;

#endif
