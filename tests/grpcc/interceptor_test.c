/* SPDX-License-Identifier: Apache-2.0 */
/* Interceptors: their order, their verdicts, their last word; and handing over to a worker. */
#include <grpc/health/v1/health.grpcc.h>

#include "tests/grpcc/fixture.h"

/* What happened, in order, as letters. */
struct trace {
    pthread_mutex_t lock;
    char text[64];
    size_t length;
    enum grpcc_status ended;
};

static struct trace trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(char letter)
{
    pthread_mutex_lock(&trace.lock);
    if (trace.length < sizeof(trace.text) - 1)
        trace.text[trace.length++] = letter;
    pthread_mutex_unlock(&trace.lock);
}

static const char *wish_of(struct grpcc_call *call)
{
    const ProtobufCMessage *request = grpcc_call_request(call);
    if (!request || request->descriptor != &grpcc_testing_ask_descriptor)
        return "";
    return ((const struct grpcc_testing_ask *)request)->text;
}

static void *resume_later(void *call)
{
    grpcc_call_resume(call);
    return NULL;
}

static void *fail_later(void *call)
{
    grpcc_call_fail(call, GRPCC_UNAUTHENTICATED, "not you");
    return NULL;
}

static void in_thread(void *(*function)(void *), void *data)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, data), 0);
    pthread_detach(thread);
}

static enum grpcc_verdict first_begin(void *self, struct grpcc_call *call)
{
    (void)self;
    note('a');
    grpcc_call_set_user_data(call, &trace);
    return GRPCC_PROCEED;
}

static enum grpcc_verdict second_begin(void *self, struct grpcc_call *call)
{
    const char *wish = wish_of(call);
    (void)self;
    note('b');
    assert_ptr_equal(grpcc_call_user_data(call), &trace);
    if (strcmp(wish, "refuse") == 0 || !grpcc_call_method(call)) {
        grpcc_call_fail(call, GRPCC_PERMISSION_DENIED, "not this");
        return GRPCC_ANSWERED;
    }
    if (strcmp(wish, "defer") == 0) {
        in_thread(resume_later, call);
        return GRPCC_DEFER;
    }
    if (strcmp(wish, "defer at once") == 0) {
        grpcc_call_resume(call);
        return GRPCC_DEFER;
    }
    if (strcmp(wish, "defer and fail") == 0) {
        in_thread(fail_later, call);
        return GRPCC_DEFER;
    }
    return GRPCC_PROCEED;
}

static void first_before(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    (void)self;
    (void)call;
    note(status ? 'X' : 'A');
}

static void second_before(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    (void)self;
    note(status ? 'Y' : 'B');
    if (strcmp(wish_of(call), "turn") == 0)
        grpcc_call_fail(call, GRPCC_DATA_LOSS, "turned");
    assert_true(grpcc_call_add_trailing_metadata(call, "x-by", "second", 6));
}

static void first_end(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    struct fixture *f = self;
    (void)call;
    note('z');
    trace.ended = status;
    gate_open(&f->entered);
}

static void second_end(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    (void)self;
    (void)call;
    (void)status;
    note('y');
}

static const struct grpcc_interceptor first = {first_begin, first_before, first_end};
static const struct grpcc_interceptor second = {second_begin, second_before, second_end};

