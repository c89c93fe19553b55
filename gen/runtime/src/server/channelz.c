/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.channelz.v1: core gives every answer as JSON, which is decoded into the message that it is.
 */
#include "grpcc/channelz.h"

#include <grpc/support/alloc.h>

#include "gen/runtime/src/server/server.h"
#include "grpc/channelz/v1/channelz.grpcc.h"
#include "grpcc/json.h"

/* Core's pages have 100 channels or servers, of at most some KiB each. */
enum { TEXT_BYTES_MAX = 16 << 20 };
/* Core takes the number of results for an int in some places. */
enum { RESULTS_MAX = 10000 };

/* Core's answer as a message, in the call's arena; NULL: the call has been ended. text is core's;
 * NULL: there is nothing of that number. */
static void *decode(struct grpcc_call *call, char *text)
{
    const struct grpcc_json_options options = {
        .size = sizeof(options), .ignore_unknown = true, .text_max = TEXT_BYTES_MAX};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    void *message = NULL;
    if (!text) {
        grpcc_call_fail(call, GRPCC_NOT_FOUND, "this process has nothing of that number");
        return NULL;
    }
    enum grpcc_status status =
        grpcc_json_decode(grpcc_call_arena(call), grpcc_call_method(call)->response, &options, text,
                          strlen(text), &message, &err);
    gpr_free(text);
    if (!status)
        return message;
    /* What core writes is not the caller's fault. */
    if (status == GRPCC_INVALID_ARGUMENT)
        status = GRPCC_INTERNAL;
    grpcc_call_fail(call, status, "what core says cannot be told: %s", err.message);
    return NULL;
}

static void answer(struct grpcc_call *call, char *text)
{
    ProtobufCMessage *message = decode(call, text);
    if (message)
        grpcc_call_finish(call, message);
}

/* Core asserts where it is asked for less than nothing. False: the call has been ended. */
static bool is_page(struct grpcc_call *call, int64_t start, int64_t max_results)
{
    if (start >= 0 && max_results >= 0)
        return true;
    grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT,
                    "%s is negative: 0 stands for the first and for the server's own choice",
                    start < 0 ? "the number to start at" : "max_results");
    return false;
}

/* How many of n stay in a page of max_results. */
static size_t page_size(size_t n, int64_t max_results, protobuf_c_boolean *end)
{
    if (max_results == 0 || n <= (uint64_t)max_results)
        return n;
    *end = false;
    return (size_t)max_results;
}

static void get_top_channels(void *self, struct grpcc_call *call,
                             const struct grpc_channelz_v1_get_top_channels_request *request)
{
    (void)self;
    if (!is_page(call, request->start_channel_id, request->max_results))
        return;
    struct grpc_channelz_v1_get_top_channels_response *page =
        decode(call, grpc_channelz_get_top_channels(request->start_channel_id));
    if (!page)
        return;
    page->n_channel = page_size(page->n_channel, request->max_results, &page->end);
    grpc_channelz_v1_channelz_get_top_channels_finish(call, page);
}

static void get_servers(void *self, struct grpcc_call *call,
                        const struct grpc_channelz_v1_get_servers_request *request)
{
    (void)self;
    if (!is_page(call, request->start_server_id, request->max_results))
        return;
    struct grpc_channelz_v1_get_servers_response *page =
        decode(call, grpc_channelz_get_servers(request->start_server_id));
    if (!page)
        return;
    page->n_server = page_size(page->n_server, request->max_results, &page->end);
    grpc_channelz_v1_channelz_get_servers_finish(call, page);
}

static void get_server(void *self, struct grpcc_call *call,
                       const struct grpc_channelz_v1_get_server_request *request)
{
    (void)self;
    answer(call, grpc_channelz_get_server(request->server_id));
}

static void get_server_sockets(void *self, struct grpcc_call *call,
                               const struct grpc_channelz_v1_get_server_sockets_request *request)
{
    (void)self;
    int64_t max_results = request->max_results < RESULTS_MAX ? request->max_results : RESULTS_MAX;
    if (is_page(call, request->start_socket_id, max_results))
        answer(call, grpc_channelz_get_server_sockets(request->server_id, request->start_socket_id,
                                                      max_results));
}

static void get_channel(void *self, struct grpcc_call *call,
                        const struct grpc_channelz_v1_get_channel_request *request)
{
    (void)self;
    answer(call, grpc_channelz_get_channel(request->channel_id));
}

static void get_subchannel(void *self, struct grpcc_call *call,
                           const struct grpc_channelz_v1_get_subchannel_request *request)
{
    (void)self;
    answer(call, grpc_channelz_get_subchannel(request->subchannel_id));
}

static void get_socket(void *self, struct grpcc_call *call,
                       const struct grpc_channelz_v1_get_socket_request *request)
{
    (void)self;
    answer(call, grpc_channelz_get_socket(request->socket_id));
}

enum grpcc_status grpcc_channelz_register(struct grpcc_server *server, struct grpcc_error *err)
{
    static const struct grpc_channelz_v1_channelz_server table = {
        .get_top_channels = get_top_channels,
        .get_servers = get_servers,
        .get_server = get_server,
        .get_server_sockets = get_server_sockets,
        .get_channel = get_channel,
        .get_subchannel = get_subchannel,
        .get_socket = get_socket,
    };
    return grpcc_server_add_builtin(server, &grpc_channelz_v1_channelz_service, &table, NULL, err);
}
