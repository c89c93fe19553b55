/* SPDX-License-Identifier: Apache-2.0 */
/* Greets all names at once from a loop of the program's own: one thread, epoll, no callback on
 * another one. */
#include <grpcc/channel.h>
#include <grpcc/events.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "example/v1/greeter.grpcc.h"

struct program {
    int epoll;
    struct grpcc_channel *channel;
    struct grpcc_arena *arena;
    struct grpcc_events *events;
    int greeting, failed; /* only the loop's thread sees them: no lock */
};

/* Runs in grpcc_events_dispatch(), on the loop's thread. */
static void greeted(void *data, enum grpcc_status status, struct example_v1_greeting *response,
                    const struct grpcc_error *err)
{
    struct program *program = data;
    program->greeting--;
    if (status) {
        program->failed++;
        fprintf(stderr, "%s: %s\n", grpcc_status_name(status), err->message);
    } else {
        printf("%s\n", response->text);
    }
}

static void greet(struct program *program, const char *name)
{
    const struct grpcc_call_options options = {.size = sizeof(options),
                                               .timeout_ms = 10000,
                                               .wait_for_ready = true,
                                               .events = program->events};
    struct example_v1_name *request = example_v1_name_new(program->arena);
    if (!request) {
        program->failed++;
        return;
    }
    example_v1_name_set_text(request, name);
    program->greeting++;
    example_v1_greeter_greet_start(program->channel, program->arena, &options, request, greeted,
                                   program, NULL);
}

static void loop(struct program *program)
{
    struct epoll_event ready;
    while (program->greeting > 0)
        if (epoll_wait(program->epoll, &ready, 1, -1) == 1)
            grpcc_events_dispatch(program->events, 0);
}

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct epoll_event wanted = {.events = EPOLLIN};
    if (argc < 3) {
        fprintf(stderr, "usage: greeter_loop <host:port> <name>...\n");
        return 2;
    }
    struct program program = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                              .channel = grpcc_channel_new(argv[1], NULL, &err),
                              .arena = grpcc_arena_new(0),
                              .events = grpcc_events_new(&err)};
    if (program.epoll < 0 || !program.channel || !program.arena || !program.events ||
        epoll_ctl(program.epoll, EPOLL_CTL_ADD, grpcc_events_fd(program.events), &wanted) != 0) {
        fprintf(stderr, "cannot start: %s\n", err.message);
        program.failed++;
    } else {
        for (int i = 2; i < argc; i++)
            greet(&program, argv[i]);
        loop(&program);
    }
    grpcc_events_free(program.events);
    grpcc_channel_free(program.channel);
    grpcc_arena_free(program.arena);
    if (program.epoll >= 0)
        close(program.epoll);
    return program.failed > 0;
}
