/* SPDX-License-Identifier: Apache-2.0 */
#include "server/docs/docs.h"

struct comb_sql *comb_docs_sql(const struct comb_docs *docs)
{
    return docs->sql;
}

struct comb_mongo *comb_docs_mongo(const struct comb_docs *docs)
{
    return docs->mongo;
}

bool comb_docs_is_shared(const struct comb_docs *docs)
{
    return docs->driver->caps & COMB_DOCS_CAP_SHARED;
}

enum comb_status comb_docs_check(struct comb_docs *docs, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    return status == COMB_OK ? docs->driver->check(docs, ctx, err) : status;
}

void comb_docs_status(struct comb_docs *docs, struct comb_store_status *ret_status)
{
    docs->driver->status(docs, ret_status);
}

void comb_docs_close(struct comb_docs *docs)
{
    if (docs)
        docs->driver->close(docs);
}
