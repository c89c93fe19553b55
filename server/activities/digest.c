/* SPDX-License-Identifier: Apache-2.0 */
/* Activities counted by period, user, kind of thing done, and folder. */
#include <stdlib.h>

#include "server/activities/internal.h"
#include "server/core/clock.h"
#include "server/core/timestamp.h"

#define US_PER_HOUR (3600LL * COMB_US_PER_S)
#define US_PER_DAY (24 * US_PER_HOUR)
/* 1970 began on a Thursday: this long before was a Monday. */
#define MONDAY_US (3 * US_PER_DAY)

/* A line in the making. What it is about, in front of what was counted. */
struct line {
    int64_t period_us;
    struct comb_uuid actor, folder;
    enum comb_v1_activity_type type;
    enum comb_v1_node_kind kind;
    struct comb_v1_activity_digest_line *message;
};

struct digest {
    struct activities_eyes *eyes;
    enum comb_v1_activity_period period;
    struct line lines[COMB_ACTIVITY_DIGEST_LINES_MAX];
    size_t n;
    struct comb_map counted; /* by line and node: anything */
};

static int64_t begin_of(enum comb_v1_activity_period period, int64_t us)
{
    if (period == COMB_V1_ACTIVITY_PERIOD_HOUR)
        return us - us % US_PER_HOUR;
    if (period == COMB_V1_ACTIVITY_PERIOD_DAY)
        return us - us % US_PER_DAY;
    return us - (us + MONDAY_US) % (7 * US_PER_DAY);
}

static bool is_same(const struct line *a, const struct line *b)
{
    return a->period_us == b->period_us && a->type == b->type && a->kind == b->kind &&
           comb_uuid_equal(&a->actor, &b->actor) && comb_uuid_equal(&a->folder, &b->folder);
}

static enum comb_status begin_line(struct digest *digest, const struct activities_record *record,
                                   const struct activities_sight *sight, struct line *line,
                                   struct comb_error *err)
{
    struct grpcc_arena *arena = digest->eyes->ctx->arena;
    struct comb_v1_activity_digest_line *message = comb_v1_activity_digest_line_new(arena);
    if (!message)
        return comb_error_no_memory(err);
    message->period = comb_timestamp_new(arena, line->period_us);
    comb_v1_activity_digest_line_set_actor_id(message,
                                              grpcc_arena_strdup(arena, record->known->actor_id));
    message->type = line->type;
    message->kind = line->kind;
    line->message = message;
    enum comb_status status =
        activities_see_place(digest->eyes, &line->folder, &message->folder, err);
    if (status == COMB_OK)
        status = activities_see_object(digest->eyes, record, sight, &message->newest, err);
    return status == COMB_OK && !message->period ? comb_error_no_memory(err) : status;
}

/* Counts the record's node in the line, once. */
static enum comb_status count_in(struct digest *digest, const struct line *line,
                                 const struct activities_record *record, struct comb_error *err)
{
    uint8_t key[sizeof(size_t) + sizeof record->node.bytes];
    size_t number = (size_t)(line - digest->lines);
    memcpy(key, &number, sizeof number);
    memcpy(key + sizeof number, record->node.bytes, sizeof record->node.bytes);
    const comb_str text = comb_str_of(key, sizeof key);
    line->message->changes++;
    if (comb_map_get(&digest->counted, text))
        return COMB_OK;
    line->message->objects++;
    return comb_map_put(&digest->counted, text, line->message, err);
}

static enum comb_status take(void *data, const struct activities_record *record,
                             const struct activities_sight *sight, bool *ret_full,
                             struct comb_error *err)
{
    struct digest *digest = data;
    struct comb_uuid known = comb_uuid_is_nil(&record->target) ? record->origin : record->target;
    struct line line = {.period_us = begin_of(digest->period, record->time_us),
                        .actor = record->actor,
                        .folder = sight->reads ? sight->parent : known,
                        .type = record->known->type,
                        .kind = record->known->object->kind};
    size_t i = digest->n;
    enum comb_status status = COMB_OK;
    while (i > 0 && !is_same(&digest->lines[i - 1], &line))
        i--;
    if (i == 0) {
        *ret_full = digest->n == COMB_ACTIVITY_DIGEST_LINES_MAX;
        if (*ret_full)
            return COMB_OK;
        status = begin_line(digest, record, sight, &line, err);
        if (status != COMB_OK)
            return status;
        digest->lines[digest->n++] = line;
        i = digest->n;
    }
    return count_in(digest, &digest->lines[i - 1], record, err);
}

/* Newest periods first, then most objects. */
static int in_order(const void *a, const void *b)
{
    const struct line *left = a, *right = b;
    if (left->period_us != right->period_us)
        return left->period_us > right->period_us ? -1 : 1;
    if (left->message->objects != right->message->objects)
        return left->message->objects > right->message->objects ? -1 : 1;
    return 0;
}

static enum comb_status give(struct digest *digest, const struct activities_walk *walk,
                             struct comb_v1_activities_digest_response *response,
                             struct comb_error *err)
{
    struct grpcc_arena *arena = digest->eyes->ctx->arena;
    qsort(digest->lines, digest->n, sizeof digest->lines[0], in_order);
    for (size_t i = 0; i < digest->n; i++) {
        if (!comb_v1_activities_digest_response_add_lines(arena, response,
                                                          digest->lines[i].message))
            return comb_error_no_memory(err);
    }
    response->complete = walk->is_through;
    if (walk->examined > 0)
        response->reached = comb_timestamp_new(arena, walk->reached_us);
    return walk->examined > 0 && !response->reached ? comb_error_no_memory(err) : COMB_OK;
}

static enum comb_status run(struct digest *digest, const struct comb_activity_scope *scope,
                            int64_t since_us, struct comb_v1_activities_digest_response *response,
                            struct comb_error *err)
{
    struct activities_walk walk;
    enum comb_status status = activities_walk_init(&walk, digest->eyes, scope, err);
    if (status != COMB_OK)
        return status;
    walk.since_us = since_us;
    walk.examined_max = COMB_ACTIVITY_DIGEST_EXAMINED_MAX;
    walk.take = take;
    walk.data = digest;
    status = activities_walk_run(&walk, err);
    return status == COMB_OK ? give(digest, &walk, response, err) : status;
}

enum comb_status comb_activities_digest(struct comb_activities *activities, struct comb_ctx *ctx,
                                        const struct comb_activity_scope *scope,
                                        enum comb_v1_activity_period period, int64_t since_us,
                                        struct comb_v1_activities_digest_response *response,
                                        struct comb_error *err)
{
    struct activities_eyes eyes;
    struct digest *digest = grpcc_arena_zalloc(ctx->arena, sizeof *digest);
    enum comb_status status =
        digest ? activities_eyes_init(&eyes, activities, ctx, err) : comb_error_no_memory(err);
    if (status != COMB_OK)
        return status;
    digest->eyes = &eyes;
    digest->period = period;
    comb_map_init(&digest->counted, COMB_ACTIVITY_DIGEST_EXAMINED_MAX, NULL);
    status = run(digest, scope, since_us, response, err);
    comb_map_done(&digest->counted);
    activities_eyes_done(&eyes);
    return status;
}
