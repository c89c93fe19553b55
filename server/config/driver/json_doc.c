/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/driver/json_doc.h"

#include <inttypes.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"

#define FORMAT_KEY "comb.config"
#define EDITOR "file"
enum { FORMAT = 1 };
enum { DUMP_FLAGS = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY };

static const char *const parts[] = {"values", "history", "requests", "marks"};
enum { N_PARTS = sizeof parts / sizeof parts[0] };

/* ---- making and reading ---- */

json_t *config_doc_new(void)
{
    return json_pack("{s:i, s:i, s:{}, s:{}, s:{}, s:{}}", FORMAT_KEY, FORMAT, "revision", 0,
                     parts[0], parts[1], parts[2], parts[3]);
}

static enum comb_status bad(struct comb_error *err, const char *file, const char *where,
                            const char *what)
{
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "%s %s: correct the file, or put its copy (.bak) back: %s", where, what,
                          file);
}

static size_t depth_of(const json_t *value)
{
    size_t deepest = 0, index;
    const char *key;
    json_t *child, *own = (json_t *)(uintptr_t)value;

    if (json_is_array(value)) {
        json_array_foreach(own, index, child)
        {
            size_t depth = depth_of(child);
            deepest = depth > deepest ? depth : deepest;
        }
    } else if (json_is_object(value)) {
        json_object_foreach(own, key, child)
        {
            size_t depth = depth_of(child);
            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

static enum comb_status check_values(const json_t *doc, const char *file, struct comb_error *err)
{
    json_t *values = json_object_get(doc, "values"), *value;
    const char *path;

    if (json_object_size(values) > COMB_CONFIG_ENTRIES_MAX)
        return bad(err, file, "values:", "too many");
    json_object_foreach(values, path, value)
    {
        if (!comb_config_path_is_valid(comb_str_from(path)))
            return bad(err, file, path, "is not a path");
        if (depth_of(value) > COMB_CONFIG_VALUE_DEPTH_MAX)
            return bad(err, file, path, "is too deep");
        if (json_dumpb(value, NULL, 0, DUMP_FLAGS) > COMB_CONFIG_VALUE_BYTES_MAX)
            return bad(err, file, path, "is larger than 64 KiB");
    }
    return COMB_OK;
}

static bool is_state(const json_t *state, int64_t revision)
{
    json_int_t own = json_integer_value(json_object_get(state, "revision"));
    return own > 0 && own <= revision && json_is_integer(json_object_get(state, "time_us")) &&
           json_is_string(json_object_get(state, "actor"));
}

static enum comb_status check_history(const json_t *doc, const char *file, struct comb_error *err)
{
    json_t *history = json_object_get(doc, "history"), *states, *state;
    const char *path;
    size_t i;

    json_object_foreach(history, path, states)
    {
        if (!json_is_array(states) || json_array_size(states) == 0)
            return bad(err, file, path, "has a damaged history");
        json_array_foreach(states, i, state)
        {
            if (!is_state(state, config_doc_revision(doc)))
                return bad(err, file, path, "has a damaged history");
        }
    }
    return COMB_OK;
}

enum comb_status config_doc_parse(comb_str text, const char *file, json_t **ret_doc,
                                  struct comb_error *err)
{
    json_error_t native;
    char where[32];
    json_t *doc = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &native);
    enum comb_status status = COMB_OK;

    if (!doc) {
        snprintf(where, sizeof where, "line %d:", native.line);
        return bad(err, file, where, native.text);
    }
    if (json_integer_value(json_object_get(doc, FORMAT_KEY)) != FORMAT ||
        !json_is_integer(json_object_get(doc, "revision")) || config_doc_revision(doc) < 0)
        status = bad(err, file, "it", "is not a configuration that this version knows");
    for (size_t i = 0; i < N_PARTS && status == COMB_OK; i++) {
        if (!json_is_object(json_object_get(doc, parts[i])))
            status = bad(err, file, parts[i], "is missing or not an object");
    }
    if (status == COMB_OK)
        status = check_values(doc, file, err);
    if (status == COMB_OK)
        status = check_history(doc, file, err);
    if (status == COMB_OK)
        *ret_doc = doc;
    else
        json_decref(doc);
    return status;
}

char *config_doc_text(const json_t *doc)
{
    return json_dumps(doc, JSON_INDENT(2) | JSON_SORT_KEYS);
}

int64_t config_doc_revision(const json_t *doc)
{
    return json_integer_value(json_object_get(doc, "revision"));
}

/* ---- reading entries ---- */

static const json_t *newest_of(const json_t *doc, const char *path)
{
    const json_t *states = json_object_get(json_object_get(doc, "history"), path);
    size_t n = json_array_size(states);
    return n > 0 ? json_array_get(states, n - 1) : NULL;
}

static bool fill(struct grpcc_arena *arena, const char *path, const json_t *state,
                 struct comb_config_entry *ret_entry)
{
    const json_t *value = json_object_get(state, "value");
    struct comb_config_entry entry = {
        .path = comb_str_from(grpcc_arena_strdup(arena, path)),
        .revision = json_integer_value(json_object_get(state, "revision")),
        .time_us = json_integer_value(json_object_get(state, "time_us")),
        .actor = comb_str_from(
            grpcc_arena_strdup(arena, json_string_value(json_object_get(state, "actor"))))};

    if (value) {
        char *text = json_dumps(value, DUMP_FLAGS);
        entry.value = comb_str_from(text ? grpcc_arena_strdup(arena, text) : NULL);
        free(text);
    }
    if (!entry.path.ptr || !entry.actor.ptr || (value && !entry.value.ptr))
        return false;
    *ret_entry = entry;
    return true;
}

bool config_doc_find(const json_t *doc, struct grpcc_arena *arena, comb_str path,
                     struct comb_config_entry *ret_entry, struct comb_error *err)
{
    const char *name = comb_str_dup(arena, path);
    const json_t *state = name ? newest_of(doc, name) : NULL;

    err->status = COMB_OK;
    if (name && !state)
        return false;
    if (name && fill(arena, name, state, ret_entry))
        return true;
    comb_error_no_memory(err);
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_in(const char *path, comb_str prefix, comb_str after)
{
    comb_str own = comb_str_from(path);
    return comb_str_starts_with(own, prefix) &&
           (after.len == 0 || comb_str_compare(own, after) > 0);
}

enum comb_status config_doc_list(const json_t *doc, struct grpcc_arena *arena, comb_str prefix,
                                 comb_str after, size_t limit,
                                 struct comb_config_entries *ret_entries, struct comb_error *err)
{
    json_t *values = json_object_get(doc, "values"), *value;
    const char *path,
        **names = grpcc_arena_calloc(arena, json_object_size(values) + 1, sizeof(const char *));
    size_t n = 0;

    if (!names)
        return comb_error_no_memory(err);
    json_object_foreach(values, path, value)
    {
        if (is_in(path, prefix, after))
            names[n++] = path;
    }
    qsort(names, n, sizeof names[0], compare_names);
    size_t n_items = n < limit ? n : limit;
    struct comb_config_entry *items = grpcc_arena_calloc(arena, n_items + 1, sizeof *items);
    if (!items)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n_items; i++) {
        if (!fill(arena, names[i], newest_of(doc, names[i]), &items[i]))
            return comb_error_no_memory(err);
    }
    *ret_entries = (struct comb_config_entries){
        .items = items, .n = n_items, .more = n > limit, .revision = config_doc_revision(doc)};
    return COMB_OK;
}

enum comb_status config_doc_history(const json_t *doc, struct grpcc_arena *arena, comb_str path,
                                    int64_t before, size_t limit,
                                    struct comb_config_entries *ret_entries, struct comb_error *err)
{
    const char *name = comb_str_dup(arena, path);
    struct comb_config_entry *items =
        grpcc_arena_calloc(arena, COMB_CONFIG_HISTORY_MAX, sizeof *items);
    struct comb_config_entries page = {.items = items, .revision = config_doc_revision(doc)};

    if (!name || !items)
        return comb_error_no_memory(err);
    const json_t *states = json_object_get(json_object_get(doc, "history"), name);
    for (size_t i = json_array_size(states); i > 0 && !page.more; i--) {
        const json_t *state = json_array_get(states, i - 1);
        if (before > 0 && json_integer_value(json_object_get(state, "revision")) >= before)
            continue;
        page.more = page.n >= limit || page.n >= COMB_CONFIG_HISTORY_MAX;
        if (!page.more && !fill(arena, name, state, &items[page.n++]))
            return comb_error_no_memory(err);
    }
    *ret_entries = page;
    return COMB_OK;
}

/* ---- the next document ---- */

/* Shares all values, but not the objects that hold them. */
static json_t *copy_doc(const json_t *doc, int64_t revision)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)doc);

    if (!copy)
        return NULL;
    for (size_t i = 0; i < N_PARTS; i++) {
        if (json_object_set_new(copy, parts[i], json_copy(json_object_get(doc, parts[i]))) != 0)
            goto fail;
    }
    if (json_object_set_new(copy, "revision", json_integer(revision)) == 0)
        return copy;
