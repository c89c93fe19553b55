/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of the tree in one SQL dialect; the code around them is the same for all. Texts
 * are static: their address is the key of the prepared statement.
 */
#ifndef COMB_TREE_DRIVER_DIALECT_H
#define COMB_TREE_DRIVER_DIALECT_H

#include "server/tree/tree_store.h"

/* Columns of a node, in the order in which sql_node_read() takes them. */
#define COMB_TREE_NODE_COLUMNS                                                                     \
    "n.id, n.parent, n.name, n.kind, n.rev, n.acl_rev, n.size, n.blob, n.sha256, n.media_type, "   \
    "n.create_us, n.update_us, n.trash_parent, n.trash_name, n.trash_us, n.trash_by"
#define COMB_TREE_NODE_COLUMNS_N 16

/* A page of children and the entries on them; by name: ?1 folder, ?2 name, ?3 max (, ?4 entries);
 * by value: ?1 folder, ?2 value, ?3 id, ?4 max (, ?5 entries). */
struct comb_tree_dialect_page {
    const char *nodes, *entries;
};

struct comb_tree_dialect {
    struct comb_tree_dialect_page pages[3][2]; /* [enum comb_tree_key][descending] */
    const char *details;                       /* ?1 ids, 16 bytes each; ?2 their number */
    const char *insert;       /* ?1 … ?13: id parent name kind rev acl_rev size blob sha256
                                 media_type create_us update_us meta */
    const char *content;      /* ?1 id ?2 before ?3 rev ?4 update_us ?5 size ?6 blob ?7 sha256 ?8
                                 media_type */
    const char *content_meta; /* … ?9 meta */
    const char *place;        /* ?1 id ?2 before ?3 rev ?4 update_us ?5 parent ?6 name ?7
                                 trash_parent ?8 trash_name ?9 trash_us ?10 trash_by */
    const char *place_below;  /* the same, where ?5 does not lie below ?1 */
    const char *meta;         /* ?1 id ?2 before ?3 rev ?4 update_us ?5 meta */
    const char *totals_position;
    const char *totals_advance; /* ?1 incarnation ?2 sequence, ?3 ?4 those before */
    const char *totals_add;     /* ?1 ids, ?2 JSON array of [bytes, files, folders] */
    const char *totals_clear;
    const char *totals_count;
    const char *purgeable; /* ?1 the purge node ?2 max */
    /* ?1 ids, 16 bytes each; ?2 their number; purge_children takes the children of those folders up
     * to ?3, the purge node, at most ?4. */
    const char *purge_files, *purge_children, *purge_totals, *purge_folders;
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_tree_schema_sqlite;
extern const struct comb_sql_schema comb_tree_schema_postgres;

#endif
