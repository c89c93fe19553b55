/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "server/search/driver/sqlite.h"
#include "tests/contract/search/driver.h"
#include "tests/support/support.h"

static struct comb_sql *sql;

struct comb_search_store *search_driver_open(void)
{
    struct comb_search_store *store = NULL;
    struct comb_error err;
    char *folder = test_folder_new(), *path = test_path(folder, "docs.db");
    must_ok(comb_sql_sqlite_open(comb_str_from(path), &sql, &err), &err);
    must_ok(comb_search_sqlite_open(sql, &store, &err), &err);
    free(path);
    free(folder);
    return store;
}

void search_driver_close(struct comb_search_store *store)
{
    comb_search_store_close(store);
    comb_sql_close(sql);
}
