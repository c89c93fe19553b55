/* SPDX-License-Identifier: Apache-2.0 */
/* The search index on the store that the test is linked with: documents, hits and their order. */
#include <stdio.h>
#include <stdlib.h>

#include "server/search/terms.h"
#include "tests/contract/search/fixture.h"

#define DAY_US (24LL * 3600 * 1000000)

/* ---- what is found ---- */

static void words_are_found_in_names_contents_and_metadata(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .name = "Annual-Report.txt", .text = "profit and loss"});
    doc_put(f, &(struct doc){.id = 2, .name = "notes", .text = "The annual REPORT is late."});
    doc_put(
        f, &(struct doc){
               .id = 3, .name = "photo", .space = "tags", .key = "all", .value = "report holiday"});
    must_hit(f, "profit", "Annual-Report.txt");
    must_hit(f, "report", "Annual-Report.txt photo notes");
    must_hit(f, "annual report", "Annual-Report.txt notes");
    must_hit(f, "annual late", "notes");
    must_hit(f, "name:report", "Annual-Report.txt");
    must_hit(f, "content:report", "notes");
    must_hit(f, "meta.tags:report", "photo");
    must_hit(f, "meta.tags/all:holiday", "photo");
    must_hit(f, "meta.tags/other:holiday", "");
    must_hit(f, "nothing", "");
    /* In different fields of one document. */
    must_hit(f, "notes late", "notes");
}

static void phrases_stand_in_one_field_in_a_row(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .name = "a", .text = "net income of the year"});
    doc_put(f, &(struct doc){.id = 2, .name = "b", .text = "income net"});
    doc_put(f, &(struct doc){.id = 3, .name = "net", .text = "income"});
    doc_put(f, &(struct doc){.id = 4,
                             .name = "d",
                             .space = "crm",
                             .key = "customer",
                             .value = "ACME Net Income Inc."});
    must_hit(f, "\"net income\"", "d a");
    must_hit(f, "\"net inc\"*", "d a");
    must_hit(f, "\"income of the year\"", "a");
    must_hit(f, "\"income the\"", "");
    must_hit(f, "meta.crm/customer:\"acme net\"", "d");
    must_hit(f, "meta.crm/customer:\"acme in\"*", "");
    must_hit(f, "meta.crm:\"net in\"*", "d");
}

static void a_phrase_does_not_reach_into_the_next_value(void **state)
{
    struct fixture *f = *state;
    const struct comb_search_meta metas[] = {{STR("tags"), STR("all"), STR("red")},
                                             {STR("tags"), STR("all"), STR("green")}};
    struct made made = doc_make(f, &(struct doc){.id = 1, .name = "x"});
    must_ok(comb_search_meta_terms(f->t.ctx.arena, metas, 2, &made.document.meta_terms,
                                   &made.document.keyed_terms, &f->t.err),
            &f->t.err);
    made_put(f, &made, 1, false);
    must_hit(f, "red green", "x");
    must_hit(f, "\"red green\"", "");
    must_hit(f, "meta.tags:\"red green\"", "");
    must_hit(f, "meta.tags/all:green", "x");
}

static void prefixes_find_every_term_that_begins_so(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .name = "reporting"});
    doc_put(f, &(struct doc){.id = 2, .name = "b", .text = "a report"});
    doc_put(f, &(struct doc){.id = 3, .name = "rep"});
    doc_put(f, &(struct doc){.id = 4, .name = "preport"});
    must_hit(f, "rep*", "rep reporting b");
    must_hit(f, "report*", "reporting b");
    must_hit(f, "reportin*", "reporting");
    must_hit(f, "reportings*", "");
    must_hit(f, "name:r*", "rep reporting");
    must_hit(f, "content:r*", "b");
}

static void case_marks_and_scripts_do_not_matter(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .name = "Résumé.pdf"});
    doc_put(f, &(struct doc){.id = 2, .name = "STRASSE"});
    doc_put(f, &(struct doc){.id = 3, .name = "東京都庁"});
    doc_put(f, &(struct doc){.id = 4, .name = "Σίσυφος"});
    doc_put(f, &(struct doc){.id = 5, .name = "안녕하세요"});
    must_hit(f, "resume", "Résumé.pdf");
    must_hit(f, "RÉSUMÉ", "Résumé.pdf");
    must_hit(f, "straße", "STRASSE");
    must_hit(f, "東京", "東京都庁");
    must_hit(f, "京都", "東京都庁");
    must_hit(f, "庁", "東京都庁");
    must_hit(f, "東庁", "");
    must_hit(f, "ΣΙΣΥΦΟΣ", "Σίσυφος");
    must_hit(f, "하세", "안녕하세요");
}

