/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as messages of the generator's corpus, chosen by the first byte: what is accepted can be
 * written, and what was written is read as the same message.
 */
#include <string.h>

#include "corpus/known.grpcc.h"
#include "corpus/legacy.grpcc.h"
#include "corpus/scalars.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "grpcc/json.h"
#include "grpcc/message.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &corpus_v1_known_descriptor,           &corpus_v1_maps_descriptor,
    &corpus_v1_choices_descriptor,         &corpus_v1_repeated_descriptor,
    &corpus_v1_explicit_descriptor,        &corpus_v1_implicit_descriptor,
    &corpus_v1_filter_descriptor,          &corpus_v1_named_descriptor,
    &corpus_legacy_required_descriptor,    &corpus_legacy_lists_descriptor,
    &google_protobuf_struct_descriptor,    &google_protobuf_value_descriptor,
    &google_protobuf_timestamp_descriptor, &google_protobuf_duration_descriptor,
    &google_protobuf_any_descriptor,       &google_protobuf_field_mask_descriptor,
};

enum { N_TYPES = sizeof types / sizeof types[0], IGNORE_UNKNOWN = 0x80 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types[data[0] % N_TYPES];
    struct grpcc_json_options options = {.size = sizeof options,
                                         .types = types,
                                         .n_types = N_TYPES,
                                         .ignore_unknown = data[0] & IGNORE_UNKNOWN};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    struct grpcc_error err = {0};
    void *message = NULL, *again = NULL;
    if (grpcc_json_decode(arena, type, &options, (const char *)data + 1, size - 1, &message,
                          &err) == GRPCC_OK) {
        size_t packed_size = 0, again_size = 0, length = 0;
        char *text = NULL;
        must(grpcc_json_encode(arena, message, &options, &text, &length, &err) == GRPCC_OK,
             "what was accepted can be written");
        must(strlen(text) == length, "the length is that of the text");
        must(grpcc_json_decode(arena, type, &options, text, length, &again, &err) == GRPCC_OK,
             "what was written is accepted");
        void *packed = grpcc_message_pack(arena, message, &packed_size);
        void *packed_again = grpcc_message_pack(arena, again, &again_size);
        must(packed && packed_again && again_size == packed_size &&
                 memcmp(packed, packed_again, packed_size) == 0,
             "it is the same message");
        must(grpcc_message_unpack(arena, type, NULL, packed, packed_size, &again, &err) == GRPCC_OK,
             "it is accepted on the wire");
    } else {
        must(message == NULL, "the output is untouched on failure");
        must(err.message[0] != 0, "a refusal says why");
    }
    grpcc_arena_free(arena);
    return 0;
}
