/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of the tree for PostgreSQL, and its schema. Plans are made once for all parameters
 * and may be made while a table is still empty, so what is looked up for each of a list is written
 * as a LATERAL subquery with OFFSET 0, which leaves the planner no join but that by key.
 */
#include "server/tree/driver/dialect.h"

/* The entries on the nodes c, in the order that follows. */
#define ENTRIES_OF(children, order, limit)                                                         \
    "SELECT e.node, e.role, e.rights, e.expire_us, e.create_us, e.granted_by FROM (" children      \
    ") c CROSS JOIN LATERAL (SELECT * FROM entry WHERE node = c.id OFFSET 0) e ORDER BY " order    \
    ", e.role LIMIT " limit
#define PAGE_BY_NAME(condition, order)                                                             \
    {                                                                                              \
        .nodes = "SELECT " COMB_TREE_NODE_COLUMNS                                                  \
                 " FROM node n WHERE n.parent = ?1 AND n.name " condition                          \
                 " ?2 ORDER BY n.name " order " LIMIT ?3",                                         \
        .entries = ENTRIES_OF("SELECT n.id, n.name FROM node n WHERE n.parent = ?1 AND n.name "    \
                              "" condition " ?2 ORDER BY n.name " order " LIMIT ?3",               \
                              "c.name " order, "?4")                                               \
    }
#define PAGE_BY_VALUE(column, condition, order)                                                    \
    {                                                                                              \
        .nodes = "SELECT " COMB_TREE_NODE_COLUMNS                                                  \
                 " FROM node n WHERE n.parent = ?1 AND (n." column ", n.id) " condition            \
                 " (?2, ?3) ORDER BY n." column " " order ", n.id " order " LIMIT ?4",             \
        .entries =                                                                                 \
            ENTRIES_OF("SELECT n.id, n." column " FROM node n WHERE n.parent = ?1 AND (n." column  \
                       ", n.id) " condition " (?2, ?3) ORDER BY n." column " " order               \
                       ", n.id " order " LIMIT ?4",                                                \
                       "c." column " " order ", c.id " order, "?5")                                \
    }

/* Not now(), which stands since the transaction began, perhaps in front of a lock. */
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

/* ?1 as rows: ids of 16 bytes each, ?2 of them. */
#define ASKED                                                                                      \
    "(SELECT i AS position, substr(?1, i * 16 + 1, 16) AS id"                                      \
    " FROM generate_series(0, ?2::integer - 1) AS i) a"
#define ASKED_IDS "ANY (ARRAY(SELECT id FROM " ASKED "))"
#define PURGED_FOLDERS                                                                             \
    "ANY (ARRAY(SELECT f.id FROM " ASKED " CROSS JOIN LATERAL"                                     \
    " (SELECT id, kind FROM node WHERE id = a.id OFFSET 0) f"                                      \
    " WHERE f.kind = 2 AND NOT EXISTS (SELECT 1 FROM node c WHERE c.parent = f.id)))"

