/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/seal.h"

#include <openssl/evp.h>

#include "server/core/memory.h"
#include "server/core/random.h"

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };
/* OpenSSL counts in int; what is sealed here is tokens and keys. */
enum { SEALED_BYTES_MAX = 64 << 20 };

static void cipher_free(EVP_CIPHER_CTX **cipher)
{
    EVP_CIPHER_CTX_free(*cipher);
}

static bool encrypt(const uint8_t *key, comb_str plain, comb_str bound_to, uint8_t *sealed)
{
    COMB_CLEANUP(cipher_free) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    uint8_t *text = sealed + NONCE_SIZE;
    int n = 0;
    return cipher && EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
           EVP_EncryptUpdate(cipher, NULL, &n, (const uint8_t *)bound_to.ptr, (int)bound_to.len) ==
               1 &&
           EVP_EncryptUpdate(cipher, text, &n, (const uint8_t *)plain.ptr, (int)plain.len) == 1 &&
           EVP_EncryptFinal_ex(cipher, text + plain.len, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE, text + plain.len) == 1;
}

enum comb_status comb_seal(struct grpcc_arena *arena, const uint8_t key[COMB_SEAL_KEY_SIZE],
                           comb_str plain, comb_str bound_to, comb_str *ret_sealed,
                           struct comb_error *err)
{
    if (plain.len > SEALED_BYTES_MAX || bound_to.len > SEALED_BYTES_MAX)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "too much to seal in one piece");
    size_t size = plain.len + COMB_SEAL_OVERHEAD;
    uint8_t *sealed = grpcc_arena_alloc(arena, size);
    if (!sealed)
        return comb_error_no_memory(err);
    comb_random(sealed, NONCE_SIZE);
    if (!encrypt(key, plain, bound_to, sealed))
        return comb_error_no_memory(err);
    *ret_sealed = comb_str_of(sealed, size);
    return COMB_OK;
}

static bool decrypt(const uint8_t *key, const uint8_t *sealed, size_t len, comb_str bound_to,
                    uint8_t *plain)
{
    COMB_CLEANUP(cipher_free) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    const uint8_t *text = sealed + NONCE_SIZE;
    uint8_t tag[TAG_SIZE];
    int n = 0;
    memcpy(tag, text + len, TAG_SIZE);
    return cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
           EVP_DecryptUpdate(cipher, NULL, &n, (const uint8_t *)bound_to.ptr, (int)bound_to.len) ==
               1 &&
           EVP_DecryptUpdate(cipher, plain, &n, text, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, plain + len, &n) == 1;
}

enum comb_status comb_seal_open(struct grpcc_arena *arena, const uint8_t key[COMB_SEAL_KEY_SIZE],
                                comb_str sealed, comb_str bound_to, comb_str *ret_plain,
                                struct comb_error *err)
{
    if (sealed.len < COMB_SEAL_OVERHEAD || sealed.len > SEALED_BYTES_MAX ||
        bound_to.len > SEALED_BYTES_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "not a sealed value");
    size_t len = sealed.len - COMB_SEAL_OVERHEAD;
    uint8_t *plain = grpcc_arena_alloc(arena, len);
    if (!plain)
        return comb_error_no_memory(err);
    if (!decrypt(key, (const uint8_t *)sealed.ptr, len, bound_to, plain)) {
        /* Before the tag was checked the text has been decrypted into plain. */
        comb_memory_wipe(plain, len);
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "sealed with another key, for something else, or changed");
    }
    *ret_plain = comb_str_of(plain, len);
    return COMB_OK;
}
