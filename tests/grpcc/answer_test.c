/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer carries besides its message, and answers that the runtime gives itself. */
#include <google/rpc/error_details.grpcc.h>
#include <google/rpc/status.grpcc.h>
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

/* Each request names what it wants. */
static void answer_unary(void *self, struct grpcc_call *call,
                         const struct grpcc_testing_ask *request);

static const struct grpcc_testing_echo_server table = {.unary = answer_unary};

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL, &table);
    fixture_configure(f, "/grpcc.testing.Echo/Unary",
                      (struct grpcc_method_config){.request_bytes_max = 1000});
    fixture_start(f);
    *state = f;
    return 0;
}

/* ---- metadata ---- */

static const char binary[] = {0, 1, (char)0xFF, '\n'};

static void answer_with_metadata(struct grpcc_call *call)
{
    size_t length = 0;
    const char *text = grpcc_call_metadata(call, "x-text", &length);
    if (!text || length != strlen(text)) {
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "no x-text");
        return;
    }
    bool added = grpcc_call_add_initial_metadata(call, "x-first", text, length);
    const char *bytes = grpcc_call_metadata(call, "x-data-bin", &length);
    if (!bytes || length != sizeof(binary) || memcmp(bytes, binary, length) != 0 ||
        grpcc_call_metadata(call, "x-missing", &length)) {
        grpcc_call_fail(call, GRPCC_INVALID_ARGUMENT, "x-data-bin was changed on its way");
        return;
    }
    added = added && grpcc_call_add_trailing_metadata(call, "x-last-bin", bytes, length);
    bool refused = !grpcc_call_add_trailing_metadata(call, "Upper", "x", 1) &&
                   !grpcc_call_add_trailing_metadata(call, "x-text", "\n", 1) &&
                   !grpcc_call_add_trailing_metadata(call, "grpc-status", "0", 1) &&
                   !grpcc_call_add_trailing_metadata(call, "grpc-status-details-bin", "0", 1);
    if (!added || !refused) {
        grpcc_call_fail(call, GRPCC_INTERNAL, "metadata was not judged right");
        return;
    }
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

struct headers {
    bool first, last;
};

static void note_header(void *data, bool trailing, const char *key, const void *value,
                        size_t length)
{
    struct headers *headers = data;
    if (strcmp(key, "x-first") == 0)
        headers->first = !trailing && length == 5 && memcmp(value, "hello", 5) == 0;
    if (strcmp(key, "x-last-bin") == 0)
        headers->last = trailing && length == sizeof(binary) && memcmp(value, binary, length) == 0;
}

static void metadata_goes_both_ways(void **state)
{
    struct fixture *f = *state;
    struct headers headers = {false, false};
    const struct grpcc_metadata sent[] = {{"x-text", "hello", 5},
                                          {"x-data-bin", binary, sizeof(binary)}};
    struct grpcc_call_options options = {.size = sizeof(options),
                                         .metadata = sent,
                                         .n_metadata = 2,
                                         .on_metadata = note_header,
                                         .on_metadata_data = &headers};
    must_end(f, GRPCC_OK, ask(f, "metadata"), &options);
    assert_true(headers.first);
    assert_true(headers.last);
}

static void bad_metadata_is_refused_before_it_is_sent(void **state)
{
    struct fixture *f = *state;
    const struct grpcc_metadata sent[] = {{"Bad Key", "x", 1}};
    struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = sent, .n_metadata = 1};
    must_end(f, GRPCC_INVALID_ARGUMENT, ask(f, "metadata"), &options);
}

/* ---- errors ---- */

static void answer_with_details(struct grpcc_call *call, unsigned n)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct google_rpc_error_info *info = google_rpc_error_info_new(arena);
    struct google_rpc_help *help = google_rpc_help_new(arena);
    google_rpc_error_info_set_reason(info, "NO_SUCH_THING");
    google_rpc_error_info_set_domain(info, "testing");
    grpcc_call_add_detail(call, &info->base);
    char *long_text = grpcc_arena_zalloc(arena, 1001);
    memset(long_text, 'x', 1000);
    struct google_rpc_help_link *link = google_rpc_help_link_new(arena);
    google_rpc_help_link_set_url(link, long_text);
    assert_true(google_rpc_help_add_links(arena, help, link));
    for (unsigned i = 0; i < n; i++)
        grpcc_call_add_detail(call, &help->base);
    grpcc_call_set_pushback_ms(call, n ? -1 : 250);
    grpcc_call_fail(call, GRPCC_NOT_FOUND, "no such thing");
}

