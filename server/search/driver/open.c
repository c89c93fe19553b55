/* SPDX-License-Identifier: Apache-2.0 */
#include "server/docs/docs.h"
#include "server/search/driver/mongo.h"
#include "server/search/driver/sqlite.h"

enum comb_status comb_search_store_open(struct comb_docs *docs,
                                        struct comb_search_store **ret_store,
                                        struct comb_error *err)
{
    struct comb_sql *sql = comb_docs_sql(docs);
    return sql ? comb_search_sqlite_open(sql, ret_store, err)
               : comb_search_mongo_open(comb_docs_mongo(docs), ret_store, err);
}
