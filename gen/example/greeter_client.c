/* SPDX-License-Identifier: Apache-2.0 */
#include <grpcc/channel.h>
#include <stdio.h>

#include "example/v1/greeter.grpcc.h"

static void greet(struct grpcc_channel *channel, struct grpcc_arena *arena,
                  const struct example_v1_name *name, struct grpcc_error *err)
{
    const struct grpcc_call_options options = {
        .size = sizeof(options), .timeout_ms = 10000, .wait_for_ready = true};
    struct example_v1_greeting *greeting = NULL;
    if (!example_v1_greeter_greet(channel, arena, &options, name, &greeting, err))
        printf("%s\n", greeting->text);
}

static void repeat(struct grpcc_channel *channel, struct grpcc_arena *arena,
                   const struct example_v1_name *name, struct grpcc_error *err)
{
    struct example_v1_greeting *greeting = NULL;
    struct example_v1_greeter_repeat_stream *stream =
        example_v1_greeter_repeat_stream_open(channel, NULL, name, err);
    while (stream && example_v1_greeter_repeat_stream_read(stream, arena, &greeting, err) > 0)
        printf("%s\n", greeting->text);
    if (stream)
        example_v1_greeter_repeat_stream_finish(stream, arena, err);
    example_v1_greeter_repeat_stream_free(stream);
}

static void gather(struct grpcc_channel *channel, struct grpcc_arena *arena,
                   const struct example_v1_name *name, struct grpcc_error *err)
{
    struct example_v1_greeting *greeting = NULL;
    struct example_v1_greeter_gather_stream *stream =
        example_v1_greeter_gather_stream_open(channel, NULL, err);
    for (int i = 0; stream && i < 3; i++)
        if (!example_v1_greeter_gather_stream_write(stream, name))
            break; /* the stream has ended: finish says why */
    if (stream && example_v1_greeter_gather_stream_close_send(stream) &&
        !example_v1_greeter_gather_stream_finish(stream, arena, &greeting, err))
        printf("%s (%u people)\n", greeting->text, greeting->people);
    example_v1_greeter_gather_stream_free(stream);
}

static void chat(struct grpcc_channel *channel, struct grpcc_arena *arena,
                 const struct example_v1_name *name, struct grpcc_error *err)
{
    struct example_v1_greeting *greeting = NULL;
    struct example_v1_greeter_chat_stream *stream =
        example_v1_greeter_chat_stream_open(channel, NULL, err);
    for (int i = 0; stream && i < 2; i++)
        if (example_v1_greeter_chat_stream_write(stream, name) &&
            example_v1_greeter_chat_stream_read(stream, arena, &greeting, err) > 0)
            printf("%s\n", greeting->text);
    if (stream && example_v1_greeter_chat_stream_close_send(stream))
        while (example_v1_greeter_chat_stream_read(stream, arena, &greeting, err) > 0)
            continue; /* to the end, or finish cancels what is still to come */
    if (stream)
        example_v1_greeter_chat_stream_finish(stream, arena, err);
    example_v1_greeter_chat_stream_free(stream);
}

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_channel *channel =
        grpcc_channel_new(argc > 1 ? argv[1] : "127.0.0.1:7000", NULL, &err);
    struct example_v1_name *name = arena ? example_v1_name_new(arena) : NULL;
    void (*const calls[])(struct grpcc_channel *, struct grpcc_arena *,
                          const struct example_v1_name *,
                          struct grpcc_error *) = {greet, repeat, gather, chat};
    if (name) {
        example_v1_name_set_text(name, argc > 2 ? argv[2] : "world");
        name->times = 2;
    }
    for (int i = 0; channel && name && i < 4 && !err.status; i++)
        calls[i](channel, arena, name, &err);
    if (err.status)
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
    grpcc_channel_free(channel);
    grpcc_arena_free(arena);
    return !channel || !name || err.status;
}
