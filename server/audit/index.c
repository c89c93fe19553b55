/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/mutation/audit.h"
#include "server/text/tokens.h"

/* Hexadecimal digits of a place: of the time in microseconds (until 2112), of the number, of the
 * epoch. */
enum { TIME_DIGITS = 13, N_DIGITS = 11, EPOCH_DIGITS = 8, KEY_DIGITS = TIME_DIGITS + N_DIGITS };
_Static_assert(KEY_DIGITS + EPOCH_DIGITS == COMB_ITEM_ID_LENGTH, "a place's length");
#define TIME_MAX ((INT64_C(1) << 4 * TIME_DIGITS) - 1)
#define N_MAX ((UINT64_C(1) << 4 * N_DIGITS) - 1)
/* Of an epoch: its note is called so behind NOTE_PREFIX, and an item's body is this. */
enum { EPOCH_LENGTH = 16 };
#define NOTE_PREFIX "reached/"

/* What a key is of. */
enum key {
    KEY_WORD = 'w',
    KEY_MANY = 'x', /* more words than are kept */
    KEY_NODE = 'n',
    KEY_METHOD = 'm',
    KEY_SERVICE = 's'
};

/* ---- words ---- */

/* "Tree/Move" of "/comb.v1.Tree/Move". */
static comb_str method_of(const struct comb_v1_audit_record *record)
{
    const comb_str method = comb_str_from(record->method), ours = STR("/comb.v1.");
    return comb_str_starts_with(method, ours)
               ? comb_str_of(method.ptr + ours.len, method.len - ours.len)
               : method;
}

/* "ipv4:192.0.2.7" of "ipv4:192.0.2.7:4711": a port is nobody's. */
static comb_str host_of(const struct comb_v1_audit_record *record)
{
    const char *colon = strrchr(record->peer, ':');
    bool has_port = colon && comb_str_starts_with(comb_str_from(record->peer), STR("ipv"));
    return has_port ? comb_str_of(record->peer, (size_t)(colon - record->peer))
                    : comb_str_from(record->peer);
}

/* The walk over the words of a record. Members are private. */
struct words {
    const struct comb_v1_audit_record *record;
    size_t text; /* that is cut now, from 1 */
    struct comb_text_tokens tokens;
};

enum { OWN_TEXTS = 7 };

/* False: there are no more. What is none to be cut is "". */
static bool text_at(const struct comb_v1_audit_record *record, size_t i, comb_str *ret_text)
{
    struct comb_uuid id;
    if (i < OWN_TEXTS) {
        const comb_str texts[OWN_TEXTS] = {
            comb_str_from(record->login),
            method_of(record),
            host_of(record),
            comb_str_from(record->trace_id),
            comb_str_from(record->reason),
            comb_str_from(record->before),
            comb_str_from(record->after),
        };
        *ret_text = texts[i];
        return true;
    }
    if (i - OWN_TEXTS >= record->n_targets)
        return false;
    *ret_text = comb_str_from(record->targets[i - OWN_TEXTS]->id);
    /* Nobody looks for a part of an id. */
    if (comb_uuid_parse(*ret_text, &id))
        *ret_text = STR("");
    return true;
}

/* False: there are no more. The term lives until the next call. */
static bool next_word(struct words *words, comb_str *ret_term)
{
    struct comb_text_token token;
    comb_str text;
    while (words->text == 0 || !comb_text_tokens_next(&words->tokens, &token)) {
        if (!text_at(words->record, words->text, &text))
            return false;
        comb_text_tokens_init(&words->tokens, text, COMB_TEXT_STORE);
        words->text++;
    }
    *ret_term = token.term;
    return true;
}

enum comb_status audit_ask(struct grpcc_arena *arena, comb_str text, struct audit_asked *ret_asked,
                           struct comb_error *err)
{
    struct audit_asked asked = {.n = 0};
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    comb_text_tokens_init(&tokens, text, COMB_TEXT_ASK);
    while (comb_text_tokens_next(&tokens, &token)) {
        if (asked.n == COMB_AUDIT_ASKED_MAX)
            return comb_error_field(err, "filter.text", "has more than %d words",
                                    COMB_AUDIT_ASKED_MAX);
        char *copy = comb_str_dup(arena, token.term);
        if (!copy)
            return comb_error_no_memory(err);
        asked.words[asked.n++] =
            (struct audit_word){comb_str_of(copy, token.term.len), token.is_prefix};
    }
    if (asked.n == 0 && text.len > 0)
        return comb_error_field(err, "filter.text", "has no word");
    *ret_asked = asked;
    return COMB_OK;
}

