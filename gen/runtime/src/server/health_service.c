/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1 on top of health.c. All of it runs on pollers: it answers while every worker is
 * busy. */
#include <grpc/health/v1/health.grpcc.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/server/health.h"
#include "gen/runtime/src/server/server.h"

typedef struct grpc_health_v1_health_check_request check_request;
typedef struct grpc_health_v1_health_check_response check_response;
typedef struct grpc_health_v1_health_list_response list_response;

/* One Watch, in its call's arena. */
struct watch {
    struct grpcc_health_watcher watcher;
    struct grpcc_health *health;
    struct grpcc_call *call;
    check_response *response;
};

static void no_memory(struct grpcc_call *call)
{
    grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the answer");
}

static void check(void *self, struct grpcc_call *call, const check_request *request)
{
    check_response *response = grpc_health_v1_health_check_response_new(grpcc_call_arena(call));
    int serving = grpcc_health_get(self, request->service);
    if (!response) {
        no_memory(call);
    } else if (serving == GRPCC_SERVICE_UNKNOWN) {
        grpcc_call_fail(call, GRPCC_NOT_FOUND, "no service of that name is registered");
    } else {
        response->status = (enum grpc_health_v1_health_check_response_serving_status)serving;
        grpc_health_v1_health_check_finish(call, response);
    }
}

/* ---- List ---- */

struct list {
    struct grpcc_arena *arena;
    list_response *response;
    bool failed;
};

static void list_one(void *data, const char *service, enum grpcc_serving serving)
{
    struct list *list = data;
    check_response *value = grpc_health_v1_health_check_response_new(list->arena);
    char *key = grpcc_arena_strdup(list->arena, service);
    if (value)
        value->status = (enum grpc_health_v1_health_check_response_serving_status)serving;
    if (!value || !key ||
        !grpc_health_v1_health_list_response_put_statuses(list->arena, list->response, key, value))
        list->failed = true;
}

static void list(void *self, struct grpcc_call *call,
                 const struct grpc_health_v1_health_list_request *request)
{
    struct list list = {.arena = grpcc_call_arena(call)};
    (void)request;
    list.response = grpc_health_v1_health_list_response_new(list.arena);
    if (list.response)
        grpcc_health_each(self, list_one, &list);
    if (!list.response || list.failed)
        no_memory(call);
    else
        grpc_health_v1_health_list_finish(call, list.response);
}

/* ---- Watch ---- */

/* Either the peer has gone and hears nothing, or the server goes. */
static void watch_end(struct grpcc_health_watcher *watcher)
{
    struct watch *watch = GRPCC_CONTAINER(watcher, struct watch, watcher);
    grpcc_call_fail(watch->call, GRPCC_UNAVAILABLE, "the server is shutting down");
}

static void watch_sent(void *data, enum grpcc_status status)
{
    struct watch *watch = data;
    if (grpcc_health_sent(watch->health, &watch->watcher, status == GRPCC_OK))
        watch_end(&watch->watcher);
}

static void watch_send(struct grpcc_health_watcher *watcher, int serving)
{
    struct watch *watch = GRPCC_CONTAINER(watcher, struct watch, watcher);
    watch->response->status = (enum grpc_health_v1_health_check_response_serving_status)serving;
    grpc_health_v1_health_watch_send_start(watch->call, watch->response, watch_sent, watch);
}

static void watch_cancelled(void *data)
{
    struct watch *watch = data;
    if (grpcc_health_unwatch(watch->health, &watch->watcher))
        watch_end(&watch->watcher);
}

static void watch(void *self, struct grpcc_call *call, const check_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct watch *watch = grpcc_arena_zalloc(arena, sizeof(*watch));
    check_response *response = grpc_health_v1_health_check_response_new(arena);
    if (!watch || !response) {
        no_memory(call);
        return;
    }
    watch->health = self;
    watch->call = call;
    watch->response = response;
    watch->watcher.service = request->service;
    watch->watcher.send = watch_send;
    watch->watcher.end = watch_end;
    grpcc_health_watch(self, &watch->watcher);
    /* Watching first: a call that is cancelled already is told so at once, and then must be in the
     * list. */
    if (!grpcc_call_on_cancel(call, watch_cancelled, watch))
        watch_cancelled(watch);
}

enum grpcc_status grpcc_health_serve(struct grpcc_server *server, struct grpcc_error *err)
{
    static const struct grpc_health_v1_health_server table = {
        .check = check,
        .list = list,
        .watch = watch,
    };
    return grpcc_server_add_builtin(server, &grpc_health_v1_health_service, &table, server->health,
                                    err);
}
