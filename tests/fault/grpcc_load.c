/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/grpcc_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "grpcc/testing.grpcc.h"
#include "tests/support/cmocka.h"

/* Each worker calls every few milliseconds; some calls take longer than others, so that a restart
 * always meets calls under way. */
enum { PERIOD_US = 4000, SLOW_EVERY = 8, SLOW_MS = 20, TIMEOUT_MS = 30000 };
enum { WARM_UP_MS_MAX = 60000 };

/* The port that answered; 0 and err. */
static int call_once(struct grpcc_channel *channel, struct grpcc_arena *arena, unsigned work_ms,
                     struct grpcc_error *err)
{
    const struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = TIMEOUT_MS};
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
    struct grpcc_testing_answer *answer = NULL;
    request->count = work_ms;
    if (grpcc_testing_echo_unary(channel, arena, &options, request, &answer, err))
        return 0;
    return (int)answer->count;
}

static bool count_locked(struct load *load, int port, const struct grpcc_error *err)
{
    load->calls++;
    for (unsigned i = 0; i < LOAD_BACKENDS; i++)
        load->answers[i] += port == load->ports[i];
    if (port == 0 && load->failures++ == 0)
        snprintf(load->first_failure, sizeof(load->first_failure), "call %lu: %s: %.200s",
                 load->calls, grpcc_status_name(err->status), err->message);
    pthread_cond_broadcast(&load->changed);
    return !load->stop;
}

static void *worker_main(void *data)
{
    struct load_worker *worker = data;
    struct load *load = worker->load;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct timespec next;
    bool go_on = true;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned n = 0; go_on; n++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        int port = call_once(load->channel, arena, n % SLOW_EVERY == 0 ? SLOW_MS : 0, &err);
        pthread_mutex_lock(&load->lock);
        go_on = count_locked(load, port, &err);
        pthread_mutex_unlock(&load->lock);
        grpcc_arena_reset(arena);
        next.tv_nsec += PERIOD_US * 1000L;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    grpcc_arena_free(arena);
    return NULL;
}

/* A channel that has just been made may know but one backend yet. */
static void warm_up(struct load *load)
{
    const struct timespec pause = {0, 1000000};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    unsigned seen = 0;
    for (int i = 0; seen != (1U << LOAD_BACKENDS) - 1; i++) {
        int port = call_once(load->channel, arena, 0, &err);
        for (unsigned j = 0; j < LOAD_BACKENDS; j++)
            if (port == load->ports[j])
                seen |= 1U << j;
        if (i > WARM_UP_MS_MAX)
            fail_msg("the backends do not both answer: %s", err.message);
        nanosleep(&pause, NULL);
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
}

void load_start(struct load *load, struct grpcc_channel *channel, const int ports[LOAD_BACKENDS])
{
    *load = (struct load){.channel = channel};
    assert_non_null(channel);
    memcpy(load->ports, ports, sizeof(load->ports));
    pthread_mutex_init(&load->lock, NULL);
    pthread_cond_init(&load->changed, NULL);
    warm_up(load);
    for (unsigned i = 0; i < LOAD_WORKERS; i++) {
        load->workers[i].load = load;
        assert_int_equal(
            pthread_create(&load->workers[i].thread, NULL, worker_main, &load->workers[i]), 0);
    }
}

void load_wait(struct load *load, unsigned backend, unsigned long n)
{
    pthread_mutex_lock(&load->lock);
    n += load->answers[backend];
    while (load->answers[backend] < n && load->failures == 0)
        pthread_cond_wait(&load->changed, &load->lock);
    pthread_mutex_unlock(&load->lock);
}

unsigned long load_stop(struct load *load, const char *name)
{
    pthread_mutex_lock(&load->lock);
    load->stop = true;
    pthread_mutex_unlock(&load->lock);
    for (unsigned i = 0; i < LOAD_WORKERS; i++)
        pthread_join(load->workers[i].thread, NULL);
    grpcc_channel_free(load->channel);
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->lock);
    print_message("%s: %lu calls, %lu and %lu by backend, %lu failed\n", name, load->calls,
                  load->answers[0], load->answers[1], load->failures);
    if (load->failures)
        fail_msg("%s: %lu of %lu calls failed: %s", name, load->failures, load->calls,
                 load->first_failure);
    return load->calls;
}
