/* SPDX-License-Identifier: Apache-2.0 */
/* The drivers of the sql row that this build has, by the scheme of their URL. */
#ifndef COMB_BACKEND_SQL_DRIVERS_H
#define COMB_BACKEND_SQL_DRIVERS_H

#include "server/backend/sql/sql.h"

struct comb_sql_drivers_row {
    const char *scheme;
    /* rest: the URL without scheme and colon. */
    enum comb_status (*open)(comb_str rest, struct comb_sql **ret_sql, struct comb_error *err);
};

/* Made from bazel/drivers.bzl. */
extern const struct comb_sql_drivers_row comb_sql_drivers[];
extern const size_t comb_sql_drivers_count;

/* Opens "SCHEME:REST". INVALID_ARGUMENT where no driver has the scheme; else as the driver does. */
enum comb_status comb_sql_open(comb_str url, struct comb_sql **ret_sql,
                               struct comb_error *err) COMB_MUST_CHECK;

#endif
