/* SPDX-License-Identifier: Apache-2.0 */
/* The statements that differ between the stores of the SQL family; those that do not are in sql.c.
 */
#ifndef COMB_AUTH_DRIVER_DIALECT_H
#define COMB_AUTH_DRIVER_DIALECT_H

#include "server/auth/auth_store.h"

struct auth_dialect {
    const char *forget_sessions; /* ?1 ended before */
    const char *forget_tokens;   /* ?1 ended before */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_auth_schema_sqlite;
extern const struct comb_sql_schema comb_auth_schema_postgres;

#endif
