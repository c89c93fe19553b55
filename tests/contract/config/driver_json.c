/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/config/fixture.h"

void driver_url(char *ret_url, size_t size)
{
    char *folder = test_folder_new();
    snprintf(ret_url, size, "json:%s/config.json", folder);
    free(folder);
}

enum comb_status driver_open(const struct comb_store_options *options,
                             struct comb_config_store **ret_store, struct comb_error *err)
{
    return comb_config_json_open(options, ret_store, err);
}
