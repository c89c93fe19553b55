/* SPDX-License-Identifier: Apache-2.0 */
/* The access log: a line for each call, harmless whatever clients send, never in the way. */
#include <errno.h>
#include <fcntl.h>
#include <grpc/health/v1/health.grpcc.h>
#include <grpcc/access_log.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

enum { LINES_MAX = 64 << 10 };

/* What a log wrote, and a gate that holds its writer. */
struct written {
    pthread_mutex_t lock;
    char text[LINES_MAX];
    size_t length;
    atomic_bool held;
    atomic_bool refuses;
    struct gate entered, leave;
};

static struct written written;

static bool take_lines(void *data, const char *lines, size_t length)
{
    struct written *w = data;
    if (atomic_load(&w->held)) {
        gate_open(&w->entered);
        gate_wait(&w->leave, 1);
    }
    if (atomic_load(&w->refuses))
        return false;
    pthread_mutex_lock(&w->lock);
    assert_true(w->length + length < LINES_MAX);
    memcpy(w->text + w->length, lines, length);
    w->length += length;
    w->text[w->length] = '\0';
    pthread_mutex_unlock(&w->lock);
    return true;
}

static const char *user_of(void *data, struct grpcc_call *call)
{
    (void)call;
    return data;
}

static int setup_with(void **state, struct grpcc_access_log_options options)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    options.size = sizeof(options);
    if (!options.path && !options.fd) {
        memset(&written, 0, sizeof(written));
        pthread_mutex_init(&written.lock, NULL);
        gate_init(&written.entered);
        gate_init(&written.leave);
        options.write = take_lines;
        options.write_data = &written;
    }
    struct grpcc_access_log *log = grpcc_access_log_new(&options, &f->err);
    assert_non_null(log);
    assert_int_equal(grpcc_access_log_attach(log, f->server, &f->err), GRPCC_OK);
    fixture_start(f);
    f->data = log;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(
        state, (struct grpcc_access_log_options){.user = user_of, .user_data = (void *)"ada"});
}

static int setup_text(void **state)
{
    return setup_with(state, (struct grpcc_access_log_options){.format = GRPCC_ACCESS_LOG_TEXT});
}

static int finish(void **state)
{
    struct fixture *f = *state;
    struct grpcc_access_log *log = f->data;
    fixture_free(state);
    grpcc_access_log_free(log);
    return 0;
}

/* All calls are over and written. */
static void settle(struct fixture *f)
{
    grpcc_server_drain(f->server, 0, 400);
    grpcc_access_log_flush(f->data);
}

