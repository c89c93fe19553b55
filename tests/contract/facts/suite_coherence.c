/* SPDX-License-Identifier: Apache-2.0 */
/* Order between reads and writes: tokens, strong reads, the bound, and what must wait for them. */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "tests/contract/facts/suites.h"

#define FOLDER COMB_V1_NODE_KIND_FOLDER
#define FILE_ COMB_V1_NODE_KIND_FILE
#define ROUNDS 50
/* Fewer than a poll brings at once, and more. */
#define SOME 300
#define MANY 2100

static const struct comb_position NOTHING_SEEN;

static uint64_t revision_of(const struct comb_fact_chain *chain)
{
    assert_true(chain->found);
    return chain->links[0].node->revision;
}

static void own_writes_are_seen(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t revision = fixture_touch(f, &id, &f->written);
        struct comb_ctx *ctx = fixture_call_after_write(f);
        struct comb_fact_chain chain = fixture_chain(f, ctx, &id);
        assert_true(revision_of(&chain) >= revision);
        assert_true(ctx->reached.sequence >= f->written.sequence);
    }
}

static void strong_reads_see_everything(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t revision = fixture_touch(f, &id, &f->written);
        struct comb_ctx *ctx = fixture_call(f);
        ctx->strong = true;
        struct comb_fact_chain chain = fixture_chain(f, ctx, &id);
        assert_true(revision_of(&chain) >= revision);
    }
}

/* Reads of truth that are not cached go through _sync. */
static void sync_covers_the_token(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < ROUNDS; i++) {
        fixture_noise(f, 1);
        struct comb_ctx *ctx = fixture_call_after_write(f);
        must_ok(comb_facts_sync_wait(f->facts, ctx, &f->test.err), &f->test.err);
        assert_true(ctx->reached.sequence >= f->written.sequence);
    }
}

/* What stands in memory, and nothing newer, so that only the poll can tell. */
static uint64_t warm(struct fixture *f, const struct comb_uuid *id)
{
    struct comb_fact_chain chain = fixture_chain(f, fixture_call_after_write(f), id);
    return revision_of(&chain);
}

static void stall_polls(struct fixture *f)
{
    gate_close(f->gate, COMB_SQL_POLL);
    comb_facts_wake(f->facts);
    gate_await(f->gate, COMB_SQL_POLL, 1);
}

/* The poll under way began before these came: it does not count for them. */
static void waits_for_a_poll_that_began_later(void **state)
{
    struct fixture *f = *state;
    struct comb_error err;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    warm(f, &id);
    stall_polls(f);
    uint64_t revision = fixture_touch(f, &id, &f->written);
    struct fixture_read *strong = fixture_read_start(f, &id, true, NOTHING_SEEN);
    struct fixture_read *token = fixture_read_start(f, &id, false, f->written);
    assert_false(fixture_read_is_done(strong));
    assert_false(fixture_read_is_done(token));
    struct comb_fact_chain chain;
    gate_open(f->gate, COMB_SQL_POLL);
    must_ok(fixture_read_end(strong, &chain, &err), &err);
    assert_true(revision_of(&chain) >= revision);
    must_ok(fixture_read_end(token, &chain, &err), &err);
    assert_true(revision_of(&chain) >= revision);
    fixture_read_free(strong);
    fixture_read_free(token);
}

static void stalled_polls_make_reads_wait(void **state)
{
    struct fixture *f = *state;
    struct comb_error err;
    struct comb_fact_chain chain;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    uint64_t before = warm(f, &id);
    stall_polls(f);
    uint64_t revision = fixture_touch(f, &id, &f->written);
    /* Within the bound memory may answer, and what it has is the old state. */
    struct fixture_read *early = fixture_read_start(f, &id, false, NOTHING_SEEN);
    if (fixture_read_is_done(early)) { /* not so on a machine that took 250 ms to get here */
        must_ok(fixture_read_end(early, &chain, &err), &err);
        assert_int_equal(revision_of(&chain), before);
    }
    /* Past it, not even the old state. */
    comb_clock_advance_ns(COMB_FACTS_BOUND_MS * COMB_NS_PER_MS);
    struct fixture_read *late = fixture_read_start(f, &id, false, NOTHING_SEEN);
    assert_false(fixture_read_is_done(late));
    gate_open(f->gate, COMB_SQL_POLL);
    must_ok(fixture_read_end(late, &chain, &err), &err);
    assert_true(revision_of(&chain) >= revision);
    must_ok(fixture_read_end(early, NULL, &err), &err);
    fixture_read_free(early);
    fixture_read_free(late);
}

