/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: what they refuse, where they live, in which order they go. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

static void a_bad_service_config_is_refused(void **state)
{
    (void)state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel_options options = {.size = sizeof(options),
                                            .service_config = "{ not JSON"};
    assert_null(grpcc_channel_new("127.0.0.1:1", &options, &err));
    assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
    options.service_config = "{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"1s\"}]}";
    struct grpcc_channel *channel = grpcc_channel_new("127.0.0.1:1", &options, &err);
    assert_non_null(channel);
    grpcc_channel_free(channel);
}

static void certificates_that_are_not_there_are_named(void **state)
{
    (void)state;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel_options options = {.size = sizeof(options), .ca_file = "/no/such/ca.pem"};
    assert_null(grpcc_channel_new("127.0.0.1:1", &options, &err));
    assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "/no/such/ca.pem"));
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    struct grpcc_server_tls tls = {.certificate_file = "/no/such/cert.pem",
                                   .key_file = "/no/such/key.pem"};
    assert_int_equal(grpcc_server_listen(server, "127.0.0.1:0", &tls, NULL, &err),
                     GRPCC_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "/no/such/cert.pem"));
    grpcc_server_free(server);
}

static void nobody_there_is_unavailable(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel *channel = grpcc_channel_new("127.0.0.1:1", NULL, &f->err);
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, NULL, ask(f, "x"), &answer, &f->err),
        GRPCC_UNAVAILABLE);
    struct grpcc_call_options options = {
        .size = sizeof(options), .wait_for_ready = true, .timeout_ms = 50};
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, &options, ask(f, "x"), &answer, &f->err),
        GRPCC_DEADLINE_EXCEEDED);
    grpcc_channel_free(channel);
}

static struct grpcc_server *listening(struct fixture *f, const char *address, int *ret_port)
{
    struct grpcc_server *server = grpcc_server_new(NULL, &f->err);
    assert_int_equal(grpcc_testing_echo_register(server, &echo_table, f, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_listen(server, address, NULL, ret_port, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_start(server, &f->err), GRPCC_OK);
    return server;
}

static void must_answer(struct fixture *f, const char *target)
{
    struct grpcc_channel *channel = grpcc_channel_new(target, NULL, &f->err);
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_call_options options = {.size = sizeof(options), .wait_for_ready = true};
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, &options, ask(f, target), &answer, &f->err),
        GRPCC_OK);
    assert_string_equal(answer->text, target);
    grpcc_channel_free(channel);
}

static void a_server_listens_on_loopback(void **state)
{
    struct fixture *f = *state;
    int port = 0;
    char target[32];
    struct grpcc_server *server = listening(f, "127.0.0.1:0", &port);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    must_answer(f, target);
    struct grpcc_server *other = grpcc_server_new(NULL, &f->err);
    assert_int_equal(grpcc_server_listen(other, target, NULL, NULL, &f->err), GRPCC_UNAVAILABLE);
    grpcc_server_free(other);
    grpcc_server_free(server);
}

