/* SPDX-License-Identifier: Apache-2.0 */
/* A real combd that is stopped, killed and started again while programs use it: they do not see
 * it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comb/files.h"
#include "comb/v1/tree.grpcc.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"

enum { THREADS = 4, RESTARTS = 3, FILES = 300, PATH_SIZE = 2048 };

struct fixture {
    struct combd combd;
    struct comb_client *client;
    atomic_bool stop;
    atomic_uint calls, failures;
    char folder[PATH_SIZE];
    enum grpcc_status status;
    struct comb_tree_report report;
    struct grpcc_error err; /* of the import */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    combd_start(&f->combd, NULL);
    f->client = combd_client(&f->combd);
    snprintf(f->folder, sizeof(f->folder), "%s/restart.XXXXXX", getenv("TEST_TMPDIR"));
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->client);
    combd_done(&f->combd);
    free(f);
    return 0;
}

static void note(struct fixture *f, enum grpcc_status status, const struct grpcc_error *err)
{
    atomic_fetch_add(&f->calls, 1);
    if (!status)
        return;
    atomic_fetch_add(&f->failures, 1);
    print_error("%s: %s\n", grpcc_status_name(status), err->message);
}

/* Writes and reads in turn until it is told to stop. */
static void *load(void *data)
{
    struct fixture *f = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    for (unsigned i = 0; !atomic_load(&f->stop); i++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct comb_v1_tree_stat_response *response = NULL;
        char path[128];
        grpcc_arena_reset(arena);
        snprintf(path, sizeof(path), "/personal/%p-%u", (void *)arena, i % 10);
        note(f, comb_put_bytes(f->client, arena, path, path, strlen(path), NULL, NULL, &err), &err);
        struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
        request->node = comb_v1_node_ref_new(arena);
        comb_v1_node_ref_set_path(request->node, path);
        note(f,
             comb_v1_tree_stat(comb_client_channel(f->client), arena, NULL, request, &response,
                               &err),
             &err);
    }
    grpcc_arena_free(arena);
    return NULL;
}

static void no_call_fails_while_a_replica_restarts(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load, f), 0);
    for (int i = 0; i < RESTARTS; i++) {
        unsigned before = atomic_load(&f->calls);
        while (atomic_load(&f->calls) < before + THREADS * 10)
            usleep(1000);
        combd_stop(&f->combd);
        combd_start(&f->combd, NULL);
    }
    atomic_store(&f->stop, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&f->failures), 0);
}

static void make_files(struct fixture *f)
{
    for (int i = 0; i < FILES; i++) {
        char path[PATH_SIZE + 32];
        snprintf(path, sizeof(path), "%s/%d", f->folder, i);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fprintf(file, "%d", i);
        assert_int_equal(fclose(file), 0);
    }
}

static bool count_progress(void *data, const struct comb_progress *progress)
{
    struct fixture *f = data;
    atomic_store(&f->calls, (unsigned)progress->files);
    return true;
}

static void *import(void *data)
{
    struct fixture *f = data;
    struct comb_tree_options options = {
        .size = sizeof(options), .progress = count_progress, .progress_data = f};
    f->status = comb_put_tree(f->client, f->folder, "/personal/in", &options, &f->report, &f->err);
    atomic_store(&f->stop, true);
    return NULL;
}

/* Killed without a word in the middle, as often as there is a middle: one import ends well all the
 * same, and what it sent is there, once. */
static void an_import_survives_kills(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    make_files(f);
    assert_int_equal(pthread_create(&thread, NULL, import, f), 0);
    for (int i = 0; i < RESTARTS; i++) {
        unsigned wanted = (unsigned)(FILES / 10 * (i + 1));
        while (!atomic_load(&f->stop) && atomic_load(&f->calls) < wanted)
            usleep(1000);
        combd_kill(&f->combd);
        combd_start(&f->combd, NULL);
    }
    pthread_join(thread, NULL);
    if (f->status)
        fail_msg("%s", f->err.message);
    assert_int_equal(f->report.problems, 0);
    assert_int_equal(f->report.files + f->report.unchanged, FILES);
    import(f);
    assert_int_equal(f->report.unchanged, FILES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_call_fails_while_a_replica_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_import_survives_kills, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
