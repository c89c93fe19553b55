/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/driver/dialect.h"

#define GRANT_COLUMNS                                                                              \
    " id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),"                                        \
    " \"user\" BLOB NOT NULL,"                                                                     \
    " label TEXT NOT NULL,"                                                                        \
    " generation INTEGER NOT NULL,"                                                                \
    " create_us INTEGER NOT NULL,"                                                                 \
    " expire_us INTEGER NOT NULL,"                                                                 \
    " revoked INTEGER NOT NULL DEFAULT 0,"

static const struct comb_sql_migration steps[] = {
    {"auth", 1,
     "CREATE TABLE session(" GRANT_COLUMNS " refresh_serial INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX session_by_user ON session(\"user\");"
     "CREATE INDEX session_by_end ON session(expire_us);"
     "CREATE TABLE token(" GRANT_COLUMNS " hash BLOB NOT NULL, scopes BLOB NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX token_by_user ON token(\"user\");"
     "CREATE INDEX token_by_end ON token(expire_us);"},
};

/* Each new one forgets a few old ones: the table stays as large as what is in use. */
#define FORGET(table)                                                                              \
    "DELETE FROM " table " WHERE id IN (SELECT id FROM " table                                     \
    " WHERE expire_us < ?1 ORDER BY expire_us LIMIT 16)"

static const struct auth_dialect dialect = {
    .forget_sessions = FORGET("session"),
    .forget_tokens = FORGET("token"),
};

const struct comb_sql_schema comb_auth_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
