/* SPDX-License-Identifier: Apache-2.0 */
/* What is no change in SQL: intents and their outcomes, and refusals, which are counted. */
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/audit/internal.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/core/timestamp.h"
#include "server/mutation/audit.h"

#define REASON_PREFIX "ERROR_REASON_"

static bool set_result(struct grpcc_arena *arena, struct comb_v1_audit_record *record,
                       enum comb_status code, int reason)
{
    const char *name = reason ? comb_v1_error_reason_name(reason) : NULL;
    record->code = (uint32_t)code;
    if (!name)
        return true;
    record->reason = grpcc_arena_strdup(arena, name + sizeof REASON_PREFIX - 1);
    return record->reason != NULL;
}

static enum comb_status pack(struct grpcc_arena *arena, const struct comb_v1_audit_record *record,
                             const struct comb_uuid *id, struct comb_audit_pending *ret_pending,
                             struct comb_error *err)
{
    size_t size = 0;
    void *bytes = grpcc_message_pack(arena, &record->base, &size);
    if (!bytes)
        return comb_error_no_memory(err);
    *ret_pending = (struct comb_audit_pending){*id, comb_str_of(bytes, size)};
    return COMB_OK;
}

/* ---- intents and outcomes ---- */

enum comb_status comb_audit_intend(struct comb_audit *audit, struct comb_ctx *ctx,
                                   comb_str request_id, const struct comb_audit_target *targets,
                                   size_t n, struct comb_uuid *ret_intent, struct comb_error *err)
{
    struct comb_uuid id;
    struct comb_audit_pending pending;
    if (audit->parts.may_change) {
        enum comb_status may =
            audit->parts.may_change(audit->parts.may_change_data, ctx, ctx->method, err);
        if (may != COMB_OK)
            return may;
    }
    struct comb_v1_audit_record *record =
        comb_audit_record_new(ctx, COMB_V1_AUDIT_KIND_INTENT, &id);
    bool ok = record != NULL;
    if (ok && !comb_str_is_empty(request_id)) {
        record->request_id = comb_audit_text(ctx->arena, request_id, COMB_AUDIT_TEXT_MAX);
        ok = record->request_id != NULL;
    }
    for (size_t i = 0; i < n && ok; i++)
        ok = comb_audit_record_add_target(ctx->arena, record, targets[i].kind, targets[i].id);
    enum comb_status status =
        ok ? pack(ctx->arena, record, &id, &pending, err) : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = audit->parts.store->driver->put(audit->parts.store, ctx, &pending, 1, err);
    if (status == COMB_OK)
        *ret_intent = id;
    return status;
}

void comb_audit_conclude(struct comb_audit *audit, struct comb_ctx *ctx,
                         const struct comb_uuid *intent, enum comb_status code, int reason)
{
    struct comb_uuid id;
    struct comb_audit_pending pending = {0};
    struct comb_v1_audit_record *record =
        comb_audit_record_new(ctx, COMB_V1_AUDIT_KIND_OUTCOME, &id);
    char *copy = NULL;
    if (record && set_result(ctx->arena, record, code, reason) &&
        (record->intent_id = comb_uuid_text(ctx->arena, intent)) != NULL &&
        pack(ctx->arena, record, &id, &pending, NULL) == COMB_OK)
        copy = comb_memory_alloc(pending.record.len);
    if (copy)
        memcpy(copy, pending.record.ptr, pending.record.len);
    pthread_mutex_lock(&audit->lock);
    bool fits = copy && audit->n_outcomes < COMB_AUDIT_OUTCOMES_MAX;
    if (fits)
        audit->outcomes[audit->n_outcomes++] = (struct audit_outcome){id, pending.record.len, copy};
    else
        audit->outcomes_lost++;
    pthread_mutex_unlock(&audit->lock);
    if (!fits)
        comb_memory_free(copy);
    comb_audit_wake(audit);
}

