/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of lists, off the wire. A checked filter can be asked about any node, and its negation
 * chooses the others.
 */
#include "grpcc/message.h"
#include "server/tree/filter.h"
#include "tests/fuzz/fuzz.h"

static const struct comb_node nodes[] = {
    {.name = {"Summer.JPG", 10},
     .kind = COMB_V1_NODE_KIND_FILE,
     .size = 100,
     .update_us = 5000000,
     .media_type = {"image/jpeg", 10}},
    {.name = {"a", 1}, .kind = COMB_V1_NODE_KIND_FOLDER, .update_us = -1},
    {.name = {"", 0}, .kind = COMB_V1_NODE_KIND_FILE, .size = UINT64_MAX, .update_us = INT64_MAX},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    struct grpcc_error unpack_err = {0};
    struct comb_error err = {0};
    void *message = NULL;
    if (grpcc_message_unpack(arena, &comb_v1_node_filter_descriptor, NULL, data, size, &message,
                             &unpack_err) == GRPCC_OK) {
        struct comb_v1_node_filter *filter = message;
        struct comb_v1_node_filter *others = comb_v1_node_filter_new(arena);
        must(others != NULL, "there is memory for a filter");
        comb_v1_node_filter_set_negate(others, filter);
        if (comb_tree_filter_check(filter, "filter", &err) == COMB_OK) {
            for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
                must(comb_tree_filter_match(filter, &nodes[i]) !=
                         comb_tree_filter_match(others, &nodes[i]),
                     "a negation chooses the others");
        } else {
            must(err.msg[0] != 0, "a refusal says why");
        }
    }
    grpcc_arena_free(arena);
    return 0;
}