static void tokens_of_another_history_wait_once(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    warm(f, &id);
    struct comb_ctx *ctx = fixture_call(f);
    ctx->seen = (struct comb_position){.incarnation = f->written.incarnation + 1, .sequence = 1};
    uint64_t waits = fixture_stats(f).waits;
    fixture_chain(f, ctx, &id);
    assert_int_equal(fixture_stats(f).waits, waits + 1);
}

static void deadline_ends_the_wait(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    warm(f, &id);
    stall_polls(f);
    struct comb_ctx *ctx = fixture_call(f);
    struct comb_fact_chain chain = {.n_links = 4711};
    ctx->strong = true;
    ctx->deadline_ns = comb_clock_monotonic_ns() + 10 * COMB_NS_PER_MS;
    must_fail(COMB_DEADLINE_EXCEEDED,
              comb_facts_chain_wait(f->facts, ctx, &id, &chain, &f->test.err), &f->test.err);
    assert_int_equal(chain.n_links, 4711);
    gate_open(f->gate, COMB_SQL_POLL);
}

static void failed_polls_fail_who_waits(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    warm(f, &id);
    gate_refuse(f->gate, COMB_SQL_POLL, COMB_INTERNAL);
    struct comb_ctx *ctx = fixture_call(f);
    struct comb_fact_chain chain;
    ctx->strong = true;
    must_fail(COMB_UNAVAILABLE, comb_facts_chain_wait(f->facts, ctx, &id, &chain, &f->test.err),
              &f->test.err);
    assert_int_equal(f->test.err.reason, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE);
    assert_true(f->test.err.retryable);
    gate_refuse(f->gate, COMB_SQL_POLL, COMB_OK);
    ctx = fixture_call(f);
    ctx->strong = true;
    assert_true(fixture_chain(f, ctx, &id).found);
}

static void failed_reads_are_told(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    struct comb_fact_chain chain;
    gate_refuse(f->gate, COMB_SQL_READ, COMB_UNAVAILABLE);
    must_fail(
        COMB_UNAVAILABLE,
        comb_facts_chain_wait(f->facts, fixture_call_after_write(f), &id, &chain, &f->test.err),
        &f->test.err);
    gate_refuse(f->gate, COMB_SQL_READ, COMB_OK);
    assert_true(fixture_chain(f, fixture_call(f), &id).found);
}

static void too_many_who_wait_are_shed(void **state)
{
    struct fixture *f = *state;
    static struct fixture_read *reads[COMB_FACTS_WAITERS_MAX + 1];
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    struct comb_error err = {0};
    warm(f, &id);
    stall_polls(f);
    for (size_t i = 0; i < COMB_FACTS_WAITERS_MAX; i++) {
        reads[i] = fixture_read_start(f, &id, true, NOTHING_SEEN);
        assert_false(fixture_read_is_done(reads[i]));
    }
    reads[COMB_FACTS_WAITERS_MAX] = fixture_read_start(f, &id, true, NOTHING_SEEN);
    must_fail(COMB_RESOURCE_EXHAUSTED, fixture_read_end(reads[COMB_FACTS_WAITERS_MAX], NULL, &err),
              &err);
    assert_int_equal(err.reason, COMB_V1_ERROR_REASON_OVERLOADED);
    assert_true(err.retry_ms > 0);
    assert_int_equal(fixture_stats(f).shed, 1);
    uint64_t polls = fixture_stats(f).polls;
    gate_open(f->gate, COMB_SQL_POLL);
    for (size_t i = 0; i <= COMB_FACTS_WAITERS_MAX; i++) {
        enum comb_status status = fixture_read_end(reads[i], NULL, &err);
        assert_true(status == COMB_OK || i == COMB_FACTS_WAITERS_MAX);
        fixture_read_free(reads[i]);
    }
    /* Single flight: thousands of calls, a few polls (the held one, theirs, and the clock's). */
    assert_true(fixture_stats(f).polls - polls < 100);
}

