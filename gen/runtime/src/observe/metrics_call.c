/* SPDX-License-Identifier: Apache-2.0 */
/* Counting calls: found by the method's address, counted in this thread's shard. */
#include "gen/runtime/src/observe/metrics.h"

#include <string.h>

#include "gen/runtime/src/message/memory.h"
#include "grpcc/descriptor.h"

/* gRFC A66's buckets. */
const double grpcc_latency_bounds[GRPCC_LATENCY_BOUNDS] = {
    0,     0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004,
    0.005, 0.006,   0.008,   0.01,   0.013,  0.016,  0.02,   0.025, 0.03,  0.04,  0.05,
    0.065, 0.08,    0.1,     0.13,   0.16,   0.2,    0.25,   0.3,   0.4,   0.5,   0.65,
    0.8,   1,       2,       5,      10,     20,     50,     100,
};
const double grpcc_size_bounds[GRPCC_SIZE_BOUNDS] = {
    0,       1024,    2048,     4096,     16384,     65536,      262144,
    1048576, 4194304, 16777216, 67108864, 268435456, 1073741824, 4294967296,
};

/* The same in nanoseconds, for comparing whole numbers. */
static const int64_t latency_bounds_ns[GRPCC_LATENCY_BOUNDS] = {
    0,          10000,      50000,       100000,      300000,      600000,       800000,
    1000000,    2000000,    3000000,     4000000,     5000000,     6000000,      8000000,
    10000000,   13000000,   16000000,    20000000,    25000000,    30000000,     40000000,
    50000000,   65000000,   80000000,    100000000,   130000000,   160000000,    200000000,
    250000000,  300000000,  400000000,   500000000,   650000000,   800000000,    1000000000,
    2000000000, 5000000000, 10000000000, 20000000000, 50000000000, 100000000000,
};
static const int64_t size_bounds[GRPCC_SIZE_BOUNDS] = {
    0,       1024,    2048,     4096,     16384,     65536,      262144,
    1048576, 4194304, 16777216, 67108864, 268435456, 1073741824, 4294967296,
};

unsigned grpcc_metrics_shard(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned own; /* from 1 */
    if (own == 0)
        own =
            atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % GRPCC_METRICS_SHARDS + 1;
    return own - 1;
}

