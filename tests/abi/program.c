/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program serve PORT | call PORT: what a program built some time ago does, compiled with the
 * headers of then and run with the libraries of now.
 */
#include <grpcc/channel.h>
#include <grpcc/server.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/v1/thing.grpcc.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { PARTS = 9, REPEATS = 5 };

/* ---- the server ---- */

static void get(void *self, struct grpcc_call *call, const struct abi_v1_thing *request)
{
    struct abi_v1_thing *thing = abi_v1_thing_dup(grpcc_call_arena(call), request);
    (void)self;
    if (!thing || !abi_v1_thing_put_labels(grpcc_call_arena(call), thing, "served", "yes"))
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    else
        abi_v1_things_get_finish(call, thing);
}

static void watch(void *self, struct grpcc_call *call, const struct abi_v1_thing *request)
{
    (void)self;
    for (int i = 0; i < REPEATS; i++)
        if (abi_v1_things_watch_send(call, request, NULL))
            break;
    grpcc_call_finish_ok(call);
}

static enum grpcc_verdict begin(void *self, struct grpcc_call *call)
{
    const char *header = grpcc_call_metadata(call, "x-program", NULL);
    if (header && strcmp(header, "old") == 0)
        ++*(int *)self;
    return GRPCC_PROCEED;
}

static int serve(const char *address)
{
    static const struct abi_v1_things_server things = {.get = get, .watch = watch};
    static const struct grpcc_interceptor counter = {.begin = begin};
    const struct grpcc_server_options options = {
        .size = sizeof(options), .workers = 4, .message_limits = {.depth_max = 50}};
    const struct grpcc_method_config config = {.mode = GRPCC_MODE_INLINE, .timeout_max_ms = 60000};
    struct grpcc_server_stats stats = {0};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    sigset_t ends;
    int calls = 0, received = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct grpcc_server *server = grpcc_server_new(&options, &err);
    CHECK(server && !abi_v1_things_register(server, &things, NULL, &err));
    CHECK(!grpcc_server_configure_method(server, "/abi.v1.Things/Get", &config, &err));
    CHECK(!grpcc_server_add_interceptor(server, &counter, &calls, &err));
    CHECK(!grpcc_server_listen(server, address, NULL, NULL, &err));
    CHECK(!grpcc_server_start(server, &err));
    sigwait(&ends, &received);
    grpcc_server_drain(server, 0, 5000);
    grpcc_server_get_stats(server, &stats);
    CHECK(calls >= 2 && stats.calls_ok >= 2);
    grpcc_server_free(server);
    return 0;
}

/* ---- the client ---- */

static void check_thing(const struct abi_v1_thing *thing)
{
    CHECK(strcmp(thing->name, "n") == 0 && thing->has_size && thing->size == -1);
    CHECK(thing->n_parts == PARTS && strcmp(thing->parts[PARTS - 1]->name, "p") == 0);
    CHECK(strcmp(abi_v1_thing_find_labels(thing, "k")->value, "v") == 0);
    CHECK(thing->which_case == ABI_V1_THING_WHICH_RIGHT && strcmp(thing->right->name, "r") == 0);
    CHECK(strcmp(abi_v1_colour_name((int)thing->colour), "COLOUR_RED") == 0);
}

static struct abi_v1_thing *new_thing(struct grpcc_arena *arena)
{
    struct abi_v1_thing *thing = abi_v1_thing_new(arena);
    struct abi_v1_thing_part *right = abi_v1_thing_part_new(arena);
    CHECK(thing && right);
    abi_v1_thing_set_name(thing, "n");
    abi_v1_thing_set_size(thing, -1);
    for (int i = 0; i < PARTS; i++) {
        struct abi_v1_thing_part *part = abi_v1_thing_part_new(arena);
        abi_v1_thing_part_set_name(part, "p");
        CHECK(abi_v1_thing_add_parts(arena, thing, part));
    }
    CHECK(abi_v1_thing_put_labels(arena, thing, "k", "v"));
    abi_v1_thing_part_set_name(right, "r");
    abi_v1_thing_set_right(thing, right);
    thing->colour = ABI_V1_COLOUR_RED;
    return thing;
}

static int call(const char *address)
{
    const struct grpcc_metadata header = {"x-program", "old", 3};
    const struct grpcc_channel_options options = {.size = sizeof(options), .user_agent = "abi/1"};
    const struct grpcc_call_options call_options = {.size = sizeof(call_options),
                                                    .timeout_ms = 20000,
                                                    .wait_for_ready = true,
                                                    .metadata = &header,
                                                    .n_metadata = 1};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct abi_v1_thing *thing = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_channel *channel = grpcc_channel_new(address, &options, &err);
    CHECK(arena && channel);
    CHECK(!abi_v1_things_get(channel, arena, &call_options, new_thing(arena), &thing, &err));
    check_thing(thing);
    CHECK(abi_v1_thing_find_labels(thing, "served"));
    struct abi_v1_things_watch_stream *stream =
        abi_v1_things_watch_stream_open(channel, &call_options, thing, &err);
    CHECK(stream);
    for (int i = 0; i < REPEATS; i++) {
        CHECK(abi_v1_things_watch_stream_read(stream, arena, &thing, &err) == 1);
        check_thing(thing);
    }
    CHECK(abi_v1_things_watch_stream_read(stream, arena, &thing, &err) == 0);
    CHECK(!abi_v1_things_watch_stream_finish(stream, arena, &err));
    abi_v1_things_watch_stream_free(stream);
#ifdef DELETE /* a program that knows the method, against a server that does not have it */
    CHECK(abi_v1_things_delete(channel, arena, &call_options, thing, &thing, &err) ==
          GRPCC_UNIMPLEMENTED);
#endif
    grpcc_channel_free(channel);
    grpcc_arena_free(arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2]);
    if (argc == 3 && strcmp(argv[1], "call") == 0)
        return call(argv[2]);
    return 2;
}
