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
    .check_roles = SPLIT_IDS("?1") "SELECT 1 WHERE (SELECT count(*) FROM role WHERE id IN"
                                   " (SELECT id FROM ids)) = ?2",
    .insert_user_roles = "INSERT INTO user_role(\"user\", role, position) " SPLIT_IDS(
        "?2") "SELECT ?1, id, i FROM ids",
};

const struct comb_sql_schema comb_identity_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
