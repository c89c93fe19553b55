/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/consistency_token.h"

#include <inttypes.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"

size_t comb_consistency_token_format(struct comb_position position,
                                     char ret_text[COMB_TOKEN_TEXT_MAX])
{
    return (size_t)snprintf(ret_text, COMB_TOKEN_TEXT_MAX, "1-%" PRIx64 "-%" PRIx64,
                            position.incarnation, position.sequence);
}

/* Reads 1 to 16 lower case hex digits up to `stop`, or to the end where stop is 0. */
static bool parse_hex(comb_str *text, char stop, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text->len && text->ptr[i] != stop; i++) {
        char c = text->ptr[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0 || i == 16)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    if (i == 0 || (stop && i == text->len))
        return false;
    size_t used = stop ? i + 1 : i;
    *text = comb_str_of(text->ptr + used, text->len - used);
    *ret_value = value;
    return true;
}

static bool parse_one(comb_str text, struct comb_position *ret_position)
{
    if (text.len > COMB_TOKEN_TEXT_MAX || !comb_str_starts_with(text, STR("1-")))
        return false;
    text = comb_str_of(text.ptr + 2, text.len - 2);
    return parse_hex(&text, '-', &ret_position->incarnation) &&
           parse_hex(&text, 0, &ret_position->sequence);
}

enum comb_status comb_consistency_token_parse(comb_str header, uint64_t incarnation,
                                              struct comb_position *ret_position, bool *ret_foreign,
                                              struct comb_error *err)
{
    struct comb_position newest = {.incarnation = incarnation};
    bool foreign = false;
    for (size_t n = 0; header.len > 0; n++) {
        const char *comma = memchr(header.ptr, ',', header.len);
        size_t length = comma ? (size_t)(comma - header.ptr) : header.len;
        struct comb_position one = {0};
        if (n == COMB_TOKENS_MAX || !parse_one(comb_str_of(header.ptr, length), &one))
            return comb_error_set(
                err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_TOKEN_HEADER_INVALID,
                "the header %s is not one that this server gave out: send back what answers "
                "carried, at most %d, separated by commas",
                COMB_TOKEN_HEADER, COMB_TOKENS_MAX);
        if (one.incarnation != incarnation)
            foreign = true;
        else if (one.sequence > newest.sequence)
            newest.sequence = one.sequence;
        size_t used = comma ? length + 1 : length;
        header = comb_str_of(header.ptr + used, header.len - used);
    }
    *ret_position = newest;
    *ret_foreign = foreign;
    return COMB_OK;
}
