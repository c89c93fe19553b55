/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/contract/cache/fixture.h"

void driver_url(char *ret_url, size_t size)
{
    snprintf(ret_url, size, "mem:32MiB");
}

enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_cache **ret_cache, struct comb_error *err)
{
    return comb_cache_mem_open(options, ret_cache, err);
}