fail:
    json_decref(copy);
    return NULL;
}

/* value NULL: deleted. Borrowed. */
static bool set(json_t *doc, const char *path, json_t *value, int64_t now_us, comb_str actor)
{
    json_t *history = json_object_get(doc, "history"), *values = json_object_get(doc, "values");
    json_t *old = json_object_get(history, path);
    json_t *states = old ? json_copy(old) : json_array();
    json_t *state =
        json_pack("{s:I, s:I, s:s%}", "revision", (json_int_t)config_doc_revision(doc), "time_us",
                  (json_int_t)now_us, "actor", actor.ptr ? actor.ptr : "", actor.len);
    bool done = state && states && (!value || json_object_set(state, "value", value) == 0) &&
                json_array_append(states, state) == 0 &&
                json_object_set(history, path, states) == 0;

    json_decref(state);
    while (done && json_array_size(states) > COMB_CONFIG_HISTORY_MAX)
        json_array_remove(states, 0);
    json_decref(states);
    if (done && value)
        done = json_object_set(values, path, value) == 0;
    else if (done)
        json_object_del(values, path);
    return done;
}

static bool is_old(const json_t *request, int64_t now_us)
{
    return json_integer_value(json_object_get(request, "time_us")) <
           now_us - COMB_REQUEST_ID_KEEP_US;
}

