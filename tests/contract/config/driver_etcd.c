/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/config/driver_etcd.h"
#include "tests/contract/config/fixture.h"

struct etcd_server driver_server;

static void stop(void)
{
    etcd_server_done(&driver_server);
}

void driver_url(char *ret_url, size_t size)
{
    static int prefixes;
    char prefix[32];
    if (driver_server.n_members == 0) {
        etcd_server_start(&driver_server, 1);
        atexit(stop);
    }
    snprintf(prefix, sizeof prefix, "t%d", prefixes++);
    char *url = etcd_server_url(&driver_server, prefix);
    snprintf(ret_url, size, "%s", url);
    free(url);
}

enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_config_store **ret_store, struct comb_error *err)
{
    return comb_config_etcd_open(options, ret_store, err);
}
