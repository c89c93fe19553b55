/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/terms.h"

#include "server/core/buf.h"
#include "server/text/tokens.h"

/* Adds a term, and what separates it. False: there is no room; nothing has been added. */
static bool add(struct comb_buf *buf, comb_str mark, comb_str term)
{
    size_t before = buf->len;
    if ((before == 0 || comb_buf_append_char(buf, ' ')) && comb_buf_append_str(buf, mark) &&
        comb_buf_append_str(buf, term))
        return true;
    /* What is too long is cut between terms. */
    buf->len = before;
    return false;
}

static void add_text(struct comb_buf *buf, comb_str mark, comb_str text)
{
    struct comb_text_tokens tokens;
    struct comb_text_token token;
    comb_text_tokens_init(&tokens, text, COMB_TEXT_STORE);
    while (comb_text_tokens_next(&tokens, &token))
        if (!add(buf, mark, token.term))
            return;
}

/* The bytes move into the arena. */
static enum comb_status finish(struct comb_buf *buf, struct grpcc_arena *arena, comb_str *ret_terms,
                               struct comb_error *err)
{
    char *terms = grpcc_arena_memdup(arena, buf->data ? buf->data : "", buf->len);
    if (!terms)
        return comb_error_no_memory(err);
    *ret_terms = comb_str_of(terms, buf->len);
    return COMB_OK;
}

enum comb_status comb_search_terms(struct grpcc_arena *arena, comb_str text, comb_str *ret_terms,
                                   struct comb_error *err)
{
    static const comb_str no_mark = {"", 0};
    struct comb_buf buf;
    comb_buf_init(&buf, COMB_SEARCH_TERMS_BYTES_MAX);
    add_text(&buf, no_mark, text);
    enum comb_status status = finish(&buf, arena, ret_terms, err);
    comb_buf_done(&buf);
    return status;
}

static void add_keyed(struct comb_buf *buf, comb_str key, comb_str value)
{
    char mark[COMB_SEARCH_KEY_MARK_BYTES];
    comb_search_key_mark(key, mark);
    add_text(buf, comb_str_of(mark, sizeof mark), value);
    add(buf, STR(""), STR(COMB_SEARCH_GAP));
}

static enum comb_status add_meta(struct grpcc_arena *arena, const struct comb_search_meta *meta,
                                 struct comb_buf *all, struct comb_buf *keyed,
                                 struct comb_error *err)
{
    const char *key =
        grpcc_arena_printf(arena, "%.*s/%.*s", COMB_STR_ARG(meta->space), COMB_STR_ARG(meta->name));
    if (!key)
        return comb_error_no_memory(err);
    add_text(all, STR(""), meta->value);
    add(all, STR(""), STR(COMB_SEARCH_GAP));
    add_keyed(keyed, meta->space, meta->value);
    add_keyed(keyed, comb_str_from(key), meta->value);
    return COMB_OK;
}

enum comb_status comb_search_meta_terms(struct grpcc_arena *arena,
                                        const struct comb_search_meta *metas, size_t n,
                                        comb_str *ret_meta_terms, comb_str *ret_keyed_terms,
                                        struct comb_error *err)
{
    comb_str all_terms, keyed_terms;
    struct comb_buf all, keyed;
    enum comb_status status = COMB_OK;
    comb_buf_init(&all, COMB_SEARCH_TERMS_BYTES_MAX);
    comb_buf_init(&keyed, COMB_SEARCH_TERMS_BYTES_MAX);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = add_meta(arena, &metas[i], &all, &keyed, err);
    if (status == COMB_OK)
        status = finish(&all, arena, &all_terms, err);
    if (status == COMB_OK)
        status = finish(&keyed, arena, &keyed_terms, err);
    comb_buf_done(&all);
    comb_buf_done(&keyed);
    if (status != COMB_OK)
        return status;
    *ret_meta_terms = all_terms;
    *ret_keyed_terms = keyed_terms;
    return COMB_OK;
}
