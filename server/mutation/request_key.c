/* SPDX-License-Identifier: Apache-2.0 */
#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/limits.h"
#include "server/mutation/mutation.h"

static const char field[] = "request_id";

static enum comb_status check_time(const struct comb_uuid *id, struct comb_error *err)
{
    int64_t now_us = comb_clock_wall_us(), time_us = comb_uuid_time_ms(id) * 1000;
    if (time_us < now_us - COMB_REQUEST_ID_KEEP_US)
        return comb_error_set_subject(
            err, COMB_OUT_OF_RANGE, COMB_V1_ERROR_REASON_REQUEST_ID_EXPIRED, field,
            "the request id is older than 24 hours, its outcome is no longer known; look whether "
            "the change was made, then make a new id");
    if (time_us > now_us + COMB_REQUEST_ID_AHEAD_US)
        return comb_error_set_subject(
            err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_REQUEST_ID_INVALID, field,
            "the request id lies more than an hour in the future: is the caller's clock right?");
    return COMB_OK;
}

enum comb_status comb_request_key_init(struct comb_request_key *key, comb_str request_id,
                                       comb_str packed_request, comb_str header,
                                       struct comb_error *err)
{
    struct comb_request_key new;
    struct comb_uuid other;
    if (!comb_uuid_parse(request_id, &new.id) || !comb_uuid_is_v7(&new.id))
        return comb_error_set_subject(
            err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_REQUEST_ID_INVALID, field,
            "a mutation needs a request_id: a new UUID of version 7 in text form");
    if (!comb_str_is_empty(header) &&
        (!comb_uuid_parse(header, &other) || !comb_uuid_equal(&new.id, &other)))
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT,
                                      COMB_V1_ERROR_REASON_REQUEST_ID_INVALID, field,
                                      "the header comb-request-id and the field request_id differ");
    enum comb_status status = check_time(&new.id, err);
    if (status == COMB_OK)
        status = comb_sha256(packed_request, new.hash, err);
    if (status == COMB_OK)
        *key = new;
    return status;
}
