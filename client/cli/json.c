/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON, a line each. */
#include <grpcc/json.h>

#include "client/cli/cli.h"
#include "comb/v1/operations.grpcc.h"

/* What an Any in an answer may hold. */
static const ProtobufCMessageDescriptor *const types[] = {&comb_v1_data_sweep_result_descriptor};

void cli_print_json(FILE *out, const ProtobufCMessage *message)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const struct grpcc_json_options options = {
        .size = sizeof options, .types = types, .n_types = sizeof types / sizeof types[0]};
    char *text = NULL;
    if (!arena)
        grpcc_error_set(&err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    if (arena && grpcc_json_encode(arena, message, &options, &text, NULL, &err) == GRPCC_OK)
        fprintf(out, "%s\n", text);
    else
        fprintf(stderr, "comb: the answer cannot be printed: %s\n", err.message);
    grpcc_arena_free(arena);
}
