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
};

#define USER_COLUMNS                                                                               \
    "SELECT id, login, display_name, email, password, disabled, rev, roles_rev, generation,"       \
    " create_us, personal, (SELECT string_agg(encode(role, 'hex'), '' ORDER BY position)"          \
    " FROM user_role WHERE \"user\" = u.id) FROM \"user\" u"
#define ROLE_COLUMNS "SELECT id, name, label, override, built_in, rev, create_us FROM role"
/* ?N, ids in one blob, as rows (i, id). */
#define IDS(parameter)                                                                             \
    "(SELECT i, substr(" parameter ", i * 16 + 1, 16) AS id"                                       \
    " FROM generate_series(0, length(" parameter ") / 16 - 1) AS i) ids"

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
    .insert_user = "INSERT INTO \"user\" (id, login, display_name, email, password, disabled,"
                   " roles_rev, generation, rev, create_us, personal)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 1, 1, ?7, ?8)",
    .update_user = "UPDATE \"user\" SET login = ?2, display_name = ?3, email = ?4, password = ?5,"
                   " disabled = ?6, rev = rev + 1, roles_rev = roles_rev + ?8,"
                   " generation = generation + ?9 WHERE id = ?1 AND rev = ?7",
    .delete_user = "DELETE FROM \"user\" WHERE id = ?1 AND rev = ?2",
    .delete_user_roles = "DELETE FROM user_role WHERE \"user\" = ?1",
    .check_roles = "SELECT 1 WHERE (SELECT count(*) FROM role WHERE id = ANY (ARRAY("
                   "SELECT id FROM " IDS("?1") "))) = ?2",
    .insert_user_roles = "INSERT INTO user_role (\"user\", role, position)"
                         " SELECT ?1, id, i FROM " IDS("?2"),
    .insert_role = "INSERT INTO role (id, name, label, override, built_in, rev, create_us)"
                   " VALUES (?1, ?2, ?3, ?4, 0, 1, ?5)",
    .update_role = "UPDATE role SET name = ?2, label = ?3, override = ?4, rev = rev + 1"
                   " WHERE id = ?1 AND rev = ?5",
    .raise_members = "UPDATE \"user\" SET roles_rev = roles_rev + 1, rev = rev + ?2 WHERE id IN"
                     " (SELECT \"user\" FROM user_role WHERE role = ?1)",
    .delete_role_users = "DELETE FROM user_role WHERE role = ?1",
    .delete_role = "DELETE FROM role WHERE id = ?1 AND rev = ?2",
};

const struct comb_sql_schema comb_identity_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
