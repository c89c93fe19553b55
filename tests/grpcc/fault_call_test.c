/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a call fails once, on both sides: each of the four kinds, with all that may
 * come with a call. */
#include <google/rpc/error_details.grpcc.h>
#include <grpcc/events.h>
#include <poll.h>

#include "tests/grpcc/fault.h"

static struct fixture *echo(void)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    fixture_start(f);
    return f;
}

/* In the fixture's arena; NULL where that is the allocation that fails. */
static struct grpcc_testing_ask *try_ask(struct fixture *f, unsigned count)
{
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(f->arena);
    char *text = grpcc_arena_strdup(f->arena, "text");
    if (!request || !text)
        return NULL;
    request->text = text;
    request->count = count;
    return request;
}

static const struct grpcc_metadata header = {"x-key", "value", 5};

static struct grpcc_call_options options(void)
{
    return (struct grpcc_call_options){.size = sizeof(struct grpcc_call_options),
                                       .metadata = &header,
                                       .n_metadata = 1,
                                       .timeout_ms = 60000};
}

static void unary(struct fixture *f)
{
    const struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 0);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return;
    enum grpcc_status status =
        grpcc_testing_echo_unary(f->channel, f->arena, &with, request, &answer, &f->err);
    fault_must_be_sound(status);
    assert_int_equal(status == GRPCC_OK, answer != NULL);
}

static void collect(struct fixture *f)
{
    const struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 0);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return;
    struct grpcc_testing_echo_collect_stream *stream =
        grpcc_testing_echo_collect_stream_open(f->channel, &with, &f->err);
    if (!stream) {
        fault_must_be_sound(f->err.status);
        return;
    }
    for (int i = 0; i < 3 && grpcc_testing_echo_collect_stream_write(stream, request); i++)
        continue;
    grpcc_testing_echo_collect_stream_close_send(stream);
    fault_must_be_sound(
        grpcc_testing_echo_collect_stream_finish(stream, f->arena, &answer, &f->err));
    grpcc_testing_echo_collect_stream_free(stream);
}

static void expand(struct fixture *f)
{
    const struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 3);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, &with, request, &f->err);
    if (!stream) {
        fault_must_be_sound(f->err.status);
        return;
    }
    int result;
    unsigned n = 0;
    while ((result = grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err)) ==
           1)
        n++;
    if (result < 0)
        fault_must_be_sound(f->err.status);
    enum grpcc_status status = grpcc_testing_echo_expand_stream_finish(stream, f->arena, &f->err);
    if (result == 0) {
        fault_must_be_sound(status);
        assert_true(status || n == 3);
    }
    grpcc_testing_echo_expand_stream_free(stream);
}

static void chat(struct fixture *f)
{
    const struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 0);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, &with, &f->err);
    if (!stream) {
        fault_must_be_sound(f->err.status);
        return;
    }
    int result = 1;
    for (int i = 0; result == 1 && i < 3; i++) {
        if (!grpcc_testing_echo_chat_stream_write(stream, request))
            break;
        result = grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err);
    }
    grpcc_testing_echo_chat_stream_close_send(stream);
    /* The end has to be read: finish cancels what is not. */
    while (result == 1)
        result = grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err);
    if (result < 0)
        fault_must_be_sound(f->err.status);
    enum grpcc_status status = grpcc_testing_echo_chat_stream_finish(stream, f->arena, &f->err);
    if (result == 0)
        fault_must_be_sound(status);
    grpcc_testing_echo_chat_stream_free(stream);
}

/* ---- by callback ---- */

static void note_end(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                     const struct grpcc_error *err)
{
    struct fixture *f = data;
    (void)response;
    (void)err;
    fault_must_be_sound(status);
    gate_open(&f->entered);
}

static void unary_started(struct fixture *f)
{
    const struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 0);
    struct grpcc_client_call *call = NULL;
    if (!request)
        return;
    grpcc_testing_echo_unary_start(f->channel, f->arena, &with, request, note_end, f, &call);
    gate_wait(&f->entered, 1);
    grpcc_client_call_free(call);
}

/* ---- through the program's own loop ---- */

static void note_answer(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                        const struct grpcc_error *err)
{
    bool *ended = data;
    (void)response;
    (void)err;
    fault_must_be_sound(status);
    *ended = true;
}

static void by_events(struct fixture *f)
{
    struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 0);
    struct grpcc_events *events = grpcc_events_new(&f->err);
    bool ended = false;
    if (request && events) {
        with.events = events;
        grpcc_testing_echo_unary_start(f->channel, f->arena, &with, request, note_answer, &ended,
                                       NULL);
        while (!ended) {
            struct pollfd fd = {.fd = grpcc_events_fd(events), .events = POLLIN};
            assert_true(poll(&fd, 1, -1) == 1);
            grpcc_events_dispatch(events, 0);
        }
    }
    grpcc_events_free(events);
}

