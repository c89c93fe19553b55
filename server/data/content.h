/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of a blob, read by the server itself: no caller, so no rights are asked and no audit
 * line is written. For who derives from contents what is shown to those alone who may read them:
 * the search index. Nothing that answers a call may use it.
 */
#ifndef COMB_DATA_CONTENT_H
#define COMB_DATA_CONTENT_H

#include "server/data/data.h"

struct comb_data_content;

/* NOT_FOUND: there is no such blob, or no more: its restore window has passed. Blocks. */
enum comb_status comb_data_content_open(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_uuid *blob,
                                        struct comb_data_content **ret_content,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* The next bytes; *ret_n 0 at the end. Blocks, until ctx's deadline. One thread at a time. Errors:
 * those of the data row; DATA_LOSS. */
enum comb_status comb_data_content_read(struct comb_data_content *content, struct comb_ctx *ctx,
                                        void *buffer, size_t capacity, size_t *ret_n,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_data_content_close(struct comb_data_content *content);

#endif
