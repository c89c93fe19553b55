/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the search index: who comes late, who comes first, and what goes. */
#include <stdio.h>

#include "tests/contract/search/fixture.h"

#define HOUR_US (3600 * 1000000LL)

static struct comb_search_counts counts_of(struct fixture *f)
{
    struct comb_search_counts counts;
    must_ok(f->driver->count(f->store, &f->t.ctx, &counts, &f->t.err), &f->t.err);
    return counts;
}

static struct comb_search_content content_of(struct fixture *f, unsigned id)
{
    const struct comb_uuid uuid = doc_id(id);
    const struct comb_search_content *contents;
    must_ok(f->driver->contents(f->store, &f->t.ctx, &uuid, 1, &contents, &f->t.err), &f->t.err);
    return contents[0];
}

static bool has_content(struct fixture *f, unsigned id)
{
    struct comb_search_content content = content_of(f, id);
    return !comb_uuid_is_nil(&content.blob);
}

static size_t sweep(struct fixture *f, uint64_t epoch, size_t max)
{
    size_t n = 99;
    test_ctx_next(&f->t);
    must_ok(f->driver->sweep(f->store, &f->t.ctx, epoch, max, &n, &f->t.err), &f->t.err);
    return n;
}

static size_t sweep_content(struct fixture *f, uint64_t epoch, size_t max)
{
    size_t n = 99;
    test_ctx_next(&f->t);
    must_ok(f->driver->sweep_content(f->store, &f->t.ctx, epoch, max, &n, &f->t.err), &f->t.err);
    return n;
}

static size_t purge(struct fixture *f, int64_t age_us)
{
    size_t n = 99;
    test_ctx_next(&f->t);
    must_ok(f->driver->purge(f->store, &f->t.ctx, age_us, 100, &n, &f->t.err), &f->t.err);
    return n;
}

/* Until nothing is left; returns how many times. */
static int prune(struct fixture *f, size_t max)
{
    int times = 0;
    for (size_t n = 1; n > 0; times++) {
        test_ctx_next(&f->t);
        must_ok(f->driver->prune(f->store, &f->t.ctx, max, &n, &f->t.err), &f->t.err);
        assert_true(n <= max + 1);
        assert_true(times < 1000);
    }
    return times;
}

/* ---- versions ---- */

static void attributes_that_come_late_never_win(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .version = {5, 3}, .name = "three"});
    doc_put(f, &(struct doc){.id = 1, .version = {5, 2}, .name = "two"});
    must_hit(f, "type:file", "three");
    must_hit(f, "two", "");
    doc_put(f, &(struct doc){.id = 1, .version = {4, 9}, .name = "before"});
    must_hit(f, "type:file", "three");
    doc_put(f, &(struct doc){.id = 1, .version = {5, 3}, .name = "three", .size = 7});
    must_hit(f, "size:7", "three");
    doc_put(f, &(struct doc){.id = 1, .version = {5, 4}, .name = "four"});
    must_hit(f, "type:file", "four");
    must_hit(f, "three", "");
    doc_put(f, &(struct doc){.id = 1, .version = {6, 1}, .name = "anew"});
    must_hit(f, "type:file", "anew");
}

static void contents_that_come_late_never_win(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .version = {9, 9}, .name = "a"});
    /* The versions of the parts have nothing to do with each other. */
    doc_read(f, &(struct doc){.id = 1, .version = {2, 3}, .text = "three"});
    doc_read(f, &(struct doc){.id = 1, .version = {2, 2}, .text = "two"});
    doc_read(f, &(struct doc){.id = 1, .version = {1, 7}, .text = "before"});
    must_hit(f, "three", "a");
    must_hit(f, "two OR before", "");
    doc_read(f, &(struct doc){.id = 1, .version = {2, 3}, .text = "again"});
    must_hit(f, "again", "a");
    must_hit(f, "three", "");
    doc_read(f, &(struct doc){.id = 1, .version = {3, 0}, .text = ""});
    must_hit(f, "again", "");
    must_hit(f, "type:file", "a");
}

