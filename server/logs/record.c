/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logs/record.h"

#include <inttypes.h>

#include "grpcc/wkt.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/timestamp.h"
#include "server/text/tokens.h"

/* Hexadecimal digits of a place. */
enum { TIME_DIGITS = 14, BATCH_BYTES = 7, TRACE_DIGITS = 32 };
/* 14 digits hold more; a Timestamp ends here. */
#define TIME_US_MAX (GRPCC_TIMESTAMP_SECONDS_MAX * COMB_US_PER_S)

/* ---- words ---- */

static bool has_word(const struct logs_words *words, comb_str word)
{
    for (size_t i = 0; i < words->n; i++)
        if (comb_str_equal(words->words[i], word))
            return true;
    return false;
}

bool logs_add_words(struct grpcc_arena *arena, struct logs_words *words, comb_str text)
{
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    comb_text_tokens_init(&tokens, text, COMB_TEXT_STORE);
    while (words->n < words->max && comb_text_tokens_next(&tokens, &token)) {
        if (has_word(words, token.term))
            continue;
        const char *copy = comb_str_dup(arena, token.term);
        if (!copy)
            return false;
        words->words[words->n++] = comb_str_of(copy, token.term.len);
    }
    return true;
}

enum comb_status logs_words_of(struct grpcc_arena *arena, const struct comb_v1_log_entry *entry,
                               struct logs_words *ret_words, struct comb_error *err)
{
    struct logs_words words = {.max = COMB_LOGS_WORDS_MAX};
    words.words = grpcc_arena_calloc(arena, words.max, sizeof *words.words);
    bool fits = words.words && logs_add_words(arena, &words, comb_str_from(entry->service)) &&
                logs_add_words(arena, &words, comb_str_from(entry->user)) &&
                logs_add_words(arena, &words, comb_str_from(entry->message));
    for (size_t i = 0; i < entry->n_fields && fits; i++)
        fits = logs_add_words(arena, &words, comb_str_from(entry->fields[i]->value));
    if (!fits)
        return comb_error_no_memory(err);
    *ret_words = words;
    return COMB_OK;
}

/* ---- keys and places ---- */

enum comb_status logs_hash_key(struct grpcc_arena *arena, char kind, comb_str text,
                               comb_str *ret_key, struct comb_error *err)
{
    uint8_t digest[COMB_SHA256_SIZE];
    enum comb_status status = comb_sha256(text, digest, err);
    if (status != COMB_OK)
        return status;
    const char *hex = comb_hex_encode(arena, comb_str_of(digest, sizeof(uint64_t)));
    const char *key = hex ? grpcc_arena_printf(arena, "%c%s", kind, hex) : NULL;
    if (!key)
        return comb_error_no_memory(err);
    *ret_key = comb_str_from(key);
    return COMB_OK;
}

comb_str logs_level_key(enum comb_log_level level)
{
    static const char *const keys[] = {"l0", "l1", "l2", "l3", "l4", "l5"};
    return comb_str_from(keys[level]);
}

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

comb_str logs_trace_key(struct grpcc_arena *arena, comb_str trace)
{
    char *key = grpcc_arena_alloc(arena, trace.len + 1);
    if (!key)
        return (comb_str){0};
    key[0] = 't';
    for (size_t i = 0; i < trace.len; i++)
        key[i + 1] = to_lower(trace.ptr[i]);
    return comb_str_of(key, trace.len + 1);
}

comb_str logs_place(struct grpcc_arena *arena, int64_t time_us)
{
    if (time_us < 0)
        time_us = 0;
    if (time_us > TIME_US_MAX)
        time_us = TIME_US_MAX;
    const char *place = grpcc_arena_printf(arena, "%014" PRIx64, (uint64_t)time_us);
    return place ? comb_str_from(place) : (comb_str){0};
}

int64_t logs_time_of(comb_str place)
{
    uint8_t bytes[TIME_DIGITS / 2];
    int64_t time_us = 0;
    if (place.len < TIME_DIGITS ||
        !comb_hex_decode(comb_str_of(place.ptr, TIME_DIGITS), bytes, sizeof bytes))
        return -1;
    for (size_t i = 0; i < sizeof bytes; i++)
        time_us = time_us << 8 | bytes[i];
    return time_us;
}

