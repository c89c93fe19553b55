/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/operations.h"

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/operations/waits.h"

/* A wait ends so long before its call does. */
#define DEADLINE_MARGIN_MS 1000

struct comb_operations {
    struct comb_operations_parts parts;
    struct operation_waits *waits;
};

/* By this process: its own waits, and those of the other replicas. */
static void changed(void *data)
{
    const struct comb_operations *operations = data;
    operation_waits_wake(operations->waits);
    if (operations->parts.changed)
        operations->parts.changed(operations->parts.data);
}

void comb_operations_wake(struct comb_operations *operations)
{
    operation_waits_wake(operations->waits);
}

enum comb_status comb_operations_new(const struct comb_operations_parts *parts,
                                     struct comb_operations **ret_operations,
                                     struct comb_error *err)
{
    struct comb_operations *operations = comb_memory_zalloc(sizeof *operations);
    if (!operations)
        return comb_error_no_memory(err);
    operations->parts = *parts;
    enum comb_status status = operation_waits_new(parts->store, &operations->waits, err);
    if (status != COMB_OK) {
        comb_memory_free(operations);
        return status;
    }
    comb_operation_engine_listen(parts->engine, changed, operations);
    *ret_operations = operations;
    return COMB_OK;
}

enum comb_status comb_operations_start(struct comb_operations *operations, struct comb_error *err)
{
    return operation_waits_start(operations->waits, err);
}

void comb_operations_drain(struct comb_operations *operations)
{
    operation_waits_drain(operations->waits);
}

void comb_operations_free(struct comb_operations *operations)
{
    if (!operations)
        return;
    operation_waits_free(operations->waits);
    comb_memory_free(operations);
}

/* ---- reading ---- */

static enum comb_status not_found(struct comb_error *err)
{
    return comb_error_set_subject(err, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_OPERATION_NOT_FOUND,
                                  "operation_id", "there is no such operation");
}

static bool is_owner(const struct comb_ctx *ctx, const struct comb_operation *operation)
{
    return comb_uuid_equal(&operation->owner, &ctx->principal->user);
}

enum comb_status comb_operations_get(struct comb_operations *operations, struct comb_ctx *ctx,
                                     comb_str id, struct comb_operation *ret_operation,
                                     struct comb_error *err)
{
    struct comb_operations_store *store = operations->parts.store;
    struct comb_operation operation;
    struct comb_uuid key;
    if (!comb_uuid_parse(id, &key))
        return not_found(err);
    enum comb_status status = store->driver->get(store, ctx, &key, &operation, err);
    if (status != COMB_OK)
        return status == COMB_NOT_FOUND ? not_found(err) : status;
    if (!is_owner(ctx, &operation) && !ctx->principal->administrator)
        return not_found(err);
    *ret_operation = operation;
    return COMB_OK;
}

enum comb_status comb_operations_list(struct comb_operations *operations, struct comb_ctx *ctx,
                                      const struct comb_operation_filter *filter,
                                      const struct comb_uuid *before, size_t max,
                                      const struct comb_operation **ret_operations, size_t *ret_n,
                                      struct comb_error *err)
{
    struct comb_operations_store *store = operations->parts.store;
    struct comb_operation_filter visible = *filter;
    if (!ctx->principal->administrator) {
        if (visible.owner && !comb_uuid_equal(visible.owner, &ctx->principal->user)) {
            *ret_n = 0;
            return COMB_OK;
        }
        visible.owner = &ctx->principal->user;
    }
    return store->driver->list(store, ctx, &visible, before, max, ret_operations, ret_n, err);
}

/* ---- changing ---- */

/* One call, over all attempts to write it. */
struct change {
    struct comb_operations *operations;
    comb_str id;                            /* cancel, delete */
    const struct comb_operation_kind *kind; /* start */
};

/* The caller is an administrator, and still is when it is written. */
static enum comb_status plan_administrator(struct comb_operations *operations, struct comb_ctx *ctx,
                                           struct comb_plan *plan, struct comb_error *err)
{
    struct comb_subjects caller;
    struct comb_decision *decision = grpcc_arena_zalloc(ctx->arena, sizeof *decision);
    if (!decision)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_facts_subjects_wait(operations->parts.facts, ctx, &ctx->principal->user, &caller, err);
    if (status != COMB_OK)
        return status;
    if (!caller.exists || caller.disabled || !caller.administrator || ctx->principal->n_scopes > 0)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "only administrators may do this, with a token without scopes");
    *decision =
        (struct comb_decision){.user = caller.user, .roles_revision = caller.roles_revision};
    plan->decisions = decision;
    plan->n_decisions = 1;
    return COMB_OK;
}

