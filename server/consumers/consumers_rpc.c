/* SPDX-License-Identifier: Apache-2.0 */
#include "server/consumers/consumers_rpc.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/core/clock.h"
#include "server/core/timestamp.h"

/* What a question for warnings may take: the check itself has its answer already. */
#define WARN_MS 2000
#define US_PER_MS 1000

/* ---- conversions; NULL: there is no memory ---- */
static struct comb_v1_admin_feed_place *to_place(struct grpcc_arena *arena,
                                                 struct comb_cursor cursor)
{
    struct comb_v1_admin_feed_place *place = comb_v1_admin_feed_place_new(arena);
    if (!place)
        return NULL;
    place->incarnation = cursor.incarnation;
    place->sequence = cursor.sequence;
    return place;
}

static char *to_text(struct grpcc_arena *arena, comb_str text)
{
    return grpcc_arena_printf(arena, "%.*s", (int)text.len, text.ptr);
}

static uint64_t lag_ms_of(const struct comb_consumer_status *status)
{
    int64_t age_us = comb_clock_wall_us() - status->oldest_us;
    return status->oldest_us != 0 && age_us > 0 ? (uint64_t)age_us / US_PER_MS : 0;
}

static enum comb_v1_admin_rebuild to_rebuild(const struct comb_consumer_place *place)
{
    switch (place->rebuild) {
    case COMB_REBUILD_NEW:
        return COMB_V1_ADMIN_REBUILD_NEW;
    case COMB_REBUILD_EXPIRED:
        return COMB_V1_ADMIN_REBUILD_EXPIRED;
    case COMB_REBUILD_HISTORY:
        return COMB_V1_ADMIN_REBUILD_HISTORY;
    case COMB_REBUILD_REQUESTED:
        return COMB_V1_ADMIN_REBUILD_REQUESTED;
    case COMB_REBUILD_NONE:
        break;
    }
    return COMB_V1_ADMIN_REBUILD_UNSPECIFIED;
}

static struct comb_v1_admin_consumer *to_consumer(struct grpcc_arena *arena,
                                                  const struct comb_consumer_status *status)
{
    const struct comb_lease_info *lease = &status->lease;
    struct comb_v1_admin_consumer *message = comb_v1_admin_consumer_new(arena);
    bool ok = message != NULL;
    if (!ok)
        return NULL;
    message->name = to_text(arena, lease->name);
    message->error = to_text(arena, lease->message);
    if (!comb_uuid_is_nil(&lease->holder)) {
        message->holder_replica_id = comb_uuid_text(arena, &lease->holder);
        ok = message->holder_replica_id != NULL;
    }
    message->held = lease->is_held;
    message->this_replica = status->is_of_this_server;
    message->fence = lease->fence;
    ok = comb_timestamp_set(arena, lease->expire_us, &message->held_until_time) && ok;
    if (lease->place.cursor.incarnation != 0) {
        message->place = to_place(arena, lease->place.cursor);
        ok = ok && message->place;
    }
    /* What does not consume the feed is not built from it either. */
    if (!status->is_other)
        message->rebuild = to_rebuild(&lease->place);
    ok = comb_timestamp_set(arena, lease->advance_us, &message->advance_time) && ok;
    message->lag_entries = status->n_behind;
    message->lag_ms = lag_ms_of(status);
    message->epoch = lease->place.epoch;
    message->attempts = status->is_other ? 0 : lease->attempts;
    message->error_code = (uint32_t)lease->code;
    ok = comb_timestamp_set(arena, lease->fail_us, &message->error_time) && ok;
    message->set_aside = lease->n_aside;
    return ok && message->name && message->error ? message : NULL;
}

