/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs (RFC 9562), kept as 16 bytes; new ones are version 7, so ids sort by time of birth. */
#ifndef COMB_CORE_UUID_H
#define COMB_CORE_UUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "server/core/str.h"

#define COMB_UUID_TEXT_LENGTH 36

struct comb_uuid {
    uint8_t bytes[16];
};

/* A new version 7 UUID, never one twice in a process, growing in a process. Threads: any. */
struct comb_uuid comb_uuid_new(void);
/* Accepts the 36-character form, either case. False: not a UUID; *ret_id is untouched. */
bool comb_uuid_parse(comb_str text, struct comb_uuid *ret_id) COMB_MUST_CHECK;
/* Writes 36 characters and a NUL. */
void comb_uuid_format(const struct comb_uuid *id, char ret_text[COMB_UUID_TEXT_LENGTH + 1]);
/* The text in arena; NULL: no room. */
char *comb_uuid_text(struct grpcc_arena *arena, const struct comb_uuid *id) COMB_MUST_CHECK;
bool comb_uuid_is_v7(const struct comb_uuid *id);
/* Milliseconds since 1970 of a version 7 UUID. */
int64_t comb_uuid_time_ms(const struct comb_uuid *id);

static inline bool comb_uuid_equal(const struct comb_uuid *a, const struct comb_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline bool comb_uuid_is_nil(const struct comb_uuid *id)
{
    static const struct comb_uuid nil;
    return comb_uuid_equal(id, &nil);
}

static inline comb_str comb_uuid_bytes(const struct comb_uuid *id)
{
    return comb_str_of(id->bytes, sizeof id->bytes);
}

#endif
