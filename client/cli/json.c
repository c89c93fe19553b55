/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON, a line each. */
#include <grpcc/json.h>

#include "client/cli/cli.h"

void cli_print_json(FILE *out, const ProtobufCMessage *message)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char *text = NULL;
    if (!arena)
        grpcc_error_set(&err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    if (arena && grpcc_json_encode(arena, message, NULL, &text, NULL, &err) == GRPCC_OK)
        fprintf(out, "%s\n", text);
    else
        fprintf(stderr, "comb: the answer cannot be printed: %s\n", err.message);
    grpcc_arena_free(arena);
}
