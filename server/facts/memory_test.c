/* SPDX-License-Identifier: Apache-2.0 */
#include "server/facts/memory.h"

#include <pthread.h>
#include <stdio.h>

#include "tests/support/support.h"

#define BYTES_MAX (256 * 1024)

struct fixture {
    struct test_ctx test;
    struct comb_facts_memory *memory;
};

static int setup(void **state)
{
    static struct fixture fixture;
    test_ctx_init(&fixture.test);
    must_ok(comb_facts_memory_new(BYTES_MAX, &fixture.memory, &fixture.test.err),
            &fixture.test.err);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    comb_facts_memory_free(fixture->memory);
    test_ctx_done(&fixture->test);
    return 0;
}

static struct comb_facts_memory_key key_of(const char *text)
{
    struct comb_facts_memory_key key;
    assert_true(
        comb_facts_memory_key_init(&key, COMB_FACTS_MEMORY_NODE, comb_str_from(text), STR("")));
    return key;
}

static bool put(struct fixture *fixture, const char *key, const char *value, uint64_t tick)
{
    struct comb_facts_memory_key k = key_of(key);
    return comb_facts_memory_put(fixture->memory, &k, value, strlen(value) + 1, tick, tick, false);
}

/* The value, or NULL. */
static const char *get(struct fixture *fixture, const char *key)
{
    struct comb_facts_memory_key k = key_of(key);
    void *value;
    uint64_t sequence;
    return comb_facts_memory_get(fixture->memory, &k, fixture->test.ctx.arena, &value, &sequence)
               ? value
               : NULL;
}

static void invalidate(struct fixture *fixture, const char *key, uint64_t tick)
{
    struct comb_facts_memory_key k = key_of(key);
    comb_facts_memory_invalidate(fixture->memory, &k, tick);
}

static void remembers(void **state)
{
    struct fixture *fixture = *state;
    assert_null(get(fixture, "a"));
    assert_true(put(fixture, "a", "1", 5));
    assert_string_equal(get(fixture, "a"), "1");
    assert_null(get(fixture, "b"));
}

static void newer_values_win(void **state)
{
    struct fixture *fixture = *state;
    assert_true(put(fixture, "a", "new", 6));
    assert_true(put(fixture, "a", "old", 5));
    assert_string_equal(get(fixture, "a"), "new");
    assert_true(put(fixture, "a", "newest", 7));
    assert_string_equal(get(fixture, "a"), "newest");
}

static void kinds_are_apart(void **state)
{
    struct fixture *fixture = *state;
    struct comb_facts_memory_key child;
    assert_true(comb_facts_memory_key_init(&child, COMB_FACTS_MEMORY_CHILD, STR("a"), STR("")));
    assert_true(put(fixture, "a", "node", 1));
    void *value;
    uint64_t sequence;
    assert_false(
        comb_facts_memory_get(fixture->memory, &child, fixture->test.ctx.arena, &value, &sequence));
}

/* The race that must not happen: read at 5, changed at 6, and only then remembered. */
static void late_values_are_refused(void **state)
{
    struct fixture *fixture = *state;
    invalidate(fixture, "a", 6);
    assert_false(put(fixture, "a", "stale", 5));
    assert_null(get(fixture, "a"));
    assert_true(put(fixture, "a", "fresh", 6));
    assert_string_equal(get(fixture, "a"), "fresh");
}

static void invalidation_forgets(void **state)
{
    struct fixture *fixture = *state;
    assert_true(put(fixture, "a", "1", 5));
    invalidate(fixture, "a", 6);
    assert_null(get(fixture, "a"));
    /* What was read after the change stays. */
    assert_true(put(fixture, "a", "2", 8));
    invalidate(fixture, "a", 7);
    assert_string_equal(get(fixture, "a"), "2");
}

static void whole_kinds_are_forgotten(void **state)
{
    struct fixture *fixture = *state;
    assert_true(put(fixture, "a", "1", 5));
    comb_facts_memory_invalidate_kind(fixture->memory, COMB_FACTS_MEMORY_NODE, 6);
    assert_null(get(fixture, "a"));
    assert_false(put(fixture, "a", "stale", 5));
    assert_true(put(fixture, "a", "fresh", 6));
    assert_string_equal(get(fixture, "a"), "fresh");
}

