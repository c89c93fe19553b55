/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing documents into the search index in MongoDB. The entries that a document is found by are
 * of both of its parts, so who writes one part has to know the terms of the other: what is there is
 * read, and what is written is written where it is still so, else all is done again.
 */
#include "server/core/clock.h"
#include "server/search/driver/mongo_entries.h"
#include "server/search/driver/mongo_internal.h"

/* Bytes of the documents of one command; the command itself may have 48 MiB. */
#define COMMAND_BYTES_MAX (8u << 20)
/* Documents whose terms are read at once: a reply has 16 MiB. */
#define TERMS_READ_MAX 8
/* Two write the parts of a document, one each: neither comes in between again and again. */
#define TRIES_MAX 16

struct comb_mongo *search_mongo_of(struct comb_search_store *self)
{
    return ((struct search_mongo *)self)->mongo;
}

/* ---- BSON ---- */

void search_mongo_add_id(bson_t *to, const char *key, const struct comb_uuid *id)
{
    bson_append_binary(to, key, -1, BSON_SUBTYPE_BINARY, id->bytes, sizeof id->bytes);
}

void search_mongo_add_text(bson_t *to, const char *key, comb_str text)
{
    bson_append_utf8(to, key, -1, text.len > 0 ? text.ptr : "", (int)text.len);
}

const char *search_mongo_key(uint32_t index, char buffer[SEARCH_MONGO_KEY_SIZE])
{
    const char *key;
    bson_uint32_to_string(index, &key, buffer, SEARCH_MONGO_KEY_SIZE);
    return key;
}

void search_mongo_add_texts(bson_t *to, const char *key, const comb_str *texts, size_t n)
{
    char buffer[SEARCH_MONGO_KEY_SIZE];
    bson_t array;
    bson_append_array_begin(to, key, -1, &array);
    for (size_t i = 0; i < n; i++)
        search_mongo_add_text(&array, search_mongo_key((uint32_t)i, buffer), texts[i]);
    bson_append_array_end(to, &array);
}

bool search_mongo_id_at(comb_str document, const char *key, struct comb_uuid *ret_id)
{
    comb_str bytes = comb_mongo_bytes(document, key);
    if (bytes.len != sizeof ret_id->bytes)
        return false;
    memcpy(ret_id->bytes, bytes.ptr, sizeof ret_id->bytes);
    return true;
}

comb_str search_mongo_text_at(comb_str document, const char *key)
{
    comb_str text = comb_mongo_text(document, key);
    return text.ptr ? text : STR("");
}

void search_mongo_add_ids(bson_t *to, const char *key, const struct comb_uuid *ids, size_t n)
{
    char buffer[SEARCH_MONGO_KEY_SIZE];
    bson_t array;
    bson_append_array_begin(to, key, -1, &array);
    for (size_t i = 0; i < n; i++)
        search_mongo_add_id(&array, search_mongo_key((uint32_t)i, buffer), &ids[i]);
    bson_append_array_end(to, &array);
}

bson_t *search_mongo_find(const struct comb_uuid *ids, size_t n)
{
    bson_t *command = bson_new(), filter, in;
    bson_append_utf8(command, "find", -1, SEARCH_MONGO_COLLECTION, -1);
    bson_append_document_begin(command, "filter", -1, &filter);
    bson_append_document_begin(&filter, "_id", -1, &in);
    search_mongo_add_ids(&in, "$in", ids, n);
    bson_append_document_end(&filter, &in);
    bson_append_document_end(command, &filter);
    bson_append_int64(command, "batchSize", -1, (int64_t)n);
    bson_append_bool(command, "singleBatch", -1, true);
    return command;
}

/* ---- what is there ---- */

struct state {
    bool is_there, is_document, has_content;
    struct comb_uuid blob;
    struct comb_search_version version, content_version;
    struct comb_search_document terms; /* its terms alone, where they are wanted */
    comb_str content_terms;            /* likewise */
};

/* What is to become of one document: one of the three. */
struct change {
    struct comb_uuid id;
    struct comb_search_version version;
    const struct comb_search_document *document;
    const struct comb_search_content *content;
    const struct comb_search_removal *removal;
    struct state state;
    const comb_str *entries; /* of both parts */
    size_t n_entries;
    bool is_settled; /* it has been written, or came late */
};

static struct change *change_of(struct change *changes, size_t n, const struct comb_uuid *id)
{
    for (size_t i = 0; i < n; i++)
        if (comb_uuid_equal(&changes[i].id, id))
            return &changes[i];
    return NULL;
}

