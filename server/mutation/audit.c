/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mutation/audit.h"

#include "server/core/clock.h"
#include "server/core/timestamp.h"
#include "server/mutation/dialect.h"

char *comb_audit_text(struct grpcc_arena *arena, comb_str text, size_t max)
{
    if (text.len > max) {
        text.len = max;
        /* Not inside a character of several bytes. */
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    return comb_str_dup(arena, text);
}

static bool set_text(struct grpcc_arena *arena, comb_str text, size_t max, char **ret_field)
{
    if (comb_str_is_empty(text))
        return true;
    *ret_field = comb_audit_text(arena, text, max);
    return *ret_field != NULL;
}

static bool set_id(struct grpcc_arena *arena, const struct comb_uuid *id, char **ret_field)
{
    if (comb_uuid_is_nil(id))
        return true;
    *ret_field = comb_uuid_text(arena, id);
    return *ret_field != NULL;
}

struct comb_v1_audit_record *
comb_audit_record_new(struct comb_ctx *ctx, enum comb_v1_audit_kind kind, struct comb_uuid *ret_id)
{
    static const struct comb_principal nobody;
    const struct comb_principal *who = ctx->principal ? ctx->principal : &nobody;
    struct grpcc_arena *arena = ctx->arena;
    struct comb_v1_audit_record *record = comb_v1_audit_record_new(arena);
    struct comb_uuid id = comb_uuid_new();
    int64_t now_us = comb_clock_wall_us();
    comb_str login = comb_str_is_empty(who->login) ? ctx->claimed_login : who->login;
    if (!record)
        return NULL;
    record->kind = kind;
    record->time = comb_timestamp_new(arena, now_us);
    if (!record->time || !set_id(arena, &id, &record->id) ||
        !set_id(arena, &who->user, &record->user_id) ||
        !set_id(arena, &who->token, &record->token_id) ||
        !set_text(arena, login, COMB_AUDIT_TEXT_MAX, &record->login) ||
        !set_text(arena, ctx->method, COMB_AUDIT_TEXT_MAX, &record->method) ||
        !set_text(arena, ctx->peer, COMB_AUDIT_TEXT_MAX, &record->peer) ||
        !set_text(arena, comb_str_from(ctx->trace_id), COMB_AUDIT_TEXT_MAX, &record->trace_id))
        return NULL;
    if (ret_id)
        *ret_id = id;
    return record;
}

bool comb_audit_record_add_target(struct grpcc_arena *arena, struct comb_v1_audit_record *record,
                                  const char *kind, comb_str id)
{
    if (record->n_targets >= COMB_AUDIT_TARGETS_MAX)
        return true;
    struct comb_v1_audit_target *target = comb_v1_audit_target_new(arena);
    return target && set_text(arena, comb_str_from(kind), COMB_AUDIT_TEXT_MAX, &target->kind) &&
           set_text(arena, id, COMB_AUDIT_TEXT_MAX, &target->id) &&
           comb_v1_audit_record_add_targets(arena, record, target);
}

static const char *subject_kind(enum comb_feed_kind kind)
{
    switch (kind) {
    case COMB_FEED_USER:
        return "user";
    case COMB_FEED_ROLE:
        return "role";
    case COMB_FEED_WORKSPACE:
        return "workspace";
    case COMB_FEED_TOKEN:
        return "token";
    case COMB_FEED_GROUP:
        return "group";
    default:
        return "node";
    }
}

static bool add_id(struct grpcc_arena *arena, struct comb_v1_audit_record *record, const char *kind,
                   const struct comb_uuid *id)
{
    char *text = comb_uuid_text(arena, id);
    return text && comb_audit_record_add_target(arena, record, kind, comb_str_from(text));
}

enum comb_status comb_audit_of_plan(struct comb_ctx *ctx, const struct comb_request_key *key,
                                    const struct comb_plan *plan, struct comb_uuid *ret_id,
                                    comb_str *ret_record, struct comb_error *err)
{
    struct grpcc_arena *arena = ctx->arena;
    struct comb_v1_audit_record *record =
        comb_audit_record_new(ctx, COMB_V1_AUDIT_KIND_CHANGE, ret_id);
    bool ok = record && set_id(arena, &key->id, &record->request_id) &&
              set_text(arena, plan->before, COMB_AUDIT_RIGHTS_MAX, &record->before) &&
              set_text(arena, plan->after, COMB_AUDIT_RIGHTS_MAX, &record->after);
    if (ok && plan->about_kind)
        ok = add_id(arena, record, plan->about_kind, &plan->about);
    for (size_t i = 0; i < plan->n_feed && ok; i++)
        ok = add_id(arena, record, subject_kind(plan->feed[i].kind), &plan->feed[i].subject);
    size_t size = 0;
    void *bytes = ok ? grpcc_message_pack(arena, &record->base, &size) : NULL;
    if (!bytes)
        return comb_error_no_memory(err);
    *ret_record = comb_str_of(bytes, size);
    return COMB_OK;
}

const char *comb_audit_insert_sql(struct comb_sql *sql)
{
    return comb_mutation_dialect_of(sql)->audit_insert;
}
