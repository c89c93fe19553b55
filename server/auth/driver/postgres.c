/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/driver/dialect.h"

#define GRANT_COLUMNS                                                                              \
    " id bytea PRIMARY KEY CHECK (length(id) = 16),"                                               \
    " \"user\" bytea NOT NULL,"                                                                    \
    " label text COLLATE \"C\" NOT NULL,"                                                          \
    " generation bigint NOT NULL,"                                                                 \
    " create_us bigint NOT NULL,"                                                                  \
    " expire_us bigint NOT NULL,"                                                                  \
    " revoked bigint NOT NULL DEFAULT 0,"

static const struct comb_sql_migration steps[] = {
    {"auth", 1,
     "CREATE TABLE session(" GRANT_COLUMNS
     " refresh_serial bigint NOT NULL) WITH (fillfactor = 85);"
     "CREATE INDEX session_by_user ON session (\"user\");"
     "CREATE INDEX session_by_end ON session (expire_us);"
     "CREATE TABLE token(" GRANT_COLUMNS " hash bytea NOT NULL, scopes bytea NOT NULL);"
     "CREATE INDEX token_by_user ON token (\"user\");"
     "CREATE INDEX token_by_end ON token (expire_us)"},
};

/* Each new one forgets a few old ones: the table stays as large as what is in use. Those that
 * another new one is forgetting are left to it, so that log-ins do not wait for each other. */
#define FORGET(table)                                                                              \
    "DELETE FROM " table " WHERE id = ANY (ARRAY(SELECT id FROM " table                            \
    " WHERE expire_us < ?1 ORDER BY expire_us LIMIT 16 FOR UPDATE SKIP LOCKED))"

static const struct auth_dialect dialect = {
    .forget_sessions = FORGET("session"),
    .forget_tokens = FORGET("token"),
};

const struct comb_sql_schema comb_auth_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