static void attributes_keep_the_content(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid id = doc_id(1);
    const comb_str *texts;
    doc_put(f, &(struct doc){.id = 1, .version = {1, 1}, .name = "old", .text = "some words"});
    doc_put(f, &(struct doc){.id = 1,
                             .version = {1, 2},
                             .name = "new",
                             .space = "tags",
                             .key = "all",
                             .value = "red"});
    must_hit(f, "\"some words\"", "new");
    must_hit(f, "new some red", "new");
    must_hit(f, "old", "");
    must_ok(f->driver->texts(f->store, &f->t.ctx, &id, 1, 100, &texts, &f->t.err), &f->t.err);
    assert_true(comb_str_equal(texts[0], STR("some words")));
    doc_read(f, &(struct doc){.id = 1, .version = {1, 2}, .text = "other words"});
    must_hit(f, "new other red", "new");
    must_hit(f, "meta.tags:red words", "new");
    must_hit(f, "name:new", "new");
    must_hit(f, "some", "");
}

static void content_waits_for_its_attributes(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid id = doc_id(1);
    const comb_str *texts;
    doc_read(f, &(struct doc){.id = 1, .version = {1, 1}, .text = "early words"});
    must_hit(f, "early", "");
    must_hit(f, "-nothing", "");
    must_hit(f, "type:file", "");
    must_ok(f->driver->texts(f->store, &f->t.ctx, &id, 1, 100, &texts, &f->t.err), &f->t.err);
    assert_int_equal(texts[0].len, 0);
    assert_int_equal(counts_of(f).documents, 0);
    doc_put(f, &(struct doc){.id = 1, .version = {1, 1}, .name = "a"});
    must_hit(f, "early", "a");
    must_hit(f, "-nothing", "a");
    assert_int_equal(counts_of(f).documents, 1);
    assert_int_equal(counts_of(f).tombstones, 0);
}

static void every_order_of_arrival_gives_the_same(void **state)
{
    struct fixture *f = *state;
    /* Two versions of each part, in all 24 orders. */
    for (unsigned order = 0; order < 24; order++) {
        unsigned left[4] = {0, 1, 2, 3}, rest = order;
        for (unsigned i = 4; i > 0; i--) {
            unsigned at = rest % i, step = left[at];
            rest /= i;
            for (unsigned k = at; k + 1 < i; k++)
                left[k] = left[k + 1];
            const struct doc doc = {.id = order + 1,
                                    .version = {1, 1 + step % 2},
                                    .name = step % 2 ? "last" : "first",
                                    .text = step % 2 ? "end" : "begin"};
            struct made made = doc_make(f, &doc);
            if (step < 2)
                must_ok(f->driver->put(f->store, &f->t.ctx, &made.document, 1, &f->t.err),
                        &f->t.err);
            else
                doc_read(f, &doc);
        }
    }
    assert_int_equal(strlen(hits_by(f, "last end", 100, 0)), 24 * 5 - 1);
    must_hit(f, "first OR begin", "");
}