static const char *kind_name(enum comb_feed_kind kind)
{
    switch (kind) {
    case COMB_FEED_NODE_CREATED:
        return "created";
    case COMB_FEED_NODE_CONTENT:
        return "content";
    case COMB_FEED_NODE_MOVED:
        return "moved";
    case COMB_FEED_NODE_METADATA:
        return "metadata";
    case COMB_FEED_NODE_RECYCLED:
        return "recycled";
    case COMB_FEED_NODE_RESTORED:
        return "restored";
    case COMB_FEED_NODE_DELETED:
        return "deleted";
    case COMB_FEED_NODE_PERMISSIONS:
        return "permissions";
    case COMB_FEED_NODE_LOCKED:
        return "locked";
    case COMB_FEED_NODE_UNLOCKED:
        return "unlocked";
    case COMB_FEED_USER:
        return "user";
    case COMB_FEED_ROLE:
        return "role";
    case COMB_FEED_WORKSPACE:
        return "workspace";
    case COMB_FEED_TOKEN:
        return "token";
    case COMB_FEED_GROUP:
        return "group";
    }
    return "unknown";
}

static struct comb_v1_admin_set_aside *to_set_aside(struct grpcc_arena *arena,
                                                    const struct comb_consumer_aside *aside)
{
    struct comb_v1_admin_set_aside *message = comb_v1_admin_set_aside_new(arena);
    bool ok = message != NULL;
    if (!ok)
        return NULL;
    message->place = to_place(arena, aside->cursor);
    comb_v1_admin_set_aside_set_kind(message, kind_name(aside->kind));
    message->subject_id = comb_uuid_text(arena, &aside->subject);
    message->revision = aside->revision;
    ok = comb_timestamp_set(arena, aside->time_us, &message->time) && ok;
    ok = comb_timestamp_set(arena, aside->aside_us, &message->set_aside_time) && ok;
    message->code = (uint32_t)aside->code;
    message->message = to_text(arena, aside->message);
    message->retrying = aside->is_wanted;
    return ok && message->place && message->subject_id && message->message ? message : NULL;
}

/* ---- Consumers ---- */

