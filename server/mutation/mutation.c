/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/mutation.h"

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/mutation/compose.h"
#include "server/mutation/feed.h"
#include "server/mutation/refusal.h"
#include "server/mutation/trim.h"

static const char domain[] = "mutation";

/* When to try again after COMB_MUTATION_ATTEMPTS decisions that did not hold. */
#define CONTENTION_RETRY_MS 20

struct comb_mutations {
    struct comb_sql *sql;
    const struct comb_mutation_dialect *dialect;
    struct comb_mutations_hooks hooks;
};

enum comb_status comb_mutations_new(struct comb_sql *sql, struct comb_mutations **ret_mutations,
                                    struct comb_error *err)
{
    struct comb_mutations *mutations = comb_memory_zalloc(sizeof *mutations);
    if (!mutations)
        return comb_error_no_memory(err);
    mutations->sql = sql;
    mutations->dialect = comb_mutation_dialect_of(sql);
    *ret_mutations = mutations;
    return COMB_OK;
}

void comb_mutations_set_hooks(struct comb_mutations *mutations,
                              const struct comb_mutations_hooks *hooks)
{
    mutations->hooks = *hooks;
}

void comb_mutations_free(struct comb_mutations *mutations)
{
    comb_memory_free(mutations);
}

/* One mutation on its way. */
struct run {
    struct comb_mutations *mutations;
    struct comb_ctx *ctx;
    const struct comb_request_key *key;
    comb_mutation_decide decide;
    void *data;
    struct comb_outcome *ret_outcome;
    bool is_known; /* the request id has an outcome, or a refusal, from before */
};

static enum comb_status reused(struct comb_error *err)
{
    comb_error_set_subject(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_REQUEST_ID_REUSED,
                           "request_id",
                           "the request id has been used with another request; make a new one for "
                           "each new request");
    err->domain = domain;
    return COMB_INVALID_ARGUMENT;
}

/* The position of a write, which `row`'s column gives where the store itself does not. */
static struct comb_position position_of(const struct run *run, const struct comb_sql_result *result,
                                        const struct comb_sql_rows *row, size_t column)
{
    struct comb_position position = {comb_sql_incarnation(run->mutations->sql), result->after};
    if (position.sequence == 0)
        position.sequence = (uint64_t)comb_sql_at(row, 0, column)->integer;
    return position;
}

/* What is known of the request id, in a snapshot of its own. OK: *ret_found says whether there is
 * anything; where there is, outcome and position have been given. A failure with *ret_found: it was
 * refused before. */
static enum comb_status look_up(struct run *run, bool *ret_found, struct comb_error *err)
{
    const struct comb_uuid *principal = comb_request_principal(run->ctx);
    const struct comb_sql_value params[] = {
        comb_sql_uuid(principal),
        comb_sql_text(run->ctx->method),
        comb_sql_uuid(&run->key->id),
    };
    const struct comb_mutation_dialect *dialect = run->mutations->dialect;
    const struct comb_sql_statement statement = {dialect->request_look_up, params, 3, false};
    const struct comb_sql_request request = {dialect->request_look_up_kind, 0, &statement, 1};
    const struct comb_sql_result *result;
    enum comb_status status = comb_sql_run(run->mutations->sql, run->ctx, &request, &result, err);
    if (status != COMB_OK)
        return status;
    *ret_found = result->rows[0].n_rows > 0;
    if (!*ret_found)
        return COMB_OK;
    const struct comb_sql_value *row = comb_sql_at(&result->rows[0], 0, 0);
    if (!comb_str_equal(row[0].bytes, comb_str_of(run->key->hash, sizeof run->key->hash)))
        return reused(err);
    run->is_known = true;
    comb_ctx_reach(run->ctx, position_of(run, result, &result->rows[0], 2));
    if (comb_refusal_read(row[1].bytes, err))
        return err->status;
    *run->ret_outcome = (struct comb_outcome){.bytes = row[1].bytes, .replayed = true};
    run->ctx->replayed = true;
    return COMB_OK;
}

