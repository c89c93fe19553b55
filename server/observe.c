/* SPDX-License-Identifier: Apache-2.0 */
#include "server/observe.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "grpcc/access_log.h"
#include "grpcc/metrics.h"
#include "grpcc/prometheus.h"
#include "server/core/clock.h"
#include "server/core/library.h"
#include "server/core/log.h"
#include "server/core/memory.h"

/* What serves the metrics; most servers have none, and it brings a TLS library of its own. */
extern const struct comb_library comb_library_microhttpd;

/* What the parts of combd count, read all at once. */
struct counted {
    struct comb_sql_stats sql;
    struct comb_facts_stats facts;
    struct comb_operation_stats operations;
    struct comb_logs_stats logs;
    /* What files became that were read for search; sums in milliseconds. */
    struct {
        uint64_t text, truncated, unsupported, refused, bytes, programs, wall_ms, cpu_ms;
    } extract;
};

/* One number of it as a metric. label NULL: none. */
struct metric {
    const char *name, *unit, *help;
    enum grpcc_metric_kind kind;
    const char *label, *value;
    size_t offset; /* of a 64-bit number in struct counted */
};

#define NUMBER(member) offsetof(struct counted, member)

static const struct metric metrics[] = {
    {"comb.sql.requests", "{request}", "Requests to the sql row.", GRPCC_COUNTER, "comb.kind",
     "read", NUMBER(sql.reads)},
    {"comb.sql.requests", "{request}", "Requests to the sql row.", GRPCC_COUNTER, "comb.kind",
     "write", NUMBER(sql.writes)},
    {"comb.sql.commits", "{commit}", "Durable commits of the sql row.", GRPCC_COUNTER, NULL, NULL,
     NUMBER(sql.commits)},
    {"comb.sql.polls", "{poll}", "Looks at the sql row for changes by others.", GRPCC_COUNTER, NULL,
     NULL, NUMBER(sql.polls)},
    {"comb.sql.retries", "{request}", "Requests run again after a transaction was lost.",
     GRPCC_COUNTER, NULL, NULL, NUMBER(sql.retries)},
    {"comb.facts.lookups", "{lookup}", "Questions about folders, rights and roles.", GRPCC_COUNTER,
     "comb.result", "hit", NUMBER(facts.hits)},
    {"comb.facts.lookups", "{lookup}", "Questions about folders, rights and roles.", GRPCC_COUNTER,
     "comb.result", "miss", NUMBER(facts.misses)},
    {"comb.facts.polls", "{poll}", "Good polls of the feed.", GRPCC_COUNTER, NULL, NULL,
     NUMBER(facts.polls)},
    {"comb.facts.waits", "{lookup}", "Questions that waited for a poll.", GRPCC_COUNTER, NULL, NULL,
     NUMBER(facts.waits)},
    {"comb.facts.dropped_fills", "{value}", "Values that came too late to be remembered.",
     GRPCC_COUNTER, NULL, NULL, NUMBER(facts.dropped_fills)},
    {"comb.facts.shed", "{lookup}", "Questions that were refused unasked.", GRPCC_COUNTER, NULL,
     NULL, NUMBER(facts.shed)},
    {"comb.facts.size", "By", "Memory for folders, rights and roles.", GRPCC_GAUGE, NULL, NULL,
     NUMBER(facts.bytes)},
    {"comb.feed.position", "{entry}", "The newest entry of the feed that is known here.",
     GRPCC_GAUGE, NULL, NULL, NUMBER(facts.position.sequence)},
    {"comb.operations.ended", "{operation}", "Operations that this process ended.", GRPCC_COUNTER,
     "comb.result", "done", NUMBER(operations.done)},
    {"comb.operations.ended", "{operation}", "Operations that this process ended.", GRPCC_COUNTER,
     "comb.result", "failed", NUMBER(operations.failed)},
    {"comb.operations.ended", "{operation}", "Operations that this process ended.", GRPCC_COUNTER,
     "comb.result", "cancelled", NUMBER(operations.cancelled)},
    {"comb.operations.lost", "{operation}", "Operations left to others: no lease was kept.",
     GRPCC_COUNTER, NULL, NULL, NUMBER(operations.lost)},
    {"comb.operations.running", "{operation}", "Operations that this process runs.", GRPCC_GAUGE,
     NULL, NULL, NUMBER(operations.running)},
    {"comb.logs.appended", "{entry}", "Log entries that were appended here.", GRPCC_COUNTER, NULL,
     NULL, NUMBER(logs.appended)},
    {"comb.logs.followers", "{call}", "Who follows the logs here.", GRPCC_GAUGE, NULL, NULL,
     NUMBER(logs.followers)},
    {"comb.extract.files", "{file}", "Files that were read for search.", GRPCC_COUNTER,
     "comb.outcome", "text", NUMBER(extract.text)},
    {"comb.extract.files", "{file}", "Files that were read for search.", GRPCC_COUNTER,
     "comb.outcome", "truncated", NUMBER(extract.truncated)},
    {"comb.extract.files", "{file}", "Files that were read for search.", GRPCC_COUNTER,
     "comb.outcome", "unsupported", NUMBER(extract.unsupported)},
    {"comb.extract.files", "{file}", "Files that were read for search.", GRPCC_COUNTER,
     "comb.outcome", "refused", NUMBER(extract.refused)},
    {"comb.extract.text", "By", "Text that was read out of them.", GRPCC_COUNTER, NULL, NULL,
     NUMBER(extract.bytes)},
    {"comb.extract.programs", "{process}", "How often comb-extract was started.", GRPCC_COUNTER,
     NULL, NULL, NUMBER(extract.programs)},
    {"comb.extract.wall_time", "ms", "Time from taking a file to its end, all files.",
     GRPCC_COUNTER, NULL, NULL, NUMBER(extract.wall_ms)},
    {"comb.extract.cpu_time", "ms", "CPU time of comb-extract, all files.", GRPCC_COUNTER, NULL,
     NULL, NUMBER(extract.cpu_ms)},
};

