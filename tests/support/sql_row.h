/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sql row on a real store, of the driver that the test is linked with: sql_row_sqlite.c or
 * sql_row_postgres.c, which runs one server for the whole process.
 */
#ifndef TESTS_SUPPORT_SQL_ROW_H
#define TESTS_SUPPORT_SQL_ROW_H

#include "server/backend/sql/sql.h"

/* Opens the store that belongs to folder; an empty one is made where the folder has none. Fails the
 * test where that cannot be done. The caller closes it. */
struct comb_sql *test_sql_row_open(const char *folder);
/* Starts the server where there is one, for a test that forks before it opens a row: the child's
 * would be one that ends with it. */
void test_sql_row_start(void);

#endif
