/* SPDX-License-Identifier: Apache-2.0 */
/* What every cache does. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/clock.h"
#include "tests/contract/cache/fixture.h"

#define KEEP_MS 60000

static void what_was_put_is_there(void **state)
{
    struct fixture *f = *state;
    static const char bytes[] = {0, 1, (char)0xff, '\r', '\n', 0};
    struct comb_cache_key odd = {comb_str_of(bytes, sizeof bytes), {1, 1}};
    must_miss(f, key_at("a", 1, 1));
    put(f, key_at("a", 1, 1), STR("one"), KEEP_MS);
    put(f, key_at("empty", 1, 1), STR(""), KEEP_MS);
    put(f, odd, comb_str_of(bytes, sizeof bytes), KEEP_MS);
    must_hold(f, key_at("a", 1, 1), STR("one"));
    must_hold(f, key_at("empty", 1, 1), STR(""));
    must_hold(f, odd, comb_str_of(bytes, sizeof bytes));
    put(f, key_at("a", 1, 1), STR("two"), KEEP_MS);
    must_hold(f, key_at("a", 1, 1), STR("two"));
    must_miss(f, key_at("b", 1, 1));
}

/* What stands under another epoch cannot be named, be it older, newer or of another incarnation;
 * and it is not undone by those. */
static void an_entry_is_of_its_epoch(void **state)
{
    struct fixture *f = *state;
    put(f, key_at("a", 7, 2), STR("two"), KEEP_MS);
    must_miss(f, key_at("a", 7, 1));
    must_miss(f, key_at("a", 7, 3));
    must_miss(f, key_at("a", 8, 2));
    must_miss(f, key_at("a", 2, 7));
    put(f, key_at("a", 7, 3), STR("three"), KEEP_MS);
    put(f, key_at("a", 8, 2), STR("restored"), KEEP_MS);
    must_hold(f, key_at("a", 7, 2), STR("two"));
    must_hold(f, key_at("a", 7, 3), STR("three"));
    must_hold(f, key_at("a", 8, 2), STR("restored"));
    put(f, key_at("a", UINT64_MAX, UINT64_MAX), STR("last"), KEEP_MS);
    must_hold(f, key_at("a", UINT64_MAX, UINT64_MAX), STR("last"));
}

/* Epoch and name do not run into each other. */
static void keys_do_not_mix(void **state)
{
    struct fixture *f = *state;
    put(f, key_at("1:a", 1, 1), STR("x"), KEEP_MS);
    must_miss(f, key_at("a", 1, 1));
    must_miss(f, key_at(":1:a", 1, 1));
    must_miss(f, key_at("a", 1, 0x11));
    count(f, "a", 5, false);
    must_miss(f, key_at("a", 0, 0));
    put(f, key_at("life", 0, 0), STR("y"), KEEP_MS);
    must_hold(f, key_at("1:a", 1, 1), STR("x"));
}

static void a_batch_is_many(void **state)
{
    struct fixture *f = *state;
    struct comb_cache_entry entries[COMB_CACHE_BATCH_MAX];
    struct comb_cache_key keys[COMB_CACHE_BATCH_MAX];
    static char names[COMB_CACHE_BATCH_MAX][16];
    comb_str values[COMB_CACHE_BATCH_MAX];
    for (size_t i = 0; i < COMB_CACHE_BATCH_MAX; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        keys[i] = key_at(names[i], 1, i);
        entries[i] = (struct comb_cache_entry){keys[i], keys[i].name, KEEP_MS};
    }
    comb_cache_put(f->cache, &f->t.ctx, entries, COMB_CACHE_BATCH_MAX);
    comb_cache_remove(f->cache, &f->t.ctx, &keys[10], 20);
    comb_cache_get(f->cache, &f->t.ctx, keys, COMB_CACHE_BATCH_MAX, values);
    for (size_t i = 0; i < COMB_CACHE_BATCH_MAX; i++) {
        if (i >= 10 && i < 30)
            assert_null(values[i].ptr);
        else
            assert_true(comb_str_equal(values[i], keys[i].name));
    }
    comb_cache_remove(f->cache, &f->t.ctx, &keys[10], 20);
}

/* Lets time pass until what was kept for so long is gone. */
static void pass_ms(struct fixture *f, uint32_t ms)
{
    if (f->cache->driver->caps & COMB_CACHE_CAP_REAL_CLOCK) {
        const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
        nanosleep(&pause, NULL);
    } else {
        comb_clock_advance_ns(ms * COMB_NS_PER_MS);
    }
}