enum { N_METRICS = sizeof metrics / sizeof metrics[0] };

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "struct metric.offset is of a 64-bit number");

struct reader {
    struct comb_services *services;
    const struct metric *metric;
};

/* One number of a row's status. */
struct store_metric {
    const char *name, *unit, *help;
    enum grpcc_metric_kind kind;
    double (*read)(const struct comb_store_status *status);
};

static double store_up(const struct comb_store_status *status)
{
    return status->state == COMB_STORE_UP;
}

static double store_connections(const struct comb_store_status *status)
{
    return status->connections;
}

static double store_in_flight(const struct comb_store_status *status)
{
    return status->in_flight;
}

static double store_requests(const struct comb_store_status *status)
{
    return (double)status->requests;
}

static double store_failures(const struct comb_store_status *status)
{
    return (double)status->failures;
}

static double store_reconnects(const struct comb_store_status *status)
{
    return (double)status->reconnects;
}

static const struct store_metric store_metrics[] = {
    {"comb.store.up", NULL, "1 where the row's store answers, else 0.", GRPCC_GAUGE, store_up},
    {"comb.store.connections", "{connection}", "Connections to the row's store.", GRPCC_GAUGE,
     store_connections},
    {"comb.store.in_flight", "{request}", "Requests to the row's store under way.", GRPCC_GAUGE,
     store_in_flight},
    {"comb.store.requests", "{request}", "Requests to the row's store.", GRPCC_COUNTER,
     store_requests},
    {"comb.store.failures", "{request}", "Requests that failed because of the store.",
     GRPCC_COUNTER, store_failures},
    {"comb.store.reconnects", "{reconnect}", "How often the row's store came back.", GRPCC_COUNTER,
     store_reconnects},
};

enum { N_STORE_METRICS = sizeof store_metrics / sizeof store_metrics[0] };

struct store_reader {
    const struct comb_rows *rows;
    enum comb_row row;
    const struct store_metric *metric;
};

/* One number of a consumer. */
struct consumer_metric {
    const char *name, *unit, *help;
    enum grpcc_metric_kind kind;
    double (*read)(const struct comb_consumer_stats *stats);
};

static double consumer_held(const struct comb_consumer_stats *stats)
{
    return stats->is_held;
}

static double consumer_rebuilding(const struct comb_consumer_stats *stats)
{
    return stats->is_held && stats->is_rebuilding;
}

static double consumer_lag(const struct comb_consumer_stats *stats)
{
    return stats->is_held ? (double)stats->lag_us / COMB_US_PER_S : 0;
}

static double consumer_taken(const struct comb_consumer_stats *stats)
{
    return (double)stats->taken;
}

static double consumer_lost(const struct comb_consumer_stats *stats)
{
    return (double)stats->lost;
}

static double consumer_entries(const struct comb_consumer_stats *stats)
{
    return (double)stats->entries;
}

