/* SPDX-License-Identifier: Apache-2.0 */
/* The store of items: they are added once, walked newest first, removed; notes only rise. */
#include <stdio.h>
#include <string.h>

#include "server/items/items_driver.h"
#include "tests/support/docs_row.h"
#include "tests/support/support.h"

struct fixture {
    struct comb_docs *docs;
    struct comb_items_store *store;
    struct test_ctx t;
};

static int setup(void **state)
{
    static struct fixture f;
    test_ctx_init(&f.t);
    f.docs = test_docs_row_open();
    must_ok(comb_items_store_open(f.docs, COMB_ITEMS_ACTIVITIES, &f.store, &f.t.err), &f.t.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_items_store_close(f->store);
    test_docs_row_close(f->docs);
    test_ctx_done(&f->t);
    return 0;
}

static comb_str text(struct fixture *f, const char *format, unsigned number)
{
    const char *made = grpcc_arena_printf(f->t.ctx.arena, "%s%032x", format, number);
    return comb_str_from(made);
}

/* Item `number`, with the keys GROUP+a, and every third one GROUP+b. */
static struct comb_item item_of(struct fixture *f, const char *group, unsigned number)
{
    comb_str *keys = grpcc_arena_calloc(f->t.ctx.arena, 2, sizeof *keys);
    keys[0] = comb_str_from(grpcc_arena_printf(f->t.ctx.arena, "%sa", group));
    keys[1] = comb_str_from(grpcc_arena_printf(f->t.ctx.arena, "%sb", group));
    return (struct comb_item){.id = text(f, group, number),
                              .at = text(f, "", number),
                              .keys = keys,
                              .n_keys = number % 3 == 0 ? 2 : 1,
                              .body = comb_str_of("\0body", 5)};
}

static void put(struct fixture *f, const char *group, unsigned from, unsigned to)
{
    for (unsigned first = from; first < to; first += COMB_ITEM_SCAN_MAX) {
        struct comb_item items[COMB_ITEM_SCAN_MAX];
        size_t n = 0;
        test_ctx_next(&f->t);
        for (unsigned i = first; i < to && n < COMB_ITEM_SCAN_MAX; i++)
            items[n++] = item_of(f, group, i);
        must_ok(f->store->driver->put(f->store, &f->t.ctx, items, n, &f->t.err), &f->t.err);
    }
}

/* Numbers of what a scan gives, page by page. */
static size_t walk(struct fixture *f, const comb_str *keys, size_t n_keys, bool is_ascending,
                   size_t max, unsigned *numbers)
{
    char at[COMB_ITEM_ID_LENGTH + 1] = "";
    size_t total = 0, n;
    do {
        struct comb_item_scan scan = {
            .keys = keys, .n_keys = n_keys, .is_ascending = is_ascending, .max = max};
        const struct comb_item *items;
        *(is_ascending ? &scan.after : &scan.before) = comb_str_from(at);
        test_ctx_next(&f->t);
        must_ok(f->store->driver->scan(f->store, &f->t.ctx, &scan, &items, &n, &f->t.err),
                &f->t.err);
        assert_true(n <= max);
        for (size_t i = 0; i < n; i++) {
            memcpy(at, items[i].at.ptr, items[i].at.len);
            assert_int_equal(sscanf(at, "%x", &numbers[total]), 1);
            assert_true(comb_str_equal(items[i].body, comb_str_of("\0body", 5)));
            total++;
        }
    } while (n == max);
    return total;
}

static void items_are_walked_by_each_key_newest_first(void **state)
{
    struct fixture *f = *state;
    const comb_str a[] = {STR("xa")}, b[] = {STR("xb")}, both[] = {STR("xb"), STR("xa")};
    static unsigned numbers[1000];
    put(f, "x", 1, 200);
    assert_int_equal(walk(f, a, 1, false, 50, numbers), 199);
    for (unsigned i = 0; i < 199; i++)
        assert_int_equal(numbers[i], 199 - i);
    assert_int_equal(walk(f, b, 1, false, 22, numbers), 66);
    assert_int_equal(numbers[0], 198);
    assert_int_equal(numbers[65], 3);
    /* Of several keys, each item once. */
    assert_int_equal(walk(f, both, 2, false, 60, numbers), 199);
    for (unsigned i = 0; i < 199; i++)
        assert_int_equal(numbers[i], 199 - i);
    /* And oldest first. */
    assert_int_equal(walk(f, b, 1, true, 22, numbers), 66);
    assert_int_equal(numbers[0], 3);
    assert_int_equal(numbers[65], 198);
    assert_int_equal(walk(f, both, 2, true, 60, numbers), 199);
    for (unsigned i = 0; i < 199; i++)
        assert_int_equal(numbers[i], i + 1);
    assert_int_equal(walk(f, NULL, 0, true, 64, numbers), 199);
    assert_int_equal(numbers[0], 1);
    assert_int_equal(walk(f, NULL, 0, false, 64, numbers), 199);
    assert_int_equal(numbers[0], 199);
}

static void keys_come_where_they_are_asked_for(void **state)
{
    struct fixture *f = *state;
    for (int is_ascending = 0; is_ascending < 2; is_ascending++) {
        const struct comb_item_scan scan = {
            .is_ascending = is_ascending, .with_keys = true, .max = COMB_ITEM_SCAN_MAX};
        const struct comb_item *items;
        size_t n;
        test_ctx_next(&f->t);
        must_ok(f->store->driver->scan(f->store, &f->t.ctx, &scan, &items, &n, &f->t.err),
                &f->t.err);
        assert_int_equal(n, COMB_ITEM_SCAN_MAX);
        for (size_t i = 0; i < n; i++) {
            unsigned number = is_ascending ? (unsigned)i + 1 : 199 - (unsigned)i;
            assert_int_equal(items[i].n_keys, number % 3 == 0 ? 2 : 1);
            assert_true(comb_str_equal(items[i].keys[0], STR("xa")));
            if (number % 3 == 0)
                assert_true(comb_str_equal(items[i].keys[1], STR("xb")));
        }
    }
}

static void many_keys_give_each_item_once(void **state)
{
    struct fixture *f = *state;
    comb_str keys[COMB_ITEM_SCAN_KEYS_MAX];
    static char texts[COMB_ITEM_SCAN_KEYS_MAX][8];
    static unsigned numbers[1000];
    for (size_t i = 0; i < COMB_ITEM_SCAN_KEYS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "no%zu", i);
        keys[i] = comb_str_from(texts[i]);
    }
    keys[3] = STR("xb");
    keys[COMB_ITEM_SCAN_KEYS_MAX - 1] = STR("xa");
    assert_int_equal(walk(f, keys, COMB_ITEM_SCAN_KEYS_MAX, false, 64, numbers), 199);
    assert_int_equal(numbers[198], 1);
}

