/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/map.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

static int freed;

static void count_and_free(void *value)
{
    freed++;
    free(value);
}

static comb_str key_of(char buffer[16], int i)
{
    return comb_str_of(buffer, (size_t)snprintf(buffer, 16, "key-%d", i));
}

static void many_entries_are_found_and_removed(void **state)
{
    (void)state;
    enum { N = 5000 };
    static int values[N];
    struct comb_map map;
    struct comb_error err;
    char buffer[16];
    comb_map_init(&map, N, NULL);
    for (int i = 0; i < N; i++)
        must_ok(comb_map_put(&map, key_of(buffer, i), &values[i], &err), &err);
    assert_int_equal(map.n, N);
    must_fail(COMB_RESOURCE_EXHAUSTED, comb_map_put(&map, STR("one more"), values, &err), &err);
    for (int i = 0; i < N; i += 2)
        assert_ptr_equal(comb_map_take(&map, key_of(buffer, i)), &values[i]);
    for (int i = 0; i < N; i++)
        assert_ptr_equal(comb_map_get(&map, key_of(buffer, i)), i % 2 ? &values[i] : NULL);
    comb_map_done(&map);
}

static void the_map_frees_what_it_holds(void **state)
{
    (void)state;
    struct comb_map map;
    freed = 0;
    comb_map_init(&map, 10, count_and_free);
    assert_int_equal(comb_map_put(&map, STR("a"), malloc(1), NULL), COMB_OK);
    assert_int_equal(comb_map_put(&map, STR("b"), malloc(1), NULL), COMB_OK);
    assert_int_equal(comb_map_put(&map, STR("a"), malloc(1), NULL), COMB_OK);
    assert_int_equal(freed, 1);
    assert_true(comb_map_remove(&map, STR("b")));
    assert_false(comb_map_remove(&map, STR("b")));
    assert_int_equal(freed, 2);
    comb_map_done(&map);
    assert_int_equal(freed, 3);
}

static void a_walk_meets_each_once(void **state)
{
    (void)state;
    struct comb_map map;
    struct comb_map_cursor cursor = {0};
    char buffer[16];
    int seen[100] = {0}, n = 0;
    comb_str key;
    void *value;
    comb_map_init(&map, 1000, NULL);
    assert_false(comb_map_next(&map, &cursor, &key, &value));
    for (int i = 0; i < 100; i++)
        assert_int_equal(comb_map_put(&map, key_of(buffer, i), &seen[i], NULL), COMB_OK);
    for (cursor = (struct comb_map_cursor){0}; comb_map_next(&map, &cursor, &key, &value); n++)
        ++*(int *)value;
    assert_int_equal(n, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    comb_map_done(&map);
}

static void keys_are_bytes(void **state)
{
    (void)state;
    struct comb_map map;
    int a, b;
    comb_map_init(&map, 10, NULL);
    assert_int_equal(comb_map_put(&map, STR("k"), &a, NULL), COMB_OK);
    assert_int_equal(comb_map_put(&map, STR("k\0"), &b, NULL), COMB_OK);
    assert_int_equal(comb_map_put(&map, STR(""), &map, NULL), COMB_OK);
    assert_ptr_equal(comb_map_get(&map, STR("k")), &a);
    assert_ptr_equal(comb_map_get(&map, STR("k\0")), &b);
    assert_ptr_equal(comb_map_get(&map, STR("")), &map);
    comb_map_done(&map);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    struct comb_map map;
    struct comb_error err;
    comb_map_init(&map, 1000, NULL);
    for (long n = 1; n <= 2; n++) {
        test_fault_arm(n);
        must_fail(COMB_RESOURCE_EXHAUSTED, comb_map_put(&map, STR("a"), &map, &err), &err);
        assert_true(test_fault_disarm());
        assert_int_equal(map.n, 0);
        comb_map_done(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_entries_are_found_and_removed),
        cmocka_unit_test(the_map_frees_what_it_holds),
        cmocka_unit_test(a_walk_meets_each_once),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    test_fault_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
