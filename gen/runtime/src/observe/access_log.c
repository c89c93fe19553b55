/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two buffers: calls append to one while the log's thread writes the other. The lock is held for a
 * copy of one line, never for a write.
 */
#include "grpcc/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/observe/access_line.h"

enum { BUFFER_BYTES_DEFAULT = 1 << 20, FLUSH_MS_DEFAULT = 100, FILE_MODE = 0640 };
/* Less has no room for a few lines, more is a slip. */
enum { BUFFER_BYTES_MIN = 4 * GRPCC_ACCESS_LINE_MAX, BUFFER_BYTES_MAX = 1 << 30 };

struct grpcc_access_log {
    struct grpcc_access_log_options options;
    char *path;
    pthread_t thread;
    bool running; /* thread is */

    /* Of the log's thread: */
    char *writing;
    int fd; /* -1: options.write */
    bool failing;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    char *waiting;
    size_t n_waiting;
    uint64_t lines_waiting;
    uint64_t lines, dropped;
    uint64_t dropped_said; /* how many of them a line has told of */
    uint64_t batches;      /* written, or lost */
    unsigned flushing;     /* who waits for that */
    int next_fd;           /* to be written to from the next batch on; -1: none */
    bool stopping;
};

/* ---- the log's thread ---- */

static bool write_all(int fd, const char *lines, size_t length)
{
    while (length) {
        ssize_t n = write(fd, lines, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        lines += n;
        length -= (size_t)n;
    }
    return true;
}

static bool write_lines(struct grpcc_access_log *log, const char *lines, size_t length)
{
    bool written = log->options.write ? log->options.write(log->options.write_data, lines, length)
                                      : write_all(log->fd, lines, length);
    if (!written && !log->failing)
        grpcc_log(GRPCC_LOG_ERROR, "the access log cannot be written, its lines are lost: %s",
                  log->options.write ? "refused" : strerror(errno));
    log->failing = !written;
    return written;
}

static void switch_file(struct grpcc_access_log *log, int next_fd)
{
    if (next_fd < 0)
        return;
    close(log->fd);
    log->fd = next_fd;
}

/* Waits for lines, then a little for more of them; with the lock held. False: it is the end. */
static bool wait_locked(struct grpcc_access_log *log)
{
    while (log->n_waiting == 0 && !log->stopping && !log->flushing)
        pthread_cond_wait(&log->changed, &log->lock);
    int64_t until_ns = grpcc_now_ns() + (int64_t)log->options.flush_ms * GRPCC_NS_PER_MS;
    const struct timespec until = {.tv_sec = until_ns / GRPCC_NS_PER_S,
                                   .tv_nsec = until_ns % GRPCC_NS_PER_S};
    while (!log->stopping && !log->flushing && log->n_waiting < log->options.buffer_bytes / 2)
        if (pthread_cond_timedwait(&log->changed, &log->lock, &until) != 0)
            break;
    return log->n_waiting > 0 || !log->stopping;
}

/* One batch; with the lock held, which is let go of meanwhile. */
static void write_batch_locked(struct grpcc_access_log *log)
{
    char line[GRPCC_ACCESS_LINE_MAX];
    char *lines = log->waiting;
    size_t length = log->n_waiting;
    uint64_t n = log->lines_waiting, missing = log->dropped - log->dropped_said;
    int next_fd = log->next_fd;
    log->waiting = log->writing;
    log->writing = lines;
    log->n_waiting = 0;
    log->lines_waiting = 0;
    log->next_fd = -1;
    pthread_mutex_unlock(&log->lock);
    switch_file(log, next_fd);
    bool told =
        missing &&
        write_lines(log, line, grpcc_access_line_dropped(line, log->options.format, missing));
    bool written = length == 0 || write_lines(log, lines, length);
    pthread_mutex_lock(&log->lock);
    if (told)
        log->dropped_said += missing;
    if (!written)
        log->dropped += n;
    log->batches++;
    pthread_cond_broadcast(&log->changed);
}

static void *log_main(void *data)
{
    struct grpcc_access_log *log = data;
    pthread_mutex_lock(&log->lock);
    while (wait_locked(log))
        write_batch_locked(log);
    if (log->dropped > log->dropped_said)
        write_batch_locked(log);
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

/* ---- calls ---- */

static bool is_health(const char *path)
{
    static const char prefix[] = "/grpc.health.v1.Health/";
    return strncmp(path, prefix, sizeof(prefix) - 1) == 0;
}

static void call_ended(void *self, struct grpcc_call *call, const struct grpcc_call_facts *facts)
{
    struct grpcc_access_log *log = self;
    if (log->options.no_health && facts->status == GRPCC_OK && is_health(facts->path))
        return;
    char line[GRPCC_ACCESS_LINE_MAX];
    const char *user =
        log->options.user && call ? log->options.user(log->options.user_data, call) : NULL;
    size_t length = grpcc_access_line(line, log->options.format, call, facts, user);
    pthread_mutex_lock(&log->lock);
    size_t before = log->n_waiting;
    bool fits = length <= log->options.buffer_bytes - before;
    log->lines++;
    if (fits) {
        memcpy(log->waiting + before, line, length);
        log->n_waiting += length;
        log->lines_waiting++;
    } else {
        log->dropped++;
    }
    size_t half = log->options.buffer_bytes / 2;
    bool wakes = before == 0 || (before < half && log->n_waiting >= half);
    pthread_mutex_unlock(&log->lock);
    if (wakes)
        pthread_cond_broadcast(&log->changed);
}

enum grpcc_status grpcc_access_log_attach(struct grpcc_access_log *log, struct grpcc_server *server,
                                          struct grpcc_error *err)
{
    static const struct grpcc_observer observer = {.size = sizeof(observer), .ended = call_ended};
    return grpcc_server_add_observer(server, &observer, log, err);
}

/* ---- life ---- */

static enum grpcc_status open_file(const char *path, int *ret_fd, struct grpcc_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd >= 0) {
        *ret_fd = fd;
        return GRPCC_OK;
    }
    bool missing = errno == ENOENT || errno == ENOTDIR || errno == EISDIR;
    return grpcc_error_set(err, missing ? GRPCC_NOT_FOUND : GRPCC_PERMISSION_DENIED, "%s: %s", path,
                           strerror(errno));
}

static enum grpcc_status check(const struct grpcc_access_log_options *options,
                               struct grpcc_error *err)
{
    int places = (options->path != NULL) + (options->fd > 0) + (options->write != NULL);
    if (places != 1 || options->fd < 0)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "an access log goes to one of path, fd and write");
    if (options->buffer_bytes &&
        (options->buffer_bytes < BUFFER_BYTES_MIN || options->buffer_bytes > BUFFER_BYTES_MAX))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "buffer_bytes: from %d to %d",
                               BUFFER_BYTES_MIN, BUFFER_BYTES_MAX);
    return GRPCC_OK;
}

