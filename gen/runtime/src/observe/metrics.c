/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: servers that are measured, and the program's own metrics. */
#include "gen/runtime/src/observe/metrics.h"

#include <math.h>
#include <string.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/message/memory.h"

enum { NAME_MAX_BYTES = 128 };

/* ---- life ---- */

struct grpcc_metrics *grpcc_metrics_new(void)
{
    struct grpcc_metrics *metrics = grpcc_memory_zalloc(sizeof(*metrics));
    if (!metrics)
        return NULL;
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->servers = grpcc_metrics_view_new(metrics, NULL);
    if (metrics->servers)
        return metrics;
    grpcc_metrics_free(metrics);
    return NULL;
}

/* As far as it was built. */
static void metric_free(struct grpcc_metric *metric)
{
    for (size_t i = 0; metric->info.labels && i < metric->info.n_labels; i++) {
        grpcc_memory_free((void *)(uintptr_t)metric->info.labels[i].name);
        grpcc_memory_free((void *)(uintptr_t)metric->info.labels[i].value);
    }
    grpcc_memory_free((void *)(uintptr_t)metric->info.labels);
    grpcc_memory_free((void *)(uintptr_t)metric->info.bounds);
    grpcc_memory_free((void *)(uintptr_t)metric->info.name);
    grpcc_memory_free((void *)(uintptr_t)metric->info.unit);
    grpcc_memory_free((void *)(uintptr_t)metric->info.help);
    grpcc_memory_free(metric->shards);
    grpcc_memory_free(metric);
}

void grpcc_metrics_free(struct grpcc_metrics *metrics)
{
    if (!metrics)
        return;
    grpcc_metrics_view_free(metrics->servers);
    while (metrics->targets) {
        struct grpcc_metrics_view *view = metrics->targets;
        metrics->targets = view->next;
        grpcc_metrics_view_free(view);
    }
    while (metrics->metrics) {
        struct grpcc_metric *first = metrics->metrics;
        metrics->metrics = first->next;
        while (first) {
            struct grpcc_metric *next = first->next_series;
            metric_free(first);
            first = next;
        }
    }
    pthread_mutex_destroy(&metrics->lock);
    grpcc_memory_free(metrics);
}

/* ---- servers ---- */

static void call_started(void *self, struct grpcc_call *call)
{
    const struct grpcc_measured_server *measured = self;
    grpcc_metrics_call_started(measured->metrics->servers, grpcc_call_method(call));
}

static void call_ended(void *self, struct grpcc_call *call, const struct grpcc_call_facts *facts)
{
    const struct grpcc_measured_server *measured = self;
    struct grpcc_metrics *metrics = measured->metrics;
    if (!call)
        grpcc_metrics_call_started(metrics->servers, facts->method);
    grpcc_metrics_call_ended(metrics->servers, facts->method, facts->status,
                             facts->ended_ns - facts->started_ns, facts->bytes_sent,
                             facts->bytes_received);
    grpcc_metrics_own_ended(metrics, facts);
}

static void measured_free(struct grpcc_measured_server *measured)
{
    grpcc_memory_free(measured->name);
    grpcc_memory_free(measured);
}

static void server_released(void *self, struct grpcc_server *server)
{
    struct grpcc_measured_server *measured = self;
    struct grpcc_metrics *metrics = measured->metrics;
    (void)server;
    pthread_mutex_lock(&metrics->lock);
    struct grpcc_measured_server **at = &metrics->measured;
    while (*at && *at != measured)
        at = &(*at)->next;
    if (*at)
        *at = measured->next;
    pthread_mutex_unlock(&metrics->lock);
    measured_free(measured);
}

static bool is_measured(struct grpcc_metrics *metrics, const struct grpcc_server *server)
{
    pthread_mutex_lock(&metrics->lock);
    const struct grpcc_measured_server *measured = metrics->measured;
    while (measured && measured->server != server)
        measured = measured->next;
    pthread_mutex_unlock(&metrics->lock);
    return measured != NULL;
}

