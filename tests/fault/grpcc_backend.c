/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One backend of the restart test: grpcc_backend <address> <drain delay ms> <grace ms>.
 *
 * Serves grpcc.testing.Echo/Unary, which takes `count` milliseconds and answers with the port that
 * it came to. Prints the port when it serves; SIGTERM drains, and ends it with 0.
 */
#include <grpcc/server.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "grpcc/testing.grpcc.h"

static int port;

static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct timespec work = {request->count / 1000, request->count % 1000 * 1000000L};
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    (void)self;
    if (!answer) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    nanosleep(&work, NULL);
    answer->count = (uint32_t)port;
    grpcc_testing_echo_unary_finish(call, answer);
}

static const struct grpcc_testing_echo_server echo = {.unary = unary};

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    sigset_t ends;
    int received = 0;
    if (argc != 4)
        return 2;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    if (!server || grpcc_testing_echo_register(server, &echo, NULL, &err) ||
        grpcc_server_listen(server, argv[1], NULL, &port, &err) ||
        grpcc_server_start(server, &err)) {
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    sigwait(&ends, &received);
    grpcc_server_drain(server, (unsigned)strtoul(argv[2], NULL, 10),
                       (unsigned)strtoul(argv[3], NULL, 10));
    grpcc_server_free(server);
    return 0;
}
