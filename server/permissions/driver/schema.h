/* SPDX-License-Identifier: Apache-2.0 */
/* The table of each store of the SQL family; the statements are the same for all. */
#ifndef COMB_PERMISSIONS_DRIVER_SCHEMA_H
#define COMB_PERMISSIONS_DRIVER_SCHEMA_H

#include "server/permissions/permissions_store.h"

extern const struct comb_sql_schema comb_permissions_schema_sqlite;
extern const struct comb_sql_schema comb_permissions_schema_postgres;

#endif