/* Writes the oldest outcomes; those that were written are forgotten. */
static enum comb_status flush_outcomes(struct comb_audit *audit, struct comb_ctx *ctx,
                                       struct comb_error *err)
{
    struct comb_audit_pending pending[COMB_AUDIT_PUT_MAX];
    enum comb_status status = COMB_OK;
    size_t n = COMB_AUDIT_PUT_MAX;
    while (status == COMB_OK && n == COMB_AUDIT_PUT_MAX) {
        /* Only this thread takes them out, so what is in front stays there meanwhile. */
        pthread_mutex_lock(&audit->lock);
        n = audit->n_outcomes < COMB_AUDIT_PUT_MAX ? audit->n_outcomes : COMB_AUDIT_PUT_MAX;
        for (size_t i = 0; i < n; i++)
            pending[i] = (struct comb_audit_pending){
                audit->outcomes[i].id,
                comb_str_of(audit->outcomes[i].record, audit->outcomes[i].size)};
        pthread_mutex_unlock(&audit->lock);
        if (n > 0)
            status = audit->parts.store->driver->put(audit->parts.store, ctx, pending, n, err);
        if (status != COMB_OK)
            break;
        pthread_mutex_lock(&audit->lock);
        for (size_t i = 0; i < n; i++)
            comb_memory_free(audit->outcomes[i].record);
        audit->n_outcomes -= n;
        memmove(audit->outcomes, audit->outcomes + n,
                audit->n_outcomes * sizeof audit->outcomes[0]);
        pthread_mutex_unlock(&audit->lock);
    }
    return status;
}

void audit_forget(struct comb_audit *audit)
{
    for (size_t i = 0; i < audit->n_outcomes; i++)
        comb_memory_free(audit->outcomes[i].record);
    audit->n_outcomes = 0;
}

/* ---- refusals ---- */

/* FNV-1a. Who makes two of his own collide has them counted together. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return (hash ^ 0xff) * 0x100000001b3u;
}

/* "ipv4:192.0.2.7:4711" without the port, which is another one each time. */
static comb_str host_of(comb_str peer)
{
    for (size_t i = peer.len; i > 0; i--) {
        if (peer.ptr[i - 1] == ':')
            return comb_str_of(peer.ptr, i - 1);
    }
    return peer;
}

static void copy_text(char *to, size_t size, comb_str from)
{
    size_t length = from.len < size - 1 ? from.len : size - 1;
    while (length < from.len && length > 0 && ((unsigned char)from.ptr[length] & 0xc0) == 0x80)
        length--;
    if (length > 0)
        memcpy(to, from.ptr, length);
    to[length] = '\0';
}

static uint64_t key_of(const struct audit_refusals *refusals)
{
    uint64_t key = hash_bytes(0xcbf29ce484222325u, refusals->user.bytes, sizeof refusals->user);
    key = hash_bytes(key, refusals->login, strlen(refusals->login));
    key = hash_bytes(key, refusals->method, strlen(refusals->method));
    key = hash_bytes(key, refusals->peer, strlen(refusals->peer));
    key = hash_bytes(key, &refusals->code, sizeof refusals->code);
    key = hash_bytes(key, &refusals->reason, sizeof refusals->reason);
    return key ? key : 1;
}

/* Where it is counted: its own row, a free one, or that of all others. */
static struct audit_refusals *row_of_locked(struct comb_audit *audit, uint64_t key,
                                            enum comb_status code)
{
    struct audit_refusals *free_row = NULL;
    size_t n = code == COMB_NOT_FOUND ? COMB_AUDIT_NOT_FOUND_MAX : COMB_AUDIT_REFUSALS_MAX;
    for (size_t i = 0; i < n; i++) {
        struct audit_refusals *row = &audit->refusals[i];
        if (row->key == key)
            return row;
        if (row->key == 0 && !free_row)
            free_row = row;
    }
    return free_row ? free_row : &audit->refusals[COMB_AUDIT_REFUSALS_MAX];
}

void comb_audit_refuse(struct comb_audit *audit, struct comb_ctx *ctx, enum comb_status code,
                       int reason)
{
    static const struct comb_principal nobody;
    const struct comb_principal *who = ctx->principal ? ctx->principal : &nobody;
    struct audit_refusals new = {.first_us = comb_clock_wall_us(),
                                 .code = code,
                                 .reason = reason,
                                 .user = who->user,
                                 .token = who->token};
    copy_text(new.login, sizeof new.login,
              comb_str_is_empty(who->login) ? ctx->claimed_login : who->login);
    copy_text(new.method, sizeof new.method, ctx->method);
    copy_text(new.peer, sizeof new.peer, host_of(ctx->peer));
    copy_text(new.trace_id, sizeof new.trace_id, comb_str_from(ctx->trace_id));
    new.key = key_of(&new);
    pthread_mutex_lock(&audit->lock);
    struct audit_refusals *row = row_of_locked(audit, new.key, code);
    bool is_rest = row == &audit->refusals[COMB_AUDIT_REFUSALS_MAX];
    audit->refused++;
    if (row->key == 0 && is_rest)
        *row = (struct audit_refusals){.key = 1, .code = code, .first_us = new.first_us};
    else if (row->key == 0)
        *row = new;
    else if (row->count == 0)
        row->first_us = new.first_us;
    row->count++;
    row->hidden += ctx->hidden && code == COMB_NOT_FOUND;
    row->last_us = new.first_us;
    pthread_mutex_unlock(&audit->lock);
}

