/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_MESSAGE_SCAN_H
#define GRPCC_SRC_MESSAGE_SCAN_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "grpcc/message.h"

/* One field as it lies in the bytes; for LENGTH_PREFIXED [data, data + size) is the content. */
struct grpcc_token {
    uint32_t number;
    unsigned wire_type;
    const uint8_t *data;
    size_t size;
};

/* Reads the field at *next, and goes behind it. NULL where it is sound, otherwise what is wrong. */
const char *grpcc_token_read(const uint8_t **next, const uint8_t *end, struct grpcc_token *token);

/*
 * One pass over the bytes of a message, before libprotobuf-c sees them: it recurses without a
 * limit, and accepts strings that are not text. Allocates nothing. INVALID_ARGUMENT names the field
 * by its path.
 * *ret_repeats: a sub-message that is not repeated may come more than once in its message.
 */
enum grpcc_status grpcc_message_scan(const ProtobufCMessageDescriptor *descriptor,
                                     uint32_t depth_max, uint32_t elements_max, const void *data,
                                     size_t size, bool *ret_repeats,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
