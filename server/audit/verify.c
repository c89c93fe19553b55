/* SPDX-License-Identifier: Apache-2.0 */
/* Checking and exporting the trail. */
#include <string.h>

#include "server/audit/internal.h"
#include "server/core/clock.h"

/* A trail that is trimmed while it is read is read again. */
#define TRIES 5

/* What the trail is held against. */
struct seals {
    bool has_floor, has_head, has_config;
    struct comb_audit_seal floor, head, config;
    uint64_t mark;
};

/* The opposite of the order in which they are written (heads.c), so what is read first is never
 * newer than what is read later, unless somebody put it there. */
static enum comb_status read_seals(struct comb_audit *audit, struct comb_ctx *ctx,
                                   struct seals *ret_seals, struct comb_error *err)
{
    struct comb_audit_store *store = audit->parts.store;
    struct seals seals = {0};
    int64_t revision;
    enum comb_status status =
        store->driver->seal(store, ctx, COMB_AUDIT_HEAD, &seals.has_head, &seals.head, err);
    if (status == COMB_OK)
        status = audit_mark(audit, ctx, 0, &seals.mark, err);
    if (status == COMB_OK)
        status = audit_config_head(audit, ctx, &seals.has_config, &seals.config, &revision, err);
    if (status == COMB_OK)
        status =
            store->driver->seal(store, ctx, COMB_AUDIT_FLOOR, &seals.has_floor, &seals.floor, err);
    if (status == COMB_OK)
        *ret_seals = seals;
    return status;
}

/* What the heads say of each other. */
static void compare_seals(struct comb_audit_verifier *verifier, const struct seals *seals)
{
    uint64_t most = seals->has_head && seals->head.n > seals->mark ? seals->head.n : seals->mark;
    if (!seals->has_config && most > 0)
        comb_audit_verifier_find(verifier, COMB_AUDIT_NO_HEAD, most, most);
    else if (seals->config.n < most)
        comb_audit_verifier_find(verifier, COMB_AUDIT_PUT_BACK, seals->config.n, most);
}

/* Whether a line is found by what it says. */
static bool is_indexed(struct grpcc_arena *arena, const struct comb_audit_row *row)
{
    struct comb_audit_index index = {0};
    (void)!audit_index_of(arena, comb_str_of(row->line.record, row->line.record_size), &index);
    return index.time_us == row->index.time_us && index.code == row->index.code &&
           comb_uuid_equal(&index.user, &row->index.user) &&
           comb_uuid_equal(&index.node, &row->index.node) &&
           comb_uuid_equal(&index.intent, &row->index.intent);
}

typedef enum comb_status (*rows_fn)(void *data, const struct comb_audit_row *rows, size_t n,
                                    struct grpcc_arena *arena, struct comb_error *err);

/* All lines behind `after`, in batches, each in an arena of its own. */
static enum comb_status each_batch(struct comb_audit *audit, struct comb_ctx *ctx, uint64_t after,
                                   rows_fn take, void *data, struct comb_error *err)
{
    struct comb_audit_store *store = audit->parts.store;
    enum comb_status status = COMB_OK;
    size_t n = COMB_AUDIT_BATCH_MAX;
    while (status == COMB_OK && n == COMB_AUDIT_BATCH_MAX) {
        const struct comb_audit_row *rows = NULL;
        struct comb_ctx batch = *ctx;
        batch.arena = grpcc_arena_new(0);
        if (!batch.arena)
            return comb_error_no_memory(err);
        int64_t limit_ns = comb_clock_in_ms(AUDIT_ROUND_MS_MAX);
        if (batch.deadline_ns > limit_ns)
            batch.deadline_ns = limit_ns;
        status = comb_ctx_check(ctx, err);
        if (status == COMB_OK)
            status =
                store->driver->lines(store, &batch, after, COMB_AUDIT_BATCH_MAX, &rows, &n, err);
        if (status == COMB_OK && n > 0) {
            after = rows[n - 1].line.n;
            status = take(data, rows, n, batch.arena, err);
        }
        grpcc_arena_free(batch.arena);
    }
    return status;
}

/* ---- verify ---- */

struct check {
    struct comb_audit_verifier verifier;
    struct comb_audit_progress progress;
    enum comb_status (*tell)(void *data, const struct comb_audit_progress *now,
                             struct comb_error *err);
    void *data;
};

