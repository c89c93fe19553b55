/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/events/fixture.h"
#include "tests/support/nats_server.h"

struct nats_server driver_server;

static void stop(void)
{
    nats_server_done(&driver_server);
}

/* A prefix of its own. */
void driver_url(char *ret_url, size_t size)
{
    static int prefixes;
    if (!driver_server.process.pid) {
        nats_server_start(&driver_server);
        atexit(stop);
    }
    snprintf(ret_url, size, "nats://127.0.0.1:%d/t%d", driver_server.port, prefixes++);
}

enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_events **ret_events, struct comb_error *err)
{
    return comb_events_nats_open(options, ret_events, err);
}
