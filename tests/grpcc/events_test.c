/* SPDX-License-Identifier: Apache-2.0 */
/* The event form: completions on a thread of the program, and teardown in any order. */
#include <grpcc/events.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

/* What a test collects, on the thread that dispatches. */
struct seen {
    struct fixture *f;
    struct grpcc_events *events;
    pthread_t thread;
    unsigned unaries, reads, writes, finishes, headers;
    enum grpcc_status status;
    int result;
    bool ok;
    bool elsewhere; /* something ran on another thread */
    char text[64];
};

static void note_thread(struct seen *seen)
{
    if (!pthread_equal(seen->thread, pthread_self()) || grpcc_on_poller_thread())
        seen->elsewhere = true;
}

static void on_unary(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                     const struct grpcc_error *err)
{
    struct seen *seen = data;
    (void)err;
    note_thread(seen);
    seen->unaries++;
    seen->status = status;
    if (answer)
        snprintf(seen->text, sizeof(seen->text), "%s", answer->text);
}

static void on_read(void *data, int result, struct grpcc_testing_answer *answer,
                    const struct grpcc_error *err)
{
    struct seen *seen = data;
    (void)err;
    note_thread(seen);
    seen->reads++;
    seen->result = result;
    if (answer)
        snprintf(seen->text, sizeof(seen->text), "%s", answer->text);
}

static void on_write(void *data, bool ok)
{
    struct seen *seen = data;
    note_thread(seen);
    seen->writes++;
    seen->ok = ok;
}

static void on_finish(void *data, enum grpcc_status status, void *response,
                      const struct grpcc_error *err)
{
    struct seen *seen = data;
    (void)response, (void)err;
    note_thread(seen);
    seen->finishes++;
    seen->status = status;
}

static void on_header(void *data, bool trailing, const char *key, const void *value, size_t length)
{
    struct seen *seen = data;
    (void)trailing, (void)key, (void)value, (void)length;
    note_thread(seen);
    seen->headers++;
}

static struct seen seen_new(struct fixture *f)
{
    struct seen seen = {.f = f, .thread = pthread_self()};
    seen.events = grpcc_events_new(&f->err);
    assert_non_null(seen.events);
    return seen;
}

