/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/metadata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "grpcc/wkt.h"

#define NAMESPACE_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-."
#define RESERVED "comb"

typedef struct comb_v1_tree_get_metadata_response metadata_list;

static enum comb_status check_namespace(const char *space, bool change, const char *field,
                                        struct comb_error *err)
{
    size_t length = strlen(space), reserved = strlen(RESERVED);

    if (length == 0 || length > COMB_TREE_METADATA_NAMESPACE_MAX ||
        strspn(space, NAMESPACE_CHARACTERS) != length)
        return comb_error_field(err, field,
                                "a namespace has 1 to %d lower case letters, digits, \"-\", \".\"",
                                COMB_TREE_METADATA_NAMESPACE_MAX);
    if (change && strncmp(space, RESERVED, reserved) == 0 &&
        (space[reserved] == '\0' || space[reserved] == '.'))
        return comb_error_field(err, field, "the namespace \"%s\" is reserved", RESERVED);
    return COMB_OK;
}

static enum comb_status check_value(const struct comb_v1_metadata_value *value, const char *field,
                                    struct comb_error *err)
{
    struct timespec time;

    if (!value || value->value_case == COMB_V1_METADATA_VALUE_VALUE_NOT_SET)
        return comb_error_field(err, field, "a value is missing");
    if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_TIME &&
        !grpcc_timestamp_to_timespec(value->time, &time))
        return comb_error_field(err, field, "not a time between the years 1 and 9999");
    if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_TEXTS &&
        value->texts->n_texts > COMB_TREE_METADATA_TEXTS_MAX)
        return comb_error_field(err, field, "a list holds at most %d texts",
                                COMB_TREE_METADATA_TEXTS_MAX);
    if (protobuf_c_message_get_packed_size(&value->base) > COMB_METADATA_VALUE_BYTES_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      field, "a value has at most %d bytes",
                                      COMB_METADATA_VALUE_BYTES_MAX);
    return COMB_OK;
}

static enum comb_status check_name(const char *name, bool may_be_empty, const char *field,
                                   struct comb_error *err)
{
    size_t length = strlen(name);

    if ((length > 0 || may_be_empty) && length <= COMB_TREE_METADATA_NAME_MAX)
        return COMB_OK;
    return comb_error_field(err, field, "a name has 1 to %d bytes", COMB_TREE_METADATA_NAME_MAX);
}

static enum comb_status check_count(size_t n, const char *field, struct comb_error *err)
{
    if (n <= COMB_TREE_METADATA_CHANGES_MAX)
        return COMB_OK;
    return comb_error_field(err, field, "at most %d at once", COMB_TREE_METADATA_CHANGES_MAX);
}

enum comb_status comb_tree_metadata_check(struct comb_v1_metadata *const *set, size_t n,
                                          const char *field, struct comb_error *err)
{
    enum comb_status status = check_count(n, field, err);

    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        char path[COMB_ERROR_SUBJECT_MAX];

        snprintf(path, sizeof path, "%s[%zu].namespace", field, i);
        status = check_namespace(set[i]->namespace_, true, path, err);
        snprintf(path, sizeof path, "%s[%zu].name", field, i);
        if (status == COMB_OK)
            status = check_name(set[i]->name, false, path, err);
        snprintf(path, sizeof path, "%s[%zu].value", field, i);
        if (status == COMB_OK)
            status = check_value(set[i]->value, path, err);
    }
    return status;
}

enum comb_status comb_tree_metadata_check_keys(struct comb_v1_metadata_key *const *keys, size_t n,
                                               bool change, const char *field,
                                               struct comb_error *err)
{
    enum comb_status status = check_count(n, field, err);

    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        char path[COMB_ERROR_SUBJECT_MAX];

        snprintf(path, sizeof path, "%s[%zu].namespace", field, i);
        status = check_namespace(keys[i]->namespace_, change, path, err);
        snprintf(path, sizeof path, "%s[%zu].name", field, i);
        if (status == COMB_OK)
            status = check_name(keys[i]->name, true, path, err);
    }
    return status;
}

enum comb_status comb_tree_metadata_unpack(struct grpcc_arena *arena, comb_str meta,
                                           struct comb_v1_tree_get_metadata_response **ret_metadata,
                                           struct comb_error *err)
{
    struct grpcc_error grpcc_err;

