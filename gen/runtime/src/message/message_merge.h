/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_MESSAGE_MERGE_H
#define GRPCC_SRC_MESSAGE_MERGE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/*
 * The bytes of a message that was scanned, written anew so that no sub-message comes twice: a field
 * that is not repeated holds all of its occurrences, one behind the other, which is what the
 * protocol means by merging them. Within a oneof only those since another member came count.
 *
 * libprotobuf-c 1.4.1 merges decoded structs instead, and loses members of oneofs on the way, or
 * refuses the message. NULL: the allocator has no room. The result is not larger than data.
 */
uint8_t *grpcc_message_merge(const ProtobufCMessageDescriptor *descriptor,
                             ProtobufCAllocator *allocator, const uint8_t *data, size_t size,
                             size_t *ret_size);

#endif
