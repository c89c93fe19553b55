/* SPDX-License-Identifier: Apache-2.0 */
/* Heads: what the vault's key signs of the trail, and where it is kept. Trimming, which needs one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "comb/v1/errors.grpcc.h"
#include "server/audit/internal.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/log.h"
#include "server/core/memory.h"

enum comb_status audit_load_key(struct comb_audit *audit, struct comb_ctx *ctx,
                                struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&audit->key_lock);
    if (!audit->has_key) {
        status = comb_vault_key(audit->parts.vault, ctx, STR(COMB_AUDIT_KEY_NAME),
                                audit->private_key, &audit->key_version, err);
        if (status == COMB_OK && !comb_audit_public_key(audit->private_key, audit->public_key))
            status = comb_error_no_memory(err);
        audit->has_key = status == COMB_OK;
    }
    pthread_mutex_unlock(&audit->key_lock);
    return status;
}

enum comb_status comb_audit_public_key_get(struct comb_audit *audit, struct comb_ctx *ctx,
                                           uint8_t ret_key[COMB_AUDIT_KEY_SIZE],
                                           uint32_t *ret_version, struct comb_error *err)
{
    enum comb_status status = audit_load_key(audit, ctx, err);
    if (status != COMB_OK)
        return status;
    memcpy(ret_key, audit->public_key, COMB_AUDIT_KEY_SIZE);
    *ret_version = audit->key_version;
    return COMB_OK;
}

/* ---- the configuration's ---- */

enum comb_status audit_mark(struct comb_audit *audit, struct comb_ctx *ctx, uint64_t raise,
                            uint64_t *ret_highest, struct comb_error *err)
{
    char name[COMB_CONFIG_MARK_BYTES_MAX];
    snprintf(name, sizeof name, "audit-%016" PRIx64, audit->parts.history);
    return comb_config_store_mark(audit->parts.config, ctx, comb_str_from(name), raise, ret_highest,
                                  err);
}

static bool read_head(const json_t *value, struct comb_audit_seal *head)
{
    const char *hash = json_string_value(json_object_get(value, "hash"));
    const char *signature = json_string_value(json_object_get(value, "signature"));
    head->n = (uint64_t)json_integer_value(json_object_get(value, "number"));
    head->time_us = json_integer_value(json_object_get(value, "time_us"));
    head->key_version = (uint32_t)json_integer_value(json_object_get(value, "key"));
    return comb_hex_decode(comb_str_from(hash), head->hash, sizeof head->hash) &&
           comb_hex_decode(comb_str_from(signature), head->signature, sizeof head->signature);
}

enum comb_status audit_config_head(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_found,
                                   struct comb_audit_seal *ret_head, int64_t *ret_revision,
                                   struct comb_error *err)
{
    struct comb_config_entry entry;
    enum comb_status status =
        comb_config_store_get(audit->parts.config, ctx, STR(COMB_AUDIT_HEAD_PATH), &entry, err);
    *ret_found = status == COMB_OK && entry.value.ptr;
    *ret_revision = *ret_found ? entry.revision : 0;
    if (status == COMB_NOT_FOUND)
        return COMB_OK;
    if (status != COMB_OK || !*ret_found)
        return status;
    struct comb_audit_seal head = {.kind = COMB_AUDIT_HEAD};
    json_t *value = json_loadb(entry.value.ptr, entry.value.len, JSON_DECODE_ANY, NULL);
    if (!read_head(value, &head))
        memset(head.signature, 0, sizeof head.signature);
    json_decref(value);
    *ret_head = head;
    return COMB_OK;
}

static enum comb_status put_head(struct comb_audit *audit, struct comb_ctx *ctx,
                                 const struct comb_audit_seal *head, int64_t revision,
                                 struct comb_error *err)
{
    struct grpcc_arena *arena = ctx->arena;
    char *hash = comb_hex_encode(arena, comb_str_of(head->hash, sizeof head->hash));
    char *signature = comb_hex_encode(arena, comb_str_of(head->signature, sizeof head->signature));
    char *request =
        grpcc_arena_printf(arena, "audit-head-%" PRIu64 "-%" PRId64, head->n, head->time_us);
    char *text =
        hash && signature
            ? grpcc_arena_printf(arena,
                                 "{\"hash\":\"%s\",\"key\":%" PRIu32 ",\"number\":%" PRIu64
                                 ",\"signature\":\"%s\",\"time_us\":%" PRId64 "}",
                                 hash, head->key_version, head->n, signature, head->time_us)
            : NULL;
    if (!request || !text)
        return comb_error_no_memory(err);
    /* Against what was read: who was frozen meanwhile puts no old one in place of a newer. */
    const struct comb_config_change change = {.path = STR(COMB_AUDIT_HEAD_PATH),
                                              .value = comb_str_from(text),
                                              .has_expected = true,
                                              .expected = revision};
    const struct comb_config_batch batch = {
        .changes = &change, .n = 1, .actor = STR("audit"), .request = comb_str_from(request)};
    struct comb_config_outcome outcome;
    return comb_config_store_apply(audit->parts.config, ctx, &batch, &outcome, err);
}

/* ---- signing ---- */

static enum comb_status sign(struct comb_audit *audit, struct comb_audit_seal *seal,
                             struct comb_error *err)
{
    seal->time_us = comb_clock_wall_us();
    seal->key_version = audit->key_version;
    return comb_audit_seal_sign(seal, audit->installation, audit->private_key)
               ? COMB_OK
               : comb_error_no_memory(err);
}

