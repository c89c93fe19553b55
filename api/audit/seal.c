/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "api/audit/trail.h"

/* The text that is signed. */
#define TEXT_MAX 256

const char *comb_audit_seal_kind_name(enum comb_audit_seal_kind kind)
{
    return kind == COMB_AUDIT_FLOOR ? "floor" : "head";
}

static size_t text_of(const struct comb_audit_seal *seal, const char *installation,
                      char text[TEXT_MAX])
{
    char hex[2 * COMB_AUDIT_HASH_SIZE + 1];
    for (size_t i = 0; i < COMB_AUDIT_HASH_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", seal->hash[i]);
    int length =
        snprintf(text, TEXT_MAX, "comb-audit-seal-1\n%s\n%.*s\n%" PRIu64 "\n%" PRId64 "\n%s\n",
                 comb_audit_seal_kind_name(seal->kind), COMB_AUDIT_INSTALLATION_MAX, installation,
                 seal->n, seal->time_us, hex);
    return (size_t)length;
}

bool comb_audit_seal_sign(struct comb_audit_seal *seal, const char *installation,
                          const uint8_t private_key[COMB_AUDIT_KEY_SIZE])
{
    char text[TEXT_MAX];
    size_t length = text_of(seal, installation, text), size = sizeof seal->signature;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, COMB_AUDIT_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = key && context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(context, seal->signature, &size, (const uint8_t *)text, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return ok;
}

bool comb_audit_seal_is_signed(const struct comb_audit_seal *seal, const char *installation,
                               const uint8_t public_key[COMB_AUDIT_KEY_SIZE])
{
    char text[TEXT_MAX];
    size_t length = text_of(seal, installation, text);
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, COMB_AUDIT_KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(context, seal->signature, sizeof seal->signature,
                               (const uint8_t *)text, length) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return ok;
}

bool comb_audit_public_key(const uint8_t private_key[COMB_AUDIT_KEY_SIZE],
                           uint8_t ret_public_key[COMB_AUDIT_KEY_SIZE])
{
    size_t size = COMB_AUDIT_KEY_SIZE;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key, COMB_AUDIT_KEY_SIZE);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, ret_public_key, &size) == 1;
    EVP_PKEY_free(key);
    return ok;
}

bool comb_audit_key_to_pem(const uint8_t public_key[COMB_AUDIT_KEY_SIZE],
                           char ret_pem[COMB_AUDIT_PEM_MAX])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, COMB_AUDIT_KEY_SIZE);
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = key && bio && PEM_write_bio_PUBKEY(bio, key) == 1;
    int length = ok ? BIO_read(bio, ret_pem, COMB_AUDIT_PEM_MAX - 1) : 0;
    BIO_free(bio);
    EVP_PKEY_free(key);
    if (length <= 0)
        return false;
    ret_pem[length] = '\0';
    return true;
}

bool comb_audit_key_from_pem(const char *pem, size_t size,
                             uint8_t ret_public_key[COMB_AUDIT_KEY_SIZE])
{
    size_t key_size = COMB_AUDIT_KEY_SIZE;
    BIO *bio = size <= INT32_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    bool ok = key && EVP_PKEY_id(key) == EVP_PKEY_ED25519 &&
              EVP_PKEY_get_raw_public_key(key, ret_public_key, &key_size) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok;
}