static void add(atomic_ullong *cell, uint64_t n)
{
    atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

/* The first bucket whose bound is not below value; n: the last one, without a bound. */
static size_t bucket_of(const int64_t *bounds, size_t n, int64_t value)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (bounds[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t size_bucket(uint64_t bytes)
{
    int64_t value = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
    return bucket_of(size_bounds, GRPCC_SIZE_BOUNDS, value);
}

/* ---- views ---- */

static void series_free_cells(struct grpcc_method_series *series)
{
    for (size_t i = 0; i < GRPCC_METRICS_SHARDS; i++)
        for (size_t status = 0; status < GRPCC_STATUSES; status++)
            grpcc_memory_free(atomic_load(&series->shards[i].cells[status]));
}

struct grpcc_metrics_view *grpcc_metrics_view_new(struct grpcc_metrics *metrics, const char *target)
{
    struct grpcc_metrics_view *view = grpcc_memory_zalloc(sizeof(*view));
    if (!view)
        return NULL;
    view->metrics = metrics;
    view->other.name = "other";
    view->series = &view->other;
    view->target = target ? grpcc_memory_strdup(target) : NULL;
    if (!target || view->target)
        return view;
    grpcc_memory_free(view);
    return NULL;
}

void grpcc_metrics_view_free(struct grpcc_metrics_view *view)
{
    struct grpcc_method_series *next = NULL;
    if (!view)
        return;
    for (struct grpcc_method_series *series = view->series; series; series = next) {
        next = series->next;
        series_free_cells(series);
        if (series != &view->other)
            grpcc_memory_free(series);
    }
    for (size_t i = 0; i < GRPCC_METRICS_TABLE; i++)
        grpcc_memory_free(atomic_load(&view->table[i]));
    grpcc_memory_free(view->target);
    grpcc_memory_free(view);
}

static struct grpcc_metrics_view *find_target_locked(const struct grpcc_metrics *metrics,
                                                     const char *target)
{
    struct grpcc_metrics_view *view = metrics->targets;
    while (view && strcmp(view->target, target) != 0)
        view = view->next;
    return view;
}

struct grpcc_metrics_view *grpcc_metrics_target(struct grpcc_metrics *metrics, const char *target)
{
    pthread_mutex_lock(&metrics->lock);
    struct grpcc_metrics_view *view = find_target_locked(metrics, target);
    if (!view && metrics->n_targets >= GRPCC_METRICS_TARGETS_MAX) {
        target = "other";
        view = find_target_locked(metrics, target);
    }
    if (!view) {
        view = grpcc_metrics_view_new(metrics, target);
        if (view) {
            view->next = metrics->targets;
            metrics->targets = view;
            metrics->n_targets++;
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    return view;
}

/* ---- methods ---- */

static size_t first_slot(const struct grpcc_method *method)
{
    uint64_t mixed = (uint64_t)(uintptr_t)method * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> 32) % GRPCC_METRICS_TABLE;
}

static struct grpcc_method_series *series_named_locked(struct grpcc_metrics_view *view,
                                                       const char *name)
{
    for (struct grpcc_method_series *series = view->series; series; series = series->next)
        if (series != &view->other && strcmp(series->name, name) == 0)
            return series;
    struct grpcc_method_series *series = grpcc_memory_zalloc(sizeof(*series));
    if (!series)
        return NULL;
    series->name = name;
    series->next = view->series;
    view->series = series;
    return series;
}

/* Adds the method to the table; "other" where there is no room. */
static struct grpcc_method_series *add_method(struct grpcc_metrics_view *view,
                                              const struct grpcc_method *method)
{
    struct grpcc_method_series *found = &view->other;
    const char *name = method->path[0] == '/' ? method->path + 1 : method->path;
    pthread_mutex_lock(&view->metrics->lock);
    size_t slot = first_slot(method);
    struct grpcc_method_entry *entry = NULL;
    while ((entry = atomic_load(&view->table[slot])) && entry->method != method)
        slot = (slot + 1) % GRPCC_METRICS_TABLE;
    if (!entry && atomic_load(&view->n_entries) < GRPCC_METRICS_METHODS_MAX) {
        struct grpcc_method_series *series = series_named_locked(view, name);
        entry = series ? grpcc_memory_zalloc(sizeof(*entry)) : NULL;
        if (entry) {
            *entry = (struct grpcc_method_entry){method, series};
            atomic_store_explicit(&view->table[slot], entry, memory_order_release);
            atomic_fetch_add(&view->n_entries, 1);
        }
    }
    if (entry)
        found = entry->series;
    pthread_mutex_unlock(&view->metrics->lock);
    return found;
}

static struct grpcc_method_series *series_of(struct grpcc_metrics_view *view,
                                             const struct grpcc_method *method)
{
    if (!method)
        return &view->other;
    /* Half of the table stays empty, which ends every search. */
    for (size_t slot = first_slot(method);; slot = (slot + 1) % GRPCC_METRICS_TABLE) {
        struct grpcc_method_entry *entry =
            atomic_load_explicit(&view->table[slot], memory_order_acquire);
        if (!entry && atomic_load_explicit(&view->n_entries, memory_order_relaxed) >=
                          GRPCC_METRICS_METHODS_MAX)
            return &view->other;
        if (!entry)
            return add_method(view, method);
        if (entry->method == method)
            return entry->series;
    }
}

static struct grpcc_call_cells *cells_of(struct grpcc_metrics_view *view,
                                         struct grpcc_method_series *series,
                                         enum grpcc_status status)
{
    _Atomic(struct grpcc_call_cells *) *place =
        &series->shards[grpcc_metrics_shard()]
             .cells[(unsigned)status < GRPCC_STATUSES ? status : GRPCC_UNKNOWN];
    struct grpcc_call_cells *cells = atomic_load_explicit(place, memory_order_acquire);
    if (cells)
        return cells;
    struct grpcc_call_cells *made = grpcc_memory_zalloc(sizeof(*made));
    if (!made) {
        add(&view->metrics->lost, 1);
        return NULL;
    }
    if (atomic_compare_exchange_strong(place, &cells, made))
        return made;
    grpcc_memory_free(made);
    return cells;
}

void grpcc_metrics_call_started(struct grpcc_metrics_view *view, const struct grpcc_method *method)
{
    add(&series_of(view, method)->shards[grpcc_metrics_shard()].started, 1);
}

void grpcc_metrics_call_ended(struct grpcc_metrics_view *view, const struct grpcc_method *method,
                              enum grpcc_status status, int64_t duration_ns, uint64_t bytes_sent,
                              uint64_t bytes_received)
{
    struct grpcc_call_cells *cells = cells_of(view, series_of(view, method), status);
    if (!cells)
        return;
    add(&cells->duration_ns, (uint64_t)(duration_ns > 0 ? duration_ns : 0));
    add(&cells->durations[bucket_of(latency_bounds_ns, GRPCC_LATENCY_BOUNDS, duration_ns)], 1);
    add(&cells->sent_bytes, bytes_sent);
    add(&cells->sent[size_bucket(bytes_sent)], 1);
    add(&cells->received_bytes, bytes_received);
    add(&cells->received[size_bucket(bytes_received)], 1);
}

void grpcc_metrics_own_ended(struct grpcc_metrics *metrics, const struct grpcc_call_facts *facts)
{
    struct grpcc_own_shard *own = &metrics->own[grpcc_metrics_shard()];
    if (facts->refusal)
        add(&own->refused[facts->refusal], 1);
    add(&own->arena_bytes, facts->arena_bytes);
    add(&own->arenas[size_bucket(facts->arena_bytes)], 1);
}
