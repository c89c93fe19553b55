/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/flow.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/echo.grpcc.h"
#include "tests/bench/load.h"

struct flow {
    struct comb_bench_echo_collect_stream *up;
    struct comb_bench_echo_repeat_stream *down;
    struct grpcc_arena *arena; /* of one message */
    struct comb_bench_echo_say_request *request;
    uint32_t count; /* left to write, or read */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
};

static void flow_end(struct flow *flow)
{
    pthread_mutex_lock(&flow->lock);
    flow->over = true;
    pthread_cond_signal(&flow->changed);
    pthread_mutex_unlock(&flow->lock);
}

static void flow_wait(struct flow *flow)
{
    pthread_mutex_lock(&flow->lock);
    while (!flow->over)
        pthread_cond_wait(&flow->changed, &flow->lock);
    pthread_mutex_unlock(&flow->lock);
    pthread_cond_destroy(&flow->changed);
    pthread_mutex_destroy(&flow->lock);
}

static struct flow flow_begin(void)
{
    struct flow flow = {.arena = grpcc_arena_new(0)};
    pthread_mutex_init(&flow.lock, NULL);
    pthread_cond_init(&flow.changed, NULL);
    return flow;
}

static void must_be(uint32_t got, uint32_t wanted, enum grpcc_status status,
                    const struct grpcc_error *err)
{
    if (!status && got == wanted)
        return;
    fprintf(stderr, "bench: a stream of %u messages had %u: %s\n", wanted, got, err->message);
    exit(1);
}

static void write_next(void *data, bool ok)
{
    struct flow *flow = data;
    if (!ok || flow->count == 0) {
        flow_end(flow);
        return;
    }
    flow->count--;
    comb_bench_echo_collect_stream_write_start(flow->up, flow->request, write_next, flow);
}

double flow_up(struct grpcc_channel *channel, const struct grpcc_call_options *options, char *text,
               uint32_t messages)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct flow flow = flow_begin();
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_bench_echo_collect_response *response = NULL;
    int64_t begin_ns = load_now_ns();
    flow.request = comb_bench_echo_say_request_new(arena);
    flow.request->text = text;
    flow.count = messages;
    flow.up = comb_bench_echo_collect_stream_open(channel, options, &err);
    if (!flow.up)
        must_be(0, messages, err.status, &err);
    write_next(&flow, true);
    flow_wait(&flow);
    comb_bench_echo_collect_stream_close_send(flow.up);
    enum grpcc_status status =
        comb_bench_echo_collect_stream_finish(flow.up, arena, &response, &err);
    must_be(response ? response->count : 0, messages, status, &err);
    comb_bench_echo_collect_stream_free(flow.up);
    grpcc_arena_free(arena);
    grpcc_arena_free(flow.arena);
    return (double)(load_now_ns() - begin_ns) / 1e9;
}

static void read_next(void *data, int result, struct comb_bench_echo_say_response *message,
                      const struct grpcc_error *err)
{
    struct flow *flow = data;
    (void)message;
    (void)err;
    if (result != 1) {
        flow_end(flow);
        return;
    }
    flow->count++;
    grpcc_arena_reset(flow->arena);
    comb_bench_echo_repeat_stream_read_start(flow->down, flow->arena, read_next, flow);
}

double flow_down(struct grpcc_channel *channel, const struct grpcc_call_options *options,
                 char *text, uint32_t messages)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct flow flow = flow_begin();
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int64_t begin_ns = load_now_ns();
    struct comb_bench_echo_repeat_request *request = comb_bench_echo_repeat_request_new(arena);
    request->text = text;
    request->count = messages;
    flow.down = comb_bench_echo_repeat_stream_open(channel, options, request, &err);
    if (!flow.down)
        must_be(0, messages, err.status, &err);
    comb_bench_echo_repeat_stream_read_start(flow.down, flow.arena, read_next, &flow);
    flow_wait(&flow);
    enum grpcc_status status = comb_bench_echo_repeat_stream_finish(flow.down, NULL, &err);
    must_be(flow.count, messages, status, &err);
    comb_bench_echo_repeat_stream_free(flow.down);
    grpcc_arena_free(arena);
    grpcc_arena_free(flow.arena);
    return (double)(load_now_ns() - begin_ns) / 1e9;
}
