/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy in front of PostgreSQL that counts round trips on the wire: what a session asks (a Sync
 * message) while no answer is on its way to it is one, however many statements stand before it, and
 * whatever is asked behind it before the answer has come.
 */
#ifndef TESTS_SUPPORT_POSTGRES_PROXY_H
#define TESTS_SUPPORT_POSTGRES_PROXY_H

#include <stdint.h>

struct postgres_proxy;

/* Listens on 127.0.0.1:*ret_port, for the server on server_port. Fails the test where it cannot. */
struct postgres_proxy *postgres_proxy_new(int server_port, int *ret_port);
/* Round trips so far, of all sessions but those of the caches' poll ("comb poll"). Any thread. */
uint64_t postgres_proxy_trips(const struct postgres_proxy *proxy);
/* Closes all sessions. */
void postgres_proxy_free(struct postgres_proxy *proxy);

#endif