static bool remember(json_t *doc, const char *request, const char *hash, int64_t now_us)
{
    json_t *requests = json_object_get(doc, "requests"), *row;
    const char *key;
    void *next;

    json_object_foreach_safe(requests, next, key, row)
    {
        if (is_old(row, now_us))
            json_object_del(requests, key);
    }
    row = json_pack("{s:s, s:I, s:I}", "hash", hash, "revision",
                    (json_int_t)config_doc_revision(doc), "time_us", (json_int_t)now_us);
    return row && json_object_set_new(requests, request, row) == 0;
}

/* The path's own revision, 0 where it has no value. */
static int64_t revision_of(const json_t *doc, const char *path)
{
    const json_t *state = newest_of(doc, path);
    return json_object_get(state, "value") ? json_integer_value(json_object_get(state, "revision"))
                                           : 0;
}

static enum comb_status check_expected(const json_t *doc, const struct comb_config_change *change,
                                       const char *path, struct comb_error *err)
{
    int64_t is = revision_of(doc, path);

    if (!change->has_expected || change->expected == is)
        return COMB_OK;
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH,
                                  path, "%s has revision %" PRId64 ", not %" PRId64, path, is,
                                  change->expected);
}

/* All changes of the batch on copy, whose revision is the next one. */
static enum comb_status apply_to(json_t *copy, struct grpcc_arena *arena,
                                 const struct comb_config_batch *batch, int64_t now_us,
                                 struct comb_error *err)
{
    enum comb_status status = COMB_OK;

    for (size_t i = 0; i < batch->n && status == COMB_OK; i++) {
        const struct comb_config_change *change = &batch->changes[i];
        const char *path = comb_str_dup(arena, change->path);
        json_t *value = NULL;
        if (!path)
            return comb_error_no_memory(err);
        status = check_expected(copy, change, path, err);
        if (status != COMB_OK || change->compare_only ||
            (!change->value.ptr && revision_of(copy, path) == 0))
            continue;
        if (change->value.ptr)
            value = json_loadb(change->value.ptr, change->value.len,
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        if (change->value.ptr && !value)
            status = comb_error_field(err, "value", "%s: not JSON", path);
        else if (!set(copy, path, value, now_us, batch->actor))
            status = comb_error_no_memory(err);
        json_decref(value);
    }
    if (status == COMB_OK &&
        json_object_size(json_object_get(copy, "values")) > COMB_CONFIG_ENTRIES_MAX)
        status = comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                "a configuration has at most %d values", COMB_CONFIG_ENTRIES_MAX);
    return status;
}

/* Whether the request was done before; then *ret_outcome says what came of it. */
static enum comb_status find_request(const json_t *doc, const char *key, const char *hash,
                                     int64_t now_us, struct comb_config_outcome *ret_outcome,
                                     struct comb_error *err)
{
    const json_t *row = json_object_get(json_object_get(doc, "requests"), key);
    const char *known = json_string_value(json_object_get(row, "hash"));

    if (!row || is_old(row, now_us))
        return COMB_OK;
    if (!known || strcmp(known, hash) != 0)
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT,
                                      COMB_V1_ERROR_REASON_REQUEST_ID_REUSED, "request_id",
                                      "the request id was used with another request");
    *ret_outcome = (struct comb_config_outcome){
        .revision = json_integer_value(json_object_get(row, "revision")), .replayed = true};
    return COMB_OK;
}

