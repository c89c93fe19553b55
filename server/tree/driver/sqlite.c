/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of the tree for SQLite, and its schema. */
#include "server/tree/driver/dialect.h"

/* What an id in text form is called in a bin or below the purge node is not read by anybody; it
 * only has to be unique there. */

#define PAGE_BY_NAME(condition, order)                                                             \
    {                                                                                              \
        .nodes = "SELECT " COMB_TREE_NODE_COLUMNS                                                  \
                 " FROM node n WHERE n.parent = ?1 AND n.name " condition                          \
                 " ?2 ORDER BY n.name " order " LIMIT ?3",                                         \
        .entries = "SELECT e.node, e.role, e.rights, e.expire_us, e.create_us, e.granted_by"       \
                   " FROM (SELECT n.id FROM node n WHERE n.parent = ?1 AND n.name " condition      \
                   " ?2 ORDER BY n.name " order                                                    \
                   " LIMIT ?3) c CROSS JOIN entry e ON e.node = c.id LIMIT ?4"                     \
    }
#define PAGE_BY_VALUE(column, condition, order)                                                    \
    {                                                                                              \
        .nodes = "SELECT " COMB_TREE_NODE_COLUMNS                                                  \
                 " FROM node n WHERE n.parent = ?1 AND (n." column ", n.id) " condition            \
                 " (?2, ?3) ORDER BY n." column " " order ", n.id " order " LIMIT ?4",             \
        .entries = "SELECT e.node, e.role, e.rights, e.expire_us, e.create_us, e.granted_by"       \
                   " FROM (SELECT n.id FROM node n WHERE n.parent = ?1 AND (n." column             \
                   ", n.id) " condition " (?2, ?3) ORDER BY n." column " " order ", n.id " order   \
                   " LIMIT ?4) c CROSS JOIN entry e ON e.node = c.id LIMIT ?5"                     \
    }

/* SQLite's clock has milliseconds; within one statement it stands. */
#define NOW "(CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER) * 1000)"

/* ?1 as rows: ids of 16 bytes each, ?2 of them. */
#define ASKED                                                                                      \
    "WITH RECURSIVE asked(position, id) AS (SELECT 0, substr(?1, 1, 16)"                           \
    " UNION ALL SELECT position + 1, substr(?1, (position + 1) * 16 + 1, 16)"                      \
    " FROM asked WHERE position + 1 < ?2) "
#define PURGED_FOLDERS                                                                             \
    "(" ASKED "SELECT f.id FROM asked a CROSS JOIN node f ON f.id = a.id"                          \
    " WHERE f.kind = 2 AND NOT EXISTS (SELECT 1 FROM node c WHERE c.parent = f.id))"

static const struct comb_tree_dialect dialect = {
    .pages = {[COMB_TREE_BY_NAME] = {PAGE_BY_NAME(">", "ASC"), PAGE_BY_NAME("<", "DESC")},
              [COMB_TREE_BY_UPDATE_TIME] = {PAGE_BY_VALUE("update_us", ">", "ASC"),
                                            PAGE_BY_VALUE("update_us", "<", "DESC")},
              [COMB_TREE_BY_SIZE] = {PAGE_BY_VALUE("size", ">", "ASC"),
                                     PAGE_BY_VALUE("size", "<", "DESC")}},
    .details = ASKED "SELECT " COMB_TREE_NODE_COLUMNS
                     ", n.meta, t.bytes, t.files, t.folders, a.position FROM asked a"
                     " CROSS JOIN node n ON n.id = a.id LEFT JOIN folder_total t ON t.node = n.id",
    .below = ASKED ", below(id) AS (SELECT id FROM asked UNION SELECT c.id FROM below b"
                   " CROSS JOIN node c INDEXED BY node_by_update ON c.parent = b.id LIMIT ?3)"
                   " SELECT id FROM below",
    .place_below = COMB_TREE_SET_PLACE(NOW) " AND NOT EXISTS (WITH RECURSIVE above(id, parent) AS "
                                            "(SELECT n.id, n.parent FROM node n"
                                            " WHERE n.id = ?7 UNION SELECT n.id, n.parent FROM "
                                            "above a JOIN node n ON n.id = a.parent)"
                                            " SELECT 1 FROM above WHERE above.id = ?1)",
    COMB_TREE_CHANGES(NOW, ""),
    .locks_of = ASKED "SELECT " COMB_TREE_LOCK_COLUMNS ", a.position FROM asked a"
                      " CROSS JOIN node_lock l ON l.node = a.id WHERE l.expire_us > " NOW
                      " ORDER BY a.position, l.token",
    .totals_add = "INSERT INTO folder_total (node, bytes, files, folders)"
                  " SELECT substr(?1, j.key * 16 + 1, 16), json_extract(j.value, '$[0]'),"
                  " json_extract(j.value, '$[1]'), json_extract(j.value, '$[2]')"
                  " FROM json_each(?2) j WHERE true"
                  " ON CONFLICT (node) DO UPDATE SET bytes = bytes + excluded.bytes,"
                  " files = files + excluded.files, folders = folders + excluded.folders",
    .totals_count = "WITH RECURSIVE above(id, folder) AS (SELECT n.id, n.parent FROM node n"
                    " WHERE n.id <> n.parent UNION ALL SELECT a.id, n.parent FROM above a"
                    " JOIN node n ON n.id = a.folder WHERE n.id <> n.parent)"
                    " INSERT INTO folder_total (node, bytes, files, folders)"
                    " SELECT a.folder, sum(n.size), sum(n.kind = 1), sum(n.kind = 2) FROM above a"
                    " JOIN node n ON n.id = a.id JOIN node f ON f.id = a.folder"
                    " WHERE f.id <> f.parent AND f.id <> x'00000000000070008000000000000004'"
                    " GROUP BY a.folder",
    .purge_files = "DELETE FROM node WHERE id IN (" ASKED "SELECT id FROM asked) AND kind = 1",
    .purge_children = "UPDATE node SET parent = ?3, name = hex(id) WHERE id IN (" ASKED
                      "SELECT c.id FROM asked a CROSS JOIN node c ON c.parent = a.id LIMIT ?4)",
    .purge_totals = "DELETE FROM folder_total WHERE node IN " PURGED_FOLDERS,
    .purge_folders = "DELETE FROM node WHERE id IN " PURGED_FOLDERS,
};