static void a_unix_socket_is_its_owners(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/grpcc-XXXXXX"; /* socket names are short: TEST_TMPDIR may not fit */
    char target[64];
    struct stat status;
    int port = 7;
    assert_non_null(mkdtemp(folder));
    snprintf(target, sizeof(target), "unix:%s/socket", folder);
    struct grpcc_server *server = listening(f, target, &port);
    assert_int_equal(port, 0);
    assert_int_equal(stat(target + 5, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    must_answer(f, target);
    grpcc_server_free(server);
    unlink(target + 5);
    rmdir(folder);
}

/* ---- the poller ---- */

struct nested {
    struct fixture *f;
    enum grpcc_status unary;
    int read;
    struct gate ended;
};

static void call_on_poller(void *data, enum grpcc_status status,
                           struct grpcc_testing_answer *response, const struct grpcc_error *err)
{
    struct nested *nested = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_error own = GRPCC_ERROR_INIT;
    (void)response;
    (void)err;
    nested->read = grpcc_on_poller_thread() && status == GRPCC_OK;
    nested->unary =
        grpcc_testing_echo_unary(nested->f->channel, arena, NULL, request, &answer, &own);
    grpcc_arena_free(arena);
    gate_open(&nested->ended);
}

static void a_blocking_call_on_the_poller_is_refused(void **state)
{
    struct fixture *f = *state;
    struct nested nested = {.f = f};
    gate_init(&nested.ended);
    assert_false(grpcc_on_poller_thread());
    grpcc_testing_echo_unary_start(f->channel, f->arena, NULL, ask(f, "x"), call_on_poller, &nested,
                                   NULL);
    gate_wait(&nested.ended, 1);
    assert_int_equal(nested.read, 1);
    assert_int_equal(nested.unary, GRPCC_FAILED_PRECONDITION);
    gate_done(&nested.ended);
}

/* ---- order ---- */

static void note_end(void *data, enum grpcc_status status, struct grpcc_testing_answer *response,
                     const struct grpcc_error *err)
{
    (void)status;
    (void)response;
    (void)err;
    gate_open(data);
}

static void a_channel_may_go_before_its_calls(void **state)
{
    struct fixture *f = *state;
    struct gate ended;
    struct grpcc_client_call *call = NULL;
    gate_init(&ended);
    struct grpcc_channel *channel = fixture_connect(f);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(channel, NULL, &f->err);
    grpcc_testing_echo_unary_start(channel, f->arena, NULL, ask(f, "x"), note_end, &ended, &call);
    grpcc_channel_free(channel);
    gate_wait(&ended, 1);
    grpcc_client_call_free(call);
    struct grpcc_testing_answer *answer = NULL;
    assert_true(grpcc_testing_echo_chat_stream_write(stream, ask(f, "still")));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
    grpcc_testing_echo_chat_stream_free(stream);
    gate_done(&ended);
}

static void a_call_may_be_freed_before_it_ends(void **state)
{
    struct fixture *f = *state;
    struct gate ended;
    gate_init(&ended);
    for (int i = 0; i < 100; i++) {
        struct grpcc_client_call *call = NULL;
        grpcc_testing_echo_unary_start(f->channel, f->arena, NULL, ask(f, "x"), note_end, &ended,
                                       &call);
        grpcc_client_call_free(call);
        gate_wait(&ended, (unsigned)i + 1);
    }
    gate_done(&ended);
}

static void channels_come_and_go(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        struct grpcc_channel *channel = fixture_connect(f);
        struct grpcc_testing_answer *answer = NULL;
        assert_int_equal(
            grpcc_testing_echo_unary(channel, f->arena, NULL, ask(f, "x"), &answer, &f->err),
            GRPCC_OK);
        grpcc_channel_free(channel);
    }
}

static void many_threads_share_a_channel(void **state);

struct caller {
    struct fixture *f;
    pthread_t thread;
    unsigned answered;
};

static void *caller_main(void *data)
{
    struct caller *caller = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    for (int i = 0; i < 200; i++) {
        struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
        struct grpcc_testing_answer *answer = NULL;
        grpcc_testing_ask_set_text(request, "many");
        if (grpcc_testing_echo_unary(caller->f->channel, arena, NULL, request, &answer, &err) ==
                GRPCC_OK &&
            strcmp(answer->text, "many") == 0)
            caller->answered++;
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
    return NULL;
}

static void many_threads_share_a_channel(void **state)
{
    enum { N = 8 };
    struct fixture *f = *state;
    struct caller callers[N];
    for (int i = 0; i < N; i++) {
        callers[i] = (struct caller){.f = f};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, caller_main, &callers[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].answered, 200);
    }
}

/* ---- fork ---- */

/* Every handle answers FAILED_PRECONDITION; 0: so it was. */
static int try_all_in_child(struct fixture *f, struct grpcc_testing_echo_chat_stream *stream,
                            const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (grpcc_testing_echo_unary(f->channel, f->arena, NULL, request, &answer, &err) !=
        GRPCC_FAILED_PRECONDITION)
        return 1;
    if (grpcc_testing_echo_chat_stream_open(f->channel, NULL, &err) ||
        err.status != GRPCC_FAILED_PRECONDITION)
        return 2;
    if (grpcc_channel_new("127.0.0.1:1", NULL, &err) || err.status != GRPCC_FAILED_PRECONDITION)
        return 3;
    if (grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &err) != -1 ||
        err.status != GRPCC_FAILED_PRECONDITION)
        return 4;
    if (grpcc_testing_echo_chat_stream_write(stream, request))
        return 5;
    if (grpcc_testing_echo_chat_stream_finish(stream, NULL, &err) != GRPCC_FAILED_PRECONDITION)
        return 6;
    grpcc_testing_echo_chat_stream_cancel(stream);
    grpcc_testing_echo_chat_stream_free(stream);
    grpcc_channel_free(f->channel);
    return 0;
}

static void a_child_is_told_that_it_cannot(void **state)
{
    struct fixture *f = *state;
    struct grpcc_testing_ask *request = ask(f, "x");
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(f->channel, NULL, &f->err);
    pid_t child = fork();
    if (child == 0)
        _exit(try_all_in_child(f, stream, request));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    grpcc_testing_echo_chat_stream_free(stream);
    must_end(f, GRPCC_OK, request, NULL); /* the parent goes on */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_service_config_is_refused),
        cmocka_unit_test(certificates_that_are_not_there_are_named),
        cmocka_unit_test(nobody_there_is_unavailable),
        cmocka_unit_test(a_server_listens_on_loopback),
        cmocka_unit_test(a_unix_socket_is_its_owners),
        cmocka_unit_test(a_blocking_call_on_the_poller_is_refused),
        cmocka_unit_test(a_channel_may_go_before_its_calls),
        cmocka_unit_test(a_call_may_be_freed_before_it_ends),
        cmocka_unit_test(channels_come_and_go),
        cmocka_unit_test(many_threads_share_a_channel),
        cmocka_unit_test(a_child_is_told_that_it_cannot),
    };
    return cmocka_run_group_tests(tests, fixture_echo, fixture_free);
}
