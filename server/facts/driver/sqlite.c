/* SPDX-License-Identifier: Apache-2.0 */
/* The facts' statements for SQLite. Each recursion is bounded by the path's length or by depth. */
#include "server/facts/dialect.h"

/* comb_node_super_root */
#define SUPER_ROOT "x'00000000000070008000000000000001'"

/* COMB_FACTS_CHAIN_MAX */
#define CHAIN_MAX "128"

/* COMB_GROUP_DEPTH_MAX */
#define GROUPS_MAX "16"

/* A node n and its entries e, behind the depth. */
#define COLUMNS                                                                                    \
    "n.id, n.parent, n.name, n.kind, n.rev, n.acl_rev, n.size, n.blob, n.sha256,"                  \
    " n.media_type, n.create_us, n.update_us, n.trash_parent, n.trash_name, n.trash_us,"           \
    " n.trash_by, e.role, e.rights, e.expire_us, e.create_us, e.granted_by"

#define FIRST_ROOT_OF(workspace)                                                                   \
    "SELECT node FROM workspace_root WHERE workspace = " workspace " ORDER BY position LIMIT 1"

/* The start and all above it, the super-root not among them. */
#define UP(condition)                                                                              \
    "up(depth, id) AS ("                                                                           \
    "  SELECT 0, id FROM start WHERE " condition "  UNION ALL "                                    \
    "  SELECT up.depth - 1, n.parent FROM up JOIN node n ON n.id = up.id"                          \
    "  WHERE n.parent <> " SUPER_ROOT " AND up.depth > -" CHAIN_MAX ")"

/*
 * `down` carries what is left of the path; no join with a list of its parts is needed. The CROSS
 * JOINs fix the order: rows of the recursion first, then their nodes by key.
 */
#define CHAIN(start)                                                                               \
    "WITH RECURSIVE start(id) AS (" start "), down(depth, id, rest) AS ("                          \
    "  SELECT 0, id, ?2 FROM start UNION ALL "                                                     \
    "  SELECT down.depth + 1, n.id, substr(down.rest, instr(down.rest, '/') + 1)"                  \
    "  FROM down CROSS JOIN node n ON n.parent = down.id"                                          \
    "    AND n.name = substr(down.rest, 1, instr(down.rest, '/') - 1)"                             \
    "  WHERE down.rest <> ''), " UP(                                                               \
        "?3") ", chain(depth, id) AS ("                                                            \
              "  SELECT depth, id FROM down WHERE depth > 0 UNION ALL SELECT depth, id FROM up) "  \
              "SELECT c.depth, " COLUMNS " "                                                       \
              "FROM chain c CROSS JOIN node n ON n.id = c.id LEFT JOIN entry e ON e.node = n.id "  \
              "ORDER BY c.depth DESC, e.role"

#define WORKSPACE(condition)                                                                       \
    "SELECT w.id, w.owner, w.bin, w.slug, w.kind, r.node FROM workspace w "                        \
    "LEFT JOIN workspace_root r ON r.workspace = w.id WHERE " condition                            \
    " ORDER BY w.id, r.position"

const struct comb_facts_dialect comb_facts_dialect_sqlite = {
    .driver = "sqlite",
    .subjects = "WITH RECURSIVE up(depth, id) AS (SELECT 0, group_id FROM user WHERE id = ?1"
                " UNION ALL SELECT up.depth - 1, g.parent FROM up"
                " CROSS JOIN user_group g ON g.id = up.id WHERE up.depth > -" GROUPS_MAX "), "
                "his(is_group, position, id, override) AS ("
                " SELECT 1, depth, id, 0 FROM up UNION ALL"
                " SELECT 0, m.position, r.id, r.override FROM user_role m"
                " CROSS JOIN role r ON r.id = m.role WHERE m.user = ?1) "
                "SELECT u.disabled, u.roles_rev + s.rights_rev, u.generation, h.id, h.override,"
                " h.is_group FROM user u CROSS JOIN identity_state s LEFT JOIN his h ON 1"
                " WHERE u.id = ?1 ORDER BY h.is_group DESC, h.position, h.id",
    .workspace_of_slug = WORKSPACE("w.slug = ?1"),
    .workspace_of_user = WORKSPACE("w.id = (SELECT personal FROM user WHERE id = ?1)"),
    .workspace_of_node = "WITH RECURSIVE start(id) AS (SELECT ?1), " UP("1") " " WORKSPACE(
        "w.id IN (SELECT id FROM workspace WHERE bin IN (SELECT id FROM up) UNION "
        "SELECT workspace FROM workspace_root WHERE node IN (SELECT id FROM up))"),
    .chain_of_node = CHAIN("SELECT ?1"),
    .child = "SELECT 1, " COLUMNS " FROM node n LEFT JOIN entry e ON e.node = n.id"
             " WHERE n.parent = ?1 AND n.name = ?2",
    .chain_of_slug = CHAIN(FIRST_ROOT_OF("(SELECT id FROM workspace WHERE slug = ?1)")),
    .chain_of_user = CHAIN(FIRST_ROOT_OF("(SELECT personal FROM user WHERE id = ?1)")),
};
