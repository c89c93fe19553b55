/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/operations_rpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/operations.grpcc.h"
#include "grpcc/wkt.h"
#include "server/core/timestamp.h"

/* ---- messages ---- */

static bool set_progress(struct grpcc_arena *arena, const struct comb_operation_progress *progress,
                         struct comb_v1_operation *message)
{
    struct comb_v1_operation_progress *to = comb_v1_operation_progress_new(arena);
    if (!to)
        return false;
    to->done = progress->done;
    to->total = progress->total;
    to->unit = comb_str_dup(arena, progress->unit);
    to->message = comb_str_dup(arena, progress->message);
    message->progress = to;
    return to->unit && to->message;
}

/* How it ended, or why the last attempt did. */
static enum comb_status set_outcome(struct grpcc_arena *arena,
                                    const struct comb_operation *operation,
                                    struct comb_v1_operation *message, struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (operation->code != COMB_OK) {
        struct comb_error why;
        comb_error_set(&why, operation->code, operation->reason, "%.*s",
                       COMB_STR_ARG(operation->status_message));
        message->error = comb_rpc_status(arena, &why);
        return message->error ? COMB_OK : comb_error_no_memory(err);
    }
    if (operation->result.len > 0 &&
        google_protobuf_any_unpack(arena, NULL, operation->result.ptr, operation->result.len,
                                   &message->result, &failure) != GRPCC_OK)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the result of an operation: %.160s",
                              failure.message);
    return COMB_OK;
}

enum comb_status comb_operations_message(struct grpcc_arena *arena,
                                         const struct comb_operation *operation,
                                         struct comb_v1_operation **ret_message,
                                         struct comb_error *err)
{
    struct comb_v1_operation *message = comb_v1_operation_new(arena);
    if (!message)
        return comb_error_no_memory(err);
    message->id = comb_uuid_text(arena, &operation->id);
    message->kind = comb_str_dup(arena, operation->kind);
    if (!comb_uuid_is_nil(&operation->owner))
        message->owner_id = comb_uuid_text(arena, &operation->owner);
    message->state = (enum comb_v1_operation_state)operation->state;
    message->cancel_wanted = operation->cancel_wanted;
    message->attempts = operation->attempts;
    message->etag = grpcc_arena_printf(arena, "r%" PRIu64, operation->revision);
    if (!message->id || !message->kind || !message->owner_id || !message->etag ||
        !set_progress(arena, &operation->progress, message) ||
        !comb_timestamp_set(arena, operation->create_us, &message->create_time) ||
        !comb_timestamp_set(arena, operation->start_us, &message->start_time) ||
        !comb_timestamp_set(arena, operation->update_us, &message->update_time) ||
        !comb_timestamp_set(arena, operation->end_us, &message->end_time))
        return comb_error_no_memory(err);
    enum comb_status status = set_outcome(arena, operation, message, err);
    if (status == COMB_OK)
        *ret_message = message;
    return status;
}

/* ---- Start, Get, Cancel, Delete ---- */

