/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/driver/dialect.h"

#define NOW_US "(extract(epoch FROM now()) * 1000000)::bigint"

/* The reserved ids are those of comb_role_everybody and comb_role_administrators (facts.h). */
static const struct comb_sql_migration steps[] = {
    {"identity", 1,
     "CREATE TABLE \"user\"("
     " id bytea PRIMARY KEY CHECK (length(id) = 16),"
     " login text COLLATE \"C\" NOT NULL UNIQUE,"
     " display_name text COLLATE \"C\" NOT NULL,"
     " email text COLLATE \"C\" NOT NULL,"
     " password text COLLATE \"C\" NOT NULL,"
     " disabled bigint NOT NULL,"
     " roles_rev bigint NOT NULL,"
     " generation bigint NOT NULL,"
     " rev bigint NOT NULL,"
     " create_us bigint NOT NULL,"
     " personal bytea NOT NULL) WITH (fillfactor = 85);"
     "CREATE TABLE role("
     " id bytea PRIMARY KEY CHECK (length(id) = 16),"
     " name text COLLATE \"C\" NOT NULL UNIQUE,"
     " label text COLLATE \"C\" NOT NULL,"
     " override bigint NOT NULL,"
     " built_in bigint NOT NULL,"
     " rev bigint NOT NULL,"
     " create_us bigint NOT NULL);"
     "CREATE TABLE user_role("
     " \"user\" bytea NOT NULL,"
     " role bytea NOT NULL,"
     " position bigint NOT NULL,"
     " PRIMARY KEY (\"user\", role));"
     "CREATE INDEX user_role_by_role ON user_role (role);"
     "INSERT INTO role (id, name, label, override, built_in, rev, create_us) VALUES"
     " ('\\x00000000000070008000000000000002', 'everybody', 'Everybody', 0, 1, 1, " NOW_US "),"
     " ('\\x00000000000070008000000000000003', 'administrators', 'Administrators', 0, 1, 1,"
     " " NOW_US ")"},
    /* The group above all others has no row: its id is that of the role of everybody. */
    {"identity", 2,
     "CREATE TABLE user_group("
     " id bytea PRIMARY KEY CHECK (length(id) = 16),"
     " parent bytea NOT NULL,"
     " name text COLLATE \"C\" NOT NULL,"
     " label text COLLATE \"C\" NOT NULL,"
     " rev bigint NOT NULL,"
     " create_us bigint NOT NULL,"
     " UNIQUE (parent, name));"
     "CREATE TABLE identity_state("
     " id bigint PRIMARY KEY CHECK (id = 1),"
     " rights_rev bigint NOT NULL,"
     " groups_rev bigint NOT NULL) WITH (fillfactor = 10);"
     "INSERT INTO identity_state (id, rights_rev, groups_rev) VALUES (1, 0, 1);"
     "ALTER TABLE \"user\" ADD COLUMN group_id bytea NOT NULL"
     " DEFAULT '\\x00000000000070008000000000000002';"
     "CREATE INDEX user_by_group ON \"user\" (group_id, login)"},
};

#define USER_COLUMNS                                                                               \
    "SELECT id, login, display_name, email, password, disabled, rev,"                              \
    " roles_rev + (SELECT rights_rev FROM identity_state), generation,"                            \
    " create_us, personal, (SELECT string_agg(encode(role, 'hex'), '' ORDER BY position)"          \
    " FROM user_role WHERE \"user\" = u.id), group_id FROM \"user\" u"
/* 16: COMB_GROUP_DEPTH_MAX */
#define GROUP_COLUMNS                                                                              \
    "SELECT g.id, g.parent, g.name, g.label, g.rev, g.create_us, (WITH RECURSIVE"                  \
    " up(depth, id, name) AS (SELECT 0, g.parent, g.name UNION ALL"                                \
    "  SELECT up.depth + 1, p.parent, p.name FROM up CROSS JOIN LATERAL"                           \
    "  (SELECT parent, name FROM user_group WHERE id = up.id OFFSET 0) p WHERE up.depth < 16)"     \
    " SELECT string_agg('/' || name, '' ORDER BY depth DESC) FROM up) FROM user_group g"
/* ?N, ids in one blob, as rows (i, id). */
#define IDS(parameter)                                                                             \
    "(SELECT i, substr(" parameter ", i * 16 + 1, 16) AS id"                                       \
    " FROM generate_series(0, length(" parameter ") / 16 - 1) AS i) ids"

static const struct identity_dialect dialect = {
    .user_by_id = USER_COLUMNS " WHERE id = ?1",
    .user_by_login = USER_COLUMNS " WHERE login = ?1",
    .users =
        USER_COLUMNS " WHERE login > ?1 AND login >= ?2 AND login < ?3 ORDER BY login LIMIT ?4",
    .users_of_group = USER_COLUMNS " WHERE group_id = ?5 AND login > ?1 AND login >= ?2"
                                   " AND login < ?3 ORDER BY login LIMIT ?4",
    .check_roles = "SELECT 1 WHERE (SELECT count(*) FROM role WHERE id = ANY (ARRAY("
                   "SELECT id FROM " IDS("?1") "))) = ?2",
    .insert_user_roles = "INSERT INTO user_role (\"user\", role, position)"
                         " SELECT ?1, id, i FROM " IDS("?2"),
    .group_by_id = GROUP_COLUMNS " WHERE g.id = ?1",
    .group_by_name = GROUP_COLUMNS " WHERE g.parent = ?1 AND g.name = ?2",
    .groups = GROUP_COLUMNS " WHERE g.parent = ?1 AND g.name > ?2 ORDER BY g.name LIMIT ?3",
    .are_groups = "SELECT id FROM user_group WHERE id = ANY (ARRAY(SELECT id FROM " IDS("?1") "))",
};

const struct comb_sql_schema comb_identity_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
