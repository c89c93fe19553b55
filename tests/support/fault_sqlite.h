/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's two seams, allocations and files, with faults. Install once, before SQLite is used.
 */
#ifndef COMB_TESTS_SUPPORT_FAULT_SQLITE_H
#define COMB_TESTS_SUPPORT_FAULT_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

/* SQLite's allocations count as those of test_fault_install() do. */
void test_fault_sqlite_memory_install(void);

/* Writes, cuts and syncs of files are counted; the n-th from now on (1: the next) and all that
 * follow fail until disarmed: a disk that has gone bad, or is full. */
void test_fault_vfs_install(void);
enum test_vfs_fault { TEST_VFS_IOERR, TEST_VFS_FULL };
void test_fault_vfs_arm(enum test_vfs_fault fault, long n);
/* Whether any operation has failed since it was armed. */
bool test_fault_vfs_disarm(void);
/* How often a file has been synced. */
uint64_t test_fault_vfs_syncs(void);

#endif
