/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, leases and watches on a real etcd; what faults do to them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "server/backend/etcd/etcd.h"
#include "server/core/clock.h"
#include "tests/support/etcd_server.h"
#include "tests/support/support.h"

/* Whatever is waited for; a busy machine takes long. */
enum { PATIENCE_S = 60 };

struct world {
    struct etcd_server server;
    struct comb_etcd *etcd;
    struct test_ctx test;
};

static void open_etcd(struct world *world)
{
    char *url = etcd_server_url(&world->server, "test");
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_etcd_open(&options, &world->etcd, &world->test.err), &world->test.err);
    free(url);
}

static void begin(struct world *world, size_t members)
{
    *world = (struct world){0};
    etcd_server_start(&world->server, members);
    test_ctx_init(&world->test);
    open_etcd(world);
}

static void end(struct world *world)
{
    comb_etcd_close(world->etcd);
    test_ctx_done(&world->test);
    etcd_server_done(&world->server);
}

static enum comb_status put(struct world *world, const char *name, const char *value, int64_t lease)
{
    struct grpcc_arena *arena = world->test.ctx.arena;
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(arena);
    struct etcdserverpb_txn_response *response = NULL;
    ProtobufCBinaryData key = comb_etcd_key(world->etcd, arena, comb_str_from(name));
    assert_true(comb_etcd_txn_put(arena, txn, key, comb_str_from(value), lease));
    return comb_etcd_txn(world->etcd, &world->test.ctx, txn, true, &response, &world->test.err);
}

static void must_put(struct world *world, const char *name, const char *value)
{
    must_ok(put(world, name, value, 0), &world->test.err);
}

/* A store that comes back takes a moment to be found. */
static void put_at_last(struct world *world, const char *name, const char *value)
{
    for (time_t until = time(NULL) + PATIENCE_S; time(NULL) < until; usleep(20000)) {
        test_ctx_next(&world->test);
        if (put(world, name, value, 0) == COMB_OK)
            return;
    }
    fail_msg("etcd is not found again: %s", world->test.err.msg);
}

static int64_t get(struct world *world, const char *name, const char *value)
{
    struct grpcc_arena *arena = world->test.ctx.arena;
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(arena);
    struct etcdserverpb_range_response *response = NULL;
    request->key = comb_etcd_key(world->etcd, arena, comb_str_from(name));
    must_ok(comb_etcd_range(world->etcd, &world->test.ctx, request, &response, &world->test.err),
            &world->test.err);
    if (!value) {
        assert_int_equal(response->n_kvs, 0);
        return response->header->revision;
    }
    assert_int_equal(response->n_kvs, 1);
    assert_true(comb_str_equal(comb_etcd_str(response->kvs[0]->value), comb_str_from(value)));
    assert_true(comb_str_equal(comb_etcd_key_name(world->etcd, response->kvs[0]->key),
                               comb_str_from(name)));
    return response->kvs[0]->mod_revision;
}

/* ---- calls ---- */

static void a_transaction_compares_and_sets(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    struct test_ctx *test = &world.test;
    must_put(&world, "a", "1");
    int64_t revision = get(&world, "a", "1");
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(test->ctx.arena);
    struct etcdserverpb_txn_response *response = NULL;
    ProtobufCBinaryData key = comb_etcd_key(world.etcd, test->ctx.arena, STR("a"));
    assert_true(comb_etcd_txn_compare(test->ctx.arena, txn, key, COMB_ETCD_MODIFIED, revision));
    assert_true(comb_etcd_txn_put(test->ctx.arena, txn, key, STR("2"), 0));
    assert_true(comb_etcd_txn_else_get(test->ctx.arena, txn, key));
    must_ok(comb_etcd_txn(world.etcd, &test->ctx, txn, false, &response, &test->err), &test->err);
    assert_true(response->succeeded);
    must_ok(comb_etcd_txn(world.etcd, &test->ctx, txn, false, &response, &test->err), &test->err);
    assert_false(response->succeeded);
    assert_true(
        comb_str_equal(comb_etcd_str(response->responses[0]->range->kvs[0]->value), STR("2")));
    must_ok(comb_etcd_check(world.etcd, &test->ctx, &test->err), &test->err);
    get(&world, "check", NULL);
    struct comb_store_status status;
    comb_etcd_status(world.etcd, &status);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_true(comb_str_starts_with(comb_str_from(status.server), STR("etcd 3.")));
    assert_int_equal(status.in_flight, 0);
    end(&world);
}

