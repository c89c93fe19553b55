/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/operations/counting.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"

static int number_of(comb_str text)
{
    char copy[16];
    snprintf(copy, sizeof copy, "%.*s", COMB_STR_ARG(text));
    return (int)strtol(copy, NULL, 10);
}

void counting_init(struct counting *counting)
{
    *counting =
        (struct counting){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
}

static void stand_still_locked(struct counting *counting, const struct comb_operation_run *run)
{
    counting->n_standing++;
    pthread_cond_broadcast(&counting->changed);
    while (!counting->go_on)
        pthread_cond_wait(&counting->changed, &counting->lock);
    counting->n_standing--;
    if (counting->advance_ns)
        comb_clock_advance_ns(counting->advance_ns);
    counting->advance_ns = 0;
    counting->may_go_on = comb_operation_may_go_on(run);
}

static enum comb_status step(void *data, struct comb_ctx *ctx, struct comb_operation_step *step,
                             struct comb_error *err)
{
    struct counting *counting = data;
    int total = number_of(step->arguments), done = number_of(step->state) + 1;
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&counting->lock);
    if (done == counting->stop_at)
        stand_still_locked(counting, step->run);
    if (done == counting->fail_at && counting->fail_times > 0) {
        counting->fail_times--;
        status = comb_error_set(err, counting->failure, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                "step %d is not to be", done);
    } else {
        counting->steps++;
    }
    pthread_mutex_unlock(&counting->lock);
    if (status != COMB_OK)
        return status;
    step->progress = (struct comb_operation_progress){
        .done = (uint64_t)done, .total = (uint64_t)total, .unit = STR("numbers")};
    step->next_state = comb_str_from(grpcc_arena_printf(ctx->arena, "%d", done));
    step->is_last = done == total;
    if (step->is_last)
        step->result = step->next_state;
    return COMB_OK;
}

struct comb_operation_kind counting_kind(struct counting *counting)
{
    return (struct comb_operation_kind){
        .name = COUNTING, .is_startable = true, .step = step, .data = counting};
}

void counting_await_standing(struct counting *counting, int n)
{
    pthread_mutex_lock(&counting->lock);
    while (counting->n_standing < n)
        pthread_cond_wait(&counting->changed, &counting->lock);
    pthread_mutex_unlock(&counting->lock);
}

void counting_go_on(struct counting *counting)
{
    pthread_mutex_lock(&counting->lock);
    counting->go_on = true;
    pthread_cond_broadcast(&counting->changed);
    pthread_mutex_unlock(&counting->lock);
}

struct comb_operation_engine *counting_engine(struct comb_operations_store *store,
                                              struct counting *counting, uint32_t lease_ms)
{
    const struct comb_operation_engine_options options = {
        .store = store, .lease_ms = lease_ms, .poll_ms = 100};
    const struct comb_operation_kind kind = counting_kind(counting);
    struct comb_operation_engine *engine = NULL;
    struct comb_error err;
    must_ok(comb_operation_engine_new(&options, &engine, &err), &err);
    must_ok(comb_operation_engine_add(engine, &kind, &err), &err);
    must_ok(comb_operation_engine_start(engine, &err), &err);
    return engine;
}

struct comb_uuid counting_make(struct comb_sql *sql, struct comb_operations_store *store, int n)
{
    struct test_ctx t;
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    const struct comb_sql_result *result;
    char arguments[16];
    test_ctx_init(&t);
    snprintf(arguments, sizeof arguments, "%d", n);
    const struct comb_operation_new new = {.id = comb_uuid_new(),
                                           .owner = t.principal.user,
                                           .kind = STR(COUNTING),
                                           .arguments = comb_str_from(arguments)};
    must_ok(store->driver->plan_insert(store, &t.ctx, &plan, &new, 1000, &t.err), &t.err);
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, plan.statements, plan.n_statements};
    must_ok(comb_sql_run(sql, &t.ctx, &request, &result, &t.err), &t.err);
    test_ctx_done(&t);
    return new.id;
}

struct comb_operation counting_get(struct comb_operations_store *store, struct test_ctx *t,
                                   const struct comb_uuid *id)
{
    struct comb_operation operation;
    test_ctx_next(t);
    must_ok(store->driver->get(store, &t->ctx, id, &operation, &t->err), &t->err);
    return operation;
}

struct comb_operation counting_await_end(struct comb_operations_store *store, struct test_ctx *t,
                                         const struct comb_uuid *id)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 60 * 50; i++) {
        struct comb_operation operation = counting_get(store, t, id);
        if (comb_operation_has_ended(operation.state))
            return operation;
        nanosleep(&pause, NULL);
    }
    fail_msg("an operation does not end");
    abort();
}
