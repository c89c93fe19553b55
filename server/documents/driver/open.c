/* SPDX-License-Identifier: Apache-2.0 */
#include "server/docs/docs.h"
#include "server/documents/driver/internal.h"

enum comb_status comb_documents_store_open(struct comb_docs *docs,
                                           struct comb_documents_store **ret_store,
                                           struct comb_error *err)
{
    struct comb_sql *sql = comb_docs_sql(docs);
    return sql ? documents_sqlite_open(sql, ret_store, err)
               : documents_mongo_open(comb_docs_mongo(docs), ret_store, err);
}

void comb_documents_store_close(struct comb_documents_store *store)
{
    if (store)
        store->driver->close(store);
}
