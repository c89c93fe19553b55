/* SPDX-License-Identifier: Apache-2.0 */
/* The statements that differ between the stores of the SQL family; those that do not are in sql.c.
 */
#ifndef COMB_WORKSPACES_DRIVER_DIALECT_H
#define COMB_WORKSPACES_DRIVER_DIALECT_H

#include "server/workspaces/workspaces_store.h"

/* Columns: id, slug, label, description, kind, owner, bin, rev, create_us, roots (ids in
 * hexadecimal, in order, without separators). */
struct workspaces_dialect {
    const char *by_id;   /* ?1 id */
    const char *by_slug; /* ?1 slug */
    const char *list;    /* ?1 after, ?2 limit */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_workspaces_schema_sqlite;
extern const struct comb_sql_schema comb_workspaces_schema_postgres;

#endif