static void a_dead_lease_and_a_compacted_revision_are_told(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    struct test_ctx *test = &world.test;
    must_fail(COMB_NOT_FOUND, put(&world, "a", "1", 4711), &test->err);
    for (int i = 0; i < 5; i++)
        must_put(&world, "a", "1");
    int64_t revision = get(&world, "a", "1");
    must_ok(comb_etcd_compact(world.etcd, &test->ctx, revision, &test->err), &test->err);
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(test->ctx.arena);
    struct etcdserverpb_range_response *response = NULL;
    request->key = comb_etcd_key(world.etcd, test->ctx.arena, STR("a"));
    request->revision = revision - 1;
    must_fail(COMB_OUT_OF_RANGE,
              comb_etcd_range(world.etcd, &test->ctx, request, &response, &test->err), &test->err);
    request->revision = revision + 1000;
    must_fail(COMB_OUT_OF_RANGE,
              comb_etcd_range(world.etcd, &test->ctx, request, &response, &test->err), &test->err);
    end(&world);
}

static void a_wrong_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"etcd://",           "etcd://h/p?tls=no",
                                       "etcd://h/p?cert=x", "etcd://h/p?what=x",
                                       "etcd://u:p@h/p",    "etcd://h/p?ca=/no/such/file"};
    struct comb_error err;
    struct comb_etcd *etcd = NULL;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct comb_store_options options = {.url = comb_str_from(urls[i])};
        must_fail(COMB_INVALID_ARGUMENT, comb_etcd_open(&options, &etcd, &err), &err);
        assert_null(etcd);
    }
    const struct comb_store_options bad = {.url = STR("etcd://h"), .credentials = STR("nobody")};
    must_fail(COMB_INVALID_ARGUMENT, comb_etcd_open(&bad, &etcd, &err), &err);
}

static void what_is_away_is_unavailable_and_found_again(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    struct test_ctx *test = &world.test;
    must_put(&world, "a", "1");
    store_process_kill(&world.server.members[0].process);
    must_fail(COMB_UNAVAILABLE, put(&world, "a", "2", 0), &test->err);
    struct comb_store_status status;
    comb_etcd_status(world.etcd, &status);
    assert_int_equal(status.state, COMB_STORE_DOWN);
    etcd_server_restart(&world.server, 0);
    put_at_last(&world, "a", "3");
    get(&world, "a", "3");
    end(&world);
}

static void a_frozen_member_costs_a_deadline_and_no_more(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    struct test_ctx *test = &world.test;
    must_put(&world, "a", "1");
    store_process_freeze(&world.server.members[0].process);
    test->ctx.deadline_ns = comb_clock_monotonic_ns() + 1500 * COMB_NS_PER_MS;
    must_fail(COMB_DEADLINE_EXCEEDED, put(&world, "a", "2", 0), &test->err);
    assert_true(test->err.ambiguous);
    /* From now on it is known to be away: of many calls at once one at a time waits for it. */
    struct comb_store_status status;
    comb_etcd_status(world.etcd, &status);
    assert_int_equal(status.state, COMB_STORE_DOWN);
    store_process_thaw(&world.server.members[0].process);
    put_at_last(&world, "a", "3");
    get(&world, "a", "3");
    end(&world);
}

static void another_member_answers_for_one_that_is_gone(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 3);
    must_put(&world, "a", "1");
    size_t leader = etcd_server_leader(&world.server);
    store_process_kill(&world.server.members[leader].process);
    put_at_last(&world, "a", "2");
    for (int i = 0; i < 6; i++)
        get(&world, "a", "2");
    etcd_server_restart(&world.server, leader);
    end(&world);
}

