/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/data/driver/files.h"

struct row {
    int native;
    enum comb_status status;
    int reason;
    bool retryable;
};

/* What an errno of a file system call means to the caller. The rest is INTERNAL. */
static const struct row rows[] = {
    {ENOENT, COMB_NOT_FOUND, 0, false},
    {EEXIST, COMB_ALREADY_EXISTS, 0, false},
    {ENOSPC, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, false},
    {EDQUOT, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, false},
    /* Beyond the limit of the process (RLIMIT_FSIZE) or of the file system. */
    {EFBIG, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_STORE_FULL, false},
    {EMFILE, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED, true},
    {ENFILE, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED, true},
    {ENOMEM, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED, true},
    {EIO, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, false},
    {EROFS, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, false},
    {EACCES, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, false},
    {EPERM, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, false},
    /* Network file systems: the server is away, or has forgotten the file. */
    {ESTALE, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true},
    {ETIMEDOUT, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, true},
};

enum comb_status comb_files_error(struct comb_error *err, int native, const char *doing)
{
    struct row row = {native, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL, false};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].native == native)
            row = rows[i];
    }
    comb_error_set(err, row.status, row.reason, "the data store cannot %s: %s%s", doing,
                   strerrordesc_np(native),
                   row.reason == COMB_V1_ERROR_REASON_STORE_FULL ? ": make room there" : "");
    if (err) {
        err->domain = "data.files";
        err->native = native;
        err->retryable = row.retryable;
    }
    return row.status;
}
