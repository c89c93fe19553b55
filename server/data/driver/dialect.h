/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statements of contents that differ between SQL dialects; those that do not are in texts.h.
 * Texts are static: their address is the key of the prepared statement.
 */
#ifndef COMB_DATA_DRIVER_DIALECT_H
#define COMB_DATA_DRIVER_DIALECT_H

#include "server/data/data_store.h"

#define REFERENCED "EXISTS (SELECT 1 FROM node n WHERE n.blob = b.id)"
/* A blob whose condemnation must change: none, or one of before a restore, though nothing
 * references it; or one though something does. */
#define MUST_CONDEMN(incarnation)                                                                  \
    "(b.condemn_us IS NULL OR b.incarnation <> " incarnation ") AND NOT " REFERENCED
#define MUST_LIFT "b.condemn_us IS NOT NULL AND " REFERENCED

struct comb_data_dialect {
    const char *session_alive; /* ?1 id; a row if it lives */
    const char *blob_window;   /* ?1 after ?2 max ?3 incarnation: last id, rows, rows to change */
    const char *blob_doom;     /* ?1 condemned before ?2 incarnation ?3 max */
    const char *upload_extend; /* ?1 now ?2 id ?3 expire ?4 offset ?5 size ?6 state or NULL
                                  ?7 parts at most */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_data_schema_sqlite;
extern const struct comb_sql_schema comb_data_schema_postgres;

#endif
