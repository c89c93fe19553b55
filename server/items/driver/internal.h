/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_ITEMS_DRIVER_INTERNAL_H
#define COMB_ITEMS_DRIVER_INTERNAL_H

#include "server/items/items_driver.h"

/* Less and greater than every place. */
#define ITEMS_BEFORE_ALL STR("")
#define ITEMS_AFTER_ALL STR("g")

struct comb_sql;
struct comb_mongo;

enum comb_status items_sqlite_open(struct comb_sql *sql, enum comb_items items,
                                   struct comb_items_store **ret_store,
                                   struct comb_error *err) COMB_MUST_CHECK;
enum comb_status items_mongo_open(struct comb_mongo *mongo, enum comb_items items,
                                  struct comb_items_store **ret_store,
                                  struct comb_error *err) COMB_MUST_CHECK;

#endif
