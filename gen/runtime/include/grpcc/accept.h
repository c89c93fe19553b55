/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A door keeper for programs that listen: link //gen/runtime:accept into the program, nothing need
 * be called.
 *
 * It takes the place of accept4(2) in the whole process, because gRPC core 1.51 closes a listener
 * for good when accept4 fails for want of descriptors (CVE-2023-4785). With it, connections that
 * find no descriptor are closed at once, and so are those above
 * grpcc_server_options.connections_max and .connections_per_peer_max; the listener lives. It also
 * lets the server hang up on a connection, which core offers no way to do.
 */
#ifndef GRPCC_ACCEPT_H
#define GRPCC_ACCEPT_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest number of open connections that this process has accepted; 0: no limit. Raises the
 * process's own limit of descriptors (RLIMIT_NOFILE) to hold them, as far as it may. The server
 * calls it. Any thread. */
void grpcc_accept_set_max(unsigned connections_max);
/* The same for those from one IPv4 address, one /64 network of IPv6, or all of this machine's Unix
 * sockets. */
void grpcc_accept_set_per_peer_max(unsigned connections_max);
/* How many are open. Looks at every one of them: for statistics. Any thread. */
unsigned grpcc_accept_connections(void);
/* Ends the connection from peer, which is named as grpcc_call_peer() names it; its calls are
 * cancelled. False: there is none, or it came through a Unix socket. Any thread. */
bool grpcc_accept_hang_up(const char *peer);

#ifdef __cplusplus
}
#endif

#endif
