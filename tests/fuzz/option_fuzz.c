/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serialized options, of which one is looked for by the number in the first two bytes. What is
 * found is checked against libprotobuf-c's own reading of the same bytes, which keeps every field
 * of a message that has none as unknown.
 */
#include <string.h>

#include "google/protobuf/empty.grpcc.h"
#include "grpcc/descriptor.h"
#include "tests/fuzz/fuzz.h"

/* All occurrences of the field with a length, one after the other, as grpcc_option_find() wants to
 * have found them. */
static void must_be_merged(const ProtobufCMessage *message, uint32_t number, const uint8_t *found,
                           size_t found_size)
{
    size_t at = 0;
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        size_t head = 0;
        if (field->tag != number || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        while (head < field->len && field->data[head] & 0x80)
            head++;
        head++;
        must(head <= field->len && field->len - head <= found_size - at &&
                 memcmp(found + at, field->data + head, field->len - head) == 0,
             "an occurrence is where it belongs");
        at += field->len - head;
    }
    must(at == found_size, "nothing else is found");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint32_t number = 1 + (uint32_t)data[0] + ((uint32_t)data[1] << 8);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    struct grpcc_error err = {0};
    const void *found = NULL;
    size_t found_size = 0;
    enum grpcc_status status =
        grpcc_option_find(arena, data + 2, size - 2, number, &found, &found_size, &err);
    ProtobufCMessage *empty =
        protobuf_c_message_unpack(&google_protobuf_empty_descriptor, NULL, size - 2, data + 2);
    if (status == GRPCC_OK && empty)
        must_be_merged(empty, number, found, found_size);
    if (status) {
        must(found == NULL && found_size == 0, "the outputs are untouched on failure");
        must(status == GRPCC_INVALID_ARGUMENT && err.message[0], "a refusal says why");
    }
    if (empty)
        protobuf_c_message_free_unpacked(empty, NULL);
    grpcc_arena_free(arena);
    return 0;
}
