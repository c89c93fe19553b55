/* SPDX-License-Identifier: Apache-2.0 */
/* The table of limits: counts, tokens, and how it stays small. Time is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gen/runtime/src/server/limit_keys.h"

#define S INT64_C(1000000000)

static enum grpcc_limit_verdict enter(struct grpcc_limit_keys *keys, const char *key,
                                      unsigned at_once, bool rated, int64_t now_ns,
                                      struct grpcc_limit_entry **ret_entry)
{
    const struct grpcc_limit_request request = {.kind = GRPCC_LIMIT_KEY,
                                                .text = key,
                                                .length = strlen(key),
                                                .at_once = at_once,
                                                .rated = rated};
    int64_t wait_ns = 0;
    enum grpcc_limit_verdict verdict =
        grpcc_limit_enter(keys, &request, now_ns, ret_entry, &wait_ns);
    if (verdict == GRPCC_LIMIT_TOO_FAST)
        assert_true(wait_ns > 0);
    return verdict;
}

static void calls_at_once_are_counted_by_key(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(100, 0, 1);
    struct grpcc_limit_entry *first, *second, *other;
    (void)state;
    assert_int_equal(enter(keys, "a", 2, false, 0, &first), GRPCC_LIMIT_ADMITTED);
    assert_int_equal(enter(keys, "a", 2, false, 0, &second), GRPCC_LIMIT_ADMITTED);
    assert_int_equal(enter(keys, "a", 2, false, 0, &other), GRPCC_LIMIT_CROWDED);
    assert_int_equal(enter(keys, "b", 2, false, 0, &other), GRPCC_LIMIT_ADMITTED);
    grpcc_limit_leave(keys, first);
    assert_int_equal(enter(keys, "a", 2, false, 0, &first), GRPCC_LIMIT_ADMITTED);
    grpcc_limit_leave(keys, first);
    grpcc_limit_leave(keys, second);
    grpcc_limit_leave(keys, other);
    grpcc_limit_keys_free(keys);
}

static void equal_texts_of_different_kinds_are_different(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(100, 0, 1);
    struct grpcc_limit_entry *entries[GRPCC_LIMIT_KINDS];
    int64_t wait_ns = 0;
    (void)state;
    for (int kind = 0; kind < GRPCC_LIMIT_KINDS; kind++) {
        const struct grpcc_limit_request request = {
            .kind = (enum grpcc_limit_kind)kind, .text = "x", .length = 1, .at_once = 1};
        assert_int_equal(grpcc_limit_enter(keys, &request, 0, &entries[kind], &wait_ns),
                         GRPCC_LIMIT_ADMITTED);
    }
    for (int kind = 0; kind < GRPCC_LIMIT_KINDS; kind++)
        grpcc_limit_leave(keys, entries[kind]);
    grpcc_limit_keys_free(keys);
}

static void tokens_come_back_with_time(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(100, 2, 3);
    struct grpcc_limit_entry *entry;
    unsigned admitted = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(enter(keys, "a", 0, true, 10 * S, &entry), GRPCC_LIMIT_ADMITTED);
        grpcc_limit_leave(keys, entry);
    }
    assert_int_equal(enter(keys, "a", 0, true, 10 * S, &entry), GRPCC_LIMIT_TOO_FAST);
    /* half a second is one token */
    assert_int_equal(enter(keys, "a", 0, true, 10 * S + S / 2, &entry), GRPCC_LIMIT_ADMITTED);
    grpcc_limit_leave(keys, entry);
    assert_int_equal(enter(keys, "a", 0, true, 10 * S + S / 2, &entry), GRPCC_LIMIT_TOO_FAST);
    /* a long rest saves up no more than the burst */
    while (enter(keys, "a", 0, true, 1000 * S, &entry) == GRPCC_LIMIT_ADMITTED) {
        grpcc_limit_leave(keys, entry);
        admitted++;
    }
    assert_int_equal(admitted, 3);
    /* time that goes back gives nothing and takes nothing */
    assert_int_equal(enter(keys, "a", 0, true, 5 * S, &entry), GRPCC_LIMIT_TOO_FAST);
    grpcc_limit_keys_free(keys);
}

static void what_is_refused_costs_no_token(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(100, 1, 2);
    struct grpcc_limit_entry *running, *entry;
    (void)state;
    assert_int_equal(enter(keys, "a", 1, true, S, &running), GRPCC_LIMIT_ADMITTED);
    for (int i = 0; i < 5; i++)
        assert_int_equal(enter(keys, "a", 1, true, S, &entry), GRPCC_LIMIT_CROWDED);
    grpcc_limit_leave(keys, running);
    assert_int_equal(enter(keys, "a", 1, true, S, &entry), GRPCC_LIMIT_ADMITTED);
    grpcc_limit_leave(keys, entry);
    grpcc_limit_keys_free(keys);
}

