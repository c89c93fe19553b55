/* SPDX-License-Identifier: Apache-2.0 */
/* Hedging: who wins, what stops it, what the servers see of it. */
#include <grpcc/events.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

enum { SERVERS = 2, ATTEMPTS_NOTED = 64 };

enum plan { ANSWER, HANG, FAIL, PUSH_BACK, PUSH_FAR, FORBID, REFUSE };

/* What the servers see, in the order in which it comes. */
struct watch {
    pthread_mutex_t lock; /* all below */
    unsigned n;
    atomic_int previous[ATTEMPTS_NOTED]; /* grpcc-hedge; 0: none */
    atomic_int official[ATTEMPTS_NOTED]; /* grpc-previous-rpc-attempts; 0: none */
    atomic_int server[ATTEMPTS_NOTED];
};

struct hedged {
    struct fixture *f; /* for its arena and its gates */
    struct grpcc_server *servers[SERVERS];
    int numbers[SERVERS];
    struct grpcc_channel *channel;
    struct watch watch;
    struct gate cancelled;
    atomic_int plan[ATTEMPTS_NOTED]; /* how each attempt is answered, in turn; enum plan */
};

struct side {
    struct hedged *h;
    int number;
};

static void open_gate(void *gate)
{
    gate_open(gate);
}

/* Async: a call that hangs ends when it is cancelled, and holds nothing. */
static void hang(struct hedged *h, struct grpcc_call *call);

struct hanging {
    struct hedged *h;
    struct grpcc_call *call;
};

static void on_cancel(void *data)
{
    struct hanging *hanging = data;
    struct grpcc_call *call = hanging->call;
    struct gate *cancelled = &hanging->h->cancelled;
    grpcc_call_fail(call, GRPCC_CANCELLED, "cancelled");
    open_gate(cancelled);
    grpcc_call_unref(call);
}

static void hang(struct hedged *h, struct grpcc_call *call)
{
    struct hanging *hanging = grpcc_arena_alloc(grpcc_call_arena(call), sizeof(*hanging));
    *hanging = (struct hanging){h, grpcc_call_ref(call)};
    assert_true(grpcc_call_on_cancel(call, on_cancel, hanging));
}

static unsigned note(struct side *side, const struct grpcc_call *call)
{
    struct watch *watch = &side->h->watch;
    const char *previous = grpcc_call_metadata(call, "grpcc-hedge", NULL);
    const char *official = grpcc_call_metadata(call, "grpc-previous-rpc-attempts", NULL);
    pthread_mutex_lock(&watch->lock);
    unsigned index = watch->n++;
    watch->previous[index % ATTEMPTS_NOTED] = previous ? (int)strtol(previous, NULL, 10) : 0;
    watch->official[index % ATTEMPTS_NOTED] = official ? (int)strtol(official, NULL, 10) : 0;
    watch->server[index % ATTEMPTS_NOTED] = side->number;
    pthread_mutex_unlock(&watch->lock);
    return index % ATTEMPTS_NOTED;
}

static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct side *side = self;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    unsigned index = note(side, call);
    switch ((enum plan)side->h->plan[index]) {
    case HANG:
        hang(side->h, call);
        return;
    case PUSH_BACK:
        grpcc_call_set_pushback_ms(call, 30);
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "in a moment");
        return;
    case PUSH_FAR:
        grpcc_call_set_pushback_ms(call, 3600000);
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "in an hour");
        return;
    case FORBID:
        grpcc_call_set_pushback_ms(call, -1);
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "not again");
        return;
    case FAIL:
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "not here");
        return;
    case REFUSE:
        grpcc_call_fail(call, GRPCC_PERMISSION_DENIED, "nowhere");
        return;
    case ANSWER:
        answer->text = request->text;
        answer->count = index;
        grpcc_testing_echo_unary_finish(call, answer);
        return;
    }
}

static const struct grpcc_testing_echo_server table = {.unary = unary};
static struct side sides[SERVERS];

