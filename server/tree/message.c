/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and etags as they go out. */
#include <inttypes.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/timestamp.h"
#include "server/tree/tree_message.h"

static char *text(struct grpcc_arena *arena, comb_str s)
{
    return s.len ? comb_str_dup(arena, s) : grpcc_arena_strdup(arena, "");
}

/* False: no room. Where it lies in a bin, the bin is nobody's business. */
static bool set_place(struct grpcc_arena *arena, const struct comb_node *node,
                      struct comb_v1_node *message)
{
    struct comb_v1_recycled *recycled;

    if (comb_uuid_is_nil(&node->trash_parent)) {
        if (comb_uuid_equal(&node->parent, &comb_node_super_root))
            return true;
        comb_v1_node_set_parent_id(message, comb_uuid_text(arena, &node->parent));
        return !grpcc_arena_failed(arena);
    }
    recycled = comb_v1_recycled_new(arena);
    if (!recycled)
        return false;
    comb_v1_recycled_set_parent_id(recycled, comb_uuid_text(arena, &node->trash_parent));
    comb_v1_recycled_set_name(recycled, text(arena, node->trash_name));
    recycled->time = comb_timestamp_new(arena, node->trash_us);
    comb_v1_recycled_set_user_id(recycled, comb_uuid_text(arena, &node->trash_by));
    message->recycled = recycled;
    comb_v1_node_set_name(message, text(arena, node->trash_name));
    return !grpcc_arena_failed(arena);
}

enum comb_status comb_tree_lock_message(struct grpcc_arena *arena,
                                        const struct comb_tree_lock *lock,
                                        struct comb_v1_lock **ret_message, struct comb_error *err)
{
    struct comb_v1_lock *message = comb_v1_lock_new(arena);

    if (!message)
        return comb_error_no_memory(err);
    message->token = lock->token;
    message->mode = (enum comb_v1_lock_mode)lock->mode;
    comb_v1_lock_set_user_id(message, comb_uuid_text(arena, &lock->user));
    comb_v1_lock_set_login(message, text(arena, lock->login));
    comb_v1_lock_set_note(message, text(arena, lock->note));
    message->create_time = comb_timestamp_new(arena, lock->create_us);
    message->expire_time = comb_timestamp_new(arena, lock->expire_us);
    if (grpcc_arena_failed(arena))
        return comb_error_no_memory(err);
    *ret_message = message;
    return COMB_OK;
}

/* False: no room. */
static bool set_locks(struct grpcc_arena *arena, const struct comb_tree_extra *extra,
                      struct comb_v1_node *message)
{
    for (size_t i = 0; i < extra->n_locks; i++) {
        struct comb_v1_lock *lock;

        if (comb_tree_lock_message(arena, &extra->locks[i], &lock, NULL) != COMB_OK ||
            !comb_v1_node_add_locks(arena, message, lock))
            return false;
    }
    return true;
}

/* False: no room. */
static bool set_extra(struct grpcc_arena *arena, const struct comb_tree_extra *extra,
                      struct comb_v1_node *message)
{
    if (extra->title)
        comb_v1_node_set_name(message, grpcc_arena_strdup(arena, extra->title));
    if (extra->path)
        comb_v1_node_set_path(message, grpcc_arena_strdup(arena, extra->path));
    if (extra->totals) {
        message->totals = comb_v1_folder_totals_dup(arena, extra->totals);
        if (!message->totals)
            return false;
    }
    message->rights = extra->rights;
    for (size_t i = 0; i < extra->n_metadata; i++) {
        if (!comb_v1_node_add_metadata(arena, message, extra->metadata[i]))
            return false;
    }
    return set_locks(arena, extra, message) && !grpcc_arena_failed(arena);
}

enum comb_status comb_tree_node_message(struct grpcc_arena *arena, const struct comb_node *node,
                                        const struct comb_tree_extra *extra,
                                        struct comb_v1_node **ret_message, struct comb_error *err)
{
    struct comb_v1_node *message = comb_v1_node_new(arena);
    char etag[COMB_TREE_ETAG_SIZE];

    if (!message)
        return comb_error_no_memory(err);
    message->kind = (enum comb_v1_node_kind)node->kind;
    message->size = node->size;
    message->revision = node->revision;
    comb_v1_node_set_name(message, text(arena, node->name));
    comb_v1_node_set_media_type(message, text(arena, node->media_type));
    if (!comb_uuid_is_nil(&node->id)) {
        comb_tree_etag(node, etag);
        comb_v1_node_set_id(message, comb_uuid_text(arena, &node->id));
        comb_v1_node_set_etag(message, grpcc_arena_strdup(arena, etag));
    }
    if (node->create_us) {
        message->create_time = comb_timestamp_new(arena, node->create_us);
        message->update_time = comb_timestamp_new(arena, node->update_us);
    }
    if (node->sha256.len)
        comb_v1_node_set_sha256(message,
                                grpcc_arena_memdup(arena, node->sha256.ptr, node->sha256.len),
                                node->sha256.len);
    if (!comb_uuid_is_nil(&node->parent) && !set_place(arena, node, message))
        return comb_error_no_memory(err);
    if (extra && !set_extra(arena, extra, message))
        return comb_error_no_memory(err);
    if (grpcc_arena_failed(arena))
        return comb_error_no_memory(err);
    *ret_message = message;
    return COMB_OK;
}

/* The revision, and the part of the id that is random: a node that took the name of another one is
 * not mistaken for it. */
void comb_tree_etag(const struct comb_node *node, char ret_etag[COMB_TREE_ETAG_SIZE])
{
    uint64_t tail = 0;

    for (size_t i = 8; i < sizeof node->id.bytes; i++)
        tail = tail << 8 | node->id.bytes[i];
    snprintf(ret_etag, COMB_TREE_ETAG_SIZE, "%" PRIx64 "-%016" PRIx64, node->revision, tail);
}

enum comb_status comb_tree_etag_check(const struct comb_node *node, comb_str expected,
                                      const char *field, struct comb_error *err)
{
    char etag[COMB_TREE_ETAG_SIZE];

    if (comb_str_is_empty(expected))
        return COMB_OK;
    comb_tree_etag(node, etag);
    if (comb_str_equal(expected, comb_str_from(etag)))
        return COMB_OK;
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH,
                                  field,
                                  "the node has changed: its etag is no longer the expected one");
}