static double consumer_failures(const struct comb_consumer_stats *stats)
{
    return (double)stats->failures;
}

static double consumer_set_aside(const struct comb_consumer_stats *stats)
{
    return (double)stats->set_aside;
}

static const struct consumer_metric consumer_metrics[] = {
    {"comb.consumer.held", NULL, "1 where this process holds the consumer, else 0.", GRPCC_GAUGE,
     consumer_held},
    {"comb.consumer.rebuilding", NULL, "1 where this process builds anew what it derives.",
     GRPCC_GAUGE, consumer_rebuilding},
    {"comb.consumer.lag", "s", "Age of the oldest change that waits for its effect.", GRPCC_GAUGE,
     consumer_lag},
    {"comb.consumer.takeovers", "{takeover}", "How often this process took the consumer.",
     GRPCC_COUNTER, consumer_taken},
    {"comb.consumer.lost", "{lease}", "How often it could not keep its lease.", GRPCC_COUNTER,
     consumer_lost},
    {"comb.consumer.entries", "{entry}", "Changes that this process gave their effect.",
     GRPCC_COUNTER, consumer_entries},
    {"comb.consumer.failures", "{failure}", "Batches that failed and were tried again.",
     GRPCC_COUNTER, consumer_failures},
    {"comb.consumer.set_aside", "{entry}", "Changes that this process set aside.", GRPCC_COUNTER,
     consumer_set_aside},
};

enum { N_CONSUMER_METRICS = sizeof consumer_metrics / sizeof consumer_metrics[0] };

struct consumer_reader {
    struct comb_consumers *consumers;
    size_t at; /* among the stats */
    const struct consumer_metric *metric;
};

struct comb_observe {
    const struct comb_options *options;
    struct comb_logs_sink *sink;         /* NULL: the log is not kept */
    struct grpcc_metrics *metrics;       /* NULL: nobody asked */
    struct grpcc_access_log *access_log; /* the same */
    struct grpcc_prometheus *prometheus; /* from _serve to _stop */
    struct reader readers[N_METRICS];
    struct store_reader store_readers[COMB_ROWS][N_STORE_METRICS];
    struct consumer_reader consumer_readers[COMB_CONSUMERS_STATS_MAX][N_CONSUMER_METRICS];
};

static enum comb_status translate(const struct grpcc_error *failure, const char *what,
                                  struct comb_error *err)
{
    return comb_error_set(err, (enum comb_status)failure->status, 0, "%s: %.200s", what,
                          failure->message);
}

/* ---- metrics ---- */

static void count_extract(struct comb_extract *extract, struct counted *counted)
{
    struct comb_extract_metrics files;
    if (!extract)
        return;
    comb_extract_metrics_get(extract, &files);
    counted->extract.text += files.texts;
    counted->extract.truncated += files.truncated;
    counted->extract.unsupported += files.unsupported;
    counted->extract.refused += files.files - files.texts - files.truncated - files.unsupported;
    counted->extract.bytes += files.text_bytes;
    counted->extract.programs += files.programs;
    counted->extract.wall_ms += (uint64_t)(files.wall_us / 1000);
    counted->extract.cpu_ms += (uint64_t)(files.cpu_us / 1000);
}

static double read_number(void *data)
{
    const struct reader *reader = data;
    struct counted counted;
    uint64_t number = 0;
    memset(&counted, 0, sizeof counted);
    comb_sql_get_stats(reader->services->sql, &counted.sql);
    comb_facts_get_stats(reader->services->facts, &counted.facts);
    comb_operation_engine_get_stats(reader->services->engine, &counted.operations);
    comb_logs_get_stats(reader->services->logs, &counted.logs);
    count_extract(reader->services->extract, &counted);
    count_extract(reader->services->extract_slow, &counted);
    memcpy(&number, (const char *)&counted + reader->metric->offset, sizeof number);
    return (double)number;
}

static double one(void *data)
{
    (void)data;
    return 1;
}

static double dropped_lines(void *data)
{
    struct grpcc_access_log_stats stats;
    grpcc_access_log_get_stats(data, &stats);
    return (double)stats.dropped;
}

static enum grpcc_status add_build(struct comb_observe *observe, struct grpcc_error *err)
{
    const struct grpcc_label version = {"comb.version", COMB_VERSION};
    const struct grpcc_metric_info info = {.size = sizeof info,
                                           .name = "comb.build",
                                           .help = "1, for the version that runs.",
                                           .labels = &version,
                                           .n_labels = 1};
    return grpcc_metrics_add_reader(observe->metrics, GRPCC_GAUGE, &info, one, NULL, err);
}