static void contents_tell_whose_they_are_and_what_became_of_them(void **state)
{
    struct fixture *f = *state;
    const struct comb_uuid blob = doc_id(77), other = doc_id(78);
    struct comb_search_content content = {.id = doc_id(1),
                                          .version = {1, 1},
                                          .blob = blob,
                                          .outcome = 4,
                                          .reason = 2,
                                          .terms = STR(""),
                                          .text = STR("")};
    assert_false(has_content(f, 1));
    must_ok(f->driver->put_content(f->store, &f->t.ctx, &content, 1, &f->t.err), &f->t.err);
    struct comb_search_content found = content_of(f, 1);
    assert_true(comb_uuid_equal(&found.blob, &blob));
    assert_int_equal(found.outcome, 4);
    assert_int_equal(found.reason, 2);
    /* Only the version rises, and only where it is of the same blob. */
    content = (struct comb_search_content){
        .id = doc_id(1), .version = {2, 1}, .blob = blob, .is_unchanged = true};
    must_ok(f->driver->put_content(f->store, &f->t.ctx, &content, 1, &f->t.err), &f->t.err);
    found = content_of(f, 1);
    assert_int_equal(found.version.epoch, 2);
    assert_int_equal(found.outcome, 4);
    content.version.epoch = 3;
    content.blob = other;
    must_ok(f->driver->put_content(f->store, &f->t.ctx, &content, 1, &f->t.err), &f->t.err);
    assert_int_equal(content_of(f, 1).version.epoch, 2);
    content.id = doc_id(2);
    must_ok(f->driver->put_content(f->store, &f->t.ctx, &content, 1, &f->t.err), &f->t.err);
    assert_false(has_content(f, 2));
}

/* ---- tombstones ---- */

static void what_was_removed_stays_so(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .version = {1, 1}, .name = "one", .text = "gone"});
    doc_remove(f, 1, 1, 2);
    doc_remove(f, 2, 1, 5);
    must_hit(f, "type:file", "");
    must_hit(f, "gone", "");
    assert_false(has_content(f, 1));
    doc_put(f, &(struct doc){.id = 1, .version = {1, 1}, .name = "one"});
    doc_put(f, &(struct doc){.id = 2, .version = {1, 4}, .name = "never"});
    /* Content does not bring it back, whatever its version. */
    doc_read(f, &(struct doc){.id = 1, .version = {9, 9}, .text = "gone"});
    must_hit(f, "type:file", "");
    must_hit(f, "gone", "");
    /* A removal that comes late. */
    doc_put(f, &(struct doc){.id = 1, .version = {1, 3}, .name = "back"});
    doc_remove(f, 1, 1, 2);
    must_hit(f, "back", "back");
    assert_int_equal(counts_of(f).documents, 1);
    assert_int_equal(counts_of(f).tombstones, 1);
}

static void tombstones_and_lonely_contents_are_purged_by_age(void **state)
{
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .version = {1, 1}, .name = "a", .text = "words"});
    doc_put(f, &(struct doc){.id = 2, .version = {1, 1}, .name = "b", .text = "words"});
    doc_read(f, &(struct doc){.id = 3, .version = {1, 1}, .text = "words"});
    doc_remove(f, 2, 1, 2);
    prune(f, 10);
    assert_int_equal(purge(f, HOUR_US), 0);
    assert_int_equal(purge(f, -HOUR_US), 2);
    must_hit(f, "words", "a");
    assert_int_equal(counts_of(f).documents, 1);
    assert_int_equal(counts_of(f).tombstones, 0);
}

static void what_a_rebuild_has_not_met_becomes_tombstones(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 5; i++)
        doc_put(f, &(struct doc){.id = i, .version = {1, 4}, .name = "old", .text = "words"});
    doc_remove(f, 5, 1, 5);
    doc_put(f, &(struct doc){.id = 1, .version = {2, 1}, .name = "new"});
    doc_read(f, &(struct doc){.id = 6, .version = {1, 1}, .text = "words"});
    assert_int_equal(sweep(f, 2, 2), 2);
    assert_int_equal(sweep(f, 2, 2), 1);
    assert_int_equal(sweep(f, 2, 2), 0);
    must_hit(f, "words", "new");
    /* Who was frozen since before the rebuild brings nothing back. */
    doc_put(f, &(struct doc){.id = 3, .version = {1, 9}, .name = "late"});
    must_hit(f, "late", "");
    doc_put(f, &(struct doc){.id = 3, .version = {2, 1}, .name = "again"});
    must_hit(f, "again", "again");
    assert_int_equal(counts_of(f).documents, 2);
    assert_int_equal(counts_of(f).tombstones, 4);
    /* Content that came first is still there. */
    doc_put(f, &(struct doc){.id = 6, .version = {2, 1}, .name = "six"});
    must_hit(f, "words", "six new");
}