static void conditions_are_and_or_and_not(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .name = "a1", .text = "red green", .size = 10});
    doc_put(f, &(struct doc){.id = 2, .name = "a2", .text = "red blue", .size = 2000});
    doc_put(f, &(struct doc){.id = 3, .name = "a3", .text = "green blue", .size = 30});
    doc_put(f, &(struct doc){.id = 4, .name = "a4", .text = "white", .is_folder = true});
    must_hit(f, "red OR green", "a3 a2 a1");
    must_hit(f, "red -green", "a2");
    must_hit(f, "-red", "a4 a3");
    must_hit(f, "-a4 -red", "a3");
    must_hit(f, "blue (red OR green)", "a3 a2");
    must_hit(f, "NOT (red OR white)", "a3");
    /* What needs no word of a content ranks with the names. */
    must_hit(f, "white OR size:>1000", "a2 a4");
    must_hit(f, "blue OR size:10", "a1 a3 a2");
    must_hit(f, "-(size:>1000) -white", "a3 a1");
    must_hit(f, "NOT NOT red", "a2 a1");
    must_hit(f, "green -(blue OR size:10)", "");
    must_hit(f, "(red green) OR (white type:folder)", "a4 a1");
}

static void fields_other_than_words_narrow(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 11,
                             .name = "p1",
                             .media = "image/png",
                             .size = 5,
                             .parent = 1,
                             .owner = 7,
                             .modified_us = 1714996800000000LL});
    doc_put(f, &(struct doc){.id = 12,
                             .name = "p2",
                             .media = "image/jpeg",
                             .size = 6,
                             .parent = 2,
                             .owner = 8,
                             .modified_us = 1714996800000000LL - 40 * DAY_US});
    doc_put(f, &(struct doc){.id = 13,
                             .name = "p3",
                             .media = "text/plain",
                             .size = 7,
                             .parent = 1,
                             .owner = 8,
                             .modified_us = 1714996800000000LL - 400 * DAY_US});
    doc_put(f, &(struct doc){.id = 14,
                             .name = "p4",
                             .is_folder = true,
                             .parent = 1,
                             .owner = 7,
                             .modified_us = 1714996800000000LL});
    must_hit(f, "type:image", "p2 p1");
    must_hit(f, "type:image/png", "p1");
    must_hit(f, "type:folder", "p4");
    must_hit(f, "type:file", "p3 p2 p1");
    must_hit(f, "size:6..", "p3 p2");
    must_hit(f, "size:<=5", "p1");
    must_hit(f, "modified:today", "p4 p1");
    must_hit(f, "modified:2024", "p4 p2 p1");
    must_hit(f, "modified:<2024", "p3");
    must_hit(f, "owner:8", "p3 p2");
    must_hit(f, "in:/1", "p4 p3 p1");
    must_hit(f, "in:/1 owner:8 size:>1", "p3");
    must_hit(f, "-in:/1", "p2");
}

/* ---- order and pages ---- */

static void names_rank_above_the_rest_and_the_newest_comes_first(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 3, .name = "report3"});
    doc_put(f, &(struct doc){.id = 1, .name = "report one"});
    doc_put(f, &(struct doc){.id = 5, .name = "five", .text = "report"});
    doc_put(f, &(struct doc){.id = 2, .name = "two", .text = "one report"});
    doc_put(f, &(struct doc){.id = 4, .name = "report four"});
    must_hit(f, "report", "report four report one five two");
    must_hit(f, "report OR one", "report four report one five two");
    must_hit(f, "report one", "report one two");
    must_hit(f, "content:report", "five two");
    must_hit(f, "report -one", "report four five");
}

