/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/files.h"
#include "comb/lists.h"
#include "tests/e2e/calls.h"
#include "tests/support/cmocka.h"

#define MAKERS 2
#define READERS 2
#define WORKERS (MAKERS + READERS + 2)
/* Sent by parts, and read by a stream. */
#define LARGE_BYTES ((size_t)3 << 20)
#define SAMPLES_MAX 200000
#define NAMES_MAX 200000
/* Between two calls of a worker: what is started meanwhile needs the machine too. */
#define PAUSE_MS_SHORT 5
#define PAUSE_MS_LONG 1
#define TOLD_WAIT_MS 30000
#define NS_PER_MS 1e6

struct worker {
    struct load *load;
    pthread_t thread;
    unsigned number;
    unsigned made; /* folders, all acknowledged */
};

struct load {
    struct comb_client *client;
    char folder[128], cursor[1024];
    struct worker workers[WORKERS];
    pthread_t watcher;
    struct comb_watch *watch;
    atomic_bool stop;
    atomic_uint good; /* calls that ended well */
    atomic_uint told; /* folders, by the watch */
    unsigned changes; /* folders, by the feed */

    pthread_mutex_t lock; /* all below */
    struct load_report report;
    float *samples; /* ms */
    size_t n_samples;
    int64_t last_ns;
};

/* ---- one call ---- */

/* False: the worker ends. */
static bool note(struct load *load, const char *what, int64_t begin_ns, enum grpcc_status status,
                 const struct grpcc_error *err, bool large)
{
    int64_t now = calls_now_ns();
    pthread_mutex_lock(&load->lock);
    struct load_report *report = &load->report;
    report->calls++;
    if (status != GRPCC_OK && report->errors++ == 0)
        snprintf(report->error, sizeof report->error, "%s: %s: %s", what, grpcc_status_name(status),
                 err->message);
    if (status == GRPCC_OK) {
        double gap_ms = (double)(now - load->last_ns) / NS_PER_MS;
        report->gap_ms = gap_ms > report->gap_ms ? gap_ms : report->gap_ms;
        load->last_ns = now;
    }
    if (!large && load->n_samples < SAMPLES_MAX)
        load->samples[load->n_samples++] = (float)((double)(now - begin_ns) / NS_PER_MS);
    pthread_mutex_unlock(&load->lock);
    if (status == GRPCC_OK)
        atomic_fetch_add(&load->good, 1);
    return status == GRPCC_OK;
}

static bool make_one(struct worker *worker, struct grpcc_arena *arena)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char name[32];
    snprintf(name, sizeof name, "m%u-%u", worker->number, worker->made);
    int64_t begin_ns = calls_now_ns();
    enum grpcc_status status =
        calls_mkdir(worker->load->client, arena, worker->load->folder, name, false, NULL, &err);
    if (!note(worker->load, "mkdir", begin_ns, status, &err, false))
        return false;
    worker->made++;
    return true;
}

static bool read_one(struct worker *worker, struct grpcc_arena *arena)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    int64_t begin_ns = calls_now_ns();
    enum grpcc_status status =
        calls_stat(worker->load->client, arena, worker->load->folder, NULL, &err);
    return note(worker->load, "stat", begin_ns, status, &err, false);
}

static bool put_small(struct worker *worker, struct grpcc_arena *arena, unsigned turn)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char path[192];
    snprintf(path, sizeof path, "%s/small-%u", worker->load->folder, turn % 10);
    int64_t begin_ns = calls_now_ns();
    enum grpcc_status status =
        comb_put_bytes(worker->load->client, arena, path, path, strlen(path), NULL, NULL, &err);
    return note(worker->load, "put", begin_ns, status, &err, false);
}

struct content {
    unsigned char bytes[LARGE_BYTES];
    size_t at;
    bool same;
};

static int64_t give(void *data, void *buffer, size_t capacity)
{
    struct content *content = data;
    size_t n = LARGE_BYTES - content->at < capacity ? LARGE_BYTES - content->at : capacity;
    memcpy(buffer, content->bytes + content->at, n);
    content->at += n;
    return (int64_t)n;
}

