/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/vault_rpc.h"

#include "comb/v1/vault.grpcc.h"
#include "server/core/timestamp.h"
#include "server/vault/keys.h"
#include "server/vault/secrets.h"

static comb_str bytes_of(ProtobufCBinaryData data)
{
    return comb_str_of(data.data, data.len);
}

static ProtobufCBinaryData data_of(comb_str bytes)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)bytes.ptr, .len = bytes.len};
}

/* ---- secrets ---- */

static void rpc_put(void *self, struct grpcc_call *call,
                    const struct comb_v1_vault_put_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_put_response *response = comb_v1_vault_put_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    /* The secret leaves no trace outside of the vault, which compares it itself. */
    struct comb_v1_vault_put_request open = *request;
    open.value = (ProtobufCBinaryData){0};
    enum comb_status status =
        response ? comb_rpc_claim(call, rpc->mutations, request->request_id, &open.base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_secrets_put(
            rpc->vault, ctx, comb_str_from(request->path), bytes_of(request->value),
            request->has_expected_version ? &request->expected_version : NULL, &key.id,
            &response->version, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_get(void *self, struct grpcc_call *call,
                    const struct comb_v1_vault_get_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_get_response *response = comb_v1_vault_get_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_vault_secret secret;
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_secrets_get(rpc->vault, ctx, comb_str_from(request->path),
                                        request->version, &secret, &err);
    if (status == COMB_OK) {
        response->value = data_of(secret.value);
        response->version = secret.version;
        response->create_time = comb_timestamp_new(ctx->arena, secret.create_us);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status fill_page(const struct comb_vault_rpc *rpc, struct comb_ctx *ctx,
                                  const struct comb_vault_names *names, comb_str query,
                                  struct comb_v1_vault_list_response *response,
                                  struct comb_error *err)
{
    for (size_t i = 0; i < names->n; i++) {
        const char *name = comb_str_dup(ctx->arena, names->names[i]);
        if (!name || !comb_v1_vault_list_response_add_names(ctx->arena, response, name))
            return comb_error_no_memory(err);
    }
    if (!names->more)
        return COMB_OK;
    return comb_page_token_seal(rpc->sealer, ctx, query, names->last, &response->next_page_token,
                                err);
}

static void rpc_list(void *self, struct grpcc_call *call,
                     const struct comb_v1_vault_list_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_list_response *response = comb_v1_vault_list_response_new(ctx->arena);
    struct comb_error err = {0};
    comb_str folder = comb_str_from(request->folder), after = {0};
    struct comb_vault_names names;
    size_t size = 0;
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, folder, request->page_token, &after, &err);
    if (status == COMB_OK)
        status = comb_vault_secrets_list(rpc->vault, ctx, folder, after, size, &names, &err);
    if (status == COMB_OK)
        status = fill_page(rpc, ctx, &names, folder, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static enum comb_status add_version(struct comb_ctx *ctx, const struct comb_vault_version *version,
                                    struct comb_v1_vault_list_versions_response *response,
                                    struct comb_error *err)
{
    struct comb_v1_vault_version *message = comb_v1_vault_version_new(ctx->arena);
    if (!message)
        return comb_error_no_memory(err);
    message->version = version->version;
    message->create_time = comb_timestamp_new(ctx->arena, version->create_us);
    message->delete_time =
        version->delete_us ? comb_timestamp_new(ctx->arena, version->delete_us) : NULL;
    message->destroyed = version->destroyed;
    if (!comb_v1_vault_list_versions_response_add_versions(ctx->arena, response, message))
        return comb_error_no_memory(err);
    return COMB_OK;
}

static void rpc_list_versions(void *self, struct grpcc_call *call,
                              const struct comb_v1_vault_list_versions_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_list_versions_response *response =
        comb_v1_vault_list_versions_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_vault_version *versions = NULL;
    size_t n = 0;
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_secrets_versions(rpc->vault, ctx, comb_str_from(request->path),
                                             &versions, &n, &err);
    for (size_t i = 0; status == COMB_OK && i < n; i++)
        status = add_version(ctx, &versions[i], response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_delete(void *self, struct grpcc_call *call,
                       const struct comb_v1_vault_delete_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_delete_response *response = comb_v1_vault_delete_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status = response ? comb_rpc_claim(call, rpc->mutations, request->request_id,
                                                        &request->base, &key, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_secrets_change(rpc->vault, ctx, comb_str_from(request->path),
                                           COMB_VAULT_DELETE, request->versions,
                                           request->n_versions, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_undelete(void *self, struct grpcc_call *call,
                         const struct comb_v1_vault_undelete_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_undelete_response *response =
        comb_v1_vault_undelete_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status = response ? comb_rpc_claim(call, rpc->mutations, request->request_id,
                                                        &request->base, &key, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_secrets_change(rpc->vault, ctx, comb_str_from(request->path),
                                           COMB_VAULT_UNDELETE, request->versions,
                                           request->n_versions, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_destroy(void *self, struct grpcc_call *call,
                        const struct comb_v1_vault_destroy_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_destroy_response *response =
        comb_v1_vault_destroy_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    enum comb_status status = response ? comb_rpc_claim(call, rpc->mutations, request->request_id,
                                                        &request->base, &key, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_secrets_change(rpc->vault, ctx, comb_str_from(request->path),
                                           COMB_VAULT_DESTROY, request->versions,
                                           request->n_versions, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- keys ---- */

static enum comb_status key_message(struct comb_ctx *ctx, const char *name,
                                    const struct comb_vault_key_info *info,
                                    struct comb_v1_vault_key **ret_key, struct comb_error *err)
{
    struct comb_v1_vault_key *key = comb_v1_vault_key_new(ctx->arena);
    if (!key)
        return comb_error_no_memory(err);
    comb_v1_vault_key_set_name(key, name);
    key->version = info->version;
    key->version_min = info->version_min;
    key->create_time = comb_timestamp_new(ctx->arena, info->create_us);
    *ret_key = key;
    return COMB_OK;
}

static void rpc_create_key(void *self, struct grpcc_call *call,
                           const struct comb_v1_vault_create_key_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_create_key_response *response =
        comb_v1_vault_create_key_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    struct comb_vault_key_info info;
    enum comb_status status = response ? comb_rpc_claim(call, rpc->mutations, request->request_id,
                                                        &request->base, &key, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_keys_create(rpc->vault, ctx, comb_str_from(request->name), &key.id,
                                        &info, &err);
    if (status == COMB_OK)
        status = key_message(ctx, request->name, &info, &response->key, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_rotate_key(void *self, struct grpcc_call *call,
                           const struct comb_v1_vault_rotate_key_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_rotate_key_response *response =
        comb_v1_vault_rotate_key_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_request_key key;
    struct comb_vault_key_info info;
    enum comb_status status = response ? comb_rpc_claim(call, rpc->mutations, request->request_id,
                                                        &request->base, &key, &err)
                                       : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_keys_rotate(rpc->vault, ctx, comb_str_from(request->name),
                                        request->version_min, &key.id, &info, &err);
    if (status == COMB_OK)
        status = key_message(ctx, request->name, &info, &response->key, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_get_key(void *self, struct grpcc_call *call,
                        const struct comb_v1_vault_get_key_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_get_key_response *response =
        comb_v1_vault_get_key_response_new(ctx->arena);
    struct comb_error err = {0};
    struct comb_vault_key_info info;
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_keys_get(rpc->vault, ctx, comb_str_from(request->name), &info, &err);
    if (status == COMB_OK)
        status = key_message(ctx, request->name, &info, &response->key, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_encrypt(void *self, struct grpcc_call *call,
                        const struct comb_v1_vault_encrypt_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_encrypt_response *response =
        comb_v1_vault_encrypt_response_new(ctx->arena);
    struct comb_error err = {0};
    comb_str ciphertext = {0};
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_keys_encrypt(rpc->vault, ctx, comb_str_from(request->name),
                                         bytes_of(request->plaintext), bytes_of(request->context),
                                         &ciphertext, &response->key_version, &err);
    if (status == COMB_OK)
        response->ciphertext = data_of(ciphertext);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_decrypt(void *self, struct grpcc_call *call,
                        const struct comb_v1_vault_decrypt_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_decrypt_response *response =
        comb_v1_vault_decrypt_response_new(ctx->arena);
    struct comb_error err = {0};
    comb_str plaintext = {0};
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_keys_decrypt(rpc->vault, ctx, comb_str_from(request->name),
                                         bytes_of(request->ciphertext), bytes_of(request->context),
                                         &plaintext, &err);
    if (status == COMB_OK)
        response->plaintext = data_of(plaintext);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_rewrap(void *self, struct grpcc_call *call,
                       const struct comb_v1_vault_rewrap_request *request)
{
    const struct comb_vault_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_vault_rewrap_response *response = comb_v1_vault_rewrap_response_new(ctx->arena);
    struct comb_error err = {0};
    comb_str name = comb_str_from(request->name), context = bytes_of(request->context);
    comb_str plaintext = {0}, ciphertext = {0};
    enum comb_status status = response ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_vault_keys_decrypt(rpc->vault, ctx, name, bytes_of(request->ciphertext),
                                         context, &plaintext, &err);
    if (status == COMB_OK)
        status = comb_vault_keys_encrypt(rpc->vault, ctx, name, plaintext, context, &ciphertext,
                                         &response->key_version, &err);
    if (status == COMB_OK)
        response->ciphertext = data_of(ciphertext);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_vault_server METHODS = {
    .put = rpc_put,
    .get = rpc_get,
    .list = rpc_list,
    .list_versions = rpc_list_versions,
    .delete_ = rpc_delete,
    .undelete = rpc_undelete,
    .destroy = rpc_destroy,
    .create_key = rpc_create_key,
    .rotate_key = rpc_rotate_key,
    .get_key = rpc_get_key,
    .encrypt = rpc_encrypt,
    .decrypt = rpc_decrypt,
    .rewrap = rpc_rewrap,
};

enum comb_status comb_vault_rpc_register(struct grpcc_server *server, struct comb_vault_rpc *rpc,
                                         struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_vault_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Vault: %.200s", failure.message);
}
