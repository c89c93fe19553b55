/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare FOLDER ECHO_SERVER BARE_CORE CPP_CALLBACK CPP_SYNC [--quick]: the same service on the
 * runtime, on bare core and on gRPC C++'s two APIs, under the same client in one run: every round
 * measures one after the other, and what is compared is a round's figures. Prints tables in
 * Markdown. --quick: few calls, for a test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/compare.h"
#include "tests/bench/echo.grpcc.h"
#include "tests/bench/flow.h"
#include "tests/bench/full.h"
#include "tests/bench/load.h"
#include "tests/bench/paced.h"

enum { IN_FLIGHT = 64, LARGE_IN_FLIGHT = 4, LARGE_BYTES = 1 << 20 };
static char text[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct plan {
    int rounds[CASES];
    size_t calls[CASES]; /* or messages; 0: as many as a second takes */
    size_t counted;      /* under callgrind */
};

static const struct plan whole = {
    .rounds = {[UNARY] = 11, [PACED] = 5, [UP] = 4, [DOWN] = 2, [LARGE] = 11},
    .calls = {[UNARY] = 15000, [PACED] = 0, [UP] = 1000000, [DOWN] = 1000000, [LARGE] = 250},
    .counted = 1000,
};
static const struct plan quick = {
    .rounds = {[UNARY] = 2, [PACED] = 1, [UP] = 1, [DOWN] = 1, [LARGE] = 1},
    .calls = {[UNARY] = 300, [PACED] = 100, [UP] = 300, [DOWN] = 300, [LARGE] = 8},
    .counted = 0,
};

/* ---- requests ---- */

static const ProtobufCMessage *small_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_bench_echo_say_request *request = comb_bench_echo_say_request_new(arena);
    (void)data, (void)n;
    comb_bench_echo_say_request_set_text(request, text);
    return &request->base;
}

static const ProtobufCMessage *large_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_bench_echo_say_request *request = comb_bench_echo_say_request_new(arena);
    (void)n;
    comb_bench_echo_say_request_set_data(request, data, LARGE_BYTES);
    return &request->base;
}

/* ---- servers ---- */

static struct grpcc_channel *connect(const struct server *server)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    /* Pings would be held against the client by a server that allows few. */
    struct grpcc_channel_options options = {
        .size = sizeof options, .retries_off = true, .keepalive_ms = 3600000};
    struct grpcc_channel *channel = grpcc_channel_new(server->listen, &options, &err);
    if (channel)
        return channel;
    fprintf(stderr, "compare: %s\n", err.message);
    exit(1);
}

static void begin(struct comparison *comparison, const char *folder)
{
    for (int i = 0; i < CONTENDERS; i++) {
        struct contender *contender = &comparison->contenders[i];
        struct server *server = &contender->server;
        snprintf(server->home, sizeof server->home, "%.200s/%d", folder, i);
        (void)mkdir(server->home, 0700);
        server_start(server, contender->binary, contender->flags);
        contender->channel = connect(server);
    }
}

static void stop(struct comparison *comparison)
{
    for (int i = 0; i < CONTENDERS; i++) {
        grpcc_channel_free(comparison->contenders[i].channel);
        server_stop(&comparison->contenders[i].server);
    }
}

/* ---- cases ---- */

static struct load unary_load(const struct contender *contender, size_t calls)
{
    return (struct load){.channel = contender->channel,
                         .method = &comb_bench_echo_methods[0],
                         .metadata = contender->calls.metadata,
                         .n_metadata = contender->calls.n_metadata,
                         .in_flight = IN_FLIGHT,
                         .calls = calls,
                         .request = small_request};
}

static struct load_result run_unary(const struct contender *contender, size_t calls)
{
    struct load load = unary_load(contender, calls);
    return load_run(&load);
}

static struct load_result run_paced(const struct contender *contender, const struct samples *unary,
                                    size_t calls)
{
    double rate = 0.7 * median(unary->rate, unary->n);
    struct load load = unary_load(contender, calls ? calls : (size_t)rate /* of a second */);
    return paced_run(&load, rate);
}

static struct load_result run_large(const struct contender *contender, size_t calls)
{
    static unsigned char data[LARGE_BYTES];
    struct load load = unary_load(contender, calls);
    load.in_flight = LARGE_IN_FLIGHT;
    load.request = large_request;
    load.data = data;
    return load_run(&load);
}

static struct load_result run_case(const struct comparison *comparison, enum case_id id, int i,
                                   size_t calls)
{
    const struct contender *contender = &comparison->contenders[i];
    struct load_result result = {.calls = calls};
    switch (id) {
    case UNARY:
        return run_unary(contender, calls);
    case PACED:
        return run_paced(contender, &comparison->samples[UNARY][i], calls);
    case UP:
        result.seconds = flow_up(contender->channel, &contender->calls, text, (uint32_t)calls);
        return result;
    case DOWN:
        result.seconds = flow_down(contender->channel, &contender->calls, text, (uint32_t)calls);
        return result;
    default:
        return run_large(contender, calls);
    }
}

