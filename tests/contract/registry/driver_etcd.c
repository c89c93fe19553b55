/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/registry/fixture.h"
#include "tests/support/etcd_server.h"

struct etcd_server driver_server;

static void stop(void)
{
    etcd_server_done(&driver_server);
}

/* A prefix of its own. */
enum comb_status driver_open(struct comb_registry **ret_registry, struct comb_error *err)
{
    static int prefixes;
    char prefix[16];
    if (driver_server.n_members == 0) {
        etcd_server_start(&driver_server, 1);
        atexit(stop);
    }
    snprintf(prefix, sizeof prefix, "t%d", prefixes++);
    char *url = etcd_server_url(&driver_server, prefix);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    enum comb_status status = comb_registry_etcd_open(&options, ret_registry, err);
    free(url);
    return status;
}
