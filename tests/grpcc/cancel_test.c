/* SPDX-License-Identifier: Apache-2.0 */
/* Cancellation and deadlines, both ways. */
#include "tests/grpcc/fixture.h"

/* What the handler saw. */
struct seen {
    atomic_uint hooks;
    enum grpcc_status read;
    bool cancelled;
};

static void count_hook(void *data)
{
    struct fixture *f = data;
    struct seen *seen = f->data;
    atomic_fetch_add(&seen->hooks, 1);
    gate_open(&f->leave);
}

/* Waits for its cancellation. */
static void wait_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    struct seen *seen = f->data;
    (void)request;
    assert_true(grpcc_call_on_cancel(call, count_hook, f));
    gate_open(&f->entered);
    gate_wait(&f->leave, 1);
    seen->cancelled = grpcc_call_is_cancelled(call);
    /* One that comes late runs at once. */
    assert_true(grpcc_call_on_cancel(call, count_hook, f));
    grpcc_call_fail(call, GRPCC_INTERNAL, "nobody hears this");
    gate_open(&f->entered);
}

/* Reads until something happens. */
static void wait_collect(void *self, struct grpcc_call *call)
{
    struct fixture *f = self;
    struct seen *seen = f->data;
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    do {
        seen->read = grpcc_testing_echo_collect_read(call, grpcc_call_arena(call), &request, &err);
        gate_open(&f->entered);
    } while (!seen->read && request);
    grpcc_call_fail(call, GRPCC_ABORTED, "read %d", (int)seen->read);
    gate_open(&f->leave);
}

/* Sends until something happens. */
static void wait_expand(void *self, struct grpcc_call *call,
                        const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    struct seen *seen = f->data;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    answer->text = request->text;
    do
        seen->read = grpcc_testing_echo_expand_send(call, answer, &err);
    while (!seen->read);
    grpcc_call_fail(call, seen->read, "%s", err.message);
    gate_open(&f->leave);
}

static const struct grpcc_testing_echo_server waiting = {
    .unary = wait_unary,
    .collect = wait_collect,
    .expand = wait_expand,
};

static int setup(void **state)
{
    static struct seen seen;
    struct fixture *f = fixture_new(NULL, &waiting);
    memset(&seen, 0, sizeof(seen));
    f->data = &seen;
    fixture_start(f);
    *state = f;
    return 0;
}

struct outcome {
    struct gate ended;
    enum grpcc_status status;
};

static void unary_ended(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                        const struct grpcc_error *err)
{
    struct outcome *outcome = data;
    assert_null(response);
    assert_int_equal(err->status, status);
    outcome->status = status;
    gate_open(&outcome->ended);
}

static void the_client_cancels_a_unary_call(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    struct outcome outcome = {.status = GRPCC_OK};
    struct grpcc_client_call *call = NULL;
    gate_init(&outcome.ended);
    grpcc_testing_echo_unary_start(f->channel, f->arena, NULL, ask(f, "x"), unary_ended, &outcome,
                                   &call);
    gate_wait(&f->entered, 1);
    grpcc_client_call_cancel(call);
    gate_wait(&outcome.ended, 1);
    assert_int_equal(outcome.status, GRPCC_CANCELLED);
    gate_wait(&f->entered, 2);
    assert_true(seen->cancelled);
    assert_int_equal(seen->hooks, 2);
    grpcc_client_call_cancel(call); /* late, and harmless */
    grpcc_client_call_free(call);
    gate_done(&outcome.ended);
}

/* Long enough for the call to have entered its handler, on a machine that has much else to do. */
enum { DEADLINE_MS = 500 };

static void a_deadline_ends_both_sides(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = DEADLINE_MS};
    must_end(f, GRPCC_DEADLINE_EXCEEDED, ask(f, "x"), &options);
    gate_wait(&f->entered, 2);
    assert_true(seen->cancelled);
}

static int setup_time_limit(void **state)
{
    static struct seen seen;
    struct fixture *f = fixture_new(NULL, &waiting);
    memset(&seen, 0, sizeof(seen));
    f->data = &seen;
    fixture_configure(f, "/grpcc.testing.Echo/Unary",
                      (struct grpcc_method_config){.timeout_max_ms = DEADLINE_MS});
    fixture_start(f);
    *state = f;
    return 0;
}

