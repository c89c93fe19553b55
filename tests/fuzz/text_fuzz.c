/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that strangers send: ids, hex, base64url and the header comb-token. What is accepted is
 * what our own writers would have written, letter case of ids and hex aside.
 */
#include <string.h>
#include <strings.h>

#include "server/core/hash.h"
#include "server/core/uuid.h"
#include "server/rpc/consistency_token.h"
#include "tests/fuzz/fuzz.h"

#define INCARNATION 0x1234abcd

static void try_uuid(comb_str text)
{
    struct comb_uuid id;
    char back[COMB_UUID_TEXT_LENGTH + 1];
    if (!comb_uuid_parse(text, &id))
        return;
    comb_uuid_format(&id, back);
    must(text.len == COMB_UUID_TEXT_LENGTH && strncasecmp(back, text.ptr, text.len) == 0,
         "an id is its text");
}

static void try_hex(struct grpcc_arena *arena, comb_str text)
{
    uint8_t bytes[32];
    if (!comb_hex_decode(text, bytes, sizeof bytes))
        return;
    const char *back = comb_hex_encode(arena, comb_str_of(bytes, sizeof bytes));
    must(back && text.len == 2 * sizeof bytes && strncasecmp(back, text.ptr, text.len) == 0,
         "bytes are their hex");
}

static void try_base64url(struct grpcc_arena *arena, comb_str text)
{
    comb_str bytes;
    if (!comb_base64url_decode(arena, text, &bytes))
        return;
    const char *back = comb_base64url_encode(arena, bytes);
    must(back && comb_str_equal(comb_str_from(back), text), "base64url has one form");
}

static void try_token(comb_str header)
{
    struct comb_position position = {.sequence = 7};
    struct comb_error err = {0};
    bool foreign = false;
    if (comb_consistency_token_parse(header, INCARNATION, &position, &foreign, &err) != COMB_OK) {
        must(position.sequence == 7 && !foreign, "outputs are untouched on failure");
        must(err.msg[0] != 0, "a refusal says why");
        return;
    }
    must(position.incarnation == INCARNATION, "a position is of the incarnation asked for");
    char text[COMB_TOKEN_TEXT_MAX];
    struct comb_position back;
    size_t length = comb_consistency_token_format(position, text);
    must(comb_consistency_token_parse(comb_str_of(text, length), INCARNATION, &back, &foreign,
                                      &err) == COMB_OK &&
             back.sequence == position.sequence && !foreign,
         "a position is its token");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    comb_str text = comb_str_of(data, size);
    try_uuid(text);
    try_hex(arena, text);
    try_base64url(arena, text);
    try_token(text);
    grpcc_arena_free(arena);
    return 0;
}