static const struct comb_sql_migration steps[] = {
    {"tree", 1,
     "CREATE TABLE node (id BLOB PRIMARY KEY NOT NULL, parent BLOB NOT NULL,"
     " name TEXT COLLATE BINARY NOT NULL, kind INTEGER NOT NULL, rev INTEGER NOT NULL,"
     " acl_rev INTEGER NOT NULL, size INTEGER NOT NULL, blob BLOB, sha256 BLOB, media_type TEXT,"
     " create_us INTEGER NOT NULL, update_us INTEGER NOT NULL, trash_parent BLOB, trash_name TEXT,"
     " trash_us INTEGER, trash_by BLOB, meta BLOB, UNIQUE (parent, name)) WITHOUT ROWID;"
     "CREATE INDEX node_by_update ON node (parent, update_us, id);"
     "CREATE INDEX node_by_size ON node (parent, size, id);"
     "CREATE INDEX node_by_blob ON node (blob) WHERE blob IS NOT NULL;"
     "CREATE TABLE folder_total (node BLOB PRIMARY KEY NOT NULL, bytes INTEGER NOT NULL,"
     " files INTEGER NOT NULL, folders INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE tree_cursor (name TEXT PRIMARY KEY NOT NULL, incarnation INTEGER NOT NULL,"
     " sequence INTEGER NOT NULL) WITHOUT ROWID;"
     "INSERT INTO tree_cursor VALUES ('totals', 0, 0);"
     "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, create_us, update_us) VALUES"
     " (x'00000000000070008000000000000001', x'00000000000070008000000000000001', '', 2, 1, 1, 0,"
     " 0, 0),"
     " (x'00000000000070008000000000000004', x'00000000000070008000000000000001', 'purge', 2, 1,"
     " 1, 0, 0, 0)"},
    {"tree", 2,
     "ALTER TABLE node ADD COLUMN lock_fence INTEGER;"
     "ALTER TABLE node ADD COLUMN lock_until INTEGER;"
     "ALTER TABLE node ADD COLUMN lock_holder INTEGER;"
     "ALTER TABLE node ADD COLUMN lock_user BLOB;"
     "CREATE TABLE node_lock (node BLOB NOT NULL, token INTEGER NOT NULL, mode INTEGER NOT NULL,"
     " owner BLOB NOT NULL, session BLOB NOT NULL, login TEXT NOT NULL, note TEXT NOT NULL,"
     " create_us INTEGER NOT NULL, expire_us INTEGER NOT NULL, PRIMARY KEY (node, token))"
     " WITHOUT ROWID;"
     "CREATE INDEX node_lock_by_expiry ON node_lock (expire_us)"},
};

const struct comb_sql_schema comb_tree_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
