/* SPDX-License-Identifier: Apache-2.0 */
/* Trace context: its formats, and from hop to hop over real calls. */
#include <grpcc/trace.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID "00f067aa0ba902b7"
#define PARENT "00-" TRACE_ID "-" SPAN_ID "-01"

/* ---- formats ---- */

static bool parses(const char *text)
{
    struct grpcc_trace trace = {.flags = 0};
    return grpcc_trace_parse(text, strlen(text), &trace);
}

static void a_traceparent_is_read(void **state)
{
    struct grpcc_trace trace = {.flags = 0};
    char hex[33];
    (void)state;
    assert_true(grpcc_trace_parse(PARENT, strlen(PARENT), &trace));
    grpcc_trace_hex(trace.trace_id, sizeof(trace.trace_id), hex);
    assert_string_equal(hex, TRACE_ID);
    grpcc_trace_hex(trace.span_id, sizeof(trace.span_id), hex);
    assert_string_equal(hex, SPAN_ID);
    assert_int_equal(trace.flags, GRPCC_TRACE_SAMPLED);
}

static void a_traceparent_is_written_as_it_was_read(void **state)
{
    struct grpcc_trace trace;
    char text[GRPCC_TRACEPARENT_LENGTH + 1];
    (void)state;
    assert_true(grpcc_trace_parse(PARENT, strlen(PARENT), &trace));
    grpcc_trace_format(&trace, text);
    assert_string_equal(text, PARENT);
}

static void versions_are_taken_as_the_standard_says(void **state)
{
    (void)state;
    assert_true(parses("cc-" TRACE_ID "-" SPAN_ID "-01"));
    assert_true(parses("cc-" TRACE_ID "-" SPAN_ID "-01-what-the-future-brings"));
    assert_false(parses("cc-" TRACE_ID "-" SPAN_ID "-01.what-the-future-brings"));
    assert_false(parses("00-" TRACE_ID "-" SPAN_ID "-01-more"));
    assert_false(parses("00-" TRACE_ID "-" SPAN_ID "-01-"));
    assert_false(parses("ff-" TRACE_ID "-" SPAN_ID "-01"));
}

static void flags_that_nobody_knows_are_not_carried_on(void **state)
{
    struct grpcc_trace trace;
    const char *text = "00-" TRACE_ID "-" SPAN_ID "-ff";
    (void)state;
    assert_true(grpcc_trace_parse(text, strlen(text), &trace));
    assert_int_equal(trace.flags, GRPCC_TRACE_SAMPLED | GRPCC_TRACE_RANDOM);
}

static void a_bad_traceparent_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "00",
        "00-" TRACE_ID "-" SPAN_ID,
        "00-" TRACE_ID "-" SPAN_ID "-1",
        "00-" TRACE_ID "-" SPAN_ID "-0g",
        "00-" TRACE_ID "-" SPAN_ID "_01",
        "00_" TRACE_ID "-" SPAN_ID "-01",
        "0g-" TRACE_ID "-" SPAN_ID "-01",
        "00-00000000000000000000000000000000-" SPAN_ID "-01",
        "00-" TRACE_ID "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN_ID "-01",
        "00-" TRACE_ID "-00F067AA0BA902B7-01",
        " " PARENT,
        PARENT " ",
    };
    struct grpcc_trace untouched = {.flags = 77};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parses(bad[i]))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_false(grpcc_trace_parse(bad[i], strlen(bad[i]), &untouched));
    }
    assert_int_equal(untouched.flags, 77);
}

static bool state_is_valid(const char *text)
{
    return grpcc_trace_state_is_valid(text, strlen(text));
}

