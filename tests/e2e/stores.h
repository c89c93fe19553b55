/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real servers of all clustered stores, run for a test by bazel/stores below $TEST_TMPDIR;
 * killed, frozen, started again one by one. Failures end the test by cmocka's fail(). The test's
 * `data` is //bazel:stores_run; what a failing test leaves running, its sandbox ends.
 */
#ifndef TESTS_E2E_STORES_H
#define TESTS_E2E_STORES_H

#include <stddef.h>

#define STORES_FLAGS_MAX 32

struct stores {
    char folder[256];
    char line[8192];                         /* what bazel/stores printed, cut into flags */
    const char *flags[STORES_FLAGS_MAX + 1]; /* for combd; NULL-terminated */
    size_t n_flags;
};

/* Makes a folder of its own at first, and starts all that do not run; they answer when this
 * returns. Ports and data stay from one start to the next. */
void stores_start(struct stores *stores);
/* Ends all; the data stays. */
void stores_stop(struct stores *stores);

/* name: as bazel/stores calls it, "redis". SIGKILL for the server and its children, and waits. */
void stores_kill(const struct stores *stores, const char *name);
/* SIGSTOP for the server and its children, and SIGCONT. */
void stores_freeze(const struct stores *stores, const char *name);
void stores_thaw(const struct stores *stores, const char *name);

#endif
