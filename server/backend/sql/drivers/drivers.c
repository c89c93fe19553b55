/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/sql/drivers/drivers.h"

#include <stdio.h>

static enum comb_status no_driver(comb_str url, struct comb_error *err)
{
    char known[128] = "";
    size_t len = 0;
    for (size_t i = 0; i < comb_sql_drivers_count && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s:", i > 0 ? ", " : "",
                                comb_sql_drivers[i].scheme);
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "no driver for '%.*s': this build has %s",
                          (int)(url.len < 64 ? url.len : 64), url.ptr ? url.ptr : "", known);
}

enum comb_status comb_sql_open(comb_str url, struct comb_sql **ret_sql, struct comb_error *err)
{
    for (size_t i = 0; i < comb_sql_drivers_count; i++) {
        comb_str scheme = comb_str_from(comb_sql_drivers[i].scheme);
        if (comb_str_starts_with(url, scheme) && url.len > scheme.len && url.ptr[scheme.len] == ':')
            return comb_sql_drivers[i].open(
                comb_str_of(url.ptr + scheme.len + 1, url.len - scheme.len - 1), ret_sql, err);
    }
    return no_driver(url, err);
}