static bool compare(void *data, const void *bytes, size_t n)
{
    struct content *content = data;
    content->same = content->same && content->at + n <= LARGE_BYTES &&
                    memcmp(content->bytes + content->at, bytes, n) == 0;
    content->at += n;
    return content->same;
}

/* A large file, there and back. */
static bool move_large(struct worker *worker, struct grpcc_arena *arena, unsigned turn)
{
    struct load *load = worker->load;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct content *content = calloc(1, sizeof *content);
    char path[192];
    snprintf(path, sizeof path, "%s/large", load->folder);
    calls_content(turn + 1, content->bytes, LARGE_BYTES);
    enum grpcc_status status =
        comb_put_stream(load->client, arena, path, give, content, NULL, NULL, &err);
    bool good = note(load, "upload", 0, status, &err, true);
    content->at = 0;
    content->same = true;
    if (good) {
        status =
            comb_get_stream(load->client, arena, path, 0, UINT64_MAX, compare, content, NULL, &err);
        if (status == GRPCC_OK && content->at != LARGE_BYTES)
            status = grpcc_error_set(&err, GRPCC_DATA_LOSS, "%zu bytes of it", content->at);
        good = note(load, "download", 0, status, &err, true);
    }
    free(content);
    return good;
}

/* ---- workers ---- */

static void *work(void *data)
{
    struct worker *worker = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    bool good = true;
    for (unsigned turn = 0; good && !atomic_load(&worker->load->stop); turn++) {
        grpcc_arena_reset(arena);
        if (worker->number < MAKERS)
            good = make_one(worker, arena);
        else if (worker->number < MAKERS + READERS)
            good = read_one(worker, arena);
        else if (worker->number < WORKERS - 1)
            good = put_small(worker, arena, turn);
        else
            good = move_large(worker, arena, turn);
        calls_sleep_ms(calls_count(PAUSE_MS_SHORT, PAUSE_MS_LONG));
    }
    grpcc_arena_free(arena);
    return NULL;
}

static bool is_made(const struct comb_v1_change *change)
{
    return change->kind == COMB_V1_CHANGE_KIND_CREATED && change->node->name[0] == 'm';
}

static void *watch(void *data)
{
    struct load *load = data;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const struct comb_v1_tree_watch_response *event = NULL;
    int result;
    while ((result = comb_watch_next(load->watch, &event, &err)) == 1)
        if (event->event_case == COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE && is_made(event->change))
            atomic_fetch_add(&load->told, 1);
    if (result < 0)
        (void)note(load, "watch", 0, err.status, &err, true);
    return NULL;
}

static void must(enum grpcc_status status, const struct grpcc_error *err, const char *what)
{
    if (status != GRPCC_OK)
        fail_msg("%s: %s: %s", what, grpcc_status_name(status), err->message);
}

struct load *load_start(struct comb_client *client, const char *name)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct load *load = calloc(1, sizeof *load);
    const char *cursor = NULL;
    load->client = client;
    load->samples = calloc(SAMPLES_MAX, sizeof load->samples[0]);
    pthread_mutex_init(&load->lock, NULL);
    snprintf(load->folder, sizeof load->folder, "/personal/%s", name);
    must(calls_mkdir(client, arena, "/personal", name, false, NULL, &err), &err, name);
    must(calls_cursor(client, arena, load->folder, &cursor, &err), &err, "cursor");
    snprintf(load->cursor, sizeof load->cursor, "%s", cursor);
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(arena);
    request->folder = calls_ref(arena, load->folder);
    request->recursive = true;
    comb_v1_tree_watch_request_set_cursor(request, load->cursor);
    must(comb_watch_open(client, request, &load->watch, &err), &err, "watch");
    load->last_ns = calls_now_ns();
    assert_int_equal(pthread_create(&load->watcher, NULL, watch, load), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        load->workers[i] = (struct worker){.load = load, .number = i};
        assert_int_equal(pthread_create(&load->workers[i].thread, NULL, work, &load->workers[i]),
                         0);
    }
    grpcc_arena_free(arena);
    return load;
}

