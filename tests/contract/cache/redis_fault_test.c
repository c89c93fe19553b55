/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the cache while Redis is killed, frozen, flushed, away, or not ours. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/clock.h"
#include "tests/contract/cache/fixture.h"
#include "tests/support/redis_server.h"

/* driver_redis.c */
extern struct redis_server driver_server;

enum { KEEP_MS = 600000, CALLERS = 4, CALL_TIMEOUT_MS = 1000 };

/* A call ends after its timeout; the rest is a machine with other things to do. */
#define CALL_BOUND_NS (10 * COMB_NS_PER_S)

static bool is_long(void)
{
    return getenv("COMB_LONG") != NULL;
}

static void pause_ms(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

/* ---- load ---- */

struct load {
    struct fixture *f;
    pthread_t threads[CALLERS];
    _Atomic bool stop;
    _Atomic int hits, calls, counted;
    _Atomic int64_t longest_ns;
};

/* One of 16 names, in an epoch that grows: the value says which, so a wrong one shows. */
static void call_once(struct load *load, struct test_ctx *t, unsigned i)
{
    char name[16], text[32];
    snprintf(name, sizeof name, "n%u", i % 16);
    snprintf(text, sizeof text, "%u of %u", i % 16, i / 64);
    struct comb_cache_key key = key_at(name, 1, i / 64);
    const struct comb_cache_entry entry = {key, comb_str_from(text), KEEP_MS};
    const struct comb_cache_step step = {STR("c"), 1, false, KEEP_MS};
    struct comb_cache_counter counter;
    comb_str value;
    comb_cache_get(load->f->cache, &t->ctx, &key, 1, &value);
    if (value.ptr) {
        assert_true(comb_str_equal(value, entry.value));
        atomic_fetch_add(&load->hits, 1);
    }
    comb_cache_put(load->f->cache, &t->ctx, &entry, 1);
    enum comb_status status =
        comb_cache_count(load->f->cache, &t->ctx, &step, 1, &counter, &t->err);
    assert_true(status == COMB_OK || status == COMB_UNAVAILABLE);
    if (status == COMB_OK)
        atomic_fetch_add(&load->counted, 1);
    else
        pause_ms(1);
}

static void *call_on(void *data)
{
    struct load *load = data;
    struct test_ctx t;
    test_ctx_init(&t);
    for (unsigned i = 0; !load->stop; i++) {
        int64_t begin_ns = comb_clock_monotonic_ns();
        call_once(load, &t, i);
        int64_t took_ns = (comb_clock_monotonic_ns() - begin_ns) / 3;
        if (took_ns > load->longest_ns)
            load->longest_ns = took_ns;
        atomic_fetch_add(&load->calls, 3);
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

static struct load *load_start(struct fixture *f)
{
    char url[160];
    struct load *load = calloc(1, sizeof *load);
    assert_non_null(load);
    load->f = f;
    comb_cache_close(f->cache);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/2?timeout_ms=%d", driver_server.port,
             CALL_TIMEOUT_MS);
    f->cache = open_cache(f, url);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&load->threads[i], NULL, call_on, load), 0);
    return load;
}

/* Milliseconds until n more steps are counted. */
static long wait_for_more(const struct load *load, int n)
{
    int64_t begin_ns = comb_clock_monotonic_ns();
    for (int before = load->counted; load->counted < before + n;)
        pause_ms(1);
    return (long)((comb_clock_monotonic_ns() - begin_ns) / COMB_NS_PER_MS);
}

static void load_end(struct load *load, const char *what, long recovery_ms)
{
    load->stop = true;
    for (int i = 0; i < CALLERS; i++)
        pthread_join(load->threads[i], NULL);
    assert_true(load->longest_ns < CALL_BOUND_NS);
    print_message("redis %s: %d calls, %d hits, 0 wrong, longest call %ld ms, counts again %ld ms "
                  "after the store is back\n",
                  what, load->calls, load->hits, (long)(load->longest_ns / COMB_NS_PER_MS),
                  recovery_ms);
    free(load);
}

static void a_killed_store_answers_nothing_wrong(void **state)
{
    struct fixture *f = *state;
    struct load *load = load_start(f);
    long recovery_ms = 0;
    wait_for_more(load, 100);
    for (int i = 0; i < 3; i++) {
        store_process_kill(&driver_server.process);
        redis_server_start(&driver_server);
        long took_ms = wait_for_more(load, 1);
        recovery_ms = took_ms > recovery_ms ? took_ms : recovery_ms;
        wait_for_more(load, 100);
    }
    load_end(load, "killed", recovery_ms);
}

static void a_frozen_store_hangs_nobody(void **state)
{
    struct fixture *f = *state;
    struct load *load = load_start(f);
    struct comb_store_status status;
    wait_for_more(load, 100);
    store_process_freeze(&driver_server.process);
    do {
        pause_ms(5);
        comb_cache_status(f->cache, &status);
    } while (status.state != COMB_STORE_DOWN);
    /* Known to be away: refused at once, by the thousand. */
    int before = load->calls;
    pause_ms(is_long() ? 30000 : 2000);
    assert_true(load->calls > before);
    store_process_thaw(&driver_server.process);
    load_end(load, "frozen", wait_for_more(load, 1));
}

/* ---- lives ---- */

/* The append-only file brings the entries back; nobody can name them. */
static void a_restart_begins_another_life(void **state)
{
    struct fixture *f = *state;
    put(f, key_at("a", 1, 1), STR("x"), KEEP_MS);
    must_hold(f, key_at("a", 1, 1), STR("x"));
    count(f, "c", 5, false);
    store_process_kill(&driver_server.process);
    redis_server_start(&driver_server);
    comb_cache_close(f->cache);
    f->cache = open_cache(f, f->url);
    must_miss(f, key_at("a", 1, 1));
    put(f, key_at("a", 1, 1), STR("y"), KEEP_MS);
    must_hold(f, key_at("a", 1, 1), STR("y"));
    assert_int_equal(count(f, "c", 1, false).value, 6);
}

