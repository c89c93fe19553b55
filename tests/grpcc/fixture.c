/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/grpcc/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

void gate_init(struct gate *gate)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
    gate->passed = 0;
}

void gate_done(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->passed++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

unsigned gate_count(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    unsigned passed = gate->passed;
    pthread_mutex_unlock(&gate->lock);
    return passed;
}

void gate_wait(struct gate *gate, unsigned n)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->passed < n)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

/* ---- the Echo ---- */

/* An answer with room for it; NULL: the call has been ended instead. */
static struct grpcc_testing_answer *answer_new(struct grpcc_call *call)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    if (!answer)
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    return answer;
}

static void echo_unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = answer_new(call);
    (void)self;
    if (!answer)
        return;
    if (request->status) {
        grpcc_call_fail(call, (enum grpcc_status)request->status, "as asked: %s", request->text);
        return;
    }
    answer->text = request->text;
    answer->data = request->data;
    answer->count = 1;
    grpcc_testing_echo_unary_finish(call, answer);
}

static void echo_collect(void *self, struct grpcc_call *call)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpcc_testing_answer *answer = answer_new(call);
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    if (!answer)
        return;
    answer->text = grpcc_arena_strdup(arena, "");
    for (;;) {
        enum grpcc_status status = grpcc_testing_echo_collect_read(call, arena, &request, &err);
        if (status || (request && request->status)) {
            grpcc_call_fail(call, status ? status : (enum grpcc_status)request->status, "%s",
                            status ? err.message : request->text);
            return;
        }
        if (!request)
            break;
        answer->text = grpcc_arena_printf(arena, "%s%s", answer->text, request->text);
        answer->count++;
    }
    grpcc_testing_echo_collect_finish(call, answer);
}

static void echo_expand(void *self, struct grpcc_call *call,
                        const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = answer_new(call);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    if (!answer)
        return;
    answer->text = request->text;
    for (answer->count = 0; answer->count < request->count; answer->count++) {
        if (grpcc_testing_echo_expand_send(call, answer, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return;
        }
    }
    if (request->status)
        grpcc_call_fail(call, (enum grpcc_status)request->status, "as asked: %s", request->text);
    else
        grpcc_call_finish_ok(call);
}

static void echo_chat(void *self, struct grpcc_call *call)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    for (;;) {
        enum grpcc_status status = grpcc_testing_echo_chat_read(call, arena, &request, &err);
        if (status || (request && request->status)) {
            grpcc_call_fail(call, status ? status : (enum grpcc_status)request->status, "%s",
                            status ? err.message : request->text);
            return;
        }
        if (!request)
            break;
        struct grpcc_testing_answer *answer = answer_new(call);
        if (!answer)
            return;
        answer->text = request->text;
        if (grpcc_testing_echo_chat_send(call, answer, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return;
        }
    }
    grpcc_call_finish_ok(call);
}

const struct grpcc_testing_echo_server echo_table = {
    .unary = echo_unary,
    .collect = echo_collect,
    .expand = echo_expand,
    .chat = echo_chat,
};

/* ---- the fixture ---- */

/* The log may be set before all else or never: it stays, and what it counts for changes. Core may
 * say something when its fixture is gone. */
static struct {
    pthread_mutex_t lock;
    struct fixture *f; /* NULL: between two of them */
} listener = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void count_log(void *data, enum grpcc_log_level level, const char *message)
{
    (void)data;
    if (level < GRPCC_LOG_WARNING)
        return;
    pthread_mutex_lock(&listener.lock);
    struct fixture *f = listener.f;
    if (f) {
        atomic_fetch_add(&f->logged, 1);
        if (f->awaited && strstr(message, f->awaited))
            atomic_store(&f->heard, true);
    }
    pthread_mutex_unlock(&listener.lock);
    fprintf(stderr, "log: %s\n", message);
}

static void set_log(void)
{
    grpcc_set_log(count_log, NULL);
}

static void listen_for(struct fixture *f)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_log);
    pthread_mutex_lock(&listener.lock);
    listener.f = f;
    pthread_mutex_unlock(&listener.lock);
}

void fixture_await_log(struct fixture *f, const char *words)
{
    pthread_mutex_lock(&listener.lock);
    f->awaited = words;
    atomic_store(&f->heard, false);
    pthread_mutex_unlock(&listener.lock);
}

struct fixture *fixture_new(const struct grpcc_server_options *options,
                            const struct grpcc_testing_echo_server *table)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    listen_for(f);
    gate_init(&f->entered);
    gate_init(&f->leave);
    f->arena = grpcc_arena_new(0);
    f->server = grpcc_server_new(options, &f->err);
    assert_non_null(f->server);
    assert_int_equal(grpcc_testing_echo_register(f->server, table, f, &f->err), GRPCC_OK);
    return f;
}

void fixture_configure(struct fixture *f, const char *path, struct grpcc_method_config config)
{
    assert_int_equal(grpcc_server_configure_method(f->server, path, &config, &f->err), GRPCC_OK);
}

struct grpcc_channel *fixture_connect(struct fixture *f)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(grpcc_server_add_fd(f->server, ends[0], &f->err), GRPCC_OK);
    struct grpcc_channel *channel = grpcc_channel_new_fd(ends[1], NULL, &f->err);
    assert_non_null(channel);
    return channel;
}

void fixture_start(struct fixture *f)
{
    fixture_start_with(f, NULL);
}

/* The channel is set before the server starts its threads: handlers may use it. */
void fixture_start_with(struct fixture *f, const struct grpcc_channel_options *options)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    f->channel = grpcc_channel_new_fd(ends[1], options, &f->err);
    assert_non_null(f->channel);
    assert_int_equal(grpcc_server_start(f->server, &f->err), GRPCC_OK);
    assert_int_equal(grpcc_server_add_fd(f->server, ends[0], &f->err), GRPCC_OK);
}

int fixture_echo(void **state)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    fixture_start(f);
    *state = f;
    return 0;
}

int fixture_free(void **state)
{
    struct fixture *f = *state;
    grpcc_channel_free(f->channel);
    grpcc_server_free(f->server);
    grpcc_arena_free(f->arena);
    listen_for(NULL);
    gate_done(&f->entered);
    gate_done(&f->leave);
    free(f);
    return 0;
}

struct grpcc_testing_ask *ask(struct fixture *f, const char *text)
{
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(f->arena);
    assert_non_null(request);
    request->text = grpcc_arena_strdup(f->arena, text);
    return request;
}

struct grpcc_testing_answer *must_end(struct fixture *f, enum grpcc_status expected,
                                      const struct grpcc_testing_ask *request,
                                      const struct grpcc_call_options *options)
{
    struct grpcc_testing_answer *answer = NULL;
    enum grpcc_status status =
        grpcc_testing_echo_unary(f->channel, f->arena, options, request, &answer, &f->err);
    if (status != expected)
        print_error("%s: %s\n", grpcc_status_name(status), f->err.message);
    assert_int_equal(status, expected);
    assert_int_equal(answer != NULL, expected == GRPCC_OK);
    return answer;
}
