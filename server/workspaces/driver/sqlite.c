/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workspaces/driver/dialect.h"

const struct comb_sql_migration comb_workspaces_migrations[] = {
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
const size_t comb_workspaces_migrations_count =
    sizeof comb_workspaces_migrations / sizeof comb_workspaces_migrations[0];

#define COLUMNS                                                                                    \
    "SELECT id, slug, label, description, kind, owner, bin, rev, create_us,"                       \
    " (SELECT group_concat(hex(node), '') FROM"                                                    \
    " (SELECT node FROM workspace_root WHERE workspace = w.id ORDER BY position)) FROM workspace " \
    "w"

static const struct workspaces_dialect DIALECT = {
    .name = "sqlite",
    .by_id = COLUMNS " WHERE id = ?1",
    .by_slug = COLUMNS " WHERE slug = ?1",
    .list = COLUMNS " WHERE slug > ?1 ORDER BY slug LIMIT ?2",
    .insert = "INSERT INTO workspace(id, slug, label, description, kind, owner, bin, rev,"
              " create_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)",
    .insert_root = "INSERT INTO workspace_root(workspace, position, node) VALUES(?1, ?2, ?3)",
};

enum comb_status comb_workspaces_store_sqlite(struct comb_sql *sql,
                                              struct comb_workspaces_store **ret_store,
                                              struct comb_error *err)
{
    return workspaces_sql_new(&DIALECT, sql, ret_store, err);
}