static const struct google_rpc_error_info *error_info(struct fixture *f)
{
    struct google_rpc_error_info *info = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    assert_non_null(f->err.details);
    assert_int_equal(f->err.details->code, f->err.status);
    assert_string_equal(f->err.details->message, f->err.message);
    assert_string_equal(f->err.details->details[0]->type_url,
                        "type.googleapis.com/google.rpc.ErrorInfo");
    assert_int_equal(
        google_rpc_error_info_unpack(f->arena, NULL, f->err.details->details[0]->value.data,
                                     f->err.details->details[0]->value.len, &info, &err),
        GRPCC_OK);
    return info;
}

static void details_and_pushback_reach_the_client(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_NOT_FOUND, ask(f, "details"), NULL);
    assert_string_equal(error_info(f)->reason, "NO_SUCH_THING");
    assert_string_equal(error_info(f)->domain, "testing");
    assert_int_equal(f->err.pushback_ms, 250);
}

static void details_are_dropped_from_the_end(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "details");
    request->count = 10; /* of a kilobyte each */
    must_end(f, GRPCC_NOT_FOUND, request, NULL);
    assert_string_equal(error_info(f)->reason, "NO_SUCH_THING");
    assert_int_equal(f->err.details->n_details, 4);
    assert_int_equal(f->err.pushback_ms, -2);
}

static void a_long_message_is_cut_between_characters(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_ABORTED, ask(f, "long"), NULL);
    assert_int_equal(strlen(f->err.message), GRPCC_STATUS_MESSAGE_MAX - 1);
    assert_string_equal(f->err.message + GRPCC_STATUS_MESSAGE_MAX - 3, "\xc3\xa4");
}

/* ---- the runtime's own answers ---- */

static void unknown_methods_are_unimplemented(void **state)
{
    struct fixture *f = *state;
    struct grpcc_method method = grpcc_testing_echo_methods[0];
    void *response = NULL;
    static const char *const paths[] = {"/grpcc.testing.Echo/Other", "/no.Such/Thing", "/x"};
    struct grpcc_method methods[3];
    for (size_t i = 0; i < 3; i++) {
        methods[i] = method;
        methods[i].path = paths[i];
        assert_int_equal(grpcc_unary(f->channel, &methods[i], f->arena, NULL, &ask(f, "x")->base,
                                     &response, &f->err),
                         GRPCC_UNIMPLEMENTED);
    }
    assert_null(response);
    /* The channel keeps the paths until it goes. */
    grpcc_channel_free(f->channel);
    f->channel = fixture_connect(f);
}

static void a_method_without_a_handler_is_unimplemented(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(
        grpcc_testing_echo_missing(f->channel, f->arena, NULL, ask(f, "x"), &answer, &f->err),
        GRPCC_UNIMPLEMENTED);
}

static void a_request_above_the_methods_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    static uint8_t data[2000];
    struct grpcc_testing_ask *request = ask(f, "x");
    request->data.data = data;
    request->data.len = sizeof(data);
    must_end(f, GRPCC_RESOURCE_EXHAUSTED, request, NULL);
    request->data.len = 900;
    must_end(f, GRPCC_OK, request, NULL);
}

static void a_request_above_the_servers_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "x");
    request->data.len = 5 << 20;
    request->data.data = grpcc_arena_zalloc(f->arena, request->data.len);
    must_end(f, GRPCC_RESOURCE_EXHAUSTED, request, NULL);
}

static void a_request_that_is_no_message_is_refused(void **state)
{
    struct fixture *f = *state;
    /* A string that no proto3 encoder would send. */
    struct grpcc_testing_ask *request = ask(f, "\xff");
    must_end(f, GRPCC_INVALID_ARGUMENT, request, NULL);
    assert_string_equal(f->err.message, "text: not UTF-8 text without NUL");
}

