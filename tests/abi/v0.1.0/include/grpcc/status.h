/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status of a call, as gRPC defines it, and the caller-owned error that carries it.
 *
 * Source: https://grpc.io/docs/guides/status-codes/ and gRFC L-series; the numbers are the wire's.
 */
#ifndef GRPCC_STATUS_H
#define GRPCC_STATUS_H

#include <stdarg.h>
#include <stdint.h>

#include "grpcc/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

enum grpcc_status {
    GRPCC_OK = 0,
    GRPCC_CANCELLED = 1,
    GRPCC_UNKNOWN = 2,
    GRPCC_INVALID_ARGUMENT = 3,
    GRPCC_DEADLINE_EXCEEDED = 4,
    GRPCC_NOT_FOUND = 5,
    GRPCC_ALREADY_EXISTS = 6,
    GRPCC_PERMISSION_DENIED = 7,
    GRPCC_RESOURCE_EXHAUSTED = 8,
    GRPCC_FAILED_PRECONDITION = 9,
    GRPCC_ABORTED = 10,
    GRPCC_OUT_OF_RANGE = 11,
    GRPCC_UNIMPLEMENTED = 12,
    GRPCC_INTERNAL = 13,
    GRPCC_UNAVAILABLE = 14,
    GRPCC_DATA_LOSS = 15,
    GRPCC_UNAUTHENTICATED = 16
};

/* The longest status message that is sent or kept, in bytes; longer ones are cut at a UTF-8
 * boundary. */
#define GRPCC_STATUS_MESSAGE_MAX 1024
/* The longest serialized google.rpc.Status (trailer grpc-status-details-bin), in bytes. */
#define GRPCC_STATUS_DETAILS_MAX 4096

struct google_rpc_status;

/*
 * How a call, or a local step of one, failed. Owned by the caller, no heap of its own; `details`
 * lives in the arena that was given to the call and is NULL where the peer sent none.
 */
struct grpcc_error {
    enum grpcc_status status;
    int64_t pushback_ms; /* the server's grpc-retry-pushback-ms; -1: none was sent; -2: "do not
                            retry" */
    const struct google_rpc_status *details;
    char message[GRPCC_STATUS_MESSAGE_MAX + 1];
};

#define GRPCC_ERROR_INIT                                                                           \
    {                                                                                              \
        GRPCC_OK, -1, NULL,                                                                        \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* Fills err (NULL is allowed) and returns status, so that a failure cannot leave without a message.
 */
enum grpcc_status grpcc_error_set(struct grpcc_error *err, enum grpcc_status status,
                                  const char *format, ...) GRPCC_FORMAT(3, 4);
enum grpcc_status grpcc_error_vset(struct grpcc_error *err, enum grpcc_status status,
                                   const char *format, va_list args) GRPCC_FORMAT(3, 0);

/* "INVALID_ARGUMENT" for 3 and so on; "UNKNOWN" for what is not a status. Static storage. */
const char *grpcc_status_name(enum grpcc_status status);

#ifdef __cplusplus
}
#endif

#endif