static void a_tracestate_is_checked(void **state)
{
    (void)state;
    assert_true(state_is_valid("a=1"));
    assert_true(state_is_valid("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    assert_true(state_is_valid("fw529a3039@dt=FfffffB-12 , , 1a-2/b*c_d=x y"));
    assert_false(state_is_valid(""));
    assert_false(state_is_valid(","));
    assert_false(state_is_valid("a"));
    assert_false(state_is_valid("=1"));
    assert_false(state_is_valid("a="));
    assert_false(state_is_valid("A=1"));
    assert_false(state_is_valid("@a=1"));
    assert_false(state_is_valid("a b=1"));
    assert_false(state_is_valid("a=1=2"));
    assert_false(state_is_valid("a=\x01"));
    assert_false(state_is_valid("a=\xc3\xa9"));
    assert_false(state_is_valid("a=1,b=2,a=3"));
    assert_false(grpcc_trace_state_is_valid("a\0b=1", 5));
}

static void a_tracestate_has_its_limits(void **state)
{
    char text[GRPCC_TRACESTATE_MAX + 2];
    size_t n = 0;
    (void)state;
    for (int i = 0; i < GRPCC_TRACESTATE_MEMBERS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%sk%d=1", i ? "," : "", i);
    assert_true(grpcc_trace_state_is_valid(text, n));
    snprintf(text + n, sizeof(text) - n, ",more=1");
    assert_false(state_is_valid(text));

    memset(text, 'v', sizeof(text));
    memcpy(text, "a=", 2);
    assert_true(grpcc_trace_state_is_valid(text, 2 + 256));
    assert_false(grpcc_trace_state_is_valid(text, 2 + 257));
    memset(text, 'k', 256);
    memcpy(text + 256, "=1", 2);
    assert_true(grpcc_trace_state_is_valid(text, 258));
    memcpy(text + 256, "k=1", 3);
    assert_false(grpcc_trace_state_is_valid(text, 259));

    memset(text, ',', sizeof(text));
    memcpy(text, "a=1", 3);
    assert_true(grpcc_trace_state_is_valid(text, GRPCC_TRACESTATE_MAX));
    assert_false(grpcc_trace_state_is_valid(text, GRPCC_TRACESTATE_MAX + 1));
}

static void baggage_is_checked(void **state)
{
    static char text[GRPCC_BAGGAGE_MAX + 2];
    (void)state;
    assert_true(grpcc_trace_baggage_is_valid("k=v", 3));
    assert_true(grpcc_trace_baggage_is_valid("k = v;p=1;q , l=%20", 19));
    assert_true(grpcc_trace_baggage_is_valid("k=", 2));
    assert_false(grpcc_trace_baggage_is_valid("", 0));
    assert_false(grpcc_trace_baggage_is_valid("k", 1));
    assert_false(grpcc_trace_baggage_is_valid("=v", 2));
    assert_false(grpcc_trace_baggage_is_valid("k=v,", 4));
    assert_false(grpcc_trace_baggage_is_valid("k y=v", 5));
    assert_false(grpcc_trace_baggage_is_valid("k=\"v\"", 5));
    assert_false(grpcc_trace_baggage_is_valid("k=a\nb", 5));
    memset(text, 'v', sizeof(text));
    memcpy(text, "k=", 2);
    assert_true(grpcc_trace_baggage_is_valid(text, GRPCC_BAGGAGE_MAX));
    assert_false(grpcc_trace_baggage_is_valid(text, GRPCC_BAGGAGE_MAX + 1));
}

static void ids_are_new_after_a_fork_too(void **state)
{
    struct grpcc_trace ours, theirs;
    int ends[2], ended = 0;
    (void)state;
    grpcc_trace_begin(&ours, true); /* fills the pool that a child inherits */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        grpcc_trace_begin(&theirs, true);
        _exit(write(ends[1], &theirs, sizeof(theirs)) == (ssize_t)sizeof(theirs) ? 0 : 1);
    }
    grpcc_trace_begin(&ours, true);
    assert_int_equal(read(ends[0], &theirs, sizeof(theirs)), sizeof(theirs));
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
    assert_memory_not_equal(ours.trace_id, theirs.trace_id, sizeof(ours.trace_id));
    assert_int_equal(ours.flags, GRPCC_TRACE_SAMPLED | GRPCC_TRACE_RANDOM);
    close(ends[0]);
    close(ends[1]);
}

/* ---- hops ---- */

/* What a hop was told, newline by newline: its trace, its parent, and headers that came with it. */
static const char *told(struct grpcc_call *call)
{
    const struct grpcc_trace *trace = grpcc_call_trace(call);
    char span[17], parent[17];
    grpcc_trace_hex(trace->span_id, sizeof(trace->span_id), span);
    grpcc_trace_hex(trace->parent_id, sizeof(trace->parent_id), parent);
    static const char *const keys[] = {"traceparent",  "tracestate",    "baggage",
                                       "x-request-id", "authorization", "x-own"};
    const char *text =
        grpcc_arena_printf(grpcc_call_arena(call), "%s %s %s %d %s\n", grpcc_call_trace_id(call),
                           span, parent, trace->flags, trace->state ? trace->state : "-");
    for (size_t i = 0; text && i < sizeof(keys) / sizeof(keys[0]); i++) {
        const char *value = grpcc_call_metadata(call, keys[i], NULL);
        text = grpcc_arena_printf(grpcc_call_arena(call), "%s%s\n", text, value ? value : "-");
    }
    return text ? text : "";
}

/* "again": calls itself for a second hop, and answers with both hops' texts. */
static void hop(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(arena), *below = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const char *own = told(call);
    answer->text = (char *)(uintptr_t)own;
    if (strcmp(request->text, "again") == 0) {
        struct grpcc_testing_ask *next = grpcc_testing_ask_new(arena);
        struct grpcc_call_options options = {.size = sizeof(options), .parent = call};
        next->text = grpcc_arena_strdup(arena, "end");
        if (grpcc_testing_echo_unary(f->channel, arena, &options, next, &below, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return;
        }
        answer->text = grpcc_arena_printf(arena, "%s%s", own, below->text);
    }
    grpcc_testing_echo_unary_finish(call, answer);
}

static const struct grpcc_testing_echo_server table = {.unary = hop};

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL, &table);
    fixture_start(f);
    *state = f;
    return 0;
}

enum { LINES_MAX = 14 };

struct answered {
    char *lines[LINES_MAX];
    size_t n;
    char trace_id[2][33], span[2][17], parent[2][17], state[2][64];
    int flags[2];
};

static struct answered call_with(struct fixture *f, const char *text,
                                 const struct grpcc_metadata *metadata, size_t n)
{
    struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = metadata, .n_metadata = n};
    struct grpcc_testing_answer *answer = must_end(f, GRPCC_OK, ask(f, text), &options);
    struct answered answered = {.n = 0};
    char *rest = grpcc_arena_strdup(f->arena, answer->text);
    while (rest && *rest && answered.n < LINES_MAX)
        answered.lines[answered.n++] = strsep(&rest, "\n");
    for (size_t hops = 0; hops < answered.n / 7; hops++)
        assert_int_equal(sscanf(answered.lines[hops * 7], "%32s %16s %16s %d %63s",
                                answered.trace_id[hops], answered.span[hops], answered.parent[hops],
                                &answered.flags[hops], answered.state[hops]),
                         5);
    return answered;
}

