/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activities/activities_rpc.h"

#include "server/core/clock.h"
#include "server/rpc/rpc.h"

#define US_PER_HOUR (3600LL * COMB_US_PER_S)
/* Periods of a digest that does not say since when. */
#define PERIODS_DEFAULT 7

/* ---- conversions ---- */

/* 0 where it is absent. */
/* A node that the caller may read. */
static enum comb_status read_node(const struct comb_activities_rpc *rpc, struct comb_ctx *ctx,
                                  const struct comb_v1_node_ref *ref, struct comb_uuid *ret_id,
                                  struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    struct comb_access_node node;
    enum comb_status status = comb_access_resolve(rpc->access, ctx, ref, &options, &node, err);
    if (status == COMB_OK)
        *ret_id = node.node->id;
    return status;
}

/* What a request is about: a node or a user. */
struct target {
    struct comb_uuid id;
    const struct comb_uuid *node, *user; /* one is id, the other NULL */
};

static enum comb_status read_target(const struct comb_activities_rpc *rpc, struct comb_ctx *ctx,
                                    const struct comb_v1_node_ref *node, const char *user,
                                    struct target *ret, struct comb_error *err)
{
    if (!node == !user[0])
        return comb_error_field(err, "node", "or user is given, and not both");
    ret->node = node ? &ret->id : NULL;
    ret->user = node ? NULL : &ret->id;
    return node ? read_node(rpc, ctx, node, &ret->id, err)
                : rpc->find_user(rpc->data, ctx, comb_str_from(user), &ret->id, err);
}

static enum comb_status read_scope(const struct comb_activities_rpc *rpc, struct comb_ctx *ctx,
                                   const struct comb_v1_activity_scope *message, bool include_own,
                                   struct target *target, struct comb_activity_scope *ret_scope,
                                   struct comb_error *err)
{
    if (!message || (message->mine && (message->node || message->user[0])))
        return comb_error_field(err, "scope", "is one of node, user and mine");
    ret_scope->include_own = include_own;
    if (message->mine)
        return COMB_OK;
    enum comb_status status = read_target(rpc, ctx, message->node, message->user, target, err);
    ret_scope->node = target->node;
    ret_scope->user = target->user;
    return status;
}

/* ---- feeds ---- */

/* What must stay the same from page to page: all but size and token. ptr NULL: no room. */
static comb_str pack_query(struct grpcc_arena *arena,
                           const struct comb_v1_activities_feed_request *request)
{
    struct comb_v1_activities_feed_request same = *request;
    same.page_size = 0;
    same.page_token = (char *)"";
    return comb_rpc_pack(arena, &same.base);
}

static enum comb_status feed(const struct comb_activities_rpc *rpc, struct comb_ctx *ctx,
                             const struct comb_v1_activities_feed_request *request,
                             struct comb_v1_activities_feed_response *response,
                             struct comb_error *err)
{
    struct comb_activity_query query = {.is_unread_only = request->unread,
                                        .newer_than = comb_str_from(request->after_id)};
    const comb_str same = pack_query(ctx->arena, request);
    struct comb_activity_page page;
    struct target target = {0};
    if (!same.ptr)
        return comb_error_no_memory(err);
    enum comb_status status = comb_rpc_page_size(request->page_size, &query.max, err);
    if (status == COMB_OK && (request->unread || request->include_own) &&
        !(request->scope && request->scope->mine))
        status = comb_error_field(err, "scope", "is mine, with unread and with include_own");
    if (status == COMB_OK)
        status = comb_rpc_time(request->since, "since", &query.since_us, err);
    if (status == COMB_OK)
        status =
            comb_page_token_open(rpc->sealer, ctx, same, request->page_token, &query.before, err);
    if (status == COMB_OK)
        status =
            read_scope(rpc, ctx, request->scope, request->include_own, &target, &query.scope, err);
    if (status == COMB_OK)
        status = comb_activities_feed(rpc->activities, ctx, &query, &page, err);
    if (status != COMB_OK)
        return status;
    response->activities = page.activities;
    response->n_activities = page.n;
    return page.next.len == 0 ? COMB_OK
                              : comb_page_token_seal(rpc->sealer, ctx, same, page.next,
                                                     &response->next_page_token, err);
}