static void long_keys_are_refused(void **state)
{
    (void)state;
    char text[COMB_FACTS_MEMORY_KEY_MAX + 1] = "";
    struct comb_facts_memory_key key;
    comb_str all = comb_str_of(text, COMB_FACTS_MEMORY_KEY_MAX);
    assert_true(comb_facts_memory_key_init(&key, COMB_FACTS_MEMORY_CHILD, all, STR("")));
    assert_false(comb_facts_memory_key_init(&key, COMB_FACTS_MEMORY_CHILD, all, STR("x")));
}

static void bound_is_held(void **state)
{
    struct fixture *fixture = *state;
    char key[32], value[128];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = 0;
    size_t most = 0;
    for (int i = 0; i < 10 * BYTES_MAX / 128; i++) {
        snprintf(key, sizeof key, "key %d", i);
        assert_true(put(fixture, key, value, 1));
        size_t bytes = comb_facts_memory_bytes(fixture->memory);
        most = bytes > most ? bytes : most;
    }
    assert_true(most <= BYTES_MAX);
    assert_true(most > BYTES_MAX / 2);
    assert_non_null(get(fixture, key)); /* the newest is there */
}

/* What is used stays while ten times the room passes by. */
static void used_values_stay(void **state)
{
    struct fixture *fixture = *state;
    char key[32], value[128] = "";
    memset(value, 'v', sizeof value - 1);
    assert_true(put(fixture, "hot", value, 1));
    for (int i = 0; i < 10 * BYTES_MAX / 128; i++) {
        struct comb_facts_memory_key cheap;
        snprintf(key, sizeof key, "key %d", i);
        cheap = key_of(key);
        comb_facts_memory_put(fixture->memory, &cheap, value, sizeof value, 1, 1, true);
        if (i % 64 == 0) {
            assert_non_null(get(fixture, "hot"));
        }
    }
}

static void huge_values_are_not_kept(void **state)
{
    struct fixture *fixture = *state;
    static char value[BYTES_MAX];
    memset(value, 'v', sizeof value - 1);
    assert_true(put(fixture, "a", value, 1));
    assert_null(get(fixture, "a"));
    assert_int_equal(comb_facts_memory_bytes(fixture->memory), 0);
}

/* Readers never see a value that was read before its key was invalidated. */
struct racer {
    struct comb_facts_memory *memory;
    _Atomic uint64_t truth; /* sequence of the last change that was applied */
    _Atomic bool stop;
};

static void *race_reader(void *data)
{
    struct racer *racer = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    assert_non_null(arena);
    struct comb_facts_memory_key key = key_of("contended");
    uint64_t stale = 0;
    while (!racer->stop) {
        grpcc_arena_reset(arena);
        void *value;
        uint64_t sequence, floor = racer->truth;
        if (comb_facts_memory_get(racer->memory, &key, arena, &value, &sequence) &&
            *(uint64_t *)value < floor) {
            stale++;
        }
    }
    grpcc_arena_free(arena);
    return (void *)(uintptr_t)stale;
}

static void readers_never_see_the_past(void **state)
{
    struct fixture *fixture = *state;
    struct racer racer = {.memory = fixture->memory};
    struct comb_facts_memory_key key = key_of("contended");
    pthread_t readers[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, race_reader, &racer), 0);
    }
    for (uint64_t sequence = 1; sequence <= 20000; sequence++) {
        comb_facts_memory_invalidate(racer.memory, &key, sequence);
        racer.truth = sequence;
        uint64_t late = sequence - 1;
        comb_facts_memory_put(racer.memory, &key, &late, sizeof late, late, late, false);
        comb_facts_memory_put(racer.memory, &key, &sequence, sizeof sequence, sequence, sequence,
                              false);
    }
    racer.stop = true;
    for (size_t i = 0; i < 2; i++) {
        void *stale;
        pthread_join(readers[i], &stale);
        assert_int_equal((uintptr_t)stale, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_values_win, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(late_values_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(invalidation_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(whole_kinds_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(long_keys_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bound_is_held, setup, teardown),
        cmocka_unit_test_setup_teardown(used_values_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(huge_values_are_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_never_see_the_past, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
