/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: one function for each level of the grammar. */
#include "server/search/query.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/text/tokens.h"

/* ---- building ---- */

struct comb_search_condition *comb_search_add(struct comb_search_builder *builder,
                                              enum comb_search_kind kind, const char *field,
                                              struct comb_error *err)
{
    if (builder->n_conditions == COMB_SEARCH_CONDITIONS_MAX) {
        comb_error_field(err, field, "a query has at most %d conditions; leave some out",
                         COMB_SEARCH_CONDITIONS_MAX);
        return NULL;
    }
    struct comb_search_condition *condition = grpcc_arena_zalloc(builder->arena, sizeof *condition);
    if (!condition) {
        (void)comb_error_no_memory(err);
        return NULL;
    }
    condition->number = (unsigned)builder->n_conditions++;
    condition->kind = kind;
    return condition;
}

enum comb_status comb_search_add_words(struct comb_search_builder *builder,
                                       enum comb_search_field in, comb_str key, comb_str text,
                                       bool is_prefix, const char *field,
                                       struct comb_search_condition **ret_condition,
                                       struct comb_error *err)
{
    struct comb_search_term terms[COMB_SEARCH_TERMS_MAX];
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    size_t n = 0;
    comb_text_tokens_init(&tokens, text, is_prefix ? COMB_TEXT_ASK_PREFIX : COMB_TEXT_ASK);
    while (comb_text_tokens_next(&tokens, &token)) {
        if (builder->n_terms == COMB_SEARCH_TERMS_MAX)
            return comb_error_field(err, field, "a query has at most %d words; leave some out",
                                    COMB_SEARCH_TERMS_MAX);
        terms[n] = (struct comb_search_term){
            comb_str_from(comb_str_dup(builder->arena, token.term)), token.is_prefix};
        if (!terms[n].term.ptr)
            return comb_error_no_memory(err);
        n++;
        builder->n_terms++;
    }
    if (n == 0) {
        *ret_condition = NULL;
        return COMB_OK;
    }
    struct comb_search_condition *words = comb_search_add(builder, COMB_SEARCH_WORDS, field, err);
    if (!words)
        return err ? err->status : COMB_INVALID_ARGUMENT;
    words->field = in;
    words->key = key;
    words->terms = grpcc_arena_memdup(builder->arena, terms, n * sizeof *terms);
    words->n_terms = n;
    if (!words->terms)
        return comb_error_no_memory(err);
    *ret_condition = words;
    return COMB_OK;
}

/* ---- reading ---- */

struct parser {
    struct comb_search_builder builder;
    comb_str text;
    size_t at;
    unsigned depth;
    int64_t now_us;
    const char *field;
    struct comb_error *err;
    /* The values of the condition that is being read. */
    comb_str value;
    size_t value_at;
    bool is_quoted, is_prefix;
};

static enum comb_status parse_or(struct parser *parser, struct comb_search_condition **ret);

static enum comb_status wrong(struct parser *parser, size_t at, const char *format, ...)
    COMB_FORMAT(3, 4);

/* Characters are counted as people count them, from one. */
static enum comb_status wrong(struct parser *parser, size_t at, const char *format, ...)
{
    char message[COMB_ERROR_MESSAGE_MAX];
    size_t character = 1;
    va_list args;
    for (size_t i = 0; i < at && i < parser->text.len; i++)
        character += ((unsigned char)parser->text.ptr[i] & 0xc0) != 0x80;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return comb_error_field(parser->err, parser->field, "at character %zu: %s", character, message);
}

static bool is_at_end(const struct parser *parser)
{
    return parser->at == parser->text.len;
}

static char here(const struct parser *parser)
{
    return is_at_end(parser) ? '\0' : parser->text.ptr[parser->at];
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct parser *parser)
{
    while (!is_at_end(parser) && is_blank(here(parser)))
        parser->at++;
}

/* Where a word that begins here ends. */
static size_t word_end(const struct parser *parser, size_t at)
{
    while (at < parser->text.len && !is_blank(parser->text.ptr[at]) &&
           !memchr("()\"", parser->text.ptr[at], 3))
        at++;
    return at;
}