/* ---- watches ---- */

struct witness {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int times_everything, lost;
    size_t n_keys;   /* of the newest `everything`, and what changed since */
    size_t n_events; /* since the newest `everything` */
    int64_t revision;
    bool in_order;
    char value[64]; /* of the last put */
};

static bool saw_everything(void *self, struct etcdserverpb_key_value *const *kvs, size_t n,
                           int64_t revision)
{
    struct witness *witness = self;
    pthread_mutex_lock(&witness->lock);
    witness->times_everything++;
    witness->n_keys = n;
    witness->n_events = 0;
    witness->revision = revision;
    if (n > 0)
        snprintf(witness->value, sizeof witness->value, "%.*s",
                 COMB_STR_ARG(comb_etcd_str(kvs[n - 1]->value)));
    pthread_cond_broadcast(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
    return true;
}

static bool saw_changes(void *self, struct etcdserverpb_event *const *events, size_t n,
                        int64_t revision)
{
    struct witness *witness = self;
    pthread_mutex_lock(&witness->lock);
    for (size_t i = 0; i < n; i++) {
        witness->in_order &= events[i]->kv->mod_revision > witness->revision;
        if (events[i]->type == 0)
            snprintf(witness->value, sizeof witness->value, "%.*s",
                     COMB_STR_ARG(comb_etcd_str(events[i]->kv->value)));
    }
    witness->n_events += n;
    witness->revision = revision;
    pthread_cond_broadcast(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
    return true;
}

static void saw_state(void *self, const struct comb_error *err)
{
    struct witness *witness = self;
    pthread_mutex_lock(&witness->lock);
    witness->lost += err != NULL;
    pthread_cond_broadcast(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
}

static void witness_init(struct witness *witness)
{
    *witness = (struct witness){.in_order = true};
    pthread_mutex_init(&witness->lock, NULL);
    pthread_cond_init(&witness->changed, NULL);
}

static struct comb_etcd_watch *watch(struct world *world, struct witness *witness)
{
    const struct comb_etcd_watcher watcher = {
        .everything = saw_everything, .changed = saw_changes, .state = saw_state, .self = witness};
    struct comb_etcd_watch *watch = NULL;
    must_ok(comb_etcd_watch_open(world->etcd, STR("w/"), &watcher, &watch, &world->test.err),
            &world->test.err);
    return watch;
}

static void await(struct witness *witness, const char *what,
                  bool (*holds)(const struct witness *witness, const void *data), const void *data)
{
    struct timespec until = {.tv_sec = time(NULL) + PATIENCE_S};
    pthread_mutex_lock(&witness->lock);
    while (!holds(witness, data)) {
        if (pthread_cond_timedwait(&witness->changed, &witness->lock, &until) != 0)
            fail_msg("waited for %s: value \"%s\", %d times everything, lost %d times", what,
                     witness->value, witness->times_everything, witness->lost);
    }
    pthread_mutex_unlock(&witness->lock);
}

static bool has_value(const struct witness *witness, const void *data)
{
    return strcmp(witness->value, data) == 0;
}

static bool has_times_everything(const struct witness *witness, const void *data)
{
    return witness->times_everything >= *(const int *)data;
}

static bool was_lost(const struct witness *witness, const void *data)
{
    return witness->lost >= *(const int *)data;
}

static void a_watch_tells_everything_and_then_each_change_once(void **state)
{
    (void)state;
    struct world world;
    struct witness witness;
    begin(&world, 1);
    witness_init(&witness);
    char name[32], value[32];
    /* More than a page. */
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "w/%03d", i);
        must_put(&world, name, name);
    }
    must_put(&world, "x/other", "no");
    struct comb_etcd_watch *w = watch(&world, &witness);
    await(&witness, "299", has_value, "w/299");
    assert_int_equal(witness.n_keys, 300);
    for (int i = 0; i < 50; i++) {
        snprintf(value, sizeof value, "v%d", i);
        must_put(&world, "w/000", value);
        must_put(&world, "x/other", value);
    }
    await(&witness, "v49", has_value, "v49");
    assert_int_equal(witness.n_events, 50);
    assert_int_equal(witness.times_everything, 1);
    assert_true(witness.in_order);
    comb_etcd_watch_close(w);
    end(&world);
}

static void a_watch_resumes_after_a_restart_without_reading_all_again(void **state)
{
    (void)state;
    struct world world;
    struct witness witness;
    begin(&world, 1);
    witness_init(&witness);
    must_put(&world, "w/a", "1");
    struct comb_etcd_watch *w = watch(&world, &witness);
    await(&witness, "1", has_value, "1");
    store_process_kill(&world.server.members[0].process);
    await(&witness, "lost", was_lost, &(int){1});
    etcd_server_restart(&world.server, 0);
    put_at_last(&world, "w/a", "2");
    await(&witness, "2", has_value, "2");
    assert_int_equal(witness.times_everything, 1);
    assert_true(witness.in_order);
    comb_etcd_watch_close(w);
    end(&world);
}

static void a_frozen_server_is_noticed_by_its_silence(void **state)
{
    (void)state;
    struct world world;
    struct witness witness;
    begin(&world, 1);
    witness_init(&witness);
    must_put(&world, "w/a", "1");
    struct comb_etcd_watch *w = watch(&world, &witness);
    await(&witness, "1", has_value, "1");
    store_process_freeze(&world.server.members[0].process);
    await(&witness, "lost", was_lost, &(int){1});
    store_process_thaw(&world.server.members[0].process);
    put_at_last(&world, "w/a", "2");
    await(&witness, "2", has_value, "2");
    assert_true(witness.in_order);
    comb_etcd_watch_close(w);
    end(&world);
}

static void compaction_meanwhile_makes_it_read_all_again(void **state)
{
    (void)state;
    struct world world;
    struct witness witness;
    begin(&world, 1);
    witness_init(&witness);
    must_put(&world, "w/a", "1");
    must_put(&world, "w/b", "1");
    struct comb_etcd_watch *w = watch(&world, &witness);
    await(&witness, "1", has_value, "1");
    store_process_kill(&world.server.members[0].process);
    await(&witness, "lost", was_lost, &(int){1});
    /* Nobody tells the watch of what happens on another port. */
    int port = world.server.members[0].port;
    world.server.members[0].port = test_free_port();
    etcd_server_restart(&world.server, 0);
    struct world other = {.server = world.server};
    test_ctx_init(&other.test);
    open_etcd(&other);
    must_put(&other, "w/a", "2");
    must_put(&other, "w/a", "3");
    must_put(&other, "w/z", "z");
    int64_t revision = get(&other, "w/z", "z");
    must_ok(comb_etcd_compact(other.etcd, &other.test.ctx, revision, &other.test.err),
            &other.test.err);
    comb_etcd_close(other.etcd);
    test_ctx_done(&other.test);
    store_process_kill(&world.server.members[0].process);
    world.server.members[0].port = port;
    etcd_server_restart(&world.server, 0);
    await(&witness, "everything again", has_times_everything, &(int){2});
    await(&witness, "z", has_value, "z");
    assert_int_equal(witness.n_keys, 3);
    comb_etcd_watch_close(w);
    end(&world);
}

static void another_cluster_makes_it_read_all_again(void **state)
{
    (void)state;
    struct world world;
    struct witness witness;
    begin(&world, 1);
    witness_init(&witness);
    for (int i = 0; i < 5; i++)
        must_put(&world, "w/a", "old");
    struct comb_etcd_watch *w = watch(&world, &witness);
    await(&witness, "old", has_value, "old");
    etcd_server_replace(&world.server);
    put_at_last(&world, "w/b", "new");
    await(&witness, "everything again", has_times_everything, &(int){2});
    await(&witness, "new", has_value, "new");
    comb_etcd_watch_close(w);
    end(&world);
}

/* ---- leases ---- */

struct holder {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int held, lost;
    int64_t lease;
};

static void on_held(void *self, int64_t lease)
{
    struct holder *holder = self;
    pthread_mutex_lock(&holder->lock);
    holder->held++;
    holder->lease = lease;
    pthread_cond_broadcast(&holder->changed);
    pthread_mutex_unlock(&holder->lock);
}

static void on_lost(void *self, int64_t lease)
{
    struct holder *holder = self;
    pthread_mutex_lock(&holder->lock);
    assert_int_equal(lease, holder->lease);
    holder->lost++;
    holder->lease = 0;
    pthread_cond_broadcast(&holder->changed);
    pthread_mutex_unlock(&holder->lock);
}

static int64_t await_held(struct holder *holder, int times)
{
    struct timespec until = {.tv_sec = time(NULL) + PATIENCE_S};
    pthread_mutex_lock(&holder->lock);
    while (holder->held < times)
        assert_int_equal(pthread_cond_timedwait(&holder->changed, &holder->lock, &until), 0);
    int64_t lease = holder->lease;
    pthread_mutex_unlock(&holder->lock);
    return lease;
}

static void a_lease_is_kept_granted_again_and_revoked(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    struct test_ctx *test = &world.test;
    struct holder holder = {0};
    pthread_mutex_init(&holder.lock, NULL);
    pthread_cond_init(&holder.changed, NULL);
    const struct comb_etcd_lease_owner owner = {.held = on_held, .lost = on_lost, .self = &holder};
    struct comb_etcd_lease *lease = NULL;
    must_ok(comb_etcd_lease_open(world.etcd, 8, &owner, &lease, &test->err), &test->err);
    int64_t first = await_held(&holder, 1);
    must_ok(put(&world, "l/1", "x", first), &test->err);
    sleep(10); /* longer than the TTL: it lives because it is kept */
    get(&world, "l/1", "x");
    assert_int_equal(holder.lost, 0);
    must_ok(comb_etcd_lease_revoke(world.etcd, &test->ctx, first, &test->err), &test->err);
    int64_t second = await_held(&holder, 2);
    assert_int_equal(holder.lost, 1);
    assert_int_not_equal(first, second);
    get(&world, "l/1", NULL);
    must_ok(put(&world, "l/2", "x", second), &test->err);
    comb_etcd_lease_close(lease);
    get(&world, "l/2", NULL);
    end(&world);
}

static void a_lease_is_lost_by_our_own_clock(void **state)
{
    (void)state;
    struct world world;
    begin(&world, 1);
    struct holder holder = {0};
    pthread_mutex_init(&holder.lock, NULL);
    pthread_cond_init(&holder.changed, NULL);
    const struct comb_etcd_lease_owner owner = {.held = on_held, .lost = on_lost, .self = &holder};
    struct comb_etcd_lease *lease = NULL;
    must_ok(comb_etcd_lease_open(world.etcd, 2, &owner, &lease, &world.test.err), &world.test.err);
    await_held(&holder, 1);
    store_process_freeze(&world.server.members[0].process);
    pthread_mutex_lock(&holder.lock);
    while (holder.lost == 0)
        pthread_cond_wait(&holder.changed, &holder.lock);
    pthread_mutex_unlock(&holder.lock);
    store_process_thaw(&world.server.members[0].process);
    await_held(&holder, 2);
    comb_etcd_lease_close(lease);
    end(&world);
}

/* ---- login ---- */

static void turn_login_on(const struct etcd_server *server)
{
    static const char *const steps[][2] = {
        {"/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"of-root\"}"},
        {"/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}"},
        {"/v3/auth/user/add", "{\"name\":\"comb\",\"password\":\"of:comb\"}"},
        {"/v3/auth/role/add", "{\"name\":\"combs\"}"},
        /* All that begins with "test/", in base64: up to "test0". */
        {"/v3/auth/role/grant", "{\"name\":\"combs\",\"perm\":{\"permType\":\"READWRITE\","
                                "\"key\":\"dGVzdC8=\",\"range_end\":\"dGVzdDA=\"}}"},
        {"/v3/auth/user/grant", "{\"user\":\"comb\",\"role\":\"combs\"}"},
        {"/v3/auth/enable", "{}"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        etcd_server_post(server, steps[i][0], steps[i][1]);
}

static enum comb_status check_as(const struct world *world, const char *prefix,
                                 const char *credentials, struct test_ctx *test)
{
    char *url = etcd_server_url(&world->server, prefix);
    const struct comb_store_options options = {.url = comb_str_from(url),
                                               .credentials = comb_str_from(credentials)};
    struct comb_etcd *etcd = NULL;
    test_ctx_next(test);
    must_ok(comb_etcd_open(&options, &etcd, &test->err), &test->err);
    enum comb_status status = comb_etcd_check(etcd, &test->ctx, &test->err);
    comb_etcd_close(etcd);
    free(url);
    return status;
}

static void a_login_is_asked_for_and_renewed(void **state)
{
    (void)state;
    struct world world;
    struct witness witness;
    begin(&world, 1);
    witness_init(&witness);
    struct test_ctx *test = &world.test;
    /* While nobody has to log in, a login does no harm. */
    must_ok(check_as(&world, "test", "comb:of:comb", test), &test->err);
    turn_login_on(&world.server);
    must_ok(check_as(&world, "test", "comb:of:comb", test), &test->err);
    must_fail(COMB_FAILED_PRECONDITION, check_as(&world, "test", "comb:wrong", test), &test->err);
    assert_non_null(strstr(test->err.msg, "password"));
    assert_null(strstr(test->err.msg, "wrong"));
    must_fail(COMB_FAILED_PRECONDITION, check_as(&world, "test", NULL, test), &test->err);
    assert_non_null(strstr(test->err.msg, "credentials file"));
    must_fail(COMB_FAILED_PRECONDITION, check_as(&world, "other", "comb:of:comb", test),
              &test->err);
    assert_non_null(strstr(test->err.msg, "role"));
    /* A restart makes etcd forget its tokens. */
    comb_etcd_close(world.etcd);
    char *url = etcd_server_url(&world.server, "test");
    const struct comb_store_options options = {.url = comb_str_from(url),
                                               .credentials = STR("comb:of:comb")};
    must_ok(comb_etcd_open(&options, &world.etcd, &test->err), &test->err);
    free(url);
    must_put(&world, "w/a", "1");
    struct comb_etcd_watch *w = watch(&world, &witness);
    await(&witness, "1", has_value, "1");
    store_process_kill(&world.server.members[0].process);
    await(&witness, "lost", was_lost, &(int){1});
    etcd_server_restart(&world.server, 0);
    put_at_last(&world, "w/a", "2");
    await(&witness, "2", has_value, "2");
    comb_etcd_watch_close(w);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_compares_and_sets),
        cmocka_unit_test(a_dead_lease_and_a_compacted_revision_are_told),
        cmocka_unit_test(a_wrong_url_is_refused),
        cmocka_unit_test(what_is_away_is_unavailable_and_found_again),
        cmocka_unit_test(a_frozen_member_costs_a_deadline_and_no_more),
        cmocka_unit_test(another_member_answers_for_one_that_is_gone),
        cmocka_unit_test(a_watch_tells_everything_and_then_each_change_once),
        cmocka_unit_test(a_watch_resumes_after_a_restart_without_reading_all_again),
        cmocka_unit_test(a_frozen_server_is_noticed_by_its_silence),
        cmocka_unit_test(compaction_meanwhile_makes_it_read_all_again),
        cmocka_unit_test(another_cluster_makes_it_read_all_again),
        cmocka_unit_test(a_lease_is_kept_granted_again_and_revoked),
        cmocka_unit_test(a_lease_is_lost_by_our_own_clock),
        cmocka_unit_test(a_login_is_asked_for_and_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
