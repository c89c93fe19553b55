/* SPDX-License-Identifier: Apache-2.0 */
/* One connection through a link. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/faultproxy/internal.h"

enum { READ_BYTES_MAX = 64 * 1024 };

static void be_prompt(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void reset_socket(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static int other(int way)
{
    return way == FAULT_PROXY_UP ? FAULT_PROXY_DOWN : FAULT_PROXY_UP;
}

static struct flow_fault *fault_of(struct connection *connection, int way)
{
    return &connection->link->faults.ways[way];
}

/* Who sends into a flow, and who reads it: FAULT_PROXY_UP begins at CLIENT. */
static struct end *sender_of(struct connection *connection, int way)
{
    return &connection->ends[way == FAULT_PROXY_UP ? CLIENT : SERVER];
}

static struct end *reader_of(struct connection *connection, int way)
{
    return &connection->ends[way == FAULT_PROXY_UP ? SERVER : CLIENT];
}

void connection_close(struct fault_proxy *proxy, struct connection *connection, bool reset)
{
    struct link *link = connection->link;

    if (!link)
        return;
    for (int i = 0; i < ENDS; i++) {
        if (reset && connection->ends[i].watcher.fd >= 0)
            reset_socket(connection->ends[i].watcher.fd);
        watcher_close(proxy, &connection->ends[i].watcher);
    }
    for (int way = 0; way < FAULT_PROXY_WAYS; way++)
        flow_done(&connection->flows[way]);
    for (struct connection **at = &link->connections; *at; at = &(*at)->next) {
        if (*at == connection) {
            *at = connection->next;
            break;
        }
    }
    link->n--;
    proxy->n_connections--;
    connection->link = NULL;
    connection->next = proxy->over;
    proxy->over = connection;
}

void connection_bury(struct fault_proxy *proxy)
{
    while (proxy->over) {
        struct connection *connection = proxy->over;

        proxy->over = connection->next;
        free(connection);
    }
}

/* The sender of a flow is gone: nothing comes from it any more, and nothing reaches it. */
static void lose_end(struct fault_proxy *proxy, struct connection *connection, int way)
{
    struct flow *flow = &connection->flows[way];

    watcher_close(proxy, &sender_of(connection, way)->watcher);
    /* Where it had ended and knew that the other side had, it went in order. */
    if (flow->ended && connection->told[other(way)])
        return;
    if (!flow->ended)
        flow_end(flow, fault_of(connection, way), true, proxy->now_us);
    flow->reset = true;
    connection->told[way] = false;
}

static void receive(struct fault_proxy *proxy, struct connection *connection, int way)
{
    struct flow *flow = &connection->flows[way];
    struct flow_fault *fault = fault_of(connection, way);
    unsigned char bytes[READ_BYTES_MAX];
    size_t room = flow_room(flow);
    ssize_t n = recv(sender_of(connection, way)->watcher.fd, bytes,
                     room < sizeof bytes ? room : sizeof bytes, 0);

    if (n > 0)
        flow_put(flow, fault, bytes, (size_t)n, fault_proxy_random(proxy), proxy->now_us);
    else if (n == 0)
        flow_end(flow, fault, false, proxy->now_us);
    else if (errno != EAGAIN && errno != EINTR)
        lose_end(proxy, connection, way);
}

/* Sends what is due. True: the reader takes no more at the moment. */
static bool deliver(struct fault_proxy *proxy, struct connection *connection, int way)
{
    struct flow *flow = &connection->flows[way];
    struct flow_fault *fault = fault_of(connection, way);
    int fd = reader_of(connection, way)->watcher.fd;
    const unsigned char *bytes;
    size_t due;

    while (fd >= 0 && (due = flow_peek(flow, fault, proxy->now_us, &bytes)) > 0) {
        ssize_t n = send(fd, bytes, due, MSG_NOSIGNAL);

        if (n <= 0) {
            if (errno == EAGAIN || errno == EINTR)
                return true;
            lose_end(proxy, connection, other(way));
            return false;
        }
        flow_sent(flow, fault, (size_t)n, proxy->now_us);
        connection->link->bytes[way] += (uint64_t)n;
    }
    return false;
}

/* Tells the reader that the flow has ended. False: that was the end of the connection. */
static bool tell_end(struct fault_proxy *proxy, struct connection *connection, int way)
{
    const struct flow *flow = &connection->flows[way];
    int reader = reader_of(connection, way)->watcher.fd;

    if (connection->told[way] || connection->link->faults.keep_open || reader < 0 ||
        !flow_is_over(flow, fault_of(connection, way), proxy->now_us))
        return true;
    if (flow->reset) {
        connection_close(proxy, connection, true);
        return false;
    }
    connection->told[way] = true;
    shutdown(reader, SHUT_WR);
    return true;
}