static void rpc_start(void *self, struct grpcc_call *call,
                      const struct comb_v1_operations_start_request *request)
{
    const struct comb_operations_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_operations_start_response *response =
        comb_v1_operations_start_response_new(arena);
    struct comb_operation operation;
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_operations_start_kind(rpc->operations, comb_rpc_ctx(call), &key,
                                            comb_str_from(request->kind), &operation, &err);
    if (status == COMB_OK)
        status = comb_operations_message(arena, &operation, &response->operation, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_get(void *self, struct grpcc_call *call,
                    const struct comb_v1_operations_get_request *request)
{
    const struct comb_operations_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_operations_get_response *response = comb_v1_operations_get_response_new(arena);
    struct comb_operation operation;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_operations_get(rpc->operations, comb_rpc_ctx(call),
                                       comb_str_from(request->operation_id), &operation, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_operations_message(arena, &operation, &response->operation, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_cancel(void *self, struct grpcc_call *call,
                       const struct comb_v1_operations_cancel_request *request)
{
    const struct comb_operations_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_operations_cancel_response *response =
        comb_v1_operations_cancel_response_new(arena);
    struct comb_operation operation;
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_operations_cancel(rpc->operations, comb_rpc_ctx(call), &key,
                                        comb_str_from(request->operation_id), &operation, &err);
    if (status == COMB_OK)
        status = comb_operations_message(arena, &operation, &response->operation, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_delete(void *self, struct grpcc_call *call,
                       const struct comb_v1_operations_delete_request *request)
{
    const struct comb_operations_rpc *rpc = self;
    struct comb_v1_operations_delete_response *response =
        comb_v1_operations_delete_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_operations_delete(rpc->operations, comb_rpc_ctx(call), &key,
                                        comb_str_from(request->operation_id), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- List ---- */

static enum comb_status read_filter(const struct comb_v1_operations_filter *from,
                                    struct comb_operation_filter *ret_filter,
                                    struct comb_uuid *owner, struct comb_error *err)
{
    struct comb_operation_filter filter = {0};
    for (size_t i = 0; from && i < from->n_states; i++) {
        if (from->states[i] < COMB_V1_OPERATION_STATE_WAITING ||
            from->states[i] > COMB_V1_OPERATION_STATE_CANCELLED)
            return comb_error_field(err, "filter.states", "%d is no state", (int)from->states[i]);
        filter.states |= 1u << from->states[i];
    }
    filter.kind = comb_str_from(from ? from->kind : "");
    if (filter.kind.len > COMB_OPERATION_KIND_BYTES_MAX)
        return comb_error_field(err, "filter.kind", "at most %d bytes",
                                COMB_OPERATION_KIND_BYTES_MAX);
    if (from && from->owner_id[0]) {
        if (!comb_uuid_parse(comb_str_from(from->owner_id), owner))
            return comb_error_field(err, "filter.owner_id", "is no id");
        filter.owner = owner;
    }
    *ret_filter = filter;
    return COMB_OK;
}

/* What must be the same for all pages. */
static enum comb_status identity_of(struct grpcc_arena *arena,
                                    const struct comb_v1_operations_list_request *request,
                                    comb_str *ret_identity, struct comb_error *err)
{
    *ret_identity = comb_rpc_pack(arena, request->filter ? &request->filter->base : NULL);
    return ret_identity->ptr ? COMB_OK : comb_error_no_memory(err);
}

/* Where a page begins: behind this id; empty: the newest. */
static enum comb_status read_place(comb_str state, struct comb_uuid *id,
                                   const struct comb_uuid **ret_before, struct comb_error *err)
{
    *ret_before = NULL;
    if (state.len == 0)
        return COMB_OK;
    if (state.len != sizeof id->bytes)
        return comb_error_set(err, COMB_INTERNAL, 0, "a page's state is no id");
    memcpy(id->bytes, state.ptr, sizeof id->bytes);
    *ret_before = id;
    return COMB_OK;
}

static enum comb_status fill_page(const struct comb_operations_rpc *rpc, struct grpcc_call *call,
                                  comb_str identity, const struct comb_operation *operations,
                                  size_t n, size_t size,
                                  struct comb_v1_operations_list_response *response,
                                  struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        struct comb_v1_operation *message;
        status = comb_operations_message(arena, &operations[i], &message, err);
        if (status == COMB_OK &&
            !comb_v1_operations_list_response_add_operations(arena, response, message))
            status = comb_error_no_memory(err);
    }
    if (status == COMB_OK && n == size)
        status = comb_page_token_seal(rpc->sealer, comb_rpc_ctx(call), identity,
                                      comb_uuid_bytes(&operations[n - 1].id),
                                      &response->next_page_token, err);
    return status;
}

static void rpc_list(void *self, struct grpcc_call *call,
                     const struct comb_v1_operations_list_request *request)
{
    const struct comb_operations_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_operations_list_response *response =
        comb_v1_operations_list_response_new(grpcc_call_arena(call));
    const struct comb_operation *operations = NULL;
    struct comb_operation_filter filter;
    struct comb_uuid owner, place;
    const struct comb_uuid *before = NULL;
    comb_str identity, state;
    size_t size = 0, n = 0;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_filter(request->filter, &filter, &owner, &err);
    if (status == COMB_OK)
        status = identity_of(ctx->arena, request, &identity, &err);
    if (status == COMB_OK)
        status =
            comb_page_token_open(rpc->sealer, ctx, identity, request->page_token, &state, &err);
    if (status == COMB_OK)
        status = read_place(state, &place, &before, &err);
    if (status == COMB_OK)
        status = comb_operations_list(rpc->operations, ctx, &filter, before, size, &operations, &n,
                                      &err);
    if (status == COMB_OK)
        status = fill_page(rpc, call, identity, operations, n, size, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Wait: finished by the thread of the waits ---- */

static bool waiter_is_gone(void *self)
{
    return grpcc_call_is_cancelled(self);
}

static enum comb_status waiter_ask_again(void *self, struct grpcc_arena *arena, int64_t deadline_ns,
                                         struct comb_error *err)
{
    return comb_rpc_ask_again(self, arena, deadline_ns, err);
}

static void waiter_end(void *self, enum comb_status status, const struct comb_operation *operation,
                       const struct comb_error *why)
{
    struct grpcc_call *call = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_operations_wait_response *response = comb_v1_operations_wait_response_new(arena);
    struct comb_error err = *why;
    if (!response)
        status = comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_operations_message(arena, operation, &response->operation, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
    grpcc_call_unref(call);
}

static const struct comb_operation_waiter waiter_of_call = {
    .is_gone = waiter_is_gone, .ask_again = waiter_ask_again, .end = waiter_end};

static enum comb_status read_timeout(const struct google_protobuf_duration *timeout,
                                     int64_t *ret_ms, struct comb_error *err)
{
    *ret_ms = COMB_OPERATION_WAIT_MS;
    if (timeout && (!grpcc_duration_to_ms(timeout, ret_ms) || *ret_ms < 0 ||
                    *ret_ms > COMB_OPERATION_WAIT_MS_MAX))
        return comb_error_field(err, "timeout", "0 to %d milliseconds", COMB_OPERATION_WAIT_MS_MAX);
    return COMB_OK;
}

/* "r7" is 7; "" is 0, for which nobody waits. */
static enum comb_status read_etag(const char *text, uint64_t *ret_revision, struct comb_error *err)
{
    char *end = NULL;
    *ret_revision = text[0] == 'r' ? strtoull(text + 1, &end, 10) : 0;
    if (text[0] && (!end || *end || *ret_revision == 0))
        return comb_error_field(err, "seen_etag", "is no etag of an operation");
    return COMB_OK;
}

static void rpc_wait(void *self, struct grpcc_call *call,
                     const struct comb_v1_operations_wait_request *request)
{
    const struct comb_operations_rpc *rpc = self;
    struct comb_error err = {0};
    int64_t timeout_ms = 0;
    uint64_t seen = 0;
    enum comb_status status = read_timeout(request->timeout, &timeout_ms, &err);
    if (status == COMB_OK)
        status = read_etag(request->seen_etag, &seen, &err);
    if (status == COMB_OK) {
        grpcc_call_ref(call);
        status = comb_operations_wait_start(rpc->operations, comb_rpc_ctx(call),
                                            comb_str_from(request->operation_id), timeout_ms, seen,
                                            &waiter_of_call, call, &err);
        if (status == COMB_OK)
            return;
        comb_rpc_fail(call, &err);
        grpcc_call_unref(call);
        return;
    }
    comb_rpc_fail(call, &err);
}

static const struct comb_v1_operations_server METHODS = {.start = rpc_start,
                                                         .get = rpc_get,
                                                         .list = rpc_list,
                                                         .wait = rpc_wait,
                                                         .cancel = rpc_cancel,
                                                         .delete_ = rpc_delete};

enum comb_status comb_operations_rpc_register(struct grpcc_server *server,
                                              struct comb_operations_rpc *rpc,
                                              struct comb_error *err)
{
    struct grpcc_error failure;
    if (comb_v1_operations_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Operations: %s", failure.message);
}