static bool is_readable(const struct seen *seen, int timeout_ms)
{
    struct pollfd fd = {.fd = grpcc_events_fd(seen->events), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

/* Dispatches until the counter is there. */
static void run_until(struct seen *seen, const unsigned *counter, unsigned n)
{
    while (*counter < n) {
        assert_true(is_readable(seen, 30000));
        grpcc_events_dispatch(seen->events, 0);
    }
    assert_false(seen->elsewhere);
}

static struct grpcc_call_options reporting(struct seen *seen)
{
    return (struct grpcc_call_options){.size = sizeof(struct grpcc_call_options),
                                       .events = seen->events,
                                       .on_metadata = on_header,
                                       .on_metadata_data = seen};
}

static void a_unary_call_ends_where_it_is_dispatched(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    assert_int_equal(grpcc_events_dispatch(seen.events, 0), 0);
    assert_false(is_readable(&seen, 0));
    grpcc_testing_echo_unary_start(f->channel, f->arena, &options, ask(f, "hello"), on_unary, &seen,
                                   NULL);
    assert_true(is_readable(&seen, 30000));
    assert_int_equal(seen.unaries, 0);
    assert_true(is_readable(&seen, 0)); /* until it is dispatched */
    assert_int_equal(grpcc_events_dispatch(seen.events, 0), 1);
    assert_int_equal(seen.unaries, 1);
    assert_int_equal(seen.status, GRPCC_OK);
    assert_string_equal(seen.text, "hello");
    assert_false(is_readable(&seen, 0));
    assert_false(seen.elsewhere);
    grpcc_events_free(seen.events);
}

static void dispatch_runs_as_many_as_it_is_told(void **state)
{
    enum { N = 10 };
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    for (int i = 0; i < N; i++)
        grpcc_testing_echo_unary_start(f->channel, f->arena, &options, ask(f, "x"), on_unary, &seen,
                                       NULL);
    for (unsigned i = 1; i <= N; i++) {
        assert_true(is_readable(&seen, 30000));
        assert_int_equal(grpcc_events_dispatch(seen.events, 1), 1);
        assert_int_equal(seen.unaries, i);
    }
    assert_false(is_readable(&seen, 0));
    grpcc_events_free(seen.events);
}

static void a_stream_is_read_and_written_by_events(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, &options, &f->err);
    assert_non_null(stream);
    for (unsigned i = 1; i <= 3; i++) {
        grpcc_testing_echo_chat_stream_read_start(stream, f->arena, on_read, &seen);
        grpcc_testing_echo_chat_stream_write_start(stream, ask(f, "by events"), on_write, &seen);
        run_until(&seen, &seen.writes, i);
        run_until(&seen, &seen.reads, i);
        assert_true(seen.ok);
        assert_int_equal(seen.result, 1);
        assert_string_equal(seen.text, "by events");
    }
    /* The blocking forms need nobody who dispatches. */
    struct grpcc_testing_answer *answer = NULL;
    assert_true(grpcc_testing_echo_chat_stream_write(stream, ask(f, "blocking")));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
    assert_string_equal(answer->text, "blocking");
    assert_true(grpcc_testing_echo_chat_stream_close_send(stream));
    grpcc_testing_echo_chat_stream_read_start(stream, f->arena, on_read, &seen);
    run_until(&seen, &seen.reads, 4);
    assert_int_equal(seen.result, 0);
    grpcc_testing_echo_chat_stream_finish_start(stream, f->arena, on_finish, &seen);
    run_until(&seen, &seen.finishes, 1);
    assert_int_equal(seen.status, GRPCC_OK);
    grpcc_testing_echo_chat_stream_free(stream);
    grpcc_events_free(seen.events);
}

static void call_on_from_done(void *data, enum grpcc_status status,
                              struct grpcc_testing_answer *answer, const struct grpcc_error *err)
{
    struct seen *seen = data;
    on_unary(data, status, answer, err);
    seen->text[0] = '\0';
    must_end(seen->f, GRPCC_OK, ask(seen->f, "blocking"), NULL);
    if (seen->unaries == 1) {
        struct grpcc_call_options options = reporting(seen);
        grpcc_testing_echo_unary_start(seen->f->channel, seen->f->arena, &options,
                                       ask(seen->f, "next"), on_unary, seen, NULL);
    }
}

static void a_done_may_block_and_call_on(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    grpcc_testing_echo_unary_start(f->channel, f->arena, &options, ask(f, "first"),
                                   call_on_from_done, &seen, NULL);
    run_until(&seen, &seen.unaries, 2);
    assert_string_equal(seen.text, "next");
    grpcc_events_free(seen.events);
}

static void a_cancelled_call_is_told_of(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, &options, &f->err);
    grpcc_testing_echo_chat_stream_read_start(stream, f->arena, on_read, &seen);
    assert_false(is_readable(&seen, 0));
    grpcc_testing_echo_chat_stream_cancel(stream);
    run_until(&seen, &seen.reads, 1);
    assert_int_equal(seen.result, 0);
    grpcc_testing_echo_chat_stream_finish_start(stream, f->arena, on_finish, &seen);
    run_until(&seen, &seen.finishes, 1);
    assert_int_equal(seen.status, GRPCC_CANCELLED);
    grpcc_testing_echo_chat_stream_free(stream);
    grpcc_events_free(seen.events);
}

/* ---- teardown ---- */

/* The stream's read is under way, for ever. */
static struct grpcc_testing_echo_chat_stream *waiting_stream(struct seen *seen)
{
    struct grpcc_call_options options = reporting(seen);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(seen->f->channel, &options, &seen->f->err);
    assert_non_null(stream);
    grpcc_testing_echo_chat_stream_read_start(stream, seen->f->arena, on_read, seen);
    return stream;
}

static void freed_events_end_their_calls_here(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_client_call *call = NULL;
    struct grpcc_testing_echo_chat_stream *stream = waiting_stream(&seen);
    for (int i = 0; i < 10; i++)
        grpcc_testing_echo_unary_start(f->channel, f->arena, &options, ask(f, "x"), on_unary, &seen,
                                       i == 0 ? &call : NULL);
    grpcc_events_free(seen.events);
    assert_int_equal(seen.unaries, 10);
    assert_int_equal(seen.reads, 1);
    assert_int_equal(seen.result, 0);
    assert_false(seen.elsewhere);
    grpcc_client_call_free(call);
    /* The stream is still there, and says that nobody would hear of it. */
    grpcc_testing_echo_chat_stream_write_start(stream, ask(f, "x"), on_write, &seen);
    assert_int_equal(seen.writes, 1);
    assert_false(seen.ok);
    grpcc_testing_echo_chat_stream_finish_start(stream, f->arena, on_finish, &seen);
    assert_int_equal(seen.finishes, 1);
    assert_int_equal(seen.status, GRPCC_FAILED_PRECONDITION);
    assert_int_equal(grpcc_testing_echo_chat_stream_finish(stream, f->arena, &f->err),
                     GRPCC_CANCELLED);
    grpcc_testing_echo_chat_stream_free(stream);
}

