/* SPDX-License-Identifier: Apache-2.0 */
/* The search index in the docs row's SQLite file. */
#ifndef COMB_SEARCH_DRIVER_SQLITE_H
#define COMB_SEARCH_DRIVER_SQLITE_H

#include "server/backend/sql/sql.h"
#include "server/search/search_driver.h"

/* Migrates its tables. sql is borrowed. */
enum comb_status comb_search_sqlite_open(struct comb_sql *sql, struct comb_search_store **ret_store,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* For tests: the statements that read more than one row; each has to go by an index. NULL ends. */
extern const char *const comb_search_sqlite_reads[];

#endif
