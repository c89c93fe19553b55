/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/content.h"

#include "server/core/memory.h"
#include "server/data/internal.h"

struct comb_data_content {
    struct comb_data_span span;
};

enum comb_status comb_data_content_open(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_uuid *id,
                                        struct comb_data_content **ret_content,
                                        struct comb_error *err)
{
    struct comb_data_store *store = data->use.store;
    struct comb_data_blob blob;
    bool is_found = false;
    enum comb_status status = store->driver->get_blob(store, ctx, id, &is_found, &blob, err);
    if (status != COMB_OK)
        return status;
    if (!is_found)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "the content is not in the store");
    struct comb_data_content *content = comb_memory_zalloc(sizeof *content);
    if (!content)
        return comb_error_no_memory(err);
    /* The caller's arena may go. */
    blob.sha256 = (comb_str){NULL, 0};
    comb_data_span_init(&content->span, data, &blob, 0, blob.size);
    *ret_content = content;
    return COMB_OK;
}

enum comb_status comb_data_content_read(struct comb_data_content *content, struct comb_ctx *ctx,
                                        void *buffer, size_t capacity, size_t *ret_n,
                                        struct comb_error *err)
{
    return comb_data_span_read(&content->span, ctx, buffer, capacity, ret_n, err);
}

void comb_data_content_close(struct comb_data_content *content)
{
    if (!content)
        return;
    comb_data_span_done(&content->span);
    comb_memory_free(content);
}
