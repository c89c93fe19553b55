/* SPDX-License-Identifier: Apache-2.0 */
/* What every driver of the vault row must do. Knows the interface, never a driver's name. */
#include "grpcc/arena.h"
#include "tests/contract/vault/fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct comb_ctx new_ctx(void)
{
    return (struct comb_ctx){.arena = grpcc_arena_new(0), .deadline_ns = INT64_MAX};
}

static int setup(void **state)
{
    static struct vault_fixture fixture;
    fixture = (struct vault_fixture){.ctx = new_ctx()};
    assert_int_equal(vault_fixture_open(&fixture), COMB_OK);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct vault_fixture *f = *state;
    comb_vault_close(f->vault);
    grpcc_arena_free(f->ctx.arena);
    return 0;
}

static uint32_t must_put(struct vault_fixture *f, comb_str path, comb_str value, uint32_t expected)
{
    uint32_t version = 0;
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, path, value, expected, &version, &f->err),
                     COMB_OK);
    return version;
}

static void must_hold(struct vault_fixture *f, comb_str path, uint32_t version, comb_str value,
                      uint32_t is_version)
{
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, path, version, &secret, &f->err), COMB_OK);
    assert_int_equal(secret.version, is_version);
    assert_true(comb_str_equal(secret.value, value));
    assert_true(secret.create_us > 0);
}

static void reopen(struct vault_fixture *f)
{
    comb_vault_close(f->vault);
    f->vault = NULL;
    assert_int_equal(vault_fixture_open(f), COMB_OK);
}

static void a_missing_secret_is_not_found(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_vault_secret secret = {.version = 77};
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, STR("a/b"), 0, &secret, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(f->err.status, COMB_NOT_FOUND);
    assert_int_equal(secret.version, 77);
    must_put(f, STR("a/b"), STR("x"), 0);
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, STR("a/b"), 2, &secret, &f->err),
                     COMB_NOT_FOUND);
}

static void versions_are_kept_and_counted(void **state)
{
    struct vault_fixture *f = *state;
    assert_int_equal(must_put(f, STR("s"), STR("one"), 0), 1);
    assert_int_equal(must_put(f, STR("s"), STR("two"), 1), 2);
    assert_int_equal(must_put(f, STR("t"), STR("other"), 0), 1);
    must_hold(f, STR("s"), 0, STR("two"), 2);
    must_hold(f, STR("s"), 1, STR("one"), 1);
    must_hold(f, STR("t"), 0, STR("other"), 1);
}

static void put_compares_and_sets(void **state)
{
    struct vault_fixture *f = *state;
    uint32_t version = 77;
    must_put(f, STR("s"), STR("one"), 0);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), STR("no"), 0, &version, &f->err),
                     COMB_ABORTED);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), STR("no"), 2, &version, &f->err),
                     COMB_ABORTED);
    assert_int_equal(
        comb_vault_put(f->vault, &f->ctx, STR("none"), STR("no"), 1, &version, &f->err),
        COMB_ABORTED);
    assert_int_equal(version, 77);
    must_hold(f, STR("s"), 0, STR("one"), 1);
}

static void secrets_outlive_the_process(void **state)
{
    struct vault_fixture *f = *state;
    static const char BYTES[] = {0, 1, '"', '\\', (char)0xff, (char)0xc3, 0};
    must_put(f, STR("bytes"), comb_str_of(BYTES, sizeof BYTES), 0);
    must_put(f, STR("bytes"), STR(""), 1);
    reopen(f);
    must_hold(f, STR("bytes"), 1, comb_str_of(BYTES, sizeof BYTES), 1);
    must_hold(f, STR("bytes"), 0, STR(""), 2);
    assert_int_equal(must_put(f, STR("bytes"), STR("three"), 2), 3);
}

static void limits_are_kept(void **state)
{
    struct vault_fixture *f = *state;
    static char value[COMB_VAULT_VALUE_MAX + 1];
    memset(value, 'v', sizeof value);
    char path[COMB_VAULT_PATH_MAX + 2];
    memset(path, 'p', sizeof path);
    uint32_t version;
    comb_str longest = comb_str_of(path, COMB_VAULT_PATH_MAX);
    assert_int_equal(must_put(f, longest, comb_str_of(value, COMB_VAULT_VALUE_MAX), 0), 1);
    reopen(f);
    must_hold(f, longest, 0, comb_str_of(value, COMB_VAULT_VALUE_MAX), 1);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), comb_str_of(value, sizeof value),
                                    0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, comb_str_of(path, COMB_VAULT_PATH_MAX + 1),
                                    STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("a b"), STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR(""), STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
}

static void a_past_deadline_is_told(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_ctx late = f->ctx;
    late.deadline_ns = 1;
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(f->vault, &late, STR("s"), 0, &secret, &f->err),
                     COMB_DEADLINE_EXCEEDED);
}

static void a_key_is_made_once(void **state)
{
    struct vault_fixture *f = *state;
    uint8_t first[32], again[32], other[32];
    uint32_t version = 0;
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("a"), first, &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 1);
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("b"), other, &version, &f->err),
                     COMB_OK);
    assert_memory_not_equal(first, other, sizeof first);
    reopen(f);
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("a"), again, &version, &f->err),
                     COMB_OK);
    assert_memory_equal(first, again, sizeof first);
    assert_int_equal(version, 1);
}

/* ---- many at once ---- */

#define THREADS 4
#define PUTS_PER_THREAD 8

struct racer {
    struct vault_fixture *fixture;
    uint8_t key[32];
    int n_won;
};

static void *race(void *data)
{
    struct racer *racer = data;
    struct comb_ctx ctx = new_ctx();
    struct comb_error err;
    uint32_t version = 0;
    if (comb_vault_key(racer->fixture->vault, &ctx, STR("race"), racer->key, &version, &err) !=
        COMB_OK)
        racer->n_won = -1000;
    for (uint32_t i = 0; i < PUTS_PER_THREAD; i++) {
        if (comb_vault_put(racer->fixture->vault, &ctx, STR("counter"), STR("x"), i, &version,
                           &err) == COMB_OK)
            racer->n_won++;
    }
    grpcc_arena_free(ctx.arena);
    return NULL;
}

static void of_many_writers_one_wins(void **state)
{
    struct vault_fixture *f = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.fixture = f};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    int n_won = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        n_won += racers[i].n_won;
        assert_memory_equal(racers[i].key, racers[0].key, sizeof racers[0].key);
    }
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, STR("counter"), 0, &secret, &f->err),
                     COMB_OK);
    assert_int_equal(secret.version, n_won);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_secret_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_are_kept_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(put_compares_and_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_outlive_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_past_deadline_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(of_many_writers_one_wins, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
