/* SPDX-License-Identifier: Apache-2.0 */
/* One thread of libmicrohttpd. Answers are put together in memory: no lock of metrics or servers
 * waits for a client. */
#include "grpcc/prometheus.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/observe/text.h"
#include "grpcc/dump.h"
#include "grpcc/metrics.h"

enum { CONNECTIONS_DEFAULT = 16, TIMEOUT_S_DEFAULT = 10, BACKLOG = 16 };
/* Request line and headers of a connection, and what libmicrohttpd needs beside them. */
enum { CONNECTION_BYTES = 32 << 10 };
enum { ADDRESS_MAX = 256, NAME_MAX_BYTES = 64, BODY_STEP = 16 << 10 };

#define ADDRESS_DEFAULT "127.0.0.1:9464"

struct named_server {
    char *name;
    struct grpcc_server *server;
};

struct grpcc_prometheus {
    struct grpcc_metrics *metrics;
    struct MHD_Daemon *daemon;
    int port;
    pthread_mutex_t lock; /* all below */
    struct named_server servers[GRPCC_PROMETHEUS_SERVERS_MAX];
    size_t n_servers;
};

/* ---- answers ---- */

struct body {
    char *at;
    size_t length, size;
};

static bool append(void *data, const char *text, size_t length)
{
    struct body *body = data;
    if (length > GRPCC_PROMETHEUS_BYTES_MAX - body->length)
        return false;
    if (length > body->size - body->length) {
        size_t size = body->size * 2 > body->length + length ? body->size * 2
                                                             : body->length + length + BODY_STEP;
        char *grown = grpcc_memory_realloc(body->at, size);
        if (!grown)
            return false;
        body->at = grown;
        body->size = size;
    }
    memcpy(body->at + body->length, text, length);
    body->length += length;
    return true;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code,
                              const char *media_type, struct body *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(
        body->length, body->at, grpcc_memory_free);
    if (!response) {
        grpcc_memory_free(body->at);
        return MHD_NO;
    }
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, media_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned code,
                                   const char *text)
{
    struct body body = {NULL, 0, 0};
    if (!append(&body, text, strlen(text)))
        return MHD_NO;
    return answer(connection, code, "text/plain; charset=utf-8", &body);
}

static bool append_servers(struct grpcc_prometheus *prometheus, struct body *body)
{
    bool complete = append(body, "{", 1);
    pthread_mutex_lock(&prometheus->lock);
    for (size_t i = 0; complete && i < prometheus->n_servers; i++) {
        const struct named_server *named = &prometheus->servers[i];
        char name[NAME_MAX_BYTES * 8];
        struct grpcc_text text = {.at = name, .size = sizeof(name)};
        grpcc_text_add(&text, i ? ",\n" : "");
        grpcc_text_quote(&text, named->name, strlen(named->name), NAME_MAX_BYTES);
        grpcc_text_add(&text, ": ");
        complete = append(body, name, text.n) && grpcc_server_dump(named->server, append, body);
    }
    pthread_mutex_unlock(&prometheus->lock);
    return complete && append(body, "}\n", 2);
}

static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **state)
{
    struct grpcc_prometheus *prometheus = self;
    struct body body = {NULL, 0, 0};
    bool complete = false;
    (void)version;
    (void)data;
    (void)data_size;
    (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    bool metrics = strcmp(url, "/metrics") == 0;
    if (metrics)
        complete = grpcc_metrics_write(prometheus->metrics, append, &body);
    else if (strcmp(url, "/calls") == 0)
        complete = append_servers(prometheus, &body);
    else
        return answer_text(connection, MHD_HTTP_NOT_FOUND,
                           "there is /metrics for Prometheus, and /calls\n");
    if (complete)
        return answer(connection, MHD_HTTP_OK,
                      metrics ? GRPCC_METRICS_MEDIA_TYPE : "application/json", &body);
    grpcc_memory_free(body.at);
    return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                       "no memory for the answer, or it is too large\n");
}

/* ---- listening ---- */

