/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/contract/events/fixture.h"

void driver_url(char *ret_url, size_t size)
{
    snprintf(ret_url, size, "mem:");
}

enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_events **ret_events, struct comb_error *err)
{
    return comb_events_mem_open(options, ret_events, err);
}
