/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/driver/schema.h"

static const struct comb_sql_migration steps[] = {
    {"permissions", 1,
     "CREATE TABLE entry (node bytea NOT NULL, role bytea NOT NULL, rights bigint NOT NULL,"
     " expire_us bigint NOT NULL, create_us bigint NOT NULL, granted_by bytea NOT NULL,"
     " PRIMARY KEY (node, role)) WITH (fillfactor = 90);"
     "CREATE INDEX entry_by_role ON entry (role)"},
};

static const struct comb_permissions_dialect dialect = {
    .readable = "SELECT e.node FROM (SELECT substr(?1, i * 16 + 1, 16) AS id"
                " FROM generate_series(0, ?2::integer - 1) AS i) a CROSS JOIN LATERAL"
                " (SELECT node, rights, expire_us FROM entry WHERE role = a.id OFFSET 0) e"
                " WHERE (e.rights & 1) = 1 AND (e.expire_us = 0 OR e.expire_us > ?3) LIMIT ?4",
};

const struct comb_sql_schema comb_permissions_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
