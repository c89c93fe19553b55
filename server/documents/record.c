/* SPDX-License-Identifier: Apache-2.0 */
#include "server/documents/record.h"

#include <inttypes.h>
#include <string.h>

#include "server/core/hash.h"

/* Of kinds, in their order. */
enum {
    TAG_MISSING = 0x10,
    TAG_NULL = 0x20,
    TAG_FALSE = 0x30,
    TAG_TRUE = 0x31,
    TAG_NUMBER = 0x40,
    TAG_TEXT = 0x50
};

/* Of a number: the double nearest to it, and how far an integer lies from that. */
#define NUMBER_BYTES 10
#define MAGNITUDE_MAX 9223372036854775808.0

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

bool documents_is_store_name(comb_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_word(name.ptr[i]))
            return false;
    }
    return name.len > 0 && name.len <= COMB_DOCUMENT_STORE_BYTES_MAX;
}

/* "/" separates nothing behind the owner. */
bool documents_is_id(comb_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!is_word(c) && c != '/' && c != ':' && c != '@')
            return false;
    }
    return id.len > 0 && id.len <= COMB_DOCUMENT_ID_BYTES_MAX;
}

/* ---- texts ---- */

static const char *hex_of(struct grpcc_arena *arena, const struct comb_uuid *id)
{
    return comb_hex_encode(arena, comb_uuid_bytes(id));
}

const char *documents_at(struct grpcc_arena *arena, comb_str store, const struct comb_uuid *owner,
                         comb_str id)
{
    const char *hex = hex_of(arena, owner);
    return hex ? grpcc_arena_printf(arena, "%.*s/%s/%.*s", COMB_STR_ARG(store), hex,
                                    COMB_STR_ARG(id))
               : NULL;
}

const char *documents_definition_at(struct grpcc_arena *arena, comb_str store)
{
    return grpcc_arena_printf(arena, "=stores/%.*s", COMB_STR_ARG(store));
}

const char *documents_made(struct grpcc_arena *arena, comb_str store, int64_t keys_revision)
{
    return grpcc_arena_printf(arena, "%.*s/%016" PRIx64, COMB_STR_ARG(store),
                              (uint64_t)keys_revision);
}

const char *documents_due(struct grpcc_arena *arena, int64_t us)
{
    return grpcc_arena_printf(arena, "%016" PRIx64, (uint64_t)us);
}

bool documents_read_at(comb_str at, struct comb_uuid *ret_owner, comb_str *ret_id)
{
    const char *slash = at.len > 0 ? memchr(at.ptr, '/', at.len) : NULL;
    size_t skip = slash ? (size_t)(slash - at.ptr) + 1 : at.len;
    size_t hex = 2 * sizeof ret_owner->bytes;
    if (at.len < skip + hex + 2 || at.ptr[skip + hex] != '/' ||
        !comb_hex_decode(comb_str_of(at.ptr + skip, hex), ret_owner->bytes,
                         sizeof ret_owner->bytes))
        return false;
    *ret_id = comb_str_of(at.ptr + skip + hex + 1, at.len - skip - hex - 1);
    return true;
}

/* ---- values ---- */

/* IEEE 754's bits, so that they sort as unsigned ones. */
static uint64_t sortable(double number)
{
    uint64_t bits;
    if (number == 0)
        number = 0; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static void put_big_endian(uint8_t *to, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)(value >> 8 * (n - 1 - i));
}

static const char *number_of(struct grpcc_arena *arena, const json_t *value)
{
    uint8_t bytes[1 + NUMBER_BYTES] = {TAG_NUMBER};
    double nearest = json_number_value(value);
    int64_t rest = 0;
    if (json_is_integer(value)) {
        int64_t integer = json_integer_value(value);
        rest = nearest >= MAGNITUDE_MAX ? integer - INT64_MAX - 1 : integer - (int64_t)nearest;
    }
    put_big_endian(bytes + 1, sortable(nearest), 8);
    put_big_endian(bytes + 9, (uint64_t)(rest + 0x8000), 2);
    return comb_hex_encode(arena, comb_str_of((const char *)bytes, sizeof bytes));
}

static const char *text_of(struct grpcc_arena *arena, const json_t *value)
{
    uint8_t bytes[1 + COMB_DOCUMENT_INDEXED_BYTES_MAX + 1] = {TAG_TEXT};
    size_t len = json_string_length(value);
    if (len > COMB_DOCUMENT_INDEXED_BYTES_MAX)
        return NULL;
    memcpy(bytes + 1, json_string_value(value), len);
    bytes[1 + len] = 0; /* less than all that may follow: JSON's texts here have no NUL */
    return comb_hex_encode(arena, comb_str_of((const char *)bytes, len + 2));
}

