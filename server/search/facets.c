/* SPDX-License-Identifier: Apache-2.0 */
/* How many hits there are, and how they divide. */
#include "server/core/clock.h"
#include "server/search/counts.h"
#include "server/search/internal.h"

enum { BY_KIND, BY_MEDIA, BY_OWNER, BY_MODIFIED, BY_SIZE, FACETS };
static const char *const names[FACETS] = {"kind", "media_type", "owner", "modified", "size"};

#define US_PER_DAY (24LL * 3600 * COMB_US_PER_S)

struct tally {
    struct search_counts counts[FACETS];
    uint64_t hits;
    int64_t now_us;
    bool is_full; /* no room */
};

static comb_str modified_of(int64_t now_us, int64_t modified_us)
{
    static const struct {
        int64_t days;
        const char *name;
    } periods[] = {{1, "day"}, {7, "week"}, {31, "month"}, {366, "year"}};
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        if (modified_us > now_us - periods[i].days * US_PER_DAY)
            return comb_str_from(periods[i].name);
    }
    return STR("older");
}

static comb_str size_of(int64_t size)
{
    static const struct {
        int64_t most;
        const char *name;
    } classes[] = {
        {0, "empty"}, {64 << 10, "64K"}, {1 << 20, "1M"}, {16 << 20, "16M"}, {256 << 20, "256M"}};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (size <= classes[i].most)
            return comb_str_from(classes[i].name);
    }
    return STR("larger");
}

static bool tally_hit(void *data, const struct comb_search_candidate *node,
                      const struct comb_uuid *owner_id)
{
    struct tally *tally = data;
    char owner[COMB_UUID_TEXT_LENGTH + 1];
    if (tally->hits == COMB_SEARCH_COUNTED_MAX)
        return false;
    comb_uuid_format(owner_id, owner);
    bool good =
        search_counts_add(&tally->counts[BY_KIND], node->is_folder ? STR("folder") : STR("file")) &&
        search_counts_add(&tally->counts[BY_OWNER], comb_str_from(owner)) &&
        search_counts_add(&tally->counts[BY_MODIFIED],
                          modified_of(tally->now_us, node->modified_us));
    if (good && !node->is_folder)
        good = search_counts_add(&tally->counts[BY_MEDIA], node->media) &&
               search_counts_add(&tally->counts[BY_SIZE], size_of(node->size));
    tally->hits++;
    tally->is_full = !good;
    return good;
}

static bool add_values(struct grpcc_arena *arena, struct comb_v1_search_facet *facet,
                       const struct search_counts *counts)
{
    for (size_t i = 0; i < counts->n && i < COMB_SEARCH_FACET_VALUES_MAX; i++) {
        struct comb_v1_search_facet_value *value = comb_v1_search_facet_value_new(arena);
        char *text = comb_str_dup(arena, counts->items[i].text);
        if (!value || !text || !comb_v1_search_facet_add_values(arena, facet, value))
            return false;
        value->value = text;
        value->hits = counts->items[i].n;
    }
    return true;
}

static enum comb_status answer(struct grpcc_arena *arena, struct tally *tally,
                               struct comb_v1_search_facets_response *response,
                               struct comb_error *err)
{
    response->hits = tally->hits;
    for (size_t i = 0; i < FACETS; i++) {
        struct comb_v1_search_facet *facet = comb_v1_search_facet_new(arena);
        search_counts_sort(&tally->counts[i]);
        if (!facet || !comb_v1_search_facets_response_add_facets(arena, response, facet) ||
            !add_values(arena, facet, &tally->counts[i]))
            return comb_error_no_memory(err);
        comb_v1_search_facet_set_name(facet, (char *)names[i]);
    }
    return COMB_OK;
}

enum comb_status comb_search_facets(struct comb_search *search, struct comb_ctx *ctx,
                                    const struct comb_search_question *question,
                                    struct comb_v1_search_facets_response *response,
                                    struct comb_error *err)
{
    struct tally tally = {.now_us = comb_clock_wall_us()};
    struct comb_search_condition *query = NULL;
    bool complete = false;
    for (size_t i = 0; i < FACETS; i++) {
        if (!search_counts_init(&tally.counts[i], ctx->arena, COMB_SEARCH_FACET_KEPT_MAX))
            return comb_error_no_memory(err);
    }
    enum comb_status status = search_question_read(search, ctx, question, &query, err);
    if (status == COMB_OK)
        status = search_each(search, ctx, query, COMB_SEARCH_COUNTED_EXAMINED_MAX, tally_hit,
                             &tally, &complete, err);
    if (status == COMB_OK && tally.is_full)
        status = comb_error_no_memory(err);
    response->is_at_least = !complete;
    return status == COMB_OK ? answer(ctx->arena, &tally, response, err) : status;
}