static void contents_that_a_rebuild_has_not_met_are_forgotten(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 1; i <= 4; i++)
        doc_put(f, &(struct doc){.id = i, .version = {1, 4}, .name = "doc", .text = "words"});
    doc_read(f, &(struct doc){.id = 4, .version = {2, 1}, .text = "words"});
    assert_int_equal(sweep_content(f, 2, 2), 2);
    assert_int_equal(sweep_content(f, 2, 2), 1);
    assert_int_equal(sweep_content(f, 2, 2), 0);
    must_hit(f, "words", "doc");
    must_hit(f, "doc", "doc doc doc doc");
    doc_read(f, &(struct doc){.id = 1, .version = {1, 9}, .text = "words"});
    must_hit(f, "words", "doc");
    doc_read(f, &(struct doc){.id = 1, .version = {2, 1}, .text = "words"});
    must_hit(f, "words", "doc doc");
}

static void what_lies_below_a_removed_folder_goes_in_steps(void **state)
{
    enum { CHILDREN = 25 };
    struct fixture *f = *state;
    doc_put(f, &(struct doc){.id = 1, .version = {1, 1}, .name = "root", .is_folder = true});
    doc_put(f, &(struct doc){
                   .id = 2, .version = {1, 1}, .name = "folder", .is_folder = true, .parent = 1});
    doc_put(f, &(struct doc){
                   .id = 3, .version = {1, 1}, .name = "inner", .is_folder = true, .parent = 2});
    for (unsigned i = 0; i < CHILDREN; i++)
        doc_put(f, &(struct doc){.id = 10 + i,
                                 .version = {1, 1},
                                 .name = "child",
                                 .text = "words",
                                 .parent = i % 2 ? 2 : 3});
    doc_put(f, &(struct doc){.id = 4, .version = {1, 1}, .name = "other", .parent = 1});
    assert_int_equal(prune(f, 10), 1);
    doc_remove(f, 2, 1, 2);
    /* Its mark keeps it. */
    assert_int_equal(purge(f, -HOUR_US), 0);
    assert_true(prune(f, 10) > 3);
    must_hit(f, "child OR inner OR words", "");
    must_hit(f, "type:file", "other");
    assert_int_equal(counts_of(f).documents, 2);
    assert_int_equal(counts_of(f).tombstones, CHILDREN + 2);
    /* A child that comes late, with the version that it had. */
    doc_put(f, &(struct doc){.id = 10, .version = {1, 7}, .name = "child", .parent = 3});
    must_hit(f, "child", "");
    assert_int_equal(purge(f, -HOUR_US), CHILDREN + 2);
    /* What was put back, by a store that was restored, is not gone. */
    doc_put(f, &(struct doc){.id = 20, .version = {1, 1}, .name = "kept", .parent = 1});
    doc_remove(f, 1, 1, 2);
    doc_put(f, &(struct doc){.id = 1, .version = {2, 1}, .name = "root", .is_folder = true});
    prune(f, 10);
    must_hit(f, "kept", "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(attributes_that_come_late_never_win),
        FIXTURE_TEST(contents_that_come_late_never_win),
        FIXTURE_TEST(attributes_keep_the_content),
        FIXTURE_TEST(content_waits_for_its_attributes),
        FIXTURE_TEST(every_order_of_arrival_gives_the_same),
        FIXTURE_TEST(contents_tell_whose_they_are_and_what_became_of_them),
        FIXTURE_TEST(what_was_removed_stays_so),
        FIXTURE_TEST(tombstones_and_lonely_contents_are_purged_by_age),
        FIXTURE_TEST(what_a_rebuild_has_not_met_becomes_tombstones),
        FIXTURE_TEST(contents_that_a_rebuild_has_not_met_are_forgotten),
        FIXTURE_TEST(what_lies_below_a_removed_folder_goes_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
