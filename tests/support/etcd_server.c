/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/etcd_server.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/support.h"

#define ETCD "/usr/bin/etcd"
#define ETCD_VARIABLE "COMB_TEST_ETCD"
enum { ARGS_MAX = 48, TEXT_MAX = 512, ANSWER_TIMEOUT_S = 2 };

/* ---- what a member says over HTTP ---- */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Whether the answer has text in it. body NULL: a GET, else a POST. */
static bool says(int port, const char *path, const char *body, const char *text)
{
    char request[2 * TEXT_MAX], answer[65536];
    size_t size = 0;
    int fd = connect_to(port);
    if (fd < 0)
        return false;
    int length = snprintf(request, sizeof request,
                          "%s %s HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          body ? "POST" : "GET", path, body ? strlen(body) : 0, body ? body : "");
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) == length) {
        for (ssize_t n = 1; n > 0 && size + 1 < sizeof answer; size += n > 0 ? (size_t)n : 0)
            n = recv(fd, answer + size, sizeof answer - 1 - size, 0);
    }
    close(fd);
    answer[size] = '\0';
    return strstr(answer, text) != NULL;
}

static bool is_healthy(void *data)
{
    const struct etcd_member *member = data;
    return says(member->port, "/health", NULL, "{\"health\":\"true\"");
}

size_t etcd_server_leader(const struct etcd_server *server)
{
    for (;;) {
        for (size_t i = 0; i < server->n_members; i++) {
            if (server->members[i].process.pid &&
                says(server->members[i].port, "/metrics", NULL, "etcd_server_is_leader 1\n"))
                return i;
        }
        usleep(20000);
    }
}

void etcd_server_post(const struct etcd_server *server, const char *path, const char *json)
{
    if (!says(server->members[0].port, path, json, " 200 OK"))
        fail_msg("etcd refuses %s %s", path, json);
}

/* ---- processes ---- */

static void spawn(struct etcd_server *server, size_t i)
{
    struct etcd_member *member = &server->members[i];
    char name[16], client[64], peer[64], cluster[TEXT_MAX] = "";
    for (size_t k = 0; k < server->n_members; k++) {
        size_t used = strlen(cluster);
        snprintf(cluster + used, sizeof cluster - used, "%sn%zu=http://127.0.0.1:%d", k ? "," : "",
                 k, server->members[k].peer_port);
    }
    snprintf(name, sizeof name, "n%zu", i);
    snprintf(client, sizeof client, "http://127.0.0.1:%d", member->port);
    snprintf(peer, sizeof peer, "http://127.0.0.1:%d", member->peer_port);
    char *data = test_path(member->process.folder, "data");
    const char *program = getenv(ETCD_VARIABLE);
    const char *argv[ARGS_MAX] = {program ? program : ETCD,
                                  "--name",
                                  name,
                                  "--data-dir",
                                  data,
                                  "--listen-client-urls",
                                  client,
                                  "--advertise-client-urls",
                                  client,
                                  "--listen-peer-urls",
                                  peer,
                                  "--initial-advertise-peer-urls",
                                  peer,
                                  "--initial-cluster",
                                  cluster,
                                  "--initial-cluster-state",
                                  "new",
                                  "--logger",
                                  "zap",
                                  "--log-level",
                                  "error"};
    size_t n = 21;
    for (size_t k = 0; server->flags && server->flags[k] && n + 1 < ARGS_MAX; k++)
        argv[n++] = server->flags[k];
    store_process_spawn(&member->process, argv);
    free(data);
}

void etcd_server_start(struct etcd_server *server, size_t n)
{
    assert_true(n == 1 || n == ETCD_MEMBERS_MAX);
    *server = (struct etcd_server){.n_members = n, .flags = server->flags};
    for (size_t i = 0; i < n; i++) {
        store_process_init(&server->members[i].process);
        server->members[i].port = test_free_port();
        server->members[i].peer_port = test_free_port();
    }
    for (size_t i = 0; i < n; i++)
        spawn(server, i);
    for (size_t i = 0; i < n; i++)
        store_process_await(&server->members[i].process, is_healthy, &server->members[i]);
}

void etcd_server_restart(struct etcd_server *server, size_t i)
{
    spawn(server, i);
    store_process_await(&server->members[i].process, is_healthy, &server->members[i]);
}

void etcd_server_replace(struct etcd_server *server)
{
    struct etcd_member *member = &server->members[0];
    assert_int_equal(server->n_members, 1);
    store_process_done(&member->process, SIGKILL);
    store_process_init(&member->process);
    /* The cluster's id comes from the addresses of its peers. */
    member->peer_port = test_free_port();
    etcd_server_restart(server, 0);
}

void etcd_server_done(struct etcd_server *server)
{
    for (size_t i = 0; i < server->n_members; i++)
        store_process_done(&server->members[i].process, SIGKILL);
    server->n_members = 0;
}

char *etcd_server_url(const struct etcd_server *server, const char *prefix)
{
    char url[TEXT_MAX] = "etcd://";
    for (size_t i = 0; i < server->n_members; i++) {
        size_t used = strlen(url);
        snprintf(url + used, sizeof url - used, "%s127.0.0.1:%d", i ? "," : "",
                 server->members[i].port);
    }
    size_t used = strlen(url);
    snprintf(url + used, sizeof url - used, "/%s", prefix);
    char *copy = strdup(url);
    assert_non_null(copy);
    return copy;
}