static const struct comb_tree_dialect dialect = {
    .pages = {[COMB_TREE_BY_NAME] = {PAGE_BY_NAME(">", "ASC"), PAGE_BY_NAME("<", "DESC")},
              [COMB_TREE_BY_UPDATE_TIME] = {PAGE_BY_VALUE("update_us", ">", "ASC"),
                                            PAGE_BY_VALUE("update_us", "<", "DESC")},
              [COMB_TREE_BY_SIZE] = {PAGE_BY_VALUE("size", ">", "ASC"),
                                     PAGE_BY_VALUE("size", "<", "DESC")}},
    .details = "SELECT " COMB_TREE_NODE_COLUMNS
               ", n.meta, t.bytes, t.files, t.folders, a.position FROM " ASKED
               " CROSS JOIN LATERAL (SELECT * FROM node WHERE id = a.id OFFSET 0) n"
               " LEFT JOIN LATERAL (SELECT * FROM folder_total WHERE node = n.id OFFSET 0) t"
               " ON true",
    /* What is not fetched is not looked for. */
    .below = "WITH RECURSIVE below(id) AS (SELECT a.id FROM " ASKED
             " UNION SELECT c.id FROM below b CROSS JOIN LATERAL"
             " (SELECT id FROM node WHERE parent = b.id OFFSET 0) c)"
             " SELECT id FROM below LIMIT ?3",
    /* Asked in the statement's own snapshot, which is younger than the lock that the request has
     * taken in a statement before. */
    .place_below = COMB_TREE_SET_PLACE(
        NOW) " AND NOT EXISTS (WITH RECURSIVE above(id, parent) AS (SELECT n.id, n.parent FROM "
             "node n"
             " WHERE n.id = ?7 UNION SELECT n.id, n.parent FROM above a CROSS JOIN LATERAL"
             " (SELECT id, parent FROM node WHERE id = a.parent OFFSET 0) n)"
             " SELECT 1 FROM above WHERE above.id = ?1)",
    COMB_TREE_CHANGES(NOW, " FOR UPDATE SKIP LOCKED"),
    .locks_of =
        "SELECT " COMB_TREE_LOCK_COLUMNS ", a.position FROM " ASKED
        " CROSS JOIN LATERAL (SELECT * FROM node_lock WHERE node = a.id AND expire_us > " NOW
        " OFFSET 0) l ORDER BY a.position, l.token",
    .totals_add = "INSERT INTO folder_total AS t (node, bytes, files, folders)"
                  " SELECT substr(?1, (j.n::integer - 1) * 16 + 1, 16), (j.delta->>0)::bigint,"
                  " (j.delta->>1)::bigint, (j.delta->>2)::bigint"
                  " FROM json_array_elements(?2::json) WITH ORDINALITY AS j(delta, n)"
                  " ON CONFLICT (node) DO UPDATE SET bytes = t.bytes + excluded.bytes,"
                  " files = t.files + excluded.files, folders = t.folders + excluded.folders",
    .totals_count = "WITH RECURSIVE above(id, folder) AS (SELECT n.id, n.parent FROM node n"
                    " WHERE n.id <> n.parent UNION ALL SELECT a.id, n.parent FROM above a"
                    " JOIN node n ON n.id = a.folder WHERE n.id <> n.parent)"
                    " INSERT INTO folder_total (node, bytes, files, folders)"
                    " SELECT a.folder, sum(n.size)::bigint, count(*) FILTER (WHERE n.kind = 1),"
                    " count(*) FILTER (WHERE n.kind = 2) FROM above a"
                    " JOIN node n ON n.id = a.id JOIN node f ON f.id = a.folder"
                    " WHERE f.id <> f.parent AND f.id <> '\\x00000000000070008000000000000004'"
                    " GROUP BY a.folder",
    .purge_files = "DELETE FROM node WHERE id = " ASKED_IDS " AND kind = 1",
    .purge_children = "UPDATE node SET parent = ?3, name = encode(id, 'hex') WHERE id = ANY (ARRAY("
                      "SELECT c.id FROM " ASKED " CROSS JOIN LATERAL"
                      " (SELECT id FROM node WHERE parent = a.id OFFSET 0) c LIMIT ?4))",
    .purge_totals = "DELETE FROM folder_total WHERE node = " PURGED_FOLDERS,
    .purge_folders = "DELETE FROM node WHERE id = " PURGED_FOLDERS,
};

/* Rows are rewritten by most changes of a node, and small: pages keep room for them. */
static const struct comb_sql_migration steps[] = {
    {"tree", 1,
     "CREATE TABLE node (id bytea PRIMARY KEY, parent bytea NOT NULL,"
     " name text COLLATE \"C\" NOT NULL, kind bigint NOT NULL, rev bigint NOT NULL,"
     " acl_rev bigint NOT NULL, size bigint NOT NULL, blob bytea, sha256 bytea,"
     " media_type text COLLATE \"C\", create_us bigint NOT NULL, update_us bigint NOT NULL,"
     " trash_parent bytea, trash_name text COLLATE \"C\", trash_us bigint, trash_by bytea,"
     " meta bytea, UNIQUE (parent, name)) WITH (fillfactor = 85);"
     "CREATE INDEX node_by_update ON node (parent, update_us, id);"
     "CREATE INDEX node_by_size ON node (parent, size, id);"
     "CREATE INDEX node_by_blob ON node (blob) WHERE blob IS NOT NULL;"
     "CREATE TABLE folder_total (node bytea PRIMARY KEY, bytes bigint NOT NULL,"
     " files bigint NOT NULL, folders bigint NOT NULL) WITH (fillfactor = 50);"
     "CREATE TABLE tree_cursor (name text COLLATE \"C\" PRIMARY KEY, incarnation bigint NOT NULL,"
     " sequence bigint NOT NULL) WITH (fillfactor = 10);"
     "INSERT INTO tree_cursor VALUES ('totals', 0, 0);"
     "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, create_us, update_us) VALUES"
     " ('\\x00000000000070008000000000000001', '\\x00000000000070008000000000000001', '', 2, 1,"
     " 1, 0, 0, 0),"
     " ('\\x00000000000070008000000000000004', '\\x00000000000070008000000000000001', 'purge', 2,"
     " 1, 1, 0, 0, 0)"},
    /* Locks. What writes look at is NULL in most rows, and takes no room there. */
    {"tree", 2,
     "ALTER TABLE node ADD COLUMN lock_fence bigint, ADD COLUMN lock_until bigint,"
     " ADD COLUMN lock_holder bigint, ADD COLUMN lock_user bytea;"
     "CREATE TABLE node_lock (node bytea NOT NULL, token bigint NOT NULL, mode bigint NOT NULL,"
     " owner bytea NOT NULL, session bytea NOT NULL, login text COLLATE \"C\" NOT NULL,"
     " note text COLLATE \"C\" NOT NULL, create_us bigint NOT NULL, expire_us bigint NOT NULL,"
     " PRIMARY KEY (node, token));"
     "CREATE INDEX node_lock_by_expiry ON node_lock (expire_us)"},
};

const struct comb_sql_schema comb_tree_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
