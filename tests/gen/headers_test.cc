/* SPDX-License-Identifier: Apache-2.0 */
// Generated headers in C++: they compile with all warnings, and their functions work.
#include "corpus/legacy.grpcc.h"
#include "corpus/options.grpcc.h"
#include "corpus/other/thing.grpcc.h"
#include "corpus/scalars.grpcc.h"
#include "corpus/services.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "corpus/words.grpcc.h"

#include <cstdio>
#include <cstring>

static void say(void *, struct grpcc_call *call, const struct corpus_v1_echo_request *)
{
    (void)call;
}

static bool works(struct grpcc_arena *arena)
{
    struct corpus_v1_echo_server table = {};
    struct corpus_v1_choices *message = corpus_v1_choices_new(arena), *back = nullptr;
    struct corpus_v1_repeated *repeated = corpus_v1_repeated_new(arena);
    size_t size = 0;
    void *data;

    table.say = say;
    if (!table.say || !message || !repeated)
        return false;
    corpus_v1_choices_set_colour(message, CORPUS_V1_COLOUR_GREEN);
    data = corpus_v1_choices_pack(arena, message, &size);
    if (!data || corpus_v1_choices_unpack(arena, nullptr, data, size, &back, nullptr) != GRPCC_OK)
        return false;
    for (int i = 0; i < 10; i++) {
        if (!corpus_v1_repeated_add_a_string(arena, repeated, "text"))
            return false;
    }
    return back->first_case == CORPUS_V1_CHOICES_FIRST_COLOUR &&
           back->colour == CORPUS_V1_COLOUR_GREEN && repeated->n_a_string == 10 &&
           std::strcmp(repeated->a_string[9], "text") == 0;
}

int main()
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    bool ok = arena && works(arena);

    grpcc_arena_free(arena);
    std::puts(ok ? "ok" : "FAILED");
    return ok ? 0 : 1;
}
