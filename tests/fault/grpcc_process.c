/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/grpcc_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

extern char **environ;

enum { GRACE_MS = 2000, READY_MS_MAX = 60000, POLL_MS = 20 };

/* Runs a program with its output in a pipe (out) or in a file (log); one of them is given. */
static pid_t spawn(const char *const *arguments, int *ret_out, const char *log)
{
    posix_spawn_file_actions_t actions;
    int ends[2] = {-1, -1};
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    if (ret_out) {
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        *ret_out = ends[0];
    }
    if (log) {
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                         O_WRONLY | O_CREAT | O_APPEND, 0600);
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    }
    int failure = posix_spawn(&pid, arguments[0], &actions, NULL,
                              (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (ends[1] >= 0)
        close(ends[1]);
    if (failure)
        fail_msg("%s: %s", arguments[0], strerror(failure));
    return pid;
}

static int end(pid_t pid, int signal)
{
    int status = 0;
    assert_int_equal(kill(pid, signal), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- backends ---- */

void backend_start(struct backend *backend)
{
    char address[32], delay[16], grace[16], line[32] = "";
    const char *arguments[] = {backend->program, address, delay, grace, NULL};
    int out = -1;
    snprintf(address, sizeof(address), "127.0.0.1:%d", backend->port);
    snprintf(delay, sizeof(delay), "%u", backend->drain_delay_ms);
    snprintf(grace, sizeof(grace), "%d", GRACE_MS);
    backend->pid = spawn(arguments, &out, NULL);
    ssize_t length = read(out, line, sizeof(line) - 1);
    close(out);
    if (length <= 0)
        fail_msg("%s does not serve at %s", backend->program, address);
    backend->port = (int)strtol(line, NULL, 10);
    assert_true(backend->port > 0);
}

void backend_stop(struct backend *backend)
{
    int status = end(backend->pid, SIGTERM);
    backend->pid = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

void backend_kill(struct backend *backend)
{
    end(backend->pid, SIGKILL);
    backend->pid = 0;
}

/* ---- Envoy ---- */

/* A port of this test's own network that nobody has. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static const char LISTENER[] =
    "admin: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}\n"
    "static_resources:\n"
    "  listeners:\n"
    "  - address: {socket_address: {address: 127.0.0.1, port_value: %d}}\n"
    "    filter_chains:\n"
    "    - filters:\n"
    "      - name: envoy.filters.network.http_connection_manager\n"
    "        typed_config:\n"
    "          '@type': type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager\n"
    "          stat_prefix: in\n"
    "          codec_type: HTTP2\n"
    "          route_config:\n"
    "            virtual_hosts:\n"
    "            - name: all\n"
    "              domains: ['*']\n"
    "              routes:\n"
    "              - {match: {prefix: '/'}, route: {cluster: backends, timeout: 0s}}\n"
    "          http_filters:\n"
    "          - name: envoy.filters.http.router\n"
    "            typed_config:\n"
    "              '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n";

static const char CLUSTER[] =
    "  clusters:\n"
    "  - name: backends\n"
    "    type: STATIC\n"
    "    lb_policy: ROUND_ROBIN\n"
    "    connect_timeout: 1s\n"
    "    common_lb_config: {healthy_panic_threshold: {value: 0}}\n"
    "    typed_extension_protocol_options:\n"
    "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
    "        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
    "        explicit_http_config: {http2_protocol_options: {}}\n"
    "    health_checks:\n"
    "    - {timeout: 2s, interval: %ss, no_traffic_interval: %ss, unhealthy_threshold: 1,\n"
    "       healthy_threshold: 1, grpc_health_check: {}}\n"
    "    load_assignment:\n"
    "      cluster_name: backends\n"
    "      endpoints:\n"
    "      - lb_endpoints:\n"
    "        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}\n"
    "        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}\n";

static void write_config(const char *path, const struct envoy *envoy,
                         const struct backend backends[2], unsigned interval_ms)
{
    char interval[16];
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, LISTENER, envoy->admin_port, envoy->port);
    snprintf(interval, sizeof(interval), "%u.%03u", interval_ms / 1000, interval_ms % 1000);
    fprintf(file, CLUSTER, interval, interval, backends[0].port, backends[1].port);
    assert_int_equal(fclose(file), 0);
}

/* Whether the admin side answers /ready with LIVE: after the first health checks. */
static bool is_ready(const struct envoy *envoy)
{
    static const char request[] = "GET /ready HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)envoy->admin_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[1024];
    size_t n = 0;
    ssize_t got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool asked = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                 send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0;
    while (asked && n < sizeof(answer) - 1 &&
           (got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0)) > 0)
        n += (size_t)got;
    close(fd);
    answer[n] = '\0';
    return strstr(answer, " 200 ") && strstr(answer, "LIVE");
}

static void print_file(const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

void envoy_start(struct envoy *envoy, const char *program, const struct backend backends[2],
                 unsigned interval_ms)
{
    char config[512], log[512];
    const char *arguments[] = {program,         "-c",   config,
                               "--concurrency", "1",    "--disable-hot-restart",
                               "--log-level",   "warn", NULL};
    const struct timespec pause = {0, POLL_MS * 1000000L};
    envoy->port = free_port();
    envoy->admin_port = free_port();
    snprintf(config, sizeof(config), "%s/envoy.yaml", getenv("TEST_TMPDIR"));
    snprintf(log, sizeof(log), "%s/envoy.log", getenv("TEST_TMPDIR"));
    write_config(config, envoy, backends, interval_ms);
    envoy->pid = spawn(arguments, NULL, log);
    for (int waited = 0; !is_ready(envoy); waited += POLL_MS) {
        if (waitpid(envoy->pid, NULL, WNOHANG) == envoy->pid || waited > READY_MS_MAX) {
            print_file(log);
            fail_msg("Envoy does not become ready");
        }
        nanosleep(&pause, NULL);
    }
}

void envoy_stop(struct envoy *envoy)
{
    end(envoy->pid, SIGKILL);
}
