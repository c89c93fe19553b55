/* SPDX-License-Identifier: Apache-2.0 */
/* What an error says beside its status. */
#include <google/protobuf/any.grpcc.h>
#include <google/rpc/error_details.grpcc.h>
#include <google/rpc/status.grpcc.h>
#include <string.h>

#include "client/lib/internal.h"
#include "comb/v1/errors.grpcc.h"

static const char ERROR_INFO_TYPE[] = "type.googleapis.com/google.rpc.ErrorInfo";
static const char RETRY_INFO_TYPE[] = "type.googleapis.com/google.rpc.RetryInfo";
/* The prefix of every reason, and a number above all of them. */
enum {
    REASON_PREFIX_LENGTH = sizeof "ERROR_REASON_" - 1,
    REASONS_END = 1000,
    INFO_BYTES_MAX = 64 << 10,
    RETRY_SECONDS_MAX = INT32_MAX / 1000
};

static const struct google_protobuf_any *find_detail(const struct grpcc_error *err,
                                                     const char *type_url)
{
    if (!err || !err->details)
        return NULL;
    for (size_t i = 0; i < err->details->n_details; i++)
        if (strcmp(err->details->details[i]->type_url, type_url) == 0)
            return err->details->details[i];
    return NULL;
}

/* The constant that is spelt like reason; NULL: this version knows none. */
static const char *known_reason(const char *reason)
{
    for (int i = 0; i < REASONS_END; i++) {
        const char *name = comb_v1_error_reason_name(i);
        if (name && strcmp(name + REASON_PREFIX_LENGTH, reason) == 0)
            return name + REASON_PREFIX_LENGTH;
    }
    return NULL;
}

const char *comb_error_reason(const struct grpcc_error *err)
{
    const struct google_protobuf_any *any = find_detail(err, ERROR_INFO_TYPE);
    struct google_rpc_error_info *info = NULL;
    const char *reason = NULL;
    struct grpcc_arena *arena = any ? grpcc_arena_new(INFO_BYTES_MAX) : NULL;
    if (!arena)
        return NULL;
    if (google_rpc_error_info_unpack(arena, NULL, any->value.data, any->value.len, &info, NULL) ==
            GRPCC_OK &&
        strcmp(info->domain, "comb") == 0)
        reason = known_reason(info->reason);
    grpcc_arena_free(arena);
    return reason;
}

bool comb_error_has_reason(const struct grpcc_error *err, enum comb_v1_error_reason reason)
{
    const char *found = comb_error_reason(err);
    const char *wanted = comb_v1_error_reason_name((int)reason);
    return found && wanted && strcmp(found, wanted + REASON_PREFIX_LENGTH) == 0;
}

int64_t comb_error_retry_ms(const struct grpcc_error *err)
{
    const struct google_protobuf_any *any = find_detail(err, RETRY_INFO_TYPE);
    struct google_rpc_retry_info *info = NULL;
    int64_t retry_ms = -1;
    struct grpcc_arena *arena = any ? grpcc_arena_new(INFO_BYTES_MAX) : NULL;
    if (!arena)
        return -1;
    if (google_rpc_retry_info_unpack(arena, NULL, any->value.data, any->value.len, &info, NULL) ==
            GRPCC_OK &&
        info->retry_delay) {
        int64_t seconds = info->retry_delay->seconds;
        int32_t nanos = info->retry_delay->nanos;
        if (seconds >= 0 && seconds <= RETRY_SECONDS_MAX && nanos >= 0 && nanos < COMB_NS_PER_S)
            retry_ms = seconds * 1000 + nanos / COMB_NS_PER_MS;
    }
    grpcc_arena_free(arena);
    return retry_ms;
}

enum grpcc_status comb_error_memory(struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
}
