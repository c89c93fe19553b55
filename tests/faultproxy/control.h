/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of the fault proxy. */
#ifndef TESTS_FAULTPROXY_CONTROL_H
#define TESTS_FAULTPROXY_CONTROL_H

#include <stdio.h>

#include "tests/faultproxy/proxy.h"

/* Longest line of a command, its end included. */
enum { CONTROL_LINE_MAX = 1024 };

/* Does what a line says, which it cuts into words, and writes the answer: lines, the last of them
 * "ok" or "error: WHY". */
void control_run(struct fault_proxy *proxy, char *line, FILE *answer);
/* Sends a command to the proxy at the Unix socket `path` and prints its answer, but for "ok".
 * Returns 0, 1 where it answers an error, 2 where it does not answer. */
int control_send(const char *path, int n_words, char **words);

#endif
