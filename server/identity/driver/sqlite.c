/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/driver/dialect.h"

/* "user" is a reserved word of other stores of the family, hence the quotes. The reserved ids are
 * those of comb_role_everybody and comb_role_administrators (facts.h). */
static const struct comb_sql_migration steps[] = {
    {"identity", 1,
     "CREATE TABLE \"user\"("
     " id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),"
     " login TEXT NOT NULL UNIQUE,"
     " display_name TEXT NOT NULL,"
     " email TEXT NOT NULL,"
     " password TEXT NOT NULL,"
     " disabled INTEGER NOT NULL,"
     " roles_rev INTEGER NOT NULL,"
     " generation INTEGER NOT NULL,"
     " rev INTEGER NOT NULL,"
     " create_us INTEGER NOT NULL,"
     " personal BLOB NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE role("
     " id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),"
     " name TEXT NOT NULL UNIQUE,"
     " label TEXT NOT NULL,"
     " override INTEGER NOT NULL,"
     " built_in INTEGER NOT NULL,"
     " rev INTEGER NOT NULL,"
     " create_us INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE TABLE user_role("
     " \"user\" BLOB NOT NULL,"
     " role BLOB NOT NULL,"
     " position INTEGER NOT NULL,"
     " PRIMARY KEY(\"user\", role)) WITHOUT ROWID;"
     "CREATE INDEX user_role_by_role ON user_role(role);"
     "INSERT INTO role(id, name, label, override, built_in, rev, create_us) VALUES"
     " (x'00000000000070008000000000000002', 'everybody', 'Everybody', 0, 1, 1,"
     "  CAST(strftime('%s', 'now') AS INTEGER) * 1000000),"
     " (x'00000000000070008000000000000003', 'administrators', 'Administrators', 0, 1, 1,"
     "  CAST(strftime('%s', 'now') AS INTEGER) * 1000000);"},
    /* The group above all others has no row: its id is that of the role of everybody. */
    {"identity", 2,
     "CREATE TABLE user_group("
     " id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),"
     " parent BLOB NOT NULL,"
     " name TEXT NOT NULL,"
     " label TEXT NOT NULL,"
     " rev INTEGER NOT NULL,"
     " create_us INTEGER NOT NULL,"
     " UNIQUE(parent, name)) WITHOUT ROWID;"
     "CREATE TABLE identity_state("
     " id INTEGER PRIMARY KEY CHECK(id = 1),"
     " rights_rev INTEGER NOT NULL,"
     " groups_rev INTEGER NOT NULL);"
     "INSERT INTO identity_state(id, rights_rev, groups_rev) VALUES (1, 0, 1);"
     "ALTER TABLE \"user\" ADD COLUMN group_id BLOB NOT NULL"
     " DEFAULT x'00000000000070008000000000000002';"
     "CREATE INDEX user_by_group ON \"user\"(group_id, login)"},
};

#define USER_COLUMNS                                                                               \
    "SELECT id, login, display_name, email, password, disabled, rev,"                              \
    " roles_rev + (SELECT rights_rev FROM identity_state), generation,"                            \
    " create_us, personal, (SELECT group_concat(hex(role), '') FROM"                               \
    " (SELECT role FROM user_role WHERE \"user\" = u.id ORDER BY position)), group_id"             \
    " FROM \"user\" u"
/* 16: COMB_GROUP_DEPTH_MAX */
#define GROUP_COLUMNS                                                                              \
    "SELECT g.id, g.parent, g.name, g.label, g.rev, g.create_us, (WITH RECURSIVE"                  \
    " up(depth, id, name) AS (SELECT 0, g.parent, g.name UNION ALL"                                \
    "  SELECT up.depth + 1, p.parent, p.name FROM up CROSS JOIN user_group p ON p.id = up.id"      \
    "  WHERE up.depth < 16)"                                                                       \
    " SELECT group_concat('/' || name, '') FROM (SELECT name FROM up ORDER BY depth DESC))"        \
    " FROM user_group g"
/* Turns ?N, ids in one blob, into rows (i, id). */
#define SPLIT_IDS(parameter)                                                                       \
    "WITH RECURSIVE n(i) AS (SELECT 0 WHERE length(" parameter ") > 0 UNION ALL"                   \
    " SELECT i + 1 FROM n WHERE (i + 1) * 16 < length(" parameter ")),"                            \
    " ids(i, id) AS (SELECT i, substr(" parameter ", i * 16 + 1, 16) FROM n) "

static const struct identity_dialect dialect = {
    .user_by_id = USER_COLUMNS " WHERE id = ?1",
    .user_by_login = USER_COLUMNS " WHERE login = ?1",
    .users =
        USER_COLUMNS " WHERE login > ?1 AND login >= ?2 AND login < ?3 ORDER BY login LIMIT ?4",
    .users_of_group = USER_COLUMNS " WHERE group_id = ?5 AND login > ?1 AND login >= ?2"
                                   " AND login < ?3 ORDER BY login LIMIT ?4",
    .check_roles = SPLIT_IDS("?1") "SELECT 1 WHERE (SELECT count(*) FROM role WHERE id IN"
                                   " (SELECT id FROM ids)) = ?2",
    .insert_user_roles = "INSERT INTO user_role(\"user\", role, position) " SPLIT_IDS(
        "?2") "SELECT ?1, id, i FROM ids",
    .group_by_id = GROUP_COLUMNS " WHERE g.id = ?1",
    .group_by_name = GROUP_COLUMNS " WHERE g.parent = ?1 AND g.name = ?2",
    .groups = GROUP_COLUMNS " WHERE g.parent = ?1 AND g.name > ?2 ORDER BY g.name LIMIT ?3",
    .are_groups = SPLIT_IDS("?1") "SELECT g.id FROM ids CROSS JOIN user_group g ON g.id = ids.id",
};

const struct comb_sql_schema comb_identity_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
