/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts' statements for PostgreSQL. Each recursion is bounded by the path's length or by depth.
 * LATERAL with OFFSET 0: nodes and entries are looked up by key for each row, whatever the planner
 * thinks of the tables' sizes when it makes the plan, which is made once.
 */
#include "server/backend/sql/snapshot.h"
#include "server/facts/dialect.h"

/* comb_node_super_root */
#define SUPER_ROOT "'\\x00000000000070008000000000000001'::bytea"

/* COMB_FACTS_CHAIN_MAX */
#define CHAIN_MAX "128"

/* COMB_GROUP_DEPTH_MAX */
#define GROUPS_MAX "16"

/* A node and its entries e, behind the depth. */
#define COLUMNS(n)                                                                                 \
    n ".id, " n ".parent, " n ".name, " n ".kind, " n ".rev, " n ".acl_rev, " n ".size, " n        \
      ".blob, " n ".sha256, " n ".media_type, " n ".create_us, " n ".update_us, " n                \
      ".trash_parent, " n ".trash_name, " n ".trash_us, " n ".trash_by, "                          \
      "e.role, e.rights, e.expire_us, e.create_us, e.granted_by"

#define FIRST_ROOT_OF(workspace)                                                                   \
    "SELECT node FROM workspace_root WHERE workspace = " workspace " ORDER BY position LIMIT 1"

/* The start and all above it, the super-root not among them. */
#define UP(condition)                                                                              \
    "up(depth, id) AS ("                                                                           \
    "  SELECT 0, id FROM start WHERE " condition " UNION ALL "                                     \
    "  SELECT up.depth - 1, n.parent FROM up CROSS JOIN LATERAL"                                   \
    "  (SELECT parent FROM node WHERE id = up.id OFFSET 0) n"                                      \
    "  WHERE n.parent <> " SUPER_ROOT " AND up.depth > -" CHAIN_MAX ")"

/* `down` carries what is left of the path. Each row of a node is fetched once, and carried as n:
 * to look it up again by its id would cost as much as finding it. */
#define CHAIN(start)                                                                               \
    "WITH RECURSIVE start(id) AS (" start "), down(depth, id, rest, n) AS ("                       \
    "  SELECT 0, id, ?2::text, NULL::node FROM start UNION ALL "                                   \
    "  SELECT down.depth + 1, n.id, substr(down.rest, strpos(down.rest, '/') + 1), n.n"            \
    "  FROM down CROSS JOIN LATERAL (SELECT id, node AS n FROM node WHERE parent = down.id"        \
    "    AND name = substr(down.rest, 1, strpos(down.rest, '/') - 1) OFFSET 0) n"                  \
    "  WHERE down.rest <> ''), up(depth, parent, n) AS ("                                          \
    "  SELECT 0, n.parent, n.n FROM start CROSS JOIN LATERAL"                                      \
    "  (SELECT parent, node AS n FROM node WHERE id = start.id OFFSET 0) n WHERE ?3 <> 0"          \
    "  UNION ALL SELECT up.depth - 1, n.parent, n.n FROM up CROSS JOIN LATERAL"                    \
    "  (SELECT parent, node AS n FROM node WHERE id = up.parent OFFSET 0) n"                       \
    "  WHERE up.parent <> " SUPER_ROOT " AND up.depth > -" CHAIN_MAX ") "                          \
    "SELECT c.depth, " COLUMNS("(c.n)") " FROM (SELECT depth, n FROM down WHERE depth > 0"         \
                                        " UNION ALL SELECT depth, n FROM up) c"                    \
                                        " LEFT JOIN LATERAL (SELECT * FROM entry WHERE node = "    \
                                        "(c.n).id OFFSET 0) e ON true"                             \
                                        " ORDER BY c.depth DESC, e.role"

#define WORKSPACE(condition)                                                                       \
    "SELECT w.id, w.owner, w.bin, w.slug, w.kind, r.node FROM workspace w "                        \
    "LEFT JOIN workspace_root r ON r.workspace = w.id WHERE " condition                            \
    " ORDER BY w.id, r.position"

const struct comb_facts_dialect comb_facts_dialect_postgres = {
    .driver = "postgres",
    .subjects = "WITH RECURSIVE up(depth, id) AS (SELECT 0, group_id FROM \"user\" WHERE id = ?1"
                " UNION ALL SELECT up.depth - 1, g.parent FROM up CROSS JOIN LATERAL"
                " (SELECT parent FROM user_group WHERE id = up.id OFFSET 0) g"
                " WHERE up.depth > -" GROUPS_MAX "), "
                "his(is_group, position, id, override) AS ("
                " SELECT 1::bigint, depth::bigint, id, 0::bigint FROM up UNION ALL"
                " SELECT 0, m.position, r.id, r.override FROM user_role m"
                " JOIN role r ON r.id = m.role WHERE m.\"user\" = ?1) "
                "SELECT u.disabled, u.roles_rev + s.rights_rev, u.generation, h.id, h.override,"
                " h.is_group FROM \"user\" u CROSS JOIN identity_state s LEFT JOIN his h ON true"
                " WHERE u.id = ?1 ORDER BY h.is_group DESC, h.position, h.id",
    .workspace_of_slug = WORKSPACE("w.slug = ?1"),
    .workspace_of_user = WORKSPACE("w.id = (SELECT personal FROM \"user\" WHERE id = ?1)"),
    .workspace_of_node =
        "WITH RECURSIVE start(id) AS (SELECT ?1::bytea), " UP("true") " " WORKSPACE(
            "w.id IN (SELECT id FROM workspace WHERE bin IN (SELECT id FROM up) UNION "
            "SELECT workspace FROM workspace_root WHERE node IN (SELECT id FROM up))"),
    .chain_of_node = CHAIN("SELECT ?1::bytea"),
    .child = "SELECT 1, " COLUMNS(
        "n") ", s.snapshot"
             " FROM (SELECT " COMB_SQL_POSTGRES_SNAPSHOT " AS snapshot OFFSET 0) s"
             " LEFT JOIN LATERAL"
             " (SELECT * FROM node WHERE parent = ?1 AND name = ?2 OFFSET 0) n ON true"
             " LEFT JOIN LATERAL (SELECT * FROM entry WHERE node = n.id OFFSET 0) e ON true",
    .child_tells_position = true,
    .chain_of_slug = CHAIN(FIRST_ROOT_OF("(SELECT id FROM workspace WHERE slug = ?1)")),
    .chain_of_user = CHAIN(FIRST_ROOT_OF("(SELECT personal FROM \"user\" WHERE id = ?1)")),
};