static void end_answers_who_waits(void **state)
{
    struct fixture *f = *state;
    struct comb_error err;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    warm(f, &id);
    struct fixture_read *reads[8];
    stall_polls(f);
    for (size_t i = 0; i < 8; i++) {
        reads[i] = fixture_read_start(f, &id, true, NOTHING_SEEN);
    }
    gate_refuse(f->gate, COMB_SQL_POLL, COMB_UNAVAILABLE);
    gate_open(f->gate, COMB_SQL_POLL);
    comb_facts_free(f->facts);
    f->facts = NULL;
    for (size_t i = 0; i < 8; i++) {
        must_fail(COMB_UNAVAILABLE, fixture_read_end(reads[i], NULL, &err), &err);
        fixture_read_free(reads[i]);
    }
}

/* The node is read, it changes, the change is applied to memory, and then the old state arrives. */
static void late_fill_is_refused(void **state)
{
    struct fixture *f = *state;
    struct comb_error *err = &f->test.err;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    uint64_t dropped = fixture_stats(f).dropped_fills;
    gate_close(f->gate, COMB_SQL_READ);
    struct fixture_read *read = fixture_read_start(f, &id, false, f->written);
    gate_await(f->gate, COMB_SQL_READ, 1);
    fixture_touch(f, &id, &f->written);
    must_ok(comb_facts_sync_wait(f->facts, fixture_call_after_write(f), err), err);
    gate_open(f->gate, COMB_SQL_READ);
    struct comb_fact_chain chain;
    must_ok(fixture_read_end(read, &chain, err), err);
    assert_int_equal(revision_of(&chain), 1); /* what the statement saw */
    fixture_read_free(read);
    assert_true(fixture_stats(f).dropped_fills > dropped);
    /* Had it been remembered, this would answer 1 from memory: within the bound, but for ever. */
    chain = fixture_chain(f, fixture_call(f), &id);
    assert_int_equal(revision_of(&chain), 2);
}

/* ---- the feed ---- */

struct listened {
    size_t n;
    struct comb_cursor last;
    struct comb_uuid subject;
    bool lost, in_order;
};

static void listen(void *data, const struct comb_feed_record *record)
{
    struct listened *listened = data;
    if (record == NULL) {
        listened->lost = true;
        return;
    }
    listened->in_order &= record->cursor.sequence > listened->last.sequence;
    listened->last = record->cursor;
    listened->subject = record->entry.subject;
    listened->n++;
}

/* What a listener hears of n changes that mean nothing, which one poll brings, and of some files
 * behind them, of which *ret_last is the last. */
static struct listened listen_to(struct fixture *f, size_t n, struct comb_uuid *ret_last)
{
    static const char *const NAMES[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct comb_error *err = &f->test.err;
    struct listened listened = {.in_order = true};
    must_ok(comb_facts_new(gate_sql(f->gate), NULL, &f->facts, err), err);
    must_ok(comb_facts_listen(f->facts, listen, &listened, err), err);
    must_ok(comb_facts_start(f->facts, err), err);
    must_fail(COMB_FAILED_PRECONDITION, comb_facts_listen(f->facts, listen, NULL, err), err);
    stall_polls(f);
    fixture_noise(f, n);
    gate_open(f->gate, COMB_SQL_POLL);
    must_ok(comb_facts_sync_wait(f->facts, fixture_call_after_write(f), err), err);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        *ret_last = fixture_create(f, &f->root, NAMES[i], FILE_).id;
    }
    must_ok(comb_facts_sync_wait(f->facts, fixture_call_after_write(f), err), err);
    comb_facts_free(f->facts); /* the thread has ended: listened is ours */
    f->facts = NULL;
    return listened;
}