#define HEADER(key, value)                                                                         \
    {                                                                                              \
        key, value, sizeof(value) - 1                                                              \
    }

static void a_call_without_a_context_begins_one(void **state)
{
    struct answered answered = call_with(*state, "end", NULL, 0);
    assert_int_equal(answered.n, 7);
    assert_string_not_equal(answered.trace_id[0], "00000000000000000000000000000000");
    assert_string_equal(answered.parent[0], "0000000000000000");
    assert_int_equal(answered.flags[0], GRPCC_TRACE_RANDOM);
}

static void a_trace_goes_through_two_hops(void **state)
{
    const struct grpcc_metadata metadata[] = {
        HEADER("traceparent", PARENT),   HEADER("tracestate", "rojo=1"),
        HEADER("tracestate", "congo=2"), HEADER("baggage", "user=7"),
        HEADER("x-request-id", "r-1"),   HEADER("authorization", "Bearer secret"),
        HEADER("x-own", "stays"),
    };
    struct answered answered = call_with(*state, "again", metadata, 7);
    assert_int_equal(answered.n, 14);
    assert_string_equal(answered.trace_id[0], TRACE_ID);
    assert_string_equal(answered.trace_id[1], TRACE_ID);
    assert_string_equal(answered.parent[0], SPAN_ID);
    /* Between the two hops lies the client call's own span. */
    assert_string_not_equal(answered.parent[1], SPAN_ID);
    assert_string_not_equal(answered.parent[1], answered.span[0]);
    assert_string_not_equal(answered.span[0], answered.span[1]);
    assert_int_equal(answered.flags[1], GRPCC_TRACE_SAMPLED);
    assert_string_equal(answered.state[1], "rojo=1,congo=2");
    assert_string_equal(answered.lines[10], "user=7");
    assert_string_equal(answered.lines[11], "r-1");
    assert_string_equal(answered.lines[12], "-");
    assert_string_equal(answered.lines[13], "-");
}

