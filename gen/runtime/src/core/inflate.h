/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating a message under a limit. Knows nothing of gRPC core. */
#ifndef GRPCC_SRC_INFLATE_H
#define GRPCC_SRC_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "grpcc/compression.h"
#include "grpcc/status.h"

/*
 * One message on its way: _begin, _feed for each piece of it, _end, and _done in any case after a
 * _begin that was OK. Statuses: RESOURCE_EXHAUSTED for more than bytes_max, and without memory;
 * INTERNAL for what no compressor wrote: damaged, cut off, or with more behind its end. A gzip
 * message may have several members, as RFC 1952 says.
 *
 * Memory: what came out so far, in a buffer that doubles and is never larger than bytes_max, and
 * zlib's window (about 40 KiB).
 */
struct grpcc_inflate {
    z_stream stream;
    enum grpcc_compression compression;
    size_t bytes_max;
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool ended; /* at the end of a member */
};

enum grpcc_status grpcc_inflate_begin(struct grpcc_inflate *self,
                                      enum grpcc_compression compression, size_t bytes_max,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status grpcc_inflate_feed(struct grpcc_inflate *self, const void *data, size_t size,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;
/* *ret_data goes over to the caller, who gives it to grpcc_memory_free(). NULL where *ret_size is
 * 0. */
enum grpcc_status grpcc_inflate_end(struct grpcc_inflate *self, uint8_t **ret_data,
                                    size_t *ret_size, struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_inflate_done(struct grpcc_inflate *self);

/* All of that for a message that lies in one piece. */
enum grpcc_status grpcc_inflate(enum grpcc_compression compression, const void *data, size_t size,
                                size_t bytes_max, uint8_t **ret_data, size_t *ret_size,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