static void bounds_are_exclusive(void **state)
{
    struct fixture *f = *state;
    const comb_str a[] = {STR("xa")};
    const struct comb_item *items;
    size_t n = 0;
    test_ctx_next(&f->t);
    const struct comb_item_scan scan = {
        .keys = a, .n_keys = 1, .after = text(f, "", 10), .before = text(f, "", 13), .max = 64};
    must_ok(f->store->driver->scan(f->store, &f->t.ctx, &scan, &items, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 2);
    assert_true(comb_str_equal(items[0].at, text(f, "", 12)));
}

/* Indexes: of all that ran so far. */
static void every_question_goes_by_an_index(void **state)
{
    struct fixture *f = *state;
    const struct comb_item *item;
    const struct comb_item_note *notes;
    size_t n;
    test_ctx_next(&f->t);
    must_ok(f->store->driver->get(f->store, &f->t.ctx, text(f, "x", 9), &item, &f->t.err),
            &f->t.err);
    assert_non_null(item);
    must_ok(
        f->store->driver->notes(f->store, &f->t.ctx, STR("a"), STR("b"), 5, &notes, &n, &f->t.err),
        &f->t.err);
    must_ok(f->store->driver->unset(f->store, &f->t.ctx, STR("nothing"), &f->t.err), &f->t.err);
    const comb_str at = STR("0");
    must_ok(f->store->driver->remove(f->store, &f->t.ctx, &at, 1, &f->t.err), &f->t.err);
    test_ctx_next(&f->t);
    assert_true(test_docs_row_must_use_indexes(f->docs, &f->t.ctx, true) >= 6);
}

static void what_is_there_already_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    static unsigned numbers[1000];
    const comb_str a[] = {STR("xa")};
    uint64_t n = 0;
    /* Some are there, some are not. */
    put(f, "x", 150, 250);
    put(f, "x", 150, 250);
    assert_int_equal(walk(f, a, 1, false, 64, numbers), 249);
    test_ctx_next(&f->t);
    must_ok(f->store->driver->count(f->store, &f->t.ctx, &n, &f->t.err), &f->t.err);
    assert_int_equal(n, 249);
}

