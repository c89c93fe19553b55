/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workspaces/driver/dialect.h"

static const struct comb_sql_migration steps[] = {
    {"workspaces", 1,
     "CREATE TABLE workspace("
     " id bytea PRIMARY KEY CHECK (length(id) = 16),"
     " slug text COLLATE \"C\" NOT NULL UNIQUE,"
     " label text COLLATE \"C\" NOT NULL,"
     " description text COLLATE \"C\" NOT NULL,"
     " kind bigint NOT NULL,"
     " owner bytea NOT NULL,"
     " bin bytea NOT NULL UNIQUE,"
     " rev bigint NOT NULL,"
     " create_us bigint NOT NULL);"
     "CREATE INDEX workspace_by_owner ON workspace (owner);"
     "CREATE TABLE workspace_root("
     " workspace bytea NOT NULL,"
     " position bigint NOT NULL,"
     " node bytea NOT NULL UNIQUE,"
     " PRIMARY KEY (workspace, position))"},
};

#define COLUMNS                                                                                    \
    "SELECT id, slug, label, description, kind, owner, bin, rev, create_us,"                       \
    " (SELECT string_agg(encode(node, 'hex'), '' ORDER BY position) FROM workspace_root"           \
    " WHERE workspace = w.id) FROM workspace w"

static const struct workspaces_dialect dialect = {
    .by_id = COLUMNS " WHERE id = ?1",
    .by_slug = COLUMNS " WHERE slug = ?1",
    .list = COLUMNS " WHERE slug > ?1 ORDER BY slug LIMIT ?2",
};

const struct comb_sql_schema comb_workspaces_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
