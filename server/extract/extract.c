/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/extract.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/extract/session.h"

struct item {
    struct item *next;
    uint64_t id;
    struct comb_extract_job job;
    struct comb_extract_source source;
    comb_extract_done_fn *done;
    void *data;
    atomic_bool cancelled;
};

struct worker {
    struct comb_extract *extract;
    pthread_t thread;
    bool has_thread;
    int wake; /* eventfd: the item is cancelled */
    struct item *item;
    struct comb_extract_process process; /* its thread's alone */
};

/* lock: all but what is written once. Nothing of a caller's is called under it. */
struct comb_extract {
    struct comb_extract_options options;
    char *program;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct item *first, *last;
    bool stopping;
    uint64_t last_id;
    struct comb_extract_metrics metrics;
    struct worker *workers;
    uint32_t n_workers;
};

/* ---- how a file ends ---- */

static void count(struct comb_extract_metrics *metrics, const struct comb_extract_result *result)
{
    metrics->files++;
    metrics->texts += result->outcome == COMB_EXTRACT_TEXT;
    metrics->truncated += result->outcome == COMB_EXTRACT_TRUNCATED;
    metrics->unsupported += result->outcome == COMB_EXTRACT_UNSUPPORTED;
    if (result->reason != COMB_EXTRACT_REASON_NONE)
        metrics->by_reason[result->reason]++;
    metrics->text_bytes += result->text.len;
    metrics->wall_us += result->wall_us;
    metrics->cpu_us += result->cpu_us;
}

/* Tells the caller, and frees the item, which nobody else knows any more. */
static void finish(struct comb_extract *extract, struct item *item,
                   const struct comb_extract_result *result)
{
    if (item->source.release)
        item->source.release(item->source.data);
    pthread_mutex_lock(&extract->lock);
    count(&extract->metrics, result);
    pthread_mutex_unlock(&extract->lock);
    item->done(item->data, result);
    comb_memory_free(item);
}

static void finish_cancelled(struct comb_extract *extract, struct item *item)
{
    const struct comb_extract_result result = {.outcome = COMB_EXTRACT_REFUSED,
                                               .reason = COMB_EXTRACT_REASON_CANCELLED};
    finish(extract, item, &result);
}

/* ---- threads ---- */

/* A comb-extract that is ready; false: there is none to be had. */
static bool worker_ready(struct worker *worker)
{
    struct comb_extract *extract = worker->extract;
    struct comb_error err = {0};
    enum comb_status status;
    bool had_namespaces;
    if (worker->process.files >= extract->options.files_per_program)
        comb_extract_process_stop(&worker->process);
    if (worker->process.pid > 0)
        return true;
    status = comb_extract_process_start(&worker->process, extract->program, &err);
    if (status) {
        comb_log_error(COMB_LOG_WARN, "extract", "no text is extracted", &err);
        return false;
    }
    pthread_mutex_lock(&extract->lock);
    had_namespaces = extract->metrics.namespaces || extract->metrics.programs > 0;
    extract->metrics.programs++;
    extract->metrics.namespaces = worker->process.has_namespaces;
    pthread_mutex_unlock(&extract->lock);
    if (!worker->process.has_namespaces && !had_namespaces)
        comb_log(COMB_LOG_WARN, "extract",
                 "no namespaces here: parsers are confined by the filter of system calls alone",
                 comb_log_text("program", comb_str_from(extract->program)));
    return true;
}

static void worker_run_item(struct worker *worker, struct item *item)
{
    struct comb_extract *extract = worker->extract;
    struct comb_extract_result result = {.outcome = COMB_EXTRACT_REFUSED,
                                         .reason = COMB_EXTRACT_REASON_UNAVAILABLE};
    const struct comb_extract_session session = {.process = &worker->process,
                                                 .job = &item->job,
                                                 .source = &item->source,
                                                 .cancelled = &item->cancelled,
                                                 .wake = worker->wake};
    struct comb_buf text;
    comb_buf_init(&text, item->job.limits.output_bytes);
    if (worker_ready(worker))
        comb_extract_session_run(&session, &text, &result);
    pthread_mutex_lock(&extract->lock);
    worker->item = NULL;
    extract->metrics.running--;
    pthread_mutex_unlock(&extract->lock);
    finish(extract, item, &result);
    comb_buf_done(&text);
}

