/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workspaces/driver/dialect.h"

static const struct comb_sql_migration steps[] = {
    {"workspaces", 1,
     "CREATE TABLE workspace("
     " id BLOB PRIMARY KEY NOT NULL CHECK(length(id) = 16),"
     " slug TEXT NOT NULL UNIQUE,"
     " label TEXT NOT NULL,"
     " description TEXT NOT NULL,"
     " kind INTEGER NOT NULL,"
     " owner BLOB NOT NULL,"
     " bin BLOB NOT NULL UNIQUE,"
     " rev INTEGER NOT NULL,"
     " create_us INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX workspace_by_owner ON workspace(owner);"
     "CREATE TABLE workspace_root("
     " workspace BLOB NOT NULL,"
     " position INTEGER NOT NULL,"
     " node BLOB NOT NULL UNIQUE,"
     " PRIMARY KEY(workspace, position)) WITHOUT ROWID;"},
};

#define COLUMNS                                                                                    \
    "SELECT id, slug, label, description, kind, owner, bin, rev, create_us,"                       \
    " (SELECT group_concat(hex(node), '') FROM"                                                    \
    " (SELECT node FROM workspace_root WHERE workspace = w.id ORDER BY position)) FROM workspace " \
    "w"

static const struct workspaces_dialect dialect = {
    .by_id = COLUMNS " WHERE id = ?1",
    .by_slug = COLUMNS " WHERE slug = ?1",
    .list = COLUMNS " WHERE slug > ?1 ORDER BY slug LIMIT ?2",
};

const struct comb_sql_schema comb_workspaces_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
