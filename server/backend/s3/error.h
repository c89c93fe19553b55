/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of S3 that is not a success means. */
#ifndef COMB_S3_ERROR_H
#define COMB_S3_ERROR_H

#include "server/core/error.h"
#include "server/core/str.h"

/*
 * Fills err from the HTTP status and the code in the answer's body, empty where there was none
 * (HEAD has none). doing: what failed, for the message ("write a blob"). The message holds the
 * code, never the answer's own text: that may repeat what was signed.
 */
enum comb_status comb_s3_error(struct comb_error *err, long http_status, comb_str code,
                               const char *doing);

/* The next attempt may succeed, and the same request is safe to send again. */
bool comb_s3_is_transient(long http_status, comb_str code);

#endif
