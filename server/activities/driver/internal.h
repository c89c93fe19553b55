/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_ACTIVITIES_DRIVER_INTERNAL_H
#define COMB_ACTIVITIES_DRIVER_INTERNAL_H

#include "server/activities/activities_driver.h"

/* Less and greater than every place. */
#define ACTIVITIES_BEFORE_ALL STR("")
#define ACTIVITIES_AFTER_ALL STR("g")

struct comb_sql;
struct comb_mongo;

enum comb_status activities_sqlite_open(struct comb_sql *sql,
                                        struct comb_activities_store **ret_store,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status activities_mongo_open(struct comb_mongo *mongo,
                                       struct comb_activities_store **ret_store,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
