/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that go on calling combd while a store of its is broken and mended: what each was
 * answered, and whether what was acknowledged is there in the end. One thread a load, one attempt a
 * call, so that what the SDK would repeat is seen.
 */
#ifndef TESTS_FAULT_STORE_LOAD_H
#define TESTS_FAULT_STORE_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/e2e/combd.h"

/* Of each call. The server has to answer before: the client's own end of it is another status. */
#define STORE_LOAD_TIMEOUT_MS 10000
/* Calls of one load. */
#define STORE_LOAD_CALLS_MAX 100000

struct store_load;

/* What one load does, again and again. Both get the call's number. */
struct store_load_kind {
    const char *name; /* for people: "create a folder" */
    enum grpcc_status (*call)(struct store_load *load, struct grpcc_arena *arena, unsigned number,
                              struct grpcc_error *err);
    /* Whether what was acknowledged is there, as it was written; NULL: it leaves nothing. */
    enum grpcc_status (*verify)(struct store_load *load, struct grpcc_arena *arena, unsigned number,
                                struct grpcc_error *err);
    /* Calls write over and over into so many places, call N into place N % slots: verified is the
     * last that was acknowledged of each. 0: each call has its own place. */
    unsigned slots;
};

/* Rows of the table, by number. */
enum store_load_number {
    STORE_LOAD_STAT,
    STORE_LOAD_CREATE,
    STORE_LOAD_PUT,
    STORE_LOAD_LOGIN,
    STORE_LOAD_CONFIG,
    STORE_LOAD_VAULT,
    STORE_LOAD_REGISTER,
    STORE_LOAD_PUBLISH,
    STORE_LOADS
};
extern const struct store_load_kind store_load_kinds[STORE_LOADS];

struct store_load {
    const struct store_load_kind *kind;
    struct comb_client *client;
    pthread_t thread;
    atomic_bool stop;
    struct store_load_call {
        int64_t begin_ns, end_ns;
        enum grpcc_status status;
    } * calls;
    atomic_uint n;
    /* The first failure of each status, for people. */
    char messages[GRPCC_UNAUTHENTICATED + 1][GRPCC_STATUS_MESSAGE_MAX + 1];
};

/* Makes what the loads of one combd call for. Once. */
void store_load_prepare(const struct combd *combd);

void store_load_start(struct store_load *load, enum store_load_number number,
                      const struct combd *combd);
/* Blocks until a call that began at since_ns or later has succeeded; fails the test after a minute.
 * Gives the nanoseconds from then to that call's end. */
int64_t store_load_await_success(struct store_load *load, int64_t since_ns);
/* Makes no further call, and waits for the last one. */
void store_load_stop(struct store_load *load);
/* Asks a stopped one for all that was acknowledged: *ret_lost is how much of it is not there. */
void store_load_verify(struct store_load *load, unsigned *ret_acknowledged, unsigned *ret_lost);
void store_load_free(struct store_load *load);

/* The number of the newest call before `number` into its place that was acknowledged; -1: none. */
int64_t store_load_last_acknowledged(const struct store_load *load, unsigned number);
/* DATA_LOSS, for an answer that must never be given. */
enum grpcc_status store_load_wrong(struct grpcc_error *err, const char *what, int64_t number);

#endif
