/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.channelz.v1, over a server of the tests that is also what it tells about. */
#include "grpc/channelz/v1/channelz.grpcc.h"
#include "grpcc/channelz.h"
#include "tests/grpcc/fixture.h"

#define CALL(f, method, request, response)                                                         \
    grpc_channelz_v1_channelz_##method((f)->channel, (f)->arena, NULL, request, response, &(f)->err)

typedef struct grpc_channelz_v1_server server_message;
typedef struct grpc_channelz_v1_channel channel_message;

/* Two servers and two channels are in the process: the tests' and `other`, whose channel is used.
 */
static struct fixture *other;

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    assert_int_equal(grpcc_channelz_register(f->server, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_channelz_register(f->server, &f->err), GRPCC_ALREADY_EXISTS);
    fixture_start(f);
    other = fixture_new(NULL, &echo_table);
    int port = 0;
    assert_int_equal(grpcc_server_listen(other->server, "127.0.0.1:0", NULL, &port, &f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_start(other->server, &f->err), GRPCC_OK);
    char *target = grpcc_arena_printf(f->arena, "127.0.0.1:%d", port);
    other->channel = grpcc_channel_new(target, NULL, &f->err);
    assert_non_null(other->channel);
    must_end(other, GRPCC_OK, ask(other, "x"), NULL);
    must_end(other, GRPCC_OK, ask(other, "y"), NULL);
    struct grpcc_testing_ask *failing = ask(other, "z");
    failing->status = GRPCC_ABORTED;
    must_end(other, GRPCC_ABORTED, failing, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    void *second = other;
    fixture_free(&second);
    return fixture_free(state);
}

static struct grpc_channelz_v1_get_servers_response *servers(struct fixture *f, int64_t start,
                                                             int64_t max)
{
    struct grpc_channelz_v1_get_servers_request *request =
        grpc_channelz_v1_get_servers_request_new(f->arena);
    struct grpc_channelz_v1_get_servers_response *response = NULL;
    request->start_server_id = start;
    request->max_results = max;
    assert_int_equal(CALL(f, get_servers, request, &response), GRPCC_OK);
    return response;
}

/* The server that listens on a port. */
static const server_message *listening(struct fixture *f)
{
    const struct grpc_channelz_v1_get_servers_response *response = servers(f, 0, 0);
    for (size_t i = 0; i < response->n_server; i++)
        if (response->server[i]->n_listen_socket)
            return response->server[i];
    fail_msg("no server listens");
    return NULL;
}

static const channel_message *used(struct fixture *f)
{
    struct grpc_channelz_v1_get_top_channels_response *response = NULL;
    assert_int_equal(CALL(f, get_top_channels,
                          grpc_channelz_v1_get_top_channels_request_new(f->arena), &response),
                     GRPCC_OK);
    assert_true(response->end);
    for (size_t i = 0; i < response->n_channel; i++)
        if (strstr(response->channel[i]->data->target, "127.0.0.1"))
            return response->channel[i];
    fail_msg("no channel to a port");
    return NULL;
}

static void servers_count_their_calls(void **state)
{
    struct fixture *f = *state;
    const server_message *server = listening(f);
    assert_int_equal(server->data->calls_started, 3);
    /* A client may hear of an end before it is counted. */
    assert_true(server->data->calls_succeeded + server->data->calls_failed <= 3);
    assert_non_null(server->data->last_call_started_timestamp);
    struct grpc_channelz_v1_get_server_request *request =
        grpc_channelz_v1_get_server_request_new(f->arena);
    struct grpc_channelz_v1_get_server_response *response = NULL;
    request->server_id = server->ref->server_id;
    assert_int_equal(CALL(f, get_server, request, &response), GRPCC_OK);
    assert_int_equal(response->server->ref->server_id, server->ref->server_id);
}

static void lists_come_in_pages(void **state)
{
    struct fixture *f = *state;
    const struct grpc_channelz_v1_get_servers_response *all = servers(f, 0, 0);
    assert_int_equal(all->n_server, 2);
    assert_true(all->end);
    const struct grpc_channelz_v1_get_servers_response *page = servers(f, 0, 1);
    assert_int_equal(page->n_server, 1);
    assert_false(page->end);
    page = servers(f, page->server[0]->ref->server_id + 1, 1);
    assert_int_equal(page->n_server, 1);
    assert_int_equal(page->server[0]->ref->server_id, all->server[1]->ref->server_id);
    assert_true(page->end);
    page = servers(f, INT64_MAX, 0);
    assert_int_equal(page->n_server, 0);
    assert_true(page->end);
}

static void channels_lead_to_their_connection(void **state)
{
    struct fixture *f = *state;
    const channel_message *channel = used(f);
    assert_int_equal(channel->data->state->state,
                     GRPC_CHANNELZ_V1_CHANNEL_CONNECTIVITY_STATE_READY);
    assert_int_equal(channel->data->calls_started, 3);
    assert_int_equal(channel->n_subchannel_ref, 1);
    struct grpc_channelz_v1_get_channel_request *about =
        grpc_channelz_v1_get_channel_request_new(f->arena);
    struct grpc_channelz_v1_get_channel_response *again = NULL;
    about->channel_id = channel->ref->channel_id;
    assert_int_equal(CALL(f, get_channel, about, &again), GRPCC_OK);
    assert_string_equal(again->channel->data->target, channel->data->target);

    struct grpc_channelz_v1_get_subchannel_request *below =
        grpc_channelz_v1_get_subchannel_request_new(f->arena);
    struct grpc_channelz_v1_get_subchannel_response *subchannel = NULL;
    below->subchannel_id = channel->subchannel_ref[0]->subchannel_id;
    assert_int_equal(CALL(f, get_subchannel, below, &subchannel), GRPCC_OK);
    assert_int_equal(subchannel->subchannel->n_socket_ref, 1);

    struct grpc_channelz_v1_get_socket_request *wanted =
        grpc_channelz_v1_get_socket_request_new(f->arena);
    struct grpc_channelz_v1_get_socket_response *socket = NULL;
    wanted->socket_id = subchannel->subchannel->socket_ref[0]->socket_id;
    assert_int_equal(CALL(f, get_socket, wanted, &socket), GRPCC_OK);
    assert_int_equal(socket->socket->data->streams_started, 3);
    const struct grpc_channelz_v1_address *remote = socket->socket->remote;
    assert_int_equal(remote->address_case, GRPC_CHANNELZ_V1_ADDRESS_ADDRESS_TCPIP_ADDRESS);
    assert_int_equal(remote->tcpip_address->ip_address.len, 4);
    assert_memory_equal(remote->tcpip_address->ip_address.data, "\x7F\0\0\1", 4);
    assert_true(remote->tcpip_address->port > 0);
}

static enum grpcc_status sockets(struct fixture *f, int64_t server, int64_t start, int64_t max,
                                 struct grpc_channelz_v1_get_server_sockets_response **ret_response)
{
    struct grpc_channelz_v1_get_server_sockets_request *request =
        grpc_channelz_v1_get_server_sockets_request_new(f->arena);
    request->server_id = server;
    request->start_socket_id = start;
    request->max_results = max;
    return CALL(f, get_server_sockets, request, ret_response);
}

static void servers_have_sockets(void **state)
{
    struct fixture *f = *state;
    struct grpc_channelz_v1_get_server_sockets_response *response = NULL;
    int64_t server = listening(f)->ref->server_id;
    assert_int_equal(sockets(f, server, 0, 0, &response), GRPCC_OK);
    assert_int_equal(response->n_socket_ref, 1);
    assert_true(response->end);
    int64_t next = response->socket_ref[0]->socket_id + 1;
    assert_int_equal(sockets(f, server, next, INT64_MAX, &response), GRPCC_OK);
    assert_int_equal(response->n_socket_ref, 0);
    assert_int_equal(sockets(f, server, 0, -1, &response), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(sockets(f, server, -1, 0, &response), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(sockets(f, 0, 0, 0, &response), GRPCC_NOT_FOUND);
}

static void nothing_of_that_number_is_not_found(void **state)
{
    static const int64_t numbers[] = {0, -1, INT64_MIN, INT64_MAX, 1 << 20};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct grpc_channelz_v1_get_channel_request *channel =
            grpc_channelz_v1_get_channel_request_new(f->arena);
        struct grpc_channelz_v1_get_channel_response *no_channel = NULL;
        channel->channel_id = numbers[i];
        assert_int_equal(CALL(f, get_channel, channel, &no_channel), GRPCC_NOT_FOUND);
        struct grpc_channelz_v1_get_subchannel_request *subchannel =
            grpc_channelz_v1_get_subchannel_request_new(f->arena);
        struct grpc_channelz_v1_get_subchannel_response *no_subchannel = NULL;
        subchannel->subchannel_id = numbers[i];
        assert_int_equal(CALL(f, get_subchannel, subchannel, &no_subchannel), GRPCC_NOT_FOUND);
        struct grpc_channelz_v1_get_socket_request *socket =
            grpc_channelz_v1_get_socket_request_new(f->arena);
        struct grpc_channelz_v1_get_socket_response *no_socket = NULL;
        socket->socket_id = numbers[i];
        assert_int_equal(CALL(f, get_socket, socket, &no_socket), GRPCC_NOT_FOUND);
        struct grpc_channelz_v1_get_server_request *server =
            grpc_channelz_v1_get_server_request_new(f->arena);
        struct grpc_channelz_v1_get_server_response *no_server = NULL;
        server->server_id = numbers[i];
        assert_int_equal(CALL(f, get_server, server, &no_server), GRPCC_NOT_FOUND);
    }
    /* A number of another kind of thing. */
    struct grpc_channelz_v1_get_channel_request *channel =
        grpc_channelz_v1_get_channel_request_new(f->arena);
    struct grpc_channelz_v1_get_channel_response *no_channel = NULL;
    channel->channel_id = listening(f)->ref->server_id;
    assert_int_equal(CALL(f, get_channel, channel, &no_channel), GRPCC_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_count_their_calls),
        cmocka_unit_test(lists_come_in_pages),
        cmocka_unit_test(channels_lead_to_their_connection),
        cmocka_unit_test(servers_have_sockets),
        cmocka_unit_test(nothing_of_that_number_is_not_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
