/* SPDX-License-Identifier: Apache-2.0 */
/* Greets the first name by one call, and all of them by a stream. */
#include <grpcc/channel.h>
#include <stdio.h>

#include "example/v1/greeter.grpcc.h"

static enum grpcc_status greet(struct grpcc_channel *channel, struct grpcc_arena *arena,
                               const char *name, struct grpcc_error *err)
{
    const struct grpcc_call_options options = {
        .size = sizeof(options), .timeout_ms = 10000, .wait_for_ready = true};
    struct example_v1_greet_response *response = NULL;
    struct example_v1_greet_request *request = example_v1_greet_request_new(arena);
    if (!request)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    example_v1_greet_request_set_name(request, name);
    enum grpcc_status status =
        example_v1_greeter_greet(channel, arena, &options, request, &response, err);
    if (!status)
        printf("%s\n", response->text);
    return status;
}

static enum grpcc_status greet_all(struct grpcc_channel *channel, struct grpcc_arena *arena,
                                   char **names, struct grpcc_error *err)
{
    struct example_v1_greet_response *response = NULL;
    struct example_v1_greet_request *request = example_v1_greet_request_new(arena);
    struct example_v1_greeter_greet_all_stream *stream =
        example_v1_greeter_greet_all_stream_open(channel, NULL, err);
    if (!request || !stream) {
        example_v1_greeter_greet_all_stream_free(stream);
        return stream ? grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory") : err->status;
    }
    for (; *names; names++) {
        example_v1_greet_request_set_name(request, *names);
        if (!example_v1_greeter_greet_all_stream_write(stream, request) ||
            example_v1_greeter_greet_all_stream_read(stream, arena, &response, err) != 1)
            break;
        printf("%s\n", response->text);
    }
    /* Reading to the end is what tells the server's status from a cancellation. */
    if (example_v1_greeter_greet_all_stream_close_send(stream))
        while (example_v1_greeter_greet_all_stream_read(stream, arena, &response, err) == 1)
            continue;
    enum grpcc_status status = example_v1_greeter_greet_all_stream_finish(stream, arena, err);
    example_v1_greeter_greet_all_stream_free(stream);
    return status;
}

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (argc < 3) {
        fprintf(stderr, "usage: greeter_client <host:port> <name>...\n");
        return 2;
    }
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_channel *channel = grpcc_channel_new(argv[1], NULL, &err);
    enum grpcc_status status = channel && arena ? GRPCC_OK : GRPCC_RESOURCE_EXHAUSTED;
    if (!status)
        status = greet(channel, arena, argv[2], &err);
    if (!status)
        status = greet_all(channel, arena, argv + 2, &err);
    if (status)
        fprintf(stderr, "%s: %s\n", grpcc_status_name(status), err.message);
    grpcc_channel_free(channel);
    grpcc_arena_free(arena);
    return status != GRPCC_OK;
}
