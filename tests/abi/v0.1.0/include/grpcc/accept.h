/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A door keeper for programs that listen: link //gen/runtime:accept into the program, nothing need
 * be called.
 *
 * It takes the place of accept4(2) in the whole process, because gRPC core 1.51 closes a listener
 * for good when accept4 fails for want of descriptors (CVE-2023-4785). With it, connections that
 * find no descriptor are closed at once, and so are those above
 * grpcc_server_options.connections_max; the listener lives.
 */
#ifndef GRPCC_ACCEPT_H
#define GRPCC_ACCEPT_H

#ifdef __cplusplus
extern "C" {
#endif

/* The largest number of open connections that this process has accepted; 0: no limit. The server
 * calls it. Any thread. */
void grpcc_accept_set_max(unsigned connections_max);
/* How many are open. Looks at every one of them: for statistics. Any thread. */
unsigned grpcc_accept_connections(void);

#ifdef __cplusplus
}
#endif

#endif