bool audit_has_words(const struct comb_v1_audit_record *record, const struct audit_asked *asked)
{
    struct words words = {.record = record};
    const uint32_t all = (uint32_t)((UINT64_C(1) << asked->n) - 1);
    uint32_t found = 0;
    comb_str term;
    while (found != all && next_word(&words, &term)) {
        for (size_t i = 0; i < asked->n; i++) {
            const struct audit_word *word = &asked->words[i];
            if (word->is_prefix ? comb_str_starts_with(term, word->term)
                                : comb_str_equal(term, word->term))
                found |= UINT32_C(1) << i;
        }
    }
    return found == all;
}

/* ---- keys ---- */

struct keys {
    struct comb_ctx *ctx;
    uint64_t epoch;
    comb_str *keys;
    size_t n;
};

/* The first n hexadecimal digits of a hash of the epoch, a letter and a value; NULL: no memory. */
static char *hash_text(struct grpcc_arena *arena, uint64_t epoch, char letter, comb_str value,
                       int n)
{
    uint8_t digest[COMB_SHA256_SIZE];
    char *data = grpcc_arena_alloc(arena, sizeof epoch + 1 + value.len);
    struct comb_error err;
    if (!data)
        return NULL;
    memcpy(data, &epoch, sizeof epoch);
    data[sizeof epoch] = letter;
    if (value.len > 0)
        memcpy(data + sizeof epoch + 1, value.ptr, value.len);
    const comb_str all = comb_str_of(data, sizeof epoch + 1 + value.len);
    if (comb_sha256(all, digest, &err) != COMB_OK)
        return NULL;
    return comb_hex_encode(arena, comb_str_of(digest, (size_t)n / 2));
}

static bool add_key(struct keys *keys, enum key key, comb_str value)
{
    struct grpcc_arena *arena = keys->ctx->arena;
    const char *hash = hash_text(arena, keys->epoch, (char)key, value, AUDIT_KEY_LENGTH - 1);
    const char *text = hash ? grpcc_arena_printf(arena, "%c%s", (char)key, hash) : NULL;
    if (!text)
        return false;
    const comb_str made = comb_str_of(text, AUDIT_KEY_LENGTH);
    for (size_t i = 0; i < keys->n; i++)
        if (comb_str_equal(keys->keys[i], made))
            return true;
    keys->keys[keys->n++] = made;
    return true;
}

/* "/comb.v1.Tree/" of "/comb.v1.Tree/Move"; "": it is no method. */
static comb_str service_of(comb_str method)
{
    const char *slash =
        method.len > 1 && method.ptr[0] == '/' ? memchr(method.ptr + 1, '/', method.len - 1) : NULL;
    return slash ? comb_str_of(method.ptr, (size_t)(slash - method.ptr) + 1) : STR("");
}

static bool add_words(struct keys *keys, const struct comb_v1_audit_record *record)
{
    struct words words = {.record = record};
    const size_t before = keys->n;
    comb_str term;
    while (next_word(&words, &term)) {
        if (keys->n - before == AUDIT_WORDS_MAX)
            return add_key(keys, KEY_MANY, STR(""));
        if (!add_key(keys, KEY_WORD, term))
            return false;
    }
    return true;
}

static bool add_nodes(struct keys *keys, const struct comb_v1_audit_record *record)
{
    struct comb_uuid id;
    for (size_t i = 0; i < record->n_targets && i < COMB_AUDIT_TARGETS_MAX; i++) {
        const struct comb_v1_audit_target *target = record->targets[i];
        if (strcmp(target->kind, "node") == 0 && comb_uuid_parse(comb_str_from(target->id), &id) &&
            !add_key(keys, KEY_NODE, comb_uuid_bytes(&id)))
            return false;
    }
    return true;
}