static void channel_and_call_may_go_before_the_events(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_channel *channel = fixture_connect(f);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(channel, &options, &f->err);
    grpcc_testing_echo_chat_stream_read_start(stream, f->arena, on_read, &seen);
    grpcc_testing_echo_unary_start(channel, f->arena, &options, ask(f, "x"), on_unary, &seen, NULL);
    grpcc_channel_free(channel);
    grpcc_testing_echo_chat_stream_free(stream);
    run_until(&seen, &seen.unaries, 1);
    run_until(&seen, &seen.reads, 1);
    assert_int_equal(seen.result, 0);
    grpcc_events_free(seen.events);
}

static void free_events(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                        const struct grpcc_error *err)
{
    struct seen *seen = data;
    on_unary(data, status, answer, err);
    grpcc_events_free(seen->events);
}

static void events_may_be_freed_while_they_are_dispatched(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_testing_echo_chat_stream *stream = waiting_stream(&seen);
    grpcc_testing_echo_unary_start(f->channel, f->arena, &options, ask(f, "x"), free_events, &seen,
                                   NULL);
    assert_true(is_readable(&seen, 30000));
    grpcc_events_dispatch(seen.events, 0);
    assert_int_equal(seen.unaries, 1);
    assert_int_equal(seen.reads, 1);
    assert_false(seen.elsewhere);
    grpcc_testing_echo_chat_stream_free(stream);
}

static void free_on_poller(void *data, enum grpcc_status status,
                           struct grpcc_testing_answer *answer, const struct grpcc_error *err)
{
    struct seen *seen = data;
    (void)status, (void)answer, (void)err;
    grpcc_events_free(seen->events);
    gate_open(&seen->f->entered);
}

static void read_on_poller(void *data, int result, struct grpcc_testing_answer *answer,
                           const struct grpcc_error *err)
{
    struct seen *seen = data;
    (void)answer, (void)err;
    seen->elsewhere = grpcc_on_poller_thread();
    seen->result = result;
    gate_open(&seen->f->leave);
}

static void the_poller_may_free_events(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, &options, &f->err);
    unsigned entered = gate_count(&f->entered), left = gate_count(&f->leave);
    grpcc_testing_echo_chat_stream_read_start(stream, f->arena, read_on_poller, &seen);
    grpcc_testing_echo_unary_start(f->channel, f->arena, NULL, ask(f, "x"), free_on_poller, &seen,
                                   NULL);
    gate_wait(&f->entered, entered + 1);
    gate_wait(&f->leave, left + 1);
    assert_true(seen.elsewhere);
    assert_int_equal(seen.result, 0);
    grpcc_testing_echo_chat_stream_free(stream);
}

/* ---- several threads ---- */

struct crowd {
    struct fixture *f;
    struct grpcc_events *events;
    atomic_uint answered, started;
};

enum { CROWD_CALLS = 400, CROWD_THREADS = 4 };

static void count_answer(void *data, enum grpcc_status status, struct grpcc_testing_answer *answer,
                         const struct grpcc_error *err)
{
    struct crowd *crowd = data;
    (void)err;
    if (status == GRPCC_OK && strcmp(answer->text, "crowd") == 0)
        atomic_fetch_add(&crowd->answered, 1);
}