void load_await(struct load *load, unsigned n)
{
    unsigned until = atomic_load(&load->good) + n;
    for (int waited = 0; waited < 60000 && atomic_load(&load->good) < until; waited++) {
        pthread_mutex_lock(&load->lock);
        bool failed = load->report.errors > 0;
        pthread_mutex_unlock(&load->lock);
        if (failed)
            return;
        calls_sleep_ms(1);
    }
}

/* ---- what became of it ---- */

static void count_change(void *data, const struct comb_v1_change *change)
{
    struct load *load = data;
    load->changes += is_made(change);
}

/* How many of the acknowledged folders are there. */
static unsigned count_there(struct load *load)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    unsigned n = 0, maker = 0, number = 0;
    int more;
    request->folder = calls_ref(arena, load->folder);
    must(comb_list_open(load->client, request, &list, &err), &err, "list");
    while ((more = comb_list_next(list, &node, &err)) == 1)
        n += sscanf(node->name, "m%u-%u", &maker, &number) == 2 && maker < MAKERS &&
             number < load->workers[maker].made;
    if (more < 0)
        fail_msg("list: %s", err.message);
    comb_list_close(list);
    grpcc_arena_free(arena);
    return n;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void sum_up(struct load *load)
{
    struct load_report *report = &load->report;
    size_t n = load->n_samples;
    qsort(load->samples, n, sizeof load->samples[0], by_value);
    report->p99_ms = n ? (double)load->samples[n * 99 / 100] : 0;
    report->longest_ms = n ? (double)load->samples[n - 1] : 0;
    for (unsigned i = 0; i < MAKERS; i++)
        report->acknowledged += load->workers[i].made;
}

/* Gives up where nothing is told for TOLD_WAIT_MS. */
static void await_told(struct load *load, unsigned wanted)
{
    unsigned told = 0;
    for (int waited = 0; waited < TOLD_WAIT_MS && told < wanted; waited += 10) {
        unsigned now = atomic_load(&load->told);
        if (now != told)
            waited = 0;
        told = now;
        calls_sleep_ms(10);
    }
}

void load_stop(struct load *load, struct load_report *ret_report)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    atomic_store(&load->stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(load->workers[i].thread, NULL);
    sum_up(load);
    struct load_report *report = &load->report;
    if (report->errors == 0)
        await_told(load, report->acknowledged);
    comb_watch_cancel(load->watch);
    pthread_join(load->watcher, NULL);
    comb_watch_close(load->watch);
    must(calls_changes(load->client, load->folder, load->cursor, count_change, load, &err), &err,
         "changes");
    report->lost = report->acknowledged - count_there(load);
    report->twice = load->changes > report->acknowledged + report->errors
                        ? load->changes - report->acknowledged - report->errors
                        : 0;
    unsigned told = atomic_load(&load->told);
    report->missed = told < report->acknowledged ? report->acknowledged - told : 0;
    report->told_twice = told > report->acknowledged ? told - report->acknowledged : 0;
    *ret_report = *report;
    pthread_mutex_destroy(&load->lock);
    free(load->samples);
    free(load);
}

void load_print_head(void)
{
    print_message("| fault | calls | errors | longest gap ms | longest call ms | p99 ms | "
                  "acknowledged | lost | twice |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
}

void load_print(const char *fault, const struct load_report *report)
{
    print_message("| %s | %u | %u | %.0f | %.0f | %.1f | %u | %u | %u |\n", fault, report->calls,
                  report->errors, report->gap_ms, report->longest_ms, report->p99_ms,
                  report->acknowledged, report->lost, report->twice);
}

void load_must_be_clean(const struct load_report *report)
{
    if (report->errors)
        fail_msg("%u errors, the first: %s", report->errors, report->error);
    assert_int_equal(report->lost, 0);
    assert_int_equal(report->twice, 0);
    assert_int_equal(report->missed, 0);
    assert_int_equal(report->told_twice, 0);
}