static void a_bad_context_begins_a_new_one(void **state)
{
    const struct grpcc_metadata bad[] = {
        HEADER("traceparent", "00-" TRACE_ID "-" SPAN_ID "-0x"),
        HEADER("tracestate", "rojo=1"),
    };
    struct answered answered = call_with(*state, "end", bad, 2);
    assert_string_not_equal(answered.trace_id[0], TRACE_ID);
    assert_string_equal(answered.state[0], "-");
    const struct grpcc_metadata twice[] = {HEADER("traceparent", PARENT),
                                           HEADER("traceparent", PARENT)};
    answered = call_with(*state, "end", twice, 2);
    assert_string_not_equal(answered.trace_id[0], TRACE_ID);
}

static void a_bad_tracestate_is_dropped_alone(void **state)
{
    const struct grpcc_metadata metadata[] = {
        HEADER("traceparent", PARENT),
        HEADER("tracestate", "Rojo=1"),
        HEADER("baggage", "not baggage"),
    };
    struct answered answered = call_with(*state, "again", metadata, 3);
    assert_string_equal(answered.trace_id[1], TRACE_ID);
    assert_string_equal(answered.state[0], "-");
    assert_string_equal(answered.lines[8 + 1], "-");
    assert_string_equal(answered.lines[8 + 2], "-");
}

static void a_client_sets_a_context_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct grpcc_trace trace;
    char expected[33];
    grpcc_trace_begin(&trace, true);
    trace.state = "own=1";
    grpcc_trace_hex(trace.trace_id, sizeof(trace.trace_id), expected);
    struct grpcc_call_options options = {.size = sizeof(options), .trace = &trace};
    const struct grpcc_testing_answer *answer = must_end(f, GRPCC_OK, ask(f, "end"), &options);
    assert_memory_equal(answer->text, expected, 32);
    assert_non_null(strstr(answer->text, "own=1"));
    /* An older program's options do not have it. */
    options.size = offsetof(struct grpcc_call_options, trace);
    answer = must_end(f, GRPCC_OK, ask(f, "end"), &options);
    assert_memory_not_equal(answer->text, expected, 32);
}

/* ---- what is propagated ---- */

static int setup_own_names(void **state)
{
    static const char *const names[] = {"x-own"};
    struct fixture *f = fixture_new(NULL, &table);
    assert_int_equal(grpcc_server_set_propagation(f->server, names, 1, &f->err), GRPCC_OK);
    fixture_start(f);
    *state = f;
    return 0;
}

static void a_server_says_what_is_propagated(void **state)
{
    struct fixture *f = *state;
    const struct grpcc_metadata metadata[] = {
        HEADER("x-request-id", "r-1"),
        HEADER("x-own", "goes"),
    };
    struct answered answered = call_with(f, "again", metadata, 2);
    assert_string_equal(answered.lines[11], "-");
    assert_string_equal(answered.lines[13], "goes");
    assert_int_equal(grpcc_server_set_propagation(f->server, NULL, 0, &f->err),
                     GRPCC_FAILED_PRECONDITION);
}

/* ---- spans ---- */

struct recorded {
    pthread_mutex_t lock;
    struct gate ended;
    unsigned n_started;
    struct grpcc_span spans[8];
    char names[8][64];
    unsigned n;
};

static struct recorded recorded;

static void span_start(void *self, struct grpcc_span *span)
{
    struct recorded *r = self;
    pthread_mutex_lock(&r->lock);
    r->n_started++;
    pthread_mutex_unlock(&r->lock);
    span->data = r;
}

static void span_end(void *self, const struct grpcc_span *span)
{
    struct recorded *r = self;
    assert_ptr_equal(span->data, r);
    pthread_mutex_lock(&r->lock);
    if (r->n < 8) {
        snprintf(r->names[r->n], sizeof(r->names[0]), "%s", span->name);
        r->spans[r->n++] = *span;
    }
    pthread_mutex_unlock(&r->lock);
    gate_open(&r->ended);
}

static const struct grpcc_span_sink sink = {
    .size = sizeof(sink), .start = span_start, .end = span_end, .self = &recorded};

