/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do at most: the roofs that calls are held against. */
#ifndef TESTS_BENCH_ROOFS_H
#define TESTS_BENCH_ROOFS_H

/* Bytes a second of one core. */
double roof_sha256(void);
double roof_memcpy(void);
/* Appends of 4 KiB with fdatasync a second, in folder. */
double roof_fsync(const char *folder);

#endif
