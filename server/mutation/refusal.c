/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/refusal.h"

#include <string.h>

/* No outcome of an area begins like this: they are ids, revisions and packed messages. */
static const char mark[] = "\xff\xfe refused";
enum { MARK_SIZE = sizeof mark - 1, HEAD_SIZE = MARK_SIZE + 1 + 4 };

bool comb_refusal_is_final(enum comb_status status, const struct comb_error *err)
{
    switch (status) {
    case COMB_NOT_FOUND:
    case COMB_ALREADY_EXISTS:
    case COMB_PERMISSION_DENIED:
    case COMB_FAILED_PRECONDITION:
    case COMB_ABORTED:
    case COMB_OUT_OF_RANGE:
        return !err->retryable && !err->ambiguous;
    default:
        return false;
    }
}

static size_t add_text(char *bytes, size_t n, const char *text)
{
    size_t length = strlen(text), room = COMB_OUTCOME_MAX - n - 1;
    if (length > room)
        length = room;
    memcpy(bytes + n, text, length);
    bytes[n + length] = 0;
    return n + length + 1;
}

comb_str comb_refusal_pack(const struct comb_error *err, char bytes[COMB_OUTCOME_MAX])
{
    size_t n = HEAD_SIZE;
    memcpy(bytes, mark, MARK_SIZE);
    bytes[MARK_SIZE] = (char)err->status;
    for (int i = 0; i < 4; i++)
        bytes[MARK_SIZE + 1 + i] = (char)((unsigned)err->reason >> 8 * i);
    n = add_text(bytes, n, err->subject);
    n = add_text(bytes, n, err->msg);
    return comb_str_of(bytes, n);
}

bool comb_refusal_read(comb_str outcome, struct comb_error *ret_err)
{
    if (outcome.len < HEAD_SIZE + 2 || memcmp(outcome.ptr, mark, MARK_SIZE) != 0 ||
        outcome.ptr[outcome.len - 1] != 0)
        return false;
    const char *subject = outcome.ptr + HEAD_SIZE;
    const char *msg = memchr(subject, 0, outcome.len - HEAD_SIZE - 1);
    unsigned reason = 0;
    if (!msg)
        return false;
    for (int i = 0; i < 4; i++)
        reason |= (unsigned)(uint8_t)outcome.ptr[MARK_SIZE + 1 + i] << 8 * i;
    comb_error_set_subject(ret_err, (enum comb_status)outcome.ptr[MARK_SIZE], (int)reason, subject,
                           "%s", msg + 1);
    return true;
}
