/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections that accept.c has let in, by descriptor and by the address that they came from.
 *
 * Nothing tells this file that a connection was closed: it keeps the inode of each socket, and
 * looks, when it must know, whether the descriptor is still that socket. One thread at a time: the
 * caller holds a lock.
 */
#ifndef GRPCC_SRC_ACCEPT_TABLE_H
#define GRPCC_SRC_ACCEPT_TABLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Who is at the other end. IPv4 as ::ffff:a.b.c.d; all zero for a Unix socket. */
struct grpcc_remote {
    struct in6_addr address;
    in_port_t port; /* network order */
};

struct grpcc_accepted {
    ino_t inode; /* 0: no connection that was let in */
    struct grpcc_remote remote;
    int next; /* descriptor with the same hash of its network, -1: none */
};

struct grpcc_accept_table {
    struct grpcc_accepted *by_descriptor;
    int *by_network; /* first descriptor with that hash, -1: none; as many as by_descriptor */
    size_t n;        /* of both; a power of two */
    unsigned open;
};

/* From what accept4 or getpeername gave. */
void grpcc_remote_from(struct grpcc_remote *remote, const struct sockaddr *address);
/* From core's name of a peer, "ipv4:192.0.2.7:4711"; false: of another kind. */
bool grpcc_remote_parse(struct grpcc_remote *remote, const char *peer);

/* False: no memory, and the connection is not in the table. */
bool grpcc_accept_table_add(struct grpcc_accept_table *table, int fd,
                            const struct grpcc_remote *remote);
void grpcc_accept_table_remove(struct grpcc_accept_table *table, int fd);
/* Forgets the connections that have been closed. */
void grpcc_accept_table_sweep(struct grpcc_accept_table *table);
/* How many come from the network of remote: its IPv4 address, its /64 of IPv6, or this machine's
 * Unix sockets. Counts to limit + 1 at most. */
unsigned grpcc_accept_table_count(const struct grpcc_accept_table *table,
                                  const struct grpcc_remote *remote, unsigned limit);
/* A descriptor of the caller's own for the connection from exactly there; -1: there is none. */
int grpcc_accept_table_dup(const struct grpcc_accept_table *table,
                           const struct grpcc_remote *remote);

#endif
