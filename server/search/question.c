/* SPDX-License-Identifier: Apache-2.0 */
/* Questions as conditions: the text by the parser, the message by the same builder. */
#include <inttypes.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/options.grpcc.h"
#include "server/core/clock.h"
#include "server/search/internal.h"

struct reader {
    struct comb_search *search;
    struct comb_ctx *ctx;
    struct comb_search_builder builder;
    struct comb_error *err;
    unsigned depth;
};

static enum comb_status read_condition(struct reader *reader,
                                       const struct comb_v1_search_condition *message,
                                       struct comb_search_condition **ret);

static enum comb_status add(struct reader *reader, enum comb_search_kind kind,
                            struct comb_search_condition **ret)
{
    *ret = comb_search_add(&reader->builder, kind, "condition", reader->err);
    if (*ret)
        return COMB_OK;
    return reader->err ? reader->err->status : COMB_INVALID_ARGUMENT;
}

/* A condition of parts that hold together, or one of which does. */
static enum comb_status join(struct reader *reader, enum comb_search_kind kind,
                             struct comb_search_condition *const *parts, size_t n,
                             struct comb_search_condition **ret)
{
    enum comb_status status = add(reader, kind, ret);
    if (status != COMB_OK)
        return status;
    (*ret)->parts = grpcc_arena_memdup(reader->builder.arena, parts, n * sizeof *parts);
    (*ret)->n_parts = n;
    return (*ret)->parts ? COMB_OK : comb_error_no_memory(reader->err);
}

/* ---- ids ---- */

/* The folder of a reference, which the caller can read; else it is not found. */
static enum comb_status find_folder(struct reader *reader, const struct comb_v1_node_ref *ref,
                                    const char *field, struct comb_uuid *ret_id)
{
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = field};
    struct comb_access_node node;
    enum comb_status status = comb_access_resolve(reader->search->parts.access, reader->ctx, ref,
                                                  &options, &node, reader->err);
    if (status == COMB_OK)
        *ret_id = node.node->id;
    return status;
}

/* The id of an owner. Nobody's, where there is no such user: then there are no hits, as where he
 * owns nothing that the caller may read. */
static enum comb_status find_owner(struct reader *reader, comb_str owner, struct comb_uuid *ret_id)
{
    const struct comb_search_parts *parts = &reader->search->parts;
    if (comb_str_equal(owner, STR("me"))) {
        *ret_id = reader->ctx->principal->user;
        return COMB_OK;
    }
    enum comb_status status =
        parts->find_user(parts->data, reader->ctx, owner, ret_id, reader->err);
    if (status == COMB_NOT_FOUND || status == COMB_INVALID_ARGUMENT) {
        memset(ret_id, 0, sizeof *ret_id);
        status = COMB_OK;
    }
    return status;
}

/* Of the conditions that the text gave. */
static enum comb_status find_ids(struct reader *reader, struct comb_search_condition *query)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < query->n_parts && status == COMB_OK; i++)
        status = find_ids(reader, query->parts[i]);
    if (status == COMB_OK && query->kind == COMB_SEARCH_OWNER)
        status = find_owner(reader, query->text, &query->id);
    if (status != COMB_OK || query->kind != COMB_SEARCH_IN)
        return status;
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(reader->builder.arena);
    char *path = comb_str_dup(reader->builder.arena, query->text);
    if (!ref || !path)
        return comb_error_no_memory(reader->err);
    comb_v1_node_ref_set_path(ref, path);
    return find_folder(reader, ref, "query", &query->id);
}

/* ---- messages ---- */

static enum comb_status read_parts(struct reader *reader, enum comb_search_kind kind,
                                   struct comb_v1_search_condition *const *messages, size_t n,
                                   struct comb_search_condition **ret)
{
    struct comb_search_condition *parts[COMB_SEARCH_CONDITIONS_MAX];
    enum comb_status status = COMB_OK;
    if (n == 0 || n > COMB_SEARCH_CONDITIONS_MAX)
        return comb_error_field(reader->err, "condition", "1 to %d conditions together",
                                COMB_SEARCH_CONDITIONS_MAX);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = read_condition(reader, messages[i], &parts[i]);
    return status == COMB_OK ? join(reader, kind, parts, n, ret) : status;
}

