/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* comb.v1.ErrorReason FIELD_INVALID: core cannot include what is generated; error_test.c compares.
 */
enum { REASON_FIELD_INVALID = 1 };

COMB_FORMAT(5, 0)
static enum comb_status set(struct comb_error *err, enum comb_status status, int reason,
                            const char *subject, const char *format, va_list args)
{
    if (!err)
        return status;
    /* The texts are cut rather than refused: half a message is better than none. Arguments may be
     * parts of *err itself, so it is overwritten last. */
    struct comb_error new = {.status = status, .reason = reason};
    snprintf(new.subject, sizeof new.subject, "%s", subject);
    vsnprintf(new.msg, sizeof new.msg, format, args);
    *err = new;
    return status;
}

enum comb_status comb_error_set(struct comb_error *err, enum comb_status status, int reason,
                                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, status, reason, "", format, args);
    va_end(args);
    return status;
}

enum comb_status comb_error_set_subject(struct comb_error *err, enum comb_status status, int reason,
                                        const char *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set(err, status, reason, subject, format, args);
    va_end(args);
    return status;
}

enum comb_status comb_error_field(struct comb_error *err, const char *field, const char *format,
                                  ...)
{
    char text[COMB_ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, REASON_FIELD_INVALID, field, "%s: %s",
                                  field, text);
}

enum comb_status comb_error_no_memory(struct comb_error *err)
{
    comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "out of memory, or the call needs too much");
    if (err)
        err->retryable = true;
    return COMB_RESOURCE_EXHAUSTED;
}

const char *comb_status_name(enum comb_status status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };
    unsigned number = (unsigned)status;
    return number < sizeof names / sizeof names[0] ? names[number] : "UNKNOWN";
}
