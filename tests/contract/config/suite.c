/* SPDX-License-Identifier: Apache-2.0 */
/* What every driver of the configuration row must do. Knows the interface, never a driver's name.
 */
#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "tests/contract/config/fixture.h"

static void a_value_is_there_until_it_is_deleted(void **state)
{
    struct config_fixture *f = *state;
    config_must_hold(f, "/a", NULL);
    int64_t first = config_set(f, "/a", "1");
    assert_int_equal(config_must_hold(f, "/a", "1"), first);
    int64_t second = config_set(f, "/a", "{\"x\":[1,2.5,null,true,\"\\u00e9\"]}");
    assert_true(second > first);
    config_must_hold(f, "/a", "{\"x\":[1,2.5,null,true,\"\xc3\xa9\"]}");
    int64_t deleted = config_set(f, "/a", NULL);
    assert_true(deleted > second);
    config_must_hold(f, "/a", NULL);
    /* What is not there is deleted already. */
    config_set(f, "/a", NULL);
    config_set(f, "/never", NULL);
}

static void an_entry_says_who_and_when(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_entry entry;
    config_set(f, "/a/b.c/d-e_f", "\"x\"");
    must_ok(
        comb_config_store_get(f->store, &f->test.ctx, STR("/a/b.c/d-e_f"), &entry, &f->test.err),
        &f->test.err);
    assert_true(comb_str_equal(entry.actor, STR("tester")));
    assert_true(entry.time_us > 1600000000LL * 1000000);
}

static void a_revision_that_does_not_hold_changes_nothing(void **state)
{
    struct config_fixture *f = *state;
    int64_t revision = config_set(f, "/a", "1"), ignored;
    must_fail(COMB_FAILED_PRECONDITION, config_try_set(f, "/a", "2", revision + 1, &ignored),
              &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_ETAG_MISMATCH);
    assert_string_equal(f->test.err.subject, "/a");
    must_fail(COMB_FAILED_PRECONDITION, config_try_set(f, "/a", "2", 0, &ignored), &f->test.err);
    must_fail(COMB_FAILED_PRECONDITION, config_try_set(f, "/b", "2", revision, &ignored),
              &f->test.err);
    config_must_hold(f, "/a", "1");
    config_must_hold(f, "/b", NULL);
    must_ok(config_try_set(f, "/a", "2", revision, &revision), &f->test.err);
    must_ok(config_try_set(f, "/b", "2", 0, &ignored), &f->test.err);
    must_ok(config_try_set(f, "/a", NULL, revision, &ignored), &f->test.err);
    /* Deleted: as if it had never been. */
    must_ok(config_try_set(f, "/a", "3", 0, &ignored), &f->test.err);
}

static enum comb_status apply(struct config_fixture *f, const struct comb_config_change *changes,
                              size_t n, const char *request, uint8_t hash,
                              struct comb_config_outcome *ret_outcome)
{
    const struct comb_config_batch batch = {.changes = changes,
                                            .n = n,
                                            .actor = STR("tester"),
                                            .request = comb_str_from(request),
                                            .hash = {hash}};
    return comb_config_store_apply(f->store, &f->test.ctx, &batch, ret_outcome, &f->test.err);
}

static void many_paths_change_together_or_not_at_all(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_outcome outcome = {0};
    int64_t revision = config_set(f, "/a", "1");
    struct comb_config_change changes[] = {
        {.path = STR("/a"), .value = STR("2"), .has_expected = true, .expected = revision},
        {.path = STR("/b"), .value = STR("2")},
        {.path = STR("/c"), .value = STR("2"), .has_expected = true, .expected = revision},
    };
    must_fail(COMB_FAILED_PRECONDITION, apply(f, changes, 3, "r1", 1, &outcome), &f->test.err);
    assert_string_equal(f->test.err.subject, "/c");
    config_must_hold(f, "/a", "1");
    config_must_hold(f, "/b", NULL);
    changes[2].expected = 0;
    must_ok(apply(f, changes, 3, "r2", 1, &outcome), &f->test.err);
    assert_int_equal(config_must_hold(f, "/a", "2"), outcome.revision);
    assert_int_equal(config_must_hold(f, "/b", "2"), outcome.revision);
    assert_int_equal(config_must_hold(f, "/c", "2"), outcome.revision);
    /* One that is only compared. */
    changes[0] = (struct comb_config_change){
        .path = STR("/a"), .compare_only = true, .has_expected = true, .expected = revision};
    must_fail(COMB_FAILED_PRECONDITION, apply(f, changes, 2, "r3", 1, &outcome), &f->test.err);
    changes[0].expected = outcome.revision;
    changes[1].value = STR("3");
    must_ok(apply(f, changes, 2, "r4", 1, &outcome), &f->test.err);
    config_must_hold(f, "/b", "3");
    config_must_hold(f, "/a", "2");
    assert_true(config_must_hold(f, "/a", "2") < outcome.revision);
}

