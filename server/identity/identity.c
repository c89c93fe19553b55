/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/identity.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/hash.h"
#include "server/core/limits.h"
#include "server/core/memory.h"
#include "server/identity/etag.h"
#include "server/identity/internal.h"

/* Name of the vault's key. */
#define REQUEST_KEY "request-hash"

enum comb_status comb_identity_new(const struct comb_identity_parts *parts, struct comb_ctx *ctx,
                                   struct comb_identity **ret_identity, struct comb_error *err)
{
    assert(parts->store && parts->sessions && parts->workspaces && parts->permissions &&
           parts->throttle && parts->tree && parts->facts && parts->mutations && parts->vault);
    struct comb_identity *identity = comb_memory_zalloc(sizeof *identity);
    if (!identity)
        return comb_error_no_memory(err);
    identity->parts = *parts;
    uint32_t version;
    enum comb_status status =
        comb_vault_key(parts->vault, ctx, STR(REQUEST_KEY), identity->request_key, &version, err);
    if (status == COMB_OK)
        *ret_identity = identity;
    else
        comb_identity_free(identity);
    return status;
}

void comb_identity_free(struct comb_identity *identity)
{
    if (identity)
        comb_memory_wipe(identity->request_key, sizeof identity->request_key);
    comb_memory_free(identity);
}

enum comb_status comb_identity_hide_password(struct comb_identity *identity,
                                             struct grpcc_arena *arena, const char *password,
                                             char **ret_text, struct comb_error *err)
{
    comb_str given = comb_str_from(password);
    uint8_t mac[COMB_SHA256_SIZE];
    char *text = grpcc_arena_strdup(arena, "");
    if (given.len > 0) {
        enum comb_status status = comb_hmac_sha256(
            comb_str_of(identity->request_key, sizeof identity->request_key), given, mac, err);
        if (status != COMB_OK)
            return status;
        text = comb_hex_encode(arena, comb_str_of(mac, sizeof mac));
    }
    if (!text)
        return comb_error_no_memory(err);
    *ret_text = text;
    return COMB_OK;
}

/* ---- rules ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(comb_str name)
{
    struct comb_uuid id;
    if (name.len == 0 || name.len > COMB_LOGIN_BYTES_MAX || !is_letter(name.ptr[0]) ||
        comb_uuid_parse(name, &id))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.' &&
            c != '@')
            return false;
    }
    return true;
}

enum comb_status identity_check_name(comb_str name, const char *field, struct comb_error *err)
{
    if (is_name(name))
        return COMB_OK;
    return comb_error_field(err, field,
                            "begins with a letter, has letters, digits, \"-\", \"_\", \".\" and "
                            "\"@\", at most %d bytes, and not the form of a UUID",
                            COMB_LOGIN_BYTES_MAX);
}

enum comb_status identity_check_label(comb_str label, const char *field, struct comb_error *err)
{
    if (label.len <= COMB_LABEL_BYTES_MAX && comb_str_is_utf8(label) &&
        (label.len == 0 || !memchr(label.ptr, '\0', label.len)))
        return COMB_OK;
    return comb_error_field(err, field, "at most %d bytes of UTF-8 without NUL",
                            COMB_LABEL_BYTES_MAX);
}

void comb_identity_etag(uint64_t revision, char ret_etag[COMB_IDENTITY_ETAG_SIZE])
{
    snprintf(ret_etag, COMB_IDENTITY_ETAG_SIZE, "r%" PRIu64, revision);
}

enum comb_status identity_check_etag(comb_str expected, uint64_t revision, struct comb_error *err)
{
    char etag[COMB_IDENTITY_ETAG_SIZE];
    comb_identity_etag(revision, etag);
    if (expected.len == 0 || comb_str_equal(expected, comb_str_from(etag)))
        return COMB_OK;
    return comb_error_set_subject(
        err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH, "expected_etag",
        "it has changed: read it again and decide (its etag is %s)", etag);
}

/* ---- reads ---- */

enum comb_status identity_read_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                    comb_str id_or_login, struct comb_user *ret_user,
                                    struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_uuid id;
    bool is_id = comb_uuid_parse(id_or_login, &id);
    return store->driver->get_user(store, ctx, is_id ? &id : NULL, id_or_login, ret_user, err);
}

enum comb_status identity_read_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                    comb_str id_or_name, struct comb_role *ret_role,
                                    struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    struct comb_uuid id;
    bool is_id = comb_uuid_parse(id_or_name, &id);
    return store->driver->get_role(store, ctx, is_id ? &id : NULL, id_or_name, ret_role, err);
}

enum comb_status comb_identity_find_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_login, struct comb_uuid *ret_id,
                                         struct comb_error *err)
{
    struct comb_user user;
    enum comb_status status = comb_identity_read_user(identity, ctx, id_or_login, &user, err);
    if (status == COMB_OK)
        *ret_id = user.id;
    return status;
}

enum comb_status comb_identity_find_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_name, struct comb_uuid *ret_id,
                                         struct comb_error *err)
{
    struct comb_role role;
    enum comb_status status = comb_identity_get_role(identity, ctx, id_or_name, &role, err);
    if (status == COMB_OK)
        *ret_id = role.id;
    return status;
}

