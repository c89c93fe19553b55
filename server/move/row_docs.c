/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the docs row alone has, as a stream, and back: documents, activities with who follows what
 * and how far he has read, and kept logs. Search and the index of the audit trail are made anew.
 *
 * Logs come in and documents expire while a copy is made, so a part is given up to what was the
 * newest when it was begun, and the copy is made the same as what is given: what it has besides, of
 * a copy that was interrupted, is removed.
 */
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/move/move.h"
#include "server/move/record.h"

#define STEP_MS 30000
/* Entries of a page and of a batch. */
enum { PAGE_MAX = COMB_ITEM_SCAN_MAX };
_Static_assert(PAGE_MAX >= COMB_DOCUMENT_RECORDS_MAX && PAGE_MAX <= COMB_ITEM_NOTES_MAX,
               "a page is one call of each kind of part");
/* Keys are printable ASCII and have neither: less than what may follow in a key, and greater than
 * all. */
#define BEHIND "!"
#define END "~"

/* One record of a part: its key, and the rest of it packed. */
struct entry {
    comb_str key, value;
};
/* To be written in place of `was`, NULL: of nothing; `is` NULL: to be removed. */
struct edit {
    const struct entry *was, *is;
};

struct part {
    const char *name;
    const struct kind *kind;
    size_t store; /* of items: its place in struct comb_docs_stores */
};

struct row_docs {
    struct comb_move_row base;
    struct comb_docs_stores stores;
    /* What is being taken in: the part, -1: none yet; whether it was empty; how far the copy is
     * right; and a batch. */
    int part;
    bool is_new;
    struct comb_buf done;
    struct grpcc_arena *arena;
    struct entry batch[PAGE_MAX];
    size_t n;
};

struct kind {
    size_t page_max;
    /* What an entry of the newest there is comes before; ptr NULL: no room. */
    enum comb_status (*end)(struct row_docs *row, const struct part *part, struct comb_ctx *ctx,
                            comb_str *ret_end, struct comb_error *err);
    /* Entries from <= key < to, at most page_max, in ctx's arena. */
    enum comb_status (*page)(struct row_docs *row, const struct part *part, struct comb_ctx *ctx,
                             comb_str from, comb_str to, struct entry *ret_entries, size_t *ret_n,
                             struct comb_error *err);
    enum comb_status (*change)(struct row_docs *row, const struct part *part, struct comb_ctx *ctx,
                               const struct edit *edits, size_t n, struct comb_error *err);
};

static struct comb_ctx step(struct grpcc_arena *arena)
{
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

static enum comb_status damaged(const struct part *part, struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0, "docs: a record of %s is damaged", part->name);
}

/* The least key behind `key`; ptr NULL: no room. */
static comb_str behind(struct comb_ctx *ctx, comb_str key)
{
    const char *text = grpcc_arena_printf(ctx->arena, "%.*s" BEHIND, COMB_STR_ARG(key));
    return text ? comb_str_from(text) : (comb_str){0};
}

/* What was packed, in ctx's arena; ok: whether all of it was. */
static enum comb_status pack_end(struct comb_ctx *ctx, struct comb_buf *buf, bool ok,
                                 comb_str *ret_value, struct comb_error *err)
{
    comb_str packed = comb_buf_str(buf);
    char *copy = ok ? grpcc_arena_alloc(ctx->arena, packed.len + 1) : NULL;
    if (copy) {
        memcpy(copy, packed.ptr, packed.len);
        *ret_value = comb_str_of(copy, packed.len);
    }
    comb_buf_done(buf);
    return copy ? COMB_OK : comb_error_no_memory(err);
}

/* ---- documents ---- */

static enum comb_status no_end(struct row_docs *row, const struct part *part, struct comb_ctx *ctx,
                               comb_str *ret_end, struct comb_error *err)
{
    (void)row, (void)part, (void)ctx, (void)err;
    *ret_end = STR(END);
    return COMB_OK;
}

