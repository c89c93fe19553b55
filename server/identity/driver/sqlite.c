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
};

#define USER_COLUMNS                                                                               \
    "SELECT id, login, display_name, email, password, disabled, rev, roles_rev, generation,"       \
    " create_us, personal, (SELECT group_concat(hex(role), '') FROM"                               \
    " (SELECT role FROM user_role WHERE \"user\" = u.id ORDER BY position)) FROM \"user\" u"
#define ROLE_COLUMNS "SELECT id, name, label, override, built_in, rev, create_us FROM role"
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
    .administrator_but = "SELECT 1 FROM user_role ur JOIN \"user\" u ON u.id = ur.\"user\""
                         " WHERE ur.role = ?2 AND u.id <> ?1 AND u.disabled = 0 LIMIT 1",
    .role_by_id = ROLE_COLUMNS " WHERE id = ?1",
    .role_by_name = ROLE_COLUMNS " WHERE name = ?1",
    .roles = ROLE_COLUMNS " WHERE name > ?1 ORDER BY name LIMIT ?2",
    .insert_user = "INSERT INTO \"user\"(id, login, display_name, email, password, disabled,"
                   " roles_rev, generation, rev, create_us, personal)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1, 1, 1, ?7, ?8)",
    .update_user = "UPDATE \"user\" SET login = ?2, display_name = ?3, email = ?4, password = ?5,"
                   " disabled = ?6, rev = rev + 1, roles_rev = roles_rev + ?8,"
                   " generation = generation + ?9 WHERE id = ?1 AND rev = ?7",
    .delete_user = "DELETE FROM \"user\" WHERE id = ?1 AND rev = ?2",
    .delete_user_roles = "DELETE FROM user_role WHERE \"user\" = ?1",
    .check_roles = SPLIT_IDS("?1") "SELECT 1 WHERE (SELECT count(*) FROM role WHERE id IN"
                                   " (SELECT id FROM ids)) = ?2",
    .insert_user_roles = "INSERT INTO user_role(\"user\", role, position) " SPLIT_IDS(
        "?2") "SELECT ?1, id, i FROM ids",
    .insert_role = "INSERT INTO role(id, name, label, override, built_in, rev, create_us)"
                   " VALUES(?1, ?2, ?3, ?4, 0, 1, ?5)",
    .update_role = "UPDATE role SET name = ?2, label = ?3, override = ?4, rev = rev + 1"
                   " WHERE id = ?1 AND rev = ?5",
    .raise_members = "UPDATE \"user\" SET roles_rev = roles_rev + 1, rev = rev + ?2 WHERE id IN"
                     " (SELECT \"user\" FROM user_role WHERE role = ?1)",
    .delete_role_users = "DELETE FROM user_role WHERE role = ?1",
    .delete_role = "DELETE FROM role WHERE id = ?1 AND rev = ?2",
};

const struct comb_sql_schema comb_identity_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
