/* SPDX-License-Identifier: Apache-2.0 */
/* What is looked for: its words, its keys, and whether an entry has it all. */
#include "server/logs/internal.h"
#include "server/text/tokens.h"

static bool has_term(const struct logs_search *search, const struct comb_text_token *token)
{
    for (size_t i = 0; i < search->n_terms; i++)
        if (search->terms[i].is_prefix == token->is_prefix &&
            comb_str_equal(search->terms[i].term, token->term))
            return true;
    return false;
}

static enum comb_status read_terms(struct logs_search *search, struct grpcc_arena *arena,
                                   struct comb_error *err)
{
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    comb_str text = search->filter.text;
    if (text.len > COMB_LOGS_ASKED_BYTES_MAX)
        return comb_error_field(err, "filter.text", "has at most %d bytes",
                                COMB_LOGS_ASKED_BYTES_MAX);
    comb_text_tokens_init(&tokens, text, COMB_TEXT_ASK);
    while (comb_text_tokens_next(&tokens, &token)) {
        if (has_term(search, &token))
            continue;
        if (search->n_terms == COMB_LOGS_ASKED_WORDS_MAX)
            return comb_error_field(err, "filter.text", "has at most %d different words",
                                    COMB_LOGS_ASKED_WORDS_MAX);
        const char *copy = comb_str_dup(arena, token.term);
        if (!copy)
            return comb_error_no_memory(err);
        search->terms[search->n_terms++] =
            (struct logs_term){comb_str_of(copy, token.term.len), token.is_prefix};
    }
    if (text.len > 0 && search->n_terms == 0)
        return comb_error_field(err, "filter.text", "has no letters and digits");
    return COMB_OK;
}

static enum comb_status add_hash_group(struct logs_search *search, struct grpcc_arena *arena,
                                       char kind, comb_str text, struct comb_error *err)
{
    struct logs_group *group = &search->groups[search->n_groups];
    if (text.len == 0)
        return COMB_OK;
    enum comb_status status = logs_hash_key(arena, kind, text, &group->keys[0], err);
    if (status != COMB_OK)
        return status;
    group->n_keys = 1;
    search->n_groups++;
    return COMB_OK;
}

static enum comb_status add_trace(struct logs_search *search, struct grpcc_arena *arena,
                                  struct comb_error *err)
{
    comb_str trace = search->filter.trace;
    if (trace.len == 0)
        return COMB_OK;
    if (trace.len >= COMB_ITEM_KEY_LENGTH_MAX)
        return comb_error_field(err, "filter.trace_id", "is 32 hexadecimal digits");
    comb_str key = logs_trace_key(arena, trace);
    if (!key.ptr)
        return comb_error_no_memory(err);
    search->filter.trace = comb_str_of(key.ptr + 1, key.len - 1);
    search->groups[search->n_groups++] = (struct logs_group){{key}, 1};
    return COMB_OK;
}

static enum comb_status add_groups(struct logs_search *search, struct grpcc_arena *arena,
                                   struct comb_error *err)
{
    const struct comb_log_filter *filter = &search->filter;
    enum comb_status status = add_trace(search, arena, err);
    if (status == COMB_OK)
        status = add_hash_group(search, arena, 'u', filter->user, err);
    if (status == COMB_OK)
        status = add_hash_group(search, arena, 's', filter->service, err);
    /* One character of a script without spaces may begin many terms: it is looked for in what the
     * other keys give. */
    for (size_t i = 0; i < search->n_terms && status == COMB_OK; i++)
        if (!search->terms[i].is_prefix)
            status = add_hash_group(search, arena, 'w', search->terms[i].term, err);
    if (status != COMB_OK || filter->level == COMB_LOG_OFF || filter->level == COMB_LOG_TRACE)
        return status;
    struct logs_group *group = &search->groups[search->n_groups++];
    for (int level = COMB_LOG_ERROR; level <= (int)filter->level; level++)
        group->keys[group->n_keys++] = logs_level_key((enum comb_log_level)level);
    return COMB_OK;
}

enum comb_status logs_search_init(struct logs_search *search, struct grpcc_arena *arena,
                                  const struct comb_log_filter *filter, struct comb_error *err)
{
    *search = (struct logs_search){.filter = *filter};
    if (filter->level < COMB_LOG_OFF || filter->level > COMB_LOG_TRACE)
        return comb_error_field(err, "filter.level", "is ERROR, WARN, INFO, DEBUG or TRACE");
    enum comb_status status = read_terms(search, arena, err);
    if (status == COMB_OK)
        status = add_groups(search, arena, err);
    if (status != COMB_OK)
        return status;
    if (filter->since_us)
        search->after = logs_place(arena, filter->since_us);
    if (filter->until_us)
        search->before = logs_place(arena, filter->until_us);
    bool fits =
        (!filter->since_us || search->after.ptr) && (!filter->until_us || search->before.ptr);
    return fits ? COMB_OK : comb_error_no_memory(err);
}

static bool has_all_terms(const struct logs_search *search, const struct logs_words *words)
{
    for (size_t i = 0; i < search->n_terms; i++) {
        const struct logs_term *term = &search->terms[i];
        bool is_there = false;
        for (size_t j = 0; j < words->n && !is_there; j++)
            is_there = term->is_prefix ? comb_str_starts_with(words->words[j], term->term)
                                       : comb_str_equal(words->words[j], term->term);
        if (!is_there)
            return false;
    }
    return true;
}

static bool is_asked(comb_str asked, const char *text)
{
    return asked.len == 0 || comb_str_equal(asked, comb_str_from(text));
}

enum comb_status logs_search_matches(const struct logs_search *search, struct grpcc_arena *arena,
                                     const struct comb_v1_log_entry *entry, bool *ret_matches,
                                     struct comb_error *err)
{
    const struct comb_log_filter *filter = &search->filter;
    struct logs_words words;
    bool matches = (filter->level == COMB_LOG_OFF || (int)entry->level <= (int)filter->level) &&
                   is_asked(filter->service, entry->service) &&
                   is_asked(filter->user, entry->user) && is_asked(filter->trace, entry->trace_id);
    if (matches && search->n_terms > 0) {
        enum comb_status status = logs_words_of(arena, entry, &words, err);
        if (status != COMB_OK)
            return status;
        matches = has_all_terms(search, &words);
    }
    *ret_matches = matches;
    return COMB_OK;
}
