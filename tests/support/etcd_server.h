/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real etcd on loopback ports of its own, of one member or three. Kill, freeze and thaw a member
 * by its process (store_process.h), and start it again by etcd_server_restart(). Debian's, or the
 * one that the variable COMB_TEST_ETCD names (tests/support/etcd.bzl).
 */
#ifndef TESTS_SUPPORT_ETCD_SERVER_H
#define TESTS_SUPPORT_ETCD_SERVER_H

#include <stddef.h>

#include "tests/support/store_process.h"

enum { ETCD_MEMBERS_MAX = 3 };

struct etcd_member {
    struct store_process process;
    int port, peer_port;
};

struct etcd_server {
    struct etcd_member members[ETCD_MEMBERS_MAX];
    size_t n_members;
    const char *const *flags; /* more of etcd's flags for all members, NULL at the end; or NULL */
};

/* Starts n members (1 or 3); they have a leader when this returns. server->flags may be set
 * before, all else is overwritten. */
void etcd_server_start(struct etcd_server *server, size_t n);
/* Starts a member that was killed, on its data and port, and waits until it answers. */
void etcd_server_restart(struct etcd_server *server, size_t member);
/* Starts it without its data, as another cluster on the same port; of one member only. */
void etcd_server_replace(struct etcd_server *server);
/* The member that leads at the moment. */
size_t etcd_server_leader(const struct etcd_server *server);
/* A call of etcd's JSON gateway on the first member, which has to succeed:
 * ("/v3/auth/enable", "{}"). */
void etcd_server_post(const struct etcd_server *server, const char *path, const char *json);
/* Ends all that run. */
void etcd_server_done(struct etcd_server *server);

/* "etcd://127.0.0.1:P,127.0.0.1:P/PREFIX"; the caller frees it. */
char *etcd_server_url(const struct etcd_server *server, const char *prefix);

#endif
