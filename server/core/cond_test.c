/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/cond.h"

#include "server/core/clock.h"
#include "tests/support/support.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static bool said;

static void *say(void *data)
{
    (void)data;
    pthread_mutex_lock(&lock);
    said = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Whether it was said before until_ns. */
static bool is_said_before(int64_t until_ns)
{
    pthread_t thread;
    bool waits = true;
    said = false;
    pthread_mutex_lock(&lock);
    assert_int_equal(pthread_create(&thread, NULL, say, NULL), 0);
    while (!said && waits)
        waits = comb_cond_wait_until(&cond, &lock, until_ns);
    bool in_time = said;
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    return in_time;
}

static void a_signal_ends_the_wait(void **state)
{
    (void)state;
    assert_true(is_said_before(INT64_MAX));
    assert_true(is_said_before(comb_clock_monotonic_ns() + 3600 * COMB_NS_PER_S));
}

static void a_wait_ends_no_sooner_than_its_time(void **state)
{
    int64_t until_ns = comb_clock_monotonic_ns() + 20 * COMB_NS_PER_MS;
    (void)state;
    pthread_mutex_lock(&lock);
    while (comb_cond_wait_until(&cond, &lock, until_ns))
        continue;
    pthread_mutex_unlock(&lock);
    assert_true(comb_clock_monotonic_ns() >= until_ns);
}

/* Else a wait that begins after the clock was moved would last that much longer. */
static void a_wait_keeps_to_the_clock_of_deadlines(void **state)
{
    (void)state;
    comb_clock_advance_ns(3600 * COMB_NS_PER_S);
    int64_t began_ns = comb_clock_steady_ns();
    pthread_mutex_lock(&lock);
    assert_false(comb_cond_wait_until(&cond, &lock, comb_clock_monotonic_ns() - COMB_NS_PER_S));
    while (comb_cond_wait_until(&cond, &lock, comb_clock_monotonic_ns() + 1))
        continue;
    pthread_mutex_unlock(&lock);
    assert_true(comb_clock_steady_ns() - began_ns < 1800 * COMB_NS_PER_S);
}

static void *try_lock(void *data)
{
    bool *had = data;
    *had = comb_mutex_lock_until(&lock, comb_clock_monotonic_ns() + COMB_NS_PER_MS);
    return NULL;
}

static void a_lock_is_waited_for_until_its_time(void **state)
{
    pthread_t thread;
    bool had = true;
    (void)state;
    assert_true(comb_mutex_lock_until(&lock, comb_clock_monotonic_ns() + COMB_NS_PER_S));
    assert_int_equal(pthread_create(&thread, NULL, try_lock, &had), 0);
    pthread_join(thread, NULL);
    assert_false(had);
    pthread_mutex_unlock(&lock);
    assert_true(comb_mutex_lock_until(&lock, INT64_MAX));
    pthread_mutex_unlock(&lock);
}

static int set_up(void **state)
{
    (void)state;
    comb_cond_init(&cond);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_ends_the_wait),
        cmocka_unit_test(a_wait_ends_no_sooner_than_its_time),
        cmocka_unit_test(a_wait_keeps_to_the_clock_of_deadlines),
        cmocka_unit_test(a_lock_is_waited_for_until_its_time),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