enum { KEYS = 5000, KEYS_MAX = 64 };

static void idle_keys_make_room(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(KEYS_MAX, 0, 1);
    struct grpcc_limit_entry *entry;
    uint32_t kept = 0;
    uint64_t shared = 0;
    char key[16];
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_int_equal(enter(keys, key, 1, false, 0, &entry), GRPCC_LIMIT_ADMITTED);
        grpcc_limit_leave(keys, entry);
    }
    grpcc_limit_keys_count(keys, &kept, &shared);
    assert_true(kept <= KEYS_MAX);
    assert_int_equal(shared, 0);
    grpcc_limit_keys_free(keys);
}

static void busy_keys_are_not_forgotten_and_new_ones_share(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(KEYS_MAX, 0, 1);
    struct grpcc_limit_entry *entries[KEYS], *entry;
    unsigned n = 0;
    uint32_t kept = 0;
    uint64_t shared = 0;
    char key[16];
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        if (enter(keys, key, 1, false, 0, &entry) == GRPCC_LIMIT_ADMITTED)
            entries[n++] = entry;
    }
    grpcc_limit_keys_count(keys, &kept, &shared);
    assert_int_equal(kept, KEYS_MAX);
    assert_int_equal(shared, KEYS - KEYS_MAX);
    /* one in each of sixteen parts was admitted on the common entry */
    assert_int_equal(n, KEYS_MAX + 16);
    /* What was there first is still counted. */
    assert_int_equal(enter(keys, "key-0", 1, false, 0, &entry), GRPCC_LIMIT_CROWDED);
    for (unsigned i = 0; i < n; i++)
        grpcc_limit_leave(keys, entries[i]);
    assert_int_equal(enter(keys, "key-0", 1, false, 0, &entry), GRPCC_LIMIT_ADMITTED);
    grpcc_limit_leave(keys, entry);
    grpcc_limit_keys_free(keys);
}

static void an_empty_bucket_is_not_forgotten(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(16, 1, 1);
    struct grpcc_limit_entry *entry;
    uint32_t kept = 0;
    uint64_t shared = 0;
    char key[16];
    (void)state;
    assert_int_equal(enter(keys, "victim", 0, true, S, &entry), GRPCC_LIMIT_ADMITTED);
    grpcc_limit_leave(keys, entry);
    /* Others cannot push it out to give it a fresh bucket. */
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        if (enter(keys, key, 0, true, S, &entry) == GRPCC_LIMIT_ADMITTED)
            grpcc_limit_leave(keys, entry);
    }
    assert_int_equal(enter(keys, "victim", 0, true, S, &entry), GRPCC_LIMIT_TOO_FAST);
    /* After a rest they can. */
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "late-%d", i);
        if (enter(keys, key, 0, true, 100 * S, &entry) == GRPCC_LIMIT_ADMITTED)
            grpcc_limit_leave(keys, entry);
    }
    grpcc_limit_keys_count(keys, &kept, &shared);
    assert_int_equal(kept, 16);
    grpcc_limit_keys_free(keys);
}

static void long_keys_are_cut(void **state)
{
    struct grpcc_limit_keys *keys = grpcc_limit_keys_new(16, 0, 1);
    struct grpcc_limit_entry *entry, *same;
    char key[1001];
    (void)state;
    memset(key, 'k', 1000);
    key[1000] = '\0';
    assert_int_equal(enter(keys, key, 1, false, 0, &entry), GRPCC_LIMIT_ADMITTED);
    key[999] = 'x';
    assert_int_equal(enter(keys, key, 1, false, 0, &same), GRPCC_LIMIT_CROWDED);
    grpcc_limit_leave(keys, entry);
    grpcc_limit_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_at_once_are_counted_by_key),
        cmocka_unit_test(equal_texts_of_different_kinds_are_different),
        cmocka_unit_test(tokens_come_back_with_time),
        cmocka_unit_test(what_is_refused_costs_no_token),
        cmocka_unit_test(idle_keys_make_room),
        cmocka_unit_test(busy_keys_are_not_forgotten_and_new_ones_share),
        cmocka_unit_test(an_empty_bucket_is_not_forgotten),
        cmocka_unit_test(long_keys_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
