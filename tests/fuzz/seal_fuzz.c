/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed things (page tokens among them): nothing that we did not seal opens, and what we sealed
 * opens to the same. */
#include "server/core/seal.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t key[COMB_SEAL_KEY_SIZE] = {4, 2};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    struct comb_error err = {0};
    comb_str input = comb_str_of(data, size), sealed, plain;
    must(comb_seal_open(arena, key, input, STR("fuzz"), &plain, &err) == COMB_INVALID_ARGUMENT,
         "what was not sealed does not open");
    must(comb_seal(arena, key, input, STR("fuzz"), &sealed, &err) == COMB_OK, "all can be sealed");
    must(comb_seal_open(arena, key, sealed, STR("fuzz"), &plain, &err) == COMB_OK &&
             comb_str_equal(plain, input),
         "what was sealed opens to the same");
    grpcc_arena_free(arena);
    return 0;
}