/* Nothing is signed over evidence: the line that the head is for must be there as it was. */
static enum comb_status check_head(struct comb_audit *audit, struct comb_ctx *ctx,
                                   const struct comb_audit_seal *head, struct comb_error *err)
{
    const struct comb_audit_row *rows;
    size_t n = 0;
    struct comb_audit_seal floor = {0};
    bool has_floor = false;
    struct comb_audit_store *store = audit->parts.store;
    if (!comb_audit_seal_is_signed(head, audit->installation, audit->public_key))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the audit head in the configuration (" COMB_AUDIT_HEAD_PATH
                              ") is not one of ours; run `comb audit verify`, keep it, then remove "
                              "it there");
    enum comb_status status =
        store->driver->lines(store, ctx, head->n ? head->n - 1 : 0, 1, &rows, &n, err);
    if (status == COMB_OK)
        status = store->driver->seal(store, ctx, COMB_AUDIT_FLOOR, &has_floor, &floor, err);
    if (status != COMB_OK || (has_floor && head->n <= floor.n))
        return status;
    if (n == 1 && rows[0].line.n == head->n &&
        memcmp(rows[0].line.hash, head->hash, sizeof head->hash) == 0)
        return COMB_OK;
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "the audit trail does not agree with its head in the configuration "
                          "(" COMB_AUDIT_HEAD_PATH "): it was changed, or SQL was restored from a "
                          "copy; run `comb audit verify`, keep the head, then remove it there");
}

static enum comb_status commit_seal(struct comb_audit *audit, struct comb_ctx *ctx,
                                    const struct comb_audit_seal *seal, uint64_t trim_to,
                                    bool *ret_held, struct comb_error *err)
{
    struct comb_audit_store *store = audit->parts.store;
    struct comb_consumers_store *leases = audit->parts.leases;
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    enum comb_status status = leases->driver->plan_held(
        leases, ctx, &plan, comb_str_from(audit->lease.name), audit->lease.fence, err);
    if (status == COMB_OK)
        status = store->driver->plan_seal(store, ctx, &plan, seal, err);
    if (status == COMB_OK && trim_to > 0)
        status = store->driver->plan_trim(store, ctx, &plan, trim_to, err);
    return status == COMB_OK ? store->driver->commit(store, ctx, &plan, ret_held, err) : status;
}

/* While the trail is copied into another store nothing is signed that the copy does not have. */
static bool may_sign(struct comb_audit *audit, struct comb_ctx *ctx)
{
    return !audit->parts.may_change ||
           audit->parts.may_change(audit->parts.may_change_data, ctx, STR(COMB_AUDIT_SIGNS),
                                   NULL) == COMB_OK;
}

enum comb_status audit_seal(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_held,
                            struct comb_error *err)
{
    struct comb_audit_seal head = {.kind = COMB_AUDIT_HEAD, .n = audit->end.n}, there = {0};
    bool found = false;
    int64_t revision = 0;
    uint64_t highest;
    if (audit->end.n == 0 || audit->end.n == audit->sealed || !may_sign(audit, ctx))
        return COMB_OK;
    memcpy(head.hash, audit->end.hash, sizeof head.hash);
    enum comb_status status = audit_load_key(audit, ctx, err);
    if (status == COMB_OK)
        status = audit_config_head(audit, ctx, &found, &there, &revision, err);
    if (status == COMB_OK && found)
        status = check_head(audit, ctx, &there, err);
    if (status == COMB_OK)
        status = sign(audit, &head, err);
    /* In this order: what verify reads first was written last, so it never sees an old head in the
     * configuration that is merely on its way (verify.c). */
    if (status == COMB_OK && (!found || there.n < head.n))
        status = put_head(audit, ctx, &head, revision, err);
    if (status == COMB_OK)
        status = audit_mark(audit, ctx, head.n, &highest, err);
    if (status == COMB_OK)
        status = commit_seal(audit, ctx, &head, 0, ret_held, err);
    if (status == COMB_OK && *ret_held) {
        audit->sealed = head.n;
        atomic_store(&audit->signed_n, head.n);
    }
    return status;
}

/* ---- retention ---- */

enum comb_status audit_trim(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_held,
                            struct comb_error *err)
{
    struct comb_audit_store *store = audit->parts.store;
    int64_t before_us = comb_clock_wall_us() - audit->parts.keep_us;
    struct comb_audit_end old;
    if (!may_sign(audit, ctx))
        return COMB_OK;
    enum comb_status status = audit_load_key(audit, ctx, err);
    while (status == COMB_OK && *ret_held) {
        status = store->driver->old(store, ctx, before_us, COMB_AUDIT_BATCH_MAX, &old, err);
        /* What no head was signed for stays: a cut would not show. */
        if (status != COMB_OK || old.n == 0 || old.n > audit->sealed)
            return status;
        struct comb_audit_seal floor = {.kind = COMB_AUDIT_FLOOR, .n = old.n};
        memcpy(floor.hash, old.hash, sizeof floor.hash);
        status = sign(audit, &floor, err);
        if (status == COMB_OK)
            status = commit_seal(audit, ctx, &floor, floor.n, ret_held, err);
        if (comb_ctx_left_ms(ctx) == 0)
            break;
    }
    return status;
}
