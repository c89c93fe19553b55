/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/accept_table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLE_FIRST = 256 };

static ino_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/* ---- addresses ---- */

static void remote_from_v4(struct grpcc_remote *remote, const struct in_addr *address)
{
    memset(&remote->address, 0, sizeof(remote->address));
    memset(remote->address.s6_addr + 10, 0xff, 2);
    memcpy(remote->address.s6_addr + 12, address, sizeof(*address));
}

void grpcc_remote_from(struct grpcc_remote *remote, const struct sockaddr *address)
{
    memset(remote, 0, sizeof(*remote));
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        remote_from_v4(remote, &v4.sin_addr);
        remote->port = v4.sin_port;
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        remote->address = v6.sin6_addr;
        remote->port = v6.sin6_port;
    }
}

/* "192.0.2.7:4711", or "%5B2001:db8::1%5D:4711": core escapes the brackets. A zone (%25eth0) goes
 * with what follows it, as the table has none. */
bool grpcc_remote_parse(struct grpcc_remote *remote, const char *peer)
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    unsigned port = 0;
    memset(remote, 0, sizeof(*remote));
    if (sscanf(peer, "ipv4:%45[0-9.]:%u", host, &port) == 2) {
        if (inet_pton(AF_INET, host, &v4) != 1)
            return false;
        remote_from_v4(remote, &v4);
    } else if (sscanf(peer, "ipv6:%%5B%45[0-9a-fA-F:.]", host) == 1) {
        const char *end = strrchr(peer, ':');
        if (inet_pton(AF_INET6, host, &remote->address) != 1 || sscanf(end, ":%u", &port) != 1)
            return false;
    } else {
        return false;
    }
    remote->port = htons((uint16_t)port);
    return port <= UINT16_MAX;
}

/* The part of an address that one person is taken to have. */
static size_t network_length(const struct grpcc_remote *remote)
{
    static const struct in6_addr unix_socket;
    bool whole = IN6_IS_ADDR_V4MAPPED(&remote->address) ||
                 memcmp(&remote->address, &unix_socket, sizeof(unix_socket)) == 0;
    return whole ? sizeof(remote->address) : 8;
}

static bool same_network(const struct grpcc_remote *a, const struct grpcc_remote *b)
{
    size_t length = network_length(a);
    return length == network_length(b) && memcmp(&a->address, &b->address, length) == 0;
}

/* FNV-1a. Who can choose many networks gains little by collisions: a chain costs what it costs to
 * count one network of that many connections. */
static size_t network_hash(const struct grpcc_remote *remote, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325;
    size_t length = network_length(remote);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ remote->address.s6_addr[i]) * 0x100000001b3;
    return (size_t)(hash ^ hash >> 32) & (n - 1);
}

/* ---- the table ---- */

static void link_in(struct grpcc_accept_table *table, int fd)
{
    struct grpcc_accepted *accepted = &table->by_descriptor[fd];
    int *first = &table->by_network[network_hash(&accepted->remote, table->n)];
    accepted->next = *first;
    *first = fd;
}

void grpcc_accept_table_remove(struct grpcc_accept_table *table, int fd)
{
    struct grpcc_accepted *accepted = &table->by_descriptor[fd];
    if (!accepted->inode)
        return;
    int *link = &table->by_network[network_hash(&accepted->remote, table->n)];
    while (*link != fd)
        link = &table->by_descriptor[*link].next;
    *link = accepted->next;
    accepted->inode = 0;
    table->open--;
}

static bool make_room(struct grpcc_accept_table *table, size_t fd)
{
    size_t n = table->n ? table->n : TABLE_FIRST;
    if (fd < table->n)
        return true;
    while (n <= fd)
        n *= 2;
    struct grpcc_accepted *accepted = calloc(n, sizeof(*accepted));
    int *by_network = malloc(n * sizeof(*by_network));
    if (!accepted || !by_network) {
        free(accepted);
        free(by_network);
        return false;
    }
    if (table->n)
        memcpy(accepted, table->by_descriptor, table->n * sizeof(*accepted));
    for (size_t i = 0; i < n; i++)
        by_network[i] = -1;
    free(table->by_descriptor);
    free(table->by_network);
    size_t known = table->n;
    table->by_descriptor = accepted;
    table->by_network = by_network;
    table->n = n;
    for (size_t i = 0; i < known; i++)
        if (accepted[i].inode)
            link_in(table, (int)i);
    return true;
}

bool grpcc_accept_table_add(struct grpcc_accept_table *table, int fd,
                            const struct grpcc_remote *remote)
{
    if (!make_room(table, (size_t)fd))
        return false;
    grpcc_accept_table_remove(table, fd);
    table->by_descriptor[fd].inode = inode_of(fd);
    table->by_descriptor[fd].remote = *remote;
    table->open++;
    link_in(table, fd);
    return true;
}

void grpcc_accept_table_sweep(struct grpcc_accept_table *table)
{
    for (size_t fd = 0; fd < table->n; fd++)
        if (table->by_descriptor[fd].inode && inode_of((int)fd) != table->by_descriptor[fd].inode)
            grpcc_accept_table_remove(table, (int)fd);
}

unsigned grpcc_accept_table_count(const struct grpcc_accept_table *table,
                                  const struct grpcc_remote *remote, unsigned limit)
{
    unsigned count = 0;
    if (!table->n)
        return 0;
    for (int fd = table->by_network[network_hash(remote, table->n)]; fd >= 0 && count <= limit;
         fd = table->by_descriptor[fd].next)
        count += same_network(&table->by_descriptor[fd].remote, remote);
    return count;
}

/* The copy is looked at, not the descriptor: between a look and a use core may close that one, and
 * another file may get its number. */
int grpcc_accept_table_dup(const struct grpcc_accept_table *table,
                           const struct grpcc_remote *remote)
{
    int fd = table->n ? table->by_network[network_hash(remote, table->n)] : -1;
    for (; fd >= 0; fd = table->by_descriptor[fd].next) {
        const struct grpcc_accepted *accepted = &table->by_descriptor[fd];
        if (accepted->remote.port != remote->port ||
            memcmp(&accepted->remote.address, &remote->address, sizeof(remote->address)) != 0)
            continue;
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0 && inode_of(copy) == accepted->inode)
            return copy;
        if (copy >= 0)
            close(copy);
    }
    return -1;
}
