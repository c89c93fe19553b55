/* SPDX-License-Identifier: Apache-2.0 */
/* Call credentials: asked for at every call, at once or later, over TLS only. */
#include <grpcc/credentials.h>
#include <grpcc/listen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"

static char folder[CA_PATH_SIZE];

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static int write_files(void **state)
{
    struct ca *ca = ca_new("test CA");
    struct ca_leaf leaf = {.name = "server", .sans = "IP:127.0.0.1"};
    (void)state;
    ca_folder_new(folder);
    ca_write(ca, NULL, at("ca.pem"));
    ca_issue(ca, &leaf, at("server.pem"), at("server.key"));
    ca_free(ca);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ca_folder_remove(folder);
    return 0;
}

/* ---- a server that answers with the headers it got ---- */

static const char *authorization(struct grpcc_call *call)
{
    const char *text = grpcc_call_metadata(call, "authorization", NULL);
    return grpcc_arena_printf(grpcc_call_arena(call), "%s", text ? text : "none");
}

static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    const char *more = grpcc_call_metadata(call, "x-more", NULL);
    (void)self;
    (void)request;
    answer->text = grpcc_arena_printf(grpcc_call_arena(call), "%s%s%s", authorization(call),
                                      more ? " and " : "", more ? more : "");
    grpcc_testing_echo_unary_finish(call, answer);
}

static void collect(void *self, struct grpcc_call *call)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(arena);
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    while (!grpcc_testing_echo_collect_read(call, arena, &request, &err) && request)
        continue;
    answer->text = (char *)(uintptr_t)authorization(call);
    grpcc_testing_echo_collect_finish(call, answer);
}

static void send_one(struct grpcc_call *call)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    struct grpcc_error err = GRPCC_ERROR_INIT;
    answer->text = (char *)(uintptr_t)authorization(call);
    if (grpcc_testing_echo_expand_send(call, answer, &err))
        grpcc_call_fail(call, err.status, "%s", err.message);
    else
        grpcc_call_finish_ok(call);
}

static void expand(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    (void)self;
    (void)request;
    send_one(call);
}

static void chat(void *self, struct grpcc_call *call)
{
    (void)self;
    send_one(call);
}

static const struct grpcc_testing_echo_server table = {
    .unary = unary, .collect = collect, .expand = expand, .chat = chat};

static int port, plain_port;

