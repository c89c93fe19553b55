/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/sink.h"

#include <pthread.h>
#include <stdatomic.h>

#include "grpcc/observer.h"
#include "grpcc/trace.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/limits.h"
#include "server/core/memory.h"

#define COMPONENT "logs"
/* Between tries of a batch. */
#define RETRY_FIRST_MS 100
#define RETRY_MS_MAX 5000

/* A line that waits; one piece of memory with the texts of its fields. */
struct waiting {
    struct waiting *next;
    size_t size;
    struct comb_log_line line;
    struct comb_log_field fields[];
};

struct comb_logs_sink {
    enum comb_log_level level;
    comb_logs_sink_append_fn append;
    void *data;
    pthread_t thread;
    bool has_thread;
    _Atomic uint64_t kept, dropped;

    pthread_mutex_t lock; /* never held for longer than a line takes to be hung in */
    pthread_cond_t wake;
    struct waiting *first, **last;
    size_t n, bytes;
    bool stopping;
    int64_t stop_ns; /* CLOCK_MONOTONIC: when it ends, whatever waits */

    /* of the thread alone */
    struct comb_backoff backoff;
    uint64_t told; /* of those dropped */
    bool has_complained;
};

/* What it logs, or what logs beneath it, is not for the store. */
static _Thread_local bool is_sinks_thread;

/* ---- lines come in ---- */

/* Under these the stores of the docs row log, also on threads of their own. */
static bool is_of_the_row(const char *component)
{
    static const char *const components[] = {"docs.mongodb", "sql.sqlite", COMPONENT};
    for (size_t i = 0; i < sizeof components / sizeof components[0]; i++)
        if (strcmp(component, components[i]) == 0)
            return true;
    return false;
}

static size_t cut(comb_str text)
{
    return text.len < COMB_LOG_VALUE_MAX ? text.len : COMB_LOG_VALUE_MAX;
}

/* Messages, components and names of fields are static, texts are not. NULL: no memory. */
static struct waiting *copy_line(const struct comb_log_line *line)
{
    size_t n =
        line->n_fields < COMB_LOGS_SINK_FIELDS_MAX ? line->n_fields : COMB_LOGS_SINK_FIELDS_MAX;
    size_t size = sizeof(struct waiting) + n * sizeof(struct comb_log_field);
    for (size_t i = 0; i < n; i++)
        size += line->fields[i].is_text ? cut(line->fields[i].text) : 0;
    struct waiting *copy = comb_memory_alloc(size);
    if (!copy)
        return NULL;
    *copy = (struct waiting){.size = size, .line = *line};
    char *text = (char *)(copy->fields + n);
    for (size_t i = 0; i < n; i++) {
        copy->fields[i] = line->fields[i];
        if (!line->fields[i].is_text)
            continue;
        size_t len = cut(line->fields[i].text);
        if (len > 0)
            memcpy(text, line->fields[i].text.ptr, len);
        copy->fields[i].text = comb_str_of(text, len);
        text += len;
    }
    copy->line.fields = copy->fields;
    copy->line.n_fields = n;
    return copy;
}

/* False: there is no room. *ret_wakes: the thread waits for a first line, or for a batch. */
static bool hang_in(struct comb_logs_sink *sink, struct waiting *line, bool *ret_wakes)
{
    pthread_mutex_lock(&sink->lock);
    bool fits =
        sink->n < COMB_LOGS_SINK_LINES_MAX && line->size <= COMB_LOGS_SINK_BYTES_MAX - sink->bytes;
    if (fits) {
        *sink->last = line;
        sink->last = &line->next;
        sink->n++;
        sink->bytes += line->size;
    }
    *ret_wakes = fits && (sink->n == 1 || sink->n == COMB_LOGS_SINK_BATCH_MAX);
    pthread_mutex_unlock(&sink->lock);
    return fits;
}

static void take_line(void *data, const struct comb_log_line *line)
{
    struct comb_logs_sink *sink = data;
    bool wakes = false;
    if (line->level > sink->level || is_sinks_thread || is_of_the_row(line->component))
        return;
    struct waiting *copy = copy_line(line);
    if (copy && hang_in(sink, copy, &wakes)) {
        if (wakes)
            pthread_cond_signal(&sink->wake);
        return;
    }
    comb_memory_free(copy);
    atomic_fetch_add(&sink->dropped, 1);
}

/* ---- calls that the dispatcher never saw ---- */

