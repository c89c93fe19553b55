/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activities/driver/internal.h"
#include "server/docs/docs.h"

enum comb_status comb_activities_store_open(struct comb_docs *docs,
                                            struct comb_activities_store **ret_store,
                                            struct comb_error *err)
{
    struct comb_sql *sql = comb_docs_sql(docs);
    return sql ? activities_sqlite_open(sql, ret_store, err)
               : activities_mongo_open(comb_docs_mongo(docs), ret_store, err);
}

void comb_activities_store_close(struct comb_activities_store *store)
{
    if (store)
        store->driver->close(store);
}