static enum comb_status read_words(struct reader *reader, const struct comb_v1_search_words *words,
                                   struct comb_search_condition **ret)
{
    static const enum comb_search_field fields[] = {
        [COMB_V1_SEARCH_FIELD_UNSPECIFIED] = COMB_SEARCH_ANY,
        [COMB_V1_SEARCH_FIELD_NAME] = COMB_SEARCH_NAME,
        [COMB_V1_SEARCH_FIELD_CONTENT] = COMB_SEARCH_CONTENT,
        [COMB_V1_SEARCH_FIELD_METADATA] = COMB_SEARCH_META,
    };
    comb_str key = comb_str_from(words->key);
    if ((size_t)words->field >= sizeof fields / sizeof fields[0])
        return comb_error_field(reader->err, "condition.words.field", "there is no such field");
    if (key.len > COMB_SEARCH_KEY_BYTES_MAX ||
        (key.len > 0 && words->field != COMB_V1_SEARCH_FIELD_METADATA))
        return comb_error_field(reader->err, "condition.words.key",
                                "is NAMESPACE or NAMESPACE/NAME, of metadata alone");
    enum comb_status status = comb_search_add_words(&reader->builder, fields[words->field], key,
                                                    comb_str_from(words->text), words->is_prefix,
                                                    "condition.words.text", ret, reader->err);
    if (status == COMB_OK && !*ret)
        return comb_error_field(reader->err, "condition.words.text", "has no word in it");
    return status;
}

static enum comb_status read_sizes(struct reader *reader, const struct comb_v1_search_sizes *sizes,
                                   struct comb_search_condition **ret)
{
    uint64_t most = sizes->has_most && sizes->most < INT64_MAX ? sizes->most : INT64_MAX;
    if (sizes->has_least && sizes->least > most)
        return comb_error_field(reader->err, "condition.size", "the least is above the most");
    enum comb_status status = add(reader, COMB_SEARCH_SIZE, ret);
    if (status != COMB_OK)
        return status;
    (*ret)->least = sizes->has_least ? (int64_t)sizes->least : 0;
    (*ret)->most = (int64_t)most;
    return COMB_OK;
}

static int64_t microseconds(const struct google_protobuf_timestamp *time, int64_t absent)
{
    return time ? time->seconds * COMB_US_PER_S + time->nanos / 1000 : absent;
}

static bool is_time(const struct google_protobuf_timestamp *time)
{
    return !time || (time->seconds >= -62135596800 && time->seconds <= 253402300799);
}

static enum comb_status read_times(struct reader *reader, const struct comb_v1_search_times *times,
                                   struct comb_search_condition **ret)
{
    if (!is_time(times->since) || !is_time(times->until))
        return comb_error_field(reader->err, "condition.modified",
                                "times are of the years 1 to 9999");
    enum comb_status status = add(reader, COMB_SEARCH_MODIFIED, ret);
    if (status != COMB_OK)
        return status;
    (*ret)->least = microseconds(times->since, INT64_MIN);
    (*ret)->most = microseconds(times->until, INT64_MAX);
    return COMB_OK;
}

static enum comb_status read_kind(struct reader *reader, enum comb_v1_node_kind kind,
                                  struct comb_search_condition **ret)
{
    if (kind != COMB_V1_NODE_KIND_FILE && kind != COMB_V1_NODE_KIND_FOLDER)
        return comb_error_field(reader->err, "condition.kind", "is FILE or FOLDER");
    return add(reader, kind == COMB_V1_NODE_KIND_FILE ? COMB_SEARCH_FILE : COMB_SEARCH_FOLDER, ret);
}

