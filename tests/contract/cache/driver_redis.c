/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/cache/fixture.h"
#include "tests/support/redis_server.h"

struct redis_server driver_server;

static void stop(void)
{
    redis_server_done(&driver_server);
}

/* A prefix of its own; more time than a busy machine takes. */
void driver_url(char *ret_url, size_t size)
{
    static int prefixes;
    if (!driver_server.process.pid) {
        redis_server_start(&driver_server);
        atexit(stop);
    }
    snprintf(ret_url, size, "redis://127.0.0.1:%d/1?prefix=t%d&timeout_ms=20000",
             driver_server.port, prefixes++);
}

enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_cache **ret_cache, struct comb_error *err)
{
    return comb_cache_redis_open(options, ret_cache, err);
}
