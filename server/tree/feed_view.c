/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/feed_view.h"

#include "server/core/hash.h"
#include "server/core/timestamp.h"
#include "server/tree/place.h"

/* A cursor: incarnation, sequence, both big-endian, and a checksum against slips of the pen. */
#define CURSOR_SIZE 20
#define CURSOR_SUM_AT 16

static uint32_t cursor_sum(const uint8_t *bytes)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < CURSOR_SUM_AT; i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

static void put_be(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static uint64_t get_be(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

char *tree_cursor_text(struct grpcc_arena *arena, struct comb_cursor cursor)
{
    uint8_t bytes[CURSOR_SIZE];

    put_be(bytes, cursor.incarnation, 8);
    put_be(bytes + 8, cursor.sequence, 8);
    put_be(bytes + CURSOR_SUM_AT, cursor_sum(bytes), 4);
    return comb_base64url_encode(arena, comb_str_of(bytes, sizeof bytes));
}

enum comb_status tree_cursor_parse(struct grpcc_arena *arena, const char *text,
                                   struct comb_cursor *ret_cursor, struct comb_error *err)
{
    comb_str data;

    if (comb_base64url_decode(arena, comb_str_from(text), &data) && data.len == CURSOR_SIZE) {
        const uint8_t *bytes = (const uint8_t *)data.ptr;

        if (get_be(bytes + CURSOR_SUM_AT, 4) == cursor_sum(bytes)) {
            ret_cursor->incarnation = get_be(bytes, 8);
            ret_cursor->sequence = get_be(bytes + 8, 8);
            return COMB_OK;
        }
    }
    return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_CURSOR_INVALID,
                                  "cursor", "this is not a cursor of this installation");
}

static bool changes_place(enum comb_feed_kind kind)
{
    return kind == COMB_FEED_NODE_MOVED || kind == COMB_FEED_NODE_RECYCLED ||
           kind == COMB_FEED_NODE_RESTORED || kind == COMB_FEED_NODE_DELETED;
}

static bool is_in(const struct tree_scope *scope, const struct comb_uuid *id,
                  const struct comb_uuid *ancestors, size_t n)
{
    if (scope->all || comb_uuid_equal(&scope->folder, id))
        return true;
    return tree_ids_contain(ancestors, scope->recursive || n == 0 ? n : 1, &scope->folder);
}

/* Whether the caller could see the node in that folder, by his rights of now: where the node is
 * still known, with its own entries; id NULL: without them, since they are what has changed. */
static enum comb_status could_read(struct comb_tree *tree, struct comb_ctx *ctx,
                                   const struct comb_uuid *folder_id, const struct comb_uuid *id,
                                   bool *ret_could, struct comb_error *err)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "cursor"};
    struct comb_access_node folder;
    struct comb_fact_chain chain;
    enum comb_status status;

    *ret_could = false;
    if (comb_uuid_is_nil(folder_id))
        return COMB_OK;
    status = tree_resolve_id(tree, ctx, folder_id, &options, &folder, err);
    if (status == COMB_NOT_FOUND || status == COMB_PERMISSION_DENIED)
        return COMB_OK;
    if (status != COMB_OK)
        return status;
    *ret_could = true;
    if (!id)
        return COMB_OK;
    status = comb_facts_chain_wait(tree->use.facts, ctx, id, &chain, err);
    if (status == COMB_OK && chain.n_links > 0)
        *ret_could = (comb_access_child_rights(tree->use.access, ctx, &folder, chain.links[0].node,
                                               chain.links[0].entries, chain.links[0].n_entries) &
                      COMB_V1_RIGHTS_READ) != 0;
    return status;
}

enum comb_status tree_sight_of(struct comb_tree *tree, struct comb_ctx *ctx,
                               const struct tree_scope *scope,
                               const struct comb_feed_record *record, struct tree_sight *ret_sight,
                               struct comb_error *err)
{
    const struct comb_feed_entry *entry = &record->entry;
    struct tree_sight sight = {0};
    const struct comb_uuid *before = &entry->old_parent;
    struct comb_fact_chain chain;
    enum comb_status status;
    int rights;

    sight.in_now = is_in(scope, &entry->subject, entry->ancestors, entry->n_ancestors);
    sight.in_before = sight.in_now;
    if (changes_place(entry->kind))
        sight.in_before =
            is_in(scope, &entry->subject, entry->old_ancestors, entry->n_old_ancestors);
    else if (entry->n_ancestors > 0)
        before = &entry->ancestors[0];
    if (!sight.in_now && !sight.in_before) {
        *ret_sight = sight;
        return COMB_OK;
    }
    status = comb_access_rights(tree->use.access, ctx, &entry->subject, &rights, &chain, err);
    if (status != COMB_OK)
        return status;
    sight.reads_now = (rights & COMB_V1_RIGHTS_READ) != 0;
    if (!sight.reads_now || changes_place(entry->kind))
        status = could_read(tree, ctx, before,
                            entry->kind == COMB_FEED_NODE_PERMISSIONS ? NULL : &entry->subject,
                            &sight.reads_before, err);
    if (status == COMB_OK)
        *ret_sight = sight;
    return status;
}

enum comb_status tree_feed_node(struct comb_ctx *ctx, const struct comb_feed_entry *entry,
                                struct comb_v1_node **ret_node, struct comb_error *err)
{
    struct grpcc_error grpcc_err;

    if (comb_v1_node_unpack(ctx->arena, NULL, entry->payload.ptr, entry->payload.len, ret_node,
                            &grpcc_err) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "a feed entry's node: %s", grpcc_err.message);
    return COMB_OK;
}

enum comb_status tree_change_message(struct comb_ctx *ctx, const struct comb_feed_record *record,
                                     const struct tree_sight *sight,
                                     struct comb_v1_change **ret_change, struct comb_error *err)
{
    const struct comb_feed_entry *entry = &record->entry;
    struct grpcc_arena *arena = ctx->arena;
    struct comb_v1_change *change = comb_v1_change_new(arena);
    enum comb_status status = COMB_OK;

    if (!change)
        return comb_error_no_memory(err);
    change->kind = (enum comb_v1_change_kind)entry->kind;
    if (sight->reads_now) {
        status = tree_feed_node(ctx, entry, &change->node, err);
    } else {
        change->node = comb_v1_node_new(arena);
        if (change->node)
            comb_v1_node_set_id(change->node, comb_uuid_text(arena, &entry->subject));
    }
    if (status != COMB_OK)
        return status;
    if (sight->reads_before && changes_place(entry->kind)) {
        comb_v1_change_set_old_parent_id(change, comb_uuid_text(arena, &entry->old_parent));
        comb_v1_change_set_old_name(change, comb_str_dup(arena, entry->old_name));
    }
    if (!comb_uuid_is_nil(&record->actor))
        comb_v1_change_set_actor_id(change, comb_uuid_text(arena, &record->actor));
    change->time = comb_timestamp_new(arena, record->time_us);
    comb_v1_change_set_cursor(change, tree_cursor_text(arena, record->cursor));
    if (grpcc_arena_failed(arena))
        return comb_error_no_memory(err);
    *ret_change = change;
    return COMB_OK;
}
