/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/search/fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/search/query.h"
#include "server/search/terms.h"

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->t);
    f->store = search_driver_open();
    f->driver = f->store->driver;
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    search_driver_close(f->store);
    test_ctx_done(&f->t);
    free(f);
    return 0;
}

struct comb_uuid doc_id(unsigned number)
{
    struct comb_uuid id = {{0x01, 0x90, 0, 0, 0, 0, 0x70, 0, 0x80}};
    id.bytes[2] = (uint8_t)(number >> 24);
    id.bytes[3] = (uint8_t)(number >> 16);
    id.bytes[4] = (uint8_t)(number >> 8);
    id.bytes[5] = (uint8_t)number;
    return id;
}

static comb_str text_of(const char *text)
{
    return text ? comb_str_from(text) : STR("");
}

/* Who owns a document's workspace, which no index knows. */
enum { OWNERS_MAX = 1024 };
static unsigned owners[OWNERS_MAX];

static unsigned *owner_of(const struct comb_uuid *id)
{
    return &owners[(unsigned)(id->bytes[4] << 8 | id->bytes[5]) % OWNERS_MAX];
}

struct made doc_make(struct fixture *f, const struct doc *doc)
{
    const struct comb_search_meta meta = {text_of(doc->space), text_of(doc->key),
                                          text_of(doc->value)};
    struct grpcc_arena *arena = f->t.ctx.arena;
    struct made made = {.document = {.id = doc_id(doc->id),
                                     .version = doc->version,
                                     .parent = doc_id(doc->parent),
                                     .is_folder = doc->is_folder,
                                     .size = doc->size,
                                     .modified_us = doc->modified_us,
                                     .name = text_of(doc->name),
                                     .media = text_of(doc->media)},
                        .content = {.id = doc_id(doc->id),
                                    .version = doc->version,
                                    .outcome = 1,
                                    .text = text_of(doc->text)}};
    struct comb_search_document *document = &made.document;
    if (doc->text)
        made.content.blob = doc_id(doc->id + 500000);
    *owner_of(&document->id) = doc->owner;
    must_ok(comb_search_terms(arena, document->name, &document->name_terms, &f->t.err), &f->t.err);
    must_ok(comb_search_terms(arena, made.content.text, &made.content.terms, &f->t.err), &f->t.err);
    must_ok(comb_search_meta_terms(arena, &meta, doc->value ? 1 : 0, &document->meta_terms,
                                   &document->keyed_terms, &f->t.err),
            &f->t.err);
    return made;
}

static void put_contents(struct fixture *f, const struct made *made, size_t n)
{
    struct comb_search_content *contents = grpcc_arena_calloc(f->t.ctx.arena, n, sizeof *contents);
    size_t some = 0;
    assert_non_null(contents);
    for (size_t i = 0; i < n; i++)
        if (!comb_uuid_is_nil(&made[i].content.blob))
            contents[some++] = made[i].content;
    if (some > 0)
        must_ok(f->driver->put_content(f->store, &f->t.ctx, contents, some, &f->t.err), &f->t.err);
}

void made_put(struct fixture *f, const struct made *made, size_t n, bool content_first)
{
    struct comb_search_document *documents =
        grpcc_arena_calloc(f->t.ctx.arena, n, sizeof *documents);
    assert_non_null(documents);
    for (size_t i = 0; i < n; i++)
        documents[i] = made[i].document;
    if (content_first)
        put_contents(f, made, n);
    must_ok(f->driver->put(f->store, &f->t.ctx, documents, n, &f->t.err), &f->t.err);
    if (!content_first)
        put_contents(f, made, n);
}

void doc_put(struct fixture *f, const struct doc *doc)
{
    test_ctx_next(&f->t);
    struct made made = doc_make(f, doc);
    made_put(f, &made, 1, false);
}

void doc_read(struct fixture *f, const struct doc *doc)
{
    test_ctx_next(&f->t);
    struct made made = doc_make(f, doc);
    put_contents(f, &made, 1);
}

void doc_remove(struct fixture *f, unsigned id, uint64_t epoch, uint64_t revision)
{
    const struct comb_search_removal removal = {
        .id = doc_id(id), .version = {epoch, revision}, .is_folder = true};
    test_ctx_next(&f->t);
    must_ok(f->driver->remove(f->store, &f->t.ctx, &removal, 1, &f->t.err), &f->t.err);
}

/* A flat world: a place is the number of the parent, everything may be seen. */
static bool is_in(void *data, const struct comb_search_condition *condition,
                  const struct comb_search_candidate *candidate)
{
    const struct comb_uuid owner = doc_id(*owner_of(&candidate->id));
    (void)data;
    return comb_uuid_equal(&condition->id,
                           condition->kind == COMB_SEARCH_IN ? &candidate->parent : &owner);
}

static bool may_see(void *data, const struct comb_search_candidate *candidate)
{
    (void)data;
    (void)candidate;
    return true;
}

/* "owner:7" and "in:/7". */
static void name_ids(struct comb_search_condition *condition)
{
    for (size_t i = 0; i < condition->n_parts; i++)
        name_ids(condition->parts[i]);
    if (condition->kind == COMB_SEARCH_OWNER)
        condition->id = doc_id((unsigned)strtoul(condition->text.ptr, NULL, 10));
    if (condition->kind == COMB_SEARCH_IN)
        condition->id = doc_id((unsigned)strtoul(condition->text.ptr + 1, NULL, 10));
}

static const struct comb_search_condition *parse(struct fixture *f, struct grpcc_arena *arena,
                                                 const char *query)
{
    const struct comb_search_condition *parsed = NULL;
    must_ok(comb_search_parse(arena, comb_str_from(query), 1714996800000000LL, "query", &parsed,
                              &f->t.err),
            &f->t.err);
    name_ids((struct comb_search_condition *)(uintptr_t)parsed);
    return parsed;
}