static void add_members(bson_t *command, const char *const *members, size_t n)
{
    bson_t projection;
    bson_append_document_begin(command, "projection", -1, &projection);
    for (size_t i = 0; i < n; i++)
        bson_append_int32(&projection, members[i], -1, 1);
    bson_append_document_end(command, &projection);
}

static void take_state(struct change *change, comb_str document)
{
    struct state *state = &change->state;
    state->is_there = true;
    state->is_document = comb_mongo_integer(document, "d", 0) == 0;
    state->has_content = search_mongo_id_at(document, "c", &state->blob);
    state->version = (struct comb_search_version){(uint64_t)comb_mongo_integer(document, "e", 0),
                                                  (uint64_t)comb_mongo_integer(document, "r", 0)};
    state->content_version =
        (struct comb_search_version){(uint64_t)comb_mongo_integer(document, "ce", 0),
                                     (uint64_t)comb_mongo_integer(document, "cr", 0)};
}

static void take_terms(struct change *change, comb_str document)
{
    change->state.terms.name_terms = search_mongo_text_at(document, "nt");
    change->state.terms.meta_terms = search_mongo_text_at(document, "mt");
    change->state.terms.keyed_terms = search_mongo_text_at(document, "kt");
    change->state.content_terms = search_mongo_text_at(document, "ct");
}

static enum comb_status read_some(struct comb_search_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *ids, size_t n_ids, bool terms,
                                  struct change *changes, size_t n, struct comb_error *err)
{
    static const char *const states[] = {"e", "r", "d", "c", "ce", "cr"};
    static const char *const of_terms[] = {"nt", "mt", "kt", "ct"};
    bson_t *command = search_mongo_find(ids, n_ids);
    comb_str reply, document;
    bson_iter_t batch;
    add_members(command, terms ? of_terms : states, terms ? 4 : 6);
    enum comb_status status = comb_mongo_read(search_mongo_of(self), ctx, command, &reply, err);
    bson_destroy(command);
    if (status != COMB_OK)
        return status;
    if (!comb_mongo_array(reply, "cursor.firstBatch", &batch))
        return comb_error_set(err, COMB_INTERNAL, 0, "MongoDB gave no documents");
    while (comb_mongo_next(&batch, &document)) {
        struct comb_uuid id;
        struct change *change =
            search_mongo_id_at(document, "_id", &id) ? change_of(changes, n, &id) : NULL;
        if (change && terms)
            take_terms(change, document);
        else if (change)
            take_state(change, document);
    }
    return COMB_OK;
}

static bool is_late(const struct comb_search_version *version,
                    const struct comb_search_version *there)
{
    return version->epoch < there->epoch ||
           (version->epoch == there->epoch && version->revision < there->revision);
}

/* Whether it may not be done any more. */
static bool has_come_late(const struct change *change)
{
    const struct state *state = &change->state;
    if (!state->is_there)
        return change->content && change->content->is_unchanged;
    if (!change->content)
        return is_late(&change->version, &state->version);
    return is_late(&change->version, &state->content_version) ||
           (change->content->is_unchanged &&
            (!state->has_content || !comb_uuid_equal(&change->content->blob, &state->blob)));
}

/* Whether the terms of the part that is not written are needed for the entries. */
static bool needs_terms(const struct change *change)
{
    if (change->is_settled || !change->state.is_there)
        return false;
    return change->document
               ? change->state.has_content
               : change->content && !change->content->is_unchanged && change->state.is_document;
}

static enum comb_status read_states(struct comb_search_store *self, struct comb_ctx *ctx,
                                    struct change *changes, size_t n, struct comb_error *err)
{
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, n, sizeof *ids);
    enum comb_status status;
    size_t n_ids = 0;
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        changes[i].state = (struct state){0};
        if (!changes[i].is_settled)
            ids[n_ids++] = changes[i].id;
    }
    status = read_some(self, ctx, ids, n_ids, false, changes, n, err);
    n_ids = 0;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        changes[i].is_settled = changes[i].is_settled || has_come_late(&changes[i]);
        if (needs_terms(&changes[i]))
            ids[n_ids++] = changes[i].id;
    }
    for (size_t at = 0; at < n_ids && status == COMB_OK; at += TERMS_READ_MAX) {
        size_t some = n_ids - at < TERMS_READ_MAX ? n_ids - at : TERMS_READ_MAX;
        status = read_some(self, ctx, ids + at, some, true, changes, n, err);
    }
    return status;
}

static enum comb_status make_entries(struct comb_ctx *ctx, struct change *changes, size_t n,
                                     struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        struct change *change = &changes[i];
        bool is_found = change->document || (change->content && change->state.is_document);
        change->n_entries = 0;
        if (change->is_settled || !is_found)
            continue;
        status = search_entries_of(
            ctx->arena, change->document ? change->document : &change->state.terms,
            change->content ? change->content->terms : change->state.content_terms,
            &change->entries, &change->n_entries, err);
    }
    return status;
}

