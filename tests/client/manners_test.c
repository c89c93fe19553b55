/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas that go away, calls by callback, closing, forks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comb/v1/data.grpcc.h"
#include "comb/v1/tree.grpcc.h"
#include "tests/client/fake.h"

enum { THREADS = 8, CALLS = 100 };

struct fixture {
    struct fake a, b;
    struct comb_client *client; /* of both */
    struct grpcc_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char servers[256];
    fake_start(&f->a, 0);
    fake_start(&f->b, 0);
    /* Replicas of one store: what one knows of sessions, the other does. */
    fake_write(&f->b, &f->b.session, 1);
    snprintf(servers, sizeof(servers), "%s,%s", f->a.address, f->b.address);
    /* A machine that stands still makes nobody suspect. */
    struct comb_client_options options = {
        .size = sizeof(options), .access_token = "access-1", .silence_ms = 60000};
    fake_write(&f->a, &f->a.session, 1);
    must_ok(comb_client_open(servers, &options, &f->client, &f->err), &f->err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    comb_client_close(f->client);
    fake_done(&f->a);
    fake_done(&f->b);
    free(f);
    return 0;
}

static void hold(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->hold = true;
    pthread_mutex_unlock(&fake->lock);
}

static void *stat_in_thread(void *data)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    return (void *)(intptr_t)fake_stat(data, &err);
}

/* Who is not connected yet gets no calls while the other is. Both have answered calls then. */
static void connect_both(struct fixture *f)
{
    for (int i = 0; i < 30 && !(fake_count(&f->a, "Stat") && fake_count(&f->b, "Stat")); i++) {
        must_ok(fake_stat(f->client, &f->err), &f->err);
        usleep(20000);
    }
}

static void replicas_take_turns(void **state)
{
    struct fixture *f = *state;
    connect_both(f);
    size_t at_a = fake_count(&f->a, "Stat"), at_b = fake_count(&f->b, "Stat");
    for (int i = 0; i < 10; i++)
        must_ok(fake_stat(f->client, &f->err), &f->err);
    assert_int_equal(fake_count(&f->a, "Stat"), at_a + 5);
    assert_int_equal(fake_count(&f->b, "Stat"), at_b + 5);
}

/* Calls are in the handlers of a; a goes; nobody sees it. */
static void a_replica_may_go_in_the_middle_of_a_call(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    connect_both(f);
    size_t at_a = fake_count(&f->a, "Stat"), at_b = fake_count(&f->b, "Stat");
    hold(&f->a);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stat_in_thread, f->client), 0);
    fake_wait(&f->a, "Stat", at_a + 1);
    fake_stop(&f->a);
    for (size_t i = 0; i < THREADS; i++) {
        void *status = NULL;
        pthread_join(threads[i], &status);
        assert_null(status);
    }
    assert_int_equal(fake_count(&f->b, "Stat"), at_b + THREADS);
    for (int i = 0; i < 10; i++)
        must_ok(fake_stat(f->client, &f->err), &f->err);
    fake_restart(&f->a);
}

/* ---- callbacks ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n, tokens;
    enum grpcc_status status;
    bool on_poller;
};

static void waiter_init(struct waiter *waiter)
{
    memset(waiter, 0, sizeof(*waiter));
    pthread_mutex_init(&waiter->lock, NULL);
    pthread_cond_init(&waiter->changed, NULL);
}

static void waiter_wait(struct waiter *waiter, unsigned n)
{
    pthread_mutex_lock(&waiter->lock);
    while (waiter->n < n)
        pthread_cond_wait(&waiter->changed, &waiter->lock);
    pthread_mutex_unlock(&waiter->lock);
}

static void stat_done(void *data, enum grpcc_status status,
                      struct comb_v1_tree_stat_response *response, const struct grpcc_error *err)
{
    struct waiter *waiter = data;
    assert_true(status ? !response : response != NULL);
    assert_int_equal(status, status ? err->status : status);
    pthread_mutex_lock(&waiter->lock);
    waiter->n++;
    waiter->status = status;
    waiter->on_poller = grpcc_on_poller_thread();
    pthread_cond_broadcast(&waiter->changed);
    pthread_mutex_unlock(&waiter->lock);
}

static void count_tokens(void *data, bool trailing, const char *key, const void *value,
                         size_t length)
{
    struct waiter *waiter = data;
    (void)value;
    assert_true(trailing || length > 0);
    waiter->tokens += strcmp(key, "comb-token") == 0;
}

static void start_stat(struct fixture *f, struct grpcc_arena *arena, struct waiter *waiter,
                       struct grpcc_client_call **ret_call)
{
    /* Gone before the call is over: the library has its own copies. */
    struct grpcc_arena *passing = grpcc_arena_new(0);
    struct grpcc_metadata header = {grpcc_arena_strdup(passing, "x-test"),
                                    grpcc_arena_strdup(passing, "1"), 1};
    struct grpcc_call_options options = {.size = sizeof(options),
                                         .metadata = &header,
                                         .n_metadata = 1,
                                         .on_metadata = count_tokens,
                                         .on_metadata_data = waiter};
    comb_v1_tree_stat_start(comb_client_channel(f->client), arena, &options,
                            comb_v1_tree_stat_request_new(passing), stat_done, waiter, ret_call);
    grpcc_arena_free(passing);
}