/* Takes the first item that waits; NULL: the pool ends. */
static struct item *worker_take(struct worker *worker)
{
    struct comb_extract *extract = worker->extract;
    struct item *item = NULL;
    eventfd_t told;
    pthread_mutex_lock(&extract->lock);
    while (!extract->stopping && !extract->first)
        pthread_cond_wait(&extract->changed, &extract->lock);
    if (!extract->stopping) {
        item = extract->first;
        extract->first = item->next;
        if (!extract->first)
            extract->last = NULL;
        extract->metrics.queued--;
        extract->metrics.running++;
        (void)eventfd_read(worker->wake, &told); /* of the item before */
        worker->item = item;
    }
    pthread_mutex_unlock(&extract->lock);
    return item;
}

static void *worker_main(void *data)
{
    struct worker *worker = data;
    struct item *item;
    while ((item = worker_take(worker)) != NULL)
        worker_run_item(worker, item);
    comb_extract_process_stop(&worker->process);
    return NULL;
}

/* ---- the pool ---- */

static enum comb_status check_options(const struct comb_extract_options *options,
                                      struct comb_error *err)
{
    if (options->workers > COMB_EXTRACT_WORKERS_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "at most %u workers extract text",
                              COMB_EXTRACT_WORKERS_MAX);
    if (options->queue_max > COMB_EXTRACT_QUEUE_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "at most %u files may wait",
                              COMB_EXTRACT_QUEUE_MAX);
    if (!options->program || options->program[0] != '/')
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the path of comb-extract has to be absolute");
    if (access(options->program, X_OK) != 0)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s: %s; comb-extract belongs beside combd", options->program,
                              strerror(errno));
    return COMB_OK;
}

static void complete(struct comb_extract_options *options)
{
    if (options->workers == 0)
        options->workers = COMB_EXTRACT_WORKERS_DEFAULT;
    if (options->queue_max == 0)
        options->queue_max = COMB_EXTRACT_QUEUE_DEFAULT;
    if (options->files_per_program == 0)
        options->files_per_program = COMB_EXTRACT_FILES_PER_PROGRAM_DEFAULT;
    comb_extract_limits_complete(&options->limits);
}

/* All signals are for the program's other threads. */
static int start_thread(struct worker *worker)
{
    sigset_t all, before;
    int failed;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->has_thread = failed == 0;
    return failed;
}

static enum comb_status start_workers(struct comb_extract *extract, struct comb_error *err)
{
    extract->workers = comb_memory_zalloc(extract->options.workers * sizeof *extract->workers);
    if (!extract->workers)
        return comb_error_no_memory(err);
    for (uint32_t i = 0; i < extract->options.workers; i++) {
        struct worker *worker = &extract->workers[i];
        worker->extract = extract;
        worker->process = (struct comb_extract_process)COMB_EXTRACT_PROCESS_INIT;
        worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        extract->n_workers++;
        if (worker->wake < 0 || start_thread(worker) != 0)
            return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                                  "no thread or descriptor for extracting text");
    }
    return COMB_OK;
}

enum comb_status comb_extract_new(const struct comb_extract_options *options,
                                  struct comb_extract **ret_extract, struct comb_error *err)
{
    struct comb_extract *extract;
    enum comb_status status = check_options(options, err);
    if (status)
        return status;
    extract = comb_memory_zalloc(sizeof *extract);
    if (!extract)
        return comb_error_no_memory(err);
    pthread_mutex_init(&extract->lock, NULL);
    pthread_cond_init(&extract->changed, NULL);
    extract->options = *options;
    complete(&extract->options);
    extract->program = comb_memory_dup(comb_str_from(options->program));
    status = extract->program ? start_workers(extract, err) : comb_error_no_memory(err);
    if (status) {
        comb_extract_free(extract);
        return status;
    }
    *ret_extract = extract;
    return COMB_OK;
}

static void cancel_running_locked(struct worker *worker)
{
    if (!worker->item)
        return;
    atomic_store(&worker->item->cancelled, true);
    (void)eventfd_write(worker->wake, 1);
}

void comb_extract_free(struct comb_extract *extract)
{
    struct item *item;
    if (!extract)
        return;
    pthread_mutex_lock(&extract->lock);
    extract->stopping = true;
    item = extract->first;
    extract->first = extract->last = NULL;
    extract->metrics.queued = 0;
    for (uint32_t i = 0; i < extract->n_workers; i++)
        cancel_running_locked(&extract->workers[i]);
    pthread_cond_broadcast(&extract->changed);
    pthread_mutex_unlock(&extract->lock);
    while (item) {
        struct item *next = item->next;
        finish_cancelled(extract, item);
        item = next;
    }
    for (uint32_t i = 0; i < extract->n_workers; i++) {
        if (extract->workers[i].has_thread)
            pthread_join(extract->workers[i].thread, NULL);
        if (extract->workers[i].wake >= 0)
            close(extract->workers[i].wake);
    }
    pthread_cond_destroy(&extract->changed);
    pthread_mutex_destroy(&extract->lock);
    comb_memory_free(extract->workers);
    comb_memory_free(extract->program);
    comb_memory_free(extract);
}

