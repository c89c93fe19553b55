/* SPDX-License-Identifier: Apache-2.0 */
/* Events over a real socket: who may publish and listen where, what is heard, what ends a call. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/auth.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/e2e/event_calls.h"
#include "tests/support/cmocka.h"

#define USER_LISTENERS 16

struct fixture {
    struct combd combd;
    struct comb_client *admin, *anna;
    char own[96]; /* "user.ANNA'S-ID." */
};

static void read_own(struct fixture *f)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_auth_who_am_i_response *response = NULL;
    assert_int_equal(comb_v1_auth_who_am_i(comb_client_channel(f->anna), arena, NULL,
                                           comb_v1_auth_who_am_i_request_new(arena), &response,
                                           &err),
                     GRPCC_OK);
    snprintf(f->own, sizeof f->own, "user.%s.", response->user->id);
    grpcc_arena_free(arena);
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    combd_start(&f.combd, NULL);
    f.admin = combd_client(&f.combd);
    f.anna = combd_client_as(&f.combd, "anna");
    read_own(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->admin);
    comb_client_close(f->anna);
    combd_done(&f->combd);
    return 0;
}

static const char *own(struct fixture *f, const char *rest)
{
    static char topics[4][160];
    static int turn;
    char *topic = topics[turn++ % 4];
    snprintf(topic, sizeof topics[0], "%s%s", f->own, rest);
    return topic;
}

static void what_is_published_is_heard(void **state)
{
    struct fixture *f = *state;
    struct ear one, all;
    ear_open(&one, f->anna, own(f, "a"), "", 0);
    ear_open(&all, f->admin, own(f, ">"), "", 0);
    event_say(f->anna, own(f, "a"), "one");
    event_say(f->anna, own(f, "a.b"), "two");
    event_say(f->admin, own(f, "a"), "");
    ear_must_hear(&one, own(f, "a"), "one");
    ear_must_hear(&one, own(f, "a"), "");
    ear_must_hear(&all, own(f, "a"), "one");
    ear_must_hear(&all, own(f, "a.b"), "two");
    ear_must_hear(&all, own(f, "a"), "");
    ear_close(&one);
    ear_close(&all);
}

enum { JOBS = 20, MEMBERS = 2 };

struct group {
    atomic_int heard[JOBS], n_heard;
};

struct member {
    struct group *group;
    struct ear ear;
    pthread_t thread;
};

static void *work_on(void *data)
{
    struct member *member = data;
    while (ear_next(&member->ear)) {
        const ProtobufCBinaryData *payload = &member->ear.event->message->payload;
        assert_int_equal(payload->len, 1);
        member->group->heard[payload->data[0] - 'a']++;
        member->group->n_heard++;
    }
    return NULL;
}

static void of_a_group_one_hears(void **state)
{
    struct fixture *f = *state;
    struct group group = {0};
    struct member members[MEMBERS];
    for (int i = 0; i < MEMBERS; i++) {
        members[i].group = &group;
        ear_open(&members[i].ear, f->admin, "work.*", "workers", 0);
        assert_int_equal(pthread_create(&members[i].thread, NULL, work_on, &members[i]), 0);
    }
    for (int i = 0; i < JOBS; i++) {
        const char job[] = {(char)('a' + i), '\0'};
        event_say(f->admin, "work.x", job);
    }
    while (group.n_heard < JOBS)
        calls_sleep_ms(2);
    for (int i = 0; i < MEMBERS; i++) {
        comb_v1_events_subscribe_stream_cancel(members[i].ear.stream);
        pthread_join(members[i].thread, NULL);
        ear_close(&members[i].ear);
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(group.heard[i], 1);
}

static void who_may_not_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const others[] = {"a",         "user",
                                         "user.a.b",  "user.00000000-0000-7000-8000-000000000000.a",
                                         "comb.feed", "comb.feed.x"};
    static const char *const patterns[] = {">", "*", "*.a", "user.>", "user.*.a", "comb.>"};
    char bare[96];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(event_publish(f->anna, others[i], "x", 1), GRPCC_PERMISSION_DENIED);
        assert_int_equal(ear_refused(f->anna, others[i]), GRPCC_PERMISSION_DENIED);
    }
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        assert_int_equal(ear_refused(f->anna, patterns[i]), GRPCC_PERMISSION_DENIED);
    snprintf(bare, sizeof bare, "%.*s", (int)strlen(f->own) - 1, f->own);
    assert_int_equal(event_publish(f->anna, bare, "x", 1), GRPCC_PERMISSION_DENIED);
    assert_int_equal(event_publish(f->admin, "comb.feed.x", "x", 1), GRPCC_PERMISSION_DENIED);
    assert_int_equal(event_publish(f->admin, "comb", "x", 1), GRPCC_PERMISSION_DENIED);
    assert_int_equal(ear_refused(f->admin, ">"), GRPCC_PERMISSION_DENIED);
    assert_int_equal(ear_refused(f->admin, "*.feed.>"), GRPCC_PERMISSION_DENIED);
    assert_int_equal(event_publish(f->admin, "any.thing", "x", 1), GRPCC_OK);
}

