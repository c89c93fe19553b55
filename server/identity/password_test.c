/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/password.h"

#include <argon2.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"
#include "tests/support/support.h"

static bool matches(struct test_ctx *t, comb_str text, comb_str password)
{
    bool yes = false;
    must_ok(comb_password_verify(&t->ctx, text, password, &yes, &t->err), &t->err);
    return yes;
}

static void a_password_matches_its_own_hash_alone(void **state)
{
    struct test_ctx *t = *state;
    comb_str text, again;
    must_ok(comb_password_hash(&t->ctx, STR("correct horse"), &text, &t->err), &t->err);
    must_ok(comb_password_hash(&t->ctx, STR("correct horse"), &again, &t->err), &t->err);
    assert_false(comb_str_equal(text, again));
    assert_true(matches(t, text, STR("correct horse")));
    assert_true(matches(t, again, STR("correct horse")));
    assert_false(matches(t, text, STR("correct horsf")));
    assert_false(matches(t, text, STR("")));
}

/* The text is the one that everybody else writes and reads. */
static void the_text_is_argon2s_own(void **state)
{
    struct test_ctx *t = *state;
    comb_str text;
    must_ok(comb_password_hash(&t->ctx, STR("correct horse"), &text, &t->err), &t->err);
    assert_true(comb_str_starts_with(text, STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    assert_int_equal(argon2id_verify(text.ptr, "correct horse", 13), ARGON2_OK);
    char theirs[256];
    assert_int_equal(argon2id_hash_encoded(1, 64, 1, "pass word", 9, "0123456789abcdef", 16, 32,
                                           theirs, sizeof theirs),
                     ARGON2_OK);
    assert_true(matches(t, comb_str_from(theirs), STR("pass word")));
    assert_false(matches(t, comb_str_from(theirs), STR("pass worD")));
}

static void nothing_matches_what_is_no_hash(void **state)
{
    struct test_ctx *t = *state;
    const char *texts[] = {
        "",
        "x",
        "$argon2id$v=19$m=19456,t=2,p=1$",
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg",
        "$argon2i$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
        "$argon2id$v=19$m=4294967295,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
        "$argon2id$v=19$m=64,t=4294967295,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
        "$argon2id$v=19$m=64,t=1,p=1$!!!$MDEyMzQ1Njc4OWFiY2RlZg",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(matches(t, comb_str_from(texts[i]), STR("")));
}

static void the_rules_of_passwords_hold(void **state)
{
    struct test_ctx *t = *state;
    static char text[COMB_PASSWORD_BYTES_MAX + 1];
    memset(text, 'p', sizeof text);
    must_ok(comb_password_check(comb_str_of(text, 8), "password", &t->err), &t->err);
    must_ok(comb_password_check(comb_str_of(text, COMB_PASSWORD_BYTES_MAX), "password", &t->err),
            &t->err);
    must_fail(COMB_INVALID_ARGUMENT, comb_password_check(comb_str_of(text, 7), "password", &t->err),
              &t->err);
    assert_string_equal(t->err.subject, "password");
    must_fail(COMB_INVALID_ARGUMENT,
              comb_password_check(comb_str_of(text, sizeof text), "password", &t->err), &t->err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_password_check(STR("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8"), "password", &t->err),
              &t->err);
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void the_memory_is_given_back(void **state)
{
    struct test_ctx *t = *state;
    comb_str text;
    must_ok(comb_password_hash(&t->ctx, STR("correct horse"), &text, &t->err), &t->err);
    long before = resident_kib();
    for (int i = 0; i < 3; i++)
        assert_true(matches(t, text, STR("correct horse")));
    assert_true(resident_kib() - before < COMB_PASSWORD_MEMORY_KIB / 2);
}

static void *hash_once(void *data)
{
    struct test_ctx *t = data;
    comb_str text;
    if (comb_password_hash(&t->ctx, STR("correct horse"), &text, &t->err) != COMB_OK)
        return t;
    return NULL;
}

static void those_who_wait_get_their_turn(void **state)
{
    (void)state;
    struct test_ctx tests[3 * COMB_PASSWORD_PARALLEL_MAX];
    pthread_t threads[3 * COMB_PASSWORD_PARALLEL_MAX];
    const size_t n = sizeof threads / sizeof threads[0];
    for (size_t i = 0; i < n; i++) {
        test_ctx_init(&tests[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, hash_once, &tests[i]), 0);
    }
    for (size_t i = 0; i < n; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
        test_ctx_done(&tests[i]);
    }
}

static void a_past_deadline_ends_the_wait(void **state)
{
    struct test_ctx *t = *state;
    comb_str text;
    t->ctx.deadline_ns = 1;
    must_fail(COMB_DEADLINE_EXCEEDED, comb_password_hash(&t->ctx, STR("x"), &text, &t->err),
              &t->err);
}

static int setup(void **state)
{
    static struct test_ctx test;
    test_ctx_init(&test);
    *state = &test;
    return 0;
}

static int teardown(void **state)
{
    test_ctx_done(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_password_matches_its_own_hash_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_text_is_argon2s_own, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_matches_what_is_no_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rules_of_passwords_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(the_memory_is_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(those_who_wait_get_their_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(a_past_deadline_ends_the_wait, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
