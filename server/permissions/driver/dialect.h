/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the stores of the SQL family: the texts of the statements. */
#ifndef COMB_PERMISSIONS_DRIVER_DIALECT_H
#define COMB_PERMISSIONS_DRIVER_DIALECT_H

#include "server/permissions/permissions_store.h"

struct permissions_dialect {
    const char *raise_acl_revision; /* ?1 node ?2 before: the guard of both changes, since who
                                       decided on these entries decides again */
    const char *insert_entry;       /* ?1 node ?2 role ?3 rights ?4 expire_us ?5 create_us
                                       ?6 granted_by */
    const char *set_entry;          /* the same */
    const char *delete_entry;       /* ?1 node ?2 role */
    const char *delete_role;        /* ?1 role */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_permissions_schema_sqlite;
extern const struct comb_sql_schema comb_permissions_schema_postgres;

#endif
