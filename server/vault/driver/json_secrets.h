/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of a json vault in memory, and as text.
 *
 * All memory that ever holds a secret is wiped before it is given back. Threads: one at a time.
 */
#ifndef COMB_VAULT_JSON_SECRETS_H
#define COMB_VAULT_JSON_SECRETS_H

#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "server/core/error.h"
#include "server/core/str.h"

/* Values lie sealed in memory, by a key that core files leave out; see json_secrets_init(). */
struct json_version {
    char *sealed; /* NULL: destroyed */
    size_t sealed_size;
    char *request_id; /* NULL: none */
    int64_t create_us;
    int64_t delete_us; /* 0: not deleted */
};

/* Version n of the secret is versions[n - 1]: none is ever removed. */
struct json_secret {
    char *path;
    size_t path_length;
    struct json_version *versions;
    size_t n_versions;
};

struct json_secrets {
    struct json_secret *items;
    size_t n_items;
    void *memory_key; /* a page of its own */
};

/* Bytes that are wiped when they are freed. */
struct json_bytes {
    uint8_t *data;
    size_t size;
};
void json_bytes_free(struct json_bytes *bytes);

/* Makes the key that values are sealed with while they are in memory. RESOURCE_EXHAUSTED. */
enum comb_status json_secrets_init(struct json_secrets *secrets,
                                   struct comb_error *err) COMB_MUST_CHECK;
struct json_secret *json_secrets_find(const struct json_secrets *secrets, comb_str path);
/* The value of a version that is not destroyed, in arena, for the caller to wipe. */
enum comb_status json_secrets_value(const struct json_secrets *secrets,
                                    const struct json_version *version, struct grpcc_arena *arena,
                                    comb_str *ret_value, struct comb_error *err) COMB_MUST_CHECK;
/* Appends a version; the secret is made where there is none. value NULL: destroyed. times:
 * create_us and delete_us are taken. RESOURCE_EXHAUSTED. */
enum comb_status json_secrets_append(struct json_secrets *secrets, comb_str path,
                                     const comb_str *value, comb_str request_id,
                                     const struct json_version *times,
                                     struct comb_error *err) COMB_MUST_CHECK;
void json_version_done(struct json_version *version);
/* Takes the newest version of path back, and the secret with its first one. */
void json_secrets_take_back(struct json_secrets *secrets, comb_str path);
/* All of it, and the key. */
void json_secrets_done(struct json_secrets *secrets);

/* *ret_text is freed with json_bytes_free(). */
enum comb_status json_secrets_write(const struct json_secrets *secrets, struct json_bytes *ret_text,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* DATA_LOSS where the text is not what json_secrets_write() makes. *secrets must be empty; on
 * failure it is left half filled. */
enum comb_status json_secrets_read(struct json_secrets *secrets, comb_str text,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