static void time_takes_entries_and_counters(void **state)
{
    struct fixture *f = *state;
    const struct comb_cache_step step = {STR("c"), 3, false, 20};
    struct comb_cache_counter counter;
    put(f, key_at("short", 1, 1), STR("x"), 20);
    put(f, key_at("long", 1, 1), STR("y"), KEEP_MS * 60);
    must_ok(comb_cache_count(f->cache, &f->t.ctx, &step, 1, &counter, &f->t.err), &f->t.err);
    assert_int_equal(counter.value, 3);
    pass_ms(f, 21);
    must_miss(f, key_at("short", 1, 1));
    must_hold(f, key_at("long", 1, 1), STR("y"));
    assert_false(count(f, "c", 0, false).exists);
}

static void counters_count(void **state)
{
    struct fixture *f = *state;
    struct comb_cache_counter counter = count(f, "c", 0, false);
    assert_false(counter.exists);
    assert_int_equal(counter.value, 0);
    counter = count(f, "c", 2, false);
    assert_true(counter.exists);
    assert_int_equal(counter.value, 2);
    assert_int_equal(counter.reset_age_us, -1);
    assert_true(counter.add_age_us >= 0);
    pass_ms(f, 3);
    counter = count(f, "c", 0, false);
    assert_int_equal(counter.value, 2);
    assert_true(counter.add_age_us >= 3000);
    counter = count(f, "c", 1, false);
    assert_int_equal(counter.value, 3);
    counter = count(f, "c", 0, true);
    assert_true(counter.exists);
    assert_int_equal(counter.value, 0);
    assert_int_equal(counter.add_age_us, -1);
    assert_true(counter.reset_age_us >= 0);
    pass_ms(f, 3);
    counter = count(f, "c", 4, false);
    assert_int_equal(counter.value, 4);
    assert_true(counter.reset_age_us >= 3000);
    counter = count(f, "c", 2, true);
    assert_int_equal(counter.value, 2);
    assert_false(count(f, "other", 0, false).exists);
}

static void a_counter_has_an_end(void **state)
{
    struct fixture *f = *state;
    count(f, "c", UINT32_MAX - 1, false);
    assert_true(count(f, "c", 1, false).value == UINT32_MAX);
    assert_true(count(f, "c", 7, false).value == UINT32_MAX);
}

static void steps_come_in_order(void **state)
{
    struct fixture *f = *state;
    const struct comb_cache_step steps[] = {{STR("a"), 1, false, KEEP_MS},
                                            {STR("b"), 5, false, KEEP_MS},
                                            {STR("a"), 1, false, KEEP_MS},
                                            {STR("b"), 0, true, KEEP_MS},
                                            {STR("none"), 0, false, 0}};
    struct comb_cache_counter counters[5];
    must_ok(comb_cache_count(f->cache, &f->t.ctx, steps, 5, counters, &f->t.err), &f->t.err);
    assert_int_equal(counters[0].value, 1);
    assert_int_equal(counters[1].value, 5);
    assert_int_equal(counters[2].value, 2);
    assert_int_equal(counters[3].value, 0);
    assert_false(counters[4].exists);
}

static void limits_are_kept(void **state)
{
    struct fixture *f = *state;
    char *large = calloc(1, COMB_CACHE_VALUE_BYTES_MAX + 1);
    char name[COMB_CACHE_NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_non_null(large);
    put(f, key_at(name + 1, 1, 1), comb_str_of(large, COMB_CACHE_VALUE_BYTES_MAX), KEEP_MS);
    must_hold(f, key_at(name + 1, 1, 1), comb_str_of(large, COMB_CACHE_VALUE_BYTES_MAX));
    put(f, key_at("large", 1, 1), comb_str_of(large, COMB_CACHE_VALUE_BYTES_MAX + 1), KEEP_MS);
    put(f, key_at(name, 1, 1), STR("x"), KEEP_MS);
    put(f, key_at("", 1, 1), STR("x"), KEEP_MS);
    put(f, key_at("forever", 1, 1), STR("x"), 0);
    must_miss(f, key_at("large", 1, 1));
    must_miss(f, key_at(name, 1, 1));
    must_miss(f, key_at("", 1, 1));
    must_miss(f, key_at("forever", 1, 1));
    free(large);
    const struct comb_cache_step bad[] = {{STR(""), 1, false, 1}, {STR("a"), 1, false, 0}};
    struct comb_cache_counter counter;
    for (size_t i = 0; i < 2; i++)
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_cache_count(f->cache, &f->t.ctx, &bad[i], 1, &counter, &f->t.err),
                  &f->t.err);
}

