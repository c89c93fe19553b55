/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/driver/dialect.h"

static const struct comb_sql_migration steps[] = {
    {"permissions", 1,
     "CREATE TABLE entry (node bytea NOT NULL, role bytea NOT NULL, rights bigint NOT NULL,"
     " expire_us bigint NOT NULL, create_us bigint NOT NULL, granted_by bytea NOT NULL,"
     " PRIMARY KEY (node, role)) WITH (fillfactor = 90);"
     "CREATE INDEX entry_by_role ON entry (role)"},
};

#define INSERT_ENTRY                                                                               \
    "INSERT INTO entry (node, role, rights, expire_us, create_us, granted_by)"                     \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"

static const struct permissions_dialect dialect = {
    .raise_acl_revision = "UPDATE node SET acl_rev = acl_rev + 1 WHERE id = ?1 AND acl_rev = ?2",
    .insert_entry = INSERT_ENTRY,
    .set_entry = INSERT_ENTRY " ON CONFLICT (node, role) DO UPDATE SET rights = excluded.rights,"
                              " expire_us = excluded.expire_us, create_us = excluded.create_us,"
                              " granted_by = excluded.granted_by",
    .delete_entry = "DELETE FROM entry WHERE node = ?1 AND role = ?2",
    .delete_role = "DELETE FROM entry WHERE role = ?1",
};

const struct comb_sql_schema comb_permissions_schema_postgres = {
    .driver = "postgres",
    .steps = steps,
    .n_steps = sizeof steps / sizeof steps[0],
    .dialect = &dialect,
};
