/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/rpc.h"

#include <inttypes.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "google/protobuf/duration.grpcc.h"
#include "google/rpc/error_details.grpcc.h"
#include "grpcc/trace.h"
#include "grpcc/wkt.h"
#include "server/core/limits.h"
#include "server/core/log.h"
#include "server/core/timestamp.h"
#include "server/rpc/audited.h"
#include "server/rpc/call.h"

#define ERROR_DOMAIN "comb"
#define REASON_PREFIX "ERROR_REASON_"
#define REQUEST_ID_HEADER "comb-request-id"

struct comb_ctx *comb_rpc_ctx(struct grpcc_call *call)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    return &state->ctx;
}

/* The name that goes out: the enum's without its prefix, or the status' where there is no reason.
 */
static const char *reason_text(const struct comb_error *err)
{
    const char *name = err->reason ? comb_v1_error_reason_name(err->reason) : NULL;
    return name ? name + sizeof REASON_PREFIX - 1 : comb_status_name(err->status);
}

static struct google_rpc_error_info *error_info(struct grpcc_arena *arena,
                                                const struct comb_error *err, const char *log_id)
{
    struct google_rpc_error_info *info = google_rpc_error_info_new(arena);
    if (!info)
        return NULL;
    info->reason = grpcc_arena_strdup(arena, reason_text(err));
    info->domain = grpcc_arena_strdup(arena, ERROR_DOMAIN);
    if (!info->reason || !info->domain)
        return NULL;
    const char *key = log_id ? "log_id" : err->subject[0] ? "subject" : NULL;
    const char *value = log_id ? log_id : err->subject;
    struct google_rpc_error_info_metadata_entry *entry =
        key ? google_rpc_error_info_metadata_entry_new(arena) : NULL;
    if (entry) {
        entry->key = grpcc_arena_strdup(arena, key);
        entry->value = grpcc_arena_strdup(arena, value);
        if (entry->key && entry->value)
            (void)!google_rpc_error_info_add_metadata(arena, info, entry);
    }
    return info;
}

static void add_error_info(struct grpcc_call *call, const struct comb_error *err,
                           const char *log_id)
{
    struct google_rpc_error_info *info = error_info(grpcc_call_arena(call), err, log_id);
    if (info)
        grpcc_call_add_detail(call, &info->base);
}

struct google_rpc_status *comb_rpc_status(struct grpcc_arena *arena, const struct comb_error *err)
{
    struct google_rpc_status *status = google_rpc_status_new(arena);
    struct google_rpc_error_info *info = error_info(arena, err, NULL);
    struct google_protobuf_any *detail = info ? grpcc_any_pack(arena, &info->base) : NULL;
    char *message = grpcc_arena_strdup(arena, err->msg);
    if (!status || !detail || !message || !google_rpc_status_add_details(arena, status, detail))
        return NULL;
    status->code = (int32_t)err->status;
    google_rpc_status_set_message(status, message);
    return status;
}

static void add_bad_request(struct grpcc_call *call, const struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct google_rpc_bad_request *bad = google_rpc_bad_request_new(arena);
    struct google_rpc_bad_request_field_violation *violation =
        google_rpc_bad_request_field_violation_new(arena);
    if (!bad || !violation)
        return;
    violation->field = grpcc_arena_strdup(arena, err->subject);
    violation->description = grpcc_arena_strdup(arena, err->msg);
    if (violation->field && violation->description &&
        google_rpc_bad_request_add_field_violations(arena, bad, violation))
        grpcc_call_add_detail(call, &bad->base);
}

static void add_resource_info(struct grpcc_call *call, const struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct google_rpc_resource_info *info = google_rpc_resource_info_new(arena);
    if (!info)
        return;
    info->resource_name = grpcc_arena_strdup(arena, err->subject);
    info->description = grpcc_arena_strdup(arena, err->msg);
    if (info->resource_name && info->description)
        grpcc_call_add_detail(call, &info->base);
}

static void add_precondition_failure(struct grpcc_call *call, const struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct google_rpc_precondition_failure *failure = google_rpc_precondition_failure_new(arena);
    struct google_rpc_precondition_failure_violation *violation =
        google_rpc_precondition_failure_violation_new(arena);
    if (!failure || !violation)
        return;
    violation->type = grpcc_arena_strdup(arena, reason_text(err));
    violation->subject = grpcc_arena_strdup(arena, err->subject);
    violation->description = grpcc_arena_strdup(arena, err->msg);
    if (violation->type && violation->subject && violation->description &&
        google_rpc_precondition_failure_add_violations(arena, failure, violation))
        grpcc_call_add_detail(call, &failure->base);
}

static void add_retry_info(struct grpcc_call *call, int64_t retry_ms)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct google_rpc_retry_info *info = google_rpc_retry_info_new(arena);
    if (!info)
        return;
    info->retry_delay = google_protobuf_duration_new(arena);
    if (!info->retry_delay)
        return;
    info->retry_delay->seconds = retry_ms / 1000;
    info->retry_delay->nanos = (int32_t)(retry_ms % 1000 * 1000000);
    grpcc_call_add_detail(call, &info->base);
}

