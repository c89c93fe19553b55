/* SPDX-License-Identifier: Apache-2.0 */
/* Cases that repeat large_unary: on one channel, or each time on a new one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "tests/interop/case.h"

enum { THREADS_MAX = 64 };
#define NS_PER_MS INT64_C(1000000)

struct soak {
    struct run *run;
    bool new_channels;
    int64_t end_ns;
    atomic_int begun, done, failed;
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static void sleep_until(int64_t time_ns)
{
    const struct timespec time = {time_ns / (1000 * NS_PER_MS), time_ns % (1000 * NS_PER_MS)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static bool call_once(const struct run *run, struct grpcc_channel *channel)
{
    struct run own = *run;
    struct grpc_testing_simple_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    bool good = false;
    own.arena = grpcc_arena_new(0);
    if (!check_memory(own.arena))
        return false;
    struct grpc_testing_simple_request *request = MESSAGE_NEW(&own, grpc_testing_simple_request);
    if (request && (request->payload = payload_new(&own, (size_t)run->soak.request_size))) {
        request->response_size = run->soak.response_size;
        enum grpcc_status status = grpc_testing_test_service_unary_call(
            channel, own.arena, &run->options, request, &response, &err);
        good = check_status(status, GRPCC_OK, &err) &&
               check_payload(response->payload, (size_t)run->soak.response_size);
    }
    grpcc_arena_free(own.arena);
    return good;
}

static bool iterate(const struct soak *soak)
{
    const struct run *run = soak->run;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel *channel = run->channel;
    int64_t begin_ns = now_ns();
    if (soak->new_channels)
        channel = grpcc_channel_new(run->target, &run->channel_options, &err);
    if (!check(channel != NULL, "%s", err.message))
        return false;
    bool good = call_once(run, channel);
    if (soak->new_channels)
        grpcc_channel_free(channel);
    int64_t took_ms = (now_ns() - begin_ns) / NS_PER_MS;
    return good && check(took_ms <= run->soak.latency_max_ms, "an iteration took %d ms, not %d",
                         (int)took_ms, run->soak.latency_max_ms);
}

static void *soak_main(void *data)
{
    struct soak *soak = data;
    const struct soak_settings *settings = &soak->run->soak;
    int64_t next_ns = now_ns();
    while (next_ns < soak->end_ns && atomic_fetch_add(&soak->begun, 1) < settings->iterations) {
        if (!iterate(soak))
            atomic_fetch_add(&soak->failed, 1);
        atomic_fetch_add(&soak->done, 1);
        next_ns += settings->interval_min_ms * NS_PER_MS;
        if (next_ns < now_ns())
            next_ns = now_ns();
        else
            sleep_until(next_ns);
    }
    return NULL;
}

static bool soak(struct run *run, bool new_channels)
{
    const struct soak_settings *settings = &run->soak;
    struct soak soak = {.run = run, .new_channels = new_channels};
    pthread_t threads[THREADS_MAX];
    int n = 0;
    if (!check(settings->threads >= 1 && settings->threads <= THREADS_MAX, "from 1 to %d threads",
               THREADS_MAX))
        return false;
    soak.end_ns = now_ns() + settings->overall_timeout_s * 1000 * NS_PER_MS;
    while (n < settings->threads && !pthread_create(&threads[n], NULL, soak_main, &soak))
        n++;
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    int done = atomic_load(&soak.done), failed = atomic_load(&soak.failed);
    printf("%d of %d iterations, %d failed\n", done, settings->iterations, failed);
    return check(n == settings->threads, "%d threads, not %d", n, settings->threads) &&
           check(done == settings->iterations, "no time for %d of %d iterations",
                 settings->iterations - done, settings->iterations) &&
           check(failed <= settings->max_failures, "%d iterations failed, and %d may", failed,
                 settings->max_failures);
}

static bool rpc_soak(struct run *run)
{
    return soak(run, false);
}

static bool channel_soak(struct run *run)
{
    return soak(run, true);
}

const struct interop_case cases_soak[] = {
    {"rpc_soak", rpc_soak},
    {"channel_soak", channel_soak},
    {NULL, NULL},
};
