/* SPDX-License-Identifier: Apache-2.0 */
/* Finding records: what is meant, and the walk over the trail itself, where one index of SQL finds
 * lines and the rest of the filter is asked of each. */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "grpcc/wkt.h"
#include "server/audit/internal.h"
#include "server/core/clock.h"
#include "server/mutation/audit.h"

static int result_of(const struct comb_audit_hit *hit, const struct comb_v1_audit_record *record)
{
    if (record->kind == COMB_V1_AUDIT_KIND_INTENT && !hit->has_outcome)
        return COMB_V1_AUDIT_RESULT_UNKNOWN;
    uint32_t code = record->kind == COMB_V1_AUDIT_KIND_INTENT ? hit->outcome : record->code;
    return code == COMB_OK ? COMB_V1_AUDIT_RESULT_DONE : COMB_V1_AUDIT_RESULT_FAILED;
}

static enum comb_status to_entry(struct comb_ctx *ctx, const struct comb_audit_hit *hit,
                                 struct comb_audit_entry *ret_entry, struct comb_error *err)
{
    struct comb_v1_audit_record *record = NULL;
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    /* What is none is shown as one that says nothing; verify names the line. */
    if (comb_v1_audit_record_unpack(ctx->arena, NULL, hit->record.ptr, hit->record.len, &record,
                                    &failure) != GRPCC_OK)
        record = comb_v1_audit_record_new(ctx->arena);
    if (!record)
        return comb_error_no_memory(err);
    *ret_entry = (struct comb_audit_entry){.n = hit->n,
                                           .number_us = hit->number_us,
                                           .record = record,
                                           .result = result_of(hit, record)};
    return COMB_OK;
}

static bool is_id(const char *text, const struct comb_uuid *id)
{
    struct comb_uuid other;
    return comb_uuid_parse(comb_str_from(text), &other) && comb_uuid_equal(&other, id);
}

static bool is_about(const struct comb_v1_audit_record *record, const struct comb_uuid *node)
{
    for (size_t i = 0; i < record->n_targets; i++) {
        if (strcmp(record->targets[i]->kind, "node") == 0 && is_id(record->targets[i]->id, node))
            return true;
    }
    return false;
}

static bool has_method(const struct comb_v1_audit_record *record, comb_str wanted)
{
    comb_str method = comb_str_from(record->method);
    if (comb_str_is_empty(wanted))
        return true;
    return wanted.ptr[wanted.len - 1] == '/' ? comb_str_starts_with(method, wanted)
                                             : comb_str_equal(method, wanted);
}

/* What was answered NOT_FOUND may have hidden a node: that is for administrators. */
static bool may_be_shown(const struct comb_audit_filter *filter,
                         const struct comb_v1_audit_record *record)
{
    return !filter->hides || record->kind != COMB_V1_AUDIT_KIND_REFUSAL ||
           record->code != COMB_NOT_FOUND;
}

static bool matches(const struct audit_wanted *wanted, const struct comb_audit_hit *hit,
                    const struct comb_audit_entry *entry)
{
    const struct comb_audit_filter *filter = &wanted->filter;
    const struct comb_v1_audit_record *record = entry->record;
    return may_be_shown(filter, record) &&
           (!filter->user || is_id(record->user_id, filter->user)) &&
           (!filter->node || is_about(record, filter->node)) &&
           has_method(record, filter->method) &&
           (filter->result == 0 || filter->result == entry->result) &&
           (filter->kinds == 0 || (filter->kinds & 1u << record->kind) != 0) &&
           hit->time_us >= filter->since_us &&
           (filter->until_us == 0 || hit->time_us < filter->until_us) &&
           audit_has_words(record, &wanted->asked);
}

/* Who is no administrator sees what he did himself. */
static enum comb_status narrow(const struct comb_ctx *ctx, const struct comb_audit_filter *filter,
                               struct audit_wanted *ret_wanted, struct comb_error *err)
{
    enum comb_status status = audit_ask(ctx->arena, filter->text, &ret_wanted->asked, err);
    if (status != COMB_OK)
        return status;
    ret_wanted->filter = *filter;
    ret_wanted->filter.hides = !ctx->principal->administrator;
    if (ctx->principal->administrator)
        return COMB_OK;
    if (filter->user && !comb_uuid_equal(filter->user, &ctx->principal->user))
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "only administrators see what others did");
    ret_wanted->filter.user = &ctx->principal->user;
    return COMB_OK;
}

