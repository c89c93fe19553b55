/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the kernel's errors. */
#include "server/config/driver/json_error.h"

#include <errno.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"

static const struct {
    int number;
    enum comb_status status;
    int reason;
    const char *advice;
} table[] = {
    {ENOSPC, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, "make room on the disk"},
    {EDQUOT, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, "raise the disk quota"},
    {EFBIG, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE, "64 MiB is the limit"},
    {EMFILE, COMB_RESOURCE_EXHAUSTED, 0, "raise the limit of open files"},
    {ENFILE, COMB_RESOURCE_EXHAUSTED, 0, "raise the limit of open files"},
    {EACCES, COMB_FAILED_PRECONDITION, 0, "give the server's user the right"},
    {EPERM, COMB_FAILED_PRECONDITION, 0, "give the server's user the right"},
    {EROFS, COMB_FAILED_PRECONDITION, 0, "mount it for writing"},
    {ENOENT, COMB_FAILED_PRECONDITION, 0, "make the folder"},
    {ENOTDIR, COMB_FAILED_PRECONDITION, 0, "correct the path"},
    {EISDIR, COMB_FAILED_PRECONDITION, 0, "correct the path"},
    {ELOOP, COMB_FAILED_PRECONDITION, 0, "correct the path"},
};

enum comb_status config_json_error(struct comb_error *err, int number, const char *doing,
                                   const char *path)
{
    enum comb_status status = COMB_UNAVAILABLE;
    int reason = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE;
    const char *advice = "look at the disk";
    char text[128];

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].number == number) {
            status = table[i].status;
            reason = table[i].reason;
            advice = table[i].advice;
        }
    }
    comb_error_set(err, status, reason, "%s: cannot %s %s: %s", advice, doing, path,
                   strerror_r(number, text, sizeof text));
    if (err) {
        err->domain = "config.json";
        err->native = number;
        err->retryable = status != COMB_FAILED_PRECONDITION;
    }
    return status;
}
