/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer may put into headers and trailers, chosen by the first byte: pushback, a key and its
 * value that are sent on, the status with its details.
 */
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <string.h>

#include "gen/runtime/src/core/details.h"
#include "gen/runtime/src/core/metadata.h"
#include "google/rpc/error_details.grpcc.h"
#include "google/rpc/status.grpcc.h"
#include "grpcc/wkt.h"
#include "tests/fuzz/fuzz.h"

static void pushback(const uint8_t *data, size_t size)
{
    grpc_metadata item = {.key = grpc_slice_from_static_string(GRPCC_KEY_PUSHBACK),
                          .value = grpc_slice_from_copied_buffer((const char *)data, size)};
    grpc_metadata_array array = {.count = 1, .capacity = 1, .metadata = &item};
    int64_t pushback_ms = grpcc_metadata_pushback_ms(&array);
    must(pushback_ms == -2 || (pushback_ms >= 0 && pushback_ms <= INT32_MAX),
         "a number of milliseconds, or none");
    grpc_slice_unref(item.value);
}

/* A header that is accepted is one that HTTP/2 may carry. */
static void header(struct grpcc_arena *arena, const uint8_t *data, size_t size)
{
    struct grpcc_metadata_list list = {0};
    size_t split = size ? data[0] % (size + 1) : 0;
    char *key = grpcc_arena_strndup(arena, (const char *)data, split);
    must(key != NULL, "there is memory for a key");
    if (!grpcc_metadata_add(&list, arena, key, data + split, size - split))
        return;
    must(list.n == 1 && key[0] && strcmp(key, "grpc-status") != 0, "one header, not gRPC's own");
    for (const char *at = key; *at; at++)
        must((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || strchr("-_.", *at),
             "a key in lower case");
}

static void status(struct grpcc_arena *arena, const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &google_rpc_error_info_descriptor,    &google_rpc_retry_info_descriptor,
        &google_rpc_bad_request_descriptor,   &google_rpc_quota_failure_descriptor,
        &google_rpc_resource_info_descriptor, &google_rpc_help_descriptor,
    };
    struct google_rpc_status *status = NULL;
    struct grpcc_error err = {0};
    if (google_rpc_status_unpack(arena, NULL, data, size, &status, &err))
        return;
    for (size_t i = 0; i < status->n_details; i++)
        for (size_t j = 0; j < sizeof types / sizeof types[0]; j++) {
            void *detail = NULL;
            size_t encoded_size = 0;
            if (!grpcc_any_is(status->details[i], types[j]) ||
                grpcc_any_unpack(arena, status->details[i], types[j], NULL, &detail, &err))
                continue;
            struct grpcc_detail *own = grpcc_detail_new(arena, detail);
            const void *encoded =
                grpcc_details_encode(arena, GRPCC_ABORTED, "no", own, &encoded_size);
            struct google_rpc_status *again = NULL;
            must(encoded && encoded_size <= GRPCC_STATUS_DETAILS_MAX &&
                     google_rpc_status_unpack(arena, NULL, encoded, encoded_size, &again, &err) ==
                         GRPCC_OK,
                 "a detail can be sent on");
            must(!own || again->n_details == 1, "it is sent on");
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    if (data[0] % 3 == 0)
        pushback(data + 1, size - 1);
    else if (data[0] % 3 == 1)
        header(arena, data + 1, size - 1);
    else
        status(arena, data + 1, size - 1);
    grpcc_arena_free(arena);
    return 0;
}