static void a_handler_that_forgets_its_call_is_found_out(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_INTERNAL, ask(f, "forget"), NULL);
    assert_int_equal(atomic_load(&f->logged), 1);
}

static void a_second_end_is_ignored_and_logged(void **state)
{
    struct fixture *f = *state;
    unsigned before = atomic_load(&f->logged);
    must_end(f, GRPCC_OK, ask(f, "twice"), NULL);
    gate_wait(&f->entered, 1);
    assert_int_equal(atomic_load(&f->logged), before + 1);
}

static void *end_later(void *data)
{
    struct grpcc_call *call = data;
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
    grpcc_call_unref(call);
    return NULL;
}

static void a_reference_lets_another_thread_end_the_call(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_OK, ask(f, "later"), NULL);
    gate_wait(&f->leave, 1);
    pthread_join(*(pthread_t *)f->data, NULL);
    free(f->data);
}

static void a_call_knows_its_circumstances(void **state)
{
    struct fixture *f = *state;
    struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = 60000};
    must_end(f, GRPCC_OK, ask(f, "who"), &options);
}

static void answer_who(struct grpcc_call *call)
{
    bool right = strcmp(grpcc_call_path(call), "/grpcc.testing.Echo/Unary") == 0 &&
                 grpcc_call_method(call) == &grpcc_testing_echo_service.methods[0] &&
                 grpcc_call_deadline_ns(call) != INT64_MAX && !grpcc_call_is_cancelled(call) &&
                 !grpcc_call_is_draining(call) && grpcc_call_peer(call)[0] != '\0' &&
                 grpcc_call_request(call) && !grpcc_call_user_data(call) && !grpcc_call_tag(call);
    if (right)
        grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
    else
        grpcc_call_fail(call, GRPCC_INTERNAL, "peer %s", grpcc_call_peer(call));
}

static void answer_unary(void *self, struct grpcc_call *call,
                         const struct grpcc_testing_ask *request)
{
    struct fixture *f = self;
    const char *wish = request->text;
    if (strcmp(wish, "metadata") == 0) {
        answer_with_metadata(call);
    } else if (strcmp(wish, "details") == 0) {
        answer_with_details(call, request->count);
    } else if (strcmp(wish, "who") == 0) {
        answer_who(call);
    } else if (strcmp(wish, "long") == 0) {
        char text[2 * 700 + 2] = "x";
        for (size_t i = 0; i < 700; i++)
            memcpy(text + 1 + 2 * i, "\xc3\xa4", 3);
        grpcc_call_fail(call, GRPCC_ABORTED, "%s", text);
    } else if (strcmp(wish, "twice") == 0) {
        grpcc_call_ref(call);
        grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
        grpcc_call_fail(call, GRPCC_INTERNAL, "again");
        grpcc_call_unref(call);
        gate_open(&f->entered);
    } else if (strcmp(wish, "later") == 0) {
        pthread_t *thread = malloc(sizeof(*thread));
        assert_int_equal(pthread_create(thread, NULL, end_later, grpcc_call_ref(call)), 0);
        f->data = thread;
        gate_open(&f->leave);
    } else if (strcmp(wish, "forget") != 0) {
        grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_goes_both_ways),
        cmocka_unit_test(bad_metadata_is_refused_before_it_is_sent),
        cmocka_unit_test(details_and_pushback_reach_the_client),
        cmocka_unit_test(details_are_dropped_from_the_end),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(unknown_methods_are_unimplemented),
        cmocka_unit_test(a_method_without_a_handler_is_unimplemented),
        cmocka_unit_test(a_request_above_the_methods_limit_is_refused),
        cmocka_unit_test(a_request_above_the_servers_limit_is_refused),
        cmocka_unit_test(a_request_that_is_no_message_is_refused),
        cmocka_unit_test(a_handler_that_forgets_its_call_is_found_out),
        cmocka_unit_test(a_second_end_is_ignored_and_logged),
        cmocka_unit_test(a_reference_lets_another_thread_end_the_call),
        cmocka_unit_test(a_call_knows_its_circumstances),
    };
    return cmocka_run_group_tests(tests, setup, fixture_free);
}