/* Begins to connect to the target. False: it is refused at once. */
static bool start_connecting(struct fault_proxy *proxy, struct connection *connection)
{
    const struct address *target = &connection->link->target;
    int fd = socket(target->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return false;
    be_prompt(fd);
    connection->ends[SERVER].watcher.fd = fd;
    if (connect(fd, (const struct sockaddr *)&target->socket, target->length) != 0 &&
        errno != EINPROGRESS)
        return false;
    connection->state = CONNECTING;
    watcher_ask(proxy, &connection->ends[SERVER].watcher, EPOLLOUT);
    return true;
}

/* What epoll shall tell of one side; of errors it tells where it is asked for anything. */
static void ask_end(struct fault_proxy *proxy, struct connection *connection, int end,
                    bool reader_is_full)
{
    const int from = end == CLIENT ? FAULT_PROXY_UP : FAULT_PROXY_DOWN;
    struct watcher *watcher = &connection->ends[end].watcher;
    uint32_t events = connection->flows[from].ended ? EPOLLERR : 0;

    if (watcher->fd < 0)
        return;
    if (flow_room(&connection->flows[from]) > 0)
        events |= EPOLLIN;
    if (reader_is_full)
        events |= EPOLLOUT;
    watcher_ask(proxy, watcher, events);
}

/* Nobody has been asked for the target yet: while the link is silent or cut, who connects waits. */
static void pump_waiting(struct fault_proxy *proxy, struct connection *connection)
{
    const struct fault_proxy_faults *faults = &connection->link->faults;

    if (connection->ends[CLIENT].watcher.fd < 0) {
        connection_close(proxy, connection, false);
    } else if (!faults->silent && !faults->ways[FAULT_PROXY_UP].blocked &&
               !start_connecting(proxy, connection)) {
        connection_close(proxy, connection, true);
    } else {
        ask_end(proxy, connection, CLIENT, false);
    }
}

void connection_pump(struct fault_proxy *proxy, struct connection *connection)
{
    bool up_is_full, down_is_full;

    if (!connection->link)
        return;
    if (connection->state == WAITING) {
        pump_waiting(proxy, connection);
        return;
    }
    if (connection->state == CONNECTING) {
        ask_end(proxy, connection, CLIENT, false);
        return;
    }
    up_is_full = deliver(proxy, connection, FAULT_PROXY_UP);
    down_is_full = deliver(proxy, connection, FAULT_PROXY_DOWN);
    if (!tell_end(proxy, connection, FAULT_PROXY_UP) ||
        !tell_end(proxy, connection, FAULT_PROXY_DOWN))
        return;
    if (connection->told[FAULT_PROXY_UP] && connection->told[FAULT_PROXY_DOWN]) {
        connection_close(proxy, connection, false);
        return;
    }
    ask_end(proxy, connection, CLIENT, down_is_full);
    ask_end(proxy, connection, SERVER, up_is_full);
}

int64_t connection_next_us(const struct connection *connection)
{
    int64_t next_us = INT64_MAX;

    if (connection->state != CONNECTED)
        return next_us;
    for (int way = 0; way < FAULT_PROXY_WAYS; way++) {
        const struct end *reader = &connection->ends[way == FAULT_PROXY_UP ? SERVER : CLIENT];
        int64_t flow_us =
            flow_next_us(&connection->flows[way], &connection->link->faults.ways[way]);

        /* Where it is due already it waits for the reader; of an end that was told, for nothing. */
        if (connection->told[way] || reader->watcher.fd < 0 ||
            (reader->watcher.events & EPOLLOUT) ||
            (connection->flows[way].n == 0 && connection->link->faults.keep_open))
            continue;
        next_us = flow_us < next_us ? flow_us : next_us;
    }
    return next_us;
}

/* The target has answered, or refused. */
static void end_connecting(struct fault_proxy *proxy, struct connection *connection)
{
    int fd = connection->ends[SERVER].watcher.fd, error = 0;
    socklen_t length = sizeof error;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    connection->state = CONNECTED;
    if (error != 0)
        connection_close(proxy, connection, true);
    else
        connection_pump(proxy, connection);
}

static void end_ready(struct fault_proxy *proxy, struct watcher *watcher, uint32_t events)
{
    struct end *end = (struct end *)watcher;
    struct connection *connection = end->connection;
    int way = end == &connection->ends[CLIENT] ? FAULT_PROXY_UP : FAULT_PROXY_DOWN;

    if (!connection->link || watcher->fd < 0)
        return;
    if (connection->state == CONNECTING && end == &connection->ends[SERVER]) {
        end_connecting(proxy, connection);
        return;
    }
    if (events & EPOLLIN && flow_room(&connection->flows[way]) > 0)
        receive(proxy, connection, way);
    else if (events & (EPOLLHUP | EPOLLERR))
        lose_end(proxy, connection, way);
    connection_pump(proxy, connection);
}

void connection_open(struct fault_proxy *proxy, struct link *link, int client)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (!connection || link->faults.refused) {
        reset_socket(client);
        close(client);
        free(connection);
        return;
    }
    be_prompt(client);
    connection->link = link;
    connection->next = link->connections;
    link->connections = connection;
    link->n++;
    proxy->n_connections++;
    for (int i = 0; i < ENDS; i++) {
        connection->ends[i].connection = connection;
        connection->ends[i].watcher = (struct watcher){.fd = -1, .ready = end_ready};
    }
    connection->ends[CLIENT].watcher.fd = client;
    if (!flow_init(&connection->flows[FAULT_PROXY_UP]) ||
        !flow_init(&connection->flows[FAULT_PROXY_DOWN])) {
        connection_close(proxy, connection, true);
        return;
    }
    connection_pump(proxy, connection);
}
