/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages: made in an arena, checked before they are decoded, packed once.
 *
 * A generated `struct pkg_v1_msg` starts with a ProtobufCMessage `base`, and
 * `pkg_v1_msg_descriptor` describes it to libprotobuf-c's runtime. Programs never allocate one by
 * hand: `pkg_v1_msg_new(arena)` does, so that a message may get fields at its end without breaking
 * a program built before.
 */
#ifndef GRPCC_MESSAGE_H
#define GRPCC_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a decoder accepts. 0 in a member: the default in brackets. */
struct grpcc_message_limits {
    uint32_t
        depth_max; /* nested messages [100]; libprotobuf-c recurses and has no limit of its own */
    uint32_t elements_max; /* elements of all repeated fields and all sub-messages together
                              [1,000,000] */
    size_t arena_max;      /* bytes that decoding may allocate [32 times the size, plus 64 KiB] */
};

/* A message of that type with every field at its default, in arena; NULL: no room. */
void *grpcc_message_new(struct grpcc_arena *arena,
                        const ProtobufCMessageDescriptor *descriptor) GRPCC_MUST_CHECK;

/*
 * Decodes size bytes. Before anything is decoded one pass over the bytes checks depth, number of
 * elements, that strings are UTF-8 without NUL, and lengths. Errors: INVALID_ARGUMENT with the path
 * of the field ("filter.and.filters[3].name: not UTF-8"), RESOURCE_EXHAUSTED where the arena is
 * full. *ret_message is untouched on failure.
 */
enum grpcc_status grpcc_message_unpack(struct grpcc_arena *arena,
                                       const ProtobufCMessageDescriptor *descriptor,
                                       const struct grpcc_message_limits *limits, const void *data,
                                       size_t size, void **ret_message,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;

/* The serialized message in arena; NULL: no room. */
void *grpcc_message_pack(struct grpcc_arena *arena, const ProtobufCMessage *message,
                         size_t *ret_size) GRPCC_MUST_CHECK;

/* A deep copy in arena (unknown fields too); NULL: no room. */
void *grpcc_message_dup(struct grpcc_arena *arena,
                        const ProtobufCMessage *message) GRPCC_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
