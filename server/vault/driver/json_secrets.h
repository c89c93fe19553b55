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

#include "server/core/error.h"
#include "server/core/str.h"

struct json_version {
    char *value;
    size_t value_size;
    int64_t create_us;
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
};

/* Bytes that are wiped when they are freed. */
struct json_bytes {
    uint8_t *data;
    size_t size;
};
void json_bytes_free(struct json_bytes *bytes);

struct json_secret *json_secrets_find(const struct json_secrets *secrets, comb_str path);
/* Appends a version; the secret is made where there is none. RESOURCE_EXHAUSTED. */
enum comb_status json_secrets_append(struct json_secrets *secrets, comb_str path, comb_str value,
                                     int64_t create_us, struct comb_error *err) COMB_MUST_CHECK;
/* Takes the newest version of path back, and the secret with its first one. */
void json_secrets_take_back(struct json_secrets *secrets, comb_str path);
void json_secrets_free(struct json_secrets *secrets);

/* *ret_text is freed with json_bytes_free(). */
enum comb_status json_secrets_write(const struct json_secrets *secrets, struct json_bytes *ret_text,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* DATA_LOSS where the text is not what json_secrets_write() makes. *secrets must be empty. */
enum comb_status json_secrets_read(struct json_secrets *secrets, comb_str text,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
