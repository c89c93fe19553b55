/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/tree/store.h"

#include <stdlib.h>

#include "tests/support/support.h"

struct comb_sql *test_sql_open(struct comb_error *err)
{
    char *folder = test_folder_new(), *path = test_path(folder, "tree.db");
    struct comb_sql *sql = NULL;

    must_ok(comb_sql_sqlite_open(comb_str_from(path), &sql, err), err);
    free(path);
    free(folder);
    return sql;
}

struct comb_tree_store *test_store_open(struct comb_sql *sql)
{
    struct comb_tree_store *store = NULL;
    struct comb_error err;

    must_ok(comb_tree_store_open(sql, &store, &err), &err);
    return store;
}