static enum grpcc_status add_dropped(struct comb_observe *observe, struct grpcc_error *err)
{
    const struct grpcc_metric_info info = {.size = sizeof info,
                                           .name = "comb.access_log.dropped",
                                           .unit = "{line}",
                                           .help = "Lines of the access log that were lost."};
    if (!observe->access_log)
        return GRPCC_OK;
    return grpcc_metrics_add_reader(observe->metrics, GRPCC_COUNTER, &info, dropped_lines,
                                    observe->access_log, err);
}

static double kept_of_log(void *data)
{
    struct comb_logs_sink_stats stats;
    comb_logs_sink_get_stats(data, &stats);
    return (double)stats.kept;
}

static double dropped_of_log(void *data)
{
    struct comb_logs_sink_stats stats;
    comb_logs_sink_get_stats(data, &stats);
    return (double)stats.dropped;
}

static enum grpcc_status add_log(struct comb_observe *observe, struct grpcc_error *err)
{
    const struct grpcc_metric_info kept = {.size = sizeof kept,
                                           .name = "comb.log.kept",
                                           .unit = "{line}",
                                           .help = "Lines of the log that were kept for comb log."};
    const struct grpcc_metric_info dropped = {
        .size = sizeof dropped,
        .name = "comb.log.dropped",
        .unit = "{line}",
        .help = "Lines that were to be kept for comb log and were lost."};
    if (!observe->sink)
        return GRPCC_OK;
    enum grpcc_status status = grpcc_metrics_add_reader(observe->metrics, GRPCC_COUNTER, &kept,
                                                        kept_of_log, observe->sink, err);
    if (status != GRPCC_OK)
        return status;
    return grpcc_metrics_add_reader(observe->metrics, GRPCC_COUNTER, &dropped, dropped_of_log,
                                    observe->sink, err);
}

static double read_store(void *data)
{
    const struct store_reader *reader = data;
    struct comb_store_status status;
    comb_rows_status(reader->rows, reader->row, &status);
    return reader->metric->read(&status);
}

/* Those of all rows that are open, with the row as label. */
static enum grpcc_status add_stores(struct comb_observe *observe, const struct comb_rows *rows,
                                    struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_OK;
    for (int row = 0; row < COMB_ROWS; row++) {
        const struct grpcc_label label = {"comb.row", comb_row_name((enum comb_row)row)};
        if (!comb_rows_store(rows, (enum comb_row)row))
            continue;
        for (size_t i = 0; i < N_STORE_METRICS && status == GRPCC_OK; i++) {
            const struct store_metric *metric = &store_metrics[i];
            struct store_reader *reader = &observe->store_readers[row][i];
            const struct grpcc_metric_info info = {.size = sizeof info,
                                                   .name = metric->name,
                                                   .unit = metric->unit,
                                                   .help = metric->help,
                                                   .labels = &label,
                                                   .n_labels = 1};
            *reader = (struct store_reader){rows, (enum comb_row)row, metric};
            status = grpcc_metrics_add_reader(observe->metrics, metric->kind, &info, read_store,
                                              reader, err);
        }
    }
    return status;
}

static double read_consumer(void *data)
{
    const struct consumer_reader *reader = data;
    struct comb_consumer_stats stats[COMB_CONSUMERS_STATS_MAX];
    (void)comb_consumers_get_stats(reader->consumers, stats, COMB_CONSUMERS_STATS_MAX);
    return reader->metric->read(&stats[reader->at]);
}

/* Those of all consumers, with the name as label. */
static enum grpcc_status add_consumers(struct comb_observe *observe,
                                       struct comb_consumers *consumers, struct grpcc_error *err)
{
    struct comb_consumer_stats stats[COMB_CONSUMERS_STATS_MAX];
    enum grpcc_status status = GRPCC_OK;
    size_t n = comb_consumers_get_stats(consumers, stats, COMB_CONSUMERS_STATS_MAX);
    for (size_t at = 0; at < n; at++) {
        const struct grpcc_label label = {"comb.consumer", stats[at].name};
        for (size_t i = 0; i < N_CONSUMER_METRICS && status == GRPCC_OK; i++) {
            const struct consumer_metric *metric = &consumer_metrics[i];
            struct consumer_reader *reader = &observe->consumer_readers[at][i];
            const struct grpcc_metric_info info = {.size = sizeof info,
                                                   .name = metric->name,
                                                   .unit = metric->unit,
                                                   .help = metric->help,
                                                   .labels = &label,
                                                   .n_labels = 1};
            *reader = (struct consumer_reader){consumers, at, metric};
            status = grpcc_metrics_add_reader(observe->metrics, metric->kind, &info, read_consumer,
                                              reader, err);
        }
    }
    return status;
}

