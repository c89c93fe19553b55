/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/support/sql_row.h"
#include "tests/support/support.h"

void test_sql_row_start(void)
{
}

struct comb_sql *test_sql_row_open(const char *folder)
{
    char *path = test_path(folder, "comb.db");
    struct comb_sql *sql = NULL;
    struct comb_error err;
    must_ok(comb_sql_sqlite_open(comb_str_from(path), &sql, &err), &err);
    free(path);
    return sql;
}
