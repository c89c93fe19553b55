/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/opaque.h"

#include <string.h>

#include "server/core/hash.h"
#include "server/core/memory.h"

#define ID_SIZE sizeof(struct comb_uuid)
#define SERIAL_SIZE sizeof(uint64_t)
#define BODY_SIZE_MAX (ID_SIZE + SERIAL_SIZE + COMB_OPAQUE_SECRET_SIZE)
/* No form is longer; what is longer is not decoded. */
#define TEXT_SIZE_MAX 128

static void put_serial(uint64_t serial, uint8_t ret_bytes[SERIAL_SIZE])
{
    for (size_t i = 0; i < SERIAL_SIZE; i++)
        ret_bytes[i] = (uint8_t)(serial >> (8 * (SERIAL_SIZE - 1 - i)));
}

static uint64_t get_serial(const uint8_t bytes[SERIAL_SIZE])
{
    uint64_t serial = 0;
    for (size_t i = 0; i < SERIAL_SIZE; i++)
        serial = serial << 8 | bytes[i];
    return serial;
}

/* ---- derivation: the label tells the kinds apart, and each has parts of fixed size ---- */

enum comb_status comb_opaque_derive_pat(const struct comb_opaque_key *key,
                                        const struct comb_uuid *user,
                                        const struct comb_uuid *request,
                                        uint8_t ret_secret[COMB_OPAQUE_SECRET_SIZE],
                                        struct comb_error *err)
{
    struct {
        char label[16];
        struct comb_uuid user, request;
    } input = {.label = "comb pat", .user = *user, .request = *request};
    return comb_hmac_sha256(comb_str_of(key->bytes, sizeof key->bytes),
                            comb_str_of(&input, sizeof input), ret_secret, err);
}

enum comb_status comb_opaque_derive_refresh(const struct comb_opaque_key *key,
                                            const struct comb_uuid *session, uint64_t serial,
                                            uint8_t ret_secret[COMB_OPAQUE_SECRET_SIZE],
                                            struct comb_error *err)
{
    struct {
        char label[16];
        struct comb_uuid session;
        uint8_t serial[SERIAL_SIZE];
    } input = {.label = "comb refresh", .session = *session};
    put_serial(serial, input.serial);
    return comb_hmac_sha256(comb_str_of(key->bytes, sizeof key->bytes),
                            comb_str_of(&input, sizeof input), ret_secret, err);
}

/* ---- text ---- */

static char *text_of(struct grpcc_arena *arena, const char *prefix,
                     const struct comb_opaque *opaque, bool with_serial)
{
    uint8_t body[BODY_SIZE_MAX];
    size_t size = ID_SIZE;
    memcpy(body, opaque->id.bytes, ID_SIZE);
    if (with_serial) {
        put_serial(opaque->serial, body + size);
        size += SERIAL_SIZE;
    }
    memcpy(body + size, opaque->secret, COMB_OPAQUE_SECRET_SIZE);
    size += COMB_OPAQUE_SECRET_SIZE;
    char *base64 = comb_base64url_encode(arena, comb_str_of(body, size));
    char *text = base64 ? grpcc_arena_printf(arena, "%s%s", prefix, base64) : NULL;
    if (base64)
        comb_memory_wipe(base64, strlen(base64));
    comb_memory_wipe(body, sizeof body);
    return text;
}

char *comb_opaque_pat_text(struct grpcc_arena *arena, const struct comb_opaque *opaque)
{
    return text_of(arena, COMB_PAT_PREFIX, opaque, false);
}

char *comb_opaque_refresh_text(struct grpcc_arena *arena, const struct comb_opaque *opaque)
{
    return text_of(arena, COMB_REFRESH_PREFIX, opaque, true);
}

static bool parse(struct grpcc_arena *arena, comb_str prefix, bool with_serial, comb_str text,
                  struct comb_opaque *ret_opaque)
{
    comb_str body;
    if (text.len > TEXT_SIZE_MAX || !comb_str_starts_with(text, prefix) ||
        !comb_base64url_decode(arena, comb_str_of(text.ptr + prefix.len, text.len - prefix.len),
                               &body))
        return false;
    size_t serial_size = with_serial ? SERIAL_SIZE : 0;
    if (body.len != ID_SIZE + serial_size + COMB_OPAQUE_SECRET_SIZE)
        return false;
    struct comb_opaque opaque = {0};
    memcpy(opaque.id.bytes, body.ptr, ID_SIZE);
    if (with_serial)
        opaque.serial = get_serial((const uint8_t *)body.ptr + ID_SIZE);
    memcpy(opaque.secret, body.ptr + ID_SIZE + serial_size, COMB_OPAQUE_SECRET_SIZE);
    comb_memory_wipe((char *)body.ptr, body.len);
    *ret_opaque = opaque;
    return true;
}

bool comb_opaque_parse_pat(struct grpcc_arena *arena, comb_str text, struct comb_opaque *ret_opaque)
{
    return parse(arena, STR(COMB_PAT_PREFIX), false, text, ret_opaque);
}

bool comb_opaque_parse_refresh(struct grpcc_arena *arena, comb_str text,
                               struct comb_opaque *ret_opaque)
{
    return parse(arena, STR(COMB_REFRESH_PREFIX), true, text, ret_opaque);
}