/* What was on its way when the store was flushed is not there afterwards. */
static void a_flush_begins_another_life(void **state)
{
    struct fixture *f = *state;
    struct comb_cache *own = f->cache;
    struct comb_cache *other = open_cache(f, f->url);
    put(f, key_at("a", 1, 1), STR("x"), KEEP_MS);
    redis_server_command(&driver_server, "FLUSHALL");
    f->cache = other;
    must_miss(f, key_at("a", 1, 1)); /* its connection begins the new life */
    f->cache = own;
    must_miss(f, key_at("a", 1, 1));
    for (int i = 0; i < 8 && !get(f, key_at("b", 1, 1)).ptr; i++)
        put(f, key_at("b", 1, 1), STR("y"), KEEP_MS);
    must_hold(f, key_at("b", 1, 1), STR("y"));
    f->cache = other;
    must_hold(f, key_at("b", 1, 1), STR("y"));
    comb_cache_close(other);
    f->cache = own;
}

/* ---- what an operator gets wrong ---- */

static void must_not_open(struct fixture *f, const char *url, enum comb_status expected,
                          const char *words)
{
    const struct comb_store_options options = {.url = comb_str_from(url)};
    struct comb_cache *cache = NULL;
    must_fail(expected, driver_open(&options, &cache, &f->t.err), &f->t.err);
    assert_null(cache);
    if (!strstr(f->t.err.msg, words))
        fail_msg("\"%s\" does not say \"%s\"", f->t.err.msg, words);
}

static void what_is_wrong_with_a_url_is_said(void **state)
{
    struct fixture *f = *state;
    must_not_open(f, "rediss://127.0.0.1:6379/0", COMB_FAILED_PRECONDITION, "TLS");
    must_not_open(f, "redis://127.0.0.1:6379/x", COMB_INVALID_ARGUMENT, "number of a database");
    must_not_open(f, "redis://127.0.0.1:6379/0?timeout_ms=0", COMB_INVALID_ARGUMENT, "timeout_ms");
    must_not_open(f, "redis://a:1,b:2/0", COMB_INVALID_ARGUMENT, "one redis://");
    must_not_open(f, "redis://127.0.0.1/0?nonsense=1", COMB_INVALID_ARGUMENT, "nonsense");
    must_not_open(f, "redis://:secret@127.0.0.1/0", COMB_INVALID_ARGUMENT, "password");
}

/* Opens all the same, and the check says what to do, in words of its own. */
static void must_check(struct fixture *f, const char *url, const char *credentials,
                       enum comb_status expected, const char *words)
{
    const struct comb_store_options options = {comb_str_from(url), comb_str_from(credentials)};
    struct comb_cache *cache = NULL;
    test_ctx_next(&f->t);
    must_ok(driver_open(&options, &cache, &f->t.err), &f->t.err);
    enum comb_status status = comb_cache_check(cache, &f->t.ctx, &f->t.err);
    if (status != expected || (status != COMB_OK && !strstr(f->t.err.msg, words)))
        fail_msg("%s: %d, \"%s\"", url, status, f->t.err.msg);
    if (status != COMB_OK && credentials[0] != '\0')
        assert_null(strstr(f->t.err.msg, "wrong-secret"));
    comb_cache_close(cache);
}

static void what_the_store_refuses_is_said(void **state)
{
    struct fixture *f = *state;
    struct redis_server locked = {.password = "good-secret"};
    char url[128];
    redis_server_start(&locked);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/0?timeout_ms=20000", locked.port);
    must_check(f, url, "", COMB_FAILED_PRECONDITION, "wants a password");
    must_check(f, url, "wrong-secret", COMB_FAILED_PRECONDITION, "refuses");
    must_check(f, url, "nobody:wrong-secret", COMB_FAILED_PRECONDITION, "refuses");
    must_check(f, url, "good-secret", COMB_OK, "");
    must_check(f, url, "default:good-secret", COMB_OK, "");
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/999?timeout_ms=20000", locked.port);
    must_check(f, url, "good-secret", COMB_FAILED_PRECONDITION, "no database of that number");
    redis_server_done(&locked);
    must_check(f, url, "good-secret", COMB_UNAVAILABLE, "cannot be reached");
    must_check(f, f->url, "a-secret", COMB_FAILED_PRECONDITION, "no password");
    must_check(f, "redis://no-such-host.invalid:6379/0?timeout_ms=20000", "", COMB_UNAVAILABLE,
               "cannot be reached");
}

static void a_store_that_comes_late_is_found(void **state)
{
    struct fixture *f = *state;
    struct redis_server late = {.port = test_free_port()};
    struct comb_cache *own = f->cache;
    char url[128];
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/0?timeout_ms=20000", late.port);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(driver_open(&options, &f->cache, &f->t.err), &f->t.err);
    must_miss(f, key_at("a", 1, 1));
    redis_server_start(&late);
    while (!get(f, key_at("a", 1, 1)).ptr) {
        put(f, key_at("a", 1, 1), STR("x"), KEEP_MS);
        pause_ms(1);
    }
    comb_cache_close(f->cache);
    redis_server_done(&late);
    f->cache = own;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_store_answers_nothing_wrong), TEST(a_frozen_store_hangs_nobody),
        TEST(a_restart_begins_another_life),        TEST(a_flush_begins_another_life),
        TEST(what_is_wrong_with_a_url_is_said),     TEST(what_the_store_refuses_is_said),
        TEST(a_store_that_comes_late_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
