/* SPDX-License-Identifier: Apache-2.0 */
/*
 * roundtrip_tool MESSAGE [to-json|from-json]: decodes standard input as that message, copies it,
 * and writes the copy's encoding to standard output; with a second argument one of the two is JSON.
 * What goes in and comes out is made and read by protoc or Python, which share no code with us.
 */
#include <stdio.h>
#include <string.h>

#include "corpus/known.grpcc.h"
#include "corpus/legacy.grpcc.h"
#include "corpus/scalars.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "corpus/words.grpcc.h"
#include "google/protobuf/descriptor.grpcc.h"
#include "grpcc/json.h"

#define INPUT_BYTES_MAX (1u << 20)

static const ProtobufCMessageDescriptor *const messages[] = {
    &corpus_legacy_defaults_descriptor,   &corpus_legacy_lists_descriptor,
    &corpus_legacy_required_descriptor,   &corpus_v1_choices_descriptor,
    &corpus_v1_empty_descriptor,          &corpus_v1_explicit_descriptor,
    &corpus_v1_filter_descriptor,         &corpus_v1_holder_descriptor,
    &corpus_v1_implicit_descriptor,       &corpus_v1_known_descriptor,
    &corpus_v1_maps_descriptor,           &corpus_v1_named_descriptor,
    &corpus_v1_outer_descriptor,          &corpus_v1_repeated_descriptor,
    &google_protobuf_duration_descriptor, &google_protobuf_file_descriptor_set_descriptor,
    &google_protobuf_struct_descriptor,   &int__descriptor,
};

static const ProtobufCMessageDescriptor *find_message(const char *name)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (strcmp(messages[i]->name, name) == 0)
            return messages[i];
    }
    return NULL;
}

static int copy_through(struct grpcc_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                        bool from_json, bool to_json)
{
    const struct grpcc_json_options options = {
        .size = sizeof(options),
        .types = messages,
        .n_types = sizeof(messages) / sizeof(messages[0]),
    };
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char *input = grpcc_arena_alloc(arena, INPUT_BYTES_MAX);
    size_t size = input ? fread(input, 1, INPUT_BYTES_MAX, stdin) : 0;
    void *message = NULL, *output = NULL;
    char *text = NULL;

    enum grpcc_status status =
        from_json ? grpcc_json_decode(arena, descriptor, &options, input, size, &message, &err)
                  : grpcc_message_unpack(arena, descriptor, NULL, input, size, &message, &err);
    if (!status && to_json)
        status = grpcc_json_encode(arena, message, &options, &text, &size, &err);
    if (status) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    message = grpcc_message_dup(arena, message);
    if (message && !to_json)
        output = grpcc_message_pack(arena, message, &size);
    if (!output && !text) {
        fputs("no room\n", stderr);
        return 1;
    }
    return fwrite(text ? text : output, 1, size, stdout) == size && fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const ProtobufCMessageDescriptor *descriptor = argc >= 2 ? find_message(argv[1]) : NULL;
    const char *form = argc == 3 ? argv[2] : "";
    struct grpcc_arena *arena;
    int result;

    if (!descriptor) {
        fputs("usage: roundtrip_tool MESSAGE [to-json|from-json], one that this program knows\n",
              stderr);
        return 2;
    }
    arena = grpcc_arena_new(0);
    result = arena ? copy_through(arena, descriptor, strcmp(form, "from-json") == 0,
                                  strcmp(form, "to-json") == 0)
                   : 1;
    grpcc_arena_free(arena);
    return result;
}
