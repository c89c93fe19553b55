/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_ABSEIL_H
#define GRPCC_SRC_ABSEIL_H

/*
 * Core's locks are abseil's. Debian builds abseil without NDEBUG: each lock is then entered into a
 * graph in which deadlocks are looked for, a tenth of the instructions of a small call. Ends that,
 * for the process.
 */
void grpcc_abseil_trust_locks(void);

#endif