static enum comb_status pack_document(struct comb_ctx *ctx,
                                      const struct comb_document_record *record,
                                      struct entry *ret_entry, struct comb_error *err)
{
    struct comb_buf buf;
    comb_buf_init(&buf, COMB_MOVE_VALUE_BYTES_MAX);
    bool ok = move_put_u64(&buf, (uint64_t)record->revision) &&
              move_put_u8(&buf, record->is_deleted) && move_put_bytes(&buf, record->body) &&
              move_put_bytes(&buf, record->requests) &&
              move_put_u64(&buf, (uint64_t)record->create_us) &&
              move_put_u64(&buf, (uint64_t)record->update_us) &&
              move_put_u64(&buf, (uint64_t)record->expire_us);
    for (int order = COMB_DOCUMENT_BY_MADE; ok && order < COMB_DOCUMENT_ORDERS; order++)
        ok = move_put_u8(&buf, record->texts[order].ptr != NULL) &&
             move_put_bytes(&buf, record->texts[order]);
    ret_entry->key = record->texts[COMB_DOCUMENT_BY_AT];
    return pack_end(ctx, &buf, ok, &ret_entry->value, err);
}

static bool unpack_document(const struct entry *entry, struct comb_document_record *ret_record)
{
    struct comb_document_record record = {.texts = {[COMB_DOCUMENT_BY_AT] = entry->key}};
    comb_str from = entry->value;
    uint64_t revision, times[3];
    uint8_t flag = 0;
    if (!move_get_u64(&from, &revision) || !move_get_u8(&from, &flag) ||
        !move_get_bytes(&from, &record.body) || !move_get_bytes(&from, &record.requests) ||
        !move_get_u64(&from, &times[0]) || !move_get_u64(&from, &times[1]) ||
        !move_get_u64(&from, &times[2]))
        return false;
    record.revision = (int64_t)revision;
    record.is_deleted = flag != 0;
    record.create_us = (int64_t)times[0];
    record.update_us = (int64_t)times[1];
    record.expire_us = (int64_t)times[2];
    for (int order = COMB_DOCUMENT_BY_MADE; order < COMB_DOCUMENT_ORDERS; order++) {
        comb_str text;
        if (!move_get_u8(&from, &flag) || !move_get_bytes(&from, &text))
            return false;
        if (flag)
            record.texts[order] = text;
    }
    *ret_record = record;
    return from.len == 0;
}

static enum comb_status documents_page(struct row_docs *row, const struct part *part,
                                       struct comb_ctx *ctx, comb_str from, comb_str to,
                                       struct entry *ret_entries, size_t *ret_n,
                                       struct comb_error *err)
{
    struct comb_documents_store *store = row->stores.documents;
    const struct comb_document_scan scan = {
        .order = COMB_DOCUMENT_BY_AT, .from = from, .to = to, .max = COMB_DOCUMENT_RECORDS_MAX};
    const struct comb_document_record *records;
    (void)part;
    enum comb_status status = store->driver->scan(store, ctx, &scan, &records, ret_n, err);
    for (size_t i = 0; status == COMB_OK && i < *ret_n; i++)
        status = pack_document(ctx, &records[i], &ret_entries[i], err);
    return status;
}

static enum comb_status change_document(struct comb_documents_store *store, struct comb_ctx *ctx,
                                        const struct part *part, const struct edit *edit,
                                        struct comb_error *err)
{
    struct comb_document_record is, was = {.revision = 0};
    bool is_written = false;
    if (edit->was && !unpack_document(edit->was, &was))
        return damaged(part, err);
    if (!edit->is)
        return store->driver->remove(store, ctx, edit->was->key, was.revision, err);
    if (!unpack_document(edit->is, &is))
        return damaged(part, err);
    enum comb_status status = store->driver->write(store, ctx, &is, was.revision, &is_written, err);
    if (status == COMB_OK && !is_written)
        return comb_error_set(err, COMB_ABORTED, 0, "somebody else writes to the new store");
    return status;
}

