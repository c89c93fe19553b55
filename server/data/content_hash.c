/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The EVP interface of OpenSSL 3 keeps its state to itself. These older functions are the same code
 * below, and their state is a plain struct; that they are called deprecated is known.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "server/data/content_hash.h"

/* The saved state: the version, the eight words, big endian, and the bytes of the unfinished
 * block. */
#define VERSION 1
#define WORDS 8
#define HEAD (1 + 4 * WORDS)

void comb_content_hash_init(struct comb_content_hash *hash)
{
    SHA256_Init(&hash->sha);
    hash->bytes = 0;
}

void comb_content_hash_update(struct comb_content_hash *hash, comb_str bytes)
{
    SHA256_Update(&hash->sha, bytes.ptr, bytes.len);
    hash->bytes += bytes.len;
}

void comb_content_hash_digest(const struct comb_content_hash *hash,
                              uint8_t ret_digest[COMB_SHA256_SIZE])
{
    SHA256_CTX copy = hash->sha;

    SHA256_Final(ret_digest, &copy);
}

struct comb_data_hashed comb_content_hash_save(const struct comb_content_hash *hash,
                                               char buffer[COMB_DATA_HASH_STATE_MAX])
{
    size_t rest = (size_t)(hash->bytes % SHA256_CBLOCK);

    buffer[0] = VERSION;
    for (size_t i = 0; i < WORDS; i++) {
        for (size_t j = 0; j < 4; j++)
            buffer[1 + 4 * i + j] = (char)(hash->sha.h[i] >> (24 - 8 * j));
    }
    memcpy(buffer + HEAD, hash->sha.data, rest);
    return (struct comb_data_hashed){hash->bytes, comb_str_of(buffer, HEAD + rest)};
}

bool comb_content_hash_load(const struct comb_data_hashed *saved,
                            struct comb_content_hash *ret_hash)
{
    const unsigned char *state = (const unsigned char *)saved->state.ptr;
    size_t rest = (size_t)(saved->bytes % SHA256_CBLOCK);
    struct comb_content_hash hash;

    comb_content_hash_init(&hash);
    if (saved->bytes == 0) {
        *ret_hash = hash;
        return saved->state.len == 0;
    }
    if (saved->state.len != HEAD + rest || state[0] != VERSION)
        return false;
    for (size_t i = 0; i < WORDS; i++)
        hash.sha.h[i] = (SHA_LONG)state[1 + 4 * i] << 24 | (SHA_LONG)state[2 + 4 * i] << 16 |
                        (SHA_LONG)state[3 + 4 * i] << 8 | (SHA_LONG)state[4 + 4 * i];
    memcpy(hash.sha.data, state + HEAD, rest);
    hash.sha.num = (unsigned int)rest;
    hash.sha.Nl = (SHA_LONG)(saved->bytes << 3);
    hash.sha.Nh = (SHA_LONG)(saved->bytes >> 29);
    hash.bytes = saved->bytes;
    *ret_hash = hash;
    return true;
}
