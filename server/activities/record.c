/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activities/record.h"

#include <inttypes.h>

#include "server/core/hash.h"
#include "server/core/timestamp.h"

static comb_str to_hex(struct grpcc_arena *arena, const char *before, const uint8_t *bytes,
                       size_t n)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = strlen(before);
    char *text = grpcc_arena_alloc(arena, len + 2 * n + 1);
    if (!text)
        return (comb_str){0};
    memcpy(text, before, len);
    for (size_t i = 0; i < n; i++) {
        text[len++] = digits[bytes[i] >> 4];
        text[len++] = digits[bytes[i] & 15];
    }
    text[len] = '\0';
    return comb_str_of(text, len);
}

comb_str activities_node_key(struct grpcc_arena *arena, const struct comb_uuid *node)
{
    return to_hex(arena, "n", node->bytes, sizeof node->bytes);
}

comb_str activities_user_key(struct grpcc_arena *arena, const struct comb_uuid *user)
{
    return to_hex(arena, "u", user->bytes, sizeof user->bytes);
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool activities_read_key(comb_str key, char *ret_kind, struct comb_uuid *ret_id)
{
    struct comb_uuid id;
    if (key.len != 1 + 2 * sizeof id.bytes || (key.ptr[0] != 'n' && key.ptr[0] != 'u'))
        return false;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        int high = digit_of(key.ptr[1 + 2 * i]), low = digit_of(key.ptr[2 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_kind = key.ptr[0];
    *ret_id = id;
    return true;
}

comb_str activities_place(struct grpcc_arena *arena, uint64_t history, uint64_t sequence)
{
    const char *text = grpcc_arena_printf(arena, "%016" PRIx64 "%016" PRIx64, history, sequence);
    return text ? comb_str_from(text) : (comb_str){0};
}

/* The first half of SHA-256 of place and node. */
static enum comb_status make_id(struct comb_ctx *ctx, comb_str at, const struct comb_uuid *node,
                                comb_str *ret_id, struct comb_error *err)
{
    uint8_t digest[COMB_SHA256_SIZE];
    const char *both = grpcc_arena_printf(ctx->arena, "%.*s%s", COMB_STR_ARG(at),
                                          comb_uuid_text(ctx->arena, node));
    if (!both)
        return comb_error_no_memory(err);
    enum comb_status status = comb_sha256(comb_str_from(both), digest, err);
    if (status != COMB_OK)
        return status;
    comb_str id = to_hex(ctx->arena, "", digest, COMB_ITEM_ID_LENGTH / 2);
    if (!id.ptr)
        return comb_error_no_memory(err);
    *ret_id = id;
    return COMB_OK;
}

/* ---- from the feed ---- */

static enum comb_v1_activity_type type_of(enum comb_feed_kind kind)
{
    switch (kind) {
    case COMB_FEED_NODE_CREATED:
        return COMB_V1_ACTIVITY_TYPE_CREATE;
    case COMB_FEED_NODE_MOVED:
        return COMB_V1_ACTIVITY_TYPE_MOVE;
    case COMB_FEED_NODE_RECYCLED:
    case COMB_FEED_NODE_DELETED:
        return COMB_V1_ACTIVITY_TYPE_DELETE;
    case COMB_FEED_NODE_RESTORED:
        return COMB_V1_ACTIVITY_TYPE_UNDO;
    case COMB_FEED_NODE_CONTENT:
    case COMB_FEED_NODE_METADATA:
    case COMB_FEED_NODE_PERMISSIONS:
        return COMB_V1_ACTIVITY_TYPE_UPDATE;
    default: /* users, roles, workspaces, tokens */
        return COMB_V1_ACTIVITY_TYPE_UNSPECIFIED;
    }
}

static bool add_key(comb_str *keys, size_t *n, comb_str key)
{
    for (size_t i = 0; i < *n; i++) {
        if (comb_str_equal(keys[i], key))
            return true;
    }
    keys[(*n)++] = key;
    return key.ptr != NULL;
}

static bool add_keys(struct grpcc_arena *arena, const struct comb_feed_record *record,
                     struct comb_item *item)
{
    const struct comb_feed_entry *entry = &record->entry;
    size_t n = 0;
    comb_str *keys =
        grpcc_arena_calloc(arena, entry->n_ancestors + entry->n_old_ancestors + 2, sizeof *keys);
    bool fits = keys && add_key(keys, &n, activities_node_key(arena, &entry->subject));
    for (size_t i = 0; i < entry->n_ancestors && fits; i++)
        fits = add_key(keys, &n, activities_node_key(arena, &entry->ancestors[i]));
    for (size_t i = 0; i < entry->n_old_ancestors && fits; i++)
        fits = add_key(keys, &n, activities_node_key(arena, &entry->old_ancestors[i]));
    if (fits && !comb_uuid_is_nil(&record->actor))
        fits = add_key(keys, &n, activities_user_key(arena, &record->actor));
    item->keys = keys;
    item->n_keys = n;
    return fits;
}

/* As people know it: in a bin, and once it is gone, a node has its id for a name. */
static char *name_of(struct grpcc_arena *arena, const struct comb_feed_entry *entry,
                     const struct comb_v1_node *node)
{
    if (node->recycled && node->recycled->name[0])
        return node->recycled->name;
    bool is_gone = entry->kind == COMB_FEED_NODE_DELETED && entry->old_name.len > 0;
    return is_gone ? comb_str_dup(arena, entry->old_name) : node->name;
}

/* The node as it was after the change; NULL: no room, or its bytes are damaged. */
static struct comb_v1_activity_object *to_object(struct grpcc_arena *arena,
                                                 const struct comb_feed_entry *entry)
{
    struct comb_v1_activity_object *object = comb_v1_activity_object_new(arena);
    struct comb_v1_node *node = NULL;
    struct grpcc_error native;
    if (!object || comb_v1_node_unpack(arena, NULL, entry->payload.ptr, entry->payload.len, &node,
                                       &native) != GRPCC_OK)
        return NULL;
    comb_v1_activity_object_set_id(object, comb_uuid_text(arena, &entry->subject));
    comb_v1_activity_object_set_name(object, name_of(arena, entry, node));
    comb_v1_activity_object_set_media_type(object, node->media_type);
    object->kind = node->kind;
    object->size = node->size;
    return object;
}

static struct comb_v1_activity_place *to_place(struct grpcc_arena *arena,
                                               const struct comb_uuid *folder)
{
    struct comb_v1_activity_place *place = comb_v1_activity_place_new(arena);
    if (place)
        comb_v1_activity_place_set_id(place, comb_uuid_text(arena, folder));
    return place;
}

static void set_places(struct grpcc_arena *arena, const struct comb_feed_entry *entry,
                       struct comb_v1_activity *activity)
{
    bool leaves = entry->kind == COMB_FEED_NODE_RECYCLED || entry->kind == COMB_FEED_NODE_DELETED;
    if (entry->n_ancestors > 0 && !leaves)
        activity->target = to_place(arena, &entry->ancestors[0]);
    if (entry->n_old_ancestors > 0 && entry->kind != COMB_FEED_NODE_RESTORED)
        activity->origin = to_place(arena, &entry->old_ancestors[0]);
    if (entry->kind == COMB_FEED_NODE_MOVED && entry->old_name.len > 0)
        comb_v1_activity_set_old_name(activity, comb_str_dup(arena, entry->old_name));
}

static enum comb_status pack(struct grpcc_arena *arena, const struct comb_feed_record *record,
                             struct comb_item *item, struct comb_error *err)
{
    const struct comb_feed_entry *entry = &record->entry;
    struct comb_v1_activity *activity = comb_v1_activity_new(arena);
    if (!activity)
        return comb_error_no_memory(err);
    activity->type = type_of(entry->kind);
    activity->change = (enum comb_v1_change_kind)entry->kind;
    if (!comb_uuid_is_nil(&record->actor))
        comb_v1_activity_set_actor_id(activity, comb_uuid_text(arena, &record->actor));
    activity->published = comb_timestamp_new(arena, record->time_us);
    activity->object = to_object(arena, entry);
    set_places(arena, entry, activity);
    if (grpcc_arena_failed(arena))
        return comb_error_no_memory(err);
    if (!activity->object || !activity->published)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the node in an entry of the change feed");
    size_t size = protobuf_c_message_get_packed_size(&activity->base);
    uint8_t *bytes = grpcc_arena_alloc(arena, size);
    if (!bytes)
        return comb_error_no_memory(err);
    item->body = comb_str_of(bytes, protobuf_c_message_pack(&activity->base, bytes));
    return COMB_OK;
}

enum comb_status activities_from_feed(struct comb_ctx *ctx, uint64_t history,
                                      const struct comb_feed_record *record,
                                      struct comb_item *ret_item, bool *ret_is,
                                      struct comb_error *err)
{
    struct comb_item item = {0};
    *ret_is = false;
    if (type_of(record->entry.kind) == COMB_V1_ACTIVITY_TYPE_UNSPECIFIED)
        return COMB_OK;
    item.at = activities_place(ctx->arena, history, record->cursor.sequence);
    if (!item.at.ptr || !add_keys(ctx->arena, record, &item))
        return comb_error_no_memory(err);
    enum comb_status status = make_id(ctx, item.at, &record->entry.subject, &item.id, err);
    if (status == COMB_OK)
        status = pack(ctx->arena, record, &item, err);
    if (status != COMB_OK)
        return status;
    *ret_item = item;
    *ret_is = true;
    return COMB_OK;
}

/* ---- reading ---- */

/* Nil where there is none. */
static bool read_id(const char *text, struct comb_uuid *ret_id)
{
    *ret_id = (struct comb_uuid){{0}};
    return text[0] == '\0' || comb_uuid_parse(comb_str_from(text), ret_id);
}

enum comb_status activities_read_item(struct comb_ctx *ctx, const struct comb_item *item,
                                      struct activities_record *ret_record, struct comb_error *err)
{
    struct activities_record record = {.id = item->id, .at = item->at};
    struct comb_v1_activity *known = NULL;
    struct grpcc_error native;
    if (comb_v1_activity_unpack(ctx->arena, NULL, item->body.ptr, item->body.len, &known,
                                &native) != GRPCC_OK ||
        !known->object || !known->published ||
        !comb_timestamp_read(known->published, &record.time_us) ||
        !read_id(known->object->id, &record.node) || !read_id(known->actor_id, &record.actor) ||
        !read_id(known->target ? known->target->id : "", &record.target) ||
        !read_id(known->origin ? known->origin->id : "", &record.origin))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "activity %.*s is damaged",
                              COMB_STR_ARG(item->id));
    record.known = known;
    *ret_record = record;
    return COMB_OK;
}