static bool is_fault(const struct comb_error *err)
{
    return err->status == COMB_INTERNAL || err->status == COMB_UNKNOWN;
}

/* Tells the log what happened and the caller only where to find it. */
static void fail_internal(struct grpcc_call *call, const struct comb_error *err)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    struct comb_uuid id = comb_uuid_new();
    char text[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&id, text);
    char log_id[sizeof state->log_id];
    snprintf(log_id, sizeof log_id, "%.8s%.8s", text, text + 28);
    if (state)
        memcpy(state->log_id, log_id, sizeof log_id);
    comb_log(
        COMB_LOG_ERROR, "rpc", "internal fault", comb_log_text("log_id", comb_str_from(log_id)),
        comb_log_text("trace", comb_str_from(grpcc_call_trace_id(call))),
        comb_log_text("domain", comb_str_from(err->domain)),
        comb_log_integer("native", err->native), comb_log_text("fault", comb_str_from(err->msg)));
    struct comb_error shown = {.status = err->status, .reason = COMB_V1_ERROR_REASON_INTERNAL};
    add_error_info(call, &shown, log_id);
    grpcc_call_fail(call, GRPCC_INTERNAL, "internal fault; the server's log has it under %s",
                    log_id);
}

void comb_rpc_fail(struct grpcc_call *call, const struct comb_error *err)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    if (state) {
        state->reason = err->reason;
        state->is_ambiguous = err->ambiguous;
    }
    if (is_fault(err)) {
        fail_internal(call, err);
        return;
    }
    add_error_info(call, err, NULL);
    if (err->status == COMB_INVALID_ARGUMENT && err->subject[0])
        add_bad_request(call, err);
    else if (err->status == COMB_FAILED_PRECONDITION)
        add_precondition_failure(call, err);
    else if ((err->status == COMB_NOT_FOUND || err->status == COMB_ALREADY_EXISTS) &&
             err->subject[0])
        add_resource_info(call, err);
    if (err->retry_ms > 0) {
        add_retry_info(call, err->retry_ms);
        /* Clients take pushback for "nothing was done", and repeat what must not be repeated. */
        if (!err->ambiguous)
            grpcc_call_set_pushback_ms(call, err->retry_ms);
    } else if (err->reason == COMB_V1_ERROR_REASON_DRAINING && !err->ambiguous) {
        /* As the runtime refuses: nothing was done, another replica will do it. */
        grpcc_call_set_pushback_ms(call, 0);
    }
    grpcc_call_fail(call, (enum grpcc_status)err->status, "%s", err->msg);
}

void comb_rpc_finish(struct grpcc_call *call, enum comb_status status,
                     const ProtobufCMessage *response, const struct comb_error *err)
{
    if (status == COMB_OK)
        grpcc_call_finish(call, response);
    else
        comb_rpc_fail(call, err);
}

enum comb_status comb_rpc_request_key(struct grpcc_call *call, const char *request_id,
                                      const ProtobufCMessage *request,
                                      struct comb_request_key *ret_key, struct comb_error *err)
{
    size_t size = 0, header_length = 0;
    const char *header = grpcc_call_metadata(call, REQUEST_ID_HEADER, &header_length);
    void *packed = grpcc_message_pack(grpcc_call_arena(call), request, &size);
    struct comb_request_key key;
    if (!packed)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_request_key_init(&key, comb_str_from(request_id), comb_str_of(packed, size),
                              comb_str_of(header, header ? header_length : 0), err);
    if (status == COMB_OK)
        status = comb_rpc_intend(call, request_id, request, err);
    if (status == COMB_OK)
        *ret_key = key;
    return status;
}

enum comb_status comb_rpc_claim(struct grpcc_call *call, struct comb_mutations *mutations,
                                const char *request_id, const ProtobufCMessage *request,
                                struct comb_request_key *ret_key, struct comb_error *err)
{
    enum comb_status status = comb_rpc_request_key(call, request_id, request, ret_key, err);
    return status == COMB_OK ? comb_mutation_claim(mutations, comb_rpc_ctx(call), ret_key, err)
                             : status;
}

comb_str comb_rpc_pack(struct grpcc_arena *arena, const ProtobufCMessage *message)
{
    size_t size = 0;
    if (!message)
        return STR("");
    const void *bytes = grpcc_message_pack(arena, message, &size);
    return comb_str_of(bytes, bytes ? size : 0);
}

enum comb_status comb_rpc_time(const struct google_protobuf_timestamp *message, const char *field,
                               int64_t *ret_us, struct comb_error *err)
{
    return comb_timestamp_read(message, ret_us)
               ? COMB_OK
               : comb_error_field(err, field, "is a time from 1970 to the end of 9999");
}

enum comb_status comb_rpc_page_size(int32_t asked, size_t *ret_size, struct comb_error *err)
{
    if (asked < 0 || asked > COMB_PAGE_SIZE_MAX)
        return comb_error_field(err, "page_size", "must be 0 (for %d) to %d, and is %" PRId32,
                                COMB_PAGE_SIZE_DEFAULT, COMB_PAGE_SIZE_MAX, asked);
    *ret_size = asked ? (size_t)asked : COMB_PAGE_SIZE_DEFAULT;
    return COMB_OK;
}
