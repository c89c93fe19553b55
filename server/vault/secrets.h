/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets as administrators see them: all of the vault row but what is the server's own, which is
 * INVALID_ARGUMENT. Threads: any. Blocks.
 */
#ifndef COMB_VAULT_SECRETS_H
#define COMB_VAULT_SECRETS_H

#include "server/vault/vault_driver.h"

/* expected: the newest version so far, NULL: whatever it is. FAILED_PRECONDITION, ETAG_MISMATCH: it
 * is another. A repetition, known by request_id, answers the version that it made; without expected
 * only while that is the newest one. */
enum comb_status comb_vault_secrets_put(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str path, comb_str value, const uint32_t *expected,
                                        const struct comb_uuid *request, uint32_t *ret_version,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_secrets_get(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str path, uint32_t version,
                                        struct comb_vault_secret *ret_secret,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Without the folders of the server. */
enum comb_status comb_vault_secrets_list(struct comb_vault *vault, struct comb_ctx *ctx,
                                         comb_str folder, comb_str after, size_t limit,
                                         struct comb_vault_names *ret_names,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_secrets_versions(struct comb_vault *vault, struct comb_ctx *ctx,
                                             comb_str path,
                                             struct comb_vault_version **ret_versions,
                                             size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;
/* No versions: the newest one. */
enum comb_status comb_vault_secrets_change(struct comb_vault *vault, struct comb_ctx *ctx,
                                           comb_str path, enum comb_vault_change change,
                                           const uint32_t *versions, size_t n_versions,
                                           struct comb_error *err) COMB_MUST_CHECK;

#endif