static enum comb_status documents_change(struct row_docs *row, const struct part *part,
                                         struct comb_ctx *ctx, const struct edit *edits, size_t n,
                                         struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < n; i++)
        status = change_document(row->stores.documents, ctx, part, &edits[i], err);
    return status;
}

/* ---- items ---- */

static struct comb_items_store *items_of(struct row_docs *row, const struct part *part)
{
    return row->stores.items[part->store];
}

static enum comb_status items_end(struct row_docs *row, const struct part *part,
                                  struct comb_ctx *ctx, comb_str *ret_end, struct comb_error *err)
{
    struct comb_items_store *store = items_of(row, part);
    const struct comb_item_scan newest = {.max = 1};
    const struct comb_item *items;
    size_t n = 0;
    enum comb_status status = store->driver->scan(store, ctx, &newest, &items, &n, err);
    if (status == COMB_OK)
        *ret_end = n > 0 ? behind(ctx, items[0].at) : STR(BEHIND);
    return status;
}

static enum comb_status pack_item(struct comb_ctx *ctx, const struct comb_item *item,
                                  struct entry *ret_entry, struct comb_error *err)
{
    struct comb_buf buf;
    comb_buf_init(&buf, COMB_MOVE_VALUE_BYTES_MAX);
    bool ok = move_put_bytes(&buf, item->id) && move_put_bytes(&buf, item->body) &&
              move_put_u64(&buf, item->n_keys);
    for (size_t i = 0; ok && i < item->n_keys; i++)
        ok = move_put_bytes(&buf, item->keys[i]);
    ret_entry->key = item->at;
    return pack_end(ctx, &buf, ok, &ret_entry->value, err);
}

static enum comb_status unpack_item(struct comb_ctx *ctx, const struct part *part,
                                    const struct entry *entry, struct comb_item *ret_item,
                                    struct comb_error *err)
{
    struct comb_item item = {.at = entry->key};
    comb_str from = entry->value;
    uint64_t n_keys;
    if (!move_get_bytes(&from, &item.id) || !move_get_bytes(&from, &item.body) ||
        !move_get_u64(&from, &n_keys) || n_keys > from.len)
        return damaged(part, err);
    comb_str *keys = grpcc_arena_calloc(ctx->arena, n_keys + 1, sizeof *keys);
    if (!keys)
        return comb_error_no_memory(err);
    for (; item.n_keys < n_keys; item.n_keys++) {
        if (!move_get_bytes(&from, &keys[item.n_keys]))
            return damaged(part, err);
    }
    item.keys = keys;
    *ret_item = item;
    return from.len == 0 ? COMB_OK : damaged(part, err);
}

static enum comb_status items_page(struct row_docs *row, const struct part *part,
                                   struct comb_ctx *ctx, comb_str from, comb_str to,
                                   struct entry *ret_entries, size_t *ret_n, struct comb_error *err)
{
    struct comb_items_store *store = items_of(row, part);
    const struct comb_item_scan scan = {.after = from,
                                        .before = to,
                                        .is_ascending = true,
                                        .with_keys = true,
                                        .max = COMB_ITEM_SCAN_MAX};
    const struct comb_item *items;
    enum comb_status status = store->driver->scan(store, ctx, &scan, &items, ret_n, err);
    for (size_t i = 0; status == COMB_OK && i < *ret_n; i++)
        status = pack_item(ctx, &items[i], &ret_entries[i], err);
    return status;
}

static enum comb_status items_change(struct row_docs *row, const struct part *part,
                                     struct comb_ctx *ctx, const struct edit *edits, size_t n,
                                     struct comb_error *err)
{
    struct comb_items_store *store = items_of(row, part);
    struct comb_item items[PAGE_MAX];
    comb_str gone[PAGE_MAX];
    size_t n_items = 0, n_gone = 0;
    enum comb_status status = COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < n; i++) {
        if (edits[i].was)
            gone[n_gone++] = edits[i].was->key;
        if (edits[i].is)
            status = unpack_item(ctx, part, edits[i].is, &items[n_items++], err);
    }
    if (status == COMB_OK && n_gone > 0)
        status = store->driver->remove(store, ctx, gone, n_gone, err);
    if (status == COMB_OK && n_items > 0)
        status = store->driver->put(store, ctx, items, n_items, err);
    return status;
}

