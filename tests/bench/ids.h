/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_IDS_H
#define TESTS_BENCH_IDS_H

#include "grpcc/arena.h"

/* A new request id (UUIDv7 text) in arena. */
char *new_request_id(struct grpcc_arena *arena);

#endif
