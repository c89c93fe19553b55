/* SPDX-License-Identifier: Apache-2.0 */
/* Numbering and chaining what is in the intake. */
#include <string.h>

#include "server/audit/internal.h"
#include "server/core/clock.h"
#include "server/core/timestamp.h"
#include "server/mutation/audit.h"

/* A batch is not begun with less: what is left in the intake waits for the next round. */
#define LEFT_MS_MIN 1000

/* An id as text; what is none is nil, as where there is none. */
static struct comb_uuid id_of(const char *text)
{
    struct comb_uuid id;
    if (!comb_uuid_parse(comb_str_from(text), &id))
        id = (struct comb_uuid){0};
    return id;
}

bool audit_index_of(struct grpcc_arena *arena, comb_str bytes, struct comb_audit_index *ret_index)
{
    struct comb_v1_audit_record *record = NULL;
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_audit_record_unpack(arena, NULL, bytes.ptr, bytes.len, &record, &failure) !=
        GRPCC_OK)
        return false;
    *ret_index = (struct comb_audit_index){
        .user = id_of(record->user_id),
        .intent = id_of(record->intent_id),
        .code = record->code,
    };
    if (!comb_timestamp_read(record->time, &ret_index->time_us))
        return false;
    for (size_t i = 0; i < record->n_targets; i++) {
        if (strcmp(record->targets[i]->kind, "node") == 0) {
            ret_index->node = id_of(record->targets[i]->id);
            break;
        }
    }
    return true;
}

/* The lines that the records become behind end, and where the trail ends then. */
static enum comb_status chain(struct comb_ctx *ctx, const struct comb_audit_pending *records,
                              size_t n, struct comb_audit_end *end,
                              struct comb_audit_row **ret_rows, struct comb_error *err)
{
    struct comb_audit_row *rows = grpcc_arena_calloc(ctx->arena, n, sizeof *rows);
    int64_t now_us = comb_clock_wall_us();
    if (!rows)
        return comb_error_no_memory(err);
    /* Clocks jump, and differ; lines are numbered in the order of their times. */
    if (now_us > end->time_us)
        end->time_us = now_us;
    for (size_t i = 0; i < n; i++) {
        struct comb_audit_line *line = &rows[i].line;
        *line = (struct comb_audit_line){.n = end->n + 1,
                                         .time_us = end->time_us,
                                         .record = records[i].record.ptr,
                                         .record_size = records[i].record.len};
        memcpy(line->before, end->hash, sizeof line->before);
        /* What is no record is kept as it is: it came in by nobody of ours. */
        (void)!audit_index_of(ctx->arena, records[i].record, &rows[i].index);
        if (!comb_audit_line_hash(line->before, line->n, line->time_us, line->record,
                                  line->record_size, line->hash))
            return comb_error_no_memory(err);
        end->n = line->n;
        memcpy(end->hash, line->hash, sizeof end->hash);
    }
    *ret_rows = rows;
    return COMB_OK;
}

static enum comb_status number_batch(struct comb_audit *audit, struct comb_ctx *ctx, size_t *ret_n,
                                     bool *ret_held, struct comb_error *err)
{
    const struct comb_audit_store_driver *driver = audit->parts.store->driver;
    struct comb_consumers_store *leases = audit->parts.leases;
    const struct comb_audit_pending *records;
    struct comb_audit_row *rows = NULL;
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    enum comb_status status = COMB_OK;
    if (!audit->knows_end)
        status = driver->end(audit->parts.store, ctx, &audit->end, err);
    if (status == COMB_OK) {
        audit->knows_end = true;
        status =
            driver->pending(audit->parts.store, ctx, COMB_AUDIT_BATCH_MAX, &records, ret_n, err);
    }
    if (status == COMB_OK)
        atomic_store(&audit->pending_us,
                     *ret_n > 0 ? comb_uuid_time_ms(&records[0].id) * AUDIT_US_PER_MS : 0);
    if (status != COMB_OK || *ret_n == 0)
        return status;
    struct comb_audit_end end = audit->end;
    status = chain(ctx, records, *ret_n, &end, &rows, err);
    if (status == COMB_OK)
        status = leases->driver->plan_held(leases, ctx, &plan, comb_str_from(audit->lease.name),
                                           audit->lease.fence, err);
    if (status == COMB_OK)
        status = driver->plan_append(audit->parts.store, ctx, &plan, &audit->end, records, rows,
                                     *ret_n, err);
    if (status == COMB_OK)
        status = driver->commit(audit->parts.store, ctx, &plan, ret_held, err);
    if (status == COMB_OK && *ret_held) {
        audit->end = end;
        atomic_fetch_add(&audit->numbered, *ret_n);
        atomic_fetch_add(&audit->batches, 1);
        atomic_store(&audit->pending_us, 0);
    }
    return status;
}

enum comb_status audit_number(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_held,
                              struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t n = COMB_AUDIT_BATCH_MAX;
    while (status == COMB_OK && *ret_held && n == COMB_AUDIT_BATCH_MAX &&
           comb_lease_is_held(&audit->lease) && comb_ctx_left_ms(ctx) > LEFT_MS_MIN) {
        struct comb_ctx batch = {.arena = grpcc_arena_new(0), .deadline_ns = ctx->deadline_ns};
        if (!batch.arena)
            return comb_error_no_memory(err);
        status = number_batch(audit, &batch, &n, ret_held, err);
        grpcc_arena_free(batch.arena);
    }
    return status;
}
