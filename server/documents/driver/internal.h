/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMB_DOCUMENTS_DRIVER_INTERNAL_H
#define COMB_DOCUMENTS_DRIVER_INTERNAL_H

#include "server/documents/documents_driver.h"

struct comb_sql;
struct comb_mongo;

enum comb_status documents_sqlite_open(struct comb_sql *sql,
                                       struct comb_documents_store **ret_store,
                                       struct comb_error *err) COMB_MUST_CHECK;
enum comb_status documents_mongo_open(struct comb_mongo *mongo,
                                      struct comb_documents_store **ret_store,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