static bool add_method(struct keys *keys, const struct comb_v1_audit_record *record)
{
    const comb_str method = comb_str_from(record->method);
    return method.len == 0 ||
           (add_key(keys, KEY_METHOD, method) && add_key(keys, KEY_SERVICE, service_of(method)));
}

/* ---- items ---- */

/* What is none of a time that a place has room for is at its end. */
static uint64_t place_time(int64_t time_us)
{
    return time_us < 0 ? 0 : (uint64_t)(time_us < TIME_MAX ? time_us : TIME_MAX);
}

/* The part of an epoch that keeps the places of two apart. */
static uint32_t epoch_part(uint64_t epoch)
{
    return (uint32_t)(epoch ^ epoch >> 32);
}

enum comb_status audit_to_item(struct comb_ctx *ctx, uint64_t epoch,
                               const struct comb_audit_row *row, struct comb_item *ret_item,
                               bool *ret_is, struct comb_error *err)
{
    struct grpcc_arena *arena = ctx->arena;
    struct comb_v1_audit_record *record = NULL;
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    const struct comb_audit_line *line = &row->line;
    comb_str *texts = grpcc_arena_calloc(arena, AUDIT_KEYS_MAX, sizeof *texts);
    struct keys keys = {.ctx = ctx, .epoch = epoch, .keys = texts};
    *ret_is = false;
    if (line->n > N_MAX)
        return comb_error_set(err, COMB_OUT_OF_RANGE, 0, "the trail has too many lines to index");
    if (!texts)
        return comb_error_no_memory(err);
    /* What is no record is found by nothing. */
    if (comb_v1_audit_record_unpack(arena, NULL, line->record, line->record_size, &record,
                                    &failure) != GRPCC_OK)
        return COMB_OK;
    const char *id =
        hash_text(arena, epoch, 0, comb_str_of(&line->n, sizeof line->n), COMB_ITEM_ID_LENGTH);
    const char *at = grpcc_arena_printf(arena, "%0*" PRIx64 "%0*" PRIx64 "%0*" PRIx32, TIME_DIGITS,
                                        place_time(row->index.time_us), N_DIGITS, line->n,
                                        EPOCH_DIGITS, epoch_part(epoch));
    const char *body = grpcc_arena_printf(arena, "%0*" PRIx64, EPOCH_LENGTH, epoch);
    if (!id || !at || !body || !add_words(&keys, record) || !add_nodes(&keys, record) ||
        !add_method(&keys, record))
        return comb_error_no_memory(err);
    *ret_item = (struct comb_item){.id = comb_str_from(id),
                                   .at = comb_str_from(at),
                                   .keys = keys.keys,
                                   .n_keys = keys.n,
                                   .body = comb_str_from(body)};
    *ret_is = true;
    return COMB_OK;
}

/* n hexadecimal digits. */
static bool read_digits(const char *text, size_t n, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, text[i]);
        if (!text[i] || !at)
            return false;
        number = number << 4 | (uint64_t)(at - digits);
    }
    *ret_number = number;
    return true;
}

bool audit_place_read(comb_str place, struct comb_audit_place *ret_place)
{
    uint64_t time_us, n;
    if (place.len != COMB_ITEM_ID_LENGTH || !read_digits(place.ptr, TIME_DIGITS, &time_us) ||
        !read_digits(place.ptr + TIME_DIGITS, N_DIGITS, &n))
        return false;
    *ret_place = (struct comb_audit_place){(int64_t)time_us, n};
    return true;
}

bool audit_item_read(const struct comb_item *item, uint64_t *ret_n, uint64_t *ret_epoch)
{
    struct comb_audit_place place;
    if (item->body.len != EPOCH_LENGTH || !audit_place_read(item->at, &place) ||
        !read_digits(item->body.ptr, EPOCH_LENGTH, ret_epoch))
        return false;
    *ret_n = place.n;
    return true;
}

comb_str audit_place(struct grpcc_arena *arena, int64_t time_us, uint64_t n)
{
    const char *text = grpcc_arena_printf(arena, "%0*" PRIx64 "%0*" PRIx64, TIME_DIGITS,
                                          place_time(time_us), N_DIGITS, n < N_MAX ? n : N_MAX);
    return comb_str_from(text);
}

