/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS 60000

struct slot {
    struct run *run;
    struct grpcc_arena *arena;
    int64_t begin_ns;
};

struct run {
    const struct load *load;
    struct grpcc_call_options options;
    pthread_mutex_t lock;
    pthread_cond_t over;
    size_t started, ended;
    unsigned active; /* slots that may begin another call */
    int64_t *latencies_ns;
    struct load_result result;
};

int64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void load_note_failure(struct load_result *result, enum grpcc_status status,
                       const struct grpcc_error *err)
{
    if (result->failed++ == 0)
        snprintf(result->first_failure, sizeof result->first_failure, "%s: %.200s",
                 grpcc_status_name(status), err->message);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

void load_summarize(struct load_result *result, int64_t *latencies_ns, size_t calls)
{
    result->calls = calls;
    qsort(latencies_ns, calls, sizeof *latencies_ns, compare);
    result->p50_us = (double)latencies_ns[calls / 2] / 1e3;
    result->p99_us = (double)latencies_ns[calls * 99 / 100] / 1e3;
}

static void on_done(void *data, enum grpcc_status status, void *response,
                    const struct grpcc_error *err);

/* Begins the next call of a slot, if there is one. */
static void next(struct slot *slot)
{
    struct run *run = slot->run;
    const struct load *load = run->load;
    pthread_mutex_lock(&run->lock);
    size_t n = run->started < load->calls ? run->started++ : SIZE_MAX;
    /* The last slot to retire is the last to touch the run. */
    if (n == SIZE_MAX && --run->active == 0)
        pthread_cond_signal(&run->over);
    pthread_mutex_unlock(&run->lock);
    if (n == SIZE_MAX)
        return;
    grpcc_arena_reset(slot->arena);
    const ProtobufCMessage *request = load->request(load->data, slot->arena, n);
    slot->begin_ns = load_now_ns();
    grpcc_unary_start(load->channel, load->method, slot->arena, &run->options, request, on_done,
                      slot, NULL);
}

static void on_done(void *data, enum grpcc_status status, void *response,
                    const struct grpcc_error *err)
{
    struct slot *slot = data;
    struct run *run = slot->run;
    int64_t latency_ns = load_now_ns() - slot->begin_ns;
    (void)response;
    pthread_mutex_lock(&run->lock);
    run->latencies_ns[run->ended++] = latency_ns;
    if (status != GRPCC_OK)
        load_note_failure(&run->result, status, err);
    pthread_mutex_unlock(&run->lock);
    next(slot);
}

static void wait_for_all(struct run *run)
{
    pthread_mutex_lock(&run->lock);
    while (run->active > 0)
        pthread_cond_wait(&run->over, &run->lock);
    pthread_mutex_unlock(&run->lock);
}

struct load_result load_run(const struct load *load)
{
    struct run run = {.load = load, .active = load->in_flight};
    struct slot *slots = calloc(load->in_flight, sizeof *slots);
    run.latencies_ns = calloc(load->calls, sizeof *run.latencies_ns);
    if (!slots || !run.latencies_ns)
        abort();
    pthread_mutex_init(&run.lock, NULL);
    pthread_cond_init(&run.over, NULL);
    run.options = (struct grpcc_call_options){.size = sizeof run.options,
                                              .timeout_ms = TIMEOUT_MS,
                                              .metadata = load->metadata,
                                              .n_metadata = load->n_metadata};
    int64_t begin_ns = load_now_ns();
    for (unsigned i = 0; i < load->in_flight; i++) {
        slots[i].run = &run;
        slots[i].arena = grpcc_arena_new(0);
        next(&slots[i]);
    }
    wait_for_all(&run);
    run.result.seconds = (double)(load_now_ns() - begin_ns) / 1e9;
    load_summarize(&run.result, run.latencies_ns, load->calls);
    for (unsigned i = 0; i < load->in_flight; i++)
        grpcc_arena_free(slots[i].arena);
    free(slots);
    free(run.latencies_ns);
    pthread_cond_destroy(&run.over);
    pthread_mutex_destroy(&run.lock);
    return run.result;
}
