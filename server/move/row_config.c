/* SPDX-License-Identifier: Apache-2.0 */
/* Values of the configuration as a stream, and back: by path, with who set them. */
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/move/move.h"
#include "server/move/record.h"

#define STEP_MS 30000
#define PAGE_ENTRIES 500
static const char PART[] = "value";

struct row_config {
    struct comb_move_row base;
    struct comb_config_store *store;
};

static struct comb_ctx step(struct grpcc_arena *arena)
{
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

static enum comb_status give_entry(const struct comb_move_sink *sink,
                                   const struct comb_config_entry *entry, struct comb_error *err)
{
    struct comb_buf value;
    comb_buf_init(&value, COMB_MOVE_VALUE_BYTES_MAX);
    bool ok = move_put_bytes(&value, entry->actor) && move_put_bytes(&value, entry->value);
    const struct comb_move_record record = {comb_str_from(PART), entry->path, comb_buf_str(&value)};
    enum comb_status status = ok ? sink->take(sink->data, &record, err) : comb_error_no_memory(err);
    comb_buf_done(&value);
    return status;
}

static enum comb_status config_give(struct comb_move_row *self, const struct comb_move_sink *sink,
                                    struct comb_error *err)
{
    struct comb_config_store *store = ((struct row_config *)self)->store;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_config_entries page = {.more = true};
    comb_str after = STR("");
    enum comb_status status = arena ? COMB_OK : comb_error_no_memory(err);
    while (status == COMB_OK && page.more) {
        struct comb_ctx ctx = step(arena);
        status = comb_config_store_list(store, &ctx, STR("/"), after, PAGE_ENTRIES, &page, err);
        for (size_t i = 0; status == COMB_OK && i < page.n; i++) {
            after = page.items[i].path;
            status = give_entry(sink, &page.items[i], err);
        }
        if (page.n == 0)
            break;
    }
    grpcc_arena_free(arena);
    return status;
}

static enum comb_status config_is_empty(struct comb_move_row *self, bool *ret_empty,
                                        struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    struct comb_config_entries page;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = comb_config_store_list(((struct row_config *)self)->store, &ctx,
                                                     STR("/"), STR(""), 1, &page, err);
    if (status == COMB_OK)
        *ret_empty = page.n == 0;
    grpcc_arena_free(ctx.arena);
    return status;
}

static enum comb_status take_entry(struct comb_config_store *store, struct comb_ctx *ctx,
                                   comb_str path, comb_str content, struct comb_error *err)
{
    char request[COMB_UUID_TEXT_LENGTH + 1];
    struct comb_uuid id = comb_uuid_new();
    struct comb_config_change change = {.path = path};
    struct comb_config_batch batch = {.changes = &change, .n = 1};
    struct comb_config_outcome outcome;
    struct comb_config_entry is;
    if (!move_get_bytes(&content, &batch.actor) || !move_get_bytes(&content, &change.value))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a value of the configuration is damaged");
    if (comb_config_store_get(store, ctx, path, &is, NULL) == COMB_OK &&
        comb_str_equal(is.value, change.value) && comb_str_equal(is.actor, batch.actor))
        return COMB_OK;
    comb_uuid_format(&id, request);
    batch.request = comb_str_from(request);
    enum comb_status status = comb_sha256(content, batch.hash, err);
    return status == COMB_OK ? comb_config_store_apply(store, ctx, &batch, &outcome, err) : status;
}

static enum comb_status config_take(struct comb_move_row *self,
                                    const struct comb_move_record *record, struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status =
        take_entry(((struct row_config *)self)->store, &ctx, record->key, record->value, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

static void config_free(struct comb_move_row *self)
{
    comb_memory_free(self);
}

static const struct comb_move_row_ops ops = {
    .name = "config",
    .give = config_give,
    .is_empty = config_is_empty,
    .take = config_take,
    .free = config_free,
};

enum comb_status comb_move_config_new(struct comb_config_store *config,
                                      struct comb_move_row **ret_row, struct comb_error *err)
{
    struct row_config *row = comb_memory_zalloc(sizeof *row);
    if (!row)
        return comb_error_no_memory(err);
    row->base.ops = &ops;
    row->store = config;
    *ret_row = &row->base;
    return COMB_OK;
}