static void traced_unary(void *self, struct grpcc_call *call,
                         const struct grpcc_testing_ask *request)
{
    (void)self;
    (void)request;
    note('h');
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

static const struct grpcc_testing_echo_server table = {.unary = traced_unary};

static int setup_mode(void **state, enum grpcc_mode mode)
{
    struct fixture *f = fixture_new(NULL, &table);
    fixture_configure(f, "/grpcc.testing.Echo/Unary", (struct grpcc_method_config){.mode = mode});
    assert_int_equal(grpcc_server_add_interceptor(f->server, &first, f, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_add_interceptor(f->server, &second, f, &f->err), GRPCC_OK);
    memset(trace.text, 0, sizeof(trace.text));
    trace.length = 0;
    fixture_start(f);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_mode(state, GRPCC_MODE_BLOCKING);
}

static int setup_inline(void **state)
{
    return setup_mode(state, GRPCC_MODE_INLINE);
}

static void must_trace(struct fixture *f, const char *wish, enum grpcc_status status,
                       const char *letters)
{
    must_end(f, status, ask(f, wish), NULL);
    gate_wait(&f->entered, 1);
    assert_string_equal(trace.text, letters);
    assert_int_equal(trace.ended, status);
}

static void they_run_around_the_handler(void **state)
{
    must_trace(*state, "x", GRPCC_OK, "abhBAyz");
}

static void one_may_answer(void **state)
{
    must_trace(*state, "refuse", GRPCC_PERMISSION_DENIED, "abYXyz");
}

static void one_may_defer(void **state)
{
    must_trace(*state, "defer", GRPCC_OK, "abhBAyz");
}

static void one_may_resume_before_it_has_deferred(void **state)
{
    must_trace(*state, "defer at once", GRPCC_OK, "abhBAyz");
}

static void one_may_fail_after_it_has_deferred(void **state)
{
    must_trace(*state, "defer and fail", GRPCC_UNAUTHENTICATED, "abYXyz");
}

static void one_may_turn_success_into_failure(void **state)
{
    struct fixture *f = *state;
    must_trace(f, "turn", GRPCC_DATA_LOSS, "abhBXyz");
    assert_string_equal(f->err.message, "turned");
}

static void they_run_around_unknown_methods(void **state)
{
    struct fixture *f = *state;
    static struct grpcc_method method;
    void *response = NULL;
    method = grpcc_testing_echo_methods[0];
    method.path = "/no.Such/Method";
    assert_int_equal(
        grpcc_unary(f->channel, &method, f->arena, NULL, &ask(f, "x")->base, &response, &f->err),
        GRPCC_PERMISSION_DENIED);
    gate_wait(&f->entered, 1);
    assert_string_equal(trace.text, "abYXyz");
}

static void they_run_around_the_builtin_services(void **state)
{
    struct fixture *f = *state;
    struct grpc_health_v1_health_check_response *response = NULL;
    assert_int_equal(grpc_health_v1_health_check(f->channel, f->arena, NULL,
                                                 grpc_health_v1_health_check_request_new(f->arena),
                                                 &response, &f->err),
                     GRPCC_OK);
    gate_wait(&f->entered, 1);
    assert_string_equal(trace.text, "abBAyz");
}

/* ---- handing over ---- */

static void on_worker(void *self, struct grpcc_call *call, const void *request)
{
    struct fixture *f = self;
    const struct grpcc_testing_ask *asked = request;
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    assert_false(grpcc_on_poller_thread());
    assert_ptr_equal(asked, grpcc_call_request(call));
    if (strcmp(asked->text, "forget") == 0)
        return;
    answer->text = asked->text;
    gate_open(&f->entered);
    grpcc_testing_echo_unary_finish(call, answer);
}

static void hand_over_unary(void *self, struct grpcc_call *call,
                            const struct grpcc_testing_ask *request)
{
    (void)request;
    assert_true(grpcc_on_poller_thread());
    grpcc_call_hand_over(call, on_worker, self);
}

static const struct grpcc_testing_echo_server hand_over_table = {.unary = hand_over_unary};

static int setup_hand_over(void **state)
{
    struct fixture *f = fixture_new(NULL, &hand_over_table);
    fixture_configure(f, "/grpcc.testing.Echo/Unary",
                      (struct grpcc_method_config){.mode = GRPCC_MODE_ASYNC});
    fixture_start(f);
    *state = f;
    return 0;
}

static void a_poller_hands_over_to_a_worker(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(must_end(f, GRPCC_OK, ask(f, "work"), NULL)->text, "work");
    gate_wait(&f->entered, 1);
    must_end(f, GRPCC_INTERNAL, ask(f, "forget"), NULL);
    assert_int_equal(atomic_load(&f->logged), 1);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(they_run_around_the_handler, setup),
        WITH(one_may_answer, setup),
        WITH(one_may_defer, setup),
        WITH(one_may_resume_before_it_has_deferred, setup),
        WITH(one_may_fail_after_it_has_deferred, setup),
        WITH(one_may_turn_success_into_failure, setup),
        WITH(they_run_around_the_handler, setup_inline),
        WITH(one_may_defer, setup_inline),
        WITH(one_may_fail_after_it_has_deferred, setup_inline),
        WITH(they_run_around_unknown_methods, setup),
        WITH(they_run_around_the_builtin_services, setup),
        WITH(a_poller_hands_over_to_a_worker, setup_hand_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
