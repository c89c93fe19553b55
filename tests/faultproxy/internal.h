/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the fault proxy share. Everything lives on the thread of fault_proxy_run(). */
#ifndef TESTS_FAULTPROXY_INTERNAL_H
#define TESTS_FAULTPROXY_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/faultproxy/control.h"
#include "tests/faultproxy/proxy.h"

/* What epoll tells of; the first member of what it belongs to. */
struct watcher {
    int fd;          /* -1: closed */
    uint32_t events; /* that it is asked for; 0: epoll does not have it */
    void (*ready)(struct fault_proxy *proxy, struct watcher *self, uint32_t events);
};

struct address {
    struct sockaddr_storage socket;
    socklen_t length;
    char text[64]; /* HOST:PORT in figures */
};

struct link {
    struct watcher listener;
    struct link *next;
    char name[FAULT_PROXY_NAME_MAX];
    struct address listen, target;
    struct fault_proxy_faults faults;
    struct connection *connections;
    size_t n;
    uint64_t bytes[FAULT_PROXY_WAYS];
};

/* One of the two sides of a connection. */
struct end {
    struct watcher watcher;
    struct connection *connection;
};

enum { CLIENT, SERVER, ENDS };

/* flows[FAULT_PROXY_UP] goes from ends[CLIENT] to ends[SERVER], the other one back. */
struct connection {
    struct link *link; /* NULL: over, to be freed when no event can name it any more */
    struct connection *next;
    struct end ends[ENDS];
    struct flow flows[FAULT_PROXY_WAYS];
    bool told[FAULT_PROXY_WAYS]; /* the end of that flow has been told to who reads it */
    enum { WAITING, CONNECTING, CONNECTED } state; /* WAITING: until the target may be asked */
};

struct fault_proxy {
    int epoll, stop;
    struct watcher control;
    char *path;
    struct link *links;
    size_t n_links, n_connections;
    struct connection *over; /* to be freed when no event can name them any more */
    struct link *removed;    /* the same */
    bool full;               /* listeners are not asked, for there are too many connections */
    int64_t now_us;
    uint32_t random;
};

/* Has epoll tell of these events only. */
void watcher_ask(struct fault_proxy *proxy, struct watcher *watcher, uint32_t events);
/* Closes it, also where it is closed. */
void watcher_close(struct fault_proxy *proxy, struct watcher *watcher);
/* A number by chance. */
uint32_t fault_proxy_random(struct fault_proxy *proxy);

/* A connection that was accepted on a link; takes the socket over. */
void connection_open(struct fault_proxy *proxy, struct link *link, int client);
/* Carries what can be carried now, and asks epoll for what it waits for. */
void connection_pump(struct fault_proxy *proxy, struct connection *connection);
/* When connection_pump() has something to do by time alone; INT64_MAX: never. */
int64_t connection_next_us(const struct connection *connection);
/* Ends both sides, by resets where asked. */
void connection_close(struct fault_proxy *proxy, struct connection *connection, bool reset);
/* Frees those that are over. */
void connection_bury(struct fault_proxy *proxy);

/* Has the links listen, or not while there are too many connections. */
void link_listen_all(struct fault_proxy *proxy);
/* Removes a link, and resets its connections. */
void link_remove(struct fault_proxy *proxy, struct link *link);
/* Frees those that were removed. */
void link_bury(struct fault_proxy *proxy);

#endif
