/* SPDX-License-Identifier: Apache-2.0 */
/* A server of grpcc.testing.Echo and a channel to it, in one process. */
#ifndef GRPCC_TESTING_FIXTURE_H
#define GRPCC_TESTING_FIXTURE_H

#include <grpcc/channel.h>
#include <grpcc/log.h>
#include <grpcc/server.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "grpcc/testing.grpcc.h"

/* A point that one thread reaches and others wait for. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned passed;
};
void gate_init(struct gate *gate);
void gate_done(struct gate *gate);
void gate_open(struct gate *gate);
unsigned gate_count(struct gate *gate);
/* Waits until it was opened at least n times. */
void gate_wait(struct gate *gate, unsigned n);

struct fixture {
    struct grpcc_server *server;
    struct grpcc_channel *channel;
    struct grpcc_arena *arena;
    struct grpcc_error err;
    struct gate entered; /* opened by handlers of the tests' own */
    struct gate leave;
    atomic_uint logged;  /* warnings and errors of the runtime */
    const char *awaited; /* see fixture_await_log */
    atomic_bool heard;
    void *data; /* the test's own */
};

/* The Echo that answers as its requests say. */
extern const struct grpcc_testing_echo_server echo_table;

/* cmocka's setup and teardown: a server of echo_table over a socket pair. */
int fixture_echo(void **state);
int fixture_free(void **state);

/* By steps, where a test needs another table or other options. NULL options: the defaults. self is
 * the fixture. */
struct fixture *fixture_new(const struct grpcc_server_options *options,
                            const struct grpcc_testing_echo_server *table);
/* Modes and limits of one method; before fixture_start. */
void fixture_configure(struct fixture *f, const char *path, struct grpcc_method_config config);
void fixture_start(struct fixture *f);
/* The same with options for the channel; NULL: the defaults. */
void fixture_start_with(struct fixture *f, const struct grpcc_channel_options *options);
/* One more channel, over a socket pair of its own. */
struct grpcc_channel *fixture_connect(struct fixture *f);

/* From now on f->heard says whether a warning or an error with these words in it was logged. */
void fixture_await_log(struct fixture *f, const char *words);

/* A request of that text, in the fixture's arena. */
struct grpcc_testing_ask *ask(struct fixture *f, const char *text);
/* Unary call that must end with that status. NULL: it was not OK. */
struct grpcc_testing_answer *must_end(struct fixture *f, enum grpcc_status expected,
                                      const struct grpcc_testing_ask *request,
                                      const struct grpcc_call_options *options);

#endif
