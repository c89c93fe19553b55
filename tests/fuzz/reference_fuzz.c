/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to nodes: "id NUL path". What is accepted has parts that are names: not empty, no "."
 * or "..", UTF-8, and joined again they are the path.
 */
#include <string.h>

#include "server/permissions/reference.h"
#include "tests/fuzz/fuzz.h"

static void check_parts(struct grpcc_arena *arena, const struct comb_reference *reference,
                        comb_str path)
{
    size_t length = 0;
    char *joined = grpcc_arena_alloc(arena, path.len + 2);
    must(joined != NULL, "there is memory for the path again");
    if (!comb_str_is_empty(reference->slug)) {
        joined[length++] = '/';
        memcpy(joined + length, reference->slug.ptr, reference->slug.len);
        length += reference->slug.len;
    }
    for (size_t i = 0; i < reference->n_parts; i++) {
        comb_str part = reference->parts[i];
        must(part.len > 0 && !memchr(part.ptr, '/', part.len), "a part is one name");
        must(!comb_str_equal(part, STR(".")) && !comb_str_equal(part, STR("..")),
             "a part is not a way elsewhere");
        must(comb_str_is_utf8(part), "a part is UTF-8");
        if (length > 0)
            joined[length++] = '/';
        memcpy(joined + length, part.ptr, part.len);
        length += part.len;
    }
    must(comb_str_equal(comb_str_of(joined, length), path), "the parts are the path");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    /* As a decoder gives them: NUL-terminated, nothing behind the first NUL. */
    char *text = comb_str_dup(arena, comb_str_of(data, size));
    must(ref && text, "there is memory for a reference");
    size_t id_length = strlen(text);
    ref->id = text;
    ref->path = id_length < size ? text + id_length + 1 : text + id_length;

    struct comb_reference reference = {0};
    struct comb_error err = {0};
    if (comb_reference_parse(arena, ref, "node", &reference, &err) != COMB_OK)
        must(err.msg[0] != 0, "a refusal says why");
    else if (!reference.top)
        check_parts(arena, &reference, comb_str_from(ref->path));
    grpcc_arena_free(arena);
    return 0;
}
