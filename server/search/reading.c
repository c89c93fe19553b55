/* SPDX-License-Identifier: Apache-2.0 */
/* What the index knows of the reading of a content, as callers are told. */
#include "server/extract/outcome.h"
#include "server/search/internal.h"

static enum comb_v1_search_reading reading_of(int outcome)
{
    switch (outcome) {
    case COMB_EXTRACT_TEXT:
        return COMB_V1_SEARCH_READING_WHOLE;
    case COMB_EXTRACT_TRUNCATED:
        return COMB_V1_SEARCH_READING_CUT;
    case COMB_EXTRACT_UNSUPPORTED:
        return COMB_V1_SEARCH_READING_UNSUPPORTED;
    default:
        return COMB_V1_SEARCH_READING_REFUSED;
    }
}

enum comb_status search_reading_show(struct grpcc_arena *arena, const struct comb_node *node,
                                     const struct comb_search_content *content,
                                     struct comb_v1_search_hit *hit, struct comb_error *err)
{
    if (node->kind != COMB_V1_NODE_KIND_FILE)
        return COMB_OK;
    /* A file that never had a content has nothing to read. */
    if (comb_uuid_is_nil(&node->blob)) {
        hit->reading = COMB_V1_SEARCH_READING_WHOLE;
        return COMB_OK;
    }
    if (!comb_uuid_equal(&content->blob, &node->blob)) {
        hit->reading = COMB_V1_SEARCH_READING_WAITING;
        return COMB_OK;
    }
    hit->reading = reading_of(content->outcome);
    if (content->reason == COMB_EXTRACT_REASON_NONE)
        return COMB_OK;
    hit->reading_reason = grpcc_arena_strdup(
        arena, comb_extract_reason_name((enum comb_extract_reason)content->reason));
    return hit->reading_reason ? COMB_OK : comb_error_no_memory(err);
}
