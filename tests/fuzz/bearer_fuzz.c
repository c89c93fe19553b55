/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes behind "Bearer ". The first byte chooses: the rest is the whole token; or the claims
 * of one, or its header, which are signed with the right key here, so that what lies behind the
 * signature is reached too.
 */
#include <string.h>

#include "server/auth/jwt.h"
#include "server/auth/opaque.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "tests/fuzz/fuzz.h"

#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"1\"}"

static const struct comb_jwt_key key = {.bytes = {1, 2, 3}, .version = 1};

static comb_str sign(struct grpcc_arena *arena, comb_str head, comb_str body)
{
    uint8_t mac[COMB_SHA256_SIZE];
    char *text = grpcc_arena_printf(arena, "%s.%s", comb_base64url_encode(arena, head),
                                    comb_base64url_encode(arena, body));
    must(text && comb_hmac_sha256(comb_str_of(key.bytes, sizeof key.bytes), comb_str_from(text),
                                  mac, NULL) == COMB_OK,
         "there is memory for a token");
    return comb_str_from(grpcc_arena_printf(
        arena, "%s.%s", text, comb_base64url_encode(arena, comb_str_of(mac, sizeof mac))));
}

/* What is believed can be signed again, and is believed again. */
static void check_jwt(struct grpcc_arena *arena, comb_str token)
{
    struct comb_jwt_claims claims, again;
    struct comb_error err = {0};
    comb_str copy;
    if (comb_jwt_verify(arena, &key, token, 0, &claims, &err) != COMB_OK) {
        must(err.status == COMB_UNAUTHENTICATED && err.msg[0] != 0, "a refusal says why");
        return;
    }
    must(comb_jwt_sign(arena, &key, &claims, &copy, &err) == COMB_OK &&
             comb_jwt_verify(arena, &key, copy, 0, &again, &err) == COMB_OK,
         "what was believed is believed again");
    must(comb_uuid_equal(&claims.user, &again.user) &&
             comb_uuid_equal(&claims.session, &again.session) && claims.issue_s == again.issue_s &&
             claims.expire_s == again.expire_s,
         "and says the same");
}

static void check_opaque(struct grpcc_arena *arena, comb_str token)
{
    struct comb_opaque opaque;
    if (comb_opaque_parse_pat(arena, token, &opaque))
        must(comb_str_equal(comb_str_from(comb_opaque_pat_text(arena, &opaque)), token),
             "a personal token has one form");
    if (comb_opaque_parse_refresh(arena, token, &opaque))
        must(comb_str_equal(comb_str_from(comb_opaque_refresh_text(arena, &opaque)), token),
             "a refresh token has one form");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    comb_str rest = size > 0 ? comb_str_of(data + 1, size - 1) : STR("");
    switch (size > 0 ? data[0] : 't') {
    case 'c':
        check_jwt(arena, sign(arena, STR(HEAD), rest));
        break;
    case 'h':
        check_jwt(arena, sign(arena, rest, STR("{}")));
        break;
    default:
        check_jwt(arena, rest);
        check_opaque(arena, rest);
    }
    grpcc_arena_free(arena);
    return 0;
}
