/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/uuid.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/core/clock.h"
#include "tests/support/support.h"

enum { THREADS = 4, EACH = 5000 };

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct comb_uuid));
}

static void *make_many(void *data)
{
    struct comb_uuid *ids = data;
    for (int i = 0; i < EACH; i++)
        ids[i] = comb_uuid_new();
    return NULL;
}

static void new_ones_grow_and_never_repeat(void **state)
{
    (void)state;
    static struct comb_uuid ids[THREADS * EACH];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, ids + i * EACH), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS * EACH; i++) {
        assert_true(comb_uuid_is_v7(&ids[i]));
        if (i % EACH)
            assert_true(compare(&ids[i - 1], &ids[i]) < 0);
    }
    qsort(ids, THREADS * EACH, sizeof ids[0], compare);
    /* The time part alone is different already: it is what grows. */
    for (int i = 1; i < THREADS * EACH; i++)
        assert_memory_not_equal(ids[i - 1].bytes, ids[i].bytes, 8);
}

static void the_time_is_in_it(void **state)
{
    (void)state;
    int64_t before = comb_clock_wall_us() / 1000;
    struct comb_uuid id = comb_uuid_new();
    int64_t after = comb_clock_wall_us() / 1000;
    /* At most a few ticks ahead of the clock, after many in one millisecond. */
    assert_in_range(comb_uuid_time_ms(&id), before, after + 10);
}

static void text_and_back(void **state)
{
    (void)state;
    char text[COMB_UUID_TEXT_LENGTH + 1];
    struct comb_uuid id, again;
    assert_true(comb_uuid_parse(STR("017F22E2-79B0-7cc3-98C4-DC0C0C07398F"), &id));
    comb_uuid_format(&id, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    assert_true(comb_uuid_parse(comb_str_from(text), &again));
    assert_true(comb_uuid_equal(&id, &again));
    assert_true(comb_uuid_is_v7(&id));
    assert_int_equal(comb_uuid_time_ms(&id), 1645557742000);
}

static void what_is_no_uuid_is_refused(void **state)
{
    const comb_str bad[] = {
        {NULL, 0},
        STR("017f22e279b07cc398c4dc0c0c07398f"),
        STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398"),
        STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398ff"),
        STR("017f22e2-79b0-7cc3-98c4xdc0c0c07398f"),
        STR("017f22e2-79b0-7cc3-98c4-dc0c0c07398g"),
        STR("-17f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
        STR("{17f22e2-79b0-7cc3-98c4-dc0c0c07398}"),
    };
    (void)state;
    struct comb_uuid id = {{9}}, untouched = {{9}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(comb_uuid_parse(bad[i], &id));
    assert_true(comb_uuid_equal(&id, &untouched));
    assert_true(comb_uuid_parse(STR("00000000-0000-0000-0000-000000000000"), &id));
    assert_true(comb_uuid_is_nil(&id));
    assert_false(comb_uuid_is_v7(&id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ones_grow_and_never_repeat),
        cmocka_unit_test(the_time_is_in_it),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(what_is_no_uuid_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
