/* SPDX-License-Identifier: Apache-2.0 */
/* What every echo server does besides serving: says where it listens, and serves until SIGTERM. */
#ifndef TESTS_BENCH_READY_H
#define TESTS_BENCH_READY_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The ready file that `--ready-file FILE` names; exits the program with 2 where there is none.
 * Blocks SIGTERM: first in main, before a thread is made. */
const char *ready_begin(int argc, char **argv);
/* Whether a flag of this name stands after the ready file. */
bool ready_has_flag(int argc, char **argv, const char *flag);
/* Writes the file, whole, and waits for SIGTERM; false: it could not be written. */
bool ready_serve(const char *path, int port);

#ifdef __cplusplus
}
#endif

#endif