static void ids_that_agree_in_front_are_different_documents(void **state)
{
    enum { N = 12 };
    struct fixture *f = *state;
    struct made made[N];
    char names[N][8], expected[N * 8] = "";
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        made[i] = doc_make(f, &(struct doc){.id = 9, .name = names[i], .text = "same"});
        made[i].document.id.bytes[15] = made[i].content.id.bytes[15] = (uint8_t)i;
    }
    made_put(f, made, N, true);
    /* And again. */
    made_put(f, made, N, false);
    for (int i = 0; i < N; i++) {
        snprintf(expected, sizeof expected, "name:%s", names[i]);
        must_hit(f, expected, names[i]);
    }
    assert_int_equal(strlen(hits_by(f, "same", 5, 0)),
                     strlen("n0 n1 n2 n3 n4 n5 n6 n7 n8 n9") + strlen(" n10 n11"));
}

static void pages_of_any_size_give_the_same_hits(void **state)
{
    enum { N = 42 };
    struct fixture *f = *state;
    static char all[1 << 16];
    static struct made made[N];
    static char names[N][32], texts[N][64];
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "%s%u", i % 7 == 0 ? "apple-" : "n", i);
        snprintf(texts[i], sizeof texts[i], "%s %s", i % 3 == 0 ? "apple" : "pear",
                 i % 10 == 0 ? "rare" : "common");
        made[i] =
            doc_make(f, &(struct doc){.id = i + 1, .name = names[i], .text = texts[i], .size = i});
    }
    made_put(f, made, N, false);
    const char *const queries[] = {"apple",        "apple rare",         "apple OR rare",
                                   "-apple",       "type:file",          "size:10..12 OR apple",
                                   "pear -common", "com* -(apple rare)", "rare size:<30"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(all, sizeof all, "%s", hits_by(f, queries[i], 1000, 100000));
        assert_true(strlen(all) > 0);
        assert_string_equal(hits_by(f, queries[i], 1, 100000), all);
        assert_string_equal(hits_by(f, queries[i], 7, 100000), all);
        /* Walks that stop early, with few hits or none. */
        assert_string_equal(hits_by(f, queries[i], 50, 3), all);
    }
}

static void a_walk_stops_at_its_budget(void **state)
{
    struct fixture *f = *state;
    const struct comb_search_condition in = {.kind = COMB_SEARCH_FOLDER};
    struct comb_search_scan scan = {.query = &in, .max = 10};
    struct comb_search_found found;
    for (unsigned i = 1; i <= 25; i++)
        doc_put(f, &(struct doc){.id = i, .name = "x"});
    must_ok(f->driver->scan(f->store, &f->t.ctx, &scan, &found, &f->t.err), &f->t.err);
    assert_true(found.n <= 10 && found.more);
    struct comb_uuid last = found.candidates[found.n - 1].id;
    scan.before = &last;
    must_ok(f->driver->scan(f->store, &f->t.ctx, &scan, &found, &f->t.err), &f->t.err);
    assert_true(memcmp(found.candidates[0].id.bytes, last.bytes, 16) < 0);
}

static void a_page_goes_on_where_its_last_document_is_gone(void **state)
{
    struct fixture *f = *state;
    const struct comb_search_condition file = {.kind = COMB_SEARCH_FILE};
    struct comb_uuid id = doc_id(3);
    const struct comb_search_scan scan = {.query = &file, .max = 10, .before = &id};
    struct comb_search_found found;
    for (unsigned i = 1; i <= 5; i++)
        doc_put(f, &(struct doc){.id = i, .name = "x", .version = {1, 1}});
    doc_remove(f, 3, 1, 2);
    for (int purged = 0; purged < 2; purged++) {
        size_t n = 0;
        must_ok(f->driver->scan(f->store, &f->t.ctx, &scan, &found, &f->t.err), &f->t.err);
        assert_int_equal(found.n, 2);
        struct comb_uuid expected = doc_id(2);
        assert_true(comb_uuid_equal(&found.candidates[0].id, &expected));
        must_ok(f->driver->purge(f->store, &f->t.ctx, -3600 * 1000000LL, 10, &n, &f->t.err),
                &f->t.err);
    }
}

static void texts_come_back_in_whole_characters(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid ids[] = {doc_id(2), doc_id(9), doc_id(1)};
    const comb_str *texts;
    doc_put(f, &(struct doc){.id = 1, .name = "a", .text = "höhö"});
    doc_put(f, &(struct doc){.id = 2, .name = "b", .text = "plain text"});
    must_ok(f->driver->texts(f->store, &f->t.ctx, ids, 3, 5, &texts, &f->t.err), &f->t.err);
    assert_true(comb_str_equal(texts[0], STR("plain")));
    assert_int_equal(texts[1].len, 0);
    assert_true(comb_str_equal(texts[2], STR("höh")));
    must_ok(f->driver->texts(f->store, &f->t.ctx, ids, 3, 100, &texts, &f->t.err), &f->t.err);
    assert_true(comb_str_equal(texts[2], STR("höhö")));
}

