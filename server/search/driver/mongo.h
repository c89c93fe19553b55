/* SPDX-License-Identifier: Apache-2.0 */
/* The search index in a MongoDB database. */
#ifndef COMB_SEARCH_DRIVER_MONGO_H
#define COMB_SEARCH_DRIVER_MONGO_H

#include "server/backend/mongo/mongo.h"
#include "server/search/search_driver.h"

/* Declares its indexes; asks nobody. mongo is borrowed. */
enum comb_status comb_search_mongo_open(struct comb_mongo *mongo,
                                        struct comb_search_store **ret_store,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