static enum comb_status make_place(struct grpcc_arena *arena, const struct comb_uuid *batch,
                                   size_t index, int64_t time_us, comb_str *ret_place,
                                   struct comb_error *err)
{
    uint8_t digest[COMB_SHA256_SIZE];
    enum comb_status status = comb_sha256(comb_uuid_bytes(batch), digest, err);
    if (status != COMB_OK)
        return status;
    const char *hex = comb_hex_encode(arena, comb_str_of(digest, BATCH_BYTES));
    const char *place =
        hex ? grpcc_arena_printf(arena, "%014" PRIx64 "%s%04zx", (uint64_t)time_us, hex, index)
            : NULL;
    if (!place)
        return comb_error_no_memory(err);
    *ret_place = comb_str_from(place);
    return COMB_OK;
}

/* ---- checking what comes in ---- */

static bool is_plain(comb_str text, size_t max, const char *without)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr(without, text.ptr[i]))
            return false;
    return text.len > 0 && text.len <= max;
}

static bool is_text(comb_str text, size_t max)
{
    return text.len <= max && comb_str_is_utf8(text) &&
           (text.len == 0 || !memchr(text.ptr, '\0', text.len));
}

static bool is_trace(comb_str trace)
{
    uint8_t bytes[TRACE_DIGITS / 2];
    return trace.len == 0 ||
           (trace.len == TRACE_DIGITS && comb_hex_decode(trace, bytes, sizeof bytes));
}

static enum comb_status check(const struct comb_log_entry *entry, struct comb_error *err)
{
    if (entry->time_us < 0 || entry->time_us > comb_clock_wall_us() + COMB_LOGS_AHEAD_US)
        return comb_error_field(
            err, "entries.time",
            "is from 1970 on, and at most a minute ahead of the server's clock");
    if (entry->level < COMB_LOG_ERROR || entry->level > COMB_LOG_TRACE)
        return comb_error_field(err, "entries.level", "is ERROR, WARN, INFO, DEBUG or TRACE");
    if (!is_plain(entry->service, COMB_LOGS_SERVICE_BYTES_MAX, ""))
        return comb_error_field(err, "entries.service",
                                "is 1 to %d printable ASCII characters without blanks",
                                COMB_LOGS_SERVICE_BYTES_MAX);
    if (!is_text(entry->user, COMB_LOGS_USER_BYTES_MAX))
        return comb_error_field(err, "entries.user", "is UTF-8 of at most %d bytes",
                                COMB_LOGS_USER_BYTES_MAX);
    if (!is_trace(entry->trace))
        return comb_error_field(err, "entries.trace_id", "is 32 hexadecimal digits, or empty");
    if (!is_text(entry->message, COMB_LOGS_MESSAGE_BYTES_MAX))
        return comb_error_field(err, "entries.message", "is UTF-8 of at most %d bytes",
                                COMB_LOGS_MESSAGE_BYTES_MAX);
    if (entry->n_values > COMB_LOGS_VALUES_MAX)
        return comb_error_field(err, "entries.fields", "are at most %d", COMB_LOGS_VALUES_MAX);
    for (size_t i = 0; i < entry->n_values; i++) {
        if (!is_plain(entry->values[i].name, COMB_LOGS_NAME_BYTES_MAX, "=\""))
            return comb_error_field(
                err, "entries.fields.name",
                "is 1 to %d printable ASCII characters without blanks, '=' and '\"'",
                COMB_LOGS_NAME_BYTES_MAX);
        if (!is_text(entry->values[i].value, COMB_LOGS_VALUE_BYTES_MAX))
            return comb_error_field(err, "entries.fields.value", "is UTF-8 of at most %d bytes",
                                    COMB_LOGS_VALUE_BYTES_MAX);
    }
    return COMB_OK;
}

/* ---- to items ---- */

/* NULL: no room. */
static struct comb_v1_log_entry *to_message(struct grpcc_arena *arena,
                                            const struct comb_log_entry *entry)
{
    struct comb_v1_log_entry *message = comb_v1_log_entry_new(arena);
    comb_str trace = logs_trace_key(arena, entry->trace);
    if (!message || !trace.ptr)
        return NULL;
    message->level = (enum comb_v1_log_level)entry->level;
    comb_v1_log_entry_set_service(message, comb_str_dup(arena, entry->service));
    comb_v1_log_entry_set_user(message, comb_str_dup(arena, entry->user));
    comb_v1_log_entry_set_trace_id(message,
                                   comb_str_dup(arena, comb_str_of(trace.ptr + 1, trace.len - 1)));
    comb_v1_log_entry_set_message(message, comb_str_dup(arena, entry->message));
    message->fields = grpcc_arena_calloc(arena, entry->n_values, sizeof *message->fields);
    if (!message->fields)
        return NULL;
    for (size_t i = 0; i < entry->n_values; i++) {
        struct comb_v1_log_field *field = comb_v1_log_field_new(arena);
        if (!field)
            return NULL;
        comb_v1_log_field_set_name(field, comb_str_dup(arena, entry->values[i].name));
        comb_v1_log_field_set_value(field, comb_str_dup(arena, entry->values[i].value));
        message->fields[message->n_fields++] = field;
    }
    return grpcc_arena_failed(arena) ? NULL : message;
}