void comb_consumers_rpc_list(void *self, struct grpcc_call *call,
                             const struct comb_v1_admin_consumers_request *request)
{
    const struct comb_consumers_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_admin_consumers_response *response =
        comb_v1_admin_consumers_response_new(ctx->arena);
    const struct comb_consumer_status *found = NULL;
    struct comb_error err = {0};
    size_t n = 0;
    (void)request;
    enum comb_status status = response
                                  ? comb_consumers_status(rpc->consumers, ctx, &found, &n, &err)
                                  : comb_error_no_memory(&err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        struct comb_v1_admin_consumer *message = to_consumer(ctx->arena, &found[i]);
        if (!message ||
            !comb_v1_admin_consumers_response_add_consumers(ctx->arena, response, message))
            status = comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- what was set aside ---- */

/* The place behind which a page begins, as its token has it. */
static bool read_state(comb_str state, struct comb_cursor *ret_after)
{
    char text[64];
    if (state.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)state.len, state.ptr ? state.ptr : "");
    return state.len == 0 ||
           sscanf(text, "%" SCNu64 ":%" SCNu64, &ret_after->incarnation, &ret_after->sequence) == 2;
}

static enum comb_status list_set_aside(const struct comb_consumers_rpc *rpc, struct comb_ctx *ctx,
                                       const struct comb_v1_admin_list_set_aside_request *request,
                                       struct comb_v1_admin_list_set_aside_response *response,
                                       struct comb_error *err)
{
    const comb_str name = comb_str_from(request->consumer);
    const struct comb_consumer_aside *found = NULL;
    struct comb_cursor after = {0, 0};
    comb_str state = {0};
    size_t size = 0, n = 0;
    enum comb_status status = comb_rpc_page_size(request->page_size, &size, err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, name, request->page_token, &state, err);
    if (status == COMB_OK && !read_state(state, &after))
        status = comb_error_field(err, "page_token", "is none of this list");
    if (status == COMB_OK)
        status = comb_consumers_list_aside(rpc->consumers, ctx, name, after, size, &found, &n, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        struct comb_v1_admin_set_aside *message = to_set_aside(ctx->arena, &found[i]);
        if (!message ||
            !comb_v1_admin_list_set_aside_response_add_entries(ctx->arena, response, message))
            status = comb_error_no_memory(err);
    }
    if (status != COMB_OK || n < size)
        return status;
    char *next = grpcc_arena_printf(ctx->arena, "%" PRIu64 ":%" PRIu64,
                                    found[n - 1].cursor.incarnation, found[n - 1].cursor.sequence);
    if (!next)
        return comb_error_no_memory(err);
    return comb_page_token_seal(rpc->sealer, ctx, name, comb_str_from(next),
                                &response->next_page_token, err);
}

void comb_consumers_rpc_list_set_aside(void *self, struct grpcc_call *call,
                                       const struct comb_v1_admin_list_set_aside_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_admin_list_set_aside_response *response =
        comb_v1_admin_list_set_aside_response_new(ctx->arena);
    struct comb_error err = {0};
    enum comb_status status =
        response ? list_set_aside(self, ctx, request, response, &err) : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status retry(const struct comb_consumers_rpc *rpc, struct comb_ctx *ctx,
                              const struct comb_v1_admin_retry_set_aside_request *request,
                              uint64_t *ret_entries, struct comb_error *err)
{
    struct comb_cursor cursors[COMB_CONSUMER_RETRY_MAX];
    size_t n = 0;
    if (request->n_places > COMB_CONSUMER_RETRY_MAX)
        return comb_error_field(err, "places", "are %d at most; none means all",
                                COMB_CONSUMER_RETRY_MAX);
    for (size_t i = 0; i < request->n_places; i++)
        cursors[i] =
            (struct comb_cursor){request->places[i]->incarnation, request->places[i]->sequence};
    enum comb_status status = comb_consumers_retry(
        rpc->consumers, ctx, comb_str_from(request->consumer), cursors, request->n_places, &n, err);
    if (status == COMB_OK)
        *ret_entries = n;
    return status;
}

void comb_consumers_rpc_retry_set_aside(void *self, struct grpcc_call *call,
                                        const struct comb_v1_admin_retry_set_aside_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_admin_retry_set_aside_response *response =
        comb_v1_admin_retry_set_aside_response_new(ctx->arena);
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = retry(self, ctx, request, &response->entries, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- warnings ---- */

/* What is to be said of one; "": nothing. NULL: there is no memory. */
static const char *warning_of(struct grpcc_arena *arena, const struct comb_consumer_status *status)
{
    uint64_t lag_ms = lag_ms_of(status);
    if (lag_ms > COMB_CONSUMERS_LAG_WARN_MS)
        return grpcc_arena_printf(
            arena, "%s%" PRIu64 " changes wait for it, the oldest for %" PRIu64 " s%s%s%.*s",
            status->n_behind >= COMB_CONSUMER_BEHIND_MAX ? "at least " : "", status->n_behind,
            lag_ms / 1000, status->lease.is_held ? "" : "; no replica holds it",
            status->lease.code != COMB_OK ? ": " : "", (int)status->lease.message.len,
            status->lease.message.ptr);
    if (status->lease.n_aside > 0)
        return grpcc_arena_printf(
            arena, "%" PRIu64 " changes were set aside: comb admin set-aside %.*s",
            status->lease.n_aside, (int)status->lease.name.len, status->lease.name.ptr);
    return "";
}

enum comb_status comb_consumers_rpc_warn(void *self, struct comb_ctx *ctx,
                                         struct comb_v1_admin_check_response *response,
                                         struct comb_error *err)
{
    const struct comb_consumers_rpc *rpc = self;
    const struct comb_consumer_status *found = NULL;
    struct comb_ctx question = *ctx;
    int64_t own_ns = comb_clock_in_ms(WARN_MS);
    size_t n = 0;
    if (own_ns < question.deadline_ns)
        question.deadline_ns = own_ns;
    if (comb_consumers_status(rpc->consumers, &question, &found, &n, NULL) != COMB_OK)
        return COMB_OK;
    for (size_t i = 0; i < n; i++) {
        const char *text = warning_of(ctx->arena, &found[i]);
        struct comb_v1_admin_warning *warning;
        if (text && !text[0])
            continue;
        warning = comb_v1_admin_warning_new(ctx->arena);
        if (!text || !warning ||
            !comb_v1_admin_check_response_add_warnings(ctx->arena, response, warning))
            return comb_error_no_memory(err);
        warning->about = to_text(ctx->arena, found[i].lease.name);
        comb_v1_admin_warning_set_message(warning, text);
        if (!warning->about)
            return comb_error_no_memory(err);
    }
    return COMB_OK;
}
