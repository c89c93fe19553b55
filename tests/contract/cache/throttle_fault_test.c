/* SPDX-License-Identifier: Apache-2.0 */
/* Two replicas throttle log-ins together over one Redis, and each alone while that is away: never
 * is nobody throttled. */
#include <stdio.h>
#include <time.h>

#include "server/auth/throttle.h"
#include "server/core/clock.h"
#include "tests/contract/cache/fixture.h"
#include "tests/support/redis_server.h"

/* driver_redis.c */
extern struct redis_server driver_server;

enum { REPLICAS = 2, MANY = COMB_THROTTLE_LOGIN_FREE + 10 };

struct replicas {
    struct comb_cache *caches[REPLICAS];
    struct comb_throttle *throttles[REPLICAS];
};

static void open_replicas(struct fixture *f, struct replicas *r)
{
    f->t.ctx.peer = STR("ipv4:192.0.2.1:4711");
    for (int i = 0; i < REPLICAS; i++) {
        r->caches[i] = open_cache(f, f->url);
        must_ok(comb_throttle_new(r->caches[i], &r->throttles[i], &f->t.err), &f->t.err);
    }
}

static void close_replicas(struct replicas *r)
{
    for (int i = 0; i < REPLICAS; i++) {
        comb_throttle_free(r->throttles[i]);
        comb_cache_close(r->caches[i]);
    }
}

static bool waits(struct fixture *f, struct comb_throttle *throttle, comb_str login)
{
    return comb_throttle_check(throttle, &f->t.ctx, login, &f->t.err) == COMB_RESOURCE_EXHAUSTED;
}

static void fail_times(struct fixture *f, struct comb_throttle *throttle, comb_str login, int n)
{
    for (int i = 0; i < n; i++)
        comb_throttle_fail(throttle, &f->t.ctx, login);
}

static void failures_and_successes_are_shared(void **state)
{
    struct fixture *f = *state;
    struct replicas r;
    open_replicas(f, &r);
    fail_times(f, r.throttles[0], STR("anna"), MANY);
    assert_true(waits(f, r.throttles[1], STR("anna")));
    assert_false(waits(f, r.throttles[1], STR("bert")));
    comb_throttle_succeed(r.throttles[1], &f->t.ctx, STR("anna"));
    assert_false(waits(f, r.throttles[0], STR("anna")));
    assert_false(waits(f, r.throttles[1], STR("anna")));
    close_replicas(&r);
}

static void a_flushed_store_forgives_nobody(void **state)
{
    struct fixture *f = *state;
    struct replicas r;
    open_replicas(f, &r);
    fail_times(f, r.throttles[0], STR("anna"), MANY);
    redis_server_command(&driver_server, "FLUSHALL");
    assert_true(waits(f, r.throttles[0], STR("anna")));
    assert_false(waits(f, r.throttles[1], STR("anna"))); /* which has seen none itself */
    fail_times(f, r.throttles[1], STR("anna"), MANY);
    assert_true(waits(f, r.throttles[0], STR("anna")));
    assert_true(waits(f, r.throttles[1], STR("anna")));
    close_replicas(&r);
}

static void await_state(struct comb_cache *cache, enum comb_store_state wanted)
{
    const struct timespec pause = {0, 2 * COMB_NS_PER_MS};
    struct comb_store_status status;
    for (comb_cache_status(cache, &status); status.state != wanted;
         comb_cache_status(cache, &status))
        nanosleep(&pause, NULL);
}

static void a_lost_store_leaves_each_replica_its_own(void **state)
{
    struct fixture *f = *state;
    struct replicas r;
    open_replicas(f, &r);
    store_process_kill(&driver_server.process);
    fail_times(f, r.throttles[0], STR("anna"), MANY);
    fail_times(f, r.throttles[1], STR("bert"), MANY);
    assert_true(waits(f, r.throttles[0], STR("anna")));
    assert_false(waits(f, r.throttles[0], STR("bert")));
    assert_true(waits(f, r.throttles[1], STR("bert")));
    redis_server_start(&driver_server);
    for (int i = 0; i < REPLICAS; i++)
        await_state(r.caches[i], COMB_STORE_UP);
    /* What was counted meanwhile still counts; what is counted now is shared again. */
    assert_true(waits(f, r.throttles[0], STR("anna")));
    fail_times(f, r.throttles[1], STR("carl"), MANY);
    assert_true(waits(f, r.throttles[0], STR("carl")));
    close_replicas(&r);
}

static void a_slow_store_slows_one_call_and_throttles(void **state)
{
    struct fixture *f = *state;
    struct replicas r;
    snprintf(f->url, sizeof f->url, "redis://127.0.0.1:%d/3?timeout_ms=500", driver_server.port);
    open_replicas(f, &r);
    store_process_freeze(&driver_server.process);
    int64_t begin_ns = comb_clock_monotonic_ns();
    fail_times(f, r.throttles[0], STR("anna"), 1000);
    assert_true(waits(f, r.throttles[0], STR("anna")));
    int64_t took_ns = comb_clock_monotonic_ns() - begin_ns;
    store_process_thaw(&driver_server.process);
    /* Not a thousand times the timeout. */
    assert_true(took_ns < 30 * COMB_NS_PER_S);
    print_message("redis frozen: 1001 counts of the throttle in %ld ms\n",
                  (long)(took_ns / COMB_NS_PER_MS));
    close_replicas(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failures_and_successes_are_shared),
        TEST(a_flushed_store_forgives_nobody),
        TEST(a_lost_store_leaves_each_replica_its_own),
        TEST(a_slow_store_slows_one_call_and_throttles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
