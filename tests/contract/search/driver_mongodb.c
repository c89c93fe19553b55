/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "server/search/driver/mongo.h"
#include "tests/contract/search/driver.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

static struct mongo_server server;
static struct comb_mongo *mongo;
static int n_databases;

static void stop(void)
{
    mongo_server_done(&server);
}

/* One server for all tests, a database for each. */
struct comb_search_store *search_driver_open(void)
{
    struct comb_search_store *store = NULL;
    struct comb_error err;
    char database[16], url[256];
    if (n_databases == 0) {
        mongo_server_start(&server);
        atexit(stop);
    }
    snprintf(database, sizeof database, "test%d", n_databases++);
    mongo_server_url(&server, database, "?timeout_ms=30000", url, sizeof url);
    must_ok(comb_mongo_open(&(struct comb_store_options){.url = comb_str_from(url)}, &mongo, &err),
            &err);
    must_ok(comb_search_mongo_open(mongo, &store, &err), &err);
    return store;
}

void search_driver_close(struct comb_search_store *store)
{
    comb_search_store_close(store);
    comb_mongo_close(mongo);
}
