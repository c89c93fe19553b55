/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following what comes in. Entries stand in the order of their times, not of their arrival: what
 * is younger than COMB_LOGS_LATE_US is looked at again each time, and what was given is remembered
 * until it is older.
 */
#include <stdlib.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/logs/internal.h"

/* A place, NUL-terminated. */
struct place {
    char text[COMB_ITEM_ID_LENGTH + 1];
};

struct comb_log_follow {
    struct comb_logs *logs;
    struct grpcc_arena *arena; /* of the search */
    struct logs_search search;
    struct place settled;  /* what is not behind it is over */
    struct place *given;   /* places behind it, in order */
    size_t n_given, n_new; /* those of the last call stand last, in an order of their own */
    size_t room;
    size_t examined_max;
    int64_t good_us; /* when the store answered last */
    bool has_failed; /* since then */
};

enum comb_status comb_logs_follow_new(struct comb_logs *logs, const struct comb_log_filter *filter,
                                      struct comb_log_follow **ret_follow, struct comb_error *err)
{
    int64_t now_us = comb_clock_wall_us();
    struct comb_log_filter own = *filter;
    if (filter->until_us)
        return comb_error_field(err, "filter.until", "is absent where entries are followed");
    if (filter->since_us && filter->since_us < now_us - COMB_LOGS_FOLLOW_BACK_US)
        return comb_error_field(err, "filter.since", "is at most an hour ago");
    own.since_us = filter->since_us ? filter->since_us : now_us;
    struct comb_log_follow *follow = comb_memory_zalloc(sizeof *follow);
    if (!follow)
        return comb_error_no_memory(err);
    follow->logs = logs;
    atomic_fetch_add(&logs->followers, 1);
    follow->good_us = now_us;
    /* What is behind the settled place is looked at again, and given as well. */
    follow->examined_max = COMB_LOGS_LONG_PAGES * logs->parts.examined_max;
    follow->room = follow->examined_max + COMB_LOGS_NEWS_MAX;
    follow->given = comb_memory_alloc(follow->room * sizeof *follow->given);
    follow->arena = grpcc_arena_new(0);
    enum comb_status status = follow->given && follow->arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = logs_search_init(&follow->search, follow->arena, &own, err);
    if (status == COMB_OK) {
        /* A time's first place is behind the time alone. */
        memcpy(follow->settled.text, follow->search.after.ptr, follow->search.after.len + 1);
        *ret_follow = follow;
        return COMB_OK;
    }
    comb_logs_follow_free(follow);
    return status;
}

void comb_logs_follow_free(struct comb_log_follow *follow)
{
    if (!follow)
        return;
    atomic_fetch_sub(&follow->logs->followers, 1);
    grpcc_arena_free(follow->arena);
    comb_memory_free(follow->given);
    comb_memory_free(follow);
}

/* ---- what was given ---- */

static int by_place(const void *a, const void *b)
{
    const struct place *one = a, *other = b;
    return strcmp(one->text, other->text);
}

/* Of calls before this one: the walk meets no entry twice. */
static bool was_given(const struct comb_log_follow *follow, const struct place *place)
{
    return follow->n_given > 0 &&
           bsearch(place, follow->given, follow->n_given, sizeof *place, by_place);
}

/* What is new is remembered from now on, what is settled is not. */
static void settle(struct comb_log_follow *follow, const char *place)
{
    size_t n = follow->n_given + follow->n_new, kept = 0;
    if (strcmp(place, follow->settled.text) > 0)
        memcpy(follow->settled.text, place, strlen(place) + 1);
    for (size_t i = 0; i < n; i++)
        if (strcmp(follow->given[i].text, follow->settled.text) > 0)
            follow->given[kept++] = follow->given[i];
    qsort(follow->given, kept, sizeof *follow->given, by_place);
    follow->n_given = kept;
    follow->n_new = 0;
}

/* ---- one look ---- */

struct look {
    struct comb_log_follow *follow;
    struct grpcc_arena *arena;
    struct comb_v1_log_entry **entries;
    size_t n, bytes;
    bool is_full; /* the answer, not what can be remembered */
};

static enum comb_status take(void *data, const struct comb_item *item,
                             const struct comb_v1_log_entry *entry, bool *ret_full,
                             struct comb_error *err)
{
    struct look *look = data;
    struct comb_log_follow *follow = look->follow;
    size_t n = follow->n_given + follow->n_new;
    struct place place = {{0}};
    (void)entry;
    if (item->at.len != COMB_ITEM_ID_LENGTH)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a log entry has no place");
    memcpy(place.text, item->at.ptr, item->at.len);
    if (was_given(follow, &place))
        return COMB_OK;
    look->is_full = look->n == COMB_LOGS_NEWS_MAX ||
                    (look->n > 0 && item->body.len > COMB_LOGS_PAGE_BYTES_MAX - look->bytes);
    *ret_full = look->is_full || n == follow->room;
    if (*ret_full)
        return COMB_OK;
    look->bytes += item->body.len;
    follow->given[n] = place;
    follow->n_new++;
    return logs_read_item(look->arena, item, &look->entries[look->n++], err);
}

/* How far it has come: what is settled from now on, and whether more came at once than is looked
 * at again. */
static void come(struct comb_log_follow *follow, const struct logs_walk *walk,
                 const struct look *look, comb_str horizon, struct comb_log_news *news)
{
    bool is_late = walk->is_through || strcmp(walk->at, horizon.ptr) >= 0;
    news->more = !walk->is_through;
    if (!is_late || (news->more && !look->is_full)) {
        if (is_late) {
            news->gap_since_us = logs_time_of(horizon);
            news->gap_until_us = logs_time_of(comb_str_from(walk->at));
        }
        settle(follow, walk->at);
        return;
    }
    settle(follow, horizon.ptr);
}

enum comb_status comb_logs_follow_next(struct comb_log_follow *follow, struct comb_ctx *ctx,
                                       struct comb_log_news *ret_news, struct comb_error *err)
{
    int64_t now_us = comb_clock_wall_us();
    struct look look = {.follow = follow, .arena = ctx->arena};
    struct logs_walk walk = {.logs = follow->logs,
                             .search = &follow->search,
                             .is_ascending = true,
                             .examined_max = follow->examined_max,
                             .until_ns = comb_clock_in_ms(COMB_LOGS_PAGE_MS_MAX),
                             .take = take,
                             .data = &look};
    struct comb_log_news news = {0};
    comb_str horizon = logs_place(ctx->arena, now_us - COMB_LOGS_LATE_US);
    look.entries = grpcc_arena_calloc(ctx->arena, COMB_LOGS_NEWS_MAX, sizeof *look.entries);
    if (!horizon.ptr || !look.entries)
        return comb_error_no_memory(err);
    memcpy(walk.at, follow->settled.text, sizeof walk.at);
    follow->n_new = 0;
    enum comb_status status = logs_walk_run(&walk, ctx, err);
    if (status != COMB_OK) {
        follow->has_failed = true;
        return status;
    }
    come(follow, &walk, &look, horizon, &news);
    if (follow->has_failed) {
        news.gap_since_us = follow->good_us - COMB_LOGS_LATE_US;
        news.gap_until_us = now_us;
    }
    follow->has_failed = false;
    follow->good_us = now_us;
    news.entries = look.entries;
    news.n = look.n;
    *ret_news = news;
    return COMB_OK;
}
