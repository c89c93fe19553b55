/* SPDX-License-Identifier: Apache-2.0 */
/* Statements as PostgreSQL is told them. */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/postgres.h"
#include "server/core/memory.h"

/* comb_guard() raises where it is given 0. The left side of the join is worked out always, so that
 * a guard without a row cannot be skipped; its rows follow in the columns behind the first. */
static const char guard_before[] = "WITH comb_guarded AS (";
static const char guard_after[] =
    ") SELECT checked.n, comb_guarded.* FROM (SELECT comb_guard(count(*)) AS n FROM comb_guarded)"
    " AS checked LEFT JOIN comb_guarded ON true";
static const char guard_returning[] = " RETURNING 1";

/* The end of a quoted piece that begins at text: 'a', "b", or one character. */
static size_t piece_length(const char *text)
{
    if (text[0] != '\'' && text[0] != '"')
        return 1;
    const char *end = strchr(text + 1, text[0]);
    return end ? (size_t)(end - text) + 1 : strlen(text);
}

/* Writes text at out, "?1" as "$1" outside of quotes. */
static size_t translate_params(char *out, const char *text)
{
    size_t n = 0;
    while (*text) {
        size_t length = piece_length(text);
        memcpy(out + n, text, length);
        if (text[0] == '?' && isdigit((unsigned char)text[1]))
            out[n] = '$';
        n += length;
        text += length;
    }
    return n;
}

static bool contains_word(const char *text, const char *word)
{
    for (; *text; text += piece_length(text)) {
        if (strncasecmp(text, word, strlen(word)) == 0)
            return true;
    }
    return false;
}

static bool is_select(const char *text)
{
    return strncasecmp(text, "SELECT", 6) == 0 || strncasecmp(text, "WITH", 4) == 0;
}

char *comb_pg_text_translate(const char *text, bool guard, size_t *ret_hidden, bool *ret_hides_all)
{
    /* A guard that asks comb_guard() itself is left as it is. */
    bool wrap = guard && !contains_word(text, "comb_guard(");
    bool silent = wrap && !is_select(text) && !contains_word(text, "RETURNING");
    size_t size = strlen(text) + sizeof guard_before + sizeof guard_after + sizeof guard_returning;
    char *sql = comb_memory_alloc(size);
    if (!sql)
        return NULL;
    size_t n = (size_t)snprintf(sql, size, "%s", wrap ? guard_before : "");
    n += translate_params(sql + n, text);
    snprintf(sql + n, size - n, "%s%s", silent ? guard_returning : "", wrap ? guard_after : "");
    *ret_hidden = wrap ? 1 : 0;
    *ret_hides_all = silent;
    return sql;
}

void comb_pg_text_free(void *data)
{
    struct comb_pg_text *text = data;
    if (!text)
        return;
    comb_memory_free(text->sql);
    comb_memory_free(text->types);
    comb_memory_free(text);
}

static struct comb_pg_text *text_new(const struct comb_sql_statement *statement, unsigned id)
{
    struct comb_pg_text *text = comb_memory_zalloc(sizeof *text);
    if (!text)
        return NULL;
    text->id = id;
    text->guard = statement->guard;
    text->n_types = statement->n_params;
    text->types = comb_memory_zalloc((statement->n_params + 1) * sizeof *text->types);
    text->sql =
        comb_pg_text_translate(statement->text, statement->guard, &text->hidden, &text->hides_all);
    if (!text->types || !text->sql) {
        comb_pg_text_free(text);
        return NULL;
    }
    for (size_t i = 0; i < statement->n_params; i++)
        text->types[i] = comb_pg_type_of(statement->params[i].type);
    return text;
}

/* Ends with the types of those parameters that there are. */
struct text_key {
    const char *text;
    uint8_t guard;
    uint8_t types[COMB_PG_PARAMS_MAX];
};

struct comb_pg_text *comb_pg_text_of(struct comb_pg *pg, const struct comb_sql_statement *statement,
                                     struct comb_error *err)
{
    struct text_key key;
    if (statement->n_params > COMB_PG_PARAMS_MAX) {
        comb_error_set(err, COMB_INTERNAL, 0, "a statement has %zu parameters, at most %d may be",
                       statement->n_params, COMB_PG_PARAMS_MAX);
        return NULL;
    }
    memset(&key, 0, offsetof(struct text_key, types));
    key.text = statement->text;
    key.guard = statement->guard;
    for (size_t i = 0; i < statement->n_params; i++)
        key.types[i] = (uint8_t)(statement->params[i].type + 1);
    comb_str bytes = comb_str_of(&key, offsetof(struct text_key, types) + statement->n_params);
    struct comb_pg_text *text = comb_map_get(&pg->texts, bytes);
    if (text)
        return text;
    text = text_new(statement, pg->n_texts);
    if (!text) {
        comb_error_no_memory(err);
        return NULL;
    }
    if (comb_map_put(&pg->texts, bytes, text, err) != COMB_OK) {
        comb_pg_text_free(text);
        return NULL;
    }
    pg->n_texts++;
    return text;
}