static void a_past_deadline_is_not_there(void **state)
{
    struct fixture *f = *state;
    const struct comb_cache_step step = {STR("c"), 1, false, KEEP_MS};
    struct comb_cache_counter counter;
    struct comb_cache_key key = key_at("a", 1, 1);
    comb_str value = STR("untouched");
    put(f, key, STR("x"), KEEP_MS);
    f->t.ctx.deadline_ns = 1;
    comb_cache_get(f->cache, &f->t.ctx, &key, 1, &value);
    assert_null(value.ptr);
    must_fail(COMB_DEADLINE_EXCEEDED,
              comb_cache_count(f->cache, &f->t.ctx, &step, 1, &counter, &f->t.err), &f->t.err);
    must_hold(f, key, STR("x"));
    assert_false(count(f, "c", 0, false).exists);
}

static void status_tells(void **state)
{
    struct fixture *f = *state;
    struct comb_store_status status;
    put(f, key_at("a", 1, 1), STR("x"), KEEP_MS);
    comb_cache_status(f->cache, &status);
    assert_string_equal(status.driver, f->cache->driver->name);
    assert_true(status.shared == ((f->cache->driver->caps & COMB_CACHE_CAP_SHARED) != 0));
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_true(status.requests > 0);
    assert_string_equal(status.error, "");
    assert_true(strlen(status.server) > 0);
}

/* ---- many at once ---- */

enum { THREADS = 4, ROUNDS = 200 };

struct racer {
    struct fixture *f;
    int number;
    pthread_t thread;
};

static void *race(void *data)
{
    struct racer *racer = data;
    struct test_ctx t;
    test_ctx_init(&t);
    for (int i = 0; i < ROUNDS; i++) {
        const struct comb_cache_step step = {STR("shared"), 1, false, KEEP_MS};
        struct comb_cache_counter counter;
        char name[16];
        snprintf(name, sizeof name, "r%d", i % 50);
        struct comb_cache_key key = key_at(name, 1, (uint64_t)racer->number);
        const struct comb_cache_entry entry = {key, key.name, KEEP_MS};
        comb_str value;
        must_ok(comb_cache_count(racer->f->cache, &t.ctx, &step, 1, &counter, &t.err), &t.err);
        comb_cache_put(racer->f->cache, &t.ctx, &entry, 1);
        comb_cache_get(racer->f->cache, &t.ctx, &key, 1, &value);
        assert_true(comb_str_equal(value, key.name));
        if (i % 7 == 0)
            comb_cache_remove(racer->f->cache, &t.ctx, &key, 1);
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

static void many_at_once_lose_no_step(void **state)
{
    struct fixture *f = *state;
    struct racer racers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.f = f, .number = i};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(racers[i].thread, NULL);
    assert_int_equal(count(f, "shared", 0, false).value, THREADS * ROUNDS);
}

/* Two processes of the server, as far as the store knows. */
static void others_see_it_as_the_capability_says(void **state)
{
    struct fixture *f = *state;
    struct comb_cache *own = f->cache;
    bool shared = own->driver->caps & COMB_CACHE_CAP_SHARED;
    put(f, key_at("a", 1, 1), STR("x"), KEEP_MS);
    count(f, "c", 3, false);
    f->cache = open_cache(f, f->url);
    assert_true((get(f, key_at("a", 1, 1)).ptr != NULL) == shared);
    assert_int_equal(count(f, "c", 1, false).value, shared ? 4 : 1);
    comb_cache_close(f->cache);
    f->cache = own;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_there),
        TEST(an_entry_is_of_its_epoch),
        TEST(keys_do_not_mix),
        TEST(a_batch_is_many),
        TEST(time_takes_entries_and_counters),
        TEST(counters_count),
        TEST(a_counter_has_an_end),
        TEST(steps_come_in_order),
        TEST(limits_are_kept),
        TEST(a_past_deadline_is_not_there),
        TEST(status_tells),
        TEST(many_at_once_lose_no_step),
        TEST(others_see_it_as_the_capability_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
