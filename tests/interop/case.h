/* SPDX-License-Identifier: Apache-2.0 */
/* What the cases of the interop client share. */
#ifndef INTEROP_CASE_H
#define INTEROP_CASE_H

#include <grpcc/channel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpc/testing/test.grpcc.h"

struct soak_settings {
    int iterations, max_failures, latency_max_ms, interval_min_ms, overall_timeout_s, threads;
    int request_size, response_size;
};

/* One run of one case. */
struct run {
    const char *target;
    struct grpcc_channel_options channel_options;
    struct grpcc_channel *channel;
    struct grpcc_arena *arena;         /* of everything that the case makes and receives */
    struct grpcc_call_options options; /* of every call, to be copied and added to */
    struct soak_settings soak;
};

struct interop_case {
    const char *name;
    bool (*run)(struct run *run); /* false: it has said on stderr what was not as it must be */
};
/* They end with an entry without a name. */
extern const struct interop_case cases_unary[], cases_stream[], cases_end[], cases_compressed[],
    cases_soak[];

/* holds; where it does not, says why. */
bool check(bool holds, const char *format, ...) GRPCC_FORMAT(2, 3) GRPCC_MUST_CHECK;
/* That a call ended with that status; err tells the message where it did not. */
bool check_status(enum grpcc_status status, enum grpcc_status expected,
                  const struct grpcc_error *err) GRPCC_MUST_CHECK;
/* size bytes of zeros; NULL, and said so, without memory. */
struct grpc_testing_payload *payload_new(struct run *run, size_t size) GRPCC_MUST_CHECK;
/* That a payload is size bytes of zeros. */
bool check_payload(const struct grpc_testing_payload *payload, size_t size) GRPCC_MUST_CHECK;
struct grpc_testing_bool_value *bool_new(struct run *run, bool value) GRPCC_MUST_CHECK;
/* One response more that request asks for; NULL, and said so, without memory. */
struct grpc_testing_response_parameters *
parameters_add(struct run *run, struct grpc_testing_streaming_output_call_request *request,
               int32_t size) GRPCC_MUST_CHECK;
/* A message of any type, or NULL with a word about it. */
#define MESSAGE_NEW(run, type) ((struct type *)check_memory(type##_new((run)->arena)))
void *check_memory(void *pointer) GRPCC_MUST_CHECK;

enum { LARGE_REQUEST = 271828, LARGE_RESPONSE = 314159 };

#endif
