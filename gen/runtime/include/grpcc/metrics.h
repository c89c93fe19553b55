/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: the names of gRFC A66 for calls, the runtime's own under "grpcc.", and the program's.
 *
 * Measuring a call takes no lock and, once a method has ended with a status before, no memory:
 * counters are split over the threads and put together when they are read. There are never more
 * series than registered methods times statuses; methods that nobody registered count as "other".
 *
 *     struct grpcc_metrics *metrics = grpcc_metrics_new();
 *     grpcc_metrics_attach(metrics, server, "api", &err)      ... servers, before they start
 *     grpcc_channel_new(target, &(struct grpcc_channel_options){..., .metrics = metrics}, &err)
 *     grpcc_metrics_write(metrics, write, data)                ... as Prometheus reads it
 *
 * docs/metrics.md lists what there is.
 */
#ifndef GRPCC_METRICS_H
#define GRPCC_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_metrics;
struct grpcc_metric;
struct grpcc_server;

/* Named maxima: what is more counts as "other" (targets of channels, methods), or is refused. */
enum {
    GRPCC_METRICS_METHODS_MAX = 512,
    GRPCC_METRICS_TARGETS_MAX = 64,
    GRPCC_METRICS_LABELS_MAX = 8,
    GRPCC_METRICS_BOUNDS_MAX = 64,
    GRPCC_METRICS_OWN_MAX = 4096 /* metrics of the program */
};

/* NULL without memory. */
struct grpcc_metrics *grpcc_metrics_new(void) GRPCC_MUST_CHECK;
/* After the servers, channels and exporters that use it. NULL is fine. */
void grpcc_metrics_free(struct grpcc_metrics *metrics);

/* Measures all calls of server, those that no handler saw too. name tells servers of one process
 * apart in the gauges of grpcc (label grpcc.server) and is copied. Before the server's _start,
 * once; free the server before metrics. */
enum grpcc_status grpcc_metrics_attach(struct grpcc_metrics *metrics, struct grpcc_server *server,
                                       const char *name, struct grpcc_error *err) GRPCC_MUST_CHECK;

/* ---- the program's own ---- */

enum grpcc_metric_kind { GRPCC_COUNTER = 0, GRPCC_GAUGE = 1, GRPCC_HISTOGRAM = 2 };

struct grpcc_label {
    const char *name;
    const char *value; /* any UTF-8 */
};

/* One series. Several may share name, unit, help and kind and differ in their labels. Everything
 * is copied. */
struct grpcc_metric_info {
    size_t size;      /* sizeof(struct grpcc_metric_info) */
    const char *name; /* "tree.lookups": lower case, dots between words */
    const char *unit; /* of UCUM: "s", "By", "{call}"; NULL: none */
    const char *help; /* one sentence */
    const struct grpcc_label *labels;
    size_t n_labels;
    const double *bounds; /* of a histogram: upper bounds of its buckets, rising */
    size_t n_bounds;
};

/* INVALID_ARGUMENT for a name, label or bound that is none; ALREADY_EXISTS for the same series
 * again, or the name as another kind; RESOURCE_EXHAUSTED. *ret_metric lives as long as metrics.
 * Any thread. */
enum grpcc_status grpcc_metrics_add_counter(struct grpcc_metrics *metrics,
                                            const struct grpcc_metric_info *info,
                                            struct grpcc_metric **ret_metric,
                                            struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status grpcc_metrics_add_histogram(struct grpcc_metrics *metrics,
                                              const struct grpcc_metric_info *info,
                                              struct grpcc_metric **ret_metric,
                                              struct grpcc_error *err) GRPCC_MUST_CHECK;
/* A gauge or counter that read() tells whenever metrics are read, on that thread; it must not call
 * metrics, and data lives as long as metrics. */
enum grpcc_status grpcc_metrics_add_reader(struct grpcc_metrics *metrics,
                                           enum grpcc_metric_kind kind,
                                           const struct grpcc_metric_info *info,
                                           double (*read)(void *data), void *data,
                                           struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Any thread, no lock, no memory. NULL: nothing is counted. */
void grpcc_counter_add(struct grpcc_metric *counter, uint64_t n);
void grpcc_histogram_record(struct grpcc_metric *histogram, double value);

/* ---- reading ---- */

/* One series as it is read; lives for one call of `point`. */
struct grpcc_metric_point {
    const struct grpcc_label *labels;
    size_t n_labels;
    double value; /* of counters and gauges */
    /* Of histograms: how many fell in each bucket, n_bounds + 1 of them, and their sum. */
    const uint64_t *counts;
    uint64_t count;
    double sum;
};
/* Each metric, then its points, one metric after the other: what exporters are built on. */
struct grpcc_metrics_visitor {
    void (*metric)(void *self, enum grpcc_metric_kind kind, const struct grpcc_metric_info *info);
    void (*point)(void *self, const struct grpcc_metric_point *point);
};
/* Any thread. The visitor must not call metrics. */
void grpcc_metrics_visit(struct grpcc_metrics *metrics, const struct grpcc_metrics_visitor *visitor,
                         void *self);

/* Takes text piece by piece; false: no more is wanted. */
typedef bool (*grpcc_write)(void *data, const char *text, size_t length);

/* The media type of what grpcc_metrics_write() writes. */
#define GRPCC_METRICS_MEDIA_TYPE "text/plain; version=0.0.4; charset=utf-8"
/*
 * All of it in Prometheus' text format 0.0.4. Names as OpenTelemetry translates them: dots become
 * underscores, the unit is spelt out behind, counters end with _total. False: write said so.
 */
bool grpcc_metrics_write(struct grpcc_metrics *metrics, grpcc_write write, void *data);

#ifdef __cplusplus
}
#endif

#endif
