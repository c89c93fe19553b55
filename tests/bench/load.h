/* SPDX-License-Identifier: Apache-2.0 */
/* A closed loop of unary calls: so many in flight, the next one begins when one has ended. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include "grpcc/channel.h"

/* Makes the request of call number n in arena. */
typedef const ProtobufCMessage *(*load_request)(void *data, struct grpcc_arena *arena, size_t n);

struct load {
    struct grpcc_channel *channel;
    const struct grpcc_method *method;
    const struct grpcc_metadata *metadata; /* headers of every call */
    size_t n_metadata;
    unsigned in_flight;
    size_t calls;
    load_request request;
    void *data;
};

struct load_result {
    double seconds;
    double p50_us, p99_us;
    size_t calls, failed;
    char first_failure[256];
};

/* Runs all calls and waits. */
struct load_result load_run(const struct load *load);

/* For other ways to run calls: a clock, a failed call, and the quantiles of what was measured
 * (sorts it). */
int64_t load_now_ns(void);
void load_note_failure(struct load_result *result, enum grpcc_status status,
                       const struct grpcc_error *err);
void load_summarize(struct load_result *result, int64_t *latencies_ns, size_t calls);

#endif
