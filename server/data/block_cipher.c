/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/block_cipher.h"

#include <openssl/evp.h>
#include <string.h>

#include "server/core/memory.h"

enum { NONCE_SIZE = 12, NUMBER_SIZE = 8, UUID_SIZE = 16, BOUND_SIZE = UUID_SIZE + NUMBER_SIZE + 1 };

struct comb_block_cipher {
    EVP_CIPHER_CTX *evp;
    struct comb_uuid object;
};

/* What a block is authenticated with, and its nonce. */
struct place {
    uint8_t bound[BOUND_SIZE]; /* object, number, 1 for the last block */
    uint8_t nonce[NONCE_SIZE]; /* four zeros, number */
};

uint64_t comb_blocks_of(uint64_t size)
{
    return size == 0 ? 1 : (size - 1) / COMB_BLOCK_BYTES + 1;
}

uint64_t comb_blocks_stored(uint64_t size)
{
    return size + comb_blocks_of(size) * COMB_BLOCK_TAG_BYTES;
}

enum comb_status comb_block_cipher_new(bool seals, const uint8_t key[COMB_BLOCK_KEY_BYTES],
                                       const struct comb_uuid *object,
                                       struct comb_block_cipher **ret_cipher,
                                       struct comb_error *err)
{
    struct comb_block_cipher *cipher = comb_memory_zalloc(sizeof *cipher);

    if (!cipher)
        return comb_error_no_memory(err);
    cipher->object = *object;
    cipher->evp = EVP_CIPHER_CTX_new();
    if (!cipher->evp ||
        EVP_CipherInit_ex(cipher->evp, EVP_aes_256_gcm(), NULL, key, NULL, seals) != 1) {
        comb_block_cipher_free(cipher);
        return comb_error_no_memory(err);
    }
    *ret_cipher = cipher;
    return COMB_OK;
}

void comb_block_cipher_free(struct comb_block_cipher *cipher)
{
    if (!cipher)
        return;
    EVP_CIPHER_CTX_free(cipher->evp); /* wipes the key */
    comb_memory_free(cipher);
}

static struct place place_of(const struct comb_block_cipher *cipher, uint64_t number, bool is_last)
{
    struct place place = {.nonce = {0}};

    memcpy(place.bound, cipher->object.bytes, UUID_SIZE);
    for (int i = 0; i < NUMBER_SIZE; i++)
        place.bound[UUID_SIZE + i] = (uint8_t)(number >> (56 - 8 * i));
    place.bound[UUID_SIZE + NUMBER_SIZE] = is_last;
    memcpy(place.nonce + NONCE_SIZE - NUMBER_SIZE, place.bound + UUID_SIZE, NUMBER_SIZE);
    return place;
}

/* All of a block but its tag. */
static bool run(struct comb_block_cipher *cipher, const struct place *place, const uint8_t *from,
                size_t len, uint8_t *to)
{
    int n = 0;

    return EVP_CipherInit_ex(cipher->evp, NULL, NULL, NULL, place->nonce, -1) == 1 &&
           EVP_CipherUpdate(cipher->evp, NULL, &n, place->bound, sizeof place->bound) == 1 &&
           (len == 0 || EVP_CipherUpdate(cipher->evp, to, &n, from, (int)len) == 1);
}

enum comb_status comb_block_seal(struct comb_block_cipher *cipher, uint64_t number, bool is_last,
                                 comb_str plain, void *ret_stored, struct comb_error *err)
{
    const struct place place = place_of(cipher, number, is_last);
    uint8_t *stored = ret_stored, *tag = stored + plain.len;
    int n = 0;

    if (plain.len > COMB_BLOCK_BYTES ||
        !run(cipher, &place, (const uint8_t *)plain.ptr, plain.len, stored) ||
        EVP_CipherFinal_ex(cipher->evp, tag, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher->evp, EVP_CTRL_GCM_GET_TAG, COMB_BLOCK_TAG_BYTES, tag) != 1)
        return comb_error_set(err, COMB_INTERNAL, 0, "a block could not be encrypted");
    return COMB_OK;
}

enum comb_status comb_block_open(struct comb_block_cipher *cipher, uint64_t number, bool is_last,
                                 void *stored, size_t len, struct comb_error *err)
{
    const struct place place = place_of(cipher, number, is_last);
    uint8_t *bytes = stored, end[COMB_BLOCK_TAG_BYTES];
    int n = 0;

    if (len >= COMB_BLOCK_TAG_BYTES && len <= COMB_BLOCK_STORED_BYTES &&
        run(cipher, &place, bytes, len - COMB_BLOCK_TAG_BYTES, bytes) &&
        EVP_CIPHER_CTX_ctrl(cipher->evp, EVP_CTRL_GCM_SET_TAG, COMB_BLOCK_TAG_BYTES,
                            bytes + len - COMB_BLOCK_TAG_BYTES) == 1 &&
        EVP_CipherFinal_ex(cipher->evp, end, &n) == 1)
        return COMB_OK;
    /* It has been decrypted in place before its tag was looked at. */
    comb_memory_wipe(stored, len);
    return comb_error_set(err, COMB_DATA_LOSS, 0,
                          "the stored bytes of the content were changed: block %llu",
                          (unsigned long long)number);
}
