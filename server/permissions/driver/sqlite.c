/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/driver/schema.h"

static const struct comb_sql_migration steps[] = {
    {"permissions", 1,
     "CREATE TABLE entry ("
     "  node BLOB NOT NULL, role BLOB NOT NULL, rights INTEGER NOT NULL,"
     "  expire_us INTEGER NOT NULL, create_us INTEGER NOT NULL, granted_by BLOB NOT NULL,"
     "  PRIMARY KEY (node, role)) WITHOUT ROWID;"
     "CREATE INDEX entry_by_role ON entry (role);"},
};

static const struct comb_permissions_dialect dialect = {
    .readable = "WITH RECURSIVE asked(position, id) AS (SELECT 0, substr(?1, 1, 16)"
                " UNION ALL SELECT position + 1, substr(?1, (position + 1) * 16 + 1, 16)"
                " FROM asked WHERE position + 1 < ?2)"
                " SELECT e.node FROM asked a CROSS JOIN entry e ON e.role = a.id"
                " WHERE (e.rights & 1) = 1 AND (e.expire_us = 0 OR e.expire_us > ?3) LIMIT ?4",
};

const struct comb_sql_schema comb_permissions_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