static uint32_t copy_hint(char *to, comb_str hint)
{
    size_t n = hint.len < COMB_EXTRACT_HINT_BYTES_MAX ? hint.len : COMB_EXTRACT_HINT_BYTES_MAX;
    /* Of a name, the end tells more. */
    if (n > 0)
        memcpy(to, hint.ptr + hint.len - n, n);
    return (uint32_t)n;
}

static struct item *item_new(struct comb_extract *extract, const struct comb_extract_file *file,
                             comb_extract_done_fn *done, void *data)
{
    struct item *item = comb_memory_zalloc(sizeof *item);
    comb_str type = file->media_type;
    if (!item)
        return NULL;
    if (type.len > COMB_EXTRACT_HINT_BYTES_MAX)
        type.len = COMB_EXTRACT_HINT_BYTES_MAX;
    item->job.limits = extract->options.limits;
    if (file->wall_ms > 0 && file->wall_ms < item->job.limits.wall_ms)
        item->job.limits.wall_ms = file->wall_ms;
    item->job.name_bytes = copy_hint(item->job.name, file->name);
    item->job.media_type_bytes = copy_hint(item->job.media_type, type);
    item->source = file->source;
    item->done = done;
    item->data = data;
    atomic_init(&item->cancelled, false);
    return item;
}

enum comb_status comb_extract_submit(struct comb_extract *extract,
                                     const struct comb_extract_file *file,
                                     comb_extract_done_fn *done, void *data, uint64_t *ret_id,
                                     struct comb_error *err)
{
    struct item *item = item_new(extract, file, done, data);
    if (!item)
        return comb_error_no_memory(err);
    pthread_mutex_lock(&extract->lock);
    /* stopping: from a `done` that comb_extract_free() calls. */
    if (extract->stopping || extract->metrics.queued >= extract->options.queue_max) {
        pthread_mutex_unlock(&extract->lock);
        comb_memory_free(item);
        (void)comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                             "%u files wait for their text to be extracted already",
                             (unsigned)extract->options.queue_max);
        if (err)
            err->retryable = true;
        return COMB_RESOURCE_EXHAUSTED;
    }
    item->id = ++extract->last_id;
    if (ret_id)
        *ret_id = item->id;
    if (extract->last)
        extract->last->next = item;
    else
        extract->first = item;
    extract->last = item;
    extract->metrics.queued++;
    pthread_cond_signal(&extract->changed);
    pthread_mutex_unlock(&extract->lock);
    return COMB_OK;
}

/* Takes an item out of the queue; NULL: it does not wait there. */
static struct item *take_queued_locked(struct comb_extract *extract, uint64_t id)
{
    struct item *before = NULL, *item = extract->first;
    while (item && item->id != id) {
        before = item;
        item = item->next;
    }
    if (!item)
        return NULL;
    if (before)
        before->next = item->next;
    else
        extract->first = item->next;
    if (extract->last == item)
        extract->last = before;
    extract->metrics.queued--;
    return item;
}

void comb_extract_cancel(struct comb_extract *extract, uint64_t id)
{
    struct item *item;
    pthread_mutex_lock(&extract->lock);
    item = take_queued_locked(extract, id);
    for (uint32_t i = 0; !item && i < extract->n_workers; i++) {
        if (extract->workers[i].item && extract->workers[i].item->id == id)
            cancel_running_locked(&extract->workers[i]);
    }
    pthread_mutex_unlock(&extract->lock);
    if (item)
        finish_cancelled(extract, item);
}

enum comb_status comb_extract_check(struct comb_extract *extract, bool *ret_namespaces,
                                    struct comb_error *err)
{
    struct comb_extract_process process = COMB_EXTRACT_PROCESS_INIT;
    enum comb_status status = comb_extract_process_start(&process, extract->program, err);
    if (status)
        return status;
    *ret_namespaces = process.has_namespaces;
    comb_extract_process_stop(&process);
    return COMB_OK;
}

void comb_extract_metrics_get(struct comb_extract *extract, struct comb_extract_metrics *ret)
{
    pthread_mutex_lock(&extract->lock);
    *ret = extract->metrics;
    pthread_mutex_unlock(&extract->lock);
}
