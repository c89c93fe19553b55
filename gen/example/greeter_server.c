/* SPDX-License-Identifier: Apache-2.0 */
/* A whole server: two methods, health, reflection, and an end that loses no call. */
#include <grpcc/server.h>
#include <signal.h>
#include <stdio.h>

#include "example/v1/greeter.grpcc.h"

/* NULL: the call has been ended, because there is no memory. */
static struct example_v1_greet_response *greeting(struct grpcc_call *call, const char *name)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct example_v1_greet_response *response = example_v1_greet_response_new(arena);
    char *text = grpcc_arena_printf(arena, "Hello, %s!", name);
    if (!response || !text) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the greeting");
        return NULL;
    }
    example_v1_greet_response_set_text(response, text);
    return response;
}

static void greet(void *self, struct grpcc_call *call,
                  const struct example_v1_greet_request *request)
{
    (void)self;
    if (request->name[0] == '\0') {
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "name must not be empty");
        return;
    }
    struct example_v1_greet_response *response = greeting(call, request->name);
    if (response)
        example_v1_greeter_greet_finish(call, response);
}

/* Methods run on a worker unless they are configured otherwise: they may block. */
static void greet_all(void *self, struct grpcc_call *call)
{
    struct example_v1_greet_request *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status;
    (void)self;
    while (!(status =
                 example_v1_greeter_greet_all_read(call, grpcc_call_arena(call), &request, &err)) &&
           request) {
        struct example_v1_greet_response *response = greeting(call, request->name);
        if (!response)
            return;
        status = example_v1_greeter_greet_all_send(call, response, &err);
        if (status)
            break;
    }
    if (status)
        grpcc_call_fail(call, status, "%s", err.message);
    else
        grpcc_call_finish_ok(call);
}

static const struct example_v1_greeter_server greeter = {
    .greet = greet,
    .greet_all = greet_all,
};

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:7000";
    struct grpcc_error err = GRPCC_ERROR_INIT;
    sigset_t ends;
    int port = 0, received = 0;

    /* The runtime's threads block all signals: these come to sigwait() below. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    if (!server || example_v1_greeter_register(server, &greeter, NULL, &err) ||
        grpcc_server_listen(server, address, NULL, &port, &err) ||
        grpcc_server_start(server, &err)) {
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
        grpcc_server_free(server);
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    sigwait(&ends, &received);
    grpcc_server_drain(server, 100, 5000);
    grpcc_server_free(server);
    return 0;
}
