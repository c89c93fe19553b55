/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries TCP connections between parts of an installation and breaks them as it is told. Each link
 * is an address that it listens on and the address that it carries to. It is told over a Unix
 * socket, a command a line; README.md has the commands.
 *
 * Threads: one runs fault_proxy_run(); from others only fault_proxy_stop() may be called.
 */
#ifndef TESTS_FAULTPROXY_PROXY_H
#define TESTS_FAULTPROXY_PROXY_H

#include <stddef.h>

#include "tests/faultproxy/flow.h"

enum {
    FAULT_PROXY_LINKS_MAX = 512,
    FAULT_PROXY_CONNECTIONS_MAX = 4096, /* of all links; more wait to be accepted */
    FAULT_PROXY_NAME_MAX = 64,          /* bytes of a link's name */
};

/* From who connects to who is connected to, and back. */
enum fault_proxy_way { FAULT_PROXY_UP, FAULT_PROXY_DOWN, FAULT_PROXY_WAYS };

/* What is wrong with a link. All zero: nothing. */
struct fault_proxy_faults {
    struct flow_fault ways[FAULT_PROXY_WAYS];
    bool silent;    /* new connections are taken and reach nobody */
    bool keep_open; /* who ends a connection is not told on to the other side */
    bool refused;   /* new connections are reset */
};

struct fault_proxy;

/* Listens for commands on a Unix socket at `path`, which it makes. NULL: it cannot, and errno says
 * why. */
struct fault_proxy *fault_proxy_new(const char *path);
/* Until fault_proxy_stop(). */
void fault_proxy_run(struct fault_proxy *proxy);
/* Any thread, also a signal's handler; fault_proxy_run() returns soon. */
void fault_proxy_stop(struct fault_proxy *proxy);
/* Ends all connections and removes the socket. NULL is fine. */
void fault_proxy_free(struct fault_proxy *proxy);

/* ---- for the commands; on the thread of fault_proxy_run() ---- */

/* How a link fares. */
struct fault_proxy_view {
    const char *name, *listen, *target;
    const struct fault_proxy_faults *faults;
    size_t connections;               /* now */
    uint64_t bytes[FAULT_PROXY_WAYS]; /* carried so far */
};

/* Adds a link; `listen` and `target` are HOST:PORT in figures, port 0 a free one. *ret_listen is
 * where it listens. NULL, or what is wrong. */
const char *fault_proxy_add(struct fault_proxy *proxy, const char *name, const char *listen,
                            const char *target, const char **ret_listen);
/* Calls `each` for the links whose names match the pattern of fnmatch(); returns how many do. */
typedef void fault_proxy_each(void *data, const struct fault_proxy_view *view);
size_t fault_proxy_list(struct fault_proxy *proxy, const char *pattern, fault_proxy_each *each,
                        void *data);
/* Changes what is wrong with the links that match; returns how many do. */
typedef void fault_proxy_change(void *data, struct fault_proxy_faults *faults);
size_t fault_proxy_set(struct fault_proxy *proxy, const char *pattern, fault_proxy_change *change,
                       void *data);
/* Nothing is wrong any more, and what was kept goes on; returns how many match. */
size_t fault_proxy_heal(struct fault_proxy *proxy, const char *pattern);
/* Resets the connections of the links that match, on both sides; returns how many match. */
size_t fault_proxy_reset(struct fault_proxy *proxy, const char *pattern);
/* Removes the links that match, and resets their connections. */
size_t fault_proxy_remove(struct fault_proxy *proxy, const char *pattern);

#endif