static void take_call(void *self, struct grpcc_call *call, const struct grpcc_call_facts *facts)
{
    if (facts->status == GRPCC_OK || (facts->refusal == GRPCC_NOT_REFUSED && facts->method))
        return;
    const struct comb_log_field fields[] = {
        comb_log_text("method", comb_str_from(facts->path)),
        comb_log_text("status", comb_str_from(grpcc_status_name(facts->status))),
        comb_log_integer("duration_us", (facts->ended_ns - facts->started_ns) / 1000),
        comb_log_text("peer", comb_str_from(call ? grpcc_call_peer(call) : "")),
        comb_log_text("trace", comb_str_from(call ? grpcc_call_trace_id(call) : "")),
        comb_log_text("refused", comb_str_from(grpcc_refusal_name(facts->refusal))),
    };
    const struct comb_log_line line = {.time_us = comb_clock_wall_us(),
                                       .level = COMB_LOG_INFO,
                                       .component = "rpc",
                                       .message = "call refused",
                                       .fields = fields,
                                       .n_fields = sizeof fields / sizeof fields[0]};
    take_line(self, &line);
}

enum comb_status comb_logs_sink_attach(struct comb_logs_sink *sink, struct grpcc_server *server,
                                       struct comb_error *err)
{
    static const struct grpcc_observer observer = {.size = sizeof observer, .ended = take_call};
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (grpcc_server_add_observer(server, &observer, sink, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, (enum comb_status)failure.status, 0, "%.200s", failure.message);
}

/* ---- and go out ---- */

/* Waits for lines, then a little for more of them, and takes up to max. NULL: it is the end. */
static struct waiting *take_batch(struct comb_logs_sink *sink, size_t max)
{
    pthread_mutex_lock(&sink->lock);
    while (!sink->stopping && sink->n == 0)
        pthread_cond_wait(&sink->wake, &sink->lock);
    int64_t until_ns = comb_clock_in_ms(COMB_LOGS_SINK_GATHER_MS);
    while (!sink->stopping && sink->n < max &&
           comb_cond_wait_until(&sink->wake, &sink->lock, until_ns))
        continue;
    struct waiting *batch = sink->first, **end = &sink->first;
    for (size_t i = 0; i < max && *end; i++, end = &(*end)->next) {
        sink->bytes -= (*end)->size;
        sink->n--;
    }
    sink->first = *end;
    *end = NULL;
    if (!sink->first)
        sink->last = &sink->first;
    pthread_mutex_unlock(&sink->lock);
    return batch;
}

/* Waits before a batch is tried again. False: there is no time left. */
static bool may_try_again(struct comb_logs_sink *sink)
{
    int64_t until_ns = comb_clock_in_ms(comb_backoff_next_ms(&sink->backoff));
    pthread_mutex_lock(&sink->lock);
    while (
        comb_cond_wait_until(&sink->wake, &sink->lock,
                             sink->stopping && sink->stop_ns < until_ns ? sink->stop_ns : until_ns))
        continue;
    bool is_over = sink->stopping && comb_clock_monotonic_ns() >= sink->stop_ns;
    pthread_mutex_unlock(&sink->lock);
    return !is_over;
}

static int64_t deadline_of(struct comb_logs_sink *sink)
{
    int64_t deadline_ns = comb_clock_in_ms(COMB_LOGS_SINK_APPEND_MS_MAX);
    pthread_mutex_lock(&sink->lock);
    if (sink->stopping && sink->stop_ns < deadline_ns)
        deadline_ns = sink->stop_ns;
    pthread_mutex_unlock(&sink->lock);
    return deadline_ns;
}

static enum comb_status append_once(struct comb_logs_sink *sink, const struct comb_uuid *id,
                                    const struct comb_log_line *const *lines, size_t n,
                                    struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    struct comb_ctx ctx = {.arena = arena, .deadline_ns = deadline_of(sink)};
    enum comb_status status = comb_ctx_check(&ctx, err);
    if (status == COMB_OK)
        status = sink->append(sink->data, &ctx, id, lines, n, err);
    grpcc_arena_free(arena);
    return status;
}

static void complain(struct comb_logs_sink *sink, const struct comb_error *err)
{
    /* Once, until it is good again. */
    comb_log_error(sink->has_complained ? COMB_LOG_DEBUG : COMB_LOG_WARN, COMPONENT,
                   "lines of the log wait to be kept", err);
    sink->has_complained = true;
}

/* What will be the same at the next try. */
static bool is_final(enum comb_status status)
{
    return status == COMB_INVALID_ARGUMENT || status == COMB_FAILED_PRECONDITION ||
           status == COMB_OUT_OF_RANGE || status == COMB_UNIMPLEMENTED;
}

static bool append_all(struct comb_logs_sink *sink, const struct comb_log_line *const *lines,
                       size_t n)
{
    const struct comb_uuid id = comb_uuid_new();
    enum comb_status status;
    do {
        struct comb_error err = {0};
        status = append_once(sink, &id, lines, n, &err);
        if (status != COMB_OK)
            complain(sink, &err);
    } while (status != COMB_OK && !is_final(status) && may_try_again(sink));
    if (status != COMB_OK)
        return false;
    comb_backoff_reset(&sink->backoff);
    sink->has_complained = false;
    return true;
}

static void free_batch(struct waiting *batch)
{
    while (batch) {
        struct waiting *next = batch->next;
        comb_memory_free(batch);
        batch = next;
    }
}

/* One batch; in front of it, how many lines were lost since that was told last. */
static void deliver(struct comb_logs_sink *sink, struct waiting *batch)
{
    const struct comb_log_line *lines[COMB_LOGS_SINK_BATCH_MAX];
    uint64_t dropped = atomic_load(&sink->dropped);
    const struct comb_log_field lost = comb_log_integer("n", (int64_t)(dropped - sink->told));
    const struct comb_log_line told = {.time_us = batch->line.time_us,
                                       .level = COMB_LOG_WARN,
                                       .component = COMPONENT,
                                       .message = "lines of the log were lost",
                                       .fields = &lost,
                                       .n_fields = 1};
    size_t n = 0, n_told = dropped > sink->told;
    if (n_told) {
        comb_log_write(told.level, told.component, told.message, told.fields, told.n_fields);
        lines[n++] = &told;
    }
    for (struct waiting *line = batch; line; line = line->next)
        lines[n++] = &line->line;
    if (append_all(sink, lines, n)) {
        sink->told = dropped;
        atomic_fetch_add(&sink->kept, n - n_told);
    } else {
        atomic_fetch_add(&sink->dropped, n - n_told);
    }
    free_batch(batch);
}

static void *run(void *data)
{
    struct comb_logs_sink *sink = data;
    struct waiting *batch;
    is_sinks_thread = true;
    /* Room for the line that tells of lost ones. */
    while ((batch = take_batch(sink, COMB_LOGS_SINK_BATCH_MAX - 1)))
        deliver(sink, batch);
    uint64_t lost = atomic_load(&sink->dropped) - sink->told;
    if (lost > 0)
        comb_log(COMB_LOG_WARN, COMPONENT, "lines of the log were lost",
                 comb_log_integer("n", (int64_t)lost));
    return NULL;
}

/* ---- life ---- */

enum comb_status comb_logs_sink_new(enum comb_log_level level, struct comb_logs_sink **ret_sink,
                                    struct comb_error *err)
{
    struct comb_logs_sink *sink = comb_memory_zalloc(sizeof *sink);
    if (!sink)
        return comb_error_no_memory(err);
    sink->level = level;
    sink->last = &sink->first;
    sink->backoff = (struct comb_backoff){RETRY_FIRST_MS, RETRY_MS_MAX, 0};
    pthread_mutex_init(&sink->lock, NULL);
    comb_cond_init(&sink->wake);
    comb_log_set_sink(take_line, sink);
    *ret_sink = sink;
    return COMB_OK;
}

enum comb_status comb_logs_sink_start(struct comb_logs_sink *sink, comb_logs_sink_append_fn append,
                                      void *data, struct comb_error *err)
{
    sink->append = append;
    sink->data = data;
    sink->has_thread = pthread_create(&sink->thread, NULL, run, sink) == 0;
    if (!sink->has_thread)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the log");
    return COMB_OK;
}

void comb_logs_sink_stop(struct comb_logs_sink *sink)
{
    if (!sink)
        return;
    comb_log_set_sink(NULL, NULL);
    if (!sink->has_thread)
        return;
    pthread_mutex_lock(&sink->lock);
    sink->stopping = true;
    sink->stop_ns = comb_clock_in_ms(COMB_LOGS_SINK_STOP_MS_MAX);
    pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
    pthread_join(sink->thread, NULL);
    sink->has_thread = false;
}

void comb_logs_sink_free(struct comb_logs_sink *sink)
{
    if (!sink)
        return;
    comb_logs_sink_stop(sink);
    free_batch(sink->first);
    pthread_cond_destroy(&sink->wake);
    pthread_mutex_destroy(&sink->lock);
    comb_memory_free(sink);
}

void comb_logs_sink_get_stats(const struct comb_logs_sink *sink,
                              struct comb_logs_sink_stats *ret_stats)
{
    ret_stats->kept = atomic_load(&sink->kept);
    ret_stats->dropped = atomic_load(&sink->dropped);
}