const char *documents_value(struct grpcc_arena *arena, const json_t *value)
{
    if (!value)
        return grpcc_arena_printf(arena, "%02x", TAG_MISSING);
    switch (json_typeof(value)) {
    case JSON_NULL:
        return grpcc_arena_printf(arena, "%02x", TAG_NULL);
    case JSON_FALSE:
        return grpcc_arena_printf(arena, "%02x", TAG_FALSE);
    case JSON_TRUE:
        return grpcc_arena_printf(arena, "%02x", TAG_TRUE);
    case JSON_INTEGER:
    case JSON_REAL:
        return number_of(arena, value);
    case JSON_STRING:
        return text_of(arena, value);
    default:
        return NULL;
    }
}

/* ---- paths ---- */

bool documents_is_path(comb_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i], next = i + 1 < path.len ? path.ptr[i + 1] : '/';
        if (c == '\0' || (c == '/' && next == '/') || (c == '~' && next != '0' && next != '1'))
            return false;
    }
    return path.len > 1 && path.len <= COMB_DOCUMENT_PATH_BYTES_MAX && path.ptr[0] == '/';
}

/* One member's name, with "~1" for "/" and "~0" for "~". */
static size_t unescape(comb_str part, char *ret_name)
{
    size_t n = 0;
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] == '~')
            ret_name[n++] = part.ptr[++i] == '1' ? '/' : '~';
        else
            ret_name[n++] = part.ptr[i];
    }
    ret_name[n] = '\0';
    return n;
}

const json_t *documents_member(const json_t *body, comb_str path)
{
    char name[COMB_DOCUMENT_PATH_BYTES_MAX + 1];
    while (path.len > 0 && body) {
        const char *end = memchr(path.ptr + 1, '/', path.len - 1);
        size_t len = end ? (size_t)(end - path.ptr) : path.len;
        unescape(comb_str_of(path.ptr + 1, len - 1), name);
        body = json_object_get(body, name);
        path = comb_str_of(path.ptr + len, path.len - len);
    }
    return body;
}

/* ---- keys ---- */

/* *ret_values NULL: the document is not in the index. */
static enum comb_status values_of(struct grpcc_arena *arena,
                                  const struct comb_document_index *index,
                                  const struct comb_uuid *owner, const json_t *body,
                                  const char **ret_values, comb_str *ret_unfit,
                                  struct comb_error *err)
{
    const char *values = index->by_owner ? hex_of(arena, owner) : "";
    for (size_t i = 0; i < index->n_paths && values; i++) {
        const json_t *value = documents_member(body, index->paths[i]);
        if (json_is_array(value) || json_is_object(value))
            value = NULL;
        if (json_string_length(value) > COMB_DOCUMENT_INDEXED_BYTES_MAX) {
            *ret_unfit = index->paths[i];
            value = NULL;
        }
        if (!value && i == 0) {
            *ret_values = NULL;
            return COMB_OK;
        }
        const char *one = documents_value(arena, value);
        values = one ? grpcc_arena_printf(arena, "%s%s", values, one) : NULL;
    }
    *ret_values = values;
    return values ? COMB_OK : comb_error_no_memory(err);
}

enum comb_status documents_set_keys(struct grpcc_arena *arena,
                                    const struct comb_document_store *store,
                                    const struct comb_uuid *owner, comb_str id, const json_t *body,
                                    struct comb_document_record *record, comb_str *ret_unfit,
                                    struct comb_error *err)
{
    const char *hex = hex_of(arena, owner);
    const char *made = documents_made(arena, store->name, store->keys_revision);
    if (!hex || !made)
        return comb_error_no_memory(err);
    *ret_unfit = (comb_str){0};
    record->texts[COMB_DOCUMENT_BY_MADE] = comb_str_from(made);
    for (int i = 0; i < COMB_DOCUMENT_INDEXES_MAX; i++)
        record->texts[COMB_DOCUMENT_BY_KEY + i] = (comb_str){0};
    for (size_t i = 0; i < store->n_indexes && body; i++) {
        const struct comb_document_index *index = &store->indexes[i];
        const char *values = NULL;
        enum comb_status status = values_of(arena, index, owner, body, &values, ret_unfit, err);
        if (status != COMB_OK)
            return status;
        if (!values)
            continue;
        const char *key = grpcc_arena_printf(arena, "%.*s/%s/%s/%.*s", COMB_STR_ARG(store->name),
                                             values, hex, COMB_STR_ARG(id));
        if (!key)
            return comb_error_no_memory(err);
        record->texts[COMB_DOCUMENT_BY_KEY + index->slot] = comb_str_from(key);
    }
    return COMB_OK;
}