static enum comb_status add_metrics(struct comb_observe *observe, struct comb_services *services,
                                    struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    observe->metrics = grpcc_metrics_new();
    if (!observe->metrics)
        return comb_error_no_memory(err);
    enum grpcc_status status = add_build(observe, &failure);
    if (status == GRPCC_OK)
        status = add_dropped(observe, &failure);
    if (status == GRPCC_OK)
        status = add_log(observe, &failure);
    if (status == GRPCC_OK)
        status = add_stores(observe, services->rows, &failure);
    if (status == GRPCC_OK)
        status = add_consumers(observe, services->consumers, &failure);
    for (size_t i = 0; i < N_METRICS && status == GRPCC_OK; i++) {
        const struct metric *metric = &metrics[i];
        const struct grpcc_label label = {metric->label, metric->value};
        const struct grpcc_metric_info info = {.size = sizeof info,
                                               .name = metric->name,
                                               .unit = metric->unit,
                                               .help = metric->help,
                                               .labels = &label,
                                               .n_labels = metric->label ? 1 : 0};
        observe->readers[i] = (struct reader){services, metric};
        status = grpcc_metrics_add_reader(observe->metrics, metric->kind, &info, read_number,
                                          &observe->readers[i], &failure);
    }
    return status == GRPCC_OK ? COMB_OK : translate(&failure, "metrics", err);
}

/* ---- the access log ---- */

static const char *user_of(void *data, struct grpcc_call *call)
{
    (void)data;
    return comb_dispatch_user(call);
}

bool comb_observe_has_file(const struct comb_options *options)
{
    return options->access_log && strcmp(options->access_log, "-") != 0;
}

static enum comb_status open_log(struct comb_observe *observe, struct comb_error *err)
{
    struct grpcc_access_log_options log = {.size = sizeof log, .user = user_of, .no_health = true};
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_observe_has_file(observe->options))
        log.path = observe->options->access_log;
    else
        log.fd = STDOUT_FILENO;
    observe->access_log = grpcc_access_log_new(&log, &failure);
    return observe->access_log ? COMB_OK : translate(&failure, "--access-log", err);
}

void comb_observe_reopen(struct comb_observe *observe)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (grpcc_access_log_reopen(observe->access_log, &failure) == GRPCC_OK)
        comb_log(COMB_LOG_INFO, "run", "opened the access log again",
                 comb_log_text("path", comb_str_from(observe->options->access_log)));
    else
        comb_log(COMB_LOG_ERROR, "run", "cannot open the access log again",
                 comb_log_text("fault", comb_str_from(failure.message)));
}

/* ---- life ---- */

enum comb_status comb_observe_open(const struct comb_options *options,
                                   struct comb_services *services, struct comb_logs_sink *sink,
                                   struct comb_observe **ret_observe, struct comb_error *err)
{
    struct comb_observe *observe = comb_memory_zalloc(sizeof *observe);
    enum comb_status status = COMB_OK;
    if (!observe)
        return comb_error_no_memory(err);
    observe->options = options;
    observe->sink = sink;
    if (options->access_log)
        status = open_log(observe, err);
    if (status == COMB_OK && options->metrics_listen)
        status = add_metrics(observe, services, err);
    if (status == COMB_OK)
        *ret_observe = observe;
    else
        comb_observe_free(observe);
    return status;
}

enum comb_status comb_observe_attach(struct comb_observe *observe, struct grpcc_server *server,
                                     const char *name, struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (observe->metrics && grpcc_metrics_attach(observe->metrics, server, name, &failure))
        return translate(&failure, "metrics", err);
    if (observe->access_log && grpcc_access_log_attach(observe->access_log, server, &failure))
        return translate(&failure, "--access-log", err);
    return observe->sink ? comb_logs_sink_attach(observe->sink, server, err) : COMB_OK;
}