static void a_request_is_done_once(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_outcome first = {0}, again = {0};
    const struct comb_config_change change = {
        .path = STR("/a"), .value = STR("1"), .has_expected = true};
    must_ok(apply(f, &change, 1, "user/Set/1", 1, &first), &f->test.err);
    assert_false(first.replayed);
    config_set(f, "/a", "2");
    for (int i = 0; i < 2; i++) {
        must_ok(apply(f, &change, 1, "user/Set/1", 1, &again), &f->test.err);
        assert_true(again.replayed);
        assert_int_equal(again.revision, first.revision);
        config_must_hold(f, "/a", "2");
        config_reopen(f);
    }
    must_fail(COMB_INVALID_ARGUMENT, apply(f, &change, 1, "user/Set/1", 2, &again), &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_REQUEST_ID_REUSED);
    /* One that failed was not done. */
    must_fail(COMB_FAILED_PRECONDITION, apply(f, &change, 1, "user/Set/2", 1, &again),
              &f->test.err);
    config_set(f, "/a", NULL);
    must_ok(apply(f, &change, 1, "user/Set/2", 1, &again), &f->test.err);
    assert_false(again.replayed);
}

static void lists_are_pages_in_order(void **state)
{
    struct config_fixture *f = *state;
    static const char *const paths[] = {"/a/c", "/b", "/a/b/c", "/a", "/a-b", "/a/b", "/a/b.c"};
    static const char *const below_a[] = {"/a/b", "/a/b.c", "/a/b/c", "/a/c"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        config_set(f, paths[i], "1");
    comb_str after = {0};
    struct comb_config_entries page;
    for (size_t i = 0; i < 4; i++) {
        must_ok(comb_config_store_list(f->store, &f->test.ctx, STR("/a/"), after, 1, &page,
                                       &f->test.err),
                &f->test.err);
        assert_int_equal(page.n, 1);
        assert_true(comb_str_equal(page.items[0].path, comb_str_from(below_a[i])));
        assert_int_equal(page.more, i < 3);
        after = page.items[0].path;
    }
    must_ok(comb_config_store_list(f->store, &f->test.ctx, STR("/"), (comb_str){0}, 100, &page,
                                   &f->test.err),
            &f->test.err);
    assert_int_equal(page.n, 7);
    assert_false(page.more);
    assert_true(page.revision >= page.items[6].revision);
    must_ok(comb_config_store_list(f->store, &f->test.ctx, STR("/none/"), (comb_str){0}, 100, &page,
                                   &f->test.err),
            &f->test.err);
    assert_int_equal(page.n, 0);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_config_store_list(f->store, &f->test.ctx, STR("/a"), (comb_str){0}, 100, &page,
                                     &f->test.err),
              &f->test.err);
}

static void history_is_newest_first_and_bounded(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_entries page;
    int64_t revisions[COMB_CONFIG_HISTORY_MAX + 4];
    char value[32];
    enum { N = COMB_CONFIG_HISTORY_MAX + 4 };
    config_set(f, "/a-b", "0");
    for (int i = 0; i < N - 1; i++) {
        snprintf(value, sizeof value, "%d", i);
        revisions[i] = config_set(f, "/a", value);
    }
    revisions[N - 1] = config_set(f, "/a", NULL);
    must_ok(
        comb_config_store_history(f->store, &f->test.ctx, STR("/a"), 0, 1000, &page, &f->test.err),
        &f->test.err);
    assert_int_equal(page.n, COMB_CONFIG_HISTORY_MAX);
    assert_null(page.items[0].value.ptr);
    for (size_t i = 0; i < page.n; i++)
        assert_int_equal(page.items[i].revision, revisions[N - 1 - (int)i]);
    assert_true(comb_str_equal(page.items[1].value, comb_str_from(value)));
    must_ok(comb_config_store_history(f->store, &f->test.ctx, STR("/a"), revisions[N - 1], 2, &page,
                                      &f->test.err),
            &f->test.err);
    assert_int_equal(page.n, 2);
    assert_true(page.more);
    assert_int_equal(page.items[0].revision, revisions[N - 2]);
    must_ok(
        comb_config_store_history(f->store, &f->test.ctx, STR("/none"), 0, 10, &page, &f->test.err),
        &f->test.err);
    assert_int_equal(page.n, 0);
}

