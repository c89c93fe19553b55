/* SPDX-License-Identifier: Apache-2.0 */
/* What connections leave behind in the C library's heap when a crowd has gone. */
#ifndef GRPCC_SRC_ACCEPT_MEMORY_H
#define GRPCC_SRC_ACCEPT_MEMORY_H

/* Starts to give free memory back to the system, every few seconds, when there is much of it. Once
 * in a process; the thread stays. */
void grpcc_memory_give_back(void);

#endif