static void what_is_removed_is_gone_from_every_key(void **state)
{
    struct fixture *f = *state;
    static unsigned numbers[1000];
    const comb_str a[] = {STR("xa")}, b[] = {STR("xb")};
    const struct comb_item *item;
    comb_str ats[COMB_ITEM_SCAN_MAX];
    test_ctx_next(&f->t);
    for (unsigned i = 0; i < COMB_ITEM_SCAN_MAX; i++)
        ats[i] = text(f, "", i + 1);
    must_ok(f->store->driver->remove(f->store, &f->t.ctx, ats, COMB_ITEM_SCAN_MAX, &f->t.err),
            &f->t.err);
    must_ok(f->store->driver->remove(f->store, &f->t.ctx, ats, 1, &f->t.err), &f->t.err);
    must_ok(f->store->driver->get(f->store, &f->t.ctx, text(f, "x", 9), &item, &f->t.err),
            &f->t.err);
    assert_null(item);
    assert_int_equal(walk(f, a, 1, false, 64, numbers), 249 - COMB_ITEM_SCAN_MAX);
    assert_int_equal(numbers[249 - COMB_ITEM_SCAN_MAX - 1], COMB_ITEM_SCAN_MAX + 1);
    assert_int_equal(walk(f, b, 1, false, 64, numbers), 83 - 21);
}

static void raise(struct fixture *f, const char *key, const char *value, int64_t us)
{
    const struct comb_item_note note = {comb_str_from(key), comb_str_from(value), us};
    must_ok(f->store->driver->raise(f->store, &f->t.ctx, &note, &f->t.err), &f->t.err);
}

static void a_note_only_rises(void **state)
{
    struct fixture *f = *state;
    const struct comb_item_note *notes;
    size_t n = 0;
    test_ctx_next(&f->t);
    raise(f, "k/1", "b", 7);
    raise(f, "k/1", "a", 8);
    raise(f, "k/2", "", 9);
    raise(f, "k/2", "", 10);
    raise(f, "l/1", "c", 11);
    must_ok(f->store->driver->notes(f->store, &f->t.ctx, STR("k/"), STR("k/~"), 5, &notes, &n,
                                    &f->t.err),
            &f->t.err);
    assert_int_equal(n, 2);
    assert_true(comb_str_equal(notes[0].key, STR("k/1")));
    assert_true(comb_str_equal(notes[0].value, STR("b")));
    assert_int_equal(notes[0].create_us, 7);
    assert_int_equal(notes[1].value.len, 0);
    raise(f, "k/1", "c", 12);
    must_ok(f->store->driver->unset(f->store, &f->t.ctx, STR("k/2"), &f->t.err), &f->t.err);
    must_ok(f->store->driver->notes(f->store, &f->t.ctx, STR("k/"), STR("k/~"), 5, &notes, &n,
                                    &f->t.err),
            &f->t.err);
    assert_int_equal(n, 1);
    assert_true(comb_str_equal(notes[0].value, STR("c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_walked_by_each_key_newest_first),
        cmocka_unit_test(keys_come_where_they_are_asked_for),
        cmocka_unit_test(many_keys_give_each_item_once),
        cmocka_unit_test(bounds_are_exclusive),
        cmocka_unit_test(every_question_goes_by_an_index),
        cmocka_unit_test(what_is_there_already_stays_as_it_is),
        cmocka_unit_test(what_is_removed_is_gone_from_every_key),
        cmocka_unit_test(a_note_only_rises),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
