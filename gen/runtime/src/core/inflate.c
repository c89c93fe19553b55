/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/core/inflate.h"

#include <limits.h>
#include <string.h>

#include "gen/runtime/src/message/memory.h"

enum { CAPACITY_MIN = 4096 };
/* zlib's: reads the header of gzip instead of its own. */
enum { GZIP_BITS = 16 };

static void *zlib_alloc(void *opaque, unsigned n, unsigned size)
{
    (void)opaque;
    return grpcc_memory_alloc((size_t)n * size);
}

static void zlib_free(void *opaque, void *pointer)
{
    (void)opaque;
    grpcc_memory_free(pointer);
}

static enum grpcc_status no_memory(struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory to inflate a message");
}

static enum grpcc_status too_large(const struct grpcc_inflate *self, struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                           "a message inflates to more than the %zu bytes that are accepted",
                           self->bytes_max);
}

static enum grpcc_status damaged(struct grpcc_error *err, const char *how)
{
    return grpcc_error_set(err, GRPCC_INTERNAL, "a compressed message cannot be inflated: %s", how);
}

enum grpcc_status grpcc_inflate_begin(struct grpcc_inflate *self,
                                      enum grpcc_compression compression, size_t bytes_max,
                                      struct grpcc_error *err)
{
    memset(self, 0, sizeof(*self));
    self->compression = compression;
    self->bytes_max = bytes_max;
    self->stream.zalloc = zlib_alloc;
    self->stream.zfree = zlib_free;
    int bits = compression == GRPCC_COMPRESSION_GZIP ? MAX_WBITS + GZIP_BITS : MAX_WBITS;
    return inflateInit2(&self->stream, bits) == Z_OK ? GRPCC_OK : no_memory(err);
}

/* Makes the buffer larger where it is full and may grow. */
static bool make_room(struct grpcc_inflate *self)
{
    size_t capacity = self->capacity ? self->capacity * 2 : CAPACITY_MIN;
    if (capacity > self->bytes_max || capacity < self->capacity)
        capacity = self->bytes_max;
    if (self->size < self->capacity || capacity == self->capacity)
        return true;
    uint8_t *grown = grpcc_memory_realloc(self->data, capacity);
    if (!grown)
        return false;
    self->data = grown;
    self->capacity = capacity;
    return true;
}

/* Inflates what fits into the room that there is. At the limit there is one byte of room that does
 * not count: whether it is used tells a message of just that size from a larger one. */
static enum grpcc_status step(struct grpcc_inflate *self, struct grpcc_error *err)
{
    z_stream *stream = &self->stream;
    uint8_t beyond;
    if (!make_room(self))
        return no_memory(err);
    size_t room = self->capacity - self->size;
    stream->next_out = room ? self->data + self->size : &beyond;
    stream->avail_out = room == 0 ? 1 : room > UINT_MAX ? UINT_MAX : (unsigned)room;
    unsigned offered = stream->avail_out;
    int result = inflate(stream, Z_NO_FLUSH);
    unsigned written = offered - stream->avail_out;
    if (room == 0 && written > 0)
        return too_large(self, err);
    self->size += written;
    switch (result) {
    case Z_STREAM_END:
        self->ended = true;
        return GRPCC_OK;
    case Z_OK:
    case Z_BUF_ERROR: /* no input left, or no room: not an error */
        return GRPCC_OK;
    case Z_MEM_ERROR:
        return no_memory(err);
    default:
        return damaged(err, stream->msg ? stream->msg : "it needs a dictionary");
    }
}

/* What follows the end of a member must be another one, and only gzip has several. */
static enum grpcc_status next_member(struct grpcc_inflate *self, struct grpcc_error *err)
{
    if (self->compression != GRPCC_COMPRESSION_GZIP)
        return damaged(err, "there is more behind its end");
    inflateReset(&self->stream);
    self->ended = false;
    return GRPCC_OK;
}

static enum grpcc_status feed_piece(struct grpcc_inflate *self, struct grpcc_error *err)
{
    z_stream *stream = &self->stream;
    enum grpcc_status status = GRPCC_OK;
    bool full = false;
    while (!status && (stream->avail_in > 0 || full)) {
        if (self->ended)
            status = next_member(self, err);
        if (!status)
            status = step(self, err);
        /* Room that was used up may have more waiting for it inside zlib. */
        full = stream->avail_out == 0 && !self->ended;
    }
    return status;
}

enum grpcc_status grpcc_inflate_feed(struct grpcc_inflate *self, const void *data, size_t size,
                                     struct grpcc_error *err)
{
    const uint8_t *bytes = data;
    enum grpcc_status status = GRPCC_OK;
    while (!status && size > 0) {
        unsigned piece = size > UINT_MAX ? UINT_MAX : (unsigned)size;
        self->stream.next_in = (uint8_t *)(uintptr_t)bytes;
        self->stream.avail_in = piece;
        status = feed_piece(self, err);
        bytes += piece;
        size -= piece;
    }
    return status;
}

enum grpcc_status grpcc_inflate_end(struct grpcc_inflate *self, uint8_t **ret_data,
                                    size_t *ret_size, struct grpcc_error *err)
{
    if (!self->ended)
        return damaged(err, "it is cut off");
    *ret_size = self->size;
    *ret_data = self->size ? self->data : NULL;
    if (self->size)
        self->data = NULL;
    return GRPCC_OK;
}

void grpcc_inflate_done(struct grpcc_inflate *self)
{
    inflateEnd(&self->stream);
    grpcc_memory_free(self->data);
}

enum grpcc_status grpcc_inflate(enum grpcc_compression compression, const void *data, size_t size,
                                size_t bytes_max, uint8_t **ret_data, size_t *ret_size,
                                struct grpcc_error *err)
{
    struct grpcc_inflate self;
    enum grpcc_status status = grpcc_inflate_begin(&self, compression, bytes_max, err);
    if (status)
        return status;
    status = grpcc_inflate_feed(&self, data, size, err);
    if (!status)
        status = grpcc_inflate_end(&self, ret_data, ret_size, err);
    grpcc_inflate_done(&self);
    return status;
}
