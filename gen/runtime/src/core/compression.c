/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/core/compression.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
#include <grpc/slice.h>
#include <stdatomic.h>
#include <string.h>

#include "gen/runtime/src/core/inflate.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

int grpcc_compression_bitset(bool accept_compressed)
{
    int bits = 1 << GRPC_COMPRESS_NONE;
    if (accept_compressed)
        bits |= 1 << GRPC_COMPRESS_DEFLATE | 1 << GRPC_COMPRESS_GZIP;
    return bits;
}

const char *grpcc_compression_name(enum grpcc_compression compression)
{
    switch (compression) {
    case GRPCC_COMPRESSION_DEFLATE:
        return "deflate";
    case GRPCC_COMPRESSION_GZIP:
        return "gzip";
    default:
        return NULL;
    }
}

uint32_t grpcc_compression_flags(bool message_off)
{
    return message_off ? GRPC_WRITE_NO_COMPRESS : 0;
}

void grpcc_compression_set_level(grpc_op *op, enum grpcc_compression compression)
{
    if (compression == GRPCC_COMPRESSION_NONE)
        return;
    /* Of what the client accepts, core takes gzip first for its lowest level, deflate first for its
     * highest one. Asked for an algorithm by name it would not look at what the client accepts. */
    op->data.send_initial_metadata.maybe_compression_level.is_set = 1;
    op->data.send_initial_metadata.maybe_compression_level.level =
        compression == GRPCC_COMPRESSION_GZIP ? GRPC_COMPRESS_LEVEL_LOW : GRPC_COMPRESS_LEVEL_HIGH;
}

static enum grpcc_status inflate_slices(struct grpcc_inflate *self, grpc_byte_buffer *buffer,
                                        struct grpcc_error *err)
{
    grpc_byte_buffer_reader reader;
    grpc_slice *slice = NULL;
    enum grpcc_status status = GRPCC_OK;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return grpcc_error_set(err, GRPCC_INTERNAL, "a message could not be read");
    while (!status && grpc_byte_buffer_reader_peek(&reader, &slice))
        status =
            grpcc_inflate_feed(self, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice), err);
    grpc_byte_buffer_reader_destroy(&reader);
    return status;
}

static grpc_byte_buffer *wrap(uint8_t *data, size_t size)
{
    grpc_slice slice = data ? grpc_slice_new(data, size, grpcc_memory_free) : grpc_empty_slice();
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

enum grpcc_status grpcc_buffer_inflate(grpc_byte_buffer **buffer, size_t bytes_max,
                                       bool *ret_was_compressed, struct grpcc_error *err)
{
    struct grpcc_inflate inflate;
    uint8_t *data = NULL;
    size_t size = 0;
    grpc_compression_algorithm algorithm = (*buffer)->data.raw.compression;
    *ret_was_compressed = algorithm != GRPC_COMPRESS_NONE;
    if (!*ret_was_compressed)
        return GRPCC_OK;
    /* Peers mark an empty message as compressed and send nothing; it is one. */
    if (grpc_byte_buffer_length(*buffer) > 0) {
        enum grpcc_status status = grpcc_inflate_begin(
            &inflate,
            algorithm == GRPC_COMPRESS_GZIP ? GRPCC_COMPRESSION_GZIP : GRPCC_COMPRESSION_DEFLATE,
            bytes_max, err);
        if (status)
            return status;
        status = inflate_slices(&inflate, *buffer, err);
        if (!status)
            status = grpcc_inflate_end(&inflate, &data, &size, err);
        grpcc_inflate_done(&inflate);
        if (status)
            return status;
    }
    grpc_byte_buffer_destroy(*buffer);
    *buffer = wrap(data, size);
    return GRPCC_OK;
}

/* ---- what core does not say ---- */

/*
 * Where grpc-encoding is missing, or names what core does not know, core hands a compressed message
 * over like any other: it would be decoded as what it is not. The flag in the message's prefix it
 * shows only to its own tests, by a C++ name, and in this version.
 */
#define CORE_OF_THE_FLAGS "29.0.0"
enum { FLAGS_UNKNOWN, FLAGS_SHOWN, FLAGS_HIDDEN };
static const uint32_t flag_compressed = 0x80000000u;

uint32_t core_message_flags(grpc_call *call) __asm__("_Z37grpc_call_test_only_get_message_flags"
                                                     "P9grpc_call") __attribute__((weak));

static bool is_flagged(grpc_call *core)
{
    static atomic_int known = FLAGS_UNKNOWN;
    int state = atomic_load_explicit(&known, memory_order_relaxed);
    if (state == FLAGS_UNKNOWN) {
        bool shown = core_message_flags && !strcmp(grpc_version_string(), CORE_OF_THE_FLAGS);
        state = shown ? FLAGS_SHOWN : FLAGS_HIDDEN;
        atomic_store_explicit(&known, state, memory_order_relaxed);
    }
    return state == FLAGS_SHOWN && core_message_flags(core) & flag_compressed;
}

/* A trailer, because core leaves this header out of answers that are trailers only: there it is one
 * of the headers. */
static void name_what_is_accepted(struct grpcc_call *call)
{
    const char *accepted =
        call->server->options.accept_compressed ? "identity, deflate, gzip" : "identity";
    if (!grpcc_metadata_add_own(&call->trailing, call->arena, "grpc-accept-encoding", accepted,
                                strlen(accepted)))
        grpcc_log(GRPCC_LOG_WARNING, "%s: no room for grpc-accept-encoding", call->path);
}

enum grpcc_status grpcc_call_inflate(struct grpcc_call *call, grpc_byte_buffer **buffer,
                                     struct grpcc_error *err)
{
    if ((*buffer)->data.raw.compression != GRPC_COMPRESS_NONE || !is_flagged(call->core))
        return grpcc_buffer_inflate(buffer, grpcc_call_inflated_bytes_max(call),
                                    &call->was_compressed, err);
    call->was_compressed = true;
    name_what_is_accepted(call);
    return grpcc_error_set(err, GRPCC_UNIMPLEMENTED,
                           "a message is compressed, and grpc-encoding does not say how, or in a "
                           "way that is not among those of grpc-accept-encoding");
}
