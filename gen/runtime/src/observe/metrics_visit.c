/* SPDX-License-Identifier: Apache-2.0 */
/* Reading: shards are put together, one metric after the other. */
#include <string.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/observe/metrics.h"
#include "grpcc/accept.h"

/* Only programs that link //gen/runtime:accept have it. */
#pragma weak grpcc_accept_connections

enum { COUNTS_MAX = GRPCC_METRICS_BOUNDS_MAX + 1 };

struct visit {
    struct grpcc_metrics *metrics;
    const struct grpcc_metrics_visitor *visitor;
    void *self;
};

static void tell_metric(const struct visit *visit, enum grpcc_metric_kind kind,
                        const struct grpcc_metric_info *info)
{
    visit->visitor->metric(visit->self, kind, info);
}

static void tell_value(const struct visit *visit, const struct grpcc_label *labels, size_t n_labels,
                       double value)
{
    const struct grpcc_metric_point point = {
        .labels = labels, .n_labels = n_labels, .value = value};
    visit->visitor->point(visit->self, &point);
}

static void tell_counts(const struct visit *visit, const struct grpcc_label *labels,
                        size_t n_labels, const uint64_t *counts, size_t n_counts, double sum)
{
    struct grpcc_metric_point point = {
        .labels = labels, .n_labels = n_labels, .counts = counts, .sum = sum};
    for (size_t i = 0; i < n_counts; i++)
        point.count += counts[i];
    visit->visitor->point(visit->self, &point);
}

