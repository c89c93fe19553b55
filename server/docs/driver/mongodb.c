/* SPDX-License-Identifier: Apache-2.0 */
/* The docs row in a MongoDB database. */
#include "server/backend/mongo/mongo.h"
#include "server/core/memory.h"
#include "server/docs/docs.h"

static enum comb_status mongodb_check(struct comb_docs *docs, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    return comb_mongo_check(docs->mongo, ctx, err);
}

static void mongodb_status(struct comb_docs *docs, struct comb_store_status *ret_status)
{
    comb_mongo_status(docs->mongo, ret_status);
}

static void mongodb_close(struct comb_docs *docs)
{
    comb_mongo_close(docs->mongo);
    comb_memory_free(docs);
}

static const struct comb_docs_driver mongodb_driver = {
    .name = "mongodb",
    .caps = COMB_DOCS_CAP_SHARED,
    .check = mongodb_check,
    .status = mongodb_status,
    .close = mongodb_close,
};

enum comb_status comb_docs_mongodb_open(const struct comb_store_options *options,
                                        struct comb_docs **ret_docs, struct comb_error *err)
{
    struct comb_docs *docs = comb_memory_zalloc(sizeof *docs);
    if (!docs)
        return comb_error_no_memory(err);
    docs->driver = &mongodb_driver;
    enum comb_status status = comb_mongo_open(options, &docs->mongo, err);
    if (status == COMB_OK)
        *ret_docs = docs;
    else
        mongodb_close(docs);
    return status;
}
