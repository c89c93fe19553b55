/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/jwt.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/hash.h"

/* What stands before the installation's id in "iss". */
#define ISSUER "comb:"

static enum comb_status invalid(const char *why, struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                          "the token is not one of this installation (%s); log in again", why);
}

static enum comb_status mac_of(const struct comb_jwt_key *key, comb_str signed_part,
                               uint8_t ret_mac[COMB_SHA256_SIZE], struct comb_error *err)
{
    return comb_hmac_sha256(comb_str_of(key->bytes, sizeof key->bytes), signed_part, ret_mac, err);
}

static char *issuer_of(struct grpcc_arena *arena, const struct comb_jwt_key *key)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&key->installation, id);
    return grpcc_arena_printf(arena, ISSUER "%s", id);
}

enum comb_status comb_jwt_sign(struct grpcc_arena *arena, const struct comb_jwt_key *key,
                               const struct comb_jwt_claims *claims, comb_str *ret_token,
                               struct comb_error *err)
{
    char user[COMB_UUID_TEXT_LENGTH + 1], session[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(&claims->user, user);
    comb_uuid_format(&claims->session, session);
    char *issuer = issuer_of(arena, key);
    char *head = grpcc_arena_printf(
        arena, "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%" PRIu32 "\"}", key->version);
    char *body = issuer
                     ? grpcc_arena_printf(arena,
                                          "{\"iss\":\"%s\",\"sub\":\"%s\",\"sid\":\"%s\","
                                          "\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}",
                                          issuer, user, session, claims->issue_s, claims->expire_s)
                     : NULL;
    if (!head || !body)
        return comb_error_no_memory(err);
    const char *head64 = comb_base64url_encode(arena, comb_str_from(head));
    const char *body64 = comb_base64url_encode(arena, comb_str_from(body));
    char *text = head64 && body64 ? grpcc_arena_printf(arena, "%s.%s", head64, body64) : NULL;
    if (!text)
        return comb_error_no_memory(err);
    uint8_t mac[COMB_SHA256_SIZE];
    enum comb_status status = mac_of(key, comb_str_from(text), mac, err);
    if (status != COMB_OK)
        return status;
    const char *mac64 = comb_base64url_encode(arena, comb_str_of(mac, sizeof mac));
    char *token = mac64 ? grpcc_arena_printf(arena, "%s.%s", text, mac64) : NULL;
    if (!token)
        return comb_error_no_memory(err);
    *ret_token = comb_str_from(token);
    return COMB_OK;
}

/* ---- verify ---- */

struct parts {
    comb_str head, body, mac;
    comb_str signed_part;
};

static bool split(comb_str token, struct parts *ret_parts)
{
    if (token.len == 0 || token.len > COMB_JWT_BYTES_MAX)
        return false;
    const char *end = token.ptr + token.len;
    const char *first = memchr(token.ptr, '.', token.len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    *ret_parts = (struct parts){
        .head = comb_str_of(token.ptr, (size_t)(first - token.ptr)),
        .body = comb_str_of(first + 1, (size_t)(second - first - 1)),
        .mac = comb_str_of(second + 1, (size_t)(end - second - 1)),
        .signed_part = comb_str_of(token.ptr, (size_t)(second - token.ptr)),
    };
    return true;
}

static json_t *decode(struct grpcc_arena *arena, comb_str base64)
{
    comb_str text;
    if (!comb_base64url_decode(arena, base64, &text))
        return NULL;
    return json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
}

static bool is_our_head(struct grpcc_arena *arena, const struct comb_jwt_key *key, comb_str base64)
{
    const char *kid = grpcc_arena_printf(arena, "%" PRIu32, key->version);
    json_t *head = kid ? decode(arena, base64) : NULL;
    const char *alg = json_string_value(json_object_get(head, "alg"));
    const char *type = json_string_value(json_object_get(head, "typ"));
    const char *named = json_string_value(json_object_get(head, "kid"));
    /* "crit" and all else that would ask something of us: not ours. */
    bool is_ours = alg && type && named && json_object_size(head) == 3 &&
                   strcmp(alg, "HS256") == 0 && strcmp(type, "JWT") == 0 && strcmp(named, kid) == 0;
    json_decref(head);
    return is_ours;
}

static bool is_signed(struct grpcc_arena *arena, const struct comb_jwt_key *key,
                      const struct parts *parts)
{
    comb_str given;
    uint8_t mac[COMB_SHA256_SIZE];
    return comb_base64url_decode(arena, parts->mac, &given) &&
           mac_of(key, parts->signed_part, mac, NULL) == COMB_OK &&
           comb_secret_equal(given, comb_str_of(mac, sizeof mac));
}

static bool to_id(const json_t *body, const char *name, struct comb_uuid *ret_id)
{
    const json_t *value = json_object_get(body, name);
    return json_is_string(value) &&
           comb_uuid_parse(comb_str_of(json_string_value(value), json_string_length(value)),
                           ret_id);
}

static bool to_claims(const json_t *body, const char *issuer, struct comb_jwt_claims *ret_claims)
{
    const char *named = json_string_value(json_object_get(body, "iss"));
    const json_t *issue = json_object_get(body, "iat");
    const json_t *expire = json_object_get(body, "exp");
    if (!named || strcmp(named, issuer) != 0 || !json_is_integer(issue) || !json_is_integer(expire))
        return false;
    ret_claims->issue_s = json_integer_value(issue);
    ret_claims->expire_s = json_integer_value(expire);
    return to_id(body, "sub", &ret_claims->user) && to_id(body, "sid", &ret_claims->session);
}

enum comb_status comb_jwt_verify(struct grpcc_arena *arena, const struct comb_jwt_key *key,
                                 comb_str token, int64_t now_us, struct comb_jwt_claims *ret_claims,
                                 struct comb_error *err)
{
    struct parts parts;
    if (!split(token, &parts))
        return invalid("malformed", err);
    if (!is_our_head(arena, key, parts.head))
        return invalid("unknown key or algorithm", err);
    if (!is_signed(arena, key, &parts))
        return invalid("wrong signature", err);
    char *issuer = issuer_of(arena, key);
    if (!issuer)
        return comb_error_no_memory(err);
    json_t *body = decode(arena, parts.body);
    struct comb_jwt_claims claims = {0};
    bool readable = to_claims(body, issuer, &claims);
    json_decref(body);
    if (!readable)
        return invalid("wrong claims", err);
    if (claims.expire_s <= now_us / COMB_US_PER_S)
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_EXPIRED,
                              "the access token has expired; refresh it (comb.v1.Auth/Refresh)");
    *ret_claims = claims;
    return COMB_OK;
}
