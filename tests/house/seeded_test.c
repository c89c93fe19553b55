/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sanitizer builds catch what they are for: each seeded bug runs in a child, which must die of
 * it. Built only by
 * --config=san and --config=tsan; bazel/test runs it there.
 */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs the bug in a child; the child's exit status, or 128 and the signal. */
static int status_of(void (*bug)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bug();
        exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void nothing(void)
{
}

static void a_good_child_ends_well(void **state)
{
    (void)state;
    assert_int_equal(status_of(nothing), 0);
}

#ifdef __SANITIZE_THREAD__

static long shared;

static void *count(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100000; i++)
        shared++;
    return NULL;
}

static void race(void)
{
    pthread_t other;
    pthread_create(&other, NULL, count, NULL);
    count(NULL);
    pthread_join(other, NULL);
}

static void a_race_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(status_of(race), 0);
}

#else

static void overflow_the_heap(void)
{
    volatile size_t past = 8;
    char *volatile bytes = malloc(8);
    bytes[past] = 1;
    exit(bytes[past] == 1 ? 0 : 3);
}

static void leak(void)
{
    void *volatile lost = malloc(64);
    lost = NULL;
    exit(lost ? 3 : 0);
}

static void use_after_return_of_scope(void)
{
    char *volatile kept;
    {
        char inner[16] = "inner";
        kept = inner;
    }
    exit(kept[0] == 'i' ? 0 : 3);
}

static void overflow_a_signed_number(void)
{
    volatile int most = INT_MAX;
    volatile int more = most + 1;
    exit(more < 0 ? 0 : 3);
}

static void memory_bugs_are_caught(void **state)
{
    (void)state;
    assert_int_not_equal(status_of(overflow_the_heap), 0);
    assert_int_not_equal(status_of(leak), 0);
    assert_int_not_equal(status_of(use_after_return_of_scope), 0);
}

static void undefined_behaviour_is_caught(void **state)
{
    (void)state;
    assert_int_not_equal(status_of(overflow_a_signed_number), 0);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_child_ends_well),
#ifdef __SANITIZE_THREAD__
        cmocka_unit_test(a_race_is_caught),
#else
        cmocka_unit_test(memory_bugs_are_caught),
        cmocka_unit_test(undefined_behaviour_is_caught),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