enum comb_status comb_observe_serve(struct comb_observe *observe, struct grpcc_server *api,
                                    struct grpcc_server *admin,
                                    char ret_address[COMB_ADDRESS_TEXT_MAX], struct comb_error *err)
{
    const char *address = observe->options->metrics_listen;
    char host[COMB_ADDRESS_TEXT_MAX];
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    ret_address[0] = '\0';
    if (!address)
        return COMB_OK;
    enum comb_status status =
        comb_listen_plain_check("--metrics-listen", address, observe->options, host, err);
    if (status == COMB_OK)
        status = comb_library_load(&comb_library_microhttpd, err);
    if (status != COMB_OK)
        return status;
    const struct grpcc_prometheus_options options = {.size = sizeof options, .address = address};
    observe->prometheus = grpcc_prometheus_new(observe->metrics, &options, &failure);
    if (!observe->prometheus ||
        grpcc_prometheus_add_server(observe->prometheus, "api", api, &failure) ||
        grpcc_prometheus_add_server(observe->prometheus, "admin", admin, &failure))
        return translate(&failure, "--metrics-listen", err);
    snprintf(ret_address, COMB_ADDRESS_TEXT_MAX, "%.200s:%d", host,
             grpcc_prometheus_port(observe->prometheus));
    return COMB_OK;
}

/* ---- how long calls take ---- */

/* What is put together of all methods. */
struct durations {
    bool is_asked; /* the metric that is visited */
    double bounds[GRPCC_METRICS_BOUNDS_MAX];
    size_t n_bounds;
    uint64_t counts[GRPCC_METRICS_BOUNDS_MAX + 1];
};

static void durations_metric(void *self, enum grpcc_metric_kind kind,
                             const struct grpcc_metric_info *info)
{
    struct durations *durations = self;
    durations->is_asked =
        kind == GRPCC_HISTOGRAM && strcmp(info->name, "grpc.server.call.duration") == 0;
    if (!durations->is_asked)
        return;
    durations->n_bounds = info->n_bounds;
    memcpy(durations->bounds, info->bounds, info->n_bounds * sizeof *info->bounds);
}

/* Whether it is of the API, and ends by itself. */
static bool is_timed(const char *method)
{
    static const char *const endless[] = {"/Watch", "/Subscribe", "/Wait"};
    const char *name = strchr(method, '/');
    if (!name || strncmp(method, "comb.v1.", sizeof "comb.v1." - 1) != 0 ||
        strncmp(method, "comb.v1.Admin/", sizeof "comb.v1.Admin/" - 1) == 0)
        return false;
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++)
        if (strcmp(name, endless[i]) == 0)
            return false;
    return true;
}

static void durations_point(void *self, const struct grpcc_metric_point *point)
{
    struct durations *durations = self;
    bool is_timed_method = false;
    for (size_t i = 0; durations->is_asked && i < point->n_labels; i++)
        if (strcmp(point->labels[i].name, "grpc.method") == 0)
            is_timed_method = is_timed(point->labels[i].value);
    for (size_t i = 0; is_timed_method && i <= durations->n_bounds; i++)
        durations->counts[i] += point->counts[i];
}

size_t comb_observe_durations(struct comb_observe *observe, struct grpcc_arena *arena,
                              struct comb_admin_statistic *ret, size_t n_max)
{
    static const struct grpcc_metrics_visitor visitor = {durations_metric, durations_point};
    struct durations *durations = grpcc_arena_calloc(arena, 1, sizeof *durations);
    size_t n = 0;
    if (!durations || !observe->metrics)
        return 0;
    grpcc_metrics_visit(observe->metrics, &visitor, durations);
    for (size_t i = 0; durations->n_bounds > 0 && i <= durations->n_bounds && n < n_max; i++) {
        const char *name = i == durations->n_bounds
                               ? "le_inf"
                               : grpcc_arena_printf(arena, "le_%.0f", durations->bounds[i] * 1e6);
        if (name)
            ret[n++] = (struct comb_admin_statistic){"durations", name, durations->counts[i]};
    }
    return n;
}

void comb_observe_stop(struct comb_observe *observe)
{
    if (!observe)
        return;
    grpcc_prometheus_free(observe->prometheus);
    observe->prometheus = NULL;
}

void comb_observe_free(struct comb_observe *observe)
{
    if (!observe)
        return;
    comb_observe_stop(observe);
    grpcc_metrics_free(observe->metrics);
    grpcc_access_log_free(observe->access_log);
    comb_memory_free(observe);
}
