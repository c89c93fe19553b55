/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the place of recvmsg(2) for accepted connections, so that a client that never stops sending
 * is read in turns.
 *
 * Core 1.51 reads a connection for as long as there is something to read, and does nothing else for
 * it meanwhile: 100,000 streams that are opened and reset in one go (CVE-2023-44487) are 100,000
 * calls in memory, 2 GiB, before the first is dropped. Told from time to time that there is nothing
 * more, core waits for the descriptor to become readable, which a poller looks at when it has no
 * other work left: who sends faster than calls are worked off is read more slowly.
 */
#ifndef GRPCC_SRC_ACCEPT_READ_H
#define GRPCC_SRC_ACCEPT_READ_H

/* From now on fd, which is new, is read in turns. Any thread. */
void grpcc_read_in_turns(int fd);

/* A call has begun; the server says so, by a weak reference. Any thread. */
void grpcc_accept_note_call(void);

#endif
