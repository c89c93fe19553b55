/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a server that says exactly what the test wants, or nothing. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/backend/http/http.h"
#include "server/core/buf.h"
#include "server/core/clock.h"
#include "tests/support/cmocka.h"
#include "tests/support/support.h"

#define REQUEST_ROOM 65536

/* Answers every request with `answer`; NULL: reads it and stays silent. */
struct server {
    int socket, stop[2];
    int port;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    const char *answer;
    bool close_after;
    char seen[REQUEST_ROOM]; /* the newest request */
    int n_requests, n_connections;
};

/* Whether data holds a whole request. */
static bool is_whole(const char *data, size_t size)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return false;
    const char *length = strcasestr(data, "content-length:");
    size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
    return size >= (size_t)(end - data) + 4 + body;
}

/* False: the connection is over. */
static bool serve_one(struct server *server, int fd)
{
    char data[REQUEST_ROOM];
    size_t size = 0;
    memset(data, 0, sizeof data);
    while (!is_whole(data, size)) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = server->stop[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            return false;
        ssize_t n = read(fd, data + size, sizeof data - 1 - size);
        if (n <= 0)
            return false;
        size += (size_t)n;
    }
    pthread_mutex_lock(&server->lock);
    memcpy(server->seen, data, sizeof data);
    server->n_requests++;
    const char *answer = server->answer;
    bool close_after = server->close_after;
    pthread_mutex_unlock(&server->lock);
    if (answer && send(fd, answer, strlen(answer), MSG_NOSIGNAL) != (ssize_t)strlen(answer))
        return false;
    return !close_after;
}

struct connection {
    struct server *server;
    int fd;
};

static void *serve_connection(void *data)
{
    struct connection *connection = data;
    while (serve_one(connection->server, connection->fd))
        ;
    close(connection->fd);
    free(connection);
    return NULL;
}

#define CONNECTIONS_MAX 32

static void *serve(void *data)
{
    struct server *server = data;
    pthread_t threads[CONNECTIONS_MAX];
    int n = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = server->socket, .events = POLLIN},
                               {.fd = server->stop[0], .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 || fds[1].revents || n == CONNECTIONS_MAX)
            break;
        struct connection *connection = malloc(sizeof *connection);
        *connection =
            (struct connection){.server = server, .fd = accept(server->socket, NULL, NULL)};
        pthread_mutex_lock(&server->lock);
        server->n_connections++;
        pthread_mutex_unlock(&server->lock);
        pthread_create(&threads[n++], NULL, serve_connection, connection);
    }
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    return NULL;
}

static void server_start(struct server *server, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = (struct server){.answer = answer, .socket = socket(AF_INET, SOCK_STREAM, 0)};
    pthread_mutex_init(&server->lock, NULL);
    assert_int_equal(bind(server->socket, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->socket, 16), 0);
    assert_int_equal(getsockname(server->socket, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pipe(server->stop), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->socket);
    pthread_mutex_destroy(&server->lock);
}

static void server_answer(struct server *server, const char *answer, bool close_after)
{
    pthread_mutex_lock(&server->lock);
    server->answer = answer;
    server->close_after = close_after;
    pthread_mutex_unlock(&server->lock);
}

static int requests_of(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    int n = server->n_requests;
    pthread_mutex_unlock(&server->lock);
    return n;
}

static int connections_of(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    int n = server->n_connections;
    pthread_mutex_unlock(&server->lock);
    return n;
}

/* ---- the client ---- */

struct fixture {
    struct test_ctx test;
    struct server server;
    struct comb_http *http;
};

static struct comb_http *open_client(struct test_ctx *test, const char *url, bool tls,
                                     uint32_t stall_ms)
{
    struct comb_http_options options = {.domain = "test",
                                        .driver = "test",
                                        .store = "The store",
                                        .tls = tls,
                                        .connections_max = 2,
                                        .stall_ms = stall_ms};
    const char *const none[] = {NULL};
    must_ok(comb_url_parse(test->ctx.arena, comb_str_from(url), 80, none, &options.url, &test->err),
            &test->err);
    struct comb_http *http = NULL;
    must_ok(comb_http_open(&options, &http, &test->err), &test->err);
    return http;
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.http = NULL};
    test_ctx_init(&f.test);
    server_start(&f.server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"e\"\r\n\r\nhello");
    char url[64];
    snprintf(url, sizeof url, "test://127.0.0.1:%d", f.server.port);
    f.http = open_client(&f.test, url, false, 300);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_http_close(f->http);
    server_stop(&f->server);
    test_ctx_done(&f->test);
    return 0;
}

static const struct comb_http_request GET = {.method = "GET", .target = {"/a/../b%20c?d=1", 15}};

static enum comb_status call(struct fixture *f, const struct comb_http_request *request,
                             struct comb_http_response *ret_response)
{
    return comb_http_call(f->http, &f->test.ctx, request, ret_response, &f->test.err);
}

