/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/hash.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum comb_status comb_sha256_init(struct comb_sha256 *sha, struct comb_error *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return comb_error_no_memory(err);
    }
    sha->context = context;
    return COMB_OK;
}

void comb_sha256_update(struct comb_sha256 *sha, const void *data, size_t len)
{
    /* The built-in SHA-256 has no state in which this fails. */
    int ok = EVP_DigestUpdate(sha->context, data, len);
    assert(ok == 1);
    (void)ok;
}

void comb_sha256_finish(struct comb_sha256 *sha, uint8_t ret_digest[COMB_SHA256_SIZE])
{
    int ok = EVP_DigestFinal_ex(sha->context, ret_digest, NULL);
    assert(ok == 1);
    ok = EVP_DigestInit_ex(sha->context, NULL, NULL);
    assert(ok == 1);
    (void)ok;
}

void comb_sha256_done(struct comb_sha256 *sha)
{
    EVP_MD_CTX_free(sha->context);
    sha->context = NULL;
}

enum comb_status comb_sha256(comb_str data, uint8_t ret_digest[COMB_SHA256_SIZE],
                             struct comb_error *err)
{
    if (EVP_Digest(data.ptr, data.len, ret_digest, NULL, EVP_sha256(), NULL) != 1)
        return comb_error_no_memory(err);
    return COMB_OK;
}

enum comb_status comb_hmac_sha256(comb_str key, comb_str data, uint8_t ret_mac[COMB_SHA256_SIZE],
                                  struct comb_error *err)
{
    assert(key.len <= INT_MAX);
    if (!HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)data.ptr, data.len,
              ret_mac, NULL))
        return comb_error_no_memory(err);
    return COMB_OK;
}

bool comb_secret_equal(comb_str a, comb_str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

char *comb_hex_encode(struct grpcc_arena *arena, comb_str data)
{
    static const char digits[] = "0123456789abcdef";
    char *text = data.len < SIZE_MAX / 2 ? grpcc_arena_alloc(arena, data.len * 2 + 1) : NULL;
    if (!text)
        return NULL;
    for (size_t i = 0; i < data.len; i++) {
        text[2 * i] = digits[(unsigned char)data.ptr[i] >> 4];
        text[2 * i + 1] = digits[(unsigned char)data.ptr[i] & 0x0F];
    }
    text[2 * data.len] = '\0';
    return text;
}

bool comb_hex_decode(comb_str text, void *ret_data, size_t size)
{
    if (text.len % 2 != 0 || text.len / 2 != size)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (OPENSSL_hexchar2int((unsigned char)text.ptr[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)ret_data)[i] =
            (uint8_t)(OPENSSL_hexchar2int((unsigned char)text.ptr[2 * i]) << 4 |
                      OPENSSL_hexchar2int((unsigned char)text.ptr[2 * i + 1]));
    return true;
}

/* EVP_EncodeBlock() counts in int; no token is near this. */
enum { BASE64_BYTES_MAX = 64 << 20 };

char *comb_base64url_encode(struct grpcc_arena *arena, comb_str data)
{
    if (data.len > BASE64_BYTES_MAX)
        return NULL;
    char *text = grpcc_arena_alloc(arena, (data.len + 2) / 3 * 4 + 1);
    if (!text)
        return NULL;
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data.ptr, (int)data.len);
    size_t len = (data.len * 8 + 5) / 6;
    text[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '+')
            text[i] = '-';
        else if (text[i] == '/')
            text[i] = '_';
    }
    return text;
}

/* The text with the alphabet and the padding of plain base64; NULL: not base64url, or no room. */
static char *to_plain_base64(struct grpcc_arena *arena, comb_str text, size_t padded)
{
    char *plain = grpcc_arena_alloc(arena, padded + 1);
    if (!plain)
        return NULL;
    for (size_t i = 0; i < padded; i++) {
        char c = i < text.len ? text.ptr[i] : 'A';
        if (c == '+' || c == '/' || c == '=' || c <= ' ')
            return NULL;
        plain[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    plain[padded] = '\0';
    return plain;
}

bool comb_base64url_decode(struct grpcc_arena *arena, comb_str text, comb_str *ret_data)
{
    if (text.len > BASE64_BYTES_MAX || text.len % 4 == 1)
        return false;
    size_t padded = (text.len + 3) / 4 * 4, len = text.len * 6 / 8;
    char *plain = to_plain_base64(arena, text, padded);
    unsigned char *data = grpcc_arena_alloc(arena, padded / 4 * 3 + 1);
    if (!plain || !data)
        return false;
    if (padded > 0 && EVP_DecodeBlock(data, (unsigned char *)plain, (int)padded) < 0)
        return false;
    /* Bits that are left over must be zero: one value has one text. They are in the bytes behind,
     * since the padding was written as 'A', six zero bits. */
    for (size_t i = len; i < padded / 4 * 3; i++) {
        if (data[i] != 0)
            return false;
    }
    *ret_data = comb_str_of(data, len);
    return true;
}