static enum comb_status running_already(void *data, size_t statement, struct comb_error *err)
{
    (void)data;
    (void)statement;
    return comb_error_set(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_OPERATION_RUNNING,
                          "one such operation has not ended yet");
}

static enum comb_status start_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                     struct comb_error *err)
{
    const struct change *change = data;
    const struct comb_operations_parts *parts = &change->operations->parts;
    comb_str kind = comb_str_from(change->kind->name);
    struct comb_uuid *id = grpcc_arena_alloc(ctx->arena, sizeof *id);
    size_t n_open = 0;
    if (!id)
        return comb_error_no_memory(err);
    *id = comb_uuid_new();
    const struct comb_operation_new new = {.id = *id,
                                           .owner = ctx->principal->user,
                                           .kind = kind,
                                           .key = change->kind->is_single ? kind : STR("")};
    enum comb_status status = plan_administrator(change->operations, ctx, plan, err);
    if (status == COMB_OK)
        status = parts->store->driver->count_open(parts->store, ctx, &new.owner, &n_open, err);
    if (status == COMB_OK && n_open >= COMB_OPERATIONS_OPEN_MAX)
        status =
            comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_MANY_OPERATIONS,
                           "%d operations of yours have not ended: wait for some, or cancel "
                           "them",
                           COMB_OPERATIONS_OPEN_MAX);
    if (status == COMB_OK)
        status = parts->store->driver->plan_insert(parts->store, ctx, plan, &new,
                                                   COMB_OPERATIONS_OPEN_MAX, err);
    plan->kind = COMB_SQL_WRITE;
    plan->on_constraint = running_already;
    plan->outcome = comb_uuid_bytes(id);
    return status;
}

/* Names the one that runs, for who wants to wait for it. */
static void name_running(struct comb_operations *operations, struct comb_ctx *ctx, comb_str kind,
                         struct comb_error *err)
{
    const struct comb_operation_filter open = {
        .kind = kind, .states = 1u << COMB_OPERATION_WAITING | 1u << COMB_OPERATION_RUNNING};
    struct comb_operations_store *store = operations->parts.store;
    const struct comb_operation *found;
    size_t n = 0;
    char id[COMB_UUID_TEXT_LENGTH + 1];
    if (!err || store->driver->list(store, ctx, &open, NULL, 1, &found, &n, NULL) != COMB_OK ||
        n == 0)
        return;
    comb_uuid_format(&found[0].id, id);
    comb_error_set_subject(err, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_OPERATION_RUNNING, id,
                           "operation %s has not ended yet, and there may be one of its kind at a "
                           "time",
                           id);
}

static enum comb_status read_outcome(struct comb_operations *operations, struct comb_ctx *ctx,
                                     const struct comb_outcome *outcome,
                                     struct comb_operation *ret_operation, struct comb_error *err)
{
    struct comb_operations_store *store = operations->parts.store;
    struct comb_uuid id;
    if (outcome->bytes.len != sizeof id.bytes)
        return comb_error_set(err, COMB_INTERNAL, 0, "an outcome is no id");
    memcpy(id.bytes, outcome->bytes.ptr, sizeof id.bytes);
    return store->driver->get(store, ctx, &id, ret_operation, err);
}

enum comb_status comb_operations_start_kind(struct comb_operations *operations,
                                            struct comb_ctx *ctx,
                                            const struct comb_request_key *key, comb_str kind,
                                            struct comb_operation *ret_operation,
                                            struct comb_error *err)
{
    struct change change = {.operations = operations,
                            .kind = comb_operation_engine_kind(operations->parts.engine, kind)};
    struct comb_outcome outcome;
    if (!change.kind || !change.kind->is_startable)
        return comb_error_field(err, "kind", "there is no such kind that is begun by hand");
    enum comb_status status = comb_mutation_run(operations->parts.mutations, ctx, key, start_decide,
                                                &change, &outcome, err);
    if (status == COMB_ALREADY_EXISTS)
        name_running(operations, ctx, kind, err);
    if (status != COMB_OK)
        return status;
    comb_operation_engine_wake(operations->parts.engine);
    return read_outcome(operations, ctx, &outcome, ret_operation, err);
}