static int setup(void **state)
{
    struct grpcc_listen_options tls = {
        .size = sizeof(tls), .certificate_file = at("server.pem"), .key_file = at("server.key")};
    struct fixture *f = fixture_new(NULL, &table);
    assert_int_equal(grpcc_server_listen_with(f->server, "127.0.0.1:0", &tls, &port, &f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_listen_with(f->server, "127.0.0.1:0", NULL, &plain_port, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    *state = f;
    return 0;
}

static struct grpcc_channel *channel_with(struct grpcc_credentials *credentials, bool tls,
                                          struct grpcc_error *err)
{
    char target[32];
    struct grpcc_channel_options options = {
        .size = sizeof(options), .ca_file = tls ? at("ca.pem") : NULL, .credentials = credentials};
    snprintf(target, sizeof(target), "127.0.0.1:%d", tls ? port : plain_port);
    return grpcc_channel_new(target, &options, err);
}

/* ---- providers ---- */

enum manner { AT_ONCE, LATER, REFUSED, REFUSED_LATER, TOO_MANY, NOT_A_HEADER };

struct provider {
    enum manner manner;
    atomic_uint asked, freed;
    char url[128], method[64]; /* of the last call, before its answer */
};

static void answer_now(struct provider *provider, struct grpcc_credentials_request *request)
{
    char token[32];
    struct grpcc_metadata headers[5] = {{"authorization", token, 0}, {"x-more", "more", 4}};
    headers[0].length =
        (size_t)snprintf(token, sizeof(token), "Bearer %u", atomic_load(&provider->asked));
    if (provider->manner == REFUSED || provider->manner == REFUSED_LATER) {
        grpcc_credentials_refuse(request, "nobody is logged in");
        return;
    }
    if (provider->manner == NOT_A_HEADER)
        headers[1].key = "Not A Header";
    for (size_t i = 2; i < 5; i++)
        headers[i] = headers[1];
    grpcc_credentials_give(request, headers, provider->manner == TOO_MANY ? 5 : 2);
}

struct later {
    struct provider *provider;
    struct grpcc_credentials_request *request;
};

static void *answer_later(void *data)
{
    struct later *later = data;
    answer_now(later->provider, later->request);
    free(later);
    return NULL;
}

static void get(void *self, const char *service_url, const char *method,
                struct grpcc_credentials_request *request)
{
    struct provider *provider = self;
    pthread_t thread;
    snprintf(provider->url, sizeof(provider->url), "%s", service_url);
    snprintf(provider->method, sizeof(provider->method), "%s", method);
    atomic_fetch_add(&provider->asked, 1);
    if (provider->manner != LATER && provider->manner != REFUSED_LATER) {
        answer_now(provider, request);
        return;
    }
    struct later *later = malloc(sizeof(*later));
    assert_non_null(later);
    *later = (struct later){provider, request};
    assert_int_equal(pthread_create(&thread, NULL, answer_later, later), 0);
    pthread_detach(thread);
}

static void count_free(void *self)
{
    struct provider *provider = self;
    atomic_fetch_add(&provider->freed, 1);
}

static struct grpcc_credentials *credentials_of(struct provider *provider, bool allow_plaintext)
{
    struct grpcc_credentials_options options = {.size = sizeof(options),
                                                .get = get,
                                                .free = count_free,
                                                .self = provider,
                                                .allow_plaintext = allow_plaintext};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_credentials *credentials = grpcc_credentials_new(&options, &err);
    assert_non_null(credentials);
    return credentials;
}

/* ---- the four kinds ---- */

/* The text of the answer; NULL: it failed, see f->err. */
static const char *call_unary(struct fixture *f, struct grpcc_channel *channel,
                              struct grpcc_credentials *credentials)
{
    struct grpcc_call_options options = {.size = sizeof(options), .credentials = credentials};
    struct grpcc_testing_answer *answer = NULL;
    if (grpcc_testing_echo_unary(channel, f->arena, &options, ask(f, ""), &answer, &f->err))
        return NULL;
    return answer->text;
}

static void call_streams(struct fixture *f, struct grpcc_channel *channel, unsigned asked)
{
    char expected[32];
    struct grpcc_testing_answer *answer = NULL;
    snprintf(expected, sizeof(expected), "Bearer %u", asked + 1);
    struct grpcc_testing_echo_collect_stream *up =
        grpcc_testing_echo_collect_stream_open(channel, NULL, &f->err);
    assert_true(grpcc_testing_echo_collect_stream_write(up, ask(f, "before the credentials")));
    assert_int_equal(grpcc_testing_echo_collect_stream_finish(up, f->arena, &answer, &f->err),
                     GRPCC_OK);
    assert_string_equal(answer->text, expected);
    grpcc_testing_echo_collect_stream_free(up);

    snprintf(expected, sizeof(expected), "Bearer %u", asked + 2);
    struct grpcc_testing_echo_expand_stream *down =
        grpcc_testing_echo_expand_stream_open(channel, NULL, ask(f, ""), &f->err);
    assert_int_equal(grpcc_testing_echo_expand_stream_read(down, f->arena, &answer, &f->err), 1);
    assert_string_equal(answer->text, expected);
    grpcc_testing_echo_expand_stream_free(down);

    snprintf(expected, sizeof(expected), "Bearer %u", asked + 3);
    struct grpcc_testing_echo_chat_stream *both =
        grpcc_testing_echo_chat_stream_open(channel, NULL, &f->err);
    assert_int_equal(grpcc_testing_echo_chat_stream_read(both, f->arena, &answer, &f->err), 1);
    assert_string_equal(answer->text, expected);
    grpcc_testing_echo_chat_stream_free(both);
}

static void all_calls_of_a_channel_have_them(struct fixture *f, enum manner manner)
{
    struct provider provider = {.manner = manner};
    struct grpcc_credentials *credentials = credentials_of(&provider, false);
    struct grpcc_channel *channel = channel_with(credentials, true, &f->err);
    assert_non_null(channel);
    grpcc_credentials_free(credentials);
    assert_string_equal(call_unary(f, channel, NULL), "Bearer 1 and more");
    assert_string_equal(provider.method, "Unary");
    assert_non_null(strstr(provider.url, "/grpcc.testing.Echo"));
    call_streams(f, channel, 1);
    grpcc_channel_free(channel);
    while (!atomic_load(&provider.freed)) /* core lets go of a channel a little after we do */
        usleep(1000);
}

static void calls_have_them_at_once(void **state)
{
    all_calls_of_a_channel_have_them(*state, AT_ONCE);
}

static void calls_wait_for_them(void **state)
{
    all_calls_of_a_channel_have_them(*state, LATER);
}

static void one_call_may_have_its_own(void **state)
{
    struct fixture *f = *state;
    struct provider provider = {.manner = AT_ONCE};
    struct grpcc_credentials *credentials = credentials_of(&provider, false);
    struct grpcc_channel *channel = channel_with(NULL, true, &f->err);
    assert_string_equal(call_unary(f, channel, NULL), "none");
    assert_string_equal(call_unary(f, channel, credentials), "Bearer 1 and more");
    assert_string_equal(call_unary(f, channel, NULL), "none");
    grpcc_credentials_free(credentials);
    grpcc_channel_free(channel);
}

static void who_has_none_says_why(void **state)
{
    static const struct {
        enum manner manner;
        const char *words;
    } rows[] = {{REFUSED, "nobody is logged in"},
                {REFUSED_LATER, "nobody is logged in"},
                {TOO_MANY, "too many headers"},
                {NOT_A_HEADER, "not headers that can be sent"}};
    struct fixture *f = *state;
    struct grpcc_channel *channel = channel_with(NULL, true, &f->err);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct provider provider = {.manner = rows[i].manner};
        struct grpcc_credentials *credentials = credentials_of(&provider, false);
        assert_null(call_unary(f, channel, credentials));
        assert_int_equal(f->err.status, GRPCC_UNAVAILABLE);
        assert_non_null(strstr(f->err.message, rows[i].words));
        grpcc_credentials_free(credentials);
        while (!atomic_load(&provider.freed))
            usleep(1000);
    }
    grpcc_channel_free(channel);
}

/* ---- plaintext ---- */

static void plaintext_does_not_carry_them(void **state)
{
    struct fixture *f = *state;
    struct provider provider = {.manner = AT_ONCE};
    struct grpcc_credentials *credentials = credentials_of(&provider, false);
    assert_null(channel_with(credentials, false, &f->err));
    assert_int_equal(f->err.status, GRPCC_INVALID_ARGUMENT);
    assert_non_null(strstr(f->err.message, "plain text"));
    struct grpcc_channel *channel = channel_with(NULL, false, &f->err);
    assert_null(call_unary(f, channel, credentials));
    assert_int_equal(f->err.status, GRPCC_FAILED_PRECONDITION);
    assert_non_null(strstr(f->err.message, "plain text"));
    assert_int_equal(atomic_load(&provider.asked), 0);
    assert_string_equal(call_unary(f, channel, NULL), "none");
    grpcc_channel_free(channel);
    grpcc_credentials_free(credentials);
}

static void plaintext_carries_what_says_so(void **state)
{
    struct fixture *f = *state;
    struct provider provider = {.manner = LATER};
    struct grpcc_credentials *credentials = credentials_of(&provider, true);
    struct grpcc_channel *channel = channel_with(NULL, false, &f->err);
    assert_string_equal(call_unary(f, channel, credentials), "Bearer 1 and more");
    grpcc_channel_free(channel);
    channel = channel_with(credentials, false, &f->err);
    assert_string_equal(call_unary(f, channel, NULL), "Bearer 2 and more");
    call_streams(f, channel, 2);
    grpcc_channel_free(channel);
    grpcc_credentials_free(credentials);
    while (!atomic_load(&provider.freed))
        usleep(1000);
}

/* ---- files ---- */

static void write_token(const char *text)
{
    FILE *file = fopen(at("token.new"), "we");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(at("token.new"), at("token")), 0);
}

static void a_token_is_read_again_when_it_changes(void **state)
{
    struct fixture *f = *state;
    assert_null(grpcc_credentials_new_token_file(at("none"), false, &f->err));
    assert_non_null(strstr(f->err.message, "No such file"));
    write_token("two\nlines\n");
    assert_null(grpcc_credentials_new_token_file(at("token"), false, &f->err));
    assert_non_null(strstr(f->err.message, "not one line"));
    write_token("first\n");
    struct grpcc_credentials *credentials =
        grpcc_credentials_new_token_file(at("token"), false, &f->err);
    struct grpcc_channel *channel = channel_with(credentials, true, &f->err);
    assert_string_equal(call_unary(f, channel, NULL), "Bearer first");
    write_token("second");
    assert_string_equal(call_unary(f, channel, NULL), "Bearer second");
    unlink(at("token"));
    assert_null(call_unary(f, channel, NULL));
    assert_non_null(strstr(f->err.message, "No such file"));
    write_token("third \r\n");
    assert_string_equal(call_unary(f, channel, NULL), "Bearer third");
    grpcc_channel_free(channel);
    grpcc_credentials_free(credentials);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(calls_have_them_at_once),
        WITH(calls_wait_for_them),
        WITH(one_call_may_have_its_own),
        WITH(who_has_none_says_why),
        WITH(plaintext_does_not_carry_them),
        WITH(plaintext_carries_what_says_so),
        WITH(a_token_is_read_again_when_it_changes),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