static void rpc_feed(void *self, struct grpcc_call *call,
                     const struct comb_v1_activities_feed_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_feed_response *response =
        comb_v1_activities_feed_response_new(ctx->arena);
    struct comb_error err = {0};
    enum comb_status status =
        response ? feed(self, ctx, request, response, &err) : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status digest(const struct comb_activities_rpc *rpc, struct comb_ctx *ctx,
                               const struct comb_v1_activities_digest_request *request,
                               struct comb_v1_activities_digest_response *response,
                               struct comb_error *err)
{
    static const int64_t lengths[] = {0, US_PER_HOUR, 24 * US_PER_HOUR, 7 * 24 * US_PER_HOUR};
    struct comb_activity_scope scope = {0};
    struct target target = {0};
    int64_t since_us = 0;
    int period = (int)request->period;
    if (period < COMB_V1_ACTIVITY_PERIOD_HOUR || period > COMB_V1_ACTIVITY_PERIOD_WEEK)
        return comb_error_field(err, "period", "is HOUR, DAY or WEEK");
    enum comb_status status = comb_rpc_time(request->since, "since", &since_us, err);
    if (since_us == 0)
        since_us = comb_clock_wall_us() - PERIODS_DEFAULT * lengths[period];
    if (status == COMB_OK)
        status = read_scope(rpc, ctx, request->scope, request->include_own, &target, &scope, err);
    if (status == COMB_OK)
        status = comb_activities_digest(rpc->activities, ctx, &scope, request->period, since_us,
                                        response, err);
    return status;
}

static void rpc_digest(void *self, struct grpcc_call *call,
                       const struct comb_v1_activities_digest_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_digest_response *response =
        comb_v1_activities_digest_response_new(ctx->arena);
    struct comb_error err = {0};
    enum comb_status status =
        response ? digest(self, ctx, request, response, &err) : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- what has been read ---- */

static void rpc_unread(void *self, struct grpcc_call *call,
                       const struct comb_v1_activities_unread_request *request)
{
    const struct comb_activities_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_unread_response *response =
        comb_v1_activities_unread_response_new(ctx->arena);
    struct comb_error err = {0};
    bool at_least = false;
    (void)request;
    enum comb_status status =
        response ? comb_activities_unread(rpc->activities, ctx, &response->count, &at_least, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        response->at_least = at_least;
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_mark_read(void *self, struct grpcc_call *call,
                          const struct comb_v1_activities_mark_read_request *request)
{
    const struct comb_activities_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_mark_read_response *response =
        comb_v1_activities_mark_read_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_activities_mark_read(rpc->activities, ctx,
                                           comb_str_from(request->activity_id), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- following ---- */

static void rpc_follow(void *self, struct grpcc_call *call,
                       const struct comb_v1_activities_follow_request *request)
{
    const struct comb_activities_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_follow_response *response =
        comb_v1_activities_follow_response_new(ctx->arena);
    struct target target = {0};
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_target(rpc, ctx, request->node, request->user, &target, &err);
    if (status == COMB_OK)
        status = comb_activities_follow(rpc->activities, ctx, target.node, target.user,
                                        &response->follow, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* What is gone, and what one may not read any more, can be unfollowed by its id. */
static enum comb_status read_unfollowed(const struct comb_activities_rpc *rpc, struct comb_ctx *ctx,
                                        const struct comb_v1_activities_unfollow_request *request,
                                        struct target *ret, struct comb_error *err)
{
    bool has_node = request->node && request->node->id[0] && !request->node->path[0];
    const char *id = has_node ? request->node->id : request->user;
    if (has_node != (request->user[0] != '\0') && comb_uuid_parse(comb_str_from(id), &ret->id)) {
        ret->node = has_node ? &ret->id : NULL;
        ret->user = has_node ? NULL : &ret->id;
        return COMB_OK;
    }
    return read_target(rpc, ctx, request->node, request->user, ret, err);
}

static void rpc_unfollow(void *self, struct grpcc_call *call,
                         const struct comb_v1_activities_unfollow_request *request)
{
    const struct comb_activities_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_unfollow_response *response =
        comb_v1_activities_unfollow_response_new(ctx->arena);
    struct target target = {0};
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_unfollowed(rpc, ctx, request, &target, &err);
    if (status == COMB_OK)
        status = comb_activities_unfollow(rpc->activities, ctx, target.node, target.user, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_list_follows(void *self, struct grpcc_call *call,
                             const struct comb_v1_activities_list_follows_request *request)
{
    const struct comb_activities_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_list_follows_response *response =
        comb_v1_activities_list_follows_response_new(ctx->arena);
    struct comb_error err = {0};
    (void)request;
    enum comb_status status =
        response ? comb_activities_list_follows(rpc->activities, ctx, &response->follows,
                                                &response->n_follows, &err)
                 : comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- keeping ---- */

static void rpc_purge(void *self, struct grpcc_call *call,
                      const struct comb_v1_activities_purge_request *request)
{
    const struct comb_activities_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_activities_purge_response *response =
        comb_v1_activities_purge_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    int64_t before_us = 0;
    bool more = false;
    enum comb_status status = response ? comb_rpc_time(request->before, "before", &before_us, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK && before_us == 0 && request->keep == 0)
        status = comb_error_field(&err, "before", "or keep is given");
    if (status == COMB_OK)
        status = comb_rpc_request_key(call, request->request_id, &request->base, &key, &err);
    if (status == COMB_OK)
        status = comb_activities_purge(rpc->activities, ctx, before_us, request->keep,
                                       &response->removed, &more, &err);
    if (status == COMB_OK)
        response->more = more;
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_activities_server METHODS = {
    .feed = rpc_feed,
    .unread = rpc_unread,
    .mark_read = rpc_mark_read,
    .digest = rpc_digest,
    .follow = rpc_follow,
    .unfollow = rpc_unfollow,
    .list_follows = rpc_list_follows,
    .purge = rpc_purge,
};

enum comb_status comb_activities_rpc_register(struct grpcc_server *server,
                                              struct comb_activities_rpc *rpc,
                                              struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_activities_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Activities: %.200s", failure.message);
}