/* Whether the operator stands here as a word of its own; passes it. */
static bool take_operator(struct parser *parser, const char *name)
{
    size_t end = word_end(parser, parser->at), length = strlen(name);
    if (end - parser->at != length || memcmp(parser->text.ptr + parser->at, name, length) != 0)
        return false;
    parser->at = end;
    skip_blanks(parser);
    return true;
}

/* "a phrase" or a word, behind a field's colon or alone. */
static enum comb_status read_value(struct parser *parser)
{
    size_t start = parser->at;
    parser->value_at = start;
    parser->is_quoted = here(parser) == '"';
    parser->is_prefix = false;
    if (parser->is_quoted) {
        const char *from = parser->text.ptr + start + 1;
        const char *end = memchr(from, '"', parser->text.len - start - 1);
        if (!end)
            return wrong(parser, start,
                         "this quote is not closed; add another \" behind the phrase");
        parser->value = comb_str_of(from, (size_t)(end - from));
        parser->at = (size_t)(end + 1 - parser->text.ptr);
    } else {
        parser->at = word_end(parser, start);
        parser->value = comb_str_of(parser->text.ptr + start, parser->at - start);
        parser->is_prefix =
            parser->value.len > 0 && parser->value.ptr[parser->value.len - 1] == '*';
        if (parser->is_prefix)
            parser->value.len--;
    }
    if (parser->is_quoted && here(parser) == '*') {
        parser->is_prefix = true;
        parser->at++;
    }
    return COMB_OK;
}

/* ---- conditions ---- */

static enum comb_status add(struct parser *parser, enum comb_search_kind kind,
                            struct comb_search_condition **ret)
{
    struct comb_error *err = parser->err;
    struct comb_search_condition *condition =
        comb_search_add(&parser->builder, kind, parser->field, err);
    if (!condition)
        return err ? err->status : COMB_INVALID_ARGUMENT;
    *ret = condition;
    return COMB_OK;
}

static enum comb_status words(struct parser *parser, enum comb_search_field in, comb_str key,
                              struct comb_search_condition **ret)
{
    return comb_search_add_words(&parser->builder, in, key, parser->value, parser->is_prefix,
                                 parser->field, ret, parser->err);
}

/* Of a field: there has to be something to look for. */
static enum comb_status field_words(struct parser *parser, enum comb_search_field in, comb_str key,
                                    struct comb_search_condition **ret)
{
    enum comb_status status = words(parser, in, key, ret);
    if (status == COMB_OK && !*ret)
        return wrong(parser, parser->value_at, "here is no letter and no digit to look for");
    return status;
}

static enum comb_status size(struct parser *parser, struct comb_search_condition **ret)
{
    const char *why = NULL;
    int64_t least, most;
    if (!comb_search_parse_size(parser->value, &least, &most, &why))
        return wrong(parser, parser->value_at, "%s", why);
    enum comb_status status = add(parser, COMB_SEARCH_SIZE, ret);
    if (status == COMB_OK) {
        (*ret)->least = least;
        (*ret)->most = most;
    }
    return status;
}

static enum comb_status modified(struct parser *parser, struct comb_search_condition **ret)
{
    const char *why = NULL;
    int64_t least, most;
    if (!comb_search_parse_modified(parser->value, parser->now_us, &least, &most, &why))
        return wrong(parser, parser->value_at, "%s", why);
    enum comb_status status = add(parser, COMB_SEARCH_MODIFIED, ret);
    if (status == COMB_OK) {
        (*ret)->least = least;
        (*ret)->most = most;
    }
    return status;
}

