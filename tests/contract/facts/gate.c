/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/facts/gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/backend/sql/sql_driver.h"
#include "tests/support/cmocka.h"

#define KINDS (COMB_SQL_HEARTBEAT + 1)
#define HELD_MAX 64

/* A request under way, then its answer. */
struct held {
    struct gate *gate;
    enum comb_sql_kind kind;
    comb_sql_done done;
    void *data;
    enum comb_status status;
    struct comb_error err;
    const struct comb_sql_result *result; /* NULL: none */
    struct grpcc_arena *arena;            /* of the result, unless done takes it */
};

struct gate {
    struct comb_sql base;
    struct comb_sql *inner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        bool closed;
        enum comb_status refuse;
        size_t passed, n_held;
        struct held *held[HELD_MAX];
    } kinds[KINDS];
};

static void deliver(struct held *held)
{
    held->done(held->data, held->status, held->result, &held->err);
    grpcc_arena_free(held->arena);
    free(held);
}

static void answered(void *data, enum comb_status status, const struct comb_sql_result *result,
                     const struct comb_error *err)
{
    struct held *held = data;
    struct gate *gate = held->gate;
    held->status = status;
    if (err != NULL) {
        held->err = *err;
    }
    if (result != NULL) { /* as if it had arrived later: done may take it from here */
        held->arena = comb_sql_result_take(result);
        ((struct comb_sql_reply *)(uintptr_t)result)->arena = &held->arena;
        held->result = result;
    }
    pthread_mutex_lock(&gate->lock);
    bool hold = gate->kinds[held->kind].closed;
    if (hold) {
        assert_true(gate->kinds[held->kind].n_held < HELD_MAX);
        gate->kinds[held->kind].held[gate->kinds[held->kind].n_held++] = held;
        pthread_cond_broadcast(&gate->changed);
    }
    pthread_mutex_unlock(&gate->lock);
    if (!hold) {
        deliver(held);
    }
}

static void gate_submit(struct comb_sql *self, const struct comb_ctx *ctx,
                        const struct comb_sql_request *request, comb_sql_done done, void *data)
{
    struct gate *gate = (struct gate *)self;
    pthread_mutex_lock(&gate->lock);
    enum comb_status refuse = gate->kinds[request->kind].refuse;
    gate->kinds[request->kind].passed += refuse == COMB_OK;
    pthread_mutex_unlock(&gate->lock);
    if (refuse != COMB_OK) {
        struct comb_error err;
        comb_error_set(&err, refuse, 0, "the gate refuses");
        done(data, refuse, NULL, &err);
        return;
    }
    struct held *held = calloc(1, sizeof *held);
    assert_non_null(held);
    held->gate = gate;
    held->kind = request->kind;
    held->done = done;
    held->data = data;
    comb_sql_submit(gate->inner, ctx, request, answered, held);
}

static void gate_info(struct comb_sql *self, struct comb_sql_info *ret_info)
{
    comb_sql_get_info(((struct gate *)self)->inner, ret_info);
}

static const struct comb_sql_driver gate_driver = {
    .name = "gate", .submit = gate_submit, .info = gate_info};

struct gate *gate_new(struct comb_sql *inner)
{
    struct gate *gate = calloc(1, sizeof *gate);
    assert_non_null(gate);
    gate->base.driver = &gate_driver;
    gate->inner = inner;
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
    return gate;
}

struct comb_sql *gate_sql(struct gate *gate)
{
    return &gate->base;
}

void gate_free(struct gate *gate)
{
    pthread_mutex_destroy(&gate->lock);
    pthread_cond_destroy(&gate->changed);
    free(gate);
}

void gate_close(struct gate *gate, enum comb_sql_kind kind)
{
    pthread_mutex_lock(&gate->lock);
    gate->kinds[kind].closed = true;
    pthread_mutex_unlock(&gate->lock);
}

void gate_await(struct gate *gate, enum comb_sql_kind kind, size_t n)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->kinds[kind].n_held < n) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_open(struct gate *gate, enum comb_sql_kind kind)
{
    struct held *held[HELD_MAX];
    pthread_mutex_lock(&gate->lock);
    size_t n = gate->kinds[kind].n_held;
    memcpy(held, gate->kinds[kind].held, n * sizeof *held);
    gate->kinds[kind].closed = false;
    gate->kinds[kind].n_held = 0;
    pthread_mutex_unlock(&gate->lock);
    for (size_t i = 0; i < n; i++) {
        deliver(held[i]);
    }
}

void gate_refuse(struct gate *gate, enum comb_sql_kind kind, enum comb_status status)
{
    pthread_mutex_lock(&gate->lock);
    gate->kinds[kind].refuse = status;
    pthread_mutex_unlock(&gate->lock);
}

size_t gate_passed(struct gate *gate, enum comb_sql_kind kind)
{
    pthread_mutex_lock(&gate->lock);
    size_t passed = gate->kinds[kind].passed;
    pthread_mutex_unlock(&gate->lock);
    return passed;
}
