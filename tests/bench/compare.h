/* SPDX-License-Identifier: Apache-2.0 */
/* The echo servers side by side: what each case measured of each of them, and the tables of it. */
#ifndef TESTS_BENCH_COMPARE_H
#define TESTS_BENCH_COMPARE_H

#include "grpcc/channel.h"
#include "tests/bench/server.h"

enum { ROUNDS_MAX = 16, FLAGS_MAX = 3 };
/* The order of the tables. */
enum contender_id { GRPCC, FULL, BARE, CALLBACK, SYNC, CONTENDERS };

struct contender {
    const char *name, *binary;
    const char *flags[FLAGS_MAX];    /* NULL-terminated */
    struct grpcc_call_options calls; /* the headers that it wants */
    struct server server;
    struct grpcc_channel *channel;
};

enum case_id { UNARY, PACED, UP, DOWN, LARGE, CASES };

/* Of one case and contender, by round. */
struct samples {
    int n;
    double cpu_us[ROUNDS_MAX]; /* the server's processor time of a call, or message */
    double rate[ROUNDS_MAX];   /* calls, or messages, a second */
    double p50_us[ROUNDS_MAX], p99_us[ROUNDS_MAX];
};

struct comparison {
    struct contender contenders[CONTENDERS];
    struct samples samples[CASES][CONTENDERS];
    double instructions[CONTENDERS]; /* of a call; 0: not counted */
};

/* n of at most ROUNDS_MAX. */
double median(const double *values, int n);
/* Markdown on stdout. */
void compare_print(const struct comparison *comparison);

#endif
