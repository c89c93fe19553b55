/* SPDX-License-Identifier: Apache-2.0 */
/* How the last word of a query may go on: by the words in the names of its hits. */
#include "server/search/counts.h"
#include "server/search/internal.h"
#include "server/text/tokens.h"

struct tally {
    struct search_counts counts;
    comb_str beginning; /* as a term */
    size_t hits;
    bool is_full; /* no room */
};

static bool tally_hit(void *data, const struct comb_search_candidate *hit,
                      const struct comb_uuid *owner)
{
    struct tally *tally = data;
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    (void)owner;
    if (tally->hits++ == COMB_SEARCH_SUGGESTED_HITS_MAX)
        return false;
    comb_text_tokens_init(&tokens, hit->name, COMB_TEXT_STORE);
    while (comb_text_tokens_next(&tokens, &token)) {
        if (comb_str_starts_with(token.term, tally->beginning) &&
            !search_counts_add(&tally->counts, token.term))
            tally->is_full = true;
    }
    return !tally->is_full;
}

/* Where the last word of a query begins; its length where that is no plain word. */
static size_t last_word(comb_str text)
{
    size_t begin = text.len;
    while (begin > 0 && text.ptr[begin - 1] != ' ' && text.ptr[begin - 1] != '(' &&
           text.ptr[begin - 1] != '-')
        begin--;
    comb_str word = comb_str_of(text.ptr + begin, text.len - begin);
    return memchr(word.ptr, ':', word.len) || memchr(word.ptr, '"', word.len) ||
                   memchr(word.ptr, ')', word.len) || memchr(word.ptr, '*', word.len)
               ? text.len
               : begin;
}

/* The only term of a beginning; false: it is none, or several. */
static bool term_of(struct grpcc_arena *arena, comb_str word, comb_str *ret_term)
{
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    comb_text_tokens_init(&tokens, word, COMB_TEXT_ASK_PREFIX);
    if (!comb_text_tokens_next(&tokens, &token))
        return false;
    const char *term = comb_str_dup(arena, token.term);
    *ret_term = comb_str_of(term, token.term.len);
    return term && !comb_text_tokens_next(&tokens, &token);
}

/* All of the query but its last word, whose beginning stands in the name. */
static enum comb_status make_query(struct comb_search *search, struct comb_ctx *ctx,
                                   comb_str before, comb_str word,
                                   struct comb_search_condition **ret_query, struct comb_error *err)
{
    struct comb_v1_search_condition *condition = comb_v1_search_condition_new(ctx->arena);
    struct comb_v1_search_words *words = comb_v1_search_words_new(ctx->arena);
    char *text = comb_str_dup(ctx->arena, word);
    const struct comb_search_question question = {.text = before, .condition = condition};
    if (!condition || !words || !text)
        return comb_error_no_memory(err);
    words->field = COMB_V1_SEARCH_FIELD_NAME;
    words->text = text;
    words->is_prefix = true;
    comb_v1_search_condition_set_words(condition, words);
    return search_question_read(search, ctx, &question, ret_query, err);
}

static enum comb_status answer(struct grpcc_arena *arena, comb_str before, struct tally *tally,
                               size_t max, struct comb_v1_search_suggest_response *response,
                               struct comb_error *err)
{
    search_counts_sort(&tally->counts);
    for (size_t i = 0; i < tally->counts.n && i < max; i++) {
        comb_str word = tally->counts.items[i].text;
        struct comb_v1_search_suggestion *suggestion = comb_v1_search_suggestion_new(arena);
        char *query =
            grpcc_arena_printf(arena, "%.*s%.*s", COMB_STR_ARG(before), COMB_STR_ARG(word));
        char *copy = comb_str_dup(arena, word);
        if (!suggestion || !query || !copy ||
            !comb_v1_search_suggest_response_add_suggestions(arena, response, suggestion))
            return comb_error_no_memory(err);
        suggestion->query = query;
        suggestion->word = copy;
    }
    return COMB_OK;
}

enum comb_status comb_search_suggest(struct comb_search *search, struct comb_ctx *ctx,
                                     comb_str text, size_t max,
                                     struct comb_v1_search_suggest_response *response,
                                     struct comb_error *err)
{
    struct comb_search_condition *query = NULL;
    struct tally tally = {.hits = 0};
    bool complete = false;
    if (text.len > COMB_SEARCH_QUERY_BYTES_MAX || !comb_str_is_utf8(text))
        return comb_error_field(err, "query", "a query is UTF-8 of at most %d bytes",
                                COMB_SEARCH_QUERY_BYTES_MAX);
    size_t begin = last_word(text);
    comb_str before = comb_str_of(text.ptr, begin);
    comb_str word = comb_str_of(text.ptr + begin, text.len - begin);
    /* What is not being written, or no word, does not go on. */
    if (word.len == 0 || !term_of(ctx->arena, word, &tally.beginning))
        return COMB_OK;
    if (!search_counts_init(&tally.counts, ctx->arena, COMB_SEARCH_FACET_KEPT_MAX))
        return comb_error_no_memory(err);
    /* "(report -dr": what is open in front of the word is not a query yet. */
    bool is_open = begin > 0 && text.ptr[begin - 1] != ' ';
    enum comb_status status =
        make_query(search, ctx, is_open ? STR("") : before, word, &query, err);
    if (status == COMB_OK)
        status = search_each(search, ctx, query, COMB_SEARCH_EXAMINED_MAX, tally_hit, &tally,
                             &complete, err);
    if (status == COMB_OK && tally.is_full)
        status = comb_error_no_memory(err);
    return status == COMB_OK ? answer(ctx->arena, before, &tally, max, response, err) : status;
}