/* ---- notes of items ---- */

static enum comb_status notes_page(struct row_docs *row, const struct part *part,
                                   struct comb_ctx *ctx, comb_str from, comb_str to,
                                   struct entry *ret_entries, size_t *ret_n, struct comb_error *err)
{
    struct comb_items_store *store = items_of(row, part);
    const struct comb_item_note *notes;
    enum comb_status status =
        store->driver->notes(store, ctx, from, to, PAGE_MAX, &notes, ret_n, err);
    for (size_t i = 0; status == COMB_OK && i < *ret_n; i++) {
        struct comb_buf buf;
        comb_buf_init(&buf, COMB_MOVE_VALUE_BYTES_MAX);
        bool ok = move_put_u64(&buf, (uint64_t)notes[i].create_us) &&
                  move_put_bytes(&buf, notes[i].value);
        ret_entries[i].key = notes[i].key;
        status = pack_end(ctx, &buf, ok, &ret_entries[i].value, err);
    }
    return status;
}

static enum comb_status notes_change(struct row_docs *row, const struct part *part,
                                     struct comb_ctx *ctx, const struct edit *edits, size_t n,
                                     struct comb_error *err)
{
    struct comb_items_store *store = items_of(row, part);
    enum comb_status status = COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < n; i++) {
        if (edits[i].was)
            status = store->driver->unset(store, ctx, edits[i].was->key, err);
        if (status != COMB_OK || !edits[i].is)
            continue;
        struct comb_item_note note = {.key = edits[i].is->key};
        comb_str from = edits[i].is->value;
        uint64_t create_us;
        if (!move_get_u64(&from, &create_us) || !move_get_bytes(&from, &note.value))
            return damaged(part, err);
        note.create_us = (int64_t)create_us;
        status = store->driver->raise(store, ctx, &note, err);
    }
    return status;
}

/* ---- the parts, in their order ---- */

static const struct kind documents = {COMB_DOCUMENT_RECORDS_MAX, no_end, documents_page,
                                      documents_change};
static const struct kind items = {COMB_ITEM_SCAN_MAX, items_end, items_page, items_change};
static const struct kind notes = {PAGE_MAX, no_end, notes_page, notes_change};

static const struct part parts[] = {
    {"document", &documents, 0},
    {"activity", &items, COMB_DOCS_ACTIVITIES},
    {"activity-note", &notes, COMB_DOCS_ACTIVITIES},
    {"log", &items, COMB_DOCS_LOGS},
};
enum { N_PARTS = sizeof parts / sizeof parts[0] };

/* ---- giving ---- */

/* sink NULL: looks for a first entry only. *ret_n: how many there were. */
static enum comb_status give_part(struct row_docs *row, const struct part *part,
                                  const struct comb_move_sink *sink, size_t *ret_n,
                                  struct comb_error *err)
{
    struct grpcc_arena *arenas[] = {grpcc_arena_new(0), grpcc_arena_new(0)};
    struct entry entries[PAGE_MAX];
    comb_str from = STR(""), end;
    size_t n = 0;
    enum comb_status status = arenas[0] && arenas[1] ? COMB_OK : comb_error_no_memory(err);
    struct grpcc_arena *last = status == COMB_OK ? grpcc_arena_new(0) : NULL;
    struct comb_ctx ctx = step(last);
    *ret_n = 0;
    if (status == COMB_OK)
        status = last ? part->kind->end(row, part, &ctx, &end, err) : comb_error_no_memory(err);
    /* Where the page before has ended lies in its arena. */
    for (int turn = 0; status == COMB_OK; turn = !turn) {
        grpcc_arena_reset(arenas[turn]);
        ctx = step(arenas[turn]);
        status = part->kind->page(row, part, &ctx, from, end, entries, &n, err);
        for (size_t i = 0; status == COMB_OK && sink && i < n; i++) {
            const struct comb_move_record record = {comb_str_from(part->name), entries[i].key,
                                                    entries[i].value};
            status = sink->take(sink->data, &record, err);
        }
        *ret_n += n;
        if (status != COMB_OK || !sink || n < part->kind->page_max)
            break;
        from = behind(&ctx, entries[n - 1].key);
        if (!from.ptr)
            status = comb_error_no_memory(err);
    }
    grpcc_arena_free(last);
    grpcc_arena_free(arenas[0]);
    grpcc_arena_free(arenas[1]);
    return status;
}