/* A failure of the way to the store, which says nothing of what the store would have said. */
static bool is_of_the_way(enum comb_status status)
{
    return status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED ||
           status == COMB_RESOURCE_EXHAUSTED;
}

/*
 * What is answered instead of a failure: the first outcome, where the request id has one. Where the
 * look-up itself fails, a failure of the way stays, and what may have happened stays ambiguous; any
 * other may be the echo of the request's own first execution, so nobody is told of it.
 */
static enum comb_status resolve(struct run *run, enum comb_status failure, bool *ret_replayed,
                                struct comb_error *err)
{
    struct comb_error look_up_err = {.status = COMB_OK};
    bool found = false;
    *ret_replayed = false;
    enum comb_status status = look_up(run, &found, &look_up_err);
    if (!found && (status == COMB_OK || is_of_the_way(failure)))
        return failure;
    if (!found) {
        *err = look_up_err;
        err->ambiguous = true;
        return status;
    }
    *ret_replayed = true;
    if (status != COMB_OK)
        *err = look_up_err;
    return status;
}

static enum comb_status contention(struct comb_error *err)
{
    comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                   "what the change rests on moved each time it was to be written; try again");
    err->domain = domain;
    err->retryable = true;
    err->retry_ms = CONTENTION_RETRY_MS;
    return COMB_ABORTED;
}

static void committed(struct run *run, const struct comb_plan *plan,
                      const struct comb_sql_result *result, size_t request)
{
    struct comb_mutations *mutations = run->mutations;
    struct comb_position position = position_of(run, result, &result->rows[request], 0);
    comb_ctx_reach(run->ctx, position);
    *run->ret_outcome = (struct comb_outcome){.bytes = plan->outcome};
    if (mutations->hooks.committed)
        mutations->hooks.committed(mutations->hooks.data, position);
}

/* How one attempt ended. */
enum attempt { ATTEMPT_ENDED, ATTEMPT_AGAIN };

/* After a write that failed, and whose request id has no outcome. */
static enum attempt judge(struct run *run, const struct comb_plan *plan,
                          const struct comb_composed *composed,
                          const struct comb_sql_result *result, enum comb_status *status,
                          struct comb_error *err)
{
    /* A guard did not hold, or what was decided on contradicted itself. */
    if (*status == COMB_ABORTED && (!result || result->guard_failed >= 0))
        return ATTEMPT_AGAIN;
    if (*status != COMB_ALREADY_EXISTS || !result)
        return ATTEMPT_ENDED;
    size_t failed = (size_t)result->constraint_failed;
    if (plan->on_constraint && failed >= composed->area &&
        failed < composed->area + plan->n_statements) {
        *status = plan->on_constraint(run->data, failed - composed->area, err);
        return ATTEMPT_ENDED;
    }
    /* Somebody took a name in between: what was decided on has moved, as where a guard fails. */
    return ATTEMPT_AGAIN;
}

static enum attempt attempt(struct run *run, int number, enum comb_status *status,
                            struct comb_error *err)
{
    struct comb_plan plan = {.attempt = number, .now_us = comb_clock_wall_us()};
    struct comb_composed composed = {.dialect = run->mutations->dialect};
    const struct comb_sql_result *result = NULL;
    bool replayed;
    *status = run->decide(run->data, run->ctx, &plan, err);
    if (*status == COMB_OK && plan.n_statements == 0 && plan.n_feed == 0) {
        /* Nothing to change, perhaps because it has been changed by this very request. */
        *run->ret_outcome = (struct comb_outcome){.bytes = plan.outcome};
        *status = look_up(run, &replayed, err);
        return ATTEMPT_ENDED;
    }
    if (*status == COMB_OK)
        *status = comb_compose(run->ctx, run->key, &plan, &composed, err);
    if (*status == COMB_OK) {
        const struct comb_sql_request request = {plan.kind, plan.lock, composed.statements,
                                                 composed.n};
        *status = comb_sql_run(run->mutations->sql, run->ctx, &request, &result, err);
        if (*status == COMB_OK) {
            committed(run, &plan, result, composed.request);
            return ATTEMPT_ENDED;
        }
    }
    *status = resolve(run, *status, &replayed, err);
    if (replayed)
        return ATTEMPT_ENDED;
    return judge(run, &plan, &composed, result, status, err);
}