static void listeners_hear_all_in_order(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid last;
    struct listened listened = listen_to(f, SOME, &last);
    assert_true(listened.in_order);
    assert_false(listened.lost);
    assert_int_equal(listened.n, SOME + 10);
    assert_true(comb_uuid_equal(&listened.subject, &last));
}

/* All of them, or that nothing is known any more; and what comes later in any case. */
static void listeners_are_told_of_what_is_too_much(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid last;
    struct listened listened = listen_to(f, MANY, &last);
    assert_true(listened.in_order);
    assert_true(listened.lost || listened.n == MANY + 10);
    assert_true(listened.n >= 10);
    assert_true(comb_uuid_equal(&listened.subject, &last));
}

/* Entries that fell to the retention before they were polled: nothing remembered may be trusted. */
static void gap_forgets_everything(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = fixture_create(f, &f->root, "a", FILE_).id;
    warm(f, &id);
    stall_polls(f);
    uint64_t revision = fixture_touch(f, &id, &f->written);
    fixture_trim(f);
    for (int more = 0; more <= 1; more++) { /* with nothing behind the gap, and with something */
        gate_open(f->gate, COMB_SQL_POLL);
        struct comb_fact_chain chain = fixture_chain(f, fixture_call_after_write(f), &id);
        assert_true(revision_of(&chain) >= revision);
        if (more == 0) {
            stall_polls(f);
            revision = fixture_touch(f, &id, &f->written);
            fixture_trim(f);
            fixture_noise(f, 1);
        }
    }
}

static void memory_stays_in_its_bound(void **state)
{
    struct fixture *f = *state;
    enum { BYTES = 64 * 1024, NODES = 800 };
    fixture_start(f, &(struct comb_facts_options){.bytes_max = BYTES});
    char name[32];
    size_t most = 0;
    for (int i = 0; i < NODES; i++) { /* about 400 bytes each, with its name */
        snprintf(name, sizeof name, "file %d", i);
        struct comb_uuid id = fixture_create(f, &f->root, name, FILE_).id;
        struct comb_fact_chain chain = fixture_path(f, fixture_call_after_write(f), &f->root, name);
        assert_true(chain.found);
        assert_true(comb_uuid_equal(&chain.links[0].node->id, &id));
        size_t bytes = fixture_stats(f).bytes;
        most = bytes > most ? bytes : most;
    }
    assert_true(most <= BYTES);
    assert_true(most > BYTES / 4);
}

int run_suite_coherence(void)
{
    const struct CMUnitTest tests[] = {
        FACTS_TEST(own_writes_are_seen),
        FACTS_TEST(strong_reads_see_everything),
        FACTS_TEST(sync_covers_the_token),
        FACTS_TEST(waits_for_a_poll_that_began_later),
        FACTS_TEST(stalled_polls_make_reads_wait),
        FACTS_TEST(tokens_of_another_history_wait_once),
        FACTS_TEST(deadline_ends_the_wait),
        FACTS_TEST(failed_polls_fail_who_waits),
        FACTS_TEST(failed_reads_are_told),
        FACTS_TEST(too_many_who_wait_are_shed),
        FACTS_TEST(end_answers_who_waits),
        FACTS_TEST(late_fill_is_refused),
        cmocka_unit_test_setup_teardown(listeners_hear_all_in_order, fixture_setup_unstarted,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(listeners_are_told_of_what_is_too_much,
                                        fixture_setup_unstarted, fixture_teardown),
        FACTS_TEST(gap_forgets_everything),
        FACTS_TEST(memory_stays_in_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
