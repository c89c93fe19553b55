/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of messages as core knows it. Core compresses what is sent; what is received is
 * inflated here, because core would do it without a limit. */
#ifndef GRPCC_SRC_COMPRESSION_H
#define GRPCC_SRC_COMPRESSION_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>

#include "grpcc/compression.h"
#include "grpcc/status.h"

struct grpcc_call;

/* For core's arguments: what is said to be accepted in grpc-accept-encoding. */
int grpcc_compression_bitset(bool accept_compressed);

/* The header by which a client's call asks core to compress, and its values; NULL for none. */
#define GRPCC_KEY_COMPRESSION "grpc-internal-encoding-request"
const char *grpcc_compression_name(enum grpcc_compression compression);

/* The flags of an operation that sends a message. */
uint32_t grpcc_compression_flags(bool message_off);

/* Sets the level of a server's SEND_INITIAL_METADATA: core chooses what the client accepts. */
void grpcc_compression_set_level(grpc_op *op, enum grpcc_compression compression);

/* Puts what it inflates to in the place of a compressed buffer; *ret_was_compressed says whether it
 * was one, also on failure. Statuses as of grpcc_inflate_feed(). */
enum grpcc_status grpcc_buffer_inflate(grpc_byte_buffer **buffer, size_t bytes_max,
                                       bool *ret_was_compressed,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;

/* As grpcc_buffer_inflate for the request that a server call received last, under its limit. Also
 * UNIMPLEMENTED, for one that is compressed in a way that core does not know. */
enum grpcc_status grpcc_call_inflate(struct grpcc_call *call, grpc_byte_buffer **buffer,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
