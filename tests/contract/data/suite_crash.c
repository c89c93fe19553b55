/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/contract/data/fixture.h"
#include "tests/contract/data/suite.h"

#define KILLS 20
#define CHUNK 30000
#define CHUNKS 4
#define SIZE ((uint64_t)CHUNK * CHUNKS)
#define LARGE_CHUNKS 24

/* One step of the writing process: which blob, and how far it has got; step CHUNKS + 1 says that
 * the blob has been committed. */
struct step {
    char key[COMB_BLOB_KEY_MAX];
    int step;
};

static void tell(int fd, const struct step *step)
{
    if (write(fd, step, sizeof *step) != sizeof *step)
        _exit(3);
}

/* Writes blobs of so many chunks until it is killed; ends by _exit alone, so that no test framework
 * runs twice. */
static void write_until_killed(struct fixture *f, int fd, size_t chunk, int chunks)
{
    static char bytes[COMB_BLOB_CHUNK_MAX];

    fixture_reopen(f);
    for (;;) {
        struct step step = {.step = 0};
        struct comb_blob_writer *writer = NULL;
        comb_str key = fixture_new_key(f, step.key);

        if (comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err) != COMB_OK)
            _exit(2);
        tell(fd, &step);
        for (step.step = 1; step.step <= chunks; step.step++) {
            fixture_fill(key, (uint64_t)(step.step - 1) * chunk, bytes, chunk);
            if (comb_blob_write(f->blobs, &f->call.ctx, writer, comb_str_of(bytes, chunk),
                                &f->call.err) != COMB_OK)
                _exit(2);
            tell(fd, &step);
        }
        if (comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err) != COMB_OK)
            _exit(2);
        tell(fd, &step);
    }
}

/* Starts a writer, kills it after `steps` steps, and leaves in ret_steps what it had told until
 * then; the number of it. */
static size_t kill_a_writer(struct fixture *f, size_t steps, size_t chunk, int chunks,
                            struct step *ret_steps, size_t max)
{
    int ends[2], state = 0;
    size_t n = 0;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        write_until_killed(f, ends[1], chunk, chunks);
    }
    close(ends[1]);
    while (n < max && read(ends[0], &ret_steps[n], sizeof *ret_steps) == sizeof *ret_steps) {
        if (++n == steps)
            assert_int_equal(kill(pid, SIGKILL), 0);
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &state, 0), pid);
    assert_true(WIFSIGNALED(state));
    return n;
}

static bool blob_is_whole_or_hidden(void *data, comb_str key, uint64_t size)
{
    struct fixture *f = data;
    struct comb_blob_reader *reader = NULL;
    uint64_t actual = 0;

    (void)size;
    if (comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &actual, &f->call.err) == COMB_OK) {
        comb_blob_close_reader(f->blobs, reader);
        fixture_must_have(f, key, SIZE);
    }
    return true;
}

static bool remove_one(void *data, comb_str key, uint64_t size)
{
    struct fixture *f = data;

    (void)size;
    must_ok(comb_blob_remove(f->blobs, &f->call.ctx, key, &f->call.err), &f->call.err);
    return true;
}

static void killed_writer_leaves_whole_blobs_only(void **state)
{
    struct fixture *f = *state;
    static struct step steps[4096];
    size_t n_steps = sizeof steps / sizeof steps[0];

    for (size_t round = 0; round < KILLS; round++) {
        /* Each round ends at another step: 1, 8, 15, … of the six that make a blob. */
        size_t n = kill_a_writer(f, 1 + round * 7, CHUNK, CHUNKS, steps, n_steps);

        for (size_t i = 0; i < n; i++) {
            comb_str key = comb_str_from(steps[i].key);
            bool is_last = strcmp(steps[i].key, steps[n - 1].key) == 0;

            if (steps[i].step == CHUNKS + 1)
                fixture_must_have(f, key, SIZE);
            else if (is_last && steps[n - 1].step < CHUNKS)
                fixture_must_not_have(f, key);
        }
        must_ok(comb_blob_list(f->blobs, &f->call.ctx, STR(""), blob_is_whole_or_hidden, f,
                               &f->call.err),
                &f->call.err);
        f->session = comb_uuid_new();
    }
    must_ok(comb_blob_list(f->blobs, &f->call.ctx, STR(""), remove_one, f, &f->call.err),
            &f->call.err);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
}

/* What a dead writer left is listed as the blob that it would have been, and can be removed. The
 * blob is so large that every store has got some of it. */
