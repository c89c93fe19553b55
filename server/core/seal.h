/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authenticated encryption of small things, AES-256-GCM: what is sealed cannot be read or changed
 * without the key, and opens only under the same additional data (what it is bound to).
 *
 * Sealed form: 12 bytes random nonce, ciphertext, 16 bytes tag. One key seals at most 2^32 times.
 */
#ifndef COMB_CORE_SEAL_H
#define COMB_CORE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "server/core/error.h"
#include "server/core/str.h"

#define COMB_SEAL_KEY_SIZE 32
#define COMB_SEAL_OVERHEAD 28

/* *ret_sealed lives in arena. RESOURCE_EXHAUSTED: no room. */
enum comb_status comb_seal(struct grpcc_arena *arena, const uint8_t key[COMB_SEAL_KEY_SIZE],
                           comb_str plain, comb_str bound_to, comb_str *ret_sealed,
                           struct comb_error *err) COMB_MUST_CHECK;
/* *ret_plain lives in arena. INVALID_ARGUMENT: not sealed with this key for this, or changed;
 * RESOURCE_EXHAUSTED: no room. */
enum comb_status comb_seal_open(struct grpcc_arena *arena, const uint8_t key[COMB_SEAL_KEY_SIZE],
                                comb_str sealed, comb_str bound_to, comb_str *ret_plain,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