static void sample(struct comparison *comparison, enum case_id id, int i, size_t calls)
{
    const struct contender *contender = &comparison->contenders[i];
    struct samples *samples = &comparison->samples[id][i];
    double before = server_cpu(&contender->server);
    struct load_result result = run_case(comparison, id, i, calls);
    double used = server_cpu(&contender->server) - before;
    if (result.failed) {
        fprintf(stderr, "compare: %s: %zu of %zu calls failed: %s\n", contender->name,
                result.failed, result.calls, result.first_failure);
        exit(1);
    }
    samples->cpu_us[samples->n] = used * 1e6 / (double)result.calls;
    samples->rate[samples->n] = (double)result.calls / result.seconds;
    samples->p50_us[samples->n] = result.p50_us;
    samples->p99_us[samples->n] = result.p99_us;
    samples->n++;
}

static void run_cases(struct comparison *comparison, const struct plan *plan)
{
    for (int i = 0; i < CONTENDERS; i++)
        run_unary(&comparison->contenders[i], plan->calls[UNARY] / 10); /* warm */
    for (enum case_id id = UNARY; id < CASES; id++)
        for (int round = 0; round < plan->rounds[id]; round++)
            for (int i = 0; i < CONTENDERS; i++)
                sample(comparison, id, (i + round) % CONTENDERS, plan->calls[id]);
}

/* ---- instructions ---- */

/* What the server has run from its start to its end, for so many calls. */
static double count_instructions(const struct contender *contender, const char *folder,
                                 size_t calls)
{
    char option[300], line[256];
    const char *const prefix[] = {"valgrind", "--tool=callgrind", "--quiet", option, NULL};
    struct server server = {0};
    double total = 0;
    snprintf(server.home, sizeof server.home, "%.200s", folder);
    snprintf(option, sizeof option, "--callgrind-out-file=%.200s/callgrind", folder);
    server_start_under(&server, prefix, contender->binary, contender->flags);
    struct contender measured = *contender;
    measured.channel = connect(&server);
    struct load_result result = run_unary(&measured, calls);
    grpcc_channel_free(measured.channel);
    server_stop(&server);
    FILE *file = fopen(strchr(option, '=') + 1, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "totals: ", 8) == 0)
            total = strtod(line + 8, NULL);
    if (file)
        fclose(file);
    if (result.failed || total <= 0) {
        fprintf(stderr, "compare: %s did not work under callgrind\n", contender->name);
        exit(1);
    }
    return total;
}

/* The start and the end cancel out between a count of calls and twice as many. */
static void count_all(struct comparison *comparison, const char *folder, size_t calls)
{
    for (int i = 0; calls && i < CONTENDERS; i++) {
        const struct contender *contender = &comparison->contenders[i];
        double once = count_instructions(contender, folder, calls);
        double twice = count_instructions(contender, folder, 2 * calls);
        comparison->instructions[i] = (twice - once) / (double)calls;
    }
}

static void set_contenders(struct comparison *comparison, char **binaries)
{
    static const struct grpcc_metadata headers[] = {
        {"authorization", FULL_AUTHORIZATION, sizeof(FULL_AUTHORIZATION) - 1},
        {"traceparent", FULL_TRACEPARENT, sizeof(FULL_TRACEPARENT) - 1},
    };
    static const char *const names[CONTENDERS] = {
        [GRPCC] = "grpcc",           [FULL] = "grpcc, all on", [BARE] = "bare core",
        [CALLBACK] = "C++ callback", [SYNC] = "C++ sync",
    };
    for (int i = GRPCC; i < CONTENDERS; i++) {
        struct contender *contender = &comparison->contenders[i];
        contender->name = names[i];
        contender->calls.size = sizeof contender->calls;
        contender->binary = binaries[i <= FULL ? 0 : i - FULL]; /* two share the first one */
    }
    comparison->contenders[FULL].flags[0] = "--full";
    comparison->contenders[FULL].calls.metadata = headers;
    comparison->contenders[FULL].calls.n_metadata = sizeof headers / sizeof headers[0];
}

int main(int argc, char **argv)
{
    static struct comparison comparison;
    if (argc < 6) {
        fprintf(stderr, "usage: %s FOLDER ECHO_SERVER BARE_CORE CPP_CALLBACK CPP_SYNC [--quick]\n",
                argv[0]);
        return 2;
    }
    const struct plan *plan = argc > 6 && strcmp(argv[6], "--quick") == 0 ? &quick : &whole;
    set_contenders(&comparison, argv + 2);
    begin(&comparison, argv[1]);
    run_cases(&comparison, plan);
    stop(&comparison);
    count_all(&comparison, argv[1], plan->counted);
    compare_print(&comparison);
    return 0;
}