static bool is_word(comb_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* "image/png", "image/" from "image/" and "image". */
static enum comb_status media(struct parser *parser, struct comb_search_condition **ret)
{
    static const char *const majors[] = {"application", "audio", "font", "image",
                                         "message",     "model", "text", "video"};
    comb_str value = parser->value;
    enum comb_status status;
    char *text = NULL;
    for (size_t i = 0; i < sizeof majors / sizeof *majors && !text; i++)
        if (is_word(value, majors[i]))
            text = grpcc_arena_printf(parser->builder.arena, "%s/", majors[i]);
    if (!text && value.len > 1 && memchr(value.ptr + 1, '/', value.len - 1))
        text = comb_str_dup(parser->builder.arena, value);
    else if (!text)
        return wrong(parser, parser->value_at,
                     "a type is file, folder, image, audio, video, text, application, or a media "
                     "type as image/png");
    if (!text)
        return comb_error_no_memory(parser->err);
    status = add(parser, COMB_SEARCH_MEDIA, ret);
    if (status != COMB_OK)
        return status;
    for (char *c = text; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    (*ret)->text = comb_str_from(text);
    return COMB_OK;
}

static enum comb_status type(struct parser *parser, struct comb_search_condition **ret)
{
    if (is_word(parser->value, "file"))
        return add(parser, COMB_SEARCH_FILE, ret);
    if (is_word(parser->value, "folder"))
        return add(parser, COMB_SEARCH_FOLDER, ret);
    return media(parser, ret);
}

static enum comb_status owner(struct parser *parser, struct comb_search_condition **ret)
{
    if (parser->value.len == 0 || parser->is_prefix)
        return wrong(parser, parser->value_at, "an owner is a whole login, or me");
    enum comb_status status = add(parser, COMB_SEARCH_OWNER, ret);
    if (status == COMB_OK)
        (*ret)->text = parser->value;
    return status;
}

static enum comb_status in(struct parser *parser, struct comb_search_condition **ret)
{
    if (parser->value.len == 0 || parser->value.ptr[0] != '/')
        return wrong(parser, parser->value_at,
                     "a place is an absolute path, as in:/personal/letters; put it in quotes where "
                     "it has blanks");
    enum comb_status status = add(parser, COMB_SEARCH_IN, ret);
    if (status == COMB_OK)
        (*ret)->text = parser->value;
    return status;
}

static enum comb_status meta(struct parser *parser, comb_str name, size_t at,
                             struct comb_search_condition **ret)
{
    const comb_str key = {name.ptr + sizeof "meta." - 1, name.len - (sizeof "meta." - 1)};
    if (key.len == 0 || key.len > COMB_SEARCH_KEY_BYTES_MAX || key.ptr[0] == '/' ||
        key.ptr[key.len - 1] == '/')
        return wrong(parser, at, "a piece of metadata is meta.NAMESPACE or meta.NAMESPACE/NAME");
    return field_words(parser, COMB_SEARCH_META, key, ret);
}

static enum comb_status parse_field(struct parser *parser, comb_str name, size_t at,
                                    struct comb_search_condition **ret)
{
    static const comb_str none = {NULL, 0};
    enum comb_status status = read_value(parser);
    if (status != COMB_OK)
        return status;
    if (parser->value.len == 0)
        return wrong(parser, parser->value_at, "behind \"%.*s:\" stands no value",
                     COMB_STR_ARG(name));
    if (is_word(name, "name"))
        return field_words(parser, COMB_SEARCH_NAME, none, ret);
    if (is_word(name, "content"))
        return field_words(parser, COMB_SEARCH_CONTENT, none, ret);
    if (is_word(name, "size"))
        return size(parser, ret);
    if (is_word(name, "modified"))
        return modified(parser, ret);
    if (is_word(name, "type"))
        return type(parser, ret);
    if (is_word(name, "owner"))
        return owner(parser, ret);
    if (is_word(name, "in"))
        return in(parser, ret);
    if (name.len >= 5 && strncasecmp(name.ptr, "meta.", 5) == 0)
        return meta(parser, name, at, ret);
    return wrong(parser, at,
                 "there is no field \"%.*s\"; there are name, content, meta.KEY, size, modified, "
                 "type, owner, in; put a word with a colon in quotes",
                 (int)(name.len > 32 ? 32 : name.len), name.ptr);
}

/* ---- levels ---- */

/* A word with a colon in it is a field's. */
static enum comb_status parse_word(struct parser *parser, struct comb_search_condition **ret)
{
    static const comb_str none = {NULL, 0};
    size_t at = parser->at, end = word_end(parser, at);
    const char *from = parser->text.ptr + at;
    const char *colon = end > at ? memchr(from, ':', end - at) : NULL;
    if (colon == from)
        return wrong(parser, at, "in front of this colon stands no field; put the word in quotes");
    if (colon) {
        parser->at = (size_t)(colon + 1 - parser->text.ptr);
        return parse_field(parser, comb_str_of(from, (size_t)(colon - from)), at, ret);
    }
    enum comb_status status = read_value(parser);
    return status == COMB_OK ? words(parser, COMB_SEARCH_ANY, none, ret) : status;
}

static enum comb_status parse_group(struct parser *parser, struct comb_search_condition **ret)
{
    size_t at = parser->at++;
    skip_blanks(parser);
    if (here(parser) == ')')
        return wrong(parser, at, "between these parentheses stands nothing");
    enum comb_status status = parse_or(parser, ret);
    if (status != COMB_OK)
        return status;
    if (here(parser) != ')')
        return wrong(parser, at, "this parenthesis is not closed; add a ) behind its last word");
    parser->at++;
    return COMB_OK;
}

static enum comb_status parse_not(struct parser *parser, struct comb_search_condition **ret);

static enum comb_status negate(struct parser *parser, struct comb_search_condition **ret)
{
    struct comb_search_condition *part = NULL;
    enum comb_status status = parse_not(parser, &part);
    *ret = NULL;
    if (status != COMB_OK || !part)
        return status;
    status = add(parser, COMB_SEARCH_NOT, ret);
    if (status != COMB_OK)
        return status;
    (*ret)->parts = grpcc_arena_memdup(parser->builder.arena, &part, sizeof part);
    (*ret)->n_parts = 1;
    return (*ret)->parts ? COMB_OK : comb_error_no_memory(parser->err);
}

/* *ret NULL: a word without letters and digits, which does not count. */
static enum comb_status parse_not(struct parser *parser, struct comb_search_condition **ret)
{
    size_t at = parser->at;
    enum comb_status status;
    if (++parser->depth > COMB_SEARCH_DEPTH_MAX)
        return wrong(parser, at, "parentheses and NOTs stand in each other more than %d deep",
                     COMB_SEARCH_DEPTH_MAX);
    if (here(parser) == '-' && parser->at + 1 < parser->text.len &&
        !is_blank(parser->text.ptr[parser->at + 1])) {
        parser->at++;
        status = negate(parser, ret);
    } else if (take_operator(parser, "NOT")) {
        status = is_at_end(parser) ? wrong(parser, at,
                                           "behind NOT stands nothing; put it in quotes "
                                           "to look for the word")
                                   : negate(parser, ret);
    } else if (here(parser) == ')') {
        status = wrong(parser, at,
                       "this parenthesis was never opened; take it out, or put it in "
                       "quotes");
    } else if (here(parser) == '(') {
        status = parse_group(parser, ret);
    } else {
        status = parse_word(parser, ret);
    }
    parser->depth--;
    skip_blanks(parser);
    return status;
}

/* Several parts become one condition, one stays what it is, none is NULL. */
static enum comb_status join(struct parser *parser, enum comb_search_kind kind,
                             struct comb_search_condition **parts, size_t n,
                             struct comb_search_condition **ret)
{
    *ret = n == 1 ? parts[0] : NULL;
    if (n < 2)
        return COMB_OK;
    enum comb_status status = add(parser, kind, ret);
    if (status != COMB_OK)
        return status;
    (*ret)->parts = grpcc_arena_memdup(parser->builder.arena, parts, n * sizeof *parts);
    (*ret)->n_parts = n;
    return (*ret)->parts ? COMB_OK : comb_error_no_memory(parser->err);
}

/* Whether an operator stands here where a condition must. */
static enum comb_status must_begin(struct parser *parser, const char *behind)
{
    static const char *const operators[] = {"AND", "OR"};
    for (size_t i = 0; i < 2; i++) {
        size_t at = parser->at;
        if (take_operator(parser, operators[i]))
            return wrong(parser, at,
                         "in front of %s stands nothing; put it in quotes to look for the word",
                         operators[i]);
    }
    if (behind && (is_at_end(parser) || here(parser) == ')'))
        return wrong(parser, parser->at,
                     "behind %s stands nothing; put it in quotes to look for the word", behind);
    return COMB_OK;
}

static bool is_or_ahead(const struct parser *parser)
{
    struct parser ahead = *parser;
    return take_operator(&ahead, "OR");
}

static enum comb_status parse_and(struct parser *parser, struct comb_search_condition **ret)
{
    struct comb_search_condition *parts[COMB_SEARCH_CONDITIONS_MAX];
    enum comb_status status = must_begin(parser, NULL);
    size_t n = 0;
    while (status == COMB_OK && !is_at_end(parser) && here(parser) != ')' && !is_or_ahead(parser)) {
        struct comb_search_condition *part = NULL;
        status = parse_not(parser, &part);
        if (status == COMB_OK && part && n == COMB_SEARCH_CONDITIONS_MAX)
            status = comb_error_field(parser->err, parser->field, "too many conditions");
        if (status == COMB_OK && part)
            parts[n++] = part;
        if (status == COMB_OK && take_operator(parser, "AND"))
            status = must_begin(parser, "AND");
    }
    return status == COMB_OK ? join(parser, COMB_SEARCH_AND, parts, n, ret) : status;
}

static enum comb_status parse_or(struct parser *parser, struct comb_search_condition **ret)
{
    struct comb_search_condition *parts[COMB_SEARCH_CONDITIONS_MAX];
    enum comb_status status;
    size_t n = 0;
    bool more;
    do {
        struct comb_search_condition *part = NULL;
        status = parse_and(parser, &part);
        if (status == COMB_OK && part && n == COMB_SEARCH_CONDITIONS_MAX)
            status = comb_error_field(parser->err, parser->field, "too many conditions");
        if (status == COMB_OK && part)
            parts[n++] = part;
        more = status == COMB_OK && take_operator(parser, "OR");
        if (more)
            status = must_begin(parser, "OR");
    } while (status == COMB_OK && more);
    return status == COMB_OK ? join(parser, COMB_SEARCH_OR, parts, n, ret) : status;
}

enum comb_status comb_search_parse_part(struct comb_search_builder *builder, comb_str text,
                                        int64_t now_us, const char *field,
                                        struct comb_search_condition **ret_part,
                                        struct comb_error *err)
{
    struct parser parser = {
        .builder = *builder, .text = text, .now_us = now_us, .field = field, .err = err};
    struct comb_search_condition *part = NULL;
    if (text.len > COMB_SEARCH_QUERY_BYTES_MAX)
        return comb_error_field(err, field, "a query has at most %d bytes, this one has %zu",
                                COMB_SEARCH_QUERY_BYTES_MAX, text.len);
    if (!comb_str_is_utf8(text))
        return comb_error_field(err, field, "a query is UTF-8");
    skip_blanks(&parser);
    enum comb_status status = parse_or(&parser, &part);
    if (status != COMB_OK)
        return status;
    if (!is_at_end(&parser))
        return wrong(&parser, parser.at,
                     "this parenthesis was never opened; take it out, or put it in quotes");
    *builder = parser.builder;
    *ret_part = part;
    return COMB_OK;
}

enum comb_status comb_search_parse(struct grpcc_arena *arena, comb_str text, int64_t now_us,
                                   const char *field,
                                   const struct comb_search_condition **ret_query,
                                   struct comb_error *err)
{
    struct comb_search_builder builder = {.arena = arena};
    struct comb_search_condition *query = NULL;
    enum comb_status status = comb_search_parse_part(&builder, text, now_us, field, &query, err);
    if (status != COMB_OK)
        return status;
    if (!query)
        return comb_error_field(err, field, COMB_SEARCH_NOTHING_ASKED);
    comb_search_mark(query);
    *ret_query = query;
    return COMB_OK;
}
