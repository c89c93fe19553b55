/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/secrets.h"

#include "comb/v1/errors.grpcc.h"

/* Others may put in between. */
#define WRITES_MAX 8

static enum comb_status check(const char *field, comb_str path, struct comb_error *err)
{
    if (!comb_vault_path_is_reserved(path))
        return COMB_OK;
    return comb_error_field(err, field,
                            "is the server's own: take a path outside of \"keys/\" and "
                            "\"named-keys/\"");
}

/* The newest version so far; 0: none. */
static enum comb_status newest(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                               uint32_t *ret_version, struct comb_error *err)
{
    struct comb_vault_version *versions;
    size_t n = 0;
    enum comb_status status = comb_vault_versions(vault, ctx, path, &versions, &n, err);
    if (status != COMB_OK && status != COMB_NOT_FOUND)
        return status;
    *ret_version = status == COMB_OK && n > 0 ? versions[n - 1].version : 0;
    return COMB_OK;
}

static enum comb_status put_whatever_is_there(struct comb_vault *vault, struct comb_ctx *ctx,
                                              comb_str path, struct comb_vault_put *put,
                                              uint32_t *ret_version, struct comb_error *err)
{
    enum comb_status status = COMB_ABORTED;
    for (int i = 0; i < WRITES_MAX && status == COMB_ABORTED; i++) {
        struct comb_vault_secret there;
        status = newest(vault, ctx, path, &put->expected, err);
        if (status == COMB_OK && put->expected > 0 &&
            comb_vault_get(vault, ctx, path, put->expected, &there, NULL) == COMB_OK &&
            comb_str_equal(there.request_id, put->request_id)) {
            if (!comb_str_equal(there.value, put->value))
                return comb_vault_reused(err);
            *ret_version = there.version;
            return COMB_OK;
        }
        if (status == COMB_OK)
            status = comb_vault_put_once(vault, ctx, path, put, ret_version, err);
    }
    return status;
}

enum comb_status comb_vault_secrets_put(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str path, comb_str value, const uint32_t *expected,
                                        const struct comb_uuid *request, uint32_t *ret_version,
                                        struct comb_error *err)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];
    comb_uuid_format(request, id);
    struct comb_vault_put put = {
        .value = value, .expected = expected ? *expected : 0, .request_id = comb_str_from(id)};
    enum comb_status status = check("path", path, err);
    if (status != COMB_OK)
        return status;
    if (value.len > COMB_VAULT_VALUE_MAX)
        return comb_error_field(err, "value", "has at most %d bytes", COMB_VAULT_VALUE_MAX);
    if (!expected)
        return put_whatever_is_there(vault, ctx, path, &put, ret_version, err);
    status = comb_vault_put_once(vault, ctx, path, &put, ret_version, err);
    if (status == COMB_ABORTED)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH,
                              "the newest version of the secret is not %u", *expected);
    return status;
}

enum comb_status comb_vault_secrets_get(struct comb_vault *vault, struct comb_ctx *ctx,
                                        comb_str path, uint32_t version,
                                        struct comb_vault_secret *ret_secret,
                                        struct comb_error *err)
{
    enum comb_status status = check("path", path, err);
    return status == COMB_OK ? comb_vault_get(vault, ctx, path, version, ret_secret, err) : status;
}

enum comb_status comb_vault_secrets_list(struct comb_vault *vault, struct comb_ctx *ctx,
                                         comb_str folder, comb_str after, size_t limit,
                                         struct comb_vault_names *ret_names, struct comb_error *err)
{
    enum comb_status status = check("folder", folder, err);
    if (status == COMB_OK)
        status = comb_vault_list(vault, ctx, folder, after, limit, ret_names, err);
    if (status != COMB_OK || folder.len > 0 || ret_names->n == 0)
        return status;
    size_t n = 0;
    for (size_t i = 0; i < ret_names->n; i++) {
        if (!comb_vault_path_is_reserved(ret_names->names[i]))
            ret_names->names[n++] = ret_names->names[i];
    }
    ret_names->n = n;
    return COMB_OK;
}

enum comb_status comb_vault_secrets_versions(struct comb_vault *vault, struct comb_ctx *ctx,
                                             comb_str path,
                                             struct comb_vault_version **ret_versions,
                                             size_t *ret_n, struct comb_error *err)
{
    enum comb_status status = check("path", path, err);
    return status == COMB_OK ? comb_vault_versions(vault, ctx, path, ret_versions, ret_n, err)
                             : status;
}

enum comb_status comb_vault_secrets_change(struct comb_vault *vault, struct comb_ctx *ctx,
                                           comb_str path, enum comb_vault_change change,
                                           const uint32_t *versions, size_t n_versions,
                                           struct comb_error *err)
{
    uint32_t last = 0;
    enum comb_status status = check("path", path, err);
    if (status == COMB_OK && n_versions == 0 && change == COMB_VAULT_DESTROY)
        status = comb_error_field(err, "versions", "must be named: what is destroyed is gone");
    if (status == COMB_OK && n_versions == 0) {
        status = newest(vault, ctx, path, &last, err);
        versions = &last;
        n_versions = 1;
    }
    return status == COMB_OK
               ? comb_vault_change(vault, ctx, path, change, versions, n_versions, err)
               : status;
}