/* The n-th line as an object; to be freed. */
static json_t *line_at(unsigned n)
{
    const char *line = written.text;
    for (; n && line; n--) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    json_error_t error;
    json_t *object = line ? json_loadb(line, strcspn(line, "\n"), 0, &error) : NULL;
    if (!object)
        fail_msg("no such line, or not JSON: %s", written.text);
    return object;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void a_call_is_a_line(void **state)
{
    struct fixture *f = *state;
    const struct grpcc_metadata metadata[] = {
        {"x-request-id", "r-1", 3},
        {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 55},
    };
    const struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = metadata, .n_metadata = 2};
    struct grpcc_testing_ask *request = ask(f, "0123456789");
    must_end(f, GRPCC_OK, request, &options);
    settle(f);
    json_t *line = line_at(0);
    assert_string_equal(text_of(line, "method"), "/grpcc.testing.Echo/Unary");
    assert_string_equal(text_of(line, "status"), "OK");
    assert_string_equal(text_of(line, "user"), "ada");
    assert_string_equal(text_of(line, "request_id"), "r-1");
    assert_string_equal(text_of(line, "trace"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_not_equal(text_of(line, "peer"), "");
    assert_int_equal(strlen(text_of(line, "time")), strlen("2026-11-22T17:25:04.120Z"));
    assert_true(json_is_integer(json_object_get(line, "duration_us")));
    assert_int_equal(json_integer_value(json_object_get(line, "in_messages")), 1);
    assert_int_equal(json_integer_value(json_object_get(line, "in_bytes")),
                     protobuf_c_message_get_packed_size(&request->base));
    assert_int_equal(json_integer_value(json_object_get(line, "out_messages")), 1);
    assert_null(json_object_get(line, "refused"));
    json_decref(line);
}

static void text_is_for_people(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    settle(f);
    assert_non_null(strstr(written.text, " - /grpcc.testing.Echo/Unary OK "));
    assert_non_null(strstr(written.text, "ms in=1/3 out=1/5 trace="));
    assert_ptr_equal(strchr(written.text, '\n'), written.text + written.length - 1);
}

/* ---- injection ---- */

static void call_as(struct fixture *f, const char *path, const char *request_id)
{
    static struct grpcc_method method;
    void *response = NULL;
    const struct grpcc_metadata metadata = {"x-request-id", request_id, strlen(request_id)};
    const struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = &metadata, .n_metadata = 1};
    method = grpcc_testing_echo_methods[0];
    method.path = path;
    assert_int_equal(grpcc_unary(f->channel, &method, f->arena, &options, &ask(f, "x")->base,
                                 &response, &f->err),
                     GRPCC_UNIMPLEMENTED);
}

static int setup_evil(void **state)
{
    static const char evil[] =
        "eve\"\n{\"status\":\"OK\"}\x1b[2J\x7f\xc2\x85\xff\xe2\x80\xa8 \xc3\xa9";
    return setup_with(state, (struct grpcc_access_log_options){
                                 .user = user_of, .user_data = (void *)(uintptr_t)evil});
}

static void nothing_breaks_out_of_a_line(void **state)
{
    struct fixture *f = *state;
    call_as(f, "/evil\"}/X", "a\\\" b");
    settle(f);
    json_t *line = line_at(0);
    assert_string_equal(text_of(line, "method"), "/evil\"}/X");
    assert_string_equal(text_of(line, "request_id"), "a\\\" b");
    assert_string_equal(
        text_of(line, "user"),
        "eve\"\n{\"status\":\"OK\"}\x1b[2J\x7f\xc2\x85\xef\xbf\xbd\xe2\x80\xa8 \xc3\xa9");
    /* One line of what is printable, and of UTF-8 that was. */
    assert_ptr_equal(strchr(written.text, '\n'), written.text + written.length - 1);
    for (size_t i = 0; i + 1 < written.length; i++)
        assert_true((unsigned char)written.text[i] >= ' ' && written.text[i] != 0x7f);
    assert_null(strstr(written.text, "\xc2\x85"));
    json_decref(line);
}

static int setup_evil_text(void **state)
{
    return setup_with(state,
                      (struct grpcc_access_log_options){.format = GRPCC_ACCESS_LOG_TEXT,
                                                        .user = user_of,
                                                        .user_data = (void *)"eve OK 1ms\n"});
}

static void words_are_quoted_where_they_must_be(void **state)
{
    struct fixture *f = *state;
    call_as(f, "/a b=c/X", "r=1");
    settle(f);
    assert_non_null(strstr(written.text, " \"eve OK 1ms\\u000a\" \"/a b=c/X\" UNIMPLEMENTED "));
    assert_non_null(strstr(written.text, " request_id=\"r=1\"\n"));
}

static int setup_without_health(void **state)
{
    return setup_with(state, (struct grpcc_access_log_options){.no_health = true});
}

static void health_may_be_left_off(void **state)
{
    struct fixture *f = *state;
    struct grpc_health_v1_health_check_request *request =
        grpc_health_v1_health_check_request_new(f->arena);
    struct grpc_health_v1_health_check_response *response = NULL;
    assert_int_equal(
        grpc_health_v1_health_check(f->channel, f->arena, NULL, request, &response, &f->err),
        GRPCC_OK);
    grpc_health_v1_health_check_request_set_service(request, "no.such.Service");
    assert_int_equal(
        grpc_health_v1_health_check(f->channel, f->arena, NULL, request, &response, &f->err),
        GRPCC_NOT_FOUND);
    settle(f);
    json_t *line = line_at(0);
    assert_string_equal(text_of(line, "method"), "/grpc.health.v1.Health/Check");
    assert_string_equal(text_of(line, "status"), "NOT_FOUND");
    assert_ptr_equal(strchr(written.text, '\n'), written.text + written.length - 1);
    json_decref(line);
}

static void long_values_are_cut(void **state)
{
    struct fixture *f = *state;
    char path[2000];
    memset(path, '\\', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    call_as(f, path, "r");
    settle(f);
    json_t *line = line_at(0);
    assert_int_equal(strlen(text_of(line, "method")), GRPCC_ACCESS_LOG_VALUE_MAX);
    json_decref(line);
}

/* ---- refused calls ---- */

static void refused_calls_are_lines_too(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "1");
    request->names = grpcc_arena_calloc(f->arena, 1, sizeof(char *));
    request->names[0] = (char *)(uintptr_t) "\xff";
    request->n_names = 1;
    must_end(f, GRPCC_INVALID_ARGUMENT, request, NULL);
    settle(f);
    json_t *line = line_at(0);
    assert_string_equal(text_of(line, "refused"), "request");
    assert_string_equal(text_of(line, "status"), "INVALID_ARGUMENT");
    json_decref(line);
}

/* ---- a writer that stalls ---- */

enum { SMALL = 32 << 10, CALLS = 400 };

static int setup_small(void **state)
{
    return setup_with(state, (struct grpcc_access_log_options){.buffer_bytes = SMALL});
}

static void a_stalled_writer_holds_up_no_call(void **state)
{
    struct fixture *f = *state;
    struct grpcc_access_log_stats stats;
    atomic_store(&written.held, true);
    must_end(f, GRPCC_OK, ask(f, "first"), NULL);
    gate_wait(&written.entered, 1);
    /* More than the buffer holds, while nothing is written. */
    for (int i = 0; i < CALLS; i++)
        must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    grpcc_server_drain(f->server, 0, 400);
    grpcc_access_log_get_stats(f->data, &stats);
    assert_int_equal(stats.lines, CALLS + 1);
    assert_true(stats.dropped > 0 && stats.dropped < CALLS);
    atomic_store(&written.held, false);
    gate_open(&written.leave);
    grpcc_access_log_flush(f->data);
    unsigned lines = 0;
    for (const char *c = written.text; (c = strchr(c, '\n')); c++)
        lines++;
    /* what was kept, and one that tells of the others */
    assert_int_equal(lines, CALLS + 1 - stats.dropped + 1);
    char said[32];
    snprintf(said, sizeof(said), "\"dropped\":%llu}", (unsigned long long)stats.dropped);
    assert_non_null(strstr(written.text, said));
}

static void what_cannot_be_written_is_counted(void **state)
{
    struct fixture *f = *state;
    struct grpcc_access_log_stats stats;
    atomic_store(&written.refuses, true);
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    settle(f);
    grpcc_access_log_get_stats(f->data, &stats);
    assert_int_equal(stats.dropped, 1);
    assert_int_equal(atomic_load(&f->logged), 1);
    atomic_store(&written.refuses, false);
    grpcc_access_log_flush(f->data);
    assert_non_null(strstr(written.text, "\"dropped\":1}"));
}

/* ---- files ---- */

static char path[256], moved[264];

static int setup_file(void **state)
{
    const char *folder = getenv("TEST_TMPDIR");
    snprintf(path, sizeof(path), "%s/access.log", folder ? folder : ".");
    snprintf(moved, sizeof(moved), "%s.1", path);
    (void)unlink(path);
    (void)unlink(moved);
    return setup_with(state, (struct grpcc_access_log_options){.path = path});
}

static unsigned lines_of(const char *file)
{
    unsigned n = 0;
    FILE *in = fopen(file, "re");
    assert_non_null(in);
    for (int c = 0; (c = getc(in)) != EOF;)
        n += c == '\n';
    fclose(in);
    return n;
}

static void a_file_that_was_moved_is_opened_again(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    /* The first call's line is there when the second's is about to be. */
    struct grpcc_access_log_stats stats = {0, 0};
    while (stats.lines < 2)
        grpcc_access_log_get_stats(f->data, &stats);
    grpcc_access_log_flush(f->data);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(grpcc_access_log_reopen(f->data, &f->err), GRPCC_OK);
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    settle(f);
    assert_int_equal(lines_of(moved), 2);
    assert_int_equal(lines_of(path), 1);
}

static void a_log_goes_to_one_place(void **state)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const struct grpcc_access_log_options bad[] = {
        {.size = sizeof(bad[0])},
        {.size = sizeof(bad[0]), .path = "x", .fd = 1},
        {.size = sizeof(bad[0]), .fd = -1},
        {.size = sizeof(bad[0]), .fd = 1, .buffer_bytes = 100},
    };
    const struct grpcc_access_log_options nowhere = {.size = sizeof(nowhere),
                                                     .path = "/no/such/folder/log"};
    const struct grpcc_access_log_options fine = {.size = sizeof(fine), .fd = 2};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_null(grpcc_access_log_new(&bad[i], &err));
        assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
    }
    assert_null(grpcc_access_log_new(&nowhere, &err));
    assert_int_equal(err.status, GRPCC_NOT_FOUND);
    struct grpcc_access_log *log = grpcc_access_log_new(&fine, &err);
    assert_non_null(log);
    assert_int_equal(grpcc_access_log_reopen(log, &err), GRPCC_FAILED_PRECONDITION);
    grpcc_access_log_flush(log);
    grpcc_access_log_free(log);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_call_is_a_line, setup),
        WITH(text_is_for_people, setup_text),
        WITH(nothing_breaks_out_of_a_line, setup_evil),
        WITH(words_are_quoted_where_they_must_be, setup_evil_text),
        WITH(long_values_are_cut, setup),
        WITH(health_may_be_left_off, setup_without_health),
        WITH(refused_calls_are_lines_too, setup),
        WITH(a_stalled_writer_holds_up_no_call, setup_small),
        WITH(what_cannot_be_written_is_counted, setup),
        WITH(a_file_that_was_moved_is_opened_again, setup_file),
        cmocka_unit_test(a_log_goes_to_one_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
