/* SPDX-License-Identifier: Apache-2.0 */
/* The table of each store of the SQL family; the statements are the same for all, but for these. */
#ifndef COMB_PERMISSIONS_DRIVER_SCHEMA_H
#define COMB_PERMISSIONS_DRIVER_SCHEMA_H

#include "server/permissions/permissions_store.h"

struct comb_permissions_dialect {
    const char *readable; /* ?1 roles, 16 bytes each; ?2 their number; ?3 now; ?4 max */
};

extern const struct comb_sql_schema comb_permissions_schema_sqlite;
extern const struct comb_sql_schema comb_permissions_schema_postgres;

#endif