/* Resolves HOST:PORT; *ret_list is to be freed. */
static enum grpcc_status resolve(const char *address, struct addrinfo **ret_list,
                                 struct grpcc_error *err)
{
    char host[ADDRESS_MAX];
    const char *colon = strrchr(address, ':');
    size_t length = colon ? (size_t)(colon - address) : 0;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!colon || colon[1] == '\0' || length == 0 || length >= sizeof(host))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "\"%.128s\" is no HOST:PORT", address);
    bool brackets = address[0] == '[' && address[length - 1] == ']';
    snprintf(host, sizeof(host), "%.*s", (int)(brackets ? length - 2 : length),
             brackets ? address + 1 : address);
    int failure = getaddrinfo(host, colon + 1, &hints, ret_list);
    if (failure)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "\"%.128s\" is no address: %s", address,
                               gai_strerror(failure));
    return GRPCC_OK;
}

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static enum grpcc_status listen_on(const char *address, int *ret_fd, struct grpcc_error *err)
{
    struct addrinfo *list = NULL;
    const int on = 1;
    enum grpcc_status status = resolve(address, &list, err);
    if (status)
        return status;
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, list->ai_addr, list->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
        *ret_fd = fd;
    } else {
        bool denied = errno == EACCES || errno == EPERM;
        status = grpcc_error_set(err, denied ? GRPCC_PERMISSION_DENIED : GRPCC_UNAVAILABLE,
                                 "listening on %.128s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    freeaddrinfo(list);
    return status;
}

/* Its thread blocks all signals: they belong to the program. */
static struct MHD_Daemon *start_daemon(struct grpcc_prometheus *prometheus, int fd,
                                       const struct grpcc_prometheus_options *options)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, handle, prometheus,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, options->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, options->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

/* ---- life ---- */

struct grpcc_prometheus *grpcc_prometheus_new(struct grpcc_metrics *metrics,
                                              const struct grpcc_prometheus_options *given,
                                              struct grpcc_error *err)
{
    struct grpcc_prometheus_options options = {.size = sizeof(options)};
    int fd = -1;
    grpcc_options_copy(&options, sizeof(options), given);
    if (!options.connections_max)
        options.connections_max = CONNECTIONS_DEFAULT;
    if (!options.timeout_s)
        options.timeout_s = TIMEOUT_S_DEFAULT;
    struct grpcc_prometheus *prometheus = grpcc_memory_zalloc(sizeof(*prometheus));
    if (!prometheus) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for an exporter of metrics");
        return NULL;
    }
    prometheus->metrics = metrics;
    pthread_mutex_init(&prometheus->lock, NULL);
    enum grpcc_status status =
        listen_on(options.address ? options.address : ADDRESS_DEFAULT, &fd, err);
    if (!status) {
        prometheus->port = port_of(fd);
        prometheus->daemon = start_daemon(prometheus, fd, &options);
        if (!prometheus->daemon)
            grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no thread for an exporter of metrics");
    }
    if (prometheus->daemon)
        return prometheus;
    grpcc_prometheus_free(prometheus);
    return NULL;
}

enum grpcc_status grpcc_prometheus_add_server(struct grpcc_prometheus *prometheus, const char *name,
                                              struct grpcc_server *server, struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_OK;
    pthread_mutex_lock(&prometheus->lock);
    char *copy = NULL;
    if (prometheus->n_servers == GRPCC_PROMETHEUS_SERVERS_MAX)
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "at most %d servers",
                                 GRPCC_PROMETHEUS_SERVERS_MAX);
    else if (!(copy = grpcc_memory_strdup(name)))
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a server's name");
    else
        prometheus->servers[prometheus->n_servers++] = (struct named_server){copy, server};
    pthread_mutex_unlock(&prometheus->lock);
    return status;
}

int grpcc_prometheus_port(const struct grpcc_prometheus *prometheus)
{
    return prometheus->port;
}

void grpcc_prometheus_free(struct grpcc_prometheus *prometheus)
{
    if (!prometheus)
        return;
    if (prometheus->daemon)
        MHD_stop_daemon(prometheus->daemon);
    for (size_t i = 0; i < prometheus->n_servers; i++)
        grpcc_memory_free(prometheus->servers[i].name);
    pthread_mutex_destroy(&prometheus->lock);
    grpcc_memory_free(prometheus);
}
