/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real S3 endpoint that is killed and frozen under load: what was acknowledged is there, whole;
 * what fails says so within its deadline, as UNAVAILABLE or DEADLINE_EXCEEDED; and calls succeed
 * again by themselves. Prints a line of figures for each.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/clock.h"
#include "tests/contract/data/driver_s3.h"
#include "tests/contract/data/fixture.h"

#define THREADS 4
#define DEADLINE_MS 5000
/* On top of a call's deadline: a machine that is busy with other tests. */
#define LATE_MS 15000
#define WAIT_S 120
#define ACKNOWLEDGED_MAX 20000
/* Blobs of several sizes; the last is an upload in parts. */
static const uint64_t sizes[] = {1000, 200000, 30, 1 << 20, 5000, 9 << 20};

struct load {
    struct fixture *f;
    pthread_t threads[THREADS];
    pthread_mutex_t lock; /* guards what follows up to the counts */
    struct acknowledged {
        struct comb_uuid blob;
        uint64_t size;
    } list[ACKNOWLEDGED_MAX];
    int64_t longest_ns;
    _Atomic size_t n_acknowledged, n_failed, n_wrong;
    _Atomic size_t n_called; /* for the sizes */
    atomic_bool stop;
};

/* ---- the load ---- */

static void note_call(struct load *load, int64_t began_ns)
{
    int64_t took_ns = comb_clock_monotonic_ns() - began_ns;

    pthread_mutex_lock(&load->lock);
    if (took_ns > load->longest_ns)
        load->longest_ns = took_ns;
    pthread_mutex_unlock(&load->lock);
}

static enum comb_status put(struct load *load, comb_str key, uint64_t size)
{
    struct comb_ctx ctx = {.deadline_ns = comb_clock_monotonic_ns() + DEADLINE_MS * COMB_NS_PER_MS};
    struct comb_blobs *blobs = load->f->blobs;
    struct comb_blob_writer *writer = NULL;
    char *bytes = malloc(COMB_BLOB_CHUNK_MAX);
    int64_t began_ns = comb_clock_monotonic_ns();
    enum comb_status status = comb_blob_create(blobs, &ctx, key, size, &writer, NULL);

    for (uint64_t at = 0, n; status == COMB_OK && at < size; at += n) {
        n = size - at < COMB_BLOB_CHUNK_MAX ? size - at : COMB_BLOB_CHUNK_MAX;
        fixture_fill(key, at, bytes, n);
        status = comb_blob_write(blobs, &ctx, writer, comb_str_of(bytes, n), NULL);
    }
    if (status == COMB_OK)
        status = comb_blob_commit(blobs, &ctx, writer, NULL);
    else
        comb_blob_abort(blobs, writer);
    note_call(load, began_ns);
    free(bytes);
    return status;
}

static void *work(void *data)
{
    struct load *load = data;

    while (!load->stop && load->n_acknowledged < ACKNOWLEDGED_MAX - THREADS) {
        struct comb_uuid blob = comb_uuid_new();
        uint64_t size = sizes[load->n_called++ % (sizeof sizes / sizeof sizes[0])];
        char text[COMB_BLOB_KEY_MAX];
        enum comb_status status = put(load, comb_blob_key(&load->f->session, &blob, text), size);

        if (status == COMB_OK) {
            pthread_mutex_lock(&load->lock);
            load->list[load->n_acknowledged] = (struct acknowledged){blob, size};
            load->n_acknowledged++;
            pthread_mutex_unlock(&load->lock);
        } else if (status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED) {
            /* As a client would, and so that a dead store is not asked without end. */
            const struct timespec pause = {0, 10 * 1000 * 1000};

            load->n_failed++;
            nanosleep(&pause, NULL);
        } else {
            load->n_wrong++;
        }
    }
    return NULL;
}

static struct load *load_start(struct fixture *f)
{
    struct load *load = calloc(1, sizeof *load);

    assert_non_null(load);
    load->f = f;
    pthread_mutex_init(&load->lock, NULL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&load->threads[i], NULL, work, load), 0);
    return load;
}

/* Waits until count has grown to `least`. */
static void await(const _Atomic size_t *count, size_t least)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};

    for (time_t end = time(NULL) + WAIT_S; *count < least; nanosleep(&pause, NULL))
        assert_true(time(NULL) < end);
}

