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

/*
 * Changes of a node. All begin with ?1 id ?2 before ?3 rev ?4 update_us ?5 claim ?6 the claim's
 * user; claim 0: no lock may hold, below 0: locks do not count, else the exclusive lock of that
 * token and user must hold. All of it is asked of the row that is written: who waited for it sees
 * what another has made of it.
 */
#define COMB_TREE_SET(what, now)                                                                   \
    "UPDATE node SET rev = ?3, update_us = ?4, " what                                              \
    " WHERE id = ?1 AND rev = ?2 AND ((?5 = 0 AND coalesce(lock_until, 0) <= " now ") OR ?5 < 0"   \
    " OR (lock_holder = ?5 AND lock_user = ?6 AND lock_until > " now "))"
/* ?7 parent ?8 name ?9 trash_parent ?10 trash_name ?11 trash_us ?12 trash_by */
#define COMB_TREE_SET_PLACE(now)                                                                   \
    COMB_TREE_SET("parent = ?7, name = ?8, trash_parent = ?9, trash_name = ?10, trash_us = ?11,"   \
                  " trash_by = ?12",                                                               \
                  now)
/* ?7 size ?8 blob ?9 sha256 ?10 media_type */
#define COMB_TREE_CONTENT "size = ?7, blob = ?8, sha256 = ?9, media_type = ?10"

/* Columns of a lock, in the order in which sql_lock.c takes them. */
#define COMB_TREE_LOCK_COLUMNS                                                                     \
    "l.node, l.token, l.mode, l.owner, l.session, l.login, l.note, l.create_us, l.expire_us"
#define COMB_TREE_LOCK_COLUMNS_N 9

/* What differs in these is the clock alone; skip_locked: how what others hold is passed over. */
#define COMB_TREE_CHANGES(now, skip_locked)                                                        \
    .place = COMB_TREE_SET_PLACE(now), .content = COMB_TREE_SET(COMB_TREE_CONTENT, now),           \
    .content_meta = COMB_TREE_SET(COMB_TREE_CONTENT ", meta = ?11", now),                          \
    .meta = COMB_TREE_SET("meta = ?7", now),                                                       \
    .locks_fence = "SELECT coalesce(lock_fence, 0), " now " FROM node WHERE id = ?1",              \
    .lock_refresh = "UPDATE node_lock SET expire_us = ?3 WHERE node = ?1 AND token = ?2"           \
                    " AND expire_us > " now,                                                       \
    .locks_sweep =                                                                                 \
        "DELETE FROM node_lock WHERE (node, token) IN (SELECT node, token FROM node_lock"          \
        " WHERE expire_us <= " now " ORDER BY expire_us LIMIT 4" skip_locked ")"

/* A page of children and the entries on them; by name: ?1 folder, ?2 name, ?3 max (, ?4 entries);
 * by value: ?1 folder, ?2 value, ?3 id, ?4 max (, ?5 entries). */
struct comb_tree_dialect_page {
    const char *nodes, *entries;
};

struct comb_tree_dialect {
    struct comb_tree_dialect_page pages[3][2]; /* [enum comb_tree_key][descending] */
    const char *details;                       /* ?1 ids, 16 bytes each; ?2 their number */
    const char *below;                         /* the same; ?3 max */
    const char *place, *content, *content_meta, *meta;
    const char *place_below;  /* place where ?7 does not lie below ?1 */
    const char *locks_of;     /* ?1 ids, 16 bytes each; ?2 their number: those that hold */
    const char *locks_fence;  /* ?1 node */
    const char *lock_refresh; /* ?1 node ?2 token ?3 expire_us */
    const char *locks_sweep;
    const char *totals_add; /* ?1 ids, ?2 JSON array of [bytes, files, folders] */
    const char *totals_count;
    /* ?1 ids, 16 bytes each; ?2 their number; purge_children takes the children of those folders up
     * to ?3, the purge node, at most ?4. */
    const char *purge_files, *purge_children, *purge_totals, *purge_folders;
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_tree_schema_sqlite;
extern const struct comb_sql_schema comb_tree_schema_postgres;

#endif