static void all_outlives_the_process(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_entries page;
    config_set(f, "/a", "1");
    int64_t revision = config_set(f, "/a", "{\"b\":1}");
    config_set(f, "/gone", "1");
    config_set(f, "/gone", NULL);
    config_reopen(f);
    assert_int_equal(config_must_hold(f, "/a", "{\"b\":1}"), revision);
    config_must_hold(f, "/gone", NULL);
    must_ok(
        comb_config_store_history(f->store, &f->test.ctx, STR("/a"), 0, 10, &page, &f->test.err),
        &f->test.err);
    assert_int_equal(page.n, 2);
    assert_true(config_set(f, "/b", "1") > revision);
}

static void limits_are_kept(void **state)
{
    struct config_fixture *f = *state;
    static const char *const bad[] = {"",        "/",    "a",    "/a/",       "//a",   "/a//b",
                                      "/a/../b", "/./a", "/a b", "/\xc3\xa4", "/a\x01"};
    int64_t ignored;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT, config_try_set(f, bad[i], "1", -1, &ignored),
                  &f->test.err);
    char path[COMB_CONFIG_PATH_BYTES_MAX + 2];
    memset(path, 'p', sizeof path);
    path[0] = '/';
    path[COMB_CONFIG_PATH_BYTES_MAX + 1] = '\0';
    must_fail(COMB_INVALID_ARGUMENT, config_try_set(f, path, "1", -1, &ignored), &f->test.err);
    path[COMB_CONFIG_PATH_BYTES_MAX] = '\0';
    config_set(f, path, "1");
    static char value[COMB_CONFIG_VALUE_BYTES_MAX + 2];
    memset(value, 'v', sizeof value);
    value[0] = '"';
    value[COMB_CONFIG_VALUE_BYTES_MAX] = '"';
    value[COMB_CONFIG_VALUE_BYTES_MAX + 1] = '\0';
    must_fail(COMB_RESOURCE_EXHAUSTED, config_try_set(f, "/v", value, -1, &ignored), &f->test.err);
    value[COMB_CONFIG_VALUE_BYTES_MAX - 1] = '"';
    value[COMB_CONFIG_VALUE_BYTES_MAX] = '\0';
    config_set(f, "/v", value);
    config_must_hold(f, "/v", value);
}

static void the_largest_batch_fits(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_change changes[COMB_CONFIG_CHANGES_MAX + 1];
    static char value[COMB_CONFIG_CALL_BYTES_MAX / COMB_CONFIG_CHANGES_MAX];
    char paths[COMB_CONFIG_CHANGES_MAX + 1][16];
    struct comb_config_outcome outcome;
    memset(value, 'v', sizeof value);
    value[0] = value[sizeof value - 1] = '"';
    for (int i = 0; i <= COMB_CONFIG_CHANGES_MAX; i++) {
        snprintf(paths[i], sizeof paths[i], "/n/%d", i);
        changes[i] = (struct comb_config_change){.path = comb_str_from(paths[i]),
                                                 .value = comb_str_of(value, sizeof value)};
    }
    must_ok(apply(f, changes, COMB_CONFIG_CHANGES_MAX, "big", 1, &outcome), &f->test.err);
    must_fail(COMB_INVALID_ARGUMENT,
              apply(f, changes, COMB_CONFIG_CHANGES_MAX + 1, "more", 1, &outcome), &f->test.err);
    /* The same once more, now with states that each value had before. */
    must_ok(apply(f, changes, COMB_CONFIG_CHANGES_MAX, "big again", 1, &outcome), &f->test.err);
    changes[1].path = changes[0].path;
    must_fail(COMB_INVALID_ARGUMENT, apply(f, changes, 2, "twice", 1, &outcome), &f->test.err);
}

static void a_mark_never_falls(void **state)
{
    struct config_fixture *f = *state;
    uint64_t highest = 77;
    static const struct {
        uint64_t raise, is;
    } steps[] = {{0, 0}, {5, 5}, {3, 5}, {0, 5}, {INT64_MAX, INT64_MAX}, {1, INT64_MAX}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        must_ok(comb_config_store_mark(f->store, &f->test.ctx, STR("sql"), steps[i].raise, &highest,
                                       &f->test.err),
                &f->test.err);
        assert_true(highest == steps[i].is);
        config_reopen(f);
    }
    must_ok(comb_config_store_mark(f->store, &f->test.ctx, STR("other"), 0, &highest, &f->test.err),
            &f->test.err);
    assert_true(highest == 0);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_config_store_mark(f->store, &f->test.ctx, STR("a/b"), 0, &highest, &f->test.err),
              &f->test.err);
}