/* Ends the load, looks for all that was acknowledged, and prints the figures. */
static void load_end(struct load *load, const char *fault, int64_t recovered_ns)
{
    struct fixture *f = load->f;
    char text[COMB_BLOB_KEY_MAX];

    load->stop = true;
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(load->threads[i], NULL);
    for (size_t i = 0; i < load->n_acknowledged; i++) {
        test_ctx_next(&f->call);
        fixture_must_have(f, comb_blob_key(&f->session, &load->list[i].blob, text),
                          load->list[i].size);
    }
    printf("s3, %s: %zu acknowledged, 0 lost, %zu failed, longest call %.1f s of %.1f, "
           "answers again after %.2f s\n",
           fault, load->n_acknowledged, load->n_failed, (double)load->longest_ns / COMB_NS_PER_S,
           DEADLINE_MS / 1000.0, (double)recovered_ns / COMB_NS_PER_S);
    assert_int_equal(load->n_wrong, 0);
    assert_true(load->longest_ns < (DEADLINE_MS + LATE_MS) * COMB_NS_PER_MS);
    pthread_mutex_destroy(&load->lock);
    free(load);
}

/* The time until calls succeed again. */
static int64_t await_recovery(struct load *load)
{
    int64_t began_ns = comb_clock_monotonic_ns(), recovered_ns;

    await(&load->n_acknowledged, load->n_acknowledged + 1);
    recovered_ns = comb_clock_monotonic_ns() - began_ns;
    await(&load->n_acknowledged, load->n_acknowledged + 20);
    return recovered_ns;
}

static enum comb_store_state state_of(struct fixture *f)
{
    struct comb_store_status status;

    comb_blobs_status(f->blobs, &status);
    return status.state;
}

/* ---- faults ---- */

static void killed_endpoint_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct s3_server *server = fixture_s3_server();
    struct load *load = load_start(f);

    await(&load->n_acknowledged, 30);
    store_process_kill(&server->process);
    await(&load->n_failed, THREADS);
    assert_int_equal(state_of(f), COMB_STORE_DOWN);
    s3_server_start(server);
    load_end(load, "killed with -9", await_recovery(load));
    assert_int_equal(state_of(f), COMB_STORE_UP);
}

/* Seconds to freeze it for: 30 in the long form. */
static time_t freeze_s(void)
{
    return getenv("COMB_LONG") ? 30 : 2;
}

static void frozen_endpoint_holds_nobody(void **state)
{
    struct fixture *f = *state;
    struct s3_server *server = fixture_s3_server();
    struct load *load = load_start(f);
    const struct timespec frozen = {.tv_sec = freeze_s()};
    char text[32];

    await(&load->n_acknowledged, 30);
    store_process_freeze(&server->process);
    nanosleep(&frozen, NULL);
    store_process_thaw(&server->process);
    snprintf(text, sizeof text, "frozen for %ld s", (long)frozen.tv_sec);
    load_end(load, text, await_recovery(load));
    assert_int_equal(state_of(f), COMB_STORE_UP);
}

/* A call at an endpoint that does not answer ends with its deadline, and is told so. */
static void deadline_holds_at_a_frozen_endpoint(void **state)
{
    struct fixture *f = *state;
    struct s3_server *server = fixture_s3_server();
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);
    struct comb_blob_reader *reader = NULL;
    uint64_t size = 0;
    enum comb_status status;
    int64_t began_ns;

    fixture_put(f, key, 1000, 1000);
    store_process_freeze(&server->process);
    /* A signal takes a moment to reach all threads of the endpoint. */
    do {
        test_ctx_next(&f->call);
        began_ns = comb_clock_monotonic_ns();
        f->call.ctx.deadline_ns = began_ns + 1500 * COMB_NS_PER_MS;
        status = comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err);
        if (status == COMB_OK)
            comb_blob_close_reader(f->blobs, reader);
    } while (status == COMB_OK);
    assert_int_equal(status, COMB_DEADLINE_EXCEEDED);
    assert_true(comb_clock_monotonic_ns() - began_ns < (1500 + LATE_MS) * COMB_NS_PER_MS);
    store_process_thaw(&server->process);
    for (time_t end = time(NULL) + WAIT_S; status != COMB_OK && time(NULL) < end;) {
        test_ctx_next(&f->call);
        status = comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err);
    }
    must_ok(status, &f->call.err);
    comb_blob_close_reader(f->blobs, reader);
    fixture_must_have(f, key, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_endpoint_loses_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(frozen_endpoint_holds_nobody, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(deadline_holds_at_a_frozen_endpoint, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