bool comb_user_is_administrator(const struct comb_user *user)
{
    for (size_t i = 0; i < user->n_roles; i++) {
        if (comb_uuid_equal(&user->roles[i], &comb_role_administrators))
            return true;
    }
    return false;
}

enum comb_status comb_identity_read_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_login, struct comb_user *ret_user,
                                         struct comb_error *err)
{
    enum comb_status status = comb_facts_sync_wait(identity->parts.facts, ctx, err);
    if (status == COMB_OK)
        status = identity_read_user(identity, ctx, id_or_login, ret_user, err);
    return status;
}

enum comb_status comb_identity_read_user_now(struct comb_identity *identity, struct comb_ctx *ctx,
                                             const struct comb_uuid *id, struct comb_user *ret_user,
                                             struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    return store->driver->get_user(store, ctx, id, STR(""), ret_user, err);
}

enum comb_status comb_identity_read_login_now(struct comb_identity *identity, struct comb_ctx *ctx,
                                              comb_str login, struct comb_user *ret_user,
                                              struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    return store->driver->get_user(store, ctx, NULL, login, ret_user, err);
}

enum comb_status comb_identity_get_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                        comb_str id_or_login, struct comb_user *ret_user,
                                        bool *ret_all, struct comb_error *err)
{
    struct comb_user user;
    enum comb_status status = comb_identity_read_user(identity, ctx, id_or_login, &user, err);
    if (status != COMB_OK)
        return status;
    *ret_all = ctx->principal->administrator || comb_uuid_equal(&user.id, &ctx->principal->user);
    *ret_user = *ret_all ? user
                         : (struct comb_user){.id = user.id,
                                              .login = user.login,
                                              .display_name = user.display_name};
    return COMB_OK;
}

enum comb_status comb_identity_list_users(struct comb_identity *identity, struct comb_ctx *ctx,
                                          const struct comb_identity_users *which, comb_str after,
                                          size_t max, const struct comb_user **ret_users,
                                          size_t *ret_n, struct comb_error *err)
{
    struct comb_identity_store *store = identity->parts.store;
    bool in_group = which->group.len > 0;
    struct comb_group group;
    if (which->login_prefix.len > 0) {
        enum comb_status status = identity_check_name(which->login_prefix, "login_prefix", err);
        if (status != COMB_OK)
            return status;
    }
    enum comb_status status = comb_facts_sync_wait(identity->parts.facts, ctx, err);
    if (status == COMB_OK && in_group)
        status = identity_read_group(identity, ctx, which->group, &group, err);
    if (status == COMB_OK)
        status =
            store->driver->list_users(store, ctx, which->login_prefix, in_group ? &group.id : NULL,
                                      after, max, ret_users, ret_n, err);
    return status;
}

/* ---- what plans share ---- */

enum comb_status identity_plan_caller(struct comb_identity *identity, struct comb_ctx *ctx,
                                      struct comb_plan *plan, struct comb_subjects *ret_subjects,
                                      struct comb_error *err)
{
    struct comb_subjects subjects;
    enum comb_status status =
        comb_facts_subjects_wait(identity->parts.facts, ctx, &ctx->principal->user, &subjects, err);
    if (status != COMB_OK)
        return status;
    if (!subjects.exists || subjects.disabled)
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the user of the token is disabled or gone");
    const struct comb_decision decision = {.user = subjects.user,
                                           .roles_revision = subjects.roles_revision};
    status = comb_tree_plan_decision(ctx, plan, &decision, err);
    if (status == COMB_OK)
        *ret_subjects = subjects;
    return status;
}

enum comb_status identity_plan_administrator(struct comb_identity *identity, struct comb_ctx *ctx,
                                             struct comb_plan *plan, struct comb_error *err)
{
    struct comb_subjects subjects;
    enum comb_status status = identity_plan_caller(identity, ctx, plan, &subjects, err);
    if (status != COMB_OK)
        return status;
    if (!subjects.administrator || ctx->principal->n_scopes > 0)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "only administrators may do this, with a token without scopes");
    return COMB_OK;
}

enum comb_status identity_outcome_id(const struct comb_outcome *outcome, struct comb_uuid *ret_id,
                                     struct comb_error *err)
{
    if (outcome->bytes.len != sizeof ret_id->bytes)
        return comb_error_set(err, COMB_INTERNAL, 0, "an outcome is no id");
    memcpy(ret_id->bytes, outcome->bytes.ptr, sizeof ret_id->bytes);
    return COMB_OK;
}

enum comb_status identity_plan_outcome(struct comb_ctx *ctx, struct comb_plan *plan,
                                       const struct comb_uuid *id, struct comb_error *err)
{
    void *copy = grpcc_arena_memdup(ctx->arena, id->bytes, sizeof id->bytes);
    if (!copy)
        return comb_error_no_memory(err);
    plan->outcome = comb_str_of(copy, sizeof id->bytes);
    return COMB_OK;
}