/* ---- keys of a query ---- */

/* The longest whole word, which is as good a guess as any at the rarest; NULL: there is none. */
static const struct audit_word *longest(const struct audit_asked *asked)
{
    const struct audit_word *best = NULL;
    for (size_t i = 0; i < asked->n; i++) {
        const struct audit_word *word = &asked->words[i];
        if (!word->is_prefix && (!best || word->term.len > best->term.len))
            best = word;
    }
    return best;
}

/* The key that an item has exactly where the method is as the filter wants it; of "/" or "/a",
 * which many begin with, there is none. */
static bool add_asked_method(struct keys *keys, comb_str method)
{
    if (method.len == 0)
        return true;
    if (method.ptr[method.len - 1] != '/')
        return add_key(keys, KEY_METHOD, method);
    return service_of(method).len != method.len || add_key(keys, KEY_SERVICE, method);
}

enum comb_status audit_keys_of(struct comb_ctx *ctx, uint64_t epoch,
                               const struct comb_audit_filter *filter,
                               const struct audit_asked *asked,
                               comb_str ret_keys[AUDIT_WALK_KEYS_MAX], size_t *ret_n,
                               struct comb_error *err)
{
    struct keys keys = {.ctx = ctx, .epoch = epoch, .keys = ret_keys};
    const struct audit_word *word = longest(asked);
    bool ok = true;
    /* The one that most likely has the fewest lines; the rest is asked of each. Of a user the trail
     * itself knows all lines. */
    if (filter->node)
        ok = add_key(&keys, KEY_NODE, comb_uuid_bytes(filter->node));
    else if (word)
        ok = add_key(&keys, KEY_WORD, word->term) && add_key(&keys, KEY_MANY, STR(""));
    else if (!filter->user)
        ok = add_asked_method(&keys, filter->method);
    *ret_n = keys.n;
    return ok ? COMB_OK : comb_error_no_memory(err);
}

/* ---- how far it is ---- */

enum comb_status audit_reached(struct comb_items_store *items, struct comb_ctx *ctx, uint64_t epoch,
                               uint64_t *ret_n, struct comb_error *err)
{
    char from[64], to[sizeof from + 1];
    const struct comb_item_note *notes;
    size_t n = 0;
    snprintf(from, sizeof from, NOTE_PREFIX "%0*" PRIx64, EPOCH_LENGTH, epoch);
    snprintf(to, sizeof to, "%s!", from);
    enum comb_status status = items->driver->notes(items, ctx, comb_str_from(from),
                                                   comb_str_from(to), 1, &notes, &n, err);
    if (status != COMB_OK)
        return status;
    *ret_n = 0;
    if (n > 0 && (notes[0].value.len != EPOCH_LENGTH ||
                  !read_digits(notes[0].value.ptr, EPOCH_LENGTH, ret_n)))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a note of the audit trail's index");
    return COMB_OK;
}

enum comb_status audit_reach(struct comb_items_store *items, struct comb_ctx *ctx, uint64_t epoch,
                             uint64_t n, struct comb_error *err)
{
    char key[64], value[EPOCH_LENGTH + 1];
    snprintf(key, sizeof key, NOTE_PREFIX "%0*" PRIx64, EPOCH_LENGTH, epoch);
    snprintf(value, sizeof value, "%0*" PRIx64, EPOCH_LENGTH, n);
    const struct comb_item_note note = {comb_str_from(key), comb_str_from(value),
                                        comb_clock_wall_us()};
    return items->driver->raise(items, ctx, &note, err);
}

enum comb_status audit_forget_before(struct comb_items_store *items, struct comb_ctx *ctx,
                                     uint64_t epoch, struct comb_error *err)
{
    char to[64];
    const struct comb_item_note *notes;
    size_t n = 0;
    snprintf(to, sizeof to, NOTE_PREFIX "%0*" PRIx64, EPOCH_LENGTH, epoch);
    enum comb_status status = items->driver->notes(items, ctx, STR(NOTE_PREFIX), comb_str_from(to),
                                                   COMB_ITEM_NOTES_MAX, &notes, &n, err);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = items->driver->unset(items, ctx, notes[i].key, err);
    return status;
}
