/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two replicas on the same clustered stores hear each other: what is published through one comes to
 * who listens at the other, and a change through one comes to a watch at the other, woken by the
 * events row. Prints how long both took; what is asserted is that they come.
 */
#include <stdio.h>
#include <stdlib.h>

#include "comb/lists.h"
#include "comb/v1/operations.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/e2e/event_calls.h"
#include "tests/support/cmocka.h"

#define ROUNDS_SHORT 60
#define ROUNDS_LONG 2000

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void print_times(const char *what, int64_t *took_ns, unsigned n)
{
    qsort(took_ns, n, sizeof *took_ns, compare);
    print_message("%s: %u times, p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", what, n,
                  (double)took_ns[n / 2] / 1e6, (double)took_ns[n * 99 / 100] / 1e6,
                  (double)took_ns[n - 1] / 1e6);
}

static void an_event_and_a_change_reach_the_other_replica(void **state)
{
    struct combd one = {0}, other = {0};
    struct ear ear;
    struct comb_watch *watch = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    unsigned n = calls_count(ROUNDS_SHORT, ROUNDS_LONG);
    int64_t *events_ns = calloc(n, sizeof *events_ns), *changes_ns = calloc(n, sizeof *changes_ns);
    (void)state;
    assert_true(arena && events_ns && changes_ns);
    combd_start(&one, NULL);
    combd_start_beside(&other, &one, NULL);
    struct comb_client *writer = combd_client(&one), *reader = combd_client(&other);
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(arena);
    request->folder = calls_ref(arena, "/personal");
    assert_int_equal(comb_watch_open(reader, request, &watch, &err), GRPCC_OK);
    ear_open(&ear, reader, "replicas.x", "", 0);
    for (unsigned i = 0; i < n; i++) {
        const struct comb_v1_tree_watch_response *event = NULL;
        char name[32];
        snprintf(name, sizeof name, "folder-%u", i);
        int64_t begin_ns = calls_now_ns();
        event_say(writer, "replicas.x", name);
        ear_must_hear(&ear, "replicas.x", name);
        events_ns[i] = calls_now_ns() - begin_ns;
        assert_int_equal(calls_mkdir(writer, arena, "/personal", name, false, NULL, &err),
                         GRPCC_OK);
        begin_ns = calls_now_ns();
        do {
            assert_int_equal(comb_watch_next(watch, &event, &err), 1);
        } while (event->event_case != COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE);
        changes_ns[i] = calls_now_ns() - begin_ns;
    }
    print_times("published through one, heard at the other", events_ns, n);
    print_times("change acknowledged by one, told by a watch at the other", changes_ns, n);
    ear_close(&ear);
    comb_watch_close(watch);
    comb_client_close(writer);
    comb_client_close(reader);
    combd_done(&other);
    combd_done(&one);
    grpcc_arena_free(arena);
    free(events_ns);
    free(changes_ns);
}

/* Begins a sweep through writer; false: the servers are at one by themselves. */
static bool begin_sweep(struct comb_client *writer, struct grpcc_arena *arena, const char **ret_id)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_operations_start_request *request = comb_v1_operations_start_request_new(arena);
    struct comb_v1_operations_start_response *response = NULL;
    comb_v1_operations_start_request_set_kind(request, "data.sweep");
    enum grpcc_status status = comb_v1_operations_start(comb_client_channel(writer), arena, NULL,
                                                        request, &response, &err);
    if (status != GRPCC_OK && status != GRPCC_ALREADY_EXISTS)
        fail_msg("begin a sweep: %s", err.message);
    if (status == GRPCC_OK)
        *ret_id = response->operation->id;
    return status == GRPCC_OK;
}

/* Either replica may run it; who waits at the other hears of its end. */
static void an_operation_is_waited_for_at_any_replica(void **state)
{
    enum { ROUNDS = 20 };
    struct combd one = {0}, other = {0};
    int64_t took_ns[ROUNDS];
    (void)state;
    combd_start(&one, NULL);
    combd_start_beside(&other, &one, NULL);
    struct comb_client *clients[] = {combd_client(&one), combd_client(&other)};
    for (unsigned i = 0; i < ROUNDS;) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct comb_v1_operations_wait_request *request =
            comb_v1_operations_wait_request_new(arena);
        struct comb_v1_operations_wait_response *response = NULL;
        const char *id = NULL;
        int64_t begin_ns = calls_now_ns();
        if (begin_sweep(clients[i % 2], arena, &id)) {
            comb_v1_operations_wait_request_set_operation_id(request, id);
            if (comb_v1_operations_wait(comb_client_channel(clients[(i + 1) % 2]), arena, NULL,
                                        request, &response, &err) != GRPCC_OK)
                fail_msg("wait: %s", err.message);
            assert_int_equal(response->operation->state, COMB_V1_OPERATION_STATE_DONE);
            took_ns[i++] = calls_now_ns() - begin_ns;
        }
        grpcc_arena_free(arena);
    }
    print_times("operation begun at one, done for who waits at the other", took_ns, ROUNDS);
    comb_client_close(clients[0]);
    comb_client_close(clients[1]);
    combd_done(&other);
    combd_done(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_and_a_change_reach_the_other_replica),
        cmocka_unit_test(an_operation_is_waited_for_at_any_replica),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
