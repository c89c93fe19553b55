/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_MESSAGE_SCAN_H
#define GRPCC_SRC_MESSAGE_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "grpcc/message.h"

/*
 * One pass over the bytes of a message, before libprotobuf-c sees them: it recurses without a
 * limit, and accepts strings that are not text. Allocates nothing. INVALID_ARGUMENT names the field
 * by its path.
 */
enum grpcc_status grpcc_message_scan(const ProtobufCMessageDescriptor *descriptor,
                                     uint32_t depth_max, uint32_t elements_max, const void *data,
                                     size_t size, struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