enum comb_status audit_gather(struct comb_ctx *ctx, const struct audit_wanted *wanted,
                              const struct comb_audit_hit *hits, size_t n_hits, size_t size,
                              struct comb_audit_entry *entries, size_t *n, size_t *ret_used,
                              struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t i = 0;
    for (; i < n_hits && *n < size && status == COMB_OK; i++) {
        status = to_entry(ctx, &hits[i], &entries[*n], err);
        if (status == COMB_OK && matches(wanted, &hits[i], &entries[*n]))
            ++*n;
    }
    *ret_used = i;
    return status;
}

/* The walk over the trail. Of a node SQL knows the lines that it is the first one of, so those of
 * everybody are looked at. */
static enum comb_status read_trail(struct comb_audit_store *store, struct comb_ctx *ctx,
                                   const struct audit_wanted *wanted,
                                   const struct comb_audit_place *place, size_t size,
                                   struct comb_audit_entry *entries,
                                   struct comb_audit_page *ret_page, struct comb_error *err)
{
    const struct comb_audit_filter *filter = &wanted->filter;
    struct comb_audit_search search = {
        .user = filter->user,
        .failed = filter->result == COMB_V1_AUDIT_RESULT_FAILED && filter->kinds != 0 &&
                  !(filter->kinds & 1u << COMB_V1_AUDIT_KIND_INTENT),
        .since_us = filter->since_us,
        .before_us = place->time_us,
        .before_n = place->n,
    };
    struct comb_audit_page page = {.entries = entries};
    for (size_t examined = 0; examined < COMB_AUDIT_EXAMINED_MAX && page.n < size;) {
        const struct comb_audit_hit *hits;
        size_t n = 0, used = 0;
        enum comb_status status =
            store->driver->search(store, ctx, &search, COMB_AUDIT_BATCH_MAX, &hits, &n, err);
        if (status == COMB_OK)
            status = audit_gather(ctx, wanted, hits, n, size, entries, &page.n, &used, err);
        if (status != COMB_OK)
            return status;
        if (used > 0) {
            search.before_us = hits[used - 1].time_us;
            search.before_n = hits[used - 1].n;
        }
        examined += used;
        bool is_over = used == n && n < COMB_AUDIT_BATCH_MAX;
        page.next = is_over ? (struct comb_audit_place){0}
                            : (struct comb_audit_place){search.before_us, search.before_n};
        if (is_over)
            break;
    }
    *ret_page = page;
    return COMB_OK;
}

enum comb_status comb_audit_query(struct comb_audit *audit, struct comb_ctx *ctx,
                                  const struct comb_audit_filter *filter,
                                  const struct comb_audit_place *place, size_t size,
                                  struct comb_audit_page *ret_page, struct comb_error *err)
{
    struct audit_wanted wanted;
    struct comb_audit_place begin = *place;
    enum comb_status status = narrow(ctx, filter, &wanted, err);
    struct comb_audit_entry *entries = grpcc_arena_calloc(ctx->arena, size, sizeof *entries);
    if (status == COMB_OK && !entries)
        status = comb_error_no_memory(err);
    if (status != COMB_OK)
        return status;
    if (comb_audit_place_is_none(&begin))
        begin.time_us = filter->until_us ? filter->until_us : INT64_MAX;
    if (audit_find(audit, ctx, &wanted, &begin, size, entries, ret_page))
        return COMB_OK;
    return read_trail(audit->parts.store, ctx, &wanted, &begin, size, entries, ret_page, err);
}

enum comb_status comb_audit_follow(struct comb_audit *audit, struct comb_ctx *ctx,
                                   const struct comb_audit_filter *filter, uint64_t after,
                                   size_t size, struct comb_audit_page *ret_page,
                                   uint64_t *ret_last, struct comb_error *err)
{
    struct comb_audit_store *store = audit->parts.store;
    struct audit_wanted wanted;
    const struct comb_audit_hit *hits;
    enum comb_status status = narrow(ctx, filter, &wanted, err);
    struct comb_audit_entry *entries = grpcc_arena_calloc(ctx->arena, size, sizeof *entries);
    if (status == COMB_OK && !entries)
        status = comb_error_no_memory(err);
    struct comb_audit_page page = {.entries = entries};
    bool goes_on = true;
    for (size_t examined = 0;
         status == COMB_OK && goes_on && examined < COMB_AUDIT_EXAMINED_MAX && page.n < size;) {
        size_t n = 0, used = 0;
        status = store->driver->follow(store, ctx, after, COMB_AUDIT_BATCH_MAX, &hits, &n, err);
        if (status == COMB_OK)
            status = audit_gather(ctx, &wanted, hits, n, size, entries, &page.n, &used, err);
        if (used > 0)
            after = hits[used - 1].n;
        examined += used;
        goes_on = n == COMB_AUDIT_BATCH_MAX;
    }
    if (status != COMB_OK)
        return status;
    *ret_page = page;
    *ret_last = after;
    return COMB_OK;
}
