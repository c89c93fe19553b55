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

const struct comb_sql_schema comb_permissions_schema_sqlite = {
    .driver = "sqlite",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
};
