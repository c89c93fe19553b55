/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "tests/contract/sql/fixture.h"

const char driver_slow_sql[] = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                               "WHERE i < 3000000) SELECT count(*) FROM n";

const char driver_item_sql[] =
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT UNIQUE, rev INTEGER)";

char *driver_place(void)
{
    char *folder = test_folder_new();
    char *path = test_path(folder, "comb.db");
    free(folder);
    return path;
}

enum comb_status driver_open(const char *place, struct comb_sql **ret_sql, struct comb_error *err)
{
    return comb_sql_sqlite_open(comb_str_from(place), ret_sql, err);
}
