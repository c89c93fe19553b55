/* SPDX-License-Identifier: Apache-2.0 */
#include "grpcc/status.h"

#include <stdio.h>
#include <string.h>

#include "gen/runtime/src/message/utf8.h"

enum grpcc_status grpcc_error_vset(struct grpcc_error *err, enum grpcc_status status,
                                   const char *format, va_list args)
{
    if (!err)
        return status;
    err->status = status;
    err->pushback_ms = -1;
    err->details = NULL;
    int length = vsnprintf(err->message, sizeof(err->message), format, args);
    if (length < 0)
        err->message[0] = '\0';
    if (length > GRPCC_STATUS_MESSAGE_MAX) {
        /* The character that vsnprintf cut in two, if any, ends before the last byte's boundary. */
        size_t last = GRPCC_STATUS_MESSAGE_MAX;
        while (last > 0 && ((unsigned char)err->message[last - 1] & 0xC0) == 0x80)
            last--;
        if (last > 0 && (unsigned char)err->message[last - 1] >= 0xC0)
            last--;
        if (!grpcc_utf8_is_text(err->message + last, strlen(err->message + last)))
            err->message[last] = '\0';
    }
    return status;
}

enum grpcc_status grpcc_error_set(struct grpcc_error *err, enum grpcc_status status,
                                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    grpcc_error_vset(err, status, format, args);
    va_end(args);
    return status;
}

const char *grpcc_status_name(enum grpcc_status status)
{
    static const char *const names[] = {
        [GRPCC_OK] = "OK",
        [GRPCC_CANCELLED] = "CANCELLED",
        [GRPCC_UNKNOWN] = "UNKNOWN",
        [GRPCC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
        [GRPCC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
        [GRPCC_NOT_FOUND] = "NOT_FOUND",
        [GRPCC_ALREADY_EXISTS] = "ALREADY_EXISTS",
        [GRPCC_PERMISSION_DENIED] = "PERMISSION_DENIED",
        [GRPCC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
        [GRPCC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
        [GRPCC_ABORTED] = "ABORTED",
        [GRPCC_OUT_OF_RANGE] = "OUT_OF_RANGE",
        [GRPCC_UNIMPLEMENTED] = "UNIMPLEMENTED",
        [GRPCC_INTERNAL] = "INTERNAL",
        [GRPCC_UNAVAILABLE] = "UNAVAILABLE",
        [GRPCC_DATA_LOSS] = "DATA_LOSS",
        [GRPCC_UNAUTHENTICATED] = "UNAUTHENTICATED",
    };
    if ((unsigned)status >= sizeof(names) / sizeof(names[0]))
        return "UNKNOWN";
    return names[status];
}