/* ---- hedged: a second attempt may begin before the first has ended ---- */

static void hedged(struct fixture *f)
{
    const struct grpcc_hedge_policy hedge = {.size = sizeof(hedge), .delay_ms = 1};
    struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 0);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return;
    with.hedge = &hedge;
    fault_must_be_sound(
        grpcc_testing_echo_unary(f->channel, f->arena, &with, request, &answer, &f->err));
}

/* ---- cancelled by its caller, while the handler reads ---- */

static void cancelled(struct fixture *f)
{
    struct grpcc_testing_ask *request = try_ask(f, 0);
    if (!request)
        return;
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    if (!stream) {
        fault_must_be_sound(f->err.status);
        return;
    }
    bool written = grpcc_testing_echo_chat_stream_write(stream, request);
    grpcc_testing_echo_chat_stream_cancel(stream);
    enum grpcc_status status = grpcc_testing_echo_chat_stream_finish(stream, f->arena, &f->err);
    assert_true(status == GRPCC_RESOURCE_EXHAUSTED || (written && status == GRPCC_CANCELLED));
    grpcc_testing_echo_chat_stream_free(stream);
}

/* ---- a handler that uses all that a call offers ---- */

static void ignore(void *data)
{
    (void)data;
}

static void rich_work(void *self, struct grpcc_call *call, const void *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct google_rpc_error_info *info = google_rpc_error_info_new(arena);
    (void)self;
    if (!info || !grpcc_call_metadata(call, "x-key", NULL) ||
        !grpcc_call_on_cancel(call, ignore, NULL) ||
        !grpcc_call_add_initial_metadata(call, "x-head", "1", 1) ||
        !grpcc_call_add_trailing_metadata(call, "x-tail-bin", "\0", 1)) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    google_rpc_error_info_set_reason(info, "AS_ASKED");
    if (!google_rpc_error_info_put_metadata(arena, info, "key", "value")) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    grpcc_call_add_detail(call, &info->base);
    grpcc_call_set_pushback_ms(call, 5);
    grpcc_call_fail(call, GRPCC_ABORTED, "as asked: %s",
                    ((const struct grpcc_testing_ask *)request)->text);
}

static void rich_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    (void)self;
    if (request->count == 0) {
        struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
        if (!answer) {
            grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
            return;
        }
        answer->text = request->text;
        grpcc_testing_echo_unary_finish(call, answer);
        return;
    }
    grpcc_call_hand_over(call, rich_work, self);
}

/* Resumed by a worker. */
static void go_on(void *self, struct grpcc_call *call, const void *request)
{
    (void)self;
    (void)request;
    grpcc_call_resume(call);
}

static enum grpcc_verdict defer(void *self, struct grpcc_call *call)
{
    grpcc_call_hand_over(call, go_on, self);
    return GRPCC_DEFER;
}

static void add_trailer(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    (void)self;
    (void)status;
    if (!grpcc_call_add_trailing_metadata(call, "x-last", "1", 1))
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for a trailer");
}

static struct fixture *rich(void)
{
    static const struct grpcc_testing_echo_server table = {.unary = rich_unary};
    static const struct grpcc_interceptor interceptor = {.begin = defer,
                                                         .before_finish = add_trailer};
    struct fixture *f = fixture_new(NULL, &table);
    fixture_configure(f, "/grpcc.testing.Echo/Unary",
                      (struct grpcc_method_config){.mode = GRPCC_MODE_INLINE});
    assert_int_equal(grpcc_server_add_interceptor(f->server, &interceptor, f, &f->err), GRPCC_OK);
    fixture_start(f);
    return f;
}

static void rich_call(struct fixture *f)
{
    const struct grpcc_call_options with = options();
    struct grpcc_testing_ask *request = try_ask(f, 1);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return;
    enum grpcc_status status =
        grpcc_testing_echo_unary(f->channel, f->arena, &with, request, &answer, &f->err);
    assert_true(status == GRPCC_ABORTED || status == GRPCC_RESOURCE_EXHAUSTED);
}

static void every_kind_of_call_survives(void **state)
{
    static const struct fault_scenario scenarios[] = {
        {"unary", echo, unary},
        {"client stream", echo, collect},
        {"server stream", echo, expand},
        {"bidi stream", echo, chat},
        {"callback", echo, unary_started},
        {"own loop", echo, by_events},
        {"hedged", echo, hedged},
        {"cancel", echo, cancelled},
        {"interceptors and details", rich, rich_call},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        fault_each(&scenarios[i], 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_call_survives),
    };
    fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
