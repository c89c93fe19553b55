/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/registry/fixture.h"

enum comb_status driver_open(struct comb_registry **ret_registry, struct comb_error *err)
{
    const struct comb_store_options options = {.url = STR("mem:")};
    return comb_registry_mem_open(&options, ret_registry, err);
}
