/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes and encodes corpus.merge.Tree: standard input and output are messages behind their size,
 * four bytes; a size of UINT32_MAX is what could not be decoded. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/gen/merge/merge.grpcc.h"

static bool answer(struct grpcc_arena *arena, const void *data, uint32_t size)
{
    struct corpus_merge_tree *tree = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    size_t packed_size = 0;
    void *packed = NULL;
    uint32_t length = UINT32_MAX;

    if (corpus_merge_tree_unpack(arena, NULL, data, size, &tree, &err))
        fprintf(stderr, "%s\n", err.message);
    else
        packed = corpus_merge_tree_pack(arena, tree, &packed_size);
    if (packed)
        length = (uint32_t)packed_size;
    return fwrite(&length, sizeof(length), 1, stdout) == 1 &&
           fwrite(packed ? packed : "", 1, packed_size, stdout) == packed_size;
}

int main(void)
{
    uint32_t size;
    bool ok = true;

    while (ok && fread(&size, sizeof(size), 1, stdin) == 1) {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        void *data = malloc(size ? size : 1); /* of its own, so that overruns are seen */

        ok = arena && data && fread(data, 1, size, stdin) == size && answer(arena, data, size);
        free(data);
        grpcc_arena_free(arena);
    }
    return ok ? 0 : 1;
}