enum grpcc_status grpcc_metrics_attach(struct grpcc_metrics *metrics, struct grpcc_server *server,
                                       const char *name, struct grpcc_error *err)
{
    static const struct grpcc_observer observer = {
        .size = sizeof(observer),
        .started = call_started,
        .ended = call_ended,
        .released = server_released,
    };
    if (is_measured(metrics, server))
        return grpcc_error_set(err, GRPCC_ALREADY_EXISTS, "the server is measured already");
    struct grpcc_measured_server *measured = grpcc_memory_zalloc(sizeof(*measured));
    char *copy = measured ? grpcc_memory_strdup(name ? name : "") : NULL;
    if (!copy) {
        grpcc_memory_free(measured);
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory to measure the server");
    }
    *measured = (struct grpcc_measured_server){.metrics = metrics, .server = server, .name = copy};
    enum grpcc_status status = grpcc_server_add_observer(server, &observer, measured, err);
    if (status) {
        measured_free(measured);
        return status;
    }
    pthread_mutex_lock(&metrics->lock);
    measured->next = metrics->measured;
    metrics->measured = measured;
    pthread_mutex_unlock(&metrics->lock);
    return GRPCC_OK;
}

/* ---- the program's own ---- */

static bool is_name(const char *name)
{
    if (!name || !((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')))
        return false;
    for (const char *c = name; *c; c++)
        if (c - name >= NAME_MAX_BYTES || !((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                                            (*c >= '0' && *c <= '9') || *c == '_' || *c == '.'))
            return false;
    return true;
}

static enum grpcc_status check(const struct grpcc_metric_info *info, struct grpcc_error *err)
{
    if (!is_name(info->name))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "\"%.64s\" is no name of a metric: letters, digits, dots",
                               info->name ? info->name : "");
    if (strncmp(info->name, "grpc.", 5) == 0 || strncmp(info->name, "grpcc.", 6) == 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%.64s: grpc and grpcc are taken",
                               info->name);
    if (info->n_labels > GRPCC_METRICS_LABELS_MAX || info->n_bounds > GRPCC_METRICS_BOUNDS_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "%.64s: at most %d labels and %d bounds", info->name,
                               GRPCC_METRICS_LABELS_MAX, GRPCC_METRICS_BOUNDS_MAX);
    for (size_t i = 0; i < info->n_labels; i++)
        if (!is_name(info->labels[i].name) || !info->labels[i].value)
            return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%.64s: label %zu is no label",
                                   info->name, i);
    for (size_t i = 0; i < info->n_bounds; i++)
        if (!isfinite(info->bounds[i]) || (i && info->bounds[i] <= info->bounds[i - 1]))
            return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%.64s: bounds must rise",
                                   info->name);
    return GRPCC_OK;
}

static bool copy_labels(struct grpcc_metric *metric, const struct grpcc_metric_info *info)
{
    struct grpcc_label *labels = grpcc_memory_zalloc((info->n_labels + 1) * sizeof(*labels));
    metric->info.labels = labels;
    metric->info.n_labels = info->n_labels;
    if (!labels)
        return false;
    for (size_t i = 0; i < info->n_labels; i++) {
        labels[i].name = grpcc_memory_strdup(info->labels[i].name);
        labels[i].value = grpcc_memory_strdup(info->labels[i].value);
        if (!labels[i].name || !labels[i].value)
            return false;
    }
    return true;
}

static struct grpcc_metric *metric_new(enum grpcc_metric_kind kind,
                                       const struct grpcc_metric_info *info, bool counts)
{
    struct grpcc_metric *metric = grpcc_memory_zalloc(sizeof(*metric));
    if (!metric)
        return NULL;
    metric->kind = kind;
    metric->info.name = grpcc_memory_strdup(info->name);
    metric->info.unit = grpcc_memory_strdup(info->unit ? info->unit : "");
    metric->info.help = grpcc_memory_strdup(info->help ? info->help : "");
    metric->info.bounds =
        grpcc_memory_memdup(info->bounds ? info->bounds : (const double *)grpcc_size_bounds,
                            (info->n_bounds ? info->n_bounds : 1) * sizeof(double));
    metric->info.n_bounds = info->n_bounds;
    bool complete = copy_labels(metric, info) && metric->info.name && metric->info.unit &&
                    metric->info.help && metric->info.bounds;
    if (complete && counts) {
        metric->shards = grpcc_memory_zalloc(GRPCC_METRICS_SHARDS * sizeof(*metric->shards));
        complete = metric->shards != NULL;
    }
    if (complete)
        return metric;
    metric_free(metric);
    return NULL;
}

static bool same_labels(const struct grpcc_metric_info *a, const struct grpcc_metric_info *b)
{
    if (a->n_labels != b->n_labels)
        return false;
    for (size_t i = 0; i < a->n_labels; i++)
        if (strcmp(a->labels[i].name, b->labels[i].name) != 0 ||
            strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    return true;
}

/* Prometheus cannot tell dots from underscores. */
static bool same_name(const char *a, const char *b)
{
    while (*a && (*a == *b || ((*a == '.' || *a == '_') && (*b == '.' || *b == '_')))) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Links the metric behind those of its name; what is wrong with it, or NULL. */
static const char *link_locked(struct grpcc_metrics *metrics, struct grpcc_metric *metric)
{
    struct grpcc_metric **at = &metrics->metrics;
    if (metrics->n_metrics >= GRPCC_METRICS_OWN_MAX)
        return "too many metrics";
    while (*at && !same_name((*at)->info.name, metric->info.name))
        at = &(*at)->next;
    if (*at && ((*at)->kind != metric->kind || strcmp((*at)->info.name, metric->info.name) != 0 ||
                strcmp((*at)->info.unit, metric->info.unit) != 0 ||
                (*at)->info.n_bounds != metric->info.n_bounds))
        return "the name is taken, by another kind, unit or number of bounds";
    for (; *at; at = &(*at)->next_series)
        if (same_labels(&(*at)->info, &metric->info))
            return "the series exists";
    *at = metric;
    metrics->n_metrics++;
    return NULL;
}

static enum grpcc_status add_metric(struct grpcc_metrics *metrics, enum grpcc_metric_kind kind,
                                    const struct grpcc_metric_info *given,
                                    double (*read)(void *data), void *data,
                                    struct grpcc_metric **ret_metric, struct grpcc_error *err)
{
    struct grpcc_metric_info info = {.size = sizeof(info)};
    grpcc_options_copy(&info, sizeof(info), given);
    enum grpcc_status status = check(&info, err);
    if (status)
        return status;
    struct grpcc_metric *metric = metric_new(kind, &info, !read);
    if (!metric)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for %.64s", info.name);
    metric->read = read;
    metric->data = data;
    pthread_mutex_lock(&metrics->lock);
    const char *wrong = link_locked(metrics, metric);
    pthread_mutex_unlock(&metrics->lock);
    if (wrong) {
        metric_free(metric);
        return grpcc_error_set(err, GRPCC_ALREADY_EXISTS, "%.64s: %s", info.name, wrong);
    }
    if (ret_metric)
        *ret_metric = metric;
    return GRPCC_OK;
}

enum grpcc_status grpcc_metrics_add_counter(struct grpcc_metrics *metrics,
                                            const struct grpcc_metric_info *info,
                                            struct grpcc_metric **ret_metric,
                                            struct grpcc_error *err)
{
    return add_metric(metrics, GRPCC_COUNTER, info, NULL, NULL, ret_metric, err);
}

enum grpcc_status grpcc_metrics_add_histogram(struct grpcc_metrics *metrics,
                                              const struct grpcc_metric_info *info,
                                              struct grpcc_metric **ret_metric,
                                              struct grpcc_error *err)
{
    return add_metric(metrics, GRPCC_HISTOGRAM, info, NULL, NULL, ret_metric, err);
}

enum grpcc_status grpcc_metrics_add_reader(struct grpcc_metrics *metrics,
                                           enum grpcc_metric_kind kind,
                                           const struct grpcc_metric_info *info,
                                           double (*read)(void *data), void *data,
                                           struct grpcc_error *err)
{
    if (kind != GRPCC_COUNTER && kind != GRPCC_GAUGE)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "only counters and gauges are read");
    return add_metric(metrics, kind, info, read, data, NULL, err);
}

void grpcc_counter_add(struct grpcc_metric *counter, uint64_t n)
{
    if (counter && counter->shards && counter->kind == GRPCC_COUNTER)
        atomic_fetch_add_explicit(&counter->shards[grpcc_metrics_shard()].sum, n,
                                  memory_order_relaxed);
}

static void add_double(atomic_ullong *cell, double value)
{
    unsigned long long before = atomic_load_explicit(cell, memory_order_relaxed), after = 0;
    double sum = 0;
    do {
        memcpy(&sum, &before, sizeof(sum));
        sum += value;
        memcpy(&after, &sum, sizeof(after));
    } while (!atomic_compare_exchange_weak_explicit(cell, &before, after, memory_order_relaxed,
                                                    memory_order_relaxed));
}

void grpcc_histogram_record(struct grpcc_metric *histogram, double value)
{
    if (!histogram || histogram->kind != GRPCC_HISTOGRAM || isnan(value))
        return;
    struct grpcc_metric_shard *shard = &histogram->shards[grpcc_metrics_shard()];
    size_t bucket = 0;
    while (bucket < histogram->info.n_bounds && histogram->info.bounds[bucket] < value)
        bucket++;
    atomic_fetch_add_explicit(&shard->counts[bucket], 1, memory_order_relaxed);
    add_double(&shard->sum, value);
}