static void an_answer_and_its_headers(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response = {0};
    const char *const wanted[] = {"etag", "x-none", NULL};
    const struct comb_http_header headers[] = {{STR("X-Token"), STR("t")},
                                               {STR("X-Empty"), STR("")}};
    struct comb_http_request request = GET;
    request.wanted = wanted;
    request.headers = headers;
    request.n_headers = 2;
    must_ok(call(f, &request, &response), &f->test.err);
    assert_int_equal(response.code, 200);
    assert_true(comb_str_equal(response.body, STR("hello")));
    assert_true(comb_str_equal(response.headers[0], STR("\"e\"")));
    assert_null(response.headers[1].ptr);
    assert_non_null(strstr(f->server.seen, "GET /a/../b%20c?d=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(f->server.seen, "X-Token: t\r\n"));
    assert_non_null(strstr(f->server.seen, "X-Empty:\r\n"));
    struct comb_store_status status;
    comb_http_status(f->http, &status);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_int_equal(status.requests, 1);
    assert_int_equal(status.in_flight, 0);
}

static void connections_are_kept(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    for (int i = 0; i < 5; i++)
        must_ok(call(f, &GET, &response), &f->test.err);
    assert_int_equal(connections_of(&f->server), 1);
    assert_int_equal(requests_of(&f->server), 5);
}

static void a_redirect_is_an_answer(void **state)
{
    struct fixture *f = *state;
    server_answer(&f->server,
                  "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\n"
                  "Content-Length: 0\r\n\r\n",
                  false);
    struct comb_http_response response;
    must_ok(call(f, &GET, &response), &f->test.err);
    assert_int_equal(response.code, 307);
    assert_int_equal(response.body.len, 0);
}

static void proxies_of_the_environment_are_not_used(void **state)
{
    struct fixture *f = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct comb_http_response response;
    must_ok(call(f, &GET, &response), &f->test.err);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

struct stream {
    char sent[64], got[64];
    size_t n_sent, n_got;
    enum comb_status refuse;
};

static ssize_t read_stream(void *data, char *room, size_t size, struct comb_error *err)
{
    (void)err;
    struct stream *stream = data;
    size_t n = strlen(stream->sent) - stream->n_sent;
    n = n < 3 ? n : 3;
    n = n < size ? n : size;
    memcpy(room, stream->sent + stream->n_sent, n);
    stream->n_sent += n;
    return (ssize_t)n;
}

static enum comb_status write_stream(void *data, long code, comb_str chunk, struct comb_error *err)
{
    struct stream *stream = data;
    assert_int_equal(code, 200);
    if (stream->refuse != COMB_OK)
        return comb_error_set(err, stream->refuse, 0, "no more");
    memcpy(stream->got + stream->n_got, chunk.ptr, chunk.len);
    stream->n_got += chunk.len;
    return COMB_OK;
}

static void bodies_may_stream(void **state)
{
    struct fixture *f = *state;
    struct stream stream = {.sent = "a streamed body"};
    struct comb_http_response response;
    struct comb_http_request request = {.method = "PUT",
                                        .target = STR("/"),
                                        .read = read_stream,
                                        .body_size = strlen(stream.sent),
                                        .write = write_stream,
                                        .data = &stream};
    must_ok(call(f, &request, &response), &f->test.err);
    assert_non_null(strstr(f->server.seen, "\r\n\r\na streamed body"));
    assert_string_equal(stream.got, "hello");
    assert_int_equal(response.body.len, 0);

    stream = (struct stream){.sent = "a streamed body", .refuse = COMB_ABORTED};
    must_fail(COMB_ABORTED, call(f, &request, &response), &f->test.err);
    assert_true(f->test.err.ambiguous);

    /* An error's body is not the caller's stream. */
    stream = (struct stream){.sent = "a streamed body"};
    server_answer(&f->server, "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone", false);
    must_ok(call(f, &request, &response), &f->test.err);
    assert_int_equal(stream.n_got, 0);
    assert_true(comb_str_equal(response.body, STR("gone")));

    stream = (struct stream){.sent = "short"};
    must_fail(COMB_INTERNAL, call(f, &request, &response), &f->test.err);
}

static void a_long_answer_is_refused(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    struct comb_http_request request = GET;
    request.collect_max = 4;
    must_fail(COMB_RESOURCE_EXHAUSTED, call(f, &request, &response), &f->test.err);
    request.collect_max = 5;
    must_ok(call(f, &request, &response), &f->test.err);
}

/* ---- what goes wrong ---- */

static void silence_ends_calls_and_then_they_fail_at_once(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    server_answer(&f->server, NULL, false);
    must_fail(COMB_UNAVAILABLE, call(f, &GET, &response), &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "no answer in time"));
    assert_false(f->test.err.ambiguous);
    struct comb_store_status status;
    comb_http_status(f->http, &status);
    assert_int_equal(status.state, COMB_STORE_DOWN);
    assert_string_equal(status.error, f->test.err.msg);

    /* Some of these are trials; those between them fail without asking. */
    int before;
    do {
        before = requests_of(&f->server);
        must_fail(COMB_UNAVAILABLE, call(f, &GET, &response), &f->test.err);
    } while (requests_of(&f->server) != before);

    server_answer(&f->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false);
    while (call(f, &GET, &response) != COMB_OK)
        must_ok(comb_ctx_check(&f->test.ctx, &f->test.err), &f->test.err);
    comb_http_status(f->http, &status);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_int_equal(status.reconnects, 1);
}

static void the_deadline_is_kept(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    server_answer(&f->server, NULL, false);
    struct comb_http_request request = {.method = "POST", .target = STR("/"), .stall_ms = 60000};
    int64_t begin_ns = comb_clock_monotonic_ns();
    f->test.ctx.deadline_ns = begin_ns + 200 * COMB_NS_PER_MS;
    must_fail(COMB_DEADLINE_EXCEEDED, call(f, &request, &response), &f->test.err);
    assert_true(f->test.err.ambiguous);
    assert_true(comb_clock_monotonic_ns() - begin_ns < 10 * COMB_NS_PER_S);
}

static void a_lost_connection_is_told(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    struct comb_http_request post = {.method = "POST", .target = STR("/"), .body = STR("x")};
    server_answer(&f->server, "", true);
    must_fail(COMB_UNAVAILABLE, call(f, &post, &response), &f->test.err);
    assert_true(f->test.err.ambiguous);
    post.trial = true;
    server_answer(&f->server, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", true);
    must_fail(COMB_UNAVAILABLE, call(f, &post, &response), &f->test.err);
    server_answer(&f->server, "SMTP is what I speak\r\n", true);
    must_fail(COMB_UNAVAILABLE, call(f, &post, &response), &f->test.err);
    assert_non_null(strstr(f->test.err.msg, "something else than HTTP"));
}

static void a_closed_idle_connection_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    server_answer(&f->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true);
    for (int i = 0; i < 5; i++)
        must_ok(call(f, &GET, &response), &f->test.err);
    assert_int_equal(requests_of(&f->server), 5);
}

static void refuse_at(struct fixture *f, const char *url, bool tls, const char *advice)
{
    struct comb_http *http = open_client(&f->test, url, tls, 5000);
    struct comb_http_response response;
    must_fail(COMB_UNAVAILABLE, comb_http_call(http, &f->test.ctx, &GET, &response, &f->test.err),
              &f->test.err);
    if (!strstr(f->test.err.msg, advice))
        fail_msg("\"%s\" does not say \"%s\"", f->test.err.msg, advice);
    assert_null(strchr(f->test.err.msg, '\n'));
    comb_http_close(http);
}

static void who_is_away_is_told_what_to_do(void **state)
{
    struct fixture *f = *state;
    refuse_at(f, "test://127.0.0.1:1", false, "nothing answers there");
    refuse_at(f, "test://nobody.invalid:80", false, "no such host");
    refuse_at(f, "test://127.0.0.1:1", true, "nothing answers there");
}

static void the_next_host_is_tried(void **state)
{
    struct fixture *f = *state;
    char url[64];
    snprintf(url, sizeof url, "test://127.0.0.1:1,127.0.0.1:%d", f->server.port);
    struct comb_http *http = open_client(&f->test, url, false, 5000);
    struct comb_http_response response;
    struct comb_http_request post = {.method = "POST", .target = STR("/"), .body = STR("x")};
    for (int i = 0; i < 3; i++)
        must_ok(comb_http_call(http, &f->test.ctx, &post, &response, &f->test.err), &f->test.err);
    assert_int_equal(connections_of(&f->server), 1);
    comb_http_close(http);
}

static void another_name_is_asked_at_the_same_server(void **state)
{
    struct fixture *f = *state;
    struct comb_http_response response;
    struct comb_http_request request = GET;
    request.host = STR("bucket.example.test");
    must_ok(call(f, &request, &response), &f->test.err);
    assert_non_null(strstr(f->server.seen, "Host: bucket.example.test:"));
}

static void what_is_special_is_escaped(void **state)
{
    (void)state;
    struct comb_buf target;
    comb_buf_init(&target, 100);
    assert_true(comb_http_escape(&target, STR("a/b c+\xc3\xa4%~"), true));
    assert_true(comb_http_escape(&target, STR("/"), false));
    assert_string_equal(target.data, "a/b%20c%2B%C3%A4%25~%2F");
    comb_buf_done(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_and_its_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_redirect_is_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(proxies_of_the_environment_are_not_used, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_may_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_answer_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_ends_calls_and_then_they_fail_at_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_deadline_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_connection_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_closed_idle_connection_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_away_is_told_what_to_do, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_host_is_tried, setup, teardown),
        cmocka_unit_test_setup_teardown(another_name_is_asked_at_the_same_server, setup, teardown),
        cmocka_unit_test(what_is_special_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