/* The operation, and the caller's right to change it: an owner's own is no right that goes. */
static enum comb_status plan_change(const struct change *change, struct comb_ctx *ctx,
                                    struct comb_plan *plan, struct comb_operation *ret_operation,
                                    struct comb_error *err)
{
    enum comb_status status =
        comb_operations_get(change->operations, ctx, change->id, ret_operation, err);
    if (status == COMB_OK && !is_owner(ctx, ret_operation))
        status = plan_administrator(change->operations, ctx, plan, err);
    plan->kind = COMB_SQL_WRITE;
    return status;
}

static enum comb_status cancel_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct change *change = data;
    struct comb_operations_store *store = change->operations->parts.store;
    struct comb_operation *operation = grpcc_arena_zalloc(ctx->arena, sizeof *operation);
    if (!operation)
        return comb_error_no_memory(err);
    enum comb_status status = plan_change(change, ctx, plan, operation, err);
    plan->outcome = comb_uuid_bytes(&operation->id);
    if (status != COMB_OK || comb_operation_has_ended(operation->state) || operation->cancel_wanted)
        return status;
    return store->driver->plan_cancel(store, ctx, plan, &operation->id, operation->revision, err);
}

enum comb_status comb_operations_cancel(struct comb_operations *operations, struct comb_ctx *ctx,
                                        const struct comb_request_key *key, comb_str id,
                                        struct comb_operation *ret_operation,
                                        struct comb_error *err)
{
    struct change change = {.operations = operations, .id = id};
    struct comb_outcome outcome;
    enum comb_status status = comb_mutation_run(operations->parts.mutations, ctx, key,
                                                cancel_decide, &change, &outcome, err);
    if (status != COMB_OK)
        return status;
    changed(operations);
    return read_outcome(operations, ctx, &outcome, ret_operation, err);
}

static enum comb_status delete_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    const struct change *change = data;
    struct comb_operations_store *store = change->operations->parts.store;
    struct comb_operation operation;
    enum comb_status status = plan_change(change, ctx, plan, &operation, err);
    if (status != COMB_OK)
        return status;
    if (!comb_operation_has_ended(operation.state))
        return comb_error_set_subject(err, COMB_FAILED_PRECONDITION,
                                      COMB_V1_ERROR_REASON_OPERATION_NOT_ENDED, "operation_id",
                                      "the operation has not ended: cancel it, and wait");
    return store->driver->plan_delete(store, ctx, plan, &operation.id, err);
}

enum comb_status comb_operations_delete(struct comb_operations *operations, struct comb_ctx *ctx,
                                        const struct comb_request_key *key, comb_str id,
                                        struct comb_error *err)
{
    struct change change = {.operations = operations, .id = id};
    struct comb_outcome outcome;
    enum comb_status status = comb_mutation_run(operations->parts.mutations, ctx, key,
                                                delete_decide, &change, &outcome, err);
    if (status == COMB_OK)
        changed(operations);
    return status;
}

/* ---- waiting ---- */

enum comb_status comb_operations_wait_start(struct comb_operations *operations,
                                            struct comb_ctx *ctx, comb_str id, int64_t timeout_ms,
                                            uint64_t seen_revision,
                                            const struct comb_operation_waiter *waiter, void *self,
                                            struct comb_error *err)
{
    struct comb_operation operation;
    struct operation_wait *wait = grpcc_arena_zalloc(ctx->arena, sizeof *wait);
    if (!wait)
        return comb_error_no_memory(err);
    enum comb_status status = comb_operations_get(operations, ctx, id, &operation, err);
    if (status != COMB_OK)
        return status;
    int64_t own_ns = comb_clock_monotonic_ns() + timeout_ms * COMB_NS_PER_MS;
    int64_t calls_ns = ctx->deadline_ns - DEADLINE_MARGIN_MS * COMB_NS_PER_MS;
    *wait = (struct operation_wait){.id = operation.id,
                                    .seen_revision = seen_revision,
                                    .due_ns = own_ns < calls_ns ? own_ns : calls_ns,
                                    .waiter = waiter,
                                    .self = self};
    return operation_waits_add(operations->waits, wait, err);
}
