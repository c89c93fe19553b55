/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/content.h"

#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/move/move.h"

/* What one step of a content may take: a small one as a whole, a piece of a large one. */
#define STEP_MS 60000

static struct comb_ctx step(struct move_content *content)
{
    grpcc_arena_reset(content->arena);
    return (struct comb_ctx){.arena = content->arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

enum comb_status move_content_init(struct move_content *content, struct comb_blobs *blobs,
                                   struct comb_error *err)
{
    content->blobs = blobs;
    content->arena = grpcc_arena_new(0);
    content->bytes = comb_memory_alloc(COMB_MOVE_SMALL_BYTES_MAX);
    return content->arena && content->bytes ? COMB_OK : comb_error_no_memory(err);
}

void move_content_close(struct move_content *content)
{
    if (content->reader)
        comb_blob_close_reader(content->blobs, content->reader);
    if (content->writer)
        comb_blob_abort(content->blobs, content->writer);
    content->reader = NULL;
    content->writer = NULL;
    content->n = 0;
}

void move_content_done(struct move_content *content)
{
    if (content->blobs)
        move_content_close(content);
    grpcc_arena_free(content->arena);
    comb_memory_free(content->bytes);
}

/* ---- out ---- */

void move_content_fetch(void *item)
{
    struct move_content *content = item;
    struct comb_ctx ctx = step(content);
    uint64_t size;
    size_t got = 1;
    content->n = 0;
    content->err = (struct comb_error){.status = COMB_OK};
    enum comb_status status =
        comb_blob_open(content->blobs, &ctx, content->key, &content->reader, &size, &content->err);
    while (status == COMB_OK && got > 0 && content->n < COMB_MOVE_SMALL_BYTES_MAX) {
        status = comb_blob_read(content->blobs, &ctx, content->reader, content->n,
                                content->bytes + content->n, COMB_MOVE_SMALL_BYTES_MAX - content->n,
                                &got, &content->err);
        content->n += status == COMB_OK ? got : 0;
    }
    content->status = status;
}

/* ---- in ---- */

void move_content_begin(struct move_content *content, comb_str key, bool asks)
{
    snprintf(content->key_text, sizeof content->key_text, "%.*s", COMB_STR_ARG(key));
    content->key = comb_str_from(content->key_text);
    content->n = 0;
    content->asks = asks;
    content->was_there = content->is_large = false;
    content->err = (struct comb_error){.status = COMB_OK};
}

/* Whether all of it is there from a copy before: contents become visible whole. */
static bool is_there(const struct move_content *content, struct comb_ctx *ctx)
{
    struct comb_blob_reader *reader = NULL;
    uint64_t size;
    if (comb_blob_open(content->blobs, ctx, content->key, &reader, &size, NULL) != COMB_OK)
        return false;
    comb_blob_close_reader(content->blobs, reader);
    return true;
}

static enum comb_status create(struct move_content *content, struct comb_ctx *ctx,
                               uint64_t size_hint, struct comb_error *err)
{
    if (content->asks)
        content->was_there = is_there(content, ctx);
    if (content->was_there)
        return COMB_OK;
    enum comb_status status =
        comb_blob_create(content->blobs, ctx, content->key, size_hint, &content->writer, err);
    if (status != COMB_ALREADY_EXISTS)
        return status;
    content->was_there = is_there(content, ctx);
    if (content->was_there)
        return COMB_OK;
    /* What is in the way was left by one that was killed at it. */
    status = comb_blob_remove(content->blobs, ctx, content->key, err);
    return status == COMB_OK ? comb_blob_create(content->blobs, ctx, content->key, size_hint,
                                                &content->writer, err)
                             : status;
}

static enum comb_status write_bytes(struct move_content *content, struct comb_ctx *ctx,
                                    comb_str bytes, struct comb_error *err)
{
    return content->was_there || bytes.len == 0
               ? COMB_OK
               : comb_blob_write(content->blobs, ctx, content->writer, bytes, err);
}

enum comb_status move_content_add(struct move_content *content, comb_str bytes,
                                  struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (!content->is_large && content->n + bytes.len <= COMB_MOVE_SMALL_BYTES_MAX) {
        memcpy(content->bytes + content->n, bytes.ptr, bytes.len);
        content->n += bytes.len;
        return COMB_OK;
    }
    struct comb_ctx ctx = step(content);
    if (!content->is_large) {
        content->is_large = true;
        status = create(content, &ctx, 0, err);
        if (status == COMB_OK)
            status = write_bytes(content, &ctx, comb_str_of(content->bytes, content->n), err);
    }
    return status == COMB_OK ? write_bytes(content, &ctx, bytes, err) : status;
}

static enum comb_status commit(struct move_content *content, struct comb_ctx *ctx,
                               struct comb_error *err)
{
    struct comb_blob_writer *writer = content->writer;
    content->writer = NULL;
    if (!writer)
        return COMB_OK;
    enum comb_status status = comb_blob_commit(content->blobs, ctx, writer, err);
    content->was_there = status == COMB_ALREADY_EXISTS;
    return content->was_there ? COMB_OK : status;
}

void move_content_store(void *item)
{
    struct move_content *content = item;
    struct comb_ctx ctx = step(content);
    enum comb_status status = COMB_OK;
    if (!content->is_large) {
        status = create(content, &ctx, content->n, &content->err);
        if (status == COMB_OK)
            status =
                write_bytes(content, &ctx, comb_str_of(content->bytes, content->n), &content->err);
    }
    if (status == COMB_OK)
        status = commit(content, &ctx, &content->err);
    content->status = status;
    move_content_close(content);
}
