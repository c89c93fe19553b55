/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of PostgreSQL alone: the server behind sql_row.h. */
#ifndef TESTS_SUPPORT_SQL_ROW_POSTGRES_H
#define TESTS_SUPPORT_SQL_ROW_POSTGRES_H

#include "tests/support/postgres_server.h"

/* Runs from the first row on. */
extern struct postgres_server test_sql_row_server;
/* The URL of the folder's database, which is made where there is none. The caller frees it. */
char *test_sql_row_postgres_url(const char *folder);

#endif