static enum comb_status docs_give(struct comb_move_row *self, const struct comb_move_sink *sink,
                                  struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (int i = 0; status == COMB_OK && i < N_PARTS; i++) {
        size_t n;
        status = give_part((struct row_docs *)self, &parts[i], sink, &n, err);
    }
    return status;
}

static enum comb_status docs_is_empty(struct comb_move_row *self, bool *ret_empty,
                                      struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t n = 0;
    for (int i = 0; status == COMB_OK && n == 0 && i < N_PARTS; i++)
        status = give_part((struct row_docs *)self, &parts[i], NULL, &n, err);
    if (status == COMB_OK)
        *ret_empty = n == 0;
    return status;
}

/* ---- taking ---- */

/* Edits that turn what is there, a page of it, into the batch from its *at-th entry on. */
static size_t compare(struct row_docs *row, const struct entry *there, size_t n, size_t *at,
                      struct edit *ret_edits)
{
    size_t n_edits = 0;
    for (size_t i = 0; i < n; i++) {
        while (*at < row->n && comb_str_compare(row->batch[*at].key, there[i].key) < 0)
            ret_edits[n_edits++] = (struct edit){NULL, &row->batch[(*at)++]};
        bool is_same = *at < row->n && comb_str_equal(row->batch[*at].key, there[i].key);
        const struct entry *is = is_same ? &row->batch[(*at)++] : NULL;
        if (!is || !comb_str_equal(is->value, there[i].value))
            ret_edits[n_edits++] = (struct edit){&there[i], is};
    }
    return n_edits;
}

static enum comb_status change(struct row_docs *row, const struct part *part, struct comb_ctx *ctx,
                               const struct edit *edits, size_t n, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; status == COMB_OK && i < n; i += PAGE_MAX)
        status =
            part->kind->change(row, part, ctx, edits + i, n - i < PAGE_MAX ? n - i : PAGE_MAX, err);
    return status;
}

static enum comb_status set_done(struct row_docs *row, comb_str key, struct comb_error *err)
{
    comb_buf_clear(&row->done);
    return key.ptr && comb_buf_append(&row->done, key.ptr, key.len) ? COMB_OK
                                                                    : comb_error_no_memory(err);
}

/* Changes what is there, from where the copy is right already up to `to`, into the batch; *at: how
 * far in the batch that was. */
static enum comb_status settle_there(struct row_docs *row, comb_str to, size_t *at,
                                     struct comb_error *err)
{
    const struct part *part = &parts[row->part];
    struct entry there[PAGE_MAX];
    struct edit edits[2 * PAGE_MAX];
    struct grpcc_arena *arena = grpcc_arena_new(0);
    enum comb_status status = arena ? COMB_OK : comb_error_no_memory(err);
    size_t n = part->kind->page_max;
    while (status == COMB_OK && n == part->kind->page_max) {
        grpcc_arena_reset(arena);
        struct comb_ctx ctx = step(arena);
        comb_str from = row->done.len > 0 ? comb_buf_str(&row->done) : STR("");
        status = part->kind->page(row, part, &ctx, from, to, there, &n, err);
        if (status == COMB_OK)
            status = change(row, part, &ctx, edits, compare(row, there, n, at, edits), err);
        if (status == COMB_OK && n > 0)
            status = set_done(row, behind(&ctx, there[n - 1].key), err);
    }
    grpcc_arena_free(arena);
    return status;
}

