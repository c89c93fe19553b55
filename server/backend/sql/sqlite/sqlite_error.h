/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's codes as ours: the one table of this driver. */
#ifndef COMB_SQLITE_ERROR_H
#define COMB_SQLITE_ERROR_H

#include <sqlite3.h>

#include "server/core/error.h"

/* Fills err from an extended result code other than OK, ROW and DONE; db gives the text of what is
 * INTERNAL and may be NULL. Returns the status. */
enum comb_status comb_sqlite_error(struct comb_error *err, int code, sqlite3 *db);
/* The code is a violated UNIQUE, PRIMARY KEY or foreign key. */
bool comb_sqlite_is_constraint(int code);
/* After this code the connection is not to be used further. */
bool comb_sqlite_is_fatal(int code);

extern const char comb_sqlite_domain[];

#endif