static void an_observer_is_told_everything_and_each_change(void **state)
{
    struct config_fixture *f = *state;
    struct config_witness witness;
    config_witness_init(&witness);
    const struct comb_config_observer observer = config_witness_observer(&witness);
    config_set(f, "/a", "1");
    must_ok(comb_config_store_watch(f->store, &observer, &f->test.err), &f->test.err);
    config_await_value(&witness, "/a", "1");
    config_await_count(&witness, &witness.found, 1);
    config_set(f, "/b", "2");
    config_await_value(&witness, "/b", "2");
    for (int i = 0; i < 20; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        config_set(f, "/c", value);
    }
    config_await_value(&witness, "/c", "19");
    int64_t revision = config_set(f, "/c", NULL);
    config_await_value(&witness, "/c", "-");
    assert_int_equal(witness.revision, revision);
    assert_int_equal(witness.changes, 22);
    assert_int_equal(witness.everything, 1);
    assert_int_equal(witness.lost, 0);
    assert_true(witness.in_order);
    config_reopen(f);
}

static void who_has_no_memory_is_told_again(void **state)
{
    struct config_fixture *f = *state;
    struct config_witness witness;
    config_witness_init(&witness);
    const struct comb_config_observer observer = config_witness_observer(&witness);
    must_ok(comb_config_store_watch(f->store, &observer, &f->test.err), &f->test.err);
    config_await_count(&witness, &witness.everything, 1);
    pthread_mutex_lock(&witness.lock);
    witness.refuse = 2; /* a change, and then everything */
    pthread_mutex_unlock(&witness.lock);
    config_set(f, "/a", "1");
    config_await_count(&witness, &witness.everything, 3);
    config_await_value(&witness, "/a", "1");
    config_set(f, "/b", "2");
    config_await_value(&witness, "/b", "2");
    config_reopen(f);
}

static void a_past_deadline_is_told(void **state)
{
    struct config_fixture *f = *state;
    struct comb_config_entry entry;
    f->test.ctx.deadline_ns = 1;
    must_fail(COMB_DEADLINE_EXCEEDED,
              comb_config_store_get(f->store, &f->test.ctx, STR("/a"), &entry, &f->test.err),
              &f->test.err);
}

static void the_store_can_be_checked(void **state)
{
    struct config_fixture *f = *state;
    struct comb_store_status status;
    must_ok(comb_config_store_check(f->store, &f->test.ctx, &f->test.err), &f->test.err);
    comb_config_store_status(f->store, &status);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_int_equal(status.shared, (f->store->driver->caps & COMB_CONFIG_CAP_SHARED) != 0);
    assert_string_equal(status.driver, f->store->driver->name);
    /* It left nothing behind. */
    struct comb_config_entries page;
    must_ok(comb_config_store_list(f->store, &f->test.ctx, STR("/"), (comb_str){0}, 10, &page,
                                   &f->test.err),
            &f->test.err);
    assert_int_equal(page.n, 0);
}

/* ---- many at once ---- */

enum { THREADS = 4, ROUNDS = 25 };

struct racer {
    struct config_fixture *f;
    int n_won;
};

/* Counts up by compare-and-set. */
static void *race(void *data)
{
    struct racer *racer = data;
    struct config_fixture own = {.store = racer->f->store};
    test_ctx_init(&own.test);
    while (racer->n_won < ROUNDS) {
        struct comb_config_entry entry = {0};
        char value[16];
        int64_t ignored;
        test_ctx_next(&own.test);
        enum comb_status status =
            comb_config_store_get(own.store, &own.test.ctx, STR("/counter"), &entry, &own.test.err);
        if (status != COMB_OK)
            break;
        snprintf(value, sizeof value, "%d",
                 (int)strtol(comb_str_dup(own.test.ctx.arena, entry.value), NULL, 10) + 1);
        status = config_try_set(&own, "/counter", value, entry.revision, &ignored);
        if (status == COMB_OK)
            racer->n_won++;
        else if (status != COMB_FAILED_PRECONDITION)
            break;
    }
    test_ctx_done(&own.test);
    return NULL;
}

static void no_increment_is_lost(void **state)
{
    struct config_fixture *f = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    char expected[16];
    config_set(f, "/counter", "0");
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(racers[i].n_won, ROUNDS);
    }
    snprintf(expected, sizeof expected, "%d", THREADS * ROUNDS);
    config_must_hold(f, "/counter", expected);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, config_setup, config_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_value_is_there_until_it_is_deleted),
        CASE(an_entry_says_who_and_when),
        CASE(a_revision_that_does_not_hold_changes_nothing),
        CASE(many_paths_change_together_or_not_at_all),
        CASE(a_request_is_done_once),
        CASE(lists_are_pages_in_order),
        CASE(history_is_newest_first_and_bounded),
        CASE(all_outlives_the_process),
        CASE(limits_are_kept),
        CASE(the_largest_batch_fits),
        CASE(a_mark_never_falls),
        CASE(an_observer_is_told_everything_and_each_change),
        CASE(who_has_no_memory_is_told_again),
        CASE(a_past_deadline_is_told),
        CASE(the_store_can_be_checked),
        CASE(no_increment_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