/* Keeps the refusal of a request that was sent before. What an earlier attempt of it has done
 * meanwhile is answered instead; and where it cannot be kept, that is. */
static enum comb_status refuse(struct run *run, enum comb_status refusal, struct comb_error *err)
{
    char bytes[COMB_OUTCOME_MAX];
    const struct comb_plan plan = {
        .kind = COMB_SQL_WRITE,
        .statements = {{.text = "SELECT 1", .guard = true}},
        .n_statements = 1,
        .now_us = comb_clock_wall_us(),
        .is_refusal = true,
        .outcome = comb_refusal_pack(err, bytes),
    };
    struct comb_composed composed = {.dialect = run->mutations->dialect};
    const struct comb_sql_result *result = NULL;
    struct comb_error store_err = {.status = COMB_OK};
    bool is_known = false;
    enum comb_status status = comb_compose(run->ctx, run->key, &plan, &composed, &store_err);
    if (status == COMB_OK) {
        const struct comb_sql_request request = {plan.kind, plan.lock, composed.statements,
                                                 composed.n};
        status = comb_sql_run(run->mutations->sql, run->ctx, &request, &result, &store_err);
    }
    if (status == COMB_OK)
        return refusal;
    status = resolve(run, status, &is_known, &store_err);
    *err = store_err;
    return status;
}

enum comb_status comb_mutation_run(struct comb_mutations *mutations, struct comb_ctx *ctx,
                                   const struct comb_request_key *key, comb_mutation_decide decide,
                                   void *data, struct comb_outcome *ret_outcome,
                                   struct comb_error *err)
{
    struct comb_error unheard;
    struct comb_outcome outcome = {.replayed = false};
    struct run run = {mutations, ctx, key, decide, data, &outcome, false};
    enum comb_status status = COMB_OK;
    if (!err)
        err = &unheard;
    for (int i = 0; i < COMB_MUTATION_ATTEMPTS; i++) {
        if (i > 0 && mutations->hooks.refresh) {
            status = mutations->hooks.refresh(mutations->hooks.data, ctx, err);
            if (status != COMB_OK)
                return status;
        }
        if (attempt(&run, i, &status, err) == ATTEMPT_AGAIN)
            continue;
        if (ctx->repeated && !run.is_known && comb_refusal_is_final(status, err))
            status = refuse(&run, status, err);
        if (status == COMB_OK)
            *ret_outcome = outcome;
        return status;
    }
    return contention(err);
}

/* Nothing of ours changes: the id is written alone. */
static enum comb_status decide_nothing(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                       struct comb_error *err)
{
    (void)data;
    (void)ctx;
    (void)err;
    plan->kind = COMB_SQL_WRITE;
    plan->statements[plan->n_statements++] =
        (struct comb_sql_statement){.text = "SELECT 1", .guard = true};
    return COMB_OK;
}

enum comb_status comb_mutation_claim(struct comb_mutations *mutations, struct comb_ctx *ctx,
                                     const struct comb_request_key *key, struct comb_error *err)
{
    struct comb_outcome outcome;
    /* The change that follows decides anew who may make it. */
    bool replayed = ctx->replayed;
    enum comb_status status =
        comb_mutation_run(mutations, ctx, key, decide_nothing, NULL, &outcome, err);
    ctx->replayed = replayed;
    return status;
}

enum comb_status comb_mutations_trim(struct comb_mutations *mutations, struct comb_ctx *ctx,
                                     int64_t feed_keep_us, struct comb_error *err)
{
    enum comb_status status = comb_feed_trim(mutations->sql, ctx, feed_keep_us, err);
    return status == COMB_OK ? comb_requests_trim(mutations->sql, ctx, err) : status;
}