static enum comb_status record_of(struct comb_ctx *ctx, const struct audit_refusals *refusals,
                                  struct comb_audit_pending *ret_pending, struct comb_error *err)
{
    const struct comb_principal who = {
        .user = refusals->user, .token = refusals->token, .login = comb_str_from(refusals->login)};
    struct comb_ctx then = {.arena = ctx->arena,
                            .principal = &who,
                            .method = comb_str_from(refusals->method),
                            .peer = comb_str_from(refusals->peer)};
    struct comb_uuid id;
    memcpy(then.trace_id, refusals->trace_id, sizeof then.trace_id);
    struct comb_v1_audit_record *record =
        comb_audit_record_new(&then, COMB_V1_AUDIT_KIND_REFUSAL, &id);
    if (!record || !set_result(ctx->arena, record, refusals->code, refusals->reason) ||
        !comb_timestamp_set(ctx->arena, refusals->last_us, &record->time) ||
        (refusals->count > 1 &&
         !comb_timestamp_set(ctx->arena, refusals->first_us, &record->first_time)))
        return comb_error_no_memory(err);
    record->count = refusals->count;
    record->hidden_count = refusals->hidden;
    return pack(ctx->arena, record, &id, ret_pending, err);
}

/* Takes up to max of those that are due; where nothing came any more, they are forgotten. */
static size_t take_due(struct comb_audit *audit, bool all, struct audit_refusals *taken,
                       size_t *places, size_t max)
{
    int64_t now_ns = comb_clock_monotonic_ns();
    size_t n = 0;
    pthread_mutex_lock(&audit->lock);
    for (size_t i = 0; i <= COMB_AUDIT_REFUSALS_MAX && n < max; i++) {
        struct audit_refusals *row = &audit->refusals[i];
        if (row->key == 0 || (row->due_ns > now_ns && !(all && row->count > 0)))
            continue;
        if (row->count == 0) {
            row->key = 0;
            continue;
        }
        taken[n] = *row;
        places[n++] = i;
        row->count = row->hidden = 0;
        row->due_ns = now_ns + COMB_AUDIT_REFUSAL_WINDOW_MS * COMB_NS_PER_MS;
    }
    pthread_mutex_unlock(&audit->lock);
    return n;
}

/* They could not be written: they count on, and are due at once. */
static void give_back(struct comb_audit *audit, const struct audit_refusals *taken,
                      const size_t *places, size_t n)
{
    pthread_mutex_lock(&audit->lock);
    for (size_t i = 0; i < n; i++) {
        struct audit_refusals *row = &audit->refusals[places[i]];
        row->count += taken[i].count;
        row->hidden += taken[i].hidden;
        row->first_us = taken[i].first_us;
        if (row->last_us < taken[i].last_us)
            row->last_us = taken[i].last_us;
        row->due_ns = 0;
    }
    pthread_mutex_unlock(&audit->lock);
}

static enum comb_status flush_refusals(struct comb_audit *audit, struct comb_ctx *ctx, bool all,
                                       struct comb_error *err)
{
    struct comb_audit_pending pending[COMB_AUDIT_PUT_MAX];
    size_t places[COMB_AUDIT_PUT_MAX];
    struct audit_refusals *taken =
        grpcc_arena_calloc(ctx->arena, COMB_AUDIT_PUT_MAX, sizeof *taken);
    enum comb_status status = taken ? COMB_OK : comb_error_no_memory(err);
    size_t n = COMB_AUDIT_PUT_MAX;
    while (status == COMB_OK && n == COMB_AUDIT_PUT_MAX) {
        n = take_due(audit, all, taken, places, COMB_AUDIT_PUT_MAX);
        for (size_t i = 0; i < n && status == COMB_OK; i++)
            status = record_of(ctx, &taken[i], &pending[i], err);
        if (status == COMB_OK && n > 0)
            status = audit->parts.store->driver->put(audit->parts.store, ctx, pending, n, err);
        if (status != COMB_OK)
            give_back(audit, taken, places, n);
    }
    return status;
}

enum comb_status audit_flush(struct comb_audit *audit, struct comb_ctx *ctx, bool all,
                             struct comb_error *err)
{
    enum comb_status status = flush_outcomes(audit, ctx, err);
    enum comb_status other = flush_refusals(audit, ctx, all, status == COMB_OK ? err : NULL);
    return status == COMB_OK ? other : status;
}
