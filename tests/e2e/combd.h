/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real combd as a child process of a test: started on ports of its own with a home below
 * $TEST_TMPDIR, killed, stopped, started again on the same home. Failures end the test by cmocka's
 * fail().
 */
#ifndef TESTS_E2E_COMBD_H
#define TESTS_E2E_COMBD_H

#include <sys/types.h>

#include "comb/client.h"
#include "tests/e2e/stores.h"

struct combd {
    char home[256];
    char address[64], admin_address[64]; /* "127.0.0.1:PORT" */
    char password[128];                  /* of admin */
    struct stores *stores;               /* clustered ones; NULL: embedded ones below home */
    pid_t pid;                           /* 0: not running */
};

/*
 * Makes a home of its own and starts. flags: more of combd's, NULL-terminated; NULL: none. Later
 * starts take the same ports again. With COMB_TEST_STORES=clustered in the environment, a new home
 * gets clustered stores of its own, unless combd->stores names some.
 */
void combd_start(struct combd *combd, const char *const *flags);
/* The same for a further replica on the stores of another, which must be clustered. */
void combd_start_beside(struct combd *combd, const struct combd *other, const char *const *flags);
/* SIGKILL, and waits. */
void combd_kill(struct combd *combd);
/* SIGTERM, waits; fails unless it exits with 0. */
void combd_stop(struct combd *combd);
/* Kills it where it runs. */
void combd_done(struct combd *combd);

/* A client of it alone, logged in as admin. */
struct comb_client *combd_client(const struct combd *combd);
/* A client logged in as login; makes the user with admin's help where he is missing. */
struct comb_client *combd_client_as(const struct combd *combd, const char *login);

#endif