static const char *hits_of(struct fixture *f, const struct comb_search_judge *judge,
                           const char *query, size_t size, size_t examined_max)
{
    static char names[1 << 20];
    struct comb_search_walk walk = {
        .store = f->store, .judge = judge, .max = size, .examined_max = examined_max};
    struct comb_search_at at = {0};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    size_t length = 0;
    bool more = true;
    names[0] = 0;
    assert_non_null(arena);
    walk.query = parse(f, arena, query);
    while (more) {
        const struct comb_search_hit *hits;
        size_t n = 0;
        test_ctx_next(&f->t);
        must_ok(comb_search_walk(&walk, &f->t.ctx, &at, &hits, &n, &more, &f->t.err), &f->t.err);
        assert_true(n <= size);
        for (size_t i = 0; i < n; i++)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%.*s",
                                       length > 0 ? " " : "", COMB_STR_ARG(hits[i].candidate.name));
    }
    grpcc_arena_free(arena);
    return names;
}

const char *hits_by(struct fixture *f, const char *query, size_t size, size_t examined_max)
{
    static const struct comb_search_judge judge = {.is_in = is_in, .may_see = may_see};
    return hits_of(f, &judge, query, size, examined_max);
}

static enum comb_status narrow(void *data, struct comb_ctx *ctx, struct comb_search_few *ret_few,
                               bool *ret_are_few, struct comb_error *err)
{
    (void)ctx;
    (void)err;
    *ret_few = *(const struct comb_search_few *)data;
    *ret_are_few = true;
    return COMB_OK;
}

const char *hits_among(struct fixture *f, const struct comb_search_few *few, const char *query,
                       size_t size, size_t examined_max)
{
    struct comb_search_few copy = *few;
    const struct comb_search_judge judge = {
        .is_in = is_in, .may_see = may_see, .narrow = narrow, .data = &copy};
    return hits_of(f, &judge, query, size, examined_max);
}

/* ---- a plain search ---- */

enum { PLAIN_MAX = 64 };

/* What is looked at, by rising id. */
static struct plain {
    struct comb_search_candidate candidate;
    char terms[4][256]; /* of name, content, metadata, keyed metadata */
} plain[PLAIN_MAX];
static size_t n_plain;

void plain_hits_of(const struct made *made, size_t n)
{
    assert_true(n <= PLAIN_MAX);
    n_plain = n;
    for (size_t i = 0; i < n; i++) {
        const struct comb_search_document *document = &made[i].document;
        const comb_str terms[] = {document->name_terms, made[i].content.terms, document->meta_terms,
                                  document->keyed_terms};
        plain[i].candidate = (struct comb_search_candidate){.id = document->id,
                                                            .parent = document->parent,
                                                            .is_folder = document->is_folder,
                                                            .size = document->size,
                                                            .name = document->name,
                                                            .media = document->media};
        for (int field = 0; field < 4; field++)
            assert_true(snprintf(plain[i].terms[field], sizeof plain[i].terms[field], "%.*s",
                                 COMB_STR_ARG(terms[field])) < 256);
    }
}

static bool has_words(const struct plain *document, const struct comb_search_condition *words)
{
    char mark[COMB_SEARCH_KEY_MARK_BYTES];
    comb_search_key_mark(words->key, mark);
    bool name = comb_search_terms_have(comb_str_from(document->terms[0]), words, STR(""));
    bool content = comb_search_terms_have(comb_str_from(document->terms[1]), words, STR(""));
    bool meta = comb_search_terms_have(comb_str_from(document->terms[2]), words, STR(""));
    switch (words->field) {
    case COMB_SEARCH_NAME:
        return name;
    case COMB_SEARCH_CONTENT:
        return content;
    case COMB_SEARCH_META:
        return comb_search_terms_have(comb_str_from(document->terms[3]), words,
                                      comb_str_of(mark, sizeof mark));
    default:
        return name || content || meta;
    }
}

static uint64_t plain_holds(const struct plain *document, const struct comb_search_condition *query)
{
    uint64_t holds = 0;
    for (size_t i = 0; i < query->n_parts; i++)
        holds |= plain_holds(document, query->parts[i]);
    if (query->kind == COMB_SEARCH_WORDS && has_words(document, query))
        holds |= UINT64_C(1) << query->number;
    return holds;
}

const char *plain_hits(struct fixture *f, const char *query)
{
    static char names[1 << 16];
    struct grpcc_arena *arena = grpcc_arena_new(0);
    size_t length = 0;
    assert_non_null(arena);
    const struct comb_search_condition *parsed = parse(f, arena, query);
    bool has_rank = comb_search_has_rank(parsed);
    names[0] = 0;
    for (int rank = has_rank ? 0 : 1; rank < 2; rank++) {
        for (size_t i = n_plain; i-- > 0;) {
            const struct plain *document = &plain[i];
            uint64_t holds = plain_holds(document, parsed);
            uint64_t named = comb_search_named(parsed, comb_str_from(document->terms[0]), holds);
            bool first =
                has_rank && comb_search_match(parsed, &document->candidate, named, is_in, NULL);
            if (comb_search_match(parsed, &document->candidate, holds, is_in, NULL) &&
                first == (rank == 0))
                length +=
                    (size_t)snprintf(names + length, sizeof names - length, "%s%.*s",
                                     length > 0 ? " " : "", COMB_STR_ARG(document->candidate.name));
        }
    }
    grpcc_arena_free(arena);
    return names;
}
