/* SPDX-License-Identifier: Apache-2.0 */
/* echo_server --ready-file FILE [--full]: serves comb.bench.Echo until SIGTERM; --full: with all
 * that full.h names around it. */
#include <stdio.h>

#include "grpcc/server.h"
#include "tests/bench/echo.grpcc.h"
#include "tests/bench/full.h"
#include "tests/bench/ready.h"

static void say(void *self, struct grpcc_call *call,
                const struct comb_bench_echo_say_request *request)
{
    struct comb_bench_echo_say_response *response =
        comb_bench_echo_say_response_new(grpcc_call_arena(call));
    (void)self;
    if (!response) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the response");
        return;
    }
    response->text = request->text;
    response->data = request->data;
    comb_bench_echo_say_finish(call, response);
}

/* ---- streams ---- */

struct repeat {
    struct grpcc_call *call;
    struct comb_bench_echo_say_response *response;
    uint32_t left;
};

static void repeat_next(void *data, enum grpcc_status status)
{
    struct repeat *repeat = data;
    if (status)
        grpcc_call_fail(repeat->call, status, "the response could not be sent");
    else if (repeat->left-- > 0)
        grpcc_call_send_start(repeat->call, &repeat->response->base, repeat_next, repeat);
    else
        grpcc_call_finish_ok(repeat->call);
}

static void repeat(void *self, struct grpcc_call *call,
                   const struct comb_bench_echo_repeat_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct repeat *state = grpcc_arena_zalloc(arena, sizeof(*state));
    struct comb_bench_echo_say_response *response = comb_bench_echo_say_response_new(arena);
    (void)self;
    if (!state || !response) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the stream");
        return;
    }
    response->text = request->text;
    *state = (struct repeat){call, response, request->count};
    repeat_next(state, GRPCC_OK);
}

struct collect {
    struct grpcc_call *call;
    struct grpcc_arena *messages; /* of one message: emptied for the next */
    uint32_t count;
};

static void collect_next(void *data, enum grpcc_status status, void *message,
                         const struct grpcc_error *err)
{
    struct collect *collect = data;
    if (!status && message) {
        collect->count++;
        grpcc_arena_reset(collect->messages);
        grpcc_call_read_start(collect->call, collect->messages, collect_next, collect);
        return;
    }
    grpcc_arena_free(collect->messages);
    if (status) {
        grpcc_call_fail(collect->call, status, "%s", err->message);
        return;
    }
    struct comb_bench_echo_collect_response *response =
        comb_bench_echo_collect_response_new(grpcc_call_arena(collect->call));
    if (!response) {
        grpcc_call_fail(collect->call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the response");
        return;
    }
    response->count = collect->count;
    comb_bench_echo_collect_finish(collect->call, response);
}

static void collect(void *self, struct grpcc_call *call)
{
    struct collect *state = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof(*state));
    struct grpcc_arena *messages = state ? grpcc_arena_new(0) : NULL;
    (void)self;
    if (!messages) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the stream");
        return;
    }
    *state = (struct collect){call, messages, 0};
    grpcc_call_read_start(call, messages, collect_next, state);
}

/* ---- the server ---- */

static enum grpcc_status configure(struct grpcc_server *server, struct grpcc_error *err)
{
    static const struct comb_bench_echo_server table = {
        .say = say, .repeat = repeat, .collect = collect};
    static const struct {
        const char *path;
        struct grpcc_method_config config;
    } methods[] = {
        {"/comb.bench.Echo/Say", {.mode = GRPCC_MODE_INLINE}},
        {"/comb.bench.Echo/Repeat", {.mode = GRPCC_MODE_ASYNC}},
        {"/comb.bench.Echo/Collect", {.mode = GRPCC_MODE_ASYNC}},
    };
    enum grpcc_status status = comb_bench_echo_register(server, &table, NULL, err);
    for (size_t i = 0; !status && i < sizeof(methods) / sizeof(methods[0]); i++)
        status = grpcc_server_configure_method(server, methods[i].path, &methods[i].config, err);
    return status;
}

int main(int argc, char **argv)
{
    const char *file = ready_begin(argc, argv);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    int port = 0;
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    bool full = ready_has_flag(argc, argv, "--full");
    if (!server || configure(server, &err) || (full && full_attach(server, &err)) ||
        grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &err) ||
        grpcc_server_start(server, &err)) {
        fprintf(stderr, "echo_server: %s\n", err.message);
        return 1;
    }
    if (!ready_serve(file, port))
        return 1;
    grpcc_server_free(server);
    return 0;
}