/* ---- against a plain search ---- */

static uint64_t draw_state = 88172645463325252u;

static unsigned draw(unsigned below)
{
    draw_state ^= draw_state << 13;
    draw_state ^= draw_state >> 7;
    draw_state ^= draw_state << 17;
    return (unsigned)((draw_state >> 33) % below);
}

static const char *const colours[] = {"red", "reddish", "green", "greenish", "blue", "gray"};

static size_t draw_text(char *text, size_t size, unsigned words)
{
    size_t length = 0;
    for (unsigned i = 0; i < words; i++)
        length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
                                   colours[draw(6)]);
    return length;
}

/* Appends a random query. */
static size_t draw_query(char *text, size_t size, unsigned depth)
{
    static const char *const others[] = {"size:>20",    "size:10..30", "type:image",
                                         "type:folder", "owner:1",     "in:/2"};
    static const char *const fields[] = {"", "", "name:", "content:", "meta.tags:"};
    const char *field = fields[draw(5)];
    size_t length = 0;
    switch (draw(depth > 0 ? 8 : 4)) {
    case 0:
    case 1:
        return (size_t)snprintf(text, size, "%s%s", field, colours[draw(6)]);
    case 2:
        return (size_t)snprintf(text, size, "%s%.*s*", field, (int)(1 + draw(4)), colours[draw(6)]);
    case 3:
        if (draw(2))
            return (size_t)snprintf(text, size, "%s", others[draw(6)]);
        return (size_t)snprintf(text, size, "%s\"%s %s\"", field, colours[draw(6)],
                                colours[draw(6)]);
    case 4:
        length = (size_t)snprintf(text, size, "-");
        return length + draw_query(text + length, size - length, 0);
    default:
        length = (size_t)snprintf(text, size, "(");
        length += draw_query(text + length, size - length, depth - 1);
        length += (size_t)snprintf(text + length, size - length, "%s", draw(2) ? " OR " : " ");
        length += draw_query(text + length, size - length, depth - 1);
        return length + (size_t)snprintf(text + length, size - length, ")");
    }
}

static void random_queries_give_what_a_plain_search_gives(void **state)
{
    enum { N = 60, QUERIES = 80 };
    struct fixture *f = *state;
    static struct made made[N];
    static char names[N][64], texts[N][128], tags[N][32];
    struct comb_uuid ids[N];
    const struct comb_search_few few = {ids, N};
    char query[512];
    for (unsigned i = 0; i < N; i++) {
        /* A name of one word: what is compared are lists of names. */
        snprintf(names[i], sizeof names[i], "n%u-%s", i, colours[draw(6)]);
        draw_text(texts[i], sizeof texts[i], draw(6));
        draw_text(tags[i], sizeof tags[i], draw(3));
        made[i] = doc_make(f, &(struct doc){.id = i + 1,
                                            .name = names[i],
                                            .text = texts[i],
                                            .space = "tags",
                                            .key = "all",
                                            .value = tags[i],
                                            .media = draw(2) ? "image/png" : "text/plain",
                                            .is_folder = draw(5) == 0,
                                            .size = draw(50),
                                            .parent = draw(3),
                                            .owner = draw(3)});
    }
    made_put(f, made, N, true);
    plain_hits_of(made, N);
    for (int i = 0; i < N; i++)
        ids[i] = made[N - 1 - i].document.id;
    for (int i = 0; i < QUERIES; i++) {
        draw_query(query, sizeof query, 3);
        const char *expected = plain_hits(f, query);
        const char *found = hits_by(f, query, 10, 0);
        if (strcmp(found, expected) != 0)
            fail_msg("%s\ngives %s\nnot %s", query, found, expected);
        if (i % 4 > 0)
            continue;
        found = hits_among(f, &few, query, 5 + draw(10), draw(2) * 17);
        if (strcmp(found, expected) != 0)
            fail_msg("%s\namong all gives %s\nnot %s", query, found, expected);
    }
}

