/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/reflection.h"

#include <string.h>

/* Field numbers of google/protobuf/descriptor.proto. */
enum { FILE_MESSAGE_TYPE = 4, FILE_EXTENSION = 7 };
enum { MESSAGE_NESTED_TYPE = 3, MESSAGE_EXTENSION = 6 };
enum { FIELD_EXTENDEE = 2, FIELD_NUMBER = 3 };

bool grpcc_file_set_has(const struct grpcc_file_set *set, const struct grpcc_file *file)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->files[i] == file)
            return true;
    return false;
}

bool grpcc_file_set_add(struct grpcc_file_set *set, const struct grpcc_file *file)
{
    if (grpcc_file_set_has(set, file))
        return true;
    if (set->n == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 16;
        const struct grpcc_file **files = grpcc_arena_calloc(set->arena, capacity, sizeof(*files));
        if (!files)
            return false;
        if (set->n)
            memcpy(files, set->files, set->n * sizeof(*files));
        set->files = files;
        set->capacity = capacity;
    }
    set->files[set->n++] = file;
    for (const struct grpcc_file *const *import = file->imports; import && *import; import++)
        if (!grpcc_file_set_add(set, *import))
            return false;
    return true;
}

const struct grpcc_file *grpcc_file_set_by_name(const struct grpcc_file_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(set->files[i]->name, name) == 0)
            return set->files[i];
    return NULL;
}

static bool declares(const struct grpcc_file *file, const char *symbol)
{
    size_t low = 0, high = file->n_symbols;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(symbol, file->symbols[middle]);
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

const struct grpcc_file *grpcc_file_set_by_symbol(const struct grpcc_file_set *set,
                                                  const char *symbol)
{
    for (size_t i = 0; i < set->n; i++)
        if (declares(set->files[i], symbol))
            return set->files[i];
    return NULL;
}

/* ---- extensions: read out of the serialized descriptor, which protoc wrote ---- */

/* Bytes that are read from the front. */
struct span {
    const uint8_t *at;
    const uint8_t *end;
};

struct search {
    const char *extended;
    bool (*visit)(void *data, int32_t number);
    void *data;
    bool ended;
};

static uint64_t take_varint(struct span *span)
{
    uint64_t value = 0;
    for (unsigned shift = 0; span->at < span->end && shift < 64; shift += 7) {
        uint8_t byte = *span->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return value;
    }
    span->at = span->end;
    return value;
}

static struct span take_bytes(struct span *span, uint64_t size)
{
    size_t room = (size_t)(span->end - span->at);
    size_t n = size < room ? (size_t)size : room;
    struct span taken = {span->at, span->at + n};
    span->at += n;
    return taken;
}

/* The next field: its number, its value where it is a varint, its content otherwise. */
static uint32_t take_field(struct span *span, uint64_t *ret_value, struct span *ret_content)
{
    uint64_t tag = take_varint(span);
    *ret_value = 0;
    *ret_content = (struct span){span->at, span->at};
    switch (tag & 7) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        *ret_value = take_varint(span);
        break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        *ret_content = take_bytes(span, 8);
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        *ret_content = take_bytes(span, 4);
        break;
    default:
        *ret_content = take_bytes(span, take_varint(span));
    }
    return (uint32_t)(tag >> 3);
}

static bool is_name(struct span span, const char *name)
{
    size_t size = (size_t)(span.end - span.at);
    if (size == 0 || *span.at != '.')
        return false;
    return size - 1 == strlen(name) && memcmp(span.at + 1, name, size - 1) == 0;
}

static void search_extension(struct span span, struct search *search)
{
    uint64_t value;
    struct span content;
    int32_t number = 0;
    bool matches = false;
    while (span.at < span.end) {
        uint32_t field = take_field(&span, &value, &content);
        if (field == FIELD_EXTENDEE)
            matches = is_name(content, search->extended);
        if (field == FIELD_NUMBER)
            number = (int32_t)value;
    }
    if (matches && !search->ended)
        search->ended = !search->visit(search->data, number);
}

/* A file or a message: which fields hold extensions and which hold messages differs. */
static void search_scope(struct span span, uint32_t extensions, uint32_t messages,
                         struct search *search)
{
    uint64_t value;
    struct span content;
    while (span.at < span.end && !search->ended) {
        uint32_t field = take_field(&span, &value, &content);
        if (field == extensions)
            search_extension(content, search);
        else if (field == messages)
            search_scope(content, MESSAGE_EXTENSION, MESSAGE_NESTED_TYPE, search);
    }
}

void grpcc_file_extensions(const struct grpcc_file *file, const char *extended,
                           bool (*visit)(void *data, int32_t number), void *data)
{
    struct search search = {.extended = extended, .visit = visit, .data = data};
    struct span span = {file->descriptor, file->descriptor + file->descriptor_size};
    search_scope(span, FILE_EXTENSION, FILE_MESSAGE_TYPE, &search);
}
