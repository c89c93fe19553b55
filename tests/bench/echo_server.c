/* SPDX-License-Identifier: Apache-2.0 */
/* echo_server --ready-file FILE: serves comb.bench.Echo until SIGTERM. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "grpcc/server.h"
#include "tests/bench/echo.grpcc.h"

static void say(void *self, struct grpcc_call *call,
                const struct comb_bench_echo_say_request *request)
{
    struct comb_bench_echo_say_response *response =
        comb_bench_echo_say_response_new(grpcc_call_arena(call));
    (void)self;
    comb_bench_echo_say_response_set_text(response, request->text);
    comb_bench_echo_say_finish(call, response);
}

/* The file appears whole, as combd's does. */
static bool write_ready(const char *path, int port)
{
    char temporary[512];
    snprintf(temporary, sizeof temporary, "%.500s.new", path);
    FILE *ready = fopen(temporary, "w");
    bool written = ready && fprintf(ready, "listen=127.0.0.1:%d\n", port) > 0;
    if (ready && fclose(ready) != 0)
        written = false;
    return written && rename(temporary, path) == 0;
}

int main(int argc, char **argv)
{
    static const struct comb_bench_echo_server table = {.say = say};
    static const struct grpcc_method_config inline_mode = {.mode = GRPCC_MODE_INLINE};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_server *server = NULL;
    sigset_t signals;
    int port = 0, number;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (argc < 3 || strcmp(argv[1], "--ready-file") != 0)
        return 2;
    server = grpcc_server_new(NULL, &err);
    if (!server || comb_bench_echo_register(server, &table, NULL, &err) ||
        grpcc_server_configure_method(server, "/comb.bench.Echo/Say", &inline_mode, &err) ||
        grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &err) ||
        grpcc_server_start(server, &err)) {
        fprintf(stderr, "echo_server: %s\n", err.message);
        return 1;
    }
    if (!write_ready(argv[2], port))
        return 1;
    sigwait(&signals, &number);
    grpcc_server_free(server);
    return 0;
}