static int setup_spans(void **state)
{
    memset(&recorded, 0, sizeof(recorded));
    pthread_mutex_init(&recorded.lock, NULL);
    gate_init(&recorded.ended);
    struct fixture *f = fixture_new(NULL, &table);
    assert_int_equal(grpcc_server_set_spans(f->server, &sink, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_set_spans(f->server, &sink, &f->err), GRPCC_ALREADY_EXISTS);
    fixture_start_with(f, &(struct grpcc_channel_options){
                              .size = sizeof(struct grpcc_channel_options), .spans = &sink});
    *state = f;
    return 0;
}

static int free_spans(void **state)
{
    fixture_free(state);
    gate_done(&recorded.ended);
    pthread_mutex_destroy(&recorded.lock);
    return 0;
}

static const struct grpcc_span *find_span(bool client, enum grpcc_status status)
{
    for (unsigned i = 0; i < recorded.n; i++)
        if (recorded.spans[i].client == client && recorded.spans[i].status == status)
            return &recorded.spans[i];
    fail_msg("no such span");
    return NULL;
}

static void calls_are_spans_of_one_trace(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_OK, ask(f, "end"), NULL);
    gate_wait(&recorded.ended, 2);
    const struct grpcc_span *client = find_span(true, GRPCC_OK);
    const struct grpcc_span *server = find_span(false, GRPCC_OK);
    assert_int_equal(recorded.n_started, 2);
    assert_memory_equal(client->trace.trace_id, server->trace.trace_id, 16);
    assert_memory_equal(client->trace.span_id, server->trace.parent_id, 8);
    assert_string_equal(recorded.names[0], "grpcc.testing.Echo/Unary");
    assert_string_equal(recorded.names[1], "grpcc.testing.Echo/Unary");
    assert_true(server->end_unix_ns >= server->start_unix_ns);
    assert_true(server->start_unix_ns >= client->start_unix_ns);
}

static void a_span_tells_how_its_call_ended(void **state)
{
    struct fixture *f = *state;
    static struct grpcc_method method;
    void *response = NULL;
    method = grpcc_testing_echo_methods[0];
    method.path = "/no.Such/Method";
    assert_int_equal(
        grpcc_unary(f->channel, &method, f->arena, NULL, &ask(f, "x")->base, &response, &f->err),
        GRPCC_UNIMPLEMENTED);
    gate_wait(&recorded.ended, 2);
    assert_null(find_span(false, GRPCC_UNIMPLEMENTED)->method);
    assert_non_null(find_span(true, GRPCC_UNIMPLEMENTED)->method);
}

static void what_is_not_sampled_is_no_span(void **state)
{
    const struct grpcc_metadata metadata = HEADER("traceparent", "00-" TRACE_ID "-" SPAN_ID "-00");
    struct fixture *f = *state;
    struct grpcc_channel *plain = fixture_connect(f);
    struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = &metadata, .n_metadata = 1};
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(
        grpcc_testing_echo_unary(plain, f->arena, &options, ask(f, "end"), &answer, &f->err),
        GRPCC_OK);
    must_end(f, GRPCC_OK, ask(f, "end"), NULL);
    gate_wait(&recorded.ended, 2);
    assert_int_equal(recorded.n, 2); /* of the second call, both */
    grpcc_channel_free(plain);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: it forks, and nothing of gRPC has run. */
        cmocka_unit_test(ids_are_new_after_a_fork_too),
        cmocka_unit_test(a_traceparent_is_read),
        cmocka_unit_test(a_traceparent_is_written_as_it_was_read),
        cmocka_unit_test(versions_are_taken_as_the_standard_says),
        cmocka_unit_test(flags_that_nobody_knows_are_not_carried_on),
        cmocka_unit_test(a_bad_traceparent_is_refused),
        cmocka_unit_test(a_tracestate_is_checked),
        cmocka_unit_test(a_tracestate_has_its_limits),
        cmocka_unit_test(baggage_is_checked),
        WITH(a_call_without_a_context_begins_one, setup),
        WITH(a_trace_goes_through_two_hops, setup),
        WITH(a_bad_context_begins_a_new_one, setup),
        WITH(a_bad_tracestate_is_dropped_alone, setup),
        WITH(a_client_sets_a_context_of_its_own, setup),
        WITH(a_server_says_what_is_propagated, setup_own_names),
        cmocka_unit_test_setup_teardown(calls_are_spans_of_one_trace, setup_spans, free_spans),
        cmocka_unit_test_setup_teardown(a_span_tells_how_its_call_ended, setup_spans, free_spans),
        cmocka_unit_test_setup_teardown(what_is_not_sampled_is_no_span, setup_spans, free_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
