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

const char driver_nodes_sql[] =
    "CREATE TABLE node (id BLOB PRIMARY KEY, parent BLOB, name TEXT, acl_rev INTEGER,"
    " UNIQUE (parent, name)) WITHOUT ROWID;"
    "CREATE TABLE user (id BLOB PRIMARY KEY, roles_rev INTEGER);"
    "CREATE TABLE identity_state (rights_rev INTEGER);"
    "INSERT INTO identity_state VALUES (0)";

#define NUMBERS(last)                                                                              \
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " last ")"

const char driver_old_entries_sql[] =
    NUMBERS("3500") " INSERT INTO feed SELECT i, i, 1, x'', 1, x'', x'', '', x'', x'', 0, x''"
                    " FROM n";
const char driver_old_requests_sql[] =
    NUMBERS("2500") " INSERT INTO request SELECT x'', '', i, x'', x'', i, 0 FROM n";
const char driver_large_entry_sql[] =
    "INSERT INTO feed SELECT coalesce(max(seq), 0) + 1, 1, 1, zeroblob(16), 1, zeroblob(16),"
    " zeroblob(16), '', x'', x'', 0, zeroblob(1000000) FROM feed";
const char *const driver_damages_sql[] = {
    "UPDATE feed SET subject = x'01'",
    "UPDATE feed SET subject = zeroblob(16), ancestors = x'01'",
    "UPDATE feed SET ancestors = zeroblob(16 * 1000)",
    "UPDATE feed SET ancestors = x'', rev = 'many'",
    NULL,
};
