/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a json vault: PATH is sealed with AES-256-GCM, PATH.key holds the key unless it
 * comes out of a passphrase, PATH.key.next the key to change to, PATH.lock keeps a second process
 * out.
 *
 * PATH is: magic (8 bytes), with a passphrase Argon2id's salt (16), fingerprint of the key (8),
 * nonce (12), ciphertext, tag (16). What stands before the nonce is authenticated too. The
 * fingerprint tells a wrong key from a damaged file.
 */
#ifndef COMB_VAULT_JSON_FILE_H
#define COMB_VAULT_JSON_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "server/core/error.h"
#include "server/core/str.h"

struct json_file;

/* Largest vault; a larger one is refused when written and when read. Twice that fits an arena. */
#define JSON_FILE_BYTES_MAX ((size_t)16 << 20)

/*
 * Takes the lock and reads the key, which is made where neither key nor vault is there.
 * passphrases: empty, or the passphrase to seal with and, on a second line, the one before. Errors:
 * FAILED_PRECONDITION (another process has it; the key is missing, open to others or no key),
 * UNAVAILABLE or RESOURCE_EXHAUSTED (files cannot be read or made).
 */
enum comb_status json_file_open(comb_str path, comb_str passphrases, struct json_file **ret_file,
                                struct comb_error *err) COMB_MUST_CHECK;
/* The text last written, in arena, for the caller to wipe; untouched where there is no vault yet.
 * DATA_LOSS: damaged. FAILED_PRECONDITION: sealed with another key. */
enum comb_status json_file_read(struct json_file *file, struct grpcc_arena *arena,
                                comb_str *ret_text, struct comb_error *err) COMB_MUST_CHECK;
/* Whether the vault has to be written, though nothing changed: it is new, or lies under another key
 * than it shall. */
bool json_file_is_stale(const struct json_file *file);
/* Durable when it returns OK; on failure the old text stands, unless err->ambiguous. */
enum comb_status json_file_write(struct json_file *file, comb_str text,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Whether a write of now would succeed, as far as one of a block tells; nothing changes. */
enum comb_status json_file_try(struct json_file *file, struct comb_error *err) COMB_MUST_CHECK;
void json_file_close(struct json_file *file);

#endif