static void what_is_malformed_is_refused(void **state)
{
    struct fixture *f = *state;
    static char large[65537];
    assert_int_equal(event_publish(f->anna, "", "x", 1), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(event_publish(f->anna, own(f, "a b"), "x", 1), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(event_publish(f->anna, own(f, "*"), "x", 1), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(event_publish(f->anna, own(f, "a"), large, sizeof large),
                     GRPCC_INVALID_ARGUMENT);
    assert_int_equal(event_publish(f->anna, own(f, "a"), large, sizeof large - 1), GRPCC_OK);
    assert_int_equal(ear_refused(f->anna, own(f, "a..b")), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(ear_refused(f->anna, ""), GRPCC_INVALID_ARGUMENT);
}

static void a_user_has_so_many_calls(void **state)
{
    struct fixture *f = *state;
    struct ear ears[USER_LISTENERS];
    for (int i = 0; i < USER_LISTENERS; i++)
        ear_open(&ears[i], f->anna, own(f, "a"), "", 0);
    assert_int_equal(ear_refused(f->anna, own(f, "a")), GRPCC_RESOURCE_EXHAUSTED);
    event_say(f->anna, own(f, "a"), "to all");
    for (int i = 0; i < USER_LISTENERS; i++) {
        ear_must_hear(&ears[i], own(f, "a"), "to all");
        ear_close(&ears[i]);
    }
}

/* More than the sockets and the queue hold: what is dropped is counted. */
static void who_is_slow_is_told(void **state)
{
    struct fixture *f = *state;
    enum { MESSAGES = 600, BYTES = 60000 };
    struct ear ear;
    char *payload = calloc(1, BYTES);
    unsigned heard = 0;
    uint64_t lost = 0;
    assert_non_null(payload);
    ear_open(&ear, f->admin, "slow.x", "", 2);
    for (int i = 0; i < MESSAGES; i++)
        assert_int_equal(event_publish(f->admin, "slow.x", payload, BYTES), GRPCC_OK);
    while (heard + lost < MESSAGES && ear_next(&ear)) {
        if (ear.event->event_case == COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_MESSAGE) {
            heard++;
        } else {
            lost += ear.event->loss->lost_min;
            assert_int_equal(ear.event->loss->cause, COMB_V1_EVENTS_LOSS_CAUSE_SLOW);
        }
    }
    assert_int_equal(heard + lost, MESSAGES);
    assert_true(lost > 0);
    event_say(f->admin, "slow.x", "still here");
    ear_must_hear(&ear, "slow.x", "still here");
    ear_close(&ear);
    free(payload);
}

static void who_logs_out_hears_no_more(void **state)
{
    struct fixture *f = *state;
    struct ear ear;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    ear_open(&ear, f->anna, own(f, "a"), "", 0);
    assert_int_equal(comb_client_logout(f->anna, &err), GRPCC_OK);
    assert_false(ear_next(&ear));
    assert_int_equal(ear_status(&ear), GRPCC_UNAUTHENTICATED);
    comb_v1_events_subscribe_stream_free(ear.stream);
    grpcc_arena_free(ear.arena);
}

static void a_server_that_stops_says_so(void **state)
{
    struct fixture *f = *state;
    struct ear ear;
    ear_open(&ear, f->admin, "a.b", "", 0);
    combd_stop(&f->combd);
    assert_false(ear_next(&ear));
    assert_int_equal(ear_status(&ear), GRPCC_UNAVAILABLE);
    comb_v1_events_subscribe_stream_free(ear.stream);
    grpcc_arena_free(ear.arena);
}

int main(void)
{
    /* One combd for all, in this order: the last two end what the others need. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_is_heard),
        cmocka_unit_test(of_a_group_one_hears),
        cmocka_unit_test(who_may_not_is_refused),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(a_user_has_so_many_calls),
        cmocka_unit_test(who_is_slow_is_told),
        cmocka_unit_test(who_logs_out_hears_no_more),
        cmocka_unit_test(a_server_that_stops_says_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
