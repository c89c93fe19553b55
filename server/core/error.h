/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status and error of every function that can fail. The numbers are gRPC's, so nothing is mapped
 * twice.
 */
#ifndef COMB_CORE_ERROR_H
#define COMB_CORE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "server/core/compiler.h"

enum comb_status {
    COMB_OK = 0,
    COMB_CANCELLED = 1,
    COMB_UNKNOWN = 2,
    COMB_INVALID_ARGUMENT = 3,
    COMB_DEADLINE_EXCEEDED = 4,
    COMB_NOT_FOUND = 5,
    COMB_ALREADY_EXISTS = 6,
    COMB_PERMISSION_DENIED = 7,
    COMB_RESOURCE_EXHAUSTED = 8,
    COMB_FAILED_PRECONDITION = 9,
    COMB_ABORTED = 10,
    COMB_OUT_OF_RANGE = 11,
    COMB_UNIMPLEMENTED = 12,
    COMB_INTERNAL = 13,
    COMB_UNAVAILABLE = 14,
    COMB_DATA_LOSS = 15,
    COMB_UNAUTHENTICATED = 16
};

#define COMB_ERROR_MESSAGE_MAX 256
#define COMB_ERROR_SUBJECT_MAX 128

/*
 * How something failed. Owned by the caller, no heap. `reason` is a number of comb.v1.ErrorReason
 * (api/comb/v1/errors.proto), 0 where the status says all; the dispatcher sends it as ErrorInfo.
 */
struct comb_error {
    enum comb_status status;
    int reason;
    const char *domain; /* static: which part failed, "sql.sqlite", "tree"; for logs */
    bool retryable;     /* the same call may succeed later, nothing needs to change */
    bool ambiguous;     /* a write may have happened: do not repeat it blindly */
    long native;        /* the store's own code; 0: none */
    int64_t retry_ms;   /* when to try again; 0: no advice */
    char subject[COMB_ERROR_SUBJECT_MAX]; /* the field ("target.parent.path") or the thing that it
                                             is about; "" */
    char msg[COMB_ERROR_MESSAGE_MAX];     /* English, for developers; no secrets, no internals */
};

/* Fills err (NULL is allowed) and returns status, so that a failure cannot leave without a message.
 * reason: 0 or a comb.v1.ErrorReason. Other members are reset. */
enum comb_status comb_error_set(struct comb_error *err, enum comb_status status, int reason,
                                const char *format, ...) COMB_FORMAT(4, 5);
/* As _set, with the field or thing that it is about. */
enum comb_status comb_error_set_subject(struct comb_error *err, enum comb_status status, int reason,
                                        const char *subject, const char *format, ...)
    COMB_FORMAT(5, 6);
/* INVALID_ARGUMENT, reason FIELD_INVALID, about a request's field, whose name the message begins
 * with. */
enum comb_status comb_error_field(struct comb_error *err, const char *field, const char *format,
                                  ...) COMB_FORMAT(3, 4);
/* RESOURCE_EXHAUSTED for an arena that is full or a machine without memory. */
enum comb_status comb_error_no_memory(struct comb_error *err);

const char *comb_status_name(enum comb_status status);

#endif