    if (comb_str_is_empty(meta)) {
        metadata_list *empty = comb_v1_tree_get_metadata_response_new(arena);

        if (!empty)
            return comb_error_no_memory(err);
        *ret_metadata = empty;
        return COMB_OK;
    }
    if (comb_v1_tree_get_metadata_response_unpack(arena, NULL, meta.ptr, meta.len, ret_metadata,
                                                  &grpcc_err) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "stored metadata: %s", grpcc_err.message);
    return COMB_OK;
}

static int compare(const struct comb_v1_metadata *a, const struct comb_v1_metadata *b)
{
    int order = strcmp(a->namespace_, b->namespace_);

    return order ? order : strcmp(a->name, b->name);
}

static int compare_pointers(const void *a, const void *b)
{
    return compare(*(struct comb_v1_metadata *const *)a, *(struct comb_v1_metadata *const *)b);
}

bool comb_tree_metadata_is_named(const struct comb_v1_metadata *piece,
                                 const struct comb_v1_metadata_key *key)
{
    return strcmp(piece->namespace_, key->namespace_) == 0 &&
           (key->name[0] == '\0' || strcmp(piece->name, key->name) == 0);
}

/* A copy of only what we know of it: what a newer client sent beside it is not kept. */
static struct comb_v1_metadata *known(struct grpcc_arena *arena,
                                      const struct comb_v1_metadata *piece)
{
    struct comb_v1_metadata *copy = comb_v1_metadata_dup(arena, piece);

    if (!copy)
        return NULL;
    copy->base.n_unknown_fields = 0;
    copy->value->base.n_unknown_fields = 0;
    if (copy->value->value_case == COMB_V1_METADATA_VALUE_VALUE_TIME)
        copy->value->time->base.n_unknown_fields = 0;
    if (copy->value->value_case == COMB_V1_METADATA_VALUE_VALUE_TEXTS)
        copy->value->texts->base.n_unknown_fields = 0;
    return copy;
}

static bool is_replaced(const struct comb_v1_metadata *piece,
                        const struct comb_tree_metadata_change *change)
{
    for (size_t i = 0; i < change->n_remove; i++) {
        if (comb_tree_metadata_is_named(piece, change->remove[i]))
            return true;
    }
    for (size_t i = 0; i < change->n_set; i++) {
        if (compare(piece, change->set[i]) == 0)
            return true;
    }
    return false;
}

/* Of several settings of one piece the last one counts. */
static bool is_set_again(const struct comb_tree_metadata_change *change, size_t i)
{
    for (size_t j = i + 1; j < change->n_set; j++) {
        if (compare(change->set[i], change->set[j]) == 0)
            return true;
    }
    return false;
}

static bool merge(struct grpcc_arena *arena, const metadata_list *before,
                  const struct comb_tree_metadata_change *change, metadata_list *after)
{
    for (size_t i = 0; i < before->n_metadata; i++) {
        if (!is_replaced(before->metadata[i], change) &&
            !comb_v1_tree_get_metadata_response_add_metadata(arena, after, before->metadata[i]))
            return false;
    }
    for (size_t i = 0; i < change->n_set; i++) {
        struct comb_v1_metadata *piece;

        if (is_set_again(change, i))
            continue;
        piece = known(arena, change->set[i]);
        if (!piece || !comb_v1_tree_get_metadata_response_add_metadata(arena, after, piece))
            return false;
    }
    if (after->n_metadata > 1)
        qsort(after->metadata, after->n_metadata, sizeof after->metadata[0], compare_pointers);
    return true;
}

enum comb_status comb_tree_metadata_apply(struct grpcc_arena *arena, comb_str meta,
                                          const struct comb_tree_metadata_change *change,
                                          comb_str *ret_meta, struct comb_error *err)
{
    metadata_list *before, *after = comb_v1_tree_get_metadata_response_new(arena);
    enum comb_status status = comb_tree_metadata_unpack(arena, meta, &before, err);
    size_t size = 0;
    void *packed;

    if (status != COMB_OK)
        return status;
    if (!after || !merge(arena, before, change, after))
        return comb_error_no_memory(err);
    packed = comb_v1_tree_get_metadata_response_pack(arena, after, &size);
    if (!packed)
        return comb_error_no_memory(err);
    if (size > COMB_METADATA_BYTES_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "metadata", "all metadata of a node has at most %d bytes",
                                      COMB_METADATA_BYTES_MAX);
    *ret_meta = comb_str_of(packed, size);
    return COMB_OK;
}