static void serve(struct hedged *h, int i, int *ret_port)
{
    const struct grpcc_method_config config = {.mode = GRPCC_MODE_ASYNC};
    sides[i] = (struct side){h, i};
    h->servers[i] = grpcc_server_new(NULL, &h->f->err);
    assert_int_equal(grpcc_testing_echo_register(h->servers[i], &table, &sides[i], &h->f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_configure_method(h->servers[i], "/grpcc.testing.Echo/Unary",
                                                   &config, &h->f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_listen(h->servers[i], "127.0.0.1:0", NULL, ret_port, &h->f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_start(h->servers[i], &h->f->err), GRPCC_OK);
}

/* Returns when the channel has a connection to each server. */
static void warm_up(struct hedged *h)
{
    bool answered[SERVERS] = {false};
    struct grpcc_testing_answer *answer = NULL;
    for (int n = 0; n < SERVERS;) {
        assert_int_equal(grpcc_testing_echo_unary(h->channel, h->f->arena, NULL, ask(h->f, "x"),
                                                  &answer, &h->f->err),
                         GRPCC_OK);
        int server = h->watch.server[answer->count];
        n += !answered[server];
        answered[server] = true;
    }
    pthread_mutex_lock(&h->watch.lock);
    h->watch.n = 0;
    pthread_mutex_unlock(&h->watch.lock);
}

static int setup(void **state)
{
    static struct hedged h;
    struct grpcc_channel_options options = {.size = sizeof(options),
                                            .load_balancing = "round_robin",
                                            .retries_off = true,
                                            .budget_tokens = 10};
    int ports[SERVERS];
    char target[64];
    memset(&h, 0, sizeof(h));
    h.f = fixture_new(NULL, &echo_table);
    fixture_start(h.f);
    pthread_mutex_init(&h.watch.lock, NULL);
    gate_init(&h.cancelled);
    for (int i = 0; i < SERVERS; i++)
        serve(&h, i, &ports[i]);
    snprintf(target, sizeof(target), "ipv4:127.0.0.1:%d,127.0.0.1:%d", ports[0], ports[1]);
    h.channel = grpcc_channel_new(target, &options, &h.f->err);
    assert_non_null(h.channel);
    assert_int_equal(grpcc_channel_wait_ready(h.channel, 30000, &h.f->err), GRPCC_OK);
    warm_up(&h);
    *state = &h;
    return 0;
}

static int teardown(void **state)
{
    struct hedged *h = *state;
    void *fixture = h->f;
    grpcc_channel_free(h->channel);
    for (int i = 0; i < SERVERS; i++)
        grpcc_server_free(h->servers[i]);
    gate_done(&h->cancelled);
    pthread_mutex_destroy(&h->watch.lock);
    return fixture_free(&fixture);
}

static enum grpcc_status call(struct hedged *h, const struct grpcc_hedge_policy *hedge,
                              int64_t timeout_ms, struct grpcc_testing_answer **ret_answer)
{
    const struct grpcc_call_options options = {
        .size = sizeof(options), .timeout_ms = timeout_ms, .hedge = hedge};
    h->f->err = (struct grpcc_error)GRPCC_ERROR_INIT;
    return grpcc_testing_echo_unary(h->channel, h->f->arena, &options, ask(h->f, "x"), ret_answer,
                                    &h->f->err);
}

static unsigned seen(struct hedged *h)
{
    pthread_mutex_lock(&h->watch.lock);
    unsigned n = h->watch.n;
    pthread_mutex_unlock(&h->watch.lock);
    return n;
}

static const struct grpcc_hedge_policy soon = {
    .size = sizeof(soon), .attempts_max = 3, .delay_ms = 1};
/* Hedges that nobody waits for. */
static const struct grpcc_hedge_policy late = {
    .size = sizeof(late), .attempts_max = 3, .delay_ms = 3600000};

static void a_fast_answer_is_not_hedged(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(call(h, &late, 0, &answer), GRPCC_OK);
    assert_string_equal(answer->text, "x");
    assert_int_equal(seen(h), 1);
    assert_int_equal(h->watch.previous[0], 0);
}

static void a_slow_one_is_overtaken_and_cancelled(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    h->plan[0] = h->plan[1] = HANG;
    assert_int_equal(call(h, &soon, 0, &answer), GRPCC_OK);
    assert_int_equal(answer->count, 2);
    gate_wait(&h->cancelled, 2); /* both losers */
    assert_int_equal(seen(h), 3);
    /* They overtake each other on their way to two servers. */
    assert_int_equal(h->watch.previous[0] + h->watch.previous[1] + h->watch.previous[2], 0 + 1 + 2);
    int server_of[3] = {0};
    for (int i = 0; i < 3; i++)
        server_of[h->watch.previous[i]] = (int)h->watch.server[i];
    assert_int_not_equal(server_of[0], server_of[1]);
}

static void a_failure_that_may_pass_starts_the_next_at_once(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    h->plan[0] = FAIL;
    assert_int_equal(call(h, &late, 0, &answer), GRPCC_OK);
    assert_int_equal(seen(h), 2);
    assert_int_equal(h->watch.previous[1], 1);
    assert_int_equal(h->watch.official[1], 1);
}

static void the_last_failure_is_the_calls(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    h->plan[0] = h->plan[1] = h->plan[2] = FAIL;
    assert_int_equal(call(h, &late, 0, &answer), GRPCC_UNAVAILABLE);
    assert_string_equal(h->f->err.message, "not here");
    assert_int_equal(seen(h), 3);
    assert_null(answer);
}

static void any_other_failure_ends_the_call(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    h->plan[0] = REFUSE;
    assert_int_equal(call(h, &late, 0, &answer), GRPCC_PERMISSION_DENIED);
    assert_int_equal(seen(h), 1);
    h->plan[1] = HANG;
    h->plan[2] = REFUSE;
    assert_int_equal(call(h, &soon, 0, &answer), GRPCC_PERMISSION_DENIED);
    gate_wait(&h->cancelled, 1);
}

static void a_pushback_puts_the_next_one_off(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    struct timespec before, after;
    h->plan[0] = PUSH_BACK;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(call(h, &late, 0, &answer), GRPCC_OK);
    clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t took_ns =
        (after.tv_sec - before.tv_sec) * INT64_C(1000000000) + after.tv_nsec - before.tv_nsec;
    assert_true(took_ns >= 30 * 1000000);
    assert_int_equal(seen(h), 2);
}

static void a_pushback_may_forbid_the_next_one(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    h->plan[0] = FORBID;
    assert_int_equal(call(h, &late, 0, &answer), GRPCC_UNAVAILABLE);
    assert_string_equal(h->f->err.message, "not again");
    assert_int_equal(seen(h), 1);
}

static void an_attempt_after_the_deadline_is_not_waited_for(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    h->plan[0] = PUSH_FAR;
    assert_int_equal(call(h, &late, 60000, &answer), GRPCC_UNAVAILABLE);
    assert_int_equal(seen(h), 1);
    h->plan[1] = h->plan[2] = h->plan[3] = HANG;
    assert_int_equal(call(h, &soon, 50, &answer), GRPCC_DEADLINE_EXCEEDED);
}

/* Ten tokens: five failures, and there are no hedges until calls succeed again. */
static void a_storm_ends_hedging(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    for (int i = 0; i < 20; i++)
        h->plan[i] = FAIL;
    for (int i = 0; i < 10; i++)
        assert_int_equal(call(h, &late, 0, &answer), GRPCC_UNAVAILABLE);
    assert_true(seen(h) < 15);
    assert_true(seen(h) >= 10);
}

static void what_cannot_be_hedged_is_refused(void **state)
{
    struct hedged *h = *state;
    struct grpcc_testing_answer *answer = NULL;
    const struct grpcc_hedge_policy one = {.size = sizeof(one), .attempts_max = 1};
    const struct grpcc_hedge_policy six = {.size = sizeof(six), .attempts_max = 6};
    const struct grpcc_hedge_policy ok = {.size = sizeof(ok),
                                          .statuses = GRPCC_STATUS_BIT(GRPCC_OK)};
    const struct grpcc_call_options options = {.size = sizeof(options), .hedge = &soon};
    assert_int_equal(call(h, &one, 0, &answer), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(call(h, &six, 0, &answer), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(call(h, &ok, 0, &answer), GRPCC_INVALID_ARGUMENT);
    assert_null(grpcc_testing_echo_chat_stream_open(h->channel, &options, &h->f->err));
    assert_int_equal(h->f->err.status, GRPCC_INVALID_ARGUMENT);
    assert_int_equal(seen(h), 0);
}

/* ---- the other forms ---- */

struct done {
    struct gate gate;
    enum grpcc_status status;
    bool on_poller;
    unsigned ends;
};

static void on_done(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                    const struct grpcc_error *err)
{
    struct done *done = data;
    (void)answer, (void)err;
    done->status = status;
    done->on_poller = grpcc_on_poller_thread();
    gate_open(&done->gate);
}

static void on_end(void *data, enum grpcc_status status)
{
    struct done *done = data;
    (void)status;
    done->ends++;
}

static void a_cancelled_call_cancels_all_attempts(void **state)
{
    struct hedged *h = *state;
    struct done done = {0};
    struct grpcc_client_call *handle = NULL;
    const struct grpcc_call_options options = {
        .size = sizeof(options), .hedge = &soon, .on_end = on_end, .on_metadata_data = &done};
    gate_init(&done.gate);
    h->plan[0] = h->plan[1] = h->plan[2] = HANG;
    grpcc_testing_echo_unary_start(h->channel, h->f->arena, &options, ask(h->f, "x"), on_done,
                                   &done, &handle);
    while (seen(h) < 3)
        sched_yield();
    grpcc_client_call_cancel(handle);
    gate_wait(&done.gate, 1);
    gate_wait(&h->cancelled, 3);
    assert_int_equal(done.status, GRPCC_CANCELLED);
    assert_true(done.on_poller);
    assert_int_equal(done.ends, 1);
    grpcc_client_call_free(handle);
    gate_done(&done.gate);
}

static void a_cancelled_wait_for_a_pushback_ends(void **state)
{
    struct hedged *h = *state;
    struct done done = {0};
    struct grpcc_client_call *handle = NULL;
    const struct grpcc_call_options options = {.size = sizeof(options), .hedge = &late};
    gate_init(&done.gate);
    /* All of them: what was cancelled early may still come, and late. */
    for (int i = 0; i < ATTEMPTS_NOTED; i++)
        h->plan[i] = PUSH_BACK;
    for (int i = 0; i < 4; i++) {
        unsigned before = seen(h);
        grpcc_testing_echo_unary_start(h->channel, h->f->arena, &options, ask(h->f, "x"), on_done,
                                       &done, &handle);
        if (i % 2)
            while (seen(h) == before)
                sched_yield();
        grpcc_client_call_cancel(handle);
        gate_wait(&done.gate, (unsigned)i + 1);
        assert_int_equal(done.status, GRPCC_CANCELLED);
        grpcc_client_call_free(handle);
    }
    gate_done(&done.gate);
}

static void hedges_report_to_events(void **state)
{
    struct hedged *h = *state;
    struct done done = {0};
    struct grpcc_events *events = grpcc_events_new(&h->f->err);
    const struct grpcc_call_options options = {
        .size = sizeof(options), .hedge = &soon, .events = events};
    struct pollfd fd = {.fd = grpcc_events_fd(events), .events = POLLIN};
    gate_init(&done.gate);
    h->plan[0] = HANG;
    grpcc_testing_echo_unary_start(h->channel, h->f->arena, &options, ask(h->f, "x"), on_done,
                                   &done, NULL);
    assert_int_equal(poll(&fd, 1, 30000), 1);
    assert_int_equal(grpcc_events_dispatch(events, 0), 1);
    assert_int_equal(gate_count(&done.gate), 1);
    assert_int_equal(done.status, GRPCC_OK);
    assert_false(done.on_poller);
    /* Freed under a call: it is told of before that returns. */
    for (unsigned i = seen(h); i < ATTEMPTS_NOTED; i++)
        h->plan[i] = HANG;
    grpcc_testing_echo_unary_start(h->channel, h->f->arena, &options, ask(h->f, "x"), on_done,
                                   &done, NULL);
    grpcc_events_free(events);
    assert_int_equal(gate_count(&done.gate), 2);
    assert_int_equal(done.status, GRPCC_CANCELLED);
    gate_done(&done.gate);
}

/* All that the options point to may be overwritten as soon as the call has begun. */
static void the_program_may_forget_what_it_gave(void **state)
{
    struct hedged *h = *state;
    struct done done = {0};
    char key[] = "x-key", value[] = "value";
    struct grpcc_metadata item = {key, value, 5};
    struct grpcc_hedge_policy policy = soon;
    struct grpcc_call_options options = {
        .size = sizeof(options), .hedge = &policy, .metadata = &item, .n_metadata = 1};
    gate_init(&done.gate);
    h->plan[0] = HANG;
    grpcc_testing_echo_unary_start(h->channel, h->f->arena, &options, ask(h->f, "x"), on_done,
                                   &done, NULL);
    memset(key, 'X', sizeof(key));
    memset(&item, 0xff, sizeof(item));
    memset(&policy, 0xff, sizeof(policy));
    memset(&options, 0xff, sizeof(options));
    gate_wait(&done.gate, 1);
    assert_int_equal(done.status, GRPCC_OK);
    gate_done(&done.gate);
}

int main(void)
{
#define HEDGE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        HEDGE_TEST(a_fast_answer_is_not_hedged),
        HEDGE_TEST(a_slow_one_is_overtaken_and_cancelled),
        HEDGE_TEST(a_failure_that_may_pass_starts_the_next_at_once),
        HEDGE_TEST(the_last_failure_is_the_calls),
        HEDGE_TEST(any_other_failure_ends_the_call),
        HEDGE_TEST(a_pushback_puts_the_next_one_off),
        HEDGE_TEST(a_pushback_may_forbid_the_next_one),
        HEDGE_TEST(an_attempt_after_the_deadline_is_not_waited_for),
        HEDGE_TEST(a_storm_ends_hedging),
        HEDGE_TEST(what_cannot_be_hedged_is_refused),
        HEDGE_TEST(a_cancelled_call_cancels_all_attempts),
        HEDGE_TEST(a_cancelled_wait_for_a_pushback_ends),
        HEDGE_TEST(hedges_report_to_events),
        HEDGE_TEST(the_program_may_forget_what_it_gave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