/* ---- commands ---- */

const char *const search_mongo_dead_members[SEARCH_MONGO_DEAD_MEMBERS] = {
    "p", "f", "s", "m", "n", "y", "nt", "mt", "kt", "c", "u", "w", "ct", "x", "k", "t", "b"};

void search_mongo_add_unset(bson_t *update, const char *const *members, size_t n)
{
    bson_t unset;
    bson_append_document_begin(update, "$unset", -1, &unset);
    for (size_t i = 0; i < n; i++)
        bson_append_utf8(&unset, members[i], -1, "", 0);
    bson_append_document_end(update, &unset);
}

static void add_version(bson_t *set, const char *epoch, const char *revision,
                        const struct comb_search_version *version)
{
    bson_append_int64(set, epoch, -1, (int64_t)version->epoch);
    bson_append_int64(set, revision, -1, (int64_t)version->revision);
}

static void add_document(bson_t *update, const struct change *change)
{
    static const char *const unset[] = {"b"};
    const struct comb_search_document *document = change->document;
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    add_version(&set, "e", "r", &document->version);
    add_version(&set, "ce", "cr", &change->state.content_version);
    bson_append_int64(&set, "d", -1, 0);
    search_mongo_add_id(&set, "p", &document->parent);
    bson_append_bool(&set, "f", -1, document->is_folder);
    bson_append_int64(&set, "s", -1, document->size);
    bson_append_int64(&set, "m", -1, document->modified_us);
    search_mongo_add_text(&set, "n", document->name);
    search_mongo_add_text(&set, "y", document->media);
    search_mongo_add_text(&set, "nt", document->name_terms);
    search_mongo_add_text(&set, "mt", document->meta_terms);
    search_mongo_add_text(&set, "kt", document->keyed_terms);
    search_mongo_add_texts(&set, "t", change->entries, change->n_entries);
    bson_append_document_end(update, &set);
    search_mongo_add_unset(update, unset, 1);
}

static void add_text_of(bson_t *set, const struct comb_search_content *content)
{
    search_mongo_add_id(set, "c", &content->blob);
    bson_append_int64(set, "u", -1, content->outcome);
    bson_append_int64(set, "w", -1, content->reason);
    search_mongo_add_text(set, "ct", content->terms);
    bson_append_binary(set, "x", -1, BSON_SUBTYPE_BINARY,
                       (const uint8_t *)(content->text.len > 0 ? content->text.ptr : ""),
                       (uint32_t)content->text.len);
}

static void add_content(bson_t *update, const struct change *change)
{
    static const char *const unset[] = {"c", "k", "u", "w", "ct", "x"};
    const struct comb_search_content *content = change->content;
    bool is_none = comb_uuid_is_nil(&content->blob);
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    add_version(&set, "ce", "cr", &content->version);
    if (!is_none)
        bson_append_int64(&set, "k", -1, (int64_t)content->version.epoch);
    if (!change->state.is_there) {
        add_version(&set, "e", "r", &change->state.version);
        bson_append_int64(&set, "d", -1, comb_clock_wall_us());
    }
    if (!content->is_unchanged && !is_none)
        add_text_of(&set, content);
    if (!content->is_unchanged && change->state.is_document)
        search_mongo_add_texts(&set, "t", change->entries, change->n_entries);
    bson_append_document_end(update, &set);
    if (is_none)
        search_mongo_add_unset(update, unset, sizeof unset / sizeof unset[0]);
}

static void add_removal(bson_t *update, const struct change *change)
{
    bool is_folder = change->removal->is_folder;
    bson_t set;
    bson_append_document_begin(update, "$set", -1, &set);
    add_version(&set, "e", "r", &change->version);
    add_version(&set, "ce", "cr", &change->state.content_version);
    bson_append_int64(&set, "d", -1, comb_clock_wall_us());
    if (is_folder)
        bson_append_int64(&set, "b", -1, 1);
    bson_append_document_end(update, &set);
    search_mongo_add_unset(update, search_mongo_dead_members,
                           SEARCH_MONGO_DEAD_MEMBERS - (is_folder ? 1 : 0));
}

/* {q: what was read, or nothing that there is; u; upsert: it was not there}. A taken id refuses to
 * be made once more. */
