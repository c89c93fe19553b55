/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real server of a store, run by a test on loopback with its data below $TEST_TMPDIR: spawned,
 * killed, frozen, spawned again. Failures end the test by cmocka's fail().
 */
#ifndef TESTS_SUPPORT_STORE_PROCESS_H
#define TESTS_SUPPORT_STORE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct store_process {
    char *folder; /* for data and "log"; made by store_process_init() */
    pid_t pid;    /* 0: not running */
};

void store_process_init(struct store_process *process);
/* Starts argv[0] (an absolute path) with its output appended to FOLDER/log. What a failing test
 * leaves running, its sandbox ends. */
void store_process_spawn(struct store_process *process, const char *const *argv);
/* Runs a program to its end; its exit status has to be 0. */
void store_process_run(const struct store_process *process, const char *const *argv);
/* Asks is_ready(data) every 20 ms, for a minute at most; fails where the process ends before. */
void store_process_await(struct store_process *process, bool (*is_ready)(void *data), void *data);
/* The same, until it accepts connections on 127.0.0.1:port. */
void store_process_await_port(struct store_process *process, int port);
/* SIGKILL for it and its children, and waits. */
void store_process_kill(struct store_process *process);
/* SIGSTOP for it and its children, and SIGCONT. */
void store_process_freeze(struct store_process *process);
void store_process_thaw(struct store_process *process);
/* Ends it by the signal where it runs, and frees the folder's name; the folder stays. */
void store_process_done(struct store_process *process, int signal);

/* A port of 127.0.0.1, from 10000 to 19999, that nobody has. */
int test_free_port(void);

#endif
