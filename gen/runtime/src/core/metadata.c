/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/core/metadata.h"

#include <grpc/slice.h>
#include <string.h>

/* HTTP/2 forbids most of them, and gRPC sets the rest. */
static bool is_of_http(const char *key)
{
    static const char *const keys[] = {"connection", "content-length",    "content-type",
                                       "host",       "keep-alive",        "proxy-connection",
                                       "te",         "transfer-encoding", "upgrade"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static bool is_reserved(const char *key)
{
    size_t length = strlen(key);
    if (is_of_http(key))
        return true;
    if (strncmp(key, "grpc-", 5) != 0)
        return false;
    if (strcmp(key, GRPCC_KEY_DETAILS) == 0)
        return true;
    /* grpc-trace-bin and grpc-tags-bin are tracers' own. */
    return length < 4 || strcmp(key + length - 4, "-bin") != 0;
}

bool grpcc_metadata_add_own(struct grpcc_metadata_list *list, struct grpcc_arena *arena,
                            const char *key, const void *value, size_t length)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        grpc_metadata *items = grpcc_arena_calloc(arena, capacity, sizeof(*items));
        if (!items)
            return false;
        if (list->n)
            memcpy(items, list->items, list->n * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    grpc_metadata *item = &list->items[list->n++];
    item->key = grpc_slice_from_static_buffer(key, strlen(key));
    item->value = grpc_slice_from_static_buffer(value, length);
    return true;
}

bool grpcc_metadata_add(struct grpcc_metadata_list *list, struct grpcc_arena *arena,
                        const char *key, const void *value, size_t length)
{
    if (!key || (!value && length > 0))
        return false;
    grpc_slice name = grpc_slice_from_static_buffer(key, strlen(key));
    grpc_slice content = grpc_slice_from_static_buffer(value ? value : "", length);
    if (is_reserved(key) || !grpc_header_key_is_legal(name))
        return false;
    if (!grpc_is_binary_header(name) && !grpc_header_nonbin_value_is_legal(content))
        return false;
    char *key_copy = grpcc_arena_strdup(arena, key);
    void *value_copy = grpcc_arena_memdup(arena, value, length);
    if (!key_copy || !value_copy)
        return false;
    return grpcc_metadata_add_own(list, arena, key_copy, value_copy, length);
}

const grpc_slice *grpcc_metadata_find(const grpc_metadata_array *array, const char *key)
{
    for (size_t i = 0; i < array->count; i++)
        if (grpc_slice_str_cmp(array->metadata[i].key, key) == 0)
            return &array->metadata[i].value;
    return NULL;
}

size_t grpcc_metadata_join(const grpc_metadata_array *array, const char *key, char *buffer,
                           size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < array->count; i++) {
        const grpc_slice *value = &array->metadata[i].value;
        size_t n = GRPC_SLICE_LENGTH(*value);
        if (grpc_slice_str_cmp(array->metadata[i].key, key) != 0)
            continue;
        if (length && length < size)
            buffer[length] = ',';
        length += length ? 1 : 0;
        if (length <= size && n <= size - length)
            memcpy(buffer + length, GRPC_SLICE_START_PTR(*value), n);
        length += n;
    }
    return length;
}

int64_t grpcc_metadata_pushback_ms(const grpc_metadata_array *array)
{
    const grpc_slice *value = grpcc_metadata_find(array, GRPCC_KEY_PUSHBACK);
    if (!value)
        return -1;
    const uint8_t *digits = GRPC_SLICE_START_PTR(*value);
    size_t n = GRPC_SLICE_LENGTH(*value);
    int64_t pushback_ms = 0;
    for (size_t i = 0; i < n; i++) {
        if (digits[i] < '0' || digits[i] > '9' || pushback_ms > INT32_MAX)
            return -2;
        pushback_ms = pushback_ms * 10 + (digits[i] - '0');
    }
    return n && pushback_ms <= INT32_MAX ? pushback_ms : -2;
}
