/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/paced.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMEOUT_MS 60000

struct paced_call {
    struct paced *paced;
    struct paced_call *next; /* of those that are free, under the lock */
    struct grpcc_arena *arena;
    int64_t due_ns;
};

struct paced {
    struct grpcc_call_options options;
    pthread_mutex_t lock;
    pthread_cond_t over;
    struct paced_call *free;
    size_t n_ended;
    int64_t *latencies_ns;
    struct load_result result;
};

static void on_done(void *data, enum grpcc_status status, void *response,
                    const struct grpcc_error *err)
{
    struct paced_call *call = data;
    struct paced *paced = call->paced;
    int64_t latency_ns = load_now_ns() - call->due_ns;
    (void)response;
    pthread_mutex_lock(&paced->lock);
    paced->latencies_ns[paced->n_ended++] = latency_ns;
    if (status)
        load_note_failure(&paced->result, status, err);
    call->next = paced->free;
    paced->free = call;
    pthread_cond_signal(&paced->over);
    pthread_mutex_unlock(&paced->lock);
}

static struct paced_call *take(struct paced *paced)
{
    pthread_mutex_lock(&paced->lock);
    struct paced_call *call = paced->free;
    if (call)
        paced->free = call->next;
    pthread_mutex_unlock(&paced->lock);
    if (call) {
        grpcc_arena_reset(call->arena);
        return call;
    }
    call = calloc(1, sizeof *call);
    if (!call)
        abort();
    call->paced = paced;
    call->arena = grpcc_arena_new(0);
    return call;
}

static void sleep_until(int64_t time_ns)
{
    struct timespec until = {time_ns / 1000000000, time_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
        continue;
}

static void free_calls(struct paced *paced)
{
    while (paced->free) {
        struct paced_call *call = paced->free;
        paced->free = call->next;
        grpcc_arena_free(call->arena);
        free(call);
    }
}

struct load_result paced_run(const struct load *load, double calls_per_s)
{
    struct paced paced = {.options = {.size = sizeof paced.options,
                                      .timeout_ms = TIMEOUT_MS,
                                      .metadata = load->metadata,
                                      .n_metadata = load->n_metadata}};
    paced.latencies_ns = calloc(load->calls, sizeof *paced.latencies_ns);
    if (!paced.latencies_ns)
        abort();
    pthread_mutex_init(&paced.lock, NULL);
    pthread_cond_init(&paced.over, NULL);
    int64_t begin_ns = load_now_ns();
    for (size_t i = 0; i < load->calls; i++) {
        int64_t due_ns = begin_ns + (int64_t)((double)i * 1e9 / calls_per_s);
        if (load_now_ns() < due_ns)
            sleep_until(due_ns);
        struct paced_call *call = take(&paced);
        call->due_ns = due_ns;
        grpcc_unary_start(load->channel, load->method, call->arena, &paced.options,
                          load->request(load->data, call->arena, i), on_done, call, NULL);
    }
    pthread_mutex_lock(&paced.lock);
    while (paced.n_ended < load->calls)
        pthread_cond_wait(&paced.over, &paced.lock);
    pthread_mutex_unlock(&paced.lock);
    paced.result.seconds = (double)(load_now_ns() - begin_ns) / 1e9;
    load_summarize(&paced.result, paced.latencies_ns, load->calls);
    free_calls(&paced);
    free(paced.latencies_ns);
    pthread_cond_destroy(&paced.over);
    pthread_mutex_destroy(&paced.lock);
    return paced.result;
}