static void *crowd_main(void *data)
{
    struct crowd *crowd = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
    struct grpcc_arena *arenas[CROWD_CALLS / CROWD_THREADS];
    const struct grpcc_call_options options = {.size = sizeof(options), .events = crowd->events};
    grpcc_testing_ask_set_text(request, "crowd");
    for (int i = 0; i < CROWD_CALLS / CROWD_THREADS; i++) {
        arenas[i] = grpcc_arena_new(0);
        grpcc_testing_echo_unary_start(crowd->f->channel, arenas[i], &options, request,
                                       count_answer, crowd, NULL);
        grpcc_events_dispatch(crowd->events, 0);
    }
    while (atomic_load(&crowd->answered) < CROWD_CALLS) {
        struct pollfd fd = {.fd = grpcc_events_fd(crowd->events), .events = POLLIN};
        if (poll(&fd, 1, 10) == 1)
            grpcc_events_dispatch(crowd->events, 0);
    }
    for (int i = 0; i < CROWD_CALLS / CROWD_THREADS; i++)
        grpcc_arena_free(arenas[i]);
    grpcc_arena_free(arena);
    return NULL;
}

static void many_threads_dispatch(void **state)
{
    struct fixture *f = *state;
    struct crowd crowd = {.f = f, .events = grpcc_events_new(&f->err)};
    pthread_t threads[CROWD_THREADS];
    for (int i = 0; i < CROWD_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowd), 0);
    for (int i = 0; i < CROWD_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.answered), CROWD_CALLS);
    grpcc_events_free(crowd.events);
}

/* ---- policies, forks ---- */

static enum grpcc_status policy_unary(void *self, const struct grpcc_method *method,
                                      struct grpcc_arena *arena,
                                      const struct grpcc_call_options *options,
                                      const ProtobufCMessage *request, void **ret_response,
                                      struct grpcc_error *err)
{
    return grpcc_unary(self, method, arena, options, request, ret_response, err);
}

static void policy_unary_start(void *self, const struct grpcc_method *method,
                               struct grpcc_arena *arena, const struct grpcc_call_options *options,
                               const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                               struct grpcc_client_call **ret_call)
{
    grpcc_unary_start(self, method, arena, options, request, done, data, ret_call);
}

static struct grpcc_client_call *policy_stream_open(void *self, const struct grpcc_method *method,
                                                    const struct grpcc_call_options *options,
                                                    const ProtobufCMessage *request,
                                                    struct grpcc_error *err)
{
    return grpcc_stream_open(self, method, options, request, err);
}

static void a_policys_channel_reports_too(void **state)
{
    static const struct grpcc_channel_policy policy = {policy_unary, policy_unary_start,
                                                       policy_stream_open};
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_call_options options = reporting(&seen);
    struct grpcc_client_call *call = NULL;
    struct grpcc_channel *channel = grpcc_channel_new_policy(&policy, f->channel, &f->err);
    options.on_metadata = NULL;
    grpcc_testing_echo_unary_start(channel, f->arena, &options, ask(f, "through"), on_unary, &seen,
                                   &call);
    run_until(&seen, &seen.unaries, 1);
    assert_int_equal(seen.status, GRPCC_OK);
    assert_string_equal(seen.text, "through");
    grpcc_client_call_cancel(call);
    grpcc_client_call_free(call);
    grpcc_channel_free(channel);
    grpcc_events_free(seen.events);
}

static void a_child_has_no_events(void **state)
{
    struct fixture *f = *state;
    struct seen seen = seen_new(f);
    struct grpcc_testing_echo_chat_stream *stream = waiting_stream(&seen);
    pid_t child = fork();
    if (child == 0) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        int wrong = grpcc_events_new(&err) || err.status != GRPCC_FAILED_PRECONDITION ||
                    grpcc_events_dispatch(seen.events, 0) != 0;
        grpcc_events_free(seen.events);
        _exit(wrong);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    grpcc_events_free(seen.events);
    assert_int_equal(seen.reads, 1);
    grpcc_testing_echo_chat_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_ends_where_it_is_dispatched),
        cmocka_unit_test(dispatch_runs_as_many_as_it_is_told),
        cmocka_unit_test(a_stream_is_read_and_written_by_events),
        cmocka_unit_test(a_done_may_block_and_call_on),
        cmocka_unit_test(a_cancelled_call_is_told_of),
        cmocka_unit_test(freed_events_end_their_calls_here),
        cmocka_unit_test(channel_and_call_may_go_before_the_events),
        cmocka_unit_test(events_may_be_freed_while_they_are_dispatched),
        cmocka_unit_test(the_poller_may_free_events),
        cmocka_unit_test(many_threads_dispatch),
        cmocka_unit_test(a_policys_channel_reports_too),
        cmocka_unit_test(a_child_has_no_events),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