/* Makes the copy the same as the batch: from where it is right already to the batch's last entry,
 * or to its end. */
static enum comb_status settle(struct row_docs *row, bool to_end, struct comb_error *err)
{
    struct edit edits[PAGE_MAX];
    size_t at = 0, n = 0;
    struct comb_ctx ctx = step(row->arena);
    comb_str to = to_end || row->n == 0 ? STR(END) : behind(&ctx, row->batch[row->n - 1].key);
    enum comb_status status = to.ptr ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK && !row->is_new)
        status = settle_there(row, to, &at, err);
    for (; at < row->n; at++)
        edits[n++] = (struct edit){NULL, &row->batch[at]};
    ctx = step(row->arena);
    if (status == COMB_OK && n > 0)
        status = parts[row->part].kind->change(row, &parts[row->part], &ctx, edits, n, err);
    if (status == COMB_OK)
        status = set_done(row, to, err);
    row->n = 0;
    grpcc_arena_reset(row->arena);
    return status;
}

/* Ends the parts before `next`, also those of which nothing came. */
static enum comb_status go_on_to(struct row_docs *row, int next, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    while (status == COMB_OK && row->part < next) {
        size_t n = 0;
        if (row->part >= 0)
            status = settle(row, true, err);
        row->part++;
        comb_buf_clear(&row->done);
        if (status == COMB_OK && row->part < N_PARTS)
            status = give_part(row, &parts[row->part], NULL, &n, err);
        row->is_new = n == 0;
    }
    return status;
}

static enum comb_status docs_take(struct comb_move_row *self, const struct comb_move_record *record,
                                  struct comb_error *err)
{
    struct row_docs *row = (struct row_docs *)self;
    int part = 0;
    while (part < N_PARTS && !comb_str_equal(record->part, comb_str_from(parts[part].name)))
        part++;
    if (part == N_PARTS || part < row->part)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "docs: a part \"%.*s\" is not expected here",
                              COMB_STR_ARG(record->part));
    enum comb_status status = go_on_to(row, part, err);
    if (status != COMB_OK)
        return status;
    char *key = comb_str_dup(row->arena, record->key);
    char *value = grpcc_arena_alloc(row->arena, record->value.len + 1);
    if (!key || !value)
        return comb_error_no_memory(err);
    memcpy(value, record->value.ptr, record->value.len);
    row->batch[row->n++] =
        (struct entry){comb_str_of(key, record->key.len), comb_str_of(value, record->value.len)};
    return row->n == parts[part].kind->page_max ? settle(row, false, err) : COMB_OK;
}

static enum comb_status docs_flush(struct comb_move_row *self, struct comb_error *err)
{
    struct row_docs *row = (struct row_docs *)self;
    enum comb_status status = go_on_to(row, N_PARTS, err);
    row->part = -1;
    return status;
}

static void docs_free(struct comb_move_row *self)
{
    struct row_docs *row = (struct row_docs *)self;
    grpcc_arena_free(row->arena);
    comb_buf_done(&row->done);
    comb_memory_free(row);
}

static const struct comb_move_row_ops ops = {
    .name = "docs",
    .give = docs_give,
    .is_empty = docs_is_empty,
    .take = docs_take,
    .flush = docs_flush,
    .free = docs_free,
};

enum comb_status comb_move_docs_new(const struct comb_docs_stores *stores,
                                    struct comb_move_row **ret_row, struct comb_error *err)
{
    struct row_docs *row = comb_memory_zalloc(sizeof *row);
    if (!row)
        return comb_error_no_memory(err);
    row->base.ops = &ops;
    row->stores = *stores;
    row->part = -1;
    comb_buf_init(&row->done, COMB_MOVE_KEY_BYTES_MAX);
    row->arena = grpcc_arena_new(0);
    if (!row->arena) {
        docs_free(&row->base);
        return comb_error_no_memory(err);
    }
    *ret_row = &row->base;
    return COMB_OK;
}