static void rest_of_a_dead_writer_is_listed(void **state)
{
    struct fixture *f = *state;
    static struct step steps[2 * LARGE_CHUNKS];
    char prefix[COMB_BLOB_KEY_MAX];
    size_t n;

    do {
        f->session = comb_uuid_new();
        n = kill_a_writer(f, LARGE_CHUNKS - 4, COMB_BLOB_CHUNK_MAX, LARGE_CHUNKS, steps,
                          sizeof steps / sizeof steps[0]);
    } while (n > LARGE_CHUNKS);
    fixture_must_not_have(f, comb_str_from(steps[0].key));
    snprintf(prefix, sizeof prefix, "%.*s", COMB_UUID_TEXT_LENGTH + 1, steps[0].key);
    assert_int_equal(fixture_count(f, comb_str_from(prefix), NULL), 1);
    must_ok(comb_blob_remove(f->blobs, &f->call.ctx, comb_str_from(steps[0].key), &f->call.err),
            &f->call.err);
    assert_int_equal(fixture_count(f, comb_str_from(prefix), NULL), 0);
}

#define THREADS 4
#define BLOBS_PER_THREAD 60

struct worker {
    struct fixture *f;
    pthread_t thread;
    struct comb_uuid kept[BLOBS_PER_THREAD];
    enum comb_status status;
    struct comb_error err;
};

static enum comb_status put_quietly(struct worker *worker, struct comb_ctx *ctx, comb_str key)
{
    struct comb_blobs *blobs = worker->f->blobs;
    struct comb_blob_writer *writer = NULL;
    char bytes[64];
    enum comb_status status = comb_blob_create(blobs, ctx, key, 0, &writer, &worker->err);

    if (status != COMB_OK)
        return status;
    fixture_fill(key, 0, bytes, sizeof bytes);
    status = comb_blob_write(blobs, ctx, writer, comb_str_of(bytes, sizeof bytes), &worker->err);
    if (status == COMB_OK)
        return comb_blob_commit(blobs, ctx, writer, &worker->err);
    comb_blob_abort(blobs, writer);
    return status;
}

/* Puts two blobs, removes one of them, again and again: folders come and go under the others. */
static void *put_and_remove(void *data)
{
    struct worker *worker = data;
    struct comb_ctx ctx = {.deadline_ns = INT64_MAX};

    for (size_t i = 0; i < BLOBS_PER_THREAD && worker->status == COMB_OK; i++) {
        struct comb_uuid gone = comb_uuid_new();
        char text[COMB_BLOB_KEY_MAX];

        worker->kept[i] = comb_uuid_new();
        worker->status = put_quietly(worker, &ctx, comb_blob_key(&worker->f->session, &gone, text));
        if (worker->status == COMB_OK)
            worker->status =
                comb_blob_remove(worker->f->blobs, &ctx,
                                 comb_blob_key(&worker->f->session, &gone, text), &worker->err);
        if (worker->status == COMB_OK)
            worker->status = put_quietly(
                worker, &ctx, comb_blob_key(&worker->f->session, &worker->kept[i], text));
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    struct fixture *f = *state;
    static struct worker workers[THREADS];
    char text[COMB_BLOB_KEY_MAX];

    memset(workers, 0, sizeof workers);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].f = f;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, put_and_remove, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < THREADS; i++) {
        must_ok(workers[i].status, &workers[i].err);
        for (size_t j = 0; j < BLOBS_PER_THREAD; j++)
            fixture_must_have(f, comb_blob_key(&f->session, &workers[i].kept[j], text), 64);
    }
    assert_int_equal(fixture_count(f, STR(""), NULL), THREADS * BLOBS_PER_THREAD);
}

static void no_room_is_store_full(void **state)
{
    struct fixture *f = *state;
    struct comb_blob_writer *writer = NULL;
    struct rlimit before, small;
    static char bytes[1 << 20];
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);
    enum comb_status status = COMB_OK;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 3 << 20;
    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err), &f->call.err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 8 && status == COMB_OK; i++)
        status = comb_blob_write(f->blobs, &f->call.ctx, writer, comb_str_of(bytes, sizeof bytes),
                                 &f->call.err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(status, COMB_RESOURCE_EXHAUSTED);
    assert_int_equal(f->call.err.reason, COMB_V1_ERROR_REASON_STORE_FULL);
    comb_blob_abort(f->blobs, writer);
    fixture_must_not_have(f, key);
    assert_int_equal(fixture_count(f, STR(""), NULL), 0);
}

int suite_crash(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_writer_leaves_whole_blobs_only, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(rest_of_a_dead_writer_is_listed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(threads_do_not_disturb_each_other, fixture_setup,
                                        fixture_teardown),
    };
    const struct CMUnitTest own_limits[] = {
        cmocka_unit_test_setup_teardown(no_room_is_store_full, fixture_setup, fixture_teardown),
    };
    int failed = cmocka_run_group_tests_name("crash", tests, NULL, NULL);

    /* The limits of this process are not those of a store that others share. */
    if (!(fixture_caps() & COMB_BLOB_CAP_SHARED))
        failed += cmocka_run_group_tests_name("own limits", own_limits, NULL, NULL);
    return failed;
}
