/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys by name, for the service of the vault. All versions of a key are one secret of the vault
 * row, so that a rotation is one compare and set, and that no store forgets an old version. They
 * are used here and not by an engine of the store (Vault's transit): what is encrypted can be read
 * after a move to another driver, and both drivers do the same.
 *
 * A ciphertext is: "CV1", the key's version (4 bytes, big-endian), and what comb_seal() makes
 * (AES-256-GCM), bound to these seven bytes, the key's name and the caller's context.
 *
 * Threads: any. Blocks. UNAVAILABLE while the vault is away.
 */
#ifndef COMB_VAULT_KEYS_H
#define COMB_VAULT_KEYS_H

#include "server/vault/vault_driver.h"

#define COMB_VAULT_KEY_VERSIONS_MAX 1000
#define COMB_VAULT_PLAINTEXT_MAX ((size_t)1 << 20)
#define COMB_VAULT_CONTEXT_MAX 4096

struct comb_vault_key_info {
    uint32_t version, version_min; /* the newest; the oldest that may decrypt */
    int64_t create_us;             /* of the newest */
};

/* A repetition, known by request, answers the key as it is. ALREADY_EXISTS, KEY_TAKEN. */
enum comb_status comb_vault_keys_create(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str name, const struct comb_uuid *request,
                                        struct comb_vault_key_info *ret_info,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* version_min: 0, or the oldest version that may decrypt from then on; never lowered. NOT_FOUND,
 * KEY_NOT_FOUND; RESOURCE_EXHAUSTED: too many versions. A repetition answers the key as it is. */
enum comb_status comb_vault_keys_rotate(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str name, uint32_t version_min,
                                        const struct comb_uuid *request,
                                        struct comb_vault_key_info *ret_info,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_keys_get(struct comb_vault *vault, struct comb_ctx *ctx, comb_str name,
                                     struct comb_vault_key_info *ret_info,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* In ctx's arena. */
enum comb_status comb_vault_keys_encrypt(struct comb_vault *vault, struct comb_ctx *ctx,
                                         comb_str name, comb_str plaintext, comb_str context,
                                         comb_str *ret_ciphertext, uint32_t *ret_version,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* In ctx's arena, wiped with it. INVALID_ARGUMENT: not encrypted with this key in this context;
 * FAILED_PRECONDITION: with a version that is too old. */
enum comb_status comb_vault_keys_decrypt(struct comb_vault *vault, struct comb_ctx *ctx,
                                         comb_str name, comb_str ciphertext, comb_str context,
                                         comb_str *ret_plaintext,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* ---- rings in memory, of keys that are the server's own ---- */

/* All versions of a key, for many uses without asking the vault. No service shows such a key.
 * Threads: any number, of one that nobody frees. */
struct comb_vault_ring;

/* name: static. make: makes the key where there is none. NOT_FOUND, KEY_NOT_FOUND. */
enum comb_status comb_vault_ring_load(struct comb_vault *vault, struct comb_ctx *ctx,
                                      const char *name, bool make,
                                      struct comb_vault_ring **ret_ring,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* A new version of the key, once for each request. NOT_FOUND; RESOURCE_EXHAUSTED. */
enum comb_status comb_vault_ring_rotate(struct comb_vault *vault, struct comb_ctx *ctx,
                                        const char *name, const struct comb_uuid *request,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Wipes it. NULL is fine. */
void comb_vault_ring_free(struct comb_vault_ring *ring);
/* The newest: with which it encrypts. */
uint32_t comb_vault_ring_version(const struct comb_vault_ring *ring);
/* As comb_vault_keys_encrypt() and _decrypt() do. */
enum comb_status comb_vault_ring_encrypt(const struct comb_vault_ring *ring, struct comb_ctx *ctx,
                                         comb_str plaintext, comb_str context,
                                         comb_str *ret_ciphertext,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_ring_decrypt(const struct comb_vault_ring *ring, struct comb_ctx *ctx,
                                         comb_str ciphertext, comb_str context,
                                         comb_str *ret_plaintext,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The version of the key that made it; 0: it is no ciphertext. */
uint32_t comb_vault_ciphertext_version(comb_str ciphertext);
/* How much longer than its plaintext one is. */
#define COMB_VAULT_CIPHERTEXT_OVERHEAD 35

#endif