static void add_change(bson_t *updates, uint32_t index, const struct change *change)
{
    const struct state *state = &change->state;
    char buffer[SEARCH_MONGO_KEY_SIZE];
    bson_t one, query, none, update;
    bson_append_document_begin(updates, search_mongo_key(index, buffer), -1, &one);
    bson_append_document_begin(&one, "q", -1, &query);
    search_mongo_add_id(&query, "_id", &change->id);
    if (state->is_there) {
        add_version(&query, "e", "r", &state->version);
        add_version(&query, "ce", "cr", &state->content_version);
    } else {
        bson_append_document_begin(&query, "d", -1, &none);
        bson_append_int64(&none, "$lt", -1, 0);
        bson_append_document_end(&query, &none);
    }
    bson_append_document_end(&one, &query);
    bson_append_document_begin(&one, "u", -1, &update);
    if (change->document)
        add_document(&update, change);
    else if (change->content)
        add_content(&update, change);
    else
        add_removal(&update, change);
    bson_append_document_end(&one, &update);
    bson_append_bool(&one, "upsert", -1, !state->is_there);
    bson_append_document_end(updates, &one);
}

/* Writes as many as fit into one command, from *at on, which is moved; they are settled where none
 * of them was changed meanwhile. */
static enum comb_status write_some(struct comb_search_store *self, struct comb_ctx *ctx,
                                   struct change *changes, size_t n, size_t *at,
                                   struct comb_error *err)
{
    bson_t *command = bson_new(), updates;
    size_t first = *at;
    uint32_t written = 0;
    comb_str reply;
    bson_append_utf8(command, "update", -1, SEARCH_MONGO_COLLECTION, -1);
    bson_append_bool(command, "ordered", -1, false);
    bson_append_array_begin(command, "updates", -1, &updates);
    for (; *at < n && comb_mongo_view(&updates).len < COMMAND_BYTES_MAX; ++*at)
        if (!changes[*at].is_settled)
            add_change(&updates, written++, &changes[*at]);
    bson_append_array_end(command, &updates);
    enum comb_status status = COMB_OK;
    bool is_whole = true;
    if (written > 0) {
        status = comb_mongo_write(search_mongo_of(self), ctx, command, &reply, err);
        is_whole = status == COMB_OK && comb_mongo_integer(reply, "n", 0) == (int64_t)written;
    }
    bson_destroy(command);
    for (size_t i = first; i < *at && is_whole; i++)
        changes[i].is_settled = true;
    return status == COMB_ALREADY_EXISTS ? COMB_OK : status;
}

static enum comb_status write_changes(struct comb_search_store *self, struct comb_ctx *ctx,
                                      struct change *changes, size_t n, struct comb_error *err)
{
    for (int try = 0; try < TRIES_MAX; try++) {
        enum comb_status status = read_states(self, ctx, changes, n, err);
        size_t n_open = 0;
        if (status == COMB_OK)
            status = make_entries(ctx, changes, n, err);
        for (size_t at = 0; at < n && status == COMB_OK;)
            status = write_some(self, ctx, changes, n, &at, err);
        if (status != COMB_OK)
            return status;
        for (size_t i = 0; i < n; i++)
            n_open += !changes[i].is_settled;
        if (n_open == 0)
            return COMB_OK;
    }
    return comb_error_set(err, COMB_ABORTED, 0, "documents of the search index keep changing");
}

enum comb_status search_mongo_put(struct comb_search_store *self, struct comb_ctx *ctx,
                                  const struct comb_search_document *documents, size_t n,
                                  struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        changes[i] = (struct change){
            .id = documents[i].id, .version = documents[i].version, .document = &documents[i]};
    return write_changes(self, ctx, changes, n, err);
}

enum comb_status search_mongo_put_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                          const struct comb_search_content *contents, size_t n,
                                          struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        changes[i] = (struct change){
            .id = contents[i].id, .version = contents[i].version, .content = &contents[i]};
    return write_changes(self, ctx, changes, n, err);
}

enum comb_status search_mongo_drop_contents(struct comb_search_store *self, struct comb_ctx *ctx,
                                            const struct comb_uuid *ids, size_t n, uint64_t epoch,
                                            struct comb_error *err)
{
    struct comb_search_content *none = grpcc_arena_calloc(ctx->arena, n, sizeof *none);
    if (!none)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        none[i] = (struct comb_search_content){.id = ids[i], .version = {.epoch = epoch}};
    return search_mongo_put_content(self, ctx, none, n, err);
}

enum comb_status search_mongo_remove(struct comb_search_store *self, struct comb_ctx *ctx,
                                     const struct comb_search_removal *removals, size_t n,
                                     struct comb_error *err)
{
    struct change *changes = grpcc_arena_calloc(ctx->arena, n, sizeof *changes);
    if (!changes)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        changes[i] = (struct change){
            .id = removals[i].id, .version = removals[i].version, .removal = &removals[i]};
    return write_changes(self, ctx, changes, n, err);
}
