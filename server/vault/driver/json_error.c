/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/driver/json_error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"

static const struct {
    int number;
    enum comb_status status;
    int reason;
    bool retryable;
} ERRORS[] = {
    {ENOSPC, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, true},
    {EDQUOT, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, true},
    {EMFILE, COMB_RESOURCE_EXHAUSTED, 0, true},
    {ENFILE, COMB_RESOURCE_EXHAUSTED, 0, true},
    {ENOMEM, COMB_RESOURCE_EXHAUSTED, 0, true},
    {EACCES, COMB_FAILED_PRECONDITION, 0, false},
    {EPERM, COMB_FAILED_PRECONDITION, 0, false},
    {EROFS, COMB_FAILED_PRECONDITION, 0, false},
    {ENOENT, COMB_FAILED_PRECONDITION, 0, false},
    {ENOTDIR, COMB_FAILED_PRECONDITION, 0, false},
    {EISDIR, COMB_FAILED_PRECONDITION, 0, false},
    {ELOOP, COMB_FAILED_PRECONDITION, 0, false},
};

enum comb_status json_error_set(struct comb_error *err, int number, const char *doing,
                                const char *path)
{
    enum comb_status status = COMB_UNAVAILABLE;
    int reason = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE;
    bool retryable = true;
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        if (ERRORS[i].number == number) {
            status = ERRORS[i].status;
            reason = ERRORS[i].reason;
            retryable = ERRORS[i].retryable;
        }
    }
    char text[128];
    comb_error_set(err, status, reason, "cannot %s %s: %s%s", doing, path,
                   strerror_r(number, text, sizeof text),
                   reason == COMB_V1_ERROR_REASON_STORE_FULL ? ": make room there" : "");
    if (err) {
        err->domain = "vault.json";
        err->native = number;
        err->retryable = retryable;
    }
    return status;
}