static enum comb_status read_text(struct reader *reader, enum comb_search_kind kind,
                                  const char *text, struct comb_search_condition **ret)
{
    enum comb_status status = add(reader, kind, ret);
    if (status != COMB_OK)
        return status;
    (*ret)->text = comb_str_from(text);
    if (kind == COMB_SEARCH_OWNER)
        return find_owner(reader, (*ret)->text, &(*ret)->id);
    /* Media types are stored in small letters. */
    char *lower = comb_str_dup(reader->builder.arena, (*ret)->text);
    if (!lower)
        return comb_error_no_memory(reader->err);
    for (char *c = lower; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + ('a' - 'A')) : *c;
    (*ret)->text.ptr = lower;
    return COMB_OK;
}

static enum comb_status read_one(struct reader *reader,
                                 const struct comb_v1_search_condition *message,
                                 struct comb_search_condition **ret)
{
    enum comb_status status;
    switch (message->condition_case) {
    case COMB_V1_SEARCH_CONDITION_CONDITION_ALL:
        return read_parts(reader, COMB_SEARCH_AND, message->all->conditions,
                          message->all->n_conditions, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_ANY:
        return read_parts(reader, COMB_SEARCH_OR, message->any->conditions,
                          message->any->n_conditions, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_NEGATED:
        return read_parts(reader, COMB_SEARCH_NOT,
                          (struct comb_v1_search_condition *const *)&message->negated, 1, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_WORDS:
        return read_words(reader, message->words, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_SIZE:
        return read_sizes(reader, message->size, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_MODIFIED:
        return read_times(reader, message->modified, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_KIND:
        return read_kind(reader, message->kind, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_MEDIA_TYPE:
        return read_text(reader, COMB_SEARCH_MEDIA, message->media_type, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_OWNER:
        return read_text(reader, COMB_SEARCH_OWNER, message->owner, ret);
    case COMB_V1_SEARCH_CONDITION_CONDITION_IN:
        status = add(reader, COMB_SEARCH_IN, ret);
        return status == COMB_OK ? find_folder(reader, message->in, "condition.in", &(*ret)->id)
                                 : status;
    default:
        return comb_error_field(reader->err, "condition", "says nothing; set one of its fields");
    }
}

static enum comb_status read_condition(struct reader *reader,
                                       const struct comb_v1_search_condition *message,
                                       struct comb_search_condition **ret)
{
    if (reader->depth == COMB_SEARCH_DEPTH_MAX)
        return comb_error_field(reader->err, "condition", "conditions are at most %d deep",
                                COMB_SEARCH_DEPTH_MAX);
    reader->depth++;
    enum comb_status status = read_one(reader, message, ret);
    reader->depth--;
    return status;
}

enum comb_status search_question_read(struct comb_search *search, struct comb_ctx *ctx,
                                      const struct comb_search_question *question,
                                      struct comb_search_condition **ret_query,
                                      struct comb_error *err)
{
    struct reader reader = {
        .search = search, .ctx = ctx, .builder = {.arena = ctx->arena}, .err = err};
    struct comb_search_condition *parts[3], *query = NULL;
    size_t n = 0;
    enum comb_status status = comb_search_parse_part(&reader.builder, question->text,
                                                     comb_clock_wall_us(), "query", &parts[0], err);
    if (status == COMB_OK && parts[0]) {
        status = find_ids(&reader, parts[0]);
        n++;
    }
    if (status == COMB_OK && question->condition)
        status = read_condition(&reader, question->condition, &parts[n++]);
    if (status == COMB_OK && n == 0)
        return comb_error_field(err, "query", COMB_SEARCH_NOTHING_ASKED);
    if (status == COMB_OK && question->in) {
        status = add(&reader, COMB_SEARCH_IN, &parts[n]);
        if (status == COMB_OK)
            status = find_folder(&reader, question->in, "in", &parts[n++]->id);
    }
    if (status == COMB_OK)
        status = join(&reader, COMB_SEARCH_AND, parts, n, &query);
    if (status != COMB_OK)
        return status;
    comb_search_mark(query);
    *ret_query = query;
    return COMB_OK;
}
