/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two backends of grpcc are restarted in turn under a constant load: no call fails, neither with a
 * client that balances and looks at health, nor behind an Envoy that does, and nobody retries.
 * Where one is killed, retries hide it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/grpcc_load.h"
#include "tests/fault/grpcc_process.h"
#include "tests/support/cmocka.h"

enum { RESTARTS_SHORT = 6, RESTARTS_LONG = 50 };
enum { KILLS_SHORT = 4, KILLS_LONG = 30 };
/*
 * How long a backend serves on after it has turned NOT_SERVING. The client is told at once. An
 * Envoy asks once in an interval, and may sit on what it has learnt for another second
 * (common_lb_config.update_merge_window, 1 s unless it is configured): longer than both together.
 */
enum { DRAIN_DELAY_MS = 150, ENVOY_INTERVAL_MS = 200, ENVOY_MERGE_MS = 1000 };
enum { ENVOY_DRAIN_DELAY_MS = ENVOY_MERGE_MS + 3 * ENVOY_INTERVAL_MS };
/* Answers of a backend that has come back, before the next one goes. */
enum { ANSWERS_BETWEEN = 50 };

static const char *backend_program, *envoy_program;

static unsigned count(unsigned short_count, unsigned long_count)
{
    const char *value = getenv("COMB_LONG");
    return value && strcmp(value, "1") == 0 ? long_count : short_count;
}

static void start_both(struct backend backends[2], unsigned drain_delay_ms)
{
    for (int i = 0; i < 2; i++) {
        backends[i] =
            (struct backend){.program = backend_program, .drain_delay_ms = drain_delay_ms};
        backend_start(&backends[i]);
    }
}

static void stop_both(struct backend backends[2])
{
    backend_stop(&backends[0]);
    backend_stop(&backends[1]);
}

static void load_both(struct load *load, struct grpcc_channel *channel,
                      const struct backend backends[2])
{
    const int ports[2] = {backends[0].port, backends[1].port};
    load_start(load, channel, ports);
}

/* One channel over both, as a program would make it; retries: by the service config. */
static struct grpcc_channel *balanced(const struct backend backends[2], bool retries)
{
    const struct grpcc_retry_policy retry = {.size = sizeof(retry),
                                             .attempts_max = GRPCC_ATTEMPTS_MAX};
    const struct grpcc_method_policy all = {.size = sizeof(all), .retry = &retry};
    const struct grpcc_channel_options options = {.size = sizeof(options),
                                                  .load_balancing = "round_robin",
                                                  .health_service = "",
                                                  .retries_off = !retries,
                                                  .methods = &all,
                                                  .n_methods = retries ? 1 : 0,
                                                  .reconnect_min_ms = 50,
                                                  .reconnect_max_ms = 200};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char target[64];
    snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d,127.0.0.1:%d", backends[0].port,
             backends[1].port);
    return grpcc_channel_new(target, &options, &err);
}

static void restart_in_turn(struct load *load, struct backend backends[2], unsigned restarts)
{
    for (unsigned i = 0; i < restarts && load->failures == 0; i++) {
        struct backend *backend = &backends[i % 2];
        backend_stop(backend);
        backend_start(backend);
        load_wait(load, i % 2, ANSWERS_BETWEEN);
    }
}

static void a_balancing_client_sees_no_restart(void **state)
{
    struct backend backends[2];
    struct load load;
    (void)state;
    start_both(backends, DRAIN_DELAY_MS);
    load_both(&load, balanced(backends, false), backends);
    restart_in_turn(&load, backends, count(RESTARTS_SHORT, RESTARTS_LONG));
    load_stop(&load, "round robin, health, no retries");
    stop_both(backends);
}

static void behind_envoy_no_restart_is_seen(void **state)
{
    const struct grpcc_channel_options options = {.size = sizeof(options), .retries_off = true};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct backend backends[2];
    struct envoy envoy;
    struct load load;
    char target[32];
    (void)state;
    start_both(backends, ENVOY_DRAIN_DELAY_MS);
    envoy_start(&envoy, envoy_program, backends, ENVOY_INTERVAL_MS);
    snprintf(target, sizeof(target), "127.0.0.1:%d", envoy.port);
    load_both(&load, grpcc_channel_new(target, &options, &err), backends);
    restart_in_turn(&load, backends, count(RESTARTS_SHORT, RESTARTS_LONG));
    load_stop(&load, "Envoy, health checks, no retries");
    envoy_stop(&envoy);
    stop_both(backends);
}

static void retries_hide_a_backend_that_is_killed(void **state)
{
    struct backend backends[2];
    struct load load;
    unsigned kills = count(KILLS_SHORT, KILLS_LONG);
    (void)state;
    start_both(backends, DRAIN_DELAY_MS);
    load_both(&load, balanced(backends, true), backends);
    for (unsigned i = 0; i < kills; i++) {
        backend_kill(&backends[i % 2]);
        load_wait(&load, 1 - i % 2, ANSWERS_BETWEEN);
        backend_start(&backends[i % 2]);
        load_wait(&load, i % 2, ANSWERS_BETWEEN);
    }
    load_stop(&load, "kill -9, retries");
    stop_both(backends);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_balancing_client_sees_no_restart),
        cmocka_unit_test(behind_envoy_no_restart_is_seen),
        cmocka_unit_test(retries_hide_a_backend_that_is_killed),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: grpcc_restart_test <grpcc_backend> <envoy>\n");
        return 2;
    }
    backend_program = argv[1];
    envoy_program = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