static enum grpcc_status start(struct grpcc_access_log *log, struct grpcc_error *err)
{
    log->waiting = grpcc_memory_alloc(log->options.buffer_bytes);
    log->writing = grpcc_memory_alloc(log->options.buffer_bytes);
    if (log->options.path)
        log->path = grpcc_memory_strdup(log->options.path);
    if (!log->waiting || !log->writing || (log->options.path && !log->path))
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the access log");
    if (log->path && open_file(log->path, &log->fd, err))
        return err ? err->status : GRPCC_NOT_FOUND;
    log->running = grpcc_thread_start(&log->thread, "grpcc-access", log_main, log);
    if (!log->running)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no thread for the access log");
    return GRPCC_OK;
}

struct grpcc_access_log *grpcc_access_log_new(const struct grpcc_access_log_options *given,
                                              struct grpcc_error *err)
{
    struct grpcc_access_log_options options = {.size = sizeof(options)};
    pthread_condattr_t monotonic;
    grpcc_options_copy(&options, sizeof(options), given);
    if (check(&options, err))
        return NULL;
    if (!options.buffer_bytes)
        options.buffer_bytes = BUFFER_BYTES_DEFAULT;
    if (!options.flush_ms)
        options.flush_ms = FLUSH_MS_DEFAULT;
    struct grpcc_access_log *log = grpcc_memory_zalloc(sizeof(*log));
    if (!log) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the access log");
        return NULL;
    }
    log->options = options;
    log->fd = options.fd > 0 ? options.fd : -1;
    log->next_fd = -1;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!start(log, err))
        return log;
    grpcc_access_log_free(log);
    return NULL;
}

void grpcc_access_log_free(struct grpcc_access_log *log)
{
    if (!log)
        return;
    if (log->running) {
        pthread_mutex_lock(&log->lock);
        log->stopping = true;
        pthread_cond_broadcast(&log->changed);
        pthread_mutex_unlock(&log->lock);
        pthread_join(log->thread, NULL);
    }
    if (log->next_fd >= 0)
        close(log->next_fd);
    if (log->path && log->fd >= 0)
        close(log->fd);
    pthread_cond_destroy(&log->changed);
    pthread_mutex_destroy(&log->lock);
    grpcc_memory_free(log->path);
    grpcc_memory_free(log->waiting);
    grpcc_memory_free(log->writing);
    grpcc_memory_free(log);
}

/* ---- at run time ---- */

enum grpcc_status grpcc_access_log_reopen(struct grpcc_access_log *log, struct grpcc_error *err)
{
    int fd = -1;
    if (!log->path)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "this access log has no path");
    enum grpcc_status status = open_file(log->path, &fd, err);
    if (status)
        return status;
    pthread_mutex_lock(&log->lock);
    int unused = log->next_fd;
    log->next_fd = fd;
    pthread_mutex_unlock(&log->lock);
    if (unused >= 0)
        close(unused);
    return GRPCC_OK;
}

void grpcc_access_log_flush(struct grpcc_access_log *log)
{
    pthread_mutex_lock(&log->lock);
    /* A batch may be under way, which does not have the last lines: it takes the one after it. */
    uint64_t until = log->batches + 2;
    log->flushing++;
    pthread_cond_broadcast(&log->changed);
    while (log->batches < until)
        pthread_cond_wait(&log->changed, &log->lock);
    log->flushing--;
    pthread_mutex_unlock(&log->lock);
}

void grpcc_access_log_get_stats(struct grpcc_access_log *log,
                                struct grpcc_access_log_stats *ret_stats)
{
    pthread_mutex_lock(&log->lock);
    *ret_stats = (struct grpcc_access_log_stats){log->lines, log->dropped};
    pthread_mutex_unlock(&log->lock);
}
