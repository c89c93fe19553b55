/* SPDX-License-Identifier: Apache-2.0 */
/*
 * combd is restarted again and again under a steady load: no caller sees a failure. The client may
 * try a call but once after it reached a handler, so that this holds too: what a handler has begun
 * completes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "comb/files.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"

#define RESTARTS_SHORT 8
#define RESTARTS_LONG 50
#define LIVES_MS 300
#define WORKERS 8
#define BYTES 3000

struct load {
    struct combd combd;
    struct comb_client *client;
    atomic_bool stop;
};

struct worker {
    struct load *load;
    unsigned number;
    unsigned calls, made; /* folders */
    int64_t longest_ns;
    char error[GRPCC_STATUS_MESSAGE_MAX + 128];
};

static enum grpcc_status list_once(struct comb_client *client, struct grpcc_arena *arena,
                                   struct grpcc_error *err)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_v1_tree_list_response *response = NULL;
    request->folder = calls_ref(arena, "/personal");
    return comb_v1_tree_list(comb_client_channel(client), arena, NULL, request, &response, err);
}

static enum grpcc_status call_once(struct worker *worker, struct grpcc_arena *arena,
                                   struct grpcc_error *err)
{
    struct comb_client *client = worker->load->client;
    unsigned char bytes[BYTES];
    char name[64], path[96];
    enum grpcc_status status;
    snprintf(name, sizeof name, "%u-%u", worker->number, worker->made);
    switch (worker->calls % 4) {
    case 0:
        return calls_stat(client, arena, "/personal", NULL, err);
    case 1:
        calls_content(worker->calls, bytes, sizeof bytes);
        snprintf(path, sizeof path, "/personal/file-%u", worker->number);
        return comb_put_bytes(client, arena, path, bytes, sizeof bytes, NULL, NULL, err);
    case 2:
        /* Not exist_ok: made twice would be an error. */
        status = calls_mkdir(client, arena, "/personal/folders", name, false, NULL, err);
        worker->made += status == GRPCC_OK;
        return status;
    default:
        return list_once(client, arena, err);
    }
}

static void *worker_run(void *data)
{
    struct worker *worker = data;
    while (!atomic_load(&worker->load->stop) && !worker->error[0]) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        int64_t begin_ns = calls_now_ns();
        enum grpcc_status status = call_once(worker, arena, &err);
        int64_t took_ns = calls_now_ns() - begin_ns;
        if (took_ns > worker->longest_ns)
            worker->longest_ns = took_ns;
        if (status != GRPCC_OK)
            snprintf(worker->error, sizeof worker->error, "call %u: %s: %s", worker->calls,
                     grpcc_status_name(status), err.message);
        worker->calls++;
        grpcc_arena_free(arena);
    }
    return NULL;
}

static void count_folder(void *data, const struct comb_v1_change *change)
{
    unsigned *made = data;
    *made += change->kind == COMB_V1_CHANGE_KIND_CREATED;
}

static void restart_again_and_again(struct load *load, struct worker workers[WORKERS])
{
    pthread_t threads[WORKERS];
    unsigned restarts = calls_count(RESTARTS_SHORT, RESTARTS_LONG);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.load = load, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    }
    for (unsigned i = 0; i < restarts; i++) {
        calls_sleep_ms(LIVES_MS);
        combd_stop(&load->combd);
        combd_start(&load->combd, NULL);
    }
    atomic_store(&load->stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

static void restarts_are_not_seen(void **state)
{
    static struct load load;
    static struct worker workers[WORKERS];
    struct comb_client_options options = {.size = sizeof options, .attempts_max = 1};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    const char *cursor = NULL;
    unsigned calls = 0, made = 0, told = 0;
    int64_t longest_ns = 0;
    (void)state;
    combd_start(&load.combd, NULL);
    assert_int_equal(comb_client_open(load.combd.address, &options, &load.client, &err), GRPCC_OK);
    assert_int_equal(comb_client_login(load.client, "admin", load.combd.password, NULL, &err),
                     GRPCC_OK);
    assert_int_equal(calls_mkdir(load.client, arena, "/personal", "folders", false, NULL, &err),
                     GRPCC_OK);
    assert_int_equal(calls_cursor(load.client, arena, "/personal/folders", &cursor, &err),
                     GRPCC_OK);
    restart_again_and_again(&load, workers);
    for (unsigned i = 0; i < WORKERS; i++) {
        if (workers[i].error[0])
            fail_msg("worker %u: %s", i, workers[i].error);
        assert_true(workers[i].made > 0);
        calls += workers[i].calls;
        made += workers[i].made;
        if (workers[i].longest_ns > longest_ns)
            longest_ns = workers[i].longest_ns;
    }
    if (calls_changes(load.client, "/personal/folders", cursor, count_folder, &told, &err))
        fail_msg("changes: %s", err.message);
    assert_int_equal(told, made);
    print_message("%u calls, longest wait %lld ms\n", calls, (long long)(longest_ns / 1000000));
    comb_client_close(load.client);
    grpcc_arena_free(arena);
    combd_stop(&load.combd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(restarts_are_not_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
