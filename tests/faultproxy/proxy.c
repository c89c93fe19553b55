/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the fault proxy, and the socket that its commands come by. */
#include "tests/faultproxy/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/faultproxy/internal.h"

enum { EVENTS_MAX = 256, WAIT_MS_MAX = 60000 };

/* Somebody who sends a command. */
struct caller {
    struct watcher watcher;
    char line[CONTROL_LINE_MAX];
    size_t n;
};

static int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint32_t fault_proxy_random(struct fault_proxy *proxy)
{
    /* xorshift, which is enough for chance */
    proxy->random ^= proxy->random << 13;
    proxy->random ^= proxy->random >> 17;
    proxy->random ^= proxy->random << 5;
    return proxy->random;
}

void watcher_ask(struct fault_proxy *proxy, struct watcher *watcher, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watcher};

    if (watcher->events == events)
        return;
    if (events == 0)
        epoll_ctl(proxy->epoll, EPOLL_CTL_DEL, watcher->fd, NULL);
    else
        epoll_ctl(proxy->epoll, watcher->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, watcher->fd,
                  &event);
    watcher->events = events;
}

void watcher_close(struct fault_proxy *proxy, struct watcher *watcher)
{
    if (watcher->fd < 0)
        return;
    watcher_ask(proxy, watcher, 0);
    close(watcher->fd);
    watcher->fd = -1;
}

/* ---- commands ---- */

static void hang_up(struct fault_proxy *proxy, struct caller *caller)
{
    watcher_close(proxy, &caller->watcher);
    free(caller);
}

/* Answers a whole line. Who does not read the answer, which may be long, loses the rest of it. */
static void answer(struct fault_proxy *proxy, struct caller *caller)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    if (!stream)
        return;
    control_run(proxy, caller->line, stream);
    fclose(stream);
    for (size_t sent = 0; sent < length;) {
        ssize_t n = send(caller->watcher.fd, text + sent, length - sent, MSG_NOSIGNAL);

        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    free(text);
}

static void caller_ready(struct fault_proxy *proxy, struct watcher *watcher, uint32_t events)
{
    struct caller *caller = (struct caller *)watcher;
    ssize_t n = recv(watcher->fd, caller->line + caller->n, sizeof caller->line - 1 - caller->n,
                     MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        caller->n += (size_t)n;
        caller->line[caller->n] = '\0';
        if (!strchr(caller->line, '\n') && caller->n < sizeof caller->line - 1)
            return;
        answer(proxy, caller);
    }
    hang_up(proxy, caller);
}

static void control_ready(struct fault_proxy *proxy, struct watcher *watcher, uint32_t events)
{
    const struct timeval patience = {.tv_sec = 1};
    struct caller *caller;
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    caller = calloc(1, sizeof *caller);
    if (!caller) {
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    caller->watcher = (struct watcher){.fd = fd, .ready = caller_ready};
    watcher_ask(proxy, &caller->watcher, EPOLLIN);
}

/* ---- the loop ---- */

/* Carries what has become due by time; returns how long nothing else will, in milliseconds. */
static int carry_due(struct fault_proxy *proxy)
{
    int64_t next_us = INT64_MAX, wait_ms;
    struct connection *next;

    for (struct link *link = proxy->links; link; link = link->next) {
        for (struct connection *connection = link->connections; connection; connection = next) {
            int64_t due_us = connection_next_us(connection);

            next = connection->next;
            if (due_us <= proxy->now_us) {
                connection_pump(proxy, connection);
                due_us = connection->link ? connection_next_us(connection) : INT64_MAX;
            }
            next_us = due_us < next_us ? due_us : next_us;
        }
    }
    if (next_us == INT64_MAX)
        return -1;
    wait_ms = (next_us - proxy->now_us + 999) / 1000;
    return wait_ms < 0 ? 0 : wait_ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)wait_ms;
}

void fault_proxy_run(struct fault_proxy *proxy)
{
    struct epoll_event events[EVENTS_MAX];

    for (;;) {
        int n;

        proxy->now_us = clock_us();
        n = epoll_wait(proxy->epoll, events, EVENTS_MAX, carry_due(proxy));
        proxy->now_us = clock_us();
        for (int i = 0; i < n; i++) {
            struct watcher *watcher = events[i].data.ptr;

            if (!watcher)
                return;
            watcher->ready(proxy, watcher, events[i].events);
        }
        connection_bury(proxy);
        link_bury(proxy);
        link_listen_all(proxy);
    }
}

static bool open_control(struct fault_proxy *proxy, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    proxy->control = (struct watcher){.fd = fd, .ready = control_ready};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return false;
    proxy->path = strdup(path);
    if (!proxy->path || listen(fd, SOMAXCONN) != 0)
        return false;
    watcher_ask(proxy, &proxy->control, EPOLLIN);
    return true;
}

struct fault_proxy *fault_proxy_new(const char *path)
{
    struct fault_proxy *proxy = calloc(1, sizeof *proxy);
    struct epoll_event stop = {.events = EPOLLIN};
    int error;

    if (!proxy)
        return NULL;
    proxy->control.fd = -1;
    proxy->random = (uint32_t)clock_us() | 1;
    proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
    proxy->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (proxy->epoll >= 0 && proxy->stop >= 0 &&
        epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, proxy->stop, &stop) == 0 &&
        open_control(proxy, path))
        return proxy;
    error = errno;
    fault_proxy_free(proxy);
    errno = error;
    return NULL;
}

void fault_proxy_stop(struct fault_proxy *proxy)
{
    const uint64_t one = 1;
    ssize_t n = write(proxy->stop, &one, sizeof one);

    (void)n;
}

void fault_proxy_free(struct fault_proxy *proxy)
{
    if (!proxy)
        return;
    while (proxy->links)
        link_remove(proxy, proxy->links);
    link_bury(proxy);
    connection_bury(proxy);
    watcher_close(proxy, &proxy->control);
    if (proxy->path)
        unlink(proxy->path);
    free(proxy->path);
    if (proxy->stop >= 0)
        close(proxy->stop);
    if (proxy->epoll >= 0)
        close(proxy->epoll);
    free(proxy);
}