static uint64_t read_cell(const atomic_ullong *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* ---- gRFC A66 ---- */

/* What of a call a histogram is about. */
enum part { PART_DURATION, PART_SENT, PART_RECEIVED };

static uint64_t add_part(const struct grpcc_call_cells *cells, enum part part, uint64_t *counts)
{
    const atomic_ullong *from = part == PART_DURATION ? cells->durations
                                : part == PART_SENT   ? cells->sent
                                                      : cells->received;
    size_t n = (part == PART_DURATION ? GRPCC_LATENCY_BOUNDS : GRPCC_SIZE_BOUNDS) + 1;
    for (size_t i = 0; i < n; i++)
        counts[i] += read_cell(&from[i]);
    return read_cell(part == PART_DURATION ? &cells->duration_ns
                     : part == PART_SENT   ? &cells->sent_bytes
                                           : &cells->received_bytes);
}

/* One method, one status; nothing where no call ended so. */
static void visit_ended(const struct visit *visit, const struct grpcc_metrics_view *view,
                        const struct grpcc_method_series *series, unsigned status, enum part part)
{
    uint64_t counts[COUNTS_MAX] = {0}, sum = 0;
    bool any = false;
    for (size_t i = 0; i < GRPCC_METRICS_SHARDS; i++) {
        const struct grpcc_call_cells *cells =
            atomic_load_explicit(&series->shards[i].cells[status], memory_order_acquire);
        if (cells)
            sum += add_part(cells, part, counts);
        any |= cells != NULL;
    }
    if (!any)
        return;
    const struct grpcc_label labels[] = {
        {"grpc.method", series->name},
        {"grpc.status", grpcc_status_name((enum grpcc_status)status)},
        {"grpc.target", view->target},
    };
    bool duration = part == PART_DURATION;
    tell_counts(visit, labels, view->target ? 3 : 2, counts,
                (duration ? GRPCC_LATENCY_BOUNDS : GRPCC_SIZE_BOUNDS) + 1,
                duration ? (double)sum / GRPCC_NS_PER_S : (double)sum);
}

static void visit_histogram(const struct visit *visit, const struct grpcc_metrics_view *views,
                            enum part part, const char *name, const char *help)
{
    bool duration = part == PART_DURATION;
    const struct grpcc_metric_info info = {
        .size = sizeof(info),
        .name = name,
        .unit = duration ? "s" : "By",
        .help = help,
        .bounds = duration ? grpcc_latency_bounds : grpcc_size_bounds,
        .n_bounds = duration ? GRPCC_LATENCY_BOUNDS : GRPCC_SIZE_BOUNDS,
    };
    tell_metric(visit, GRPCC_HISTOGRAM, &info);
    for (const struct grpcc_metrics_view *view = views; view; view = view->next)
        for (const struct grpcc_method_series *series = view->series; series; series = series->next)
            for (unsigned status = 0; status < GRPCC_STATUSES; status++)
                visit_ended(visit, view, series, status, part);
}

static void visit_started(const struct visit *visit, const struct grpcc_metrics_view *views,
                          const struct grpcc_metric_info *info)
{
    tell_metric(visit, GRPCC_COUNTER, info);
    for (const struct grpcc_metrics_view *view = views; view; view = view->next) {
        for (const struct grpcc_method_series *series = view->series; series;
             series = series->next) {
            uint64_t started = 0;
            for (size_t i = 0; i < GRPCC_METRICS_SHARDS; i++)
                started += read_cell(&series->shards[i].started);
            const struct grpcc_label labels[] = {
                {"grpc.method", series->name},
                {"grpc.target", view->target},
            };
            if (started)
                tell_value(visit, labels, view->target ? 2 : 1, (double)started);
        }
    }
}

static void visit_servers(const struct visit *visit)
{
    const struct grpcc_metrics_view *views = visit->metrics->servers;
    static const struct grpcc_metric_info started = {
        .name = "grpc.server.call.started",
        .unit = "{call}",
        .help = "Calls that servers received, those under way too.",
    };
    visit_started(visit, views, &started);
    visit_histogram(visit, views, PART_DURATION, "grpc.server.call.duration",
                    "From the arrival of a call to its end.");
    visit_histogram(visit, views, PART_SENT, "grpc.server.call.sent_total_compressed_message_size",
                    "Bytes of all messages sent in a call, as on the wire.");
    visit_histogram(visit, views, PART_RECEIVED,
                    "grpc.server.call.rcvd_total_compressed_message_size",
                    "Bytes of all messages received in a call, as on the wire.");
}

static void visit_clients(const struct visit *visit)
{
    const struct grpcc_metrics_view *views = visit->metrics->targets;
    static const struct grpcc_metric_info started = {
        .name = "grpc.client.attempt.started",
        .unit = "{attempt}",
        .help = "Attempts that clients began, those under way too.",
    };
    if (!views)
        return;
    visit_started(visit, views, &started);
    visit_histogram(visit, views, PART_DURATION, "grpc.client.attempt.duration",
                    "From the start of an attempt to its status.");
    visit_histogram(visit, views, PART_SENT,
                    "grpc.client.attempt.sent_total_compressed_message_size",
                    "Bytes of all messages sent in an attempt, as on the wire.");
    visit_histogram(visit, views, PART_RECEIVED,
                    "grpc.client.attempt.rcvd_total_compressed_message_size",
                    "Bytes of all messages received in an attempt, as on the wire.");
    visit_histogram(visit, views, PART_DURATION, "grpc.client.call.duration",
                    "From the start of a call to its status.");
}

/* ---- the runtime's own ---- */

static uint32_t in_flight(const struct grpcc_server_stats *stats)
{
    return stats->calls_in_flight;
}

static uint32_t queue_length(const struct grpcc_server_stats *stats)
{
    return stats->queue_length;
}

static uint32_t workers_busy(const struct grpcc_server_stats *stats)
{
    return stats->workers_busy;
}

static void visit_gauge(const struct visit *visit, const char *name, const char *unit,
                        const char *help, uint32_t (*pick)(const struct grpcc_server_stats *stats))
{
    const struct grpcc_metric_info info = {.name = name, .unit = unit, .help = help};
    tell_metric(visit, GRPCC_GAUGE, &info);
    for (const struct grpcc_measured_server *measured = visit->metrics->measured; measured;
         measured = measured->next) {
        const struct grpcc_label label = {"grpcc.server", measured->name};
        tell_value(visit, &label, 1, pick(&measured->stats));
    }
}

/* Once for all gauges: connections are counted one by one. */
static void read_servers(const struct visit *visit)
{
    for (struct grpcc_measured_server *measured = visit->metrics->measured; measured;
         measured = measured->next)
        grpcc_server_get_stats(measured->server, &measured->stats);
}

static void visit_connections(const struct visit *visit)
{
    static const struct grpcc_metric_info info = {
        .name = "grpcc.connections",
        .unit = "{connection}",
        .help = "Open connections that this process has accepted.",
    };
    const struct grpcc_measured_server *measured = visit->metrics->measured;
    if (!grpcc_accept_connections)
        return;
    tell_metric(visit, GRPCC_GAUGE, &info);
    tell_value(visit, NULL, 0, measured ? measured->stats.connections : grpcc_accept_connections());
}

static void visit_refused(const struct visit *visit)
{
    static const struct grpcc_metric_info info = {
        .name = "grpcc.server.call.refused",
        .unit = "{call}",
        .help = "Calls that were ended before their handler ran, by reason.",
    };
    tell_metric(visit, GRPCC_COUNTER, &info);
    for (unsigned reason = 1; reason < GRPCC_REFUSALS; reason++) {
        uint64_t refused = 0;
        for (size_t i = 0; i < GRPCC_METRICS_SHARDS; i++)
            refused += read_cell(&visit->metrics->own[i].refused[reason]);
        const struct grpcc_label label = {"grpcc.reason",
                                          grpcc_refusal_name((enum grpcc_refusal)reason)};
        tell_value(visit, &label, 1, (double)refused);
    }
}

static void visit_arenas(const struct visit *visit)
{
    static const struct grpcc_metric_info info = {
        .name = "grpcc.server.call.arena_size",
        .unit = "By",
        .help = "What a call held in its arena at its end.",
        .bounds = grpcc_size_bounds,
        .n_bounds = GRPCC_SIZE_BOUNDS,
    };
    uint64_t counts[COUNTS_MAX] = {0}, sum = 0;
    for (size_t i = 0; i < GRPCC_METRICS_SHARDS; i++) {
        const struct grpcc_own_shard *own = &visit->metrics->own[i];
        for (size_t bucket = 0; bucket <= GRPCC_SIZE_BOUNDS; bucket++)
            counts[bucket] += read_cell(&own->arenas[bucket]);
        sum += read_cell(&own->arena_bytes);
    }
    tell_metric(visit, GRPCC_HISTOGRAM, &info);
    tell_counts(visit, NULL, 0, counts, GRPCC_SIZE_BOUNDS + 1, (double)sum);
}

static void visit_own(const struct visit *visit)
{
    static const struct grpcc_metric_info lost = {
        .name = "grpcc.metrics.lost",
        .unit = "{call}",
        .help = "Calls that were not measured for want of memory.",
    };
    read_servers(visit);
    visit_gauge(visit, "grpcc.server.call.in_flight", "{call}",
                "Calls under way, without those of the built-in services.", in_flight);
    visit_gauge(visit, "grpcc.server.queue.length", "{call}", "Calls that wait for a worker.",
                queue_length);
    visit_gauge(visit, "grpcc.server.workers.busy", "{thread}", "Workers that run a call.",
                workers_busy);
    visit_refused(visit);
    visit_arenas(visit);
    visit_connections(visit);
    tell_metric(visit, GRPCC_COUNTER, &lost);
    tell_value(visit, NULL, 0, (double)read_cell(&visit->metrics->lost));
}

/* ---- the program's own ---- */

static void visit_series(const struct visit *visit, const struct grpcc_metric *metric)
{
    const struct grpcc_metric_info *info = &metric->info;
    uint64_t counts[COUNTS_MAX] = {0}, total = 0;
    double sum = 0;
    if (metric->read) {
        tell_value(visit, info->labels, info->n_labels, metric->read(metric->data));
        return;
    }
    for (size_t i = 0; i < GRPCC_METRICS_SHARDS; i++) {
        unsigned long long bits = read_cell(&metric->shards[i].sum);
        double part = 0;
        memcpy(&part, &bits, sizeof(part));
        total += bits;
        sum += part;
        for (size_t bucket = 0; bucket <= info->n_bounds; bucket++)
            counts[bucket] += read_cell(&metric->shards[i].counts[bucket]);
    }
    if (metric->kind == GRPCC_HISTOGRAM)
        tell_counts(visit, info->labels, info->n_labels, counts, info->n_bounds + 1, sum);
    else
        tell_value(visit, info->labels, info->n_labels, (double)total);
}

void grpcc_metrics_visit(struct grpcc_metrics *metrics, const struct grpcc_metrics_visitor *visitor,
                         void *self)
{
    const struct visit visit = {metrics, visitor, self};
    pthread_mutex_lock(&metrics->lock);
    visit_servers(&visit);
    visit_clients(&visit);
    visit_own(&visit);
    for (const struct grpcc_metric *metric = metrics->metrics; metric; metric = metric->next) {
        tell_metric(&visit, metric->kind, &metric->info);
        for (const struct grpcc_metric *series = metric; series; series = series->next_series)
            visit_series(&visit, series);
    }
    pthread_mutex_unlock(&metrics->lock);
}
