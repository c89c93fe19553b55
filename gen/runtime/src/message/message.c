/* SPDX-License-Identifier: Apache-2.0 */
#include "grpcc/message.h"

#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/message/message_merge.h"
#include "gen/runtime/src/message/message_scan.h"

enum { DEPTH_MAX_DEFAULT = 100, ELEMENTS_MAX_DEFAULT = 1000000 };
/* What decoding may allocate without limits of its own: libprotobuf-c's bookkeeping takes about 40
 * bytes for a field of two, so a factor much below this would refuse honest messages of many short
 * fields. */
enum { ARENA_FACTOR = 32, ARENA_BASE = 64 << 10 };

/* An allocator over an arena that stops after `left` bytes. */
struct budget {
    struct grpcc_arena *arena;
    size_t left;
    bool exhausted;
};

static void *budget_alloc(void *data, size_t size)
{
    struct budget *budget = data;
    void *pointer = size <= budget->left ? grpcc_arena_alloc(budget->arena, size) : NULL;
    if (pointer)
        budget->left -= size;
    else
        budget->exhausted = true;
    return pointer;
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

void *grpcc_message_new(struct grpcc_arena *arena, const ProtobufCMessageDescriptor *descriptor)
{
    void *message;
    /* Without an init function only libprotobuf-c's decoder sets the defaults. */
    if (!descriptor->message_init)
        return protobuf_c_message_unpack(descriptor, grpcc_arena_allocator(arena), 0, NULL);
    message = grpcc_arena_alloc(arena, descriptor->sizeof_message);
    if (message)
        descriptor->message_init(message);
    return message;
}

enum grpcc_status grpcc_message_unpack(struct grpcc_arena *arena,
                                       const ProtobufCMessageDescriptor *descriptor,
                                       const struct grpcc_message_limits *limits, const void *data,
                                       size_t size, void **ret_message, struct grpcc_error *err)
{
    struct grpcc_message_limits none = {0};
    const struct grpcc_message_limits *given = limits ? limits : &none;
    uint32_t depth_max = given->depth_max ? given->depth_max : DEPTH_MAX_DEFAULT;
    uint32_t elements_max = given->elements_max ? given->elements_max : ELEMENTS_MAX_DEFAULT;
    struct budget budget = {.arena = arena,
                            .left = given->arena_max ? given->arena_max
                                                     : size * ARENA_FACTOR + ARENA_BASE};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};

    bool repeats = false;
    enum grpcc_status status =
        grpcc_message_scan(descriptor, depth_max, elements_max, data, size, &repeats, err);
    if (status)
        return status;
    if (repeats)
        data = grpcc_message_merge(descriptor, &allocator, data, size, &size);
    ProtobufCMessage *message =
        budget.exhausted ? NULL : protobuf_c_message_unpack(descriptor, &allocator, size, data);
    if (message) {
        *ret_message = message;
        return GRPCC_OK;
    }
    if (budget.exhausted)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                               "decoding %s takes more memory than allowed", descriptor->name);
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "not a sound %s", descriptor->name);
}

void *grpcc_message_pack(struct grpcc_arena *arena, const ProtobufCMessage *message,
                         size_t *ret_size)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    void *data = grpcc_arena_alloc(arena, size);
    if (!data)
        return NULL;
    *ret_size = protobuf_c_message_pack(message, data);
    return data;
}

void *grpcc_message_dup(struct grpcc_arena *arena, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *data = grpcc_memory_alloc(size ? size : 1);
    if (!data)
        return NULL;
    protobuf_c_message_pack(message, data);
    void *copy =
        protobuf_c_message_unpack(message->descriptor, grpcc_arena_allocator(arena), size, data);
    grpcc_memory_free(data);
    return copy;
}