/* Of a few documents those are hits that are hits among all; what is gone or never was is none. */
static void a_few_documents_are_looked_at_alone(void **state)
{
    enum { N = 30 };
    struct fixture *f = *state;
    const struct comb_uuid ids[] = {doc_id(70000), doc_id(30), doc_id(21), doc_id(20),
                                    doc_id(15),    doc_id(9),  doc_id(3)};
    const struct comb_search_few few = {ids, sizeof ids / sizeof *ids}, none = {ids, 0};
    static struct made made[N];
    char names[N][8];
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "n%u", i + 1);
        made[i] = doc_make(f, &(struct doc){.id = i + 1,
                                            .version = {1, 1},
                                            .name = names[i],
                                            .text = i % 3 == 2 ? "red green" : "green red",
                                            .parent = (i + 1) % 2});
    }
    made_put(f, made, N, true);
    doc_put(f, &(struct doc){.id = 15, .version = {1, 2}, .name = "red"});
    doc_remove(f, 9, 1, 2);
    assert_string_equal(hits_among(f, &few, "green", 100, 0), "n30 n21 n20 red n3");
    assert_string_equal(hits_among(f, &few, "red", 100, 0), "red n30 n21 n20 n3");
    assert_string_equal(hits_among(f, &few, "red", 1, 1), "red n30 n21 n20 n3");
    assert_string_equal(hits_among(f, &few, "\"red green\"", 2, 0), "n30 n21 red n3");
    assert_string_equal(hits_among(f, &few, "gree* -in:/0", 100, 0), "n21 n3");
    assert_string_equal(hits_among(f, &few, "type:file", 100, 2), "n30 n21 n20 red n3");
    assert_string_equal(hits_among(f, &few, "blue", 100, 0), "");
    assert_string_equal(hits_among(f, &none, "red", 100, 0), "");
}

/* ---- limits ---- */

static void a_long_document_is_found_by_its_end(void **state)
{
    struct fixture *f = *state;
    enum { WORDS = 3000 };
    char *text = malloc(WORDS * 8 + 1);
    size_t length = 0;
    assert_non_null(text);
    for (int i = 0; i < WORDS; i++)
        length += (size_t)snprintf(text + length, 9, "w%d ", i);
    doc_put(f, &(struct doc){.id = 1, .name = "long", .text = text});
    must_hit(f, "w0 w2999", "long");
    must_hit(f, "\"w2998 w2999\"", "long");
    must_hit(f, "w3000", "");
    free(text);
}

static void a_query_at_its_limits_is_answered(void **state)
{
    struct fixture *f = *state;
    char query[4096];
    size_t length = 0;
    doc_put(f, &(struct doc){.id = 1, .name = "x", .text = "w1 w2 w3", .size = 1});
    for (int i = 0; i < 31; i++)
        length += (size_t)snprintf(query + length, sizeof query - length, "%sw%d",
                                   i > 0 ? " OR " : "", i);
    must_hit(f, query, "x");
    length = 0;
    for (int i = 0; i < 12; i++)
        length += (size_t)snprintf(query + length, sizeof query - length, "-(w%d size:2) ", i);
    must_hit(f, query, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(words_are_found_in_names_contents_and_metadata),
        FIXTURE_TEST(phrases_stand_in_one_field_in_a_row),
        FIXTURE_TEST(a_phrase_does_not_reach_into_the_next_value),
        FIXTURE_TEST(prefixes_find_every_term_that_begins_so),
        FIXTURE_TEST(case_marks_and_scripts_do_not_matter),
        FIXTURE_TEST(conditions_are_and_or_and_not),
        FIXTURE_TEST(fields_other_than_words_narrow),
        FIXTURE_TEST(names_rank_above_the_rest_and_the_newest_comes_first),
        FIXTURE_TEST(ids_that_agree_in_front_are_different_documents),
        FIXTURE_TEST(pages_of_any_size_give_the_same_hits),
        FIXTURE_TEST(a_walk_stops_at_its_budget),
        FIXTURE_TEST(a_page_goes_on_where_its_last_document_is_gone),
        FIXTURE_TEST(texts_come_back_in_whole_characters),
        FIXTURE_TEST(a_few_documents_are_looked_at_alone),
        FIXTURE_TEST(random_queries_give_what_a_plain_search_gives),
        FIXTURE_TEST(a_long_document_is_found_by_its_end),
        FIXTURE_TEST(a_query_at_its_limits_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
