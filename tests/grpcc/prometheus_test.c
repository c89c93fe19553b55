/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics and state over HTTP, spoken to by hand. */
#include <arpa/inet.h>
#include <grpcc/metrics.h>
#include <grpcc/prometheus.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

enum { ANSWER_MAX = 256 << 10 };

struct parts {
    struct grpcc_metrics *metrics;
    struct grpcc_prometheus *prometheus;
    char answer[ANSWER_MAX];
};

static int setup_with(void **state, unsigned connections_max)
{
    static struct parts parts;
    struct fixture *f = fixture_new(NULL, &echo_table);
    const struct grpcc_prometheus_options options = {
        .size = sizeof(options), .address = "127.0.0.1:0", .connections_max = connections_max};
    memset(&parts, 0, sizeof(parts));
    parts.metrics = grpcc_metrics_new();
    assert_int_equal(grpcc_metrics_attach(parts.metrics, f->server, "api", &f->err), GRPCC_OK);
    fixture_start(f);
    parts.prometheus = grpcc_prometheus_new(parts.metrics, &options, &f->err);
    assert_non_null(parts.prometheus);
    assert_int_equal(grpcc_prometheus_add_server(parts.prometheus, "a\"pi", f->server, &f->err),
                     GRPCC_OK);
    f->data = &parts;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int finish(void **state)
{
    struct fixture *f = *state;
    struct parts *parts = f->data;
    grpcc_prometheus_free(parts->prometheus);
    fixture_free(state);
    grpcc_metrics_free(parts->metrics);
    return 0;
}

static int connect_to(const struct parts *parts)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)grpcc_prometheus_port(parts->prometheus)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Sends a request and gives the whole answer, as text. */
static const char *ask_http(struct parts *parts, const char *request)
{
    int fd = connect_to(parts);
    size_t n = strlen(request), length = 0;
    assert_int_equal(send(fd, request, n, MSG_NOSIGNAL), (ssize_t)n);
    for (ssize_t got = 1; got > 0 && length < ANSWER_MAX - 1; length += (size_t)(got > 0 ? got : 0))
        got = recv(fd, parts->answer + length, ANSWER_MAX - 1 - length, 0);
    parts->answer[length] = '\0';
    close(fd);
    return parts->answer;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void metrics_are_served(void **state)
{
    struct fixture *f = *state;
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    const char *answer = ask_http(f->data, GET("/metrics"));
    assert_true(begins(answer, "HTTP/1.1 200 "));
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(answer, "\ngrpc_server_call_started_total{grpc_method=\"grpcc.testing."
                                   "Echo/Unary\"} 1\n"));
}

static void calls_are_served(void **state)
{
    struct fixture *f = *state;
    const char *answer = ask_http(f->data, GET("/calls"));
    assert_true(begins(answer, "HTTP/1.1 200 "));
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    json_t *all = json_loads(strstr(answer, "\r\n\r\n"), 0, NULL);
    assert_non_null(all);
    assert_string_equal(json_string_value(json_object_get(json_object_get(all, "a\"pi"), "state")),
                        "serving");
    json_decref(all);
}

static void other_paths_and_methods_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_true(begins(ask_http(f->data, GET("/")), "HTTP/1.1 404 "));
    assert_true(begins(ask_http(f->data, GET("/metrics/../etc/passwd")), "HTTP/1.1 404 "));
    const char *answer = ask_http(
        f->data, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n"
                 "\r\nabc");
    assert_true(begins(answer, "HTTP/1.1 405 "));
    assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    answer = ask_http(f->data, "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(begins(answer, "HTTP/1.1 200 "));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
    assert_false(begins(ask_http(f->data, "nonsense\r\n\r\n"), "HTTP/1.1 200 "));
}

static void a_request_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    static char request[64 << 10];
    size_t n =
        (size_t)snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: x\r\nX: ");
    memset(request + n, 'x', sizeof(request) - n - 5);
    memcpy(request + sizeof(request) - 5, "\r\n\r\n", 5);
    assert_false(begins(ask_http(f->data, request), "HTTP/1.1 200 "));
}

static int setup_two(void **state)
{
    return setup_with(state, 2);
}

static void those_who_only_connect_do_not_keep_it_from_ending(void **state)
{
    struct fixture *f = *state;
    int idle = connect_to(f->data), half = connect_to(f->data);
    assert_int_equal(send(half, "GET /met", 8, MSG_NOSIGNAL), 8);
    struct parts *parts = f->data;
    grpcc_prometheus_free(parts->prometheus); /* returns though both are open */
    parts->prometheus = NULL;
    close(idle);
    close(half);
}

static void an_address_is_checked(void **state)
{
    struct fixture *f = *state;
    struct parts *parts = f->data;
    static const char *const bad[] = {"", "nonsense", "127.0.0.1:", ":1", "127.0.0.1:http"};
    char taken[64];
    struct grpcc_prometheus_options options = {.size = sizeof(options)};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options.address = bad[i];
        assert_null(grpcc_prometheus_new(parts->metrics, &options, &f->err));
        assert_int_equal(f->err.status, GRPCC_INVALID_ARGUMENT);
    }
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", grpcc_prometheus_port(parts->prometheus));
    options.address = taken;
    assert_null(grpcc_prometheus_new(parts->metrics, &options, &f->err));
    assert_int_equal(f->err.status, GRPCC_UNAVAILABLE);
    options.address = "[::1]:0";
    struct grpcc_prometheus *six = grpcc_prometheus_new(parts->metrics, &options, &f->err);
    assert_non_null(six);
    assert_true(grpcc_prometheus_port(six) > 0);
    grpcc_prometheus_free(six);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(metrics_are_served, setup),
        WITH(calls_are_served, setup),
        WITH(other_paths_and_methods_are_refused, setup),
        WITH(a_request_that_is_too_large_is_refused, setup),
        WITH(those_who_only_connect_do_not_keep_it_from_ending, setup_two),
        WITH(an_address_is_checked, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
