/* SPDX-License-Identifier: Apache-2.0 */
/* The echo servers side by side: what each case measured of each of them, and the tables of it. */
#ifndef TESTS_BENCH_COMPARE_H
#define TESTS_BENCH_COMPARE_H

#include "tests/bench/server.h"

struct grpcc_channel;

enum { CONTENDERS = 4, ROUNDS_MAX = 16 };
/* The order of the tables. */
enum contender_id { GRPCC, BARE, CALLBACK, SYNC };

struct contender {
    const char *name, *binary;
    const char *const *flags;
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
