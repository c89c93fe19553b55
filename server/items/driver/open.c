/* SPDX-License-Identifier: Apache-2.0 */
#include "server/docs/docs.h"
#include "server/items/driver/internal.h"

enum comb_status comb_items_store_open(struct comb_docs *docs, enum comb_items items,
                                       struct comb_items_store **ret_store, struct comb_error *err)
{
    struct comb_sql *sql = comb_docs_sql(docs);
    return sql ? items_sqlite_open(sql, items, ret_store, err)
               : items_mongo_open(comb_docs_mongo(docs), items, ret_store, err);
}

void comb_items_store_close(struct comb_items_store *store)
{
    if (store)
        store->driver->close(store);
}