static void callbacks_are_repeated_too(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    waiter_init(&waiter);
    fake_set_token(&f->a, "1-a-1");
    fake_set_token(&f->b, "1-a-1");
    fake_fail(&f->a, (struct fake_fault){.times = 2, .status = GRPCC_UNAVAILABLE});
    fake_fail(&f->b, (struct fake_fault){.times = 2, .status = GRPCC_UNAVAILABLE});
    start_stat(f, arena, &waiter, NULL);
    waiter_wait(&waiter, 1);
    assert_int_equal(waiter.status, GRPCC_OK);
    assert_int_equal(waiter.tokens, 1); /* the last attempt's headers alone are shown */
    assert_int_equal(fake_count(&f->a, "Stat") + fake_count(&f->b, "Stat"), 5);
    grpcc_arena_free(arena);
}

static void callbacks_are_cancelled_between_attempts(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter;
    struct grpcc_client_call *call = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct fake_fault busy = {.times = 1000,
                              .status = GRPCC_RESOURCE_EXHAUSTED,
                              .has_pushback = true,
                              .pushback_ms = 20000};
    waiter_init(&waiter);
    fake_fail(&f->a, busy);
    fake_fail(&f->b, busy);
    start_stat(f, arena, &waiter, &call);
    fake_wait(&f->a, "Stat", 1);
    fake_wait(&f->b, "Stat", 1);
    grpcc_client_call_cancel(call);
    waiter_wait(&waiter, 1);
    assert_int_equal(waiter.status, GRPCC_CANCELLED);
    grpcc_client_call_free(call);
    grpcc_arena_free(arena);
}

static void blocking_on_a_poller_is_refused(void *data, enum grpcc_status status,
                                            struct comb_v1_tree_stat_response *response,
                                            const struct grpcc_error *err)
{
    struct fixture *f = ((void **)data)[0];
    struct waiter *waiter = ((void **)data)[1];
    struct grpcc_error own = GRPCC_ERROR_INIT;
    enum grpcc_status refused = fake_stat(f->client, &own);
    (void)status;
    stat_done(waiter, refused, refused ? NULL : response, refused ? &own : err);
}

static void pollers_are_not_blocked(void **state)
{
    struct fixture *f = *state;
    struct waiter waiter;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    void *both[] = {f, &waiter};
    waiter_init(&waiter);
    comb_v1_tree_stat_start(comb_client_channel(f->client), arena, NULL,
                            comb_v1_tree_stat_request_new(arena), blocking_on_a_poller_is_refused,
                            both, NULL);
    waiter_wait(&waiter, 1);
    assert_true(waiter.on_poller);
    assert_int_equal(waiter.status, GRPCC_FAILED_PRECONDITION);
    grpcc_arena_free(arena);
}

/* ---- closing ---- */

static void closing_ends_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    struct waiter waiter;
    struct grpcc_arena *arenas[CALLS];
    waiter_init(&waiter);
    connect_both(f);
    hold(&f->a);
    hold(&f->b);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stat_in_thread, f->client), 0);
    for (size_t i = 0; i < CALLS; i++) {
        arenas[i] = grpcc_arena_new(0);
        start_stat(f, arenas[i], &waiter, NULL);
    }
    fake_wait(&f->a, "Stat", THREADS / 2);
    fake_wait(&f->b, "Stat", THREADS / 2);
    struct comb_v1_data_download_request *request = comb_v1_data_download_request_new(arenas[0]);
    struct comb_v1_data_download_stream *stream =
        comb_v1_data_download_stream_open(comb_client_channel(f->client), NULL, request, &f->err);
    assert_non_null(stream);
    comb_client_close(f->client);
    f->client = NULL;
    waiter_wait(&waiter, CALLS);
    assert_int_equal(waiter.status, GRPCC_CANCELLED);
    for (size_t i = 0; i < THREADS; i++) {
        void *status = NULL;
        pthread_join(threads[i], &status);
        assert_int_equal((intptr_t)status, GRPCC_CANCELLED);
    }
    comb_v1_data_download_stream_free(stream);
    for (size_t i = 0; i < CALLS; i++)
        grpcc_arena_free(arenas[i]);
    fake_release(&f->a);
    fake_release(&f->b);
}

static void handles_answer_after_a_fork(void **state)
{
    struct fixture *f = *state;
    must_ok(fake_stat(f->client, &f->err), &f->err);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        enum grpcc_status status = fake_stat(f->client, &f->err);
        comb_client_close(f->client);
        _exit(status == GRPCC_FAILED_PRECONDITION ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    must_ok(fake_stat(f->client, &f->err), &f->err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replicas_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replica_may_go_in_the_middle_of_a_call, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(callbacks_are_repeated_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(callbacks_are_cancelled_between_attempts, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(pollers_are_not_blocked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closing_ends_what_is_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(handles_answer_after_a_fork, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
