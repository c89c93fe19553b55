/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry's insides. Cells are counted with relaxed atomics, one shard for each few threads;
 * metrics->lock is for what is added, and for reading, never for counting.
 */
#ifndef GRPCC_SRC_METRICS_H
#define GRPCC_SRC_METRICS_H

#include <pthread.h>
#include <stdatomic.h>

#include "grpcc/metrics.h"
#include "grpcc/observer.h"

enum { GRPCC_METRICS_SHARDS = 16, GRPCC_STATUSES = GRPCC_UNAUTHENTICATED + 1 };
/* Keeps what different threads write off each other's lines. */
enum { GRPCC_CACHE_LINE = 64 };
enum { GRPCC_LATENCY_BOUNDS = 41, GRPCC_SIZE_BOUNDS = 14 };
/* A table of methods, at most half full. */
enum { GRPCC_METRICS_TABLE = 2 * GRPCC_METRICS_METHODS_MAX };

/* What gRFC A66 measures of the calls of one method that ended with one status. */
struct grpcc_call_cells {
    atomic_ullong duration_ns;
    atomic_ullong durations[GRPCC_LATENCY_BOUNDS + 1];
    atomic_ullong sent_bytes;
    atomic_ullong sent[GRPCC_SIZE_BOUNDS + 1];
    atomic_ullong received_bytes;
    atomic_ullong received[GRPCC_SIZE_BOUNDS + 1];
};

struct grpcc_method_shard {
    atomic_ullong started;
    _Atomic(struct grpcc_call_cells *) cells[GRPCC_STATUSES]; /* made when first needed */
    char apart[GRPCC_CACHE_LINE];
};

struct grpcc_method_series {
    struct grpcc_method_series *next;
    const char *name; /* "comb.v1.Tree/Stat" or "other" */
    struct grpcc_method_shard shards[GRPCC_METRICS_SHARDS];
};

/* Several methods may have one path, and then one series. */
struct grpcc_method_entry {
    const struct grpcc_method *method;
    struct grpcc_method_series *series;
};

/* All calls of servers, or of the channels to one target. */
struct grpcc_metrics_view {
    struct grpcc_metrics_view *next;
    struct grpcc_metrics *metrics;
    char *target; /* NULL: servers */
    _Atomic(struct grpcc_method_entry *) table[GRPCC_METRICS_TABLE];
    atomic_uint n_entries;
    struct grpcc_method_series *series; /* under metrics->lock */
    struct grpcc_method_series other;
};

/* A server that is measured; its observer's self. */
struct grpcc_measured_server {
    struct grpcc_measured_server *next;
    struct grpcc_metrics *metrics;
    struct grpcc_server *server;
    char *name;
    struct grpcc_server_stats stats; /* of the visit under way */
};

struct grpcc_metric_shard {
    atomic_ullong sum; /* a counter's value; a histogram's sum, as the bits of a double */
    atomic_ullong counts[GRPCC_METRICS_BOUNDS_MAX + 1];
    char apart[GRPCC_CACHE_LINE];
};

/* One series of the program. */
struct grpcc_metric {
    struct grpcc_metric *next;        /* of another name */
    struct grpcc_metric *next_series; /* of the same name */
    enum grpcc_metric_kind kind;
    struct grpcc_metric_info info;
    double (*read)(void *data); /* NULL: it has shards */
    void *data;
    struct grpcc_metric_shard *shards;
};

/* The runtime's own: what of server calls has no place in A66. */
struct grpcc_own_shard {
    atomic_ullong refused[GRPCC_REFUSALS];
    atomic_ullong arena_bytes;
    atomic_ullong arenas[GRPCC_SIZE_BOUNDS + 1];
    char apart[GRPCC_CACHE_LINE];
};

struct grpcc_metrics {
    struct grpcc_own_shard own[GRPCC_METRICS_SHARDS];
    atomic_ullong lost; /* not counted for want of memory */
    struct grpcc_metrics_view *servers;

    pthread_mutex_t lock; /* all below, and what views and metrics are linked by */
    struct grpcc_metrics_view *targets;
    size_t n_targets;
    struct grpcc_measured_server *measured;
    struct grpcc_metric *metrics;
    size_t n_metrics;
};

extern const double grpcc_latency_bounds[GRPCC_LATENCY_BOUNDS]; /* in seconds */
extern const double grpcc_size_bounds[GRPCC_SIZE_BOUNDS];       /* in bytes */

/* metrics_call.c: counting calls */

/* This thread's shard. */
unsigned grpcc_metrics_shard(void);
struct grpcc_metrics_view *grpcc_metrics_view_new(struct grpcc_metrics *metrics,
                                                  const char *target) GRPCC_MUST_CHECK;
void grpcc_metrics_view_free(struct grpcc_metrics_view *view);
/* What calls to target are counted in, made where it is new; NULL without memory. */
struct grpcc_metrics_view *grpcc_metrics_target(struct grpcc_metrics *metrics,
                                                const char *target) GRPCC_MUST_CHECK;
/* method NULL: "other". */
void grpcc_metrics_call_started(struct grpcc_metrics_view *view, const struct grpcc_method *method);
void grpcc_metrics_call_ended(struct grpcc_metrics_view *view, const struct grpcc_method *method,
                              enum grpcc_status status, int64_t duration_ns, uint64_t bytes_sent,
                              uint64_t bytes_received);
void grpcc_metrics_own_ended(struct grpcc_metrics *metrics, const struct grpcc_call_facts *facts);

#endif
