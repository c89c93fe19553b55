/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/driver/schema.h"

static const struct comb_sql_migration steps[] = {
    {"permissions", 1,
     "CREATE TABLE entry (node bytea NOT NULL, role bytea NOT NULL, rights bigint NOT NULL,"
     " expire_us bigint NOT NULL, create_us bigint NOT NULL, granted_by bytea NOT NULL,"
     " PRIMARY KEY (node, role)) WITH (fillfactor = 90);"
     "CREATE INDEX entry_by_role ON entry (role)"},
};

const struct comb_sql_schema comb_permissions_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
};
