/* SPDX-License-Identifier: Apache-2.0 */
/* The links of the fault proxy, and what the commands do to them. */
#include <errno.h>
#include <fnmatch.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/faultproxy/internal.h"

/* Accepted at one event at most, so that one link does not keep the others waiting. */
enum { ACCEPTS_MAX = 64, BACKLOG = 512 };

static bool read_address(const char *text, struct address *ret)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(text, ':');
    struct addrinfo *found = NULL;
    char host[sizeof ret->text];
    size_t length = colon ? (size_t)(colon - text) : 0;

    /* "[::1]:80" has its host in brackets. */
    if (length > 2 && text[0] == '[' && text[length - 1] == ']')
        text++, length -= 2;
    if (length == 0 || length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    memcpy(&ret->socket, found->ai_addr, found->ai_addrlen);
    ret->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void write_address(struct address *address)
{
    char host[48], port[8];

    if (getnameinfo((const struct sockaddr *)&address->socket, address->length, host, sizeof host,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        address->text[0] = '\0';
    else
        snprintf(address->text, sizeof address->text,
                 address->socket.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void link_ready(struct fault_proxy *proxy, struct watcher *watcher, uint32_t events)
{
    struct link *link = (struct link *)watcher;

    (void)events;
    if (watcher->fd < 0)
        return;
    for (int i = 0; i < ACCEPTS_MAX && proxy->n_connections < FAULT_PROXY_CONNECTIONS_MAX; i++) {
        int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            break;
        connection_open(proxy, link, fd);
    }
    link_listen_all(proxy);
}

void link_listen_all(struct fault_proxy *proxy)
{
    bool full = proxy->n_connections >= FAULT_PROXY_CONNECTIONS_MAX;

    if (full == proxy->full)
        return;
    proxy->full = full;
    for (struct link *link = proxy->links; link; link = link->next)
        watcher_ask(proxy, &link->listener, full ? 0 : EPOLLIN);
}

static const char *start_listening(struct fault_proxy *proxy, struct link *link)
{
    struct address *address = &link->listen;
    int on = 1, fd;

    fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return strerror(errno);
    link->listener = (struct watcher){.fd = fd, .ready = link_ready};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address->socket, address->length) != 0 ||
        listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address->socket, &address->length) != 0)
        return strerror(errno);
    write_address(address);
    watcher_ask(proxy, &link->listener, proxy->full ? 0 : EPOLLIN);
    return NULL;
}

void link_remove(struct fault_proxy *proxy, struct link *link)
{
    while (link->connections)
        connection_close(proxy, link->connections, true);
    watcher_close(proxy, &link->listener);
    for (struct link **at = &proxy->links; *at; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            proxy->n_links--;
            break;
        }
    }
    link->next = proxy->removed;
    proxy->removed = link;
}

void link_bury(struct fault_proxy *proxy)
{
    while (proxy->removed) {
        struct link *link = proxy->removed;

        proxy->removed = link->next;
        free(link);
    }
}

const char *fault_proxy_add(struct fault_proxy *proxy, const char *name, const char *listen,
                            const char *target, const char **ret_listen)
{
    const char *wrong = NULL;
    struct link *link;

    if (proxy->n_links == FAULT_PROXY_LINKS_MAX)
        return "too many links";
    if (strlen(name) >= sizeof link->name || strpbrk(name, "*?[\\"))
        return "a link's name has at most 63 bytes and none of *, ?, [ and \\";
    for (link = proxy->links; link; link = link->next)
        if (strcmp(link->name, name) == 0)
            return "there is a link of this name";
    link = calloc(1, sizeof *link);
    if (!link)
        return "no memory";
    link->listener.fd = -1;
    memcpy(link->name, name, strlen(name) + 1);
    if (!read_address(listen, &link->listen) || !read_address(target, &link->target))
        wrong = "an address is HOST:PORT in figures";
    else
        wrong = start_listening(proxy, link);
    if (wrong) {
        link_remove(proxy, link);
        return wrong;
    }
    write_address(&link->target);
    link->next = proxy->links;
    proxy->links = link;
    proxy->n_links++;
    *ret_listen = link->listen.text;
    return NULL;
}

/* ---- what is done to all links whose names match ---- */

typedef void link_verb(struct fault_proxy *proxy, struct link *link, void *data);

static size_t for_each(struct fault_proxy *proxy, const char *pattern, link_verb *verb, void *data)
{
    struct link *next;
    size_t n = 0;

    for (struct link *link = proxy->links; link; link = next) {
        next = link->next;
        if (fnmatch(pattern, link->name, 0) == 0) {
            verb(proxy, link, data);
            n++;
        }
    }
    return n;
}

static void pump_all(struct fault_proxy *proxy, struct link *link)
{
    struct connection *next;

    for (struct connection *connection = link->connections; connection; connection = next) {
        next = connection->next;
        connection_pump(proxy, connection);
    }
}

struct listing {
    fault_proxy_each *each;
    void *data;
};

static void tell(struct fault_proxy *proxy, struct link *link, void *data)
{
    const struct listing *listing = data;
    const struct fault_proxy_view view = {
        .name = link->name,
        .listen = link->listen.text,
        .target = link->target.text,
        .faults = &link->faults,
        .connections = link->n,
        .bytes = {link->bytes[FAULT_PROXY_UP], link->bytes[FAULT_PROXY_DOWN]},
    };

    (void)proxy;
    listing->each(listing->data, &view);
}

size_t fault_proxy_list(struct fault_proxy *proxy, const char *pattern, fault_proxy_each *each,
                        void *data)
{
    return for_each(proxy, pattern, tell, &(struct listing){each, data});
}

struct setting {
    fault_proxy_change *change;
    void *data;
};

static void set(struct fault_proxy *proxy, struct link *link, void *data)
{
    const struct setting *setting = data;

    setting->change(setting->data, &link->faults);
    pump_all(proxy, link);
}

size_t fault_proxy_set(struct fault_proxy *proxy, const char *pattern, fault_proxy_change *change,
                       void *data)
{
    return for_each(proxy, pattern, set, &(struct setting){change, data});
}

static void heal(struct fault_proxy *proxy, struct link *link, void *data)
{
    (void)data;
    link->faults = (struct fault_proxy_faults){0};
    for (struct connection *connection = link->connections; connection;
         connection = connection->next)
        for (int way = 0; way < FAULT_PROXY_WAYS; way++)
            flow_hurry(&connection->flows[way]);
    pump_all(proxy, link);
}

size_t fault_proxy_heal(struct fault_proxy *proxy, const char *pattern)
{
    return for_each(proxy, pattern, heal, NULL);
}

static void reset(struct fault_proxy *proxy, struct link *link, void *data)
{
    (void)data;
    while (link->connections)
        connection_close(proxy, link->connections, true);
}

size_t fault_proxy_reset(struct fault_proxy *proxy, const char *pattern)
{
    return for_each(proxy, pattern, reset, NULL);
}

static void drop(struct fault_proxy *proxy, struct link *link, void *data)
{
    (void)data;
    link_remove(proxy, link);
}

size_t fault_proxy_remove(struct fault_proxy *proxy, const char *pattern)
{
    return for_each(proxy, pattern, drop, NULL);
}