static enum comb_status add_hash_key(struct grpcc_arena *arena, struct comb_item *item,
                                     comb_str *keys, char kind, comb_str text,
                                     struct comb_error *err)
{
    if (text.len == 0)
        return COMB_OK;
    enum comb_status status = logs_hash_key(arena, kind, text, &keys[item->n_keys], err);
    if (status == COMB_OK)
        item->n_keys++;
    return status;
}

static enum comb_status add_keys(struct grpcc_arena *arena, const struct comb_v1_log_entry *entry,
                                 struct comb_item *item, struct comb_error *err)
{
    struct logs_words words;
    comb_str *keys;
    enum comb_status status = logs_words_of(arena, entry, &words, err);
    if (status != COMB_OK)
        return status;
    keys = grpcc_arena_calloc(arena, words.n + 4, sizeof *keys);
    if (!keys)
        return comb_error_no_memory(err);
    item->keys = keys;
    keys[item->n_keys++] = logs_level_key((enum comb_log_level)entry->level);
    if (entry->trace_id[0]) {
        comb_str trace = logs_trace_key(arena, comb_str_from(entry->trace_id));
        if (!trace.ptr)
            return comb_error_no_memory(err);
        keys[item->n_keys++] = trace;
    }
    status = add_hash_key(arena, item, keys, 's', comb_str_from(entry->service), err);
    if (status == COMB_OK)
        status = add_hash_key(arena, item, keys, 'u', comb_str_from(entry->user), err);
    for (size_t i = 0; i < words.n && status == COMB_OK; i++)
        status = add_hash_key(arena, item, keys, 'w', words.words[i], err);
    return status;
}

enum comb_status logs_to_item(struct comb_ctx *ctx, const struct comb_uuid *batch, size_t index,
                              const struct comb_log_entry *entry, struct comb_item *ret_item,
                              struct comb_error *err)
{
    struct comb_item item = {0};
    int64_t time_us = entry->time_us ? entry->time_us : comb_uuid_time_ms(batch) * 1000;
    enum comb_status status = check(entry, err);
    if (status != COMB_OK)
        return status;
    struct comb_v1_log_entry *message = to_message(ctx->arena, entry);
    if (!message)
        return comb_error_no_memory(err);
    size_t size = protobuf_c_message_get_packed_size(&message->base);
    if (size > COMB_LOGS_ENTRY_BYTES_MAX)
        return comb_error_field(err, "entries", "have at most %d bytes each",
                                COMB_LOGS_ENTRY_BYTES_MAX);
    uint8_t *bytes = grpcc_arena_alloc(ctx->arena, size);
    if (!bytes)
        return comb_error_no_memory(err);
    item.body = comb_str_of(bytes, protobuf_c_message_pack(&message->base, bytes));
    status = make_place(ctx->arena, batch, index, time_us, &item.at, err);
    item.id = item.at;
    if (status == COMB_OK)
        status = add_keys(ctx->arena, message, &item, err);
    if (status == COMB_OK)
        *ret_item = item;
    return status;
}

/* ---- and back ---- */

enum comb_status logs_read_item(struct grpcc_arena *arena, const struct comb_item *item,
                                struct comb_v1_log_entry **ret_entry, struct comb_error *err)
{
    struct comb_v1_log_entry *entry = NULL;
    struct grpcc_error native;
    int64_t time_us = logs_time_of(item->at);
    if (time_us < 0 || comb_v1_log_entry_unpack(arena, NULL, item->body.ptr, item->body.len, &entry,
                                                &native) != GRPCC_OK)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "log entry %.*s is damaged",
                              COMB_STR_ARG(item->id));
    const char *id = comb_str_dup(arena, item->id);
    entry->time = comb_timestamp_new(arena, time_us);
    if (!id || !entry->time)
        return comb_error_no_memory(err);
    comb_v1_log_entry_set_id(entry, id);
    *ret_entry = entry;
    return COMB_OK;
}