static enum comb_status check_rows(void *data, const struct comb_audit_row *rows, size_t n,
                                   struct grpcc_arena *arena, struct comb_error *err)
{
    struct check *check = data;
    for (size_t i = 0; i < n; i++) {
        if (!comb_audit_verifier_line(&check->verifier, &rows[i].line))
            return comb_error_no_memory(err);
        if (!is_indexed(arena, &rows[i]))
            comb_audit_verifier_find(&check->verifier, COMB_AUDIT_CHANGED, rows[i].line.n,
                                     rows[i].line.n);
    }
    if (check->progress.first == 0)
        check->progress.first = rows[0].line.n;
    check->progress.checked = check->verifier.checked;
    return check->tell(check->data, &check->progress, err);
}

static enum comb_status check_once(struct comb_audit *audit, struct comb_ctx *ctx,
                                   struct check *check, bool *ret_again, struct comb_error *err)
{
    struct comb_audit_store *store = audit->parts.store;
    struct seals seals, later;
    struct comb_audit_end end;
    enum comb_status status = read_seals(audit, ctx, &seals, err);
    if (status == COMB_OK)
        status = store->driver->end(store, ctx, &end, err);
    if (status != COMB_OK)
        return status;
    struct comb_audit_verifier *verifier = &check->verifier;
    comb_audit_verifier_init(verifier, audit->installation, audit->public_key,
                             seals.has_floor ? &seals.floor : NULL);
    if (seals.has_config)
        comb_audit_verifier_head(verifier, &seals.config);
    if (seals.has_head)
        comb_audit_verifier_head(verifier, &seals.head);
    uint64_t floor = seals.has_floor ? seals.floor.n : 0;
    check->progress = (struct comb_audit_progress){
        .total = end.n > floor ? end.n - floor : 0,
        .signed_n = seals.has_config ? seals.config.n : 0,
    };
    status = each_batch(audit, ctx, floor, check_rows, check, err);
    if (status == COMB_OK) {
        comb_audit_verifier_end(verifier);
        /* What the trail's own end says is not signed, but whoever cut it forgot that. */
        if (verifier->last < end.n)
            comb_audit_verifier_find(verifier, COMB_AUDIT_CUT, verifier->last + 1, end.n);
        compare_seals(verifier, &seals);
        status = read_seals(audit, ctx, &later, err);
    }
    if (status == COMB_OK)
        *ret_again = later.has_floor && later.floor.n != floor &&
                     verifier->finding.fault != COMB_AUDIT_WHOLE;
    return status;
}

enum comb_status comb_audit_verify(struct comb_audit *audit, struct comb_ctx *ctx,
                                   enum comb_status (*tell)(void *data,
                                                            const struct comb_audit_progress *now,
                                                            struct comb_error *err),
                                   void *data, struct comb_error *err)
{
    struct check check = {.tell = tell, .data = data};
    bool again = true;
    enum comb_status status = audit_load_key(audit, ctx, err);
    for (int i = 0; i < TRIES && status == COMB_OK && again; i++)
        status = check_once(audit, ctx, &check, &again, err);
    if (status != COMB_OK)
        return status;
    check.progress.done = true;
    check.progress.checked = check.verifier.checked;
    check.progress.finding = check.verifier.finding;
    return tell(data, &check.progress, err);
}

/* ---- export ---- */

struct export
{
    enum comb_status (*take)(void *data, const struct comb_audit_part *part,
                             struct comb_error *err);
    void *data;
};

static enum comb_status export_rows(void *data, const struct comb_audit_row *rows, size_t n,
                                    struct grpcc_arena *arena, struct comb_error *err)
{
    const struct export *export = data;
    const struct comb_audit_part part = {.rows = rows, .n = n};
    (void)arena;
    return export->take(export->data, &part, err);
}

enum comb_status comb_audit_export(struct comb_audit *audit, struct comb_ctx *ctx,
                                   enum comb_status (*take)(void *data,
                                                            const struct comb_audit_part *part,
                                                            struct comb_error *err),
                                   void *data, struct comb_error *err)
{
    struct export export = {take, data};
    struct seals seals;
    enum comb_status status = read_seals(audit, ctx, &seals, err);
    if (status != COMB_OK)
        return status;
    const struct comb_audit_part first = {.installation = audit->installation,
                                          .floor = seals.has_floor ? &seals.floor : NULL,
                                          .head = seals.has_config ? &seals.config : NULL};
    status = take(data, &first, err);
    if (status == COMB_OK)
        status =
            each_batch(audit, ctx, seals.has_floor ? seals.floor.n : 0, export_rows, &export, err);
    return status;
}