static void a_method_has_its_own_time_limit(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    must_end(f, GRPCC_DEADLINE_EXCEEDED, ask(f, "x"), NULL);
    gate_wait(&f->entered, 2);
    assert_true(seen->cancelled);
}

/* A stream that is cut off must not look complete to who reads it. */
static void a_cancelled_client_stream_is_not_complete(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, NULL, &f->err);
    assert_true(grpcc_testing_echo_collect_stream_write(stream, ask(f, "a")));
    gate_wait(&f->entered, 1);
    grpcc_testing_echo_collect_stream_cancel(stream);
    gate_wait(&f->leave, 1);
    assert_int_equal(seen->read, GRPCC_CANCELLED);
    grpcc_testing_echo_collect_stream_free(stream);
}

static void a_lost_connection_is_not_completion(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, NULL, &f->err);
    assert_true(grpcc_testing_echo_collect_stream_write(stream, ask(f, "a")));
    gate_wait(&f->entered, 1);
    grpcc_testing_echo_collect_stream_free(stream); /* cancels; then the channel goes, too */
    grpcc_channel_free(f->channel);
    f->channel = NULL;
    gate_wait(&f->leave, 1);
    assert_int_equal(seen->read, GRPCC_CANCELLED);
}

static void a_sender_learns_that_nobody_reads(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 1);
    grpcc_testing_echo_expand_stream_free(stream);
    gate_wait(&f->leave, 1);
    assert_int_equal(seen->read, GRPCC_CANCELLED);
}

/* The deadline of a server call reaches the calls that it makes. */
static void forward_unary(void *self, struct grpcc_call *call,
                          const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    struct seen *seen = f->data;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_call_options options = {.size = sizeof(options), .parent = call};
    struct grpcc_testing_answer *answer = NULL;
    if (strcmp(request->text, "inner") == 0) {
        wait_unary(self, call, request);
        return;
    }
    struct grpcc_testing_ask *inner = grpcc_testing_ask_new(grpcc_call_arena(call));
    grpcc_testing_ask_set_text(inner, "inner");
    seen->read = grpcc_testing_echo_unary(f->channel, grpcc_call_arena(call), &options, inner,
                                          &answer, &err);
    /* It may reach the client before the client's own clock says the same. */
    grpcc_call_fail(call, GRPCC_DEADLINE_EXCEEDED, "inner ended");
    gate_open(&f->entered);
}

static const struct grpcc_testing_echo_server forwarding = {.unary = forward_unary};

static int setup_forwarding(void **state)
{
    static struct seen seen;
    struct fixture *f = fixture_new(NULL, &forwarding);
    memset(&seen, 0, sizeof(seen));
    f->data = &seen;
    fixture_start(f);
    *state = f;
    return 0;
}

static void a_parents_deadline_reaches_its_children(void **state)
{
    struct fixture *f = *state;
    struct seen *seen = f->data;
    struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = DEADLINE_MS};
    must_end(f, GRPCC_DEADLINE_EXCEEDED, ask(f, "outer"), &options);
    gate_wait(&f->entered, 3);
    assert_true(seen->read == GRPCC_DEADLINE_EXCEEDED || seen->read == GRPCC_CANCELLED);
    assert_true(seen->cancelled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_client_cancels_a_unary_call, setup, fixture_free),
        cmocka_unit_test_setup_teardown(a_deadline_ends_both_sides, setup, fixture_free),
        cmocka_unit_test_setup_teardown(a_method_has_its_own_time_limit, setup_time_limit,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(a_cancelled_client_stream_is_not_complete, setup,
                                        fixture_free),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_not_completion, setup, fixture_free),
        cmocka_unit_test_setup_teardown(a_sender_learns_that_nobody_reads, setup, fixture_free),
        cmocka_unit_test_setup_teardown(a_parents_deadline_reaches_its_children, setup_forwarding,
                                        fixture_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