static enum comb_status apply(const json_t *doc, struct grpcc_arena *arena,
                              const struct comb_config_batch *batch, int64_t now_us,
                              json_t **ret_doc, struct comb_config_outcome *ret_outcome,
                              struct comb_error *err)
{
    const char *hash = comb_hex_encode(arena, comb_str_of(batch->hash, sizeof batch->hash));
    const char *key = comb_str_dup(arena, batch->request);
    struct comb_config_outcome outcome = {0};
    enum comb_status status = hash && key ? find_request(doc, key, hash, now_us, &outcome, err)
                                          : comb_error_no_memory(err);

    if (status == COMB_OK && outcome.replayed)
        *ret_outcome = outcome;
    if (status != COMB_OK || outcome.replayed)
        return status;
    json_t *copy = copy_doc(doc, config_doc_revision(doc) + 1);
    if (!copy)
        return comb_error_no_memory(err);
    status = apply_to(copy, arena, batch, now_us, err);
    if (status == COMB_OK && !remember(copy, key, hash, now_us))
        status = comb_error_no_memory(err);
    if (status == COMB_OK &&
        json_object_size(json_object_get(copy, "requests")) > CONFIG_REQUESTS_MAX)
        status = comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_OVERLOADED,
                                "more than %d changes within 24 hours", CONFIG_REQUESTS_MAX);
    if (status == COMB_OK) {
        *ret_doc = copy;
        ret_outcome->revision = config_doc_revision(copy);
    } else {
        json_decref(copy);
    }
    return status;
}

enum comb_status config_doc_apply(const json_t *doc, const struct comb_config_batch *batch,
                                  int64_t now_us, json_t **ret_doc,
                                  struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);

    *ret_doc = NULL;
    if (!arena)
        return comb_error_no_memory(err);
    enum comb_status status = apply(doc, arena, batch, now_us, ret_doc, ret_outcome, err);
    grpcc_arena_free(arena);
    return status;
}

/* ---- edits by hand ---- */

/* base with the values of read, where they differ. *ret_changed: whether any does. */
static bool merge_values(json_t *base, const json_t *read, int64_t now_us, bool *ret_changed)
{
    json_t *is = json_object_get(read, "values"), *was = json_object_get(base, "history"), *value,
           *states;
    const char *path;
    void *next;
    bool done = true;

    json_object_foreach(is, path, value)
    {
        json_t *old = json_object_get(newest_of(base, path), "value");
        if (!old || !json_equal(old, value)) {
            *ret_changed = true;
            done = done && set(base, path, value, now_us, STR(EDITOR));
        }
    }
    json_object_foreach_safe(was, next, path, states)
    {
        if (revision_of(base, path) != 0 && !json_object_get(is, path)) {
            *ret_changed = true;
            done = done && set(base, path, NULL, now_us, STR(EDITOR));
        }
    }
    return done;
}

enum comb_status config_doc_merge(const json_t *doc, const json_t *read, int64_t now_us,
                                  json_t **ret_doc, struct comb_error *err)
{
    json_t *copy = copy_doc(doc, config_doc_revision(doc) + 1);
    bool changed = false;

    *ret_doc = NULL;
    if (!copy || !merge_values(copy, read, now_us, &changed)) {
        json_decref(copy);
        return comb_error_no_memory(err);
    }
    if (changed)
        *ret_doc = copy;
    else
        json_decref(copy);
    return COMB_OK;
}

/* ---- marks ---- */

enum comb_status config_doc_raise_mark(const json_t *doc, comb_str name, uint64_t value,
                                       json_t **ret_doc, uint64_t *ret_highest,
                                       struct comb_error *err)
{
    char key[COMB_CONFIG_MARK_BYTES_MAX + 1];

    snprintf(key, sizeof key, "%.*s", COMB_STR_ARG(name));
    json_int_t is = json_integer_value(json_object_get(json_object_get(doc, "marks"), key));
    *ret_doc = NULL;
    *ret_highest = is > 0 && (uint64_t)is > value ? (uint64_t)is : value;
    if (is > 0 && (uint64_t)is >= value)
        return COMB_OK;
    if (value == 0)
        return COMB_OK;
    json_t *copy = copy_doc(doc, config_doc_revision(doc));
    if (!copy || json_object_set_new(json_object_get(copy, "marks"), key,
                                     json_integer((json_int_t)value)) != 0) {
        json_decref(copy);
        return comb_error_no_memory(err);
    }
    *ret_doc = copy;
    return COMB_OK;
}
