/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server that is abused, as a process of its own, what /proc says of it, and a client that
 * behaves and must not notice.
 */
#ifndef TESTS_ABUSE_TARGET_H
#define TESTS_ABUSE_TARGET_H

#include <grpcc/channel.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "grpcc/testing.grpcc.h"
#include "tests/abuse/h2.h"

#define UNARY "/grpcc.testing.Echo/Unary"
#define COLLECT "/grpcc.testing.Echo/Collect"
#define EXPAND "/grpcc.testing.Echo/Expand"

enum { WINDOW = 65535 };

struct usage {
    long rss_kib;
    long peak_kib; /* since the last usage_begin */
    long cpu_ms;
};

/* A client in a thread that calls, one call after another, while the server is abused. */
struct bystander {
    pthread_t thread;
    struct grpcc_channel *channel;
    bool asks_for_health;
    atomic_bool leave;
    atomic_uint calls;
    atomic_uint failed;
    char message[160]; /* of the first that failed */
};

struct target {
    pid_t pid;
    int port;
    struct usage before;
    struct bystander bystander;
};

/* True: sizes as they are promised; false: small enough for every day. Set from argv. */
extern bool abuse_long;

/* Starts the server, NULL ends its options, and a bystander. */
void target_start(struct target *target, const char *const *options);
/* The same with a bystander that asks for health, where other calls are to be shed. */
void target_start_watched_by_health(struct target *target, const char *const *options);
/* Has the bystander served, checks that none of its calls failed, ends the server, which must leave
 * in order. */
void target_stop(struct target *target);

struct usage target_usage(const struct target *target);
/* Waits until the bystander has had n more calls answered. */
void target_serves(struct target *target, unsigned n);
/* A channel that behaves; the caller frees it. */
struct grpcc_channel *target_channel(const struct target *target);
/* One call on it: its status. */
enum grpcc_status target_call(struct grpcc_channel *channel, struct grpcc_error *err);

/* Notes what the server uses now, and begins a new peak. */
void usage_begin(struct target *target);
/* The peak since usage_begin is at most that far above what was used then. Sanitizers have a memory
 * of their own: under them nothing is judged. */
void usage_must_grow_less(const struct target *target, long kib);
/* As usage_must_grow_less, of what was measured by the caller. */
void rss_must_be_below(const char *when, long used_kib, long max_kib);
/* A line of the table of figures: the case, what was seen, and what the server used. */
void figures(const struct target *target, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The request {text} packed, at most room bytes. */
size_t pack_ask(const char *text, uint8_t *bytes, size_t room);

/* Runs the tests; --long among the arguments sets abuse_long. */
int abuse_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

#endif
