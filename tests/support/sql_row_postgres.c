/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "server/backend/sql/postgres/open.h"
#include "tests/support/postgres_server.h"
#include "tests/support/sql_row.h"
#include "tests/support/sql_row_postgres.h"
#include "tests/support/support.h"

struct postgres_server test_sql_row_server;

static void stop(void)
{
    postgres_server_done(&test_sql_row_server);
}

/* The folder's database: its URL is kept in a file there. */
static char *url_of(const char *folder)
{
    char *path = test_path(folder, "database"), *url = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file) {
        assert_true(getline(&url, &size, file) > 0);
    } else {
        url = postgres_server_database(&test_sql_row_server);
        file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(url, file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
    free(path);
    return url;
}

void test_sql_row_start(void)
{
    if (test_sql_row_server.process.pid)
        return;
    postgres_server_start(&test_sql_row_server);
    /* These tests ask what is answered, and no machine crashes meanwhile: a disk that others keep
     * busy would only make them long. */
    postgres_server_run(&test_sql_row_server, "ALTER SYSTEM SET fsync = off");
    postgres_server_run(&test_sql_row_server, "SELECT pg_reload_conf()");
    atexit(stop);
}

char *test_sql_row_postgres_url(const char *folder)
{
    test_sql_row_start();
    return url_of(folder);
}

struct comb_sql *test_sql_row_open(const char *folder)
{
    char *url = test_sql_row_postgres_url(folder);
    struct comb_sql *sql = NULL;
    struct comb_error err;
    must_ok(
        comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(url)}, &sql, &err),
        &err);
    free(url);
    return sql;
}
