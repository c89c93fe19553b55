/* SPDX-License-Identifier: Apache-2.0 */
/* The same request id gives the first outcome again (CONSISTENCY 6). */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "tests/contract/sql/mutation_fixture.h"

static void a_repetition_gets_the_first_outcome(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a", .outcome = STR("first")};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    uint64_t position = t->ctx.reached.sequence;
    create.outcome = STR("second");
    const char *const names[] = {"a", "b"}; /* decided otherwise, or the same */
    for (size_t i = 0; i < N_OF(names); i++) {
        test_ctx_next(t);
        create.name = names[i];
        create.nothing = false;
        must_ok(run_create(&create, t, &key, &outcome), &t->err);
        assert_true(outcome.replayed);
        assert_true(comb_str_equal(outcome.bytes, STR("first")));
        assert_true(t->ctx.reached.sequence >= position);
        create.nothing = true;
        must_ok(run_create(&create, t, &key, &outcome), &t->err);
        assert_true(outcome.replayed);
        assert_true(comb_str_equal(outcome.bytes, STR("first")));
    }
    assert_int_equal(count_nodes(m), 1);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), 1);
    assert_int_equal(m->committed, 1);
}

static void a_repetition_that_would_now_be_refused_gets_it_too(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a", .outcome = STR("first")};
    struct comb_request_key key = new_key("a"), other = new_key("a");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    write_text(m, "UPDATE node SET acl_rev = 2 WHERE name = 'folder'");
    create.must_allow = true;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_true(outcome.replayed);
    must_fail(COMB_PERMISSION_DENIED, run_create(&create, t, &other, &outcome), &t->err);
}

/* The first attempt stands still; the second is refused; then the first goes on. */
static void a_refusal_of_a_repetition_stands(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    char msg[sizeof t->err.msg];
    write_text(m, "UPDATE node SET acl_rev = 2 WHERE name = 'folder'");
    create.must_allow = true;
    t->ctx.repeated = true;
    must_fail(COMB_PERMISSION_DENIED, run_create(&create, t, &key, &outcome), &t->err);
    memcpy(msg, t->err.msg, sizeof msg);
    int reason = t->err.reason;
    create.must_allow = false;
    for (int i = 0; i < 3; i++) {
        test_ctx_next(t);
        t->ctx.repeated = i == 1;
        create.nothing = i == 2;
        must_fail(COMB_PERMISSION_DENIED, run_create(&create, t, &key, &outcome), &t->err);
        assert_string_equal(t->err.msg, msg);
        assert_int_equal(t->err.reason, reason);
    }
    assert_int_equal(count_nodes(m), 0);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), 0);
    assert_int_equal(number(m->f, "SELECT count(*) FROM audit_intake"), 0);
}

/* Nothing is kept for who was answered, or was not sent before: it may succeed another time. */
static void a_refusal_of_a_first_attempt_is_not_kept(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a", .must_allow = true};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    write_text(m, "UPDATE node SET acl_rev = 2 WHERE name = 'folder'");
    must_fail(COMB_PERMISSION_DENIED, run_create(&create, t, &key, &outcome), &t->err);
    create.must_allow = false;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_false(outcome.replayed);
    /* What has been done is done, whatever would be refused by now. */
    create.must_allow = t->ctx.repeated = true;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_true(outcome.replayed);
    assert_int_equal(count_nodes(m), 1);
}

static void an_id_used_for_something_else_is_refused(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key key = new_key("a"), other = new_key("b");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    other.id = key.id;
    create.name = "b";
    must_fail(COMB_INVALID_ARGUMENT, run_create(&create, t, &other, &outcome), &t->err);
    assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_REQUEST_ID_REUSED);
    create.nothing = true;
    must_fail(COMB_INVALID_ARGUMENT, run_create(&create, t, &other, &outcome), &t->err);
    assert_int_equal(count_nodes(m), 1);
}

static void ids_of_others_and_of_other_methods_do_not_meet(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    create.name = "b";
    t->ctx.method = STR("/comb.v1.Test/Other");
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_false(outcome.replayed);
    create.name = "c";
    t->ctx.principal = NULL;
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_false(outcome.replayed);
    assert_int_equal(count_nodes(m), 3);
}

enum { REPEATERS = 8, ROUNDS = 10 };

struct repeater {
    struct mutation_fixture *m;
    const struct comb_request_key *keys;
    pthread_t thread;
    int executed;
};

/* All of them send the same requests at the same time, each with an outcome of its own. */
static void *repeat(void *data)
{
    struct repeater *repeater = data;
    struct test_ctx t;
    test_ctx_init(&t);
    t.principal = repeater->m->f->t.principal;
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "node %d", i);
        struct create create = {.m = repeater->m, .name = name, .outcome = comb_str_from(name)};
        struct comb_outcome outcome;
        must_ok(run_create(&create, &t, &repeater->keys[i], &outcome), &t.err);
        assert_true(comb_str_equal(outcome.bytes, comb_str_from(name)));
        repeater->executed += !outcome.replayed;
        test_ctx_next(&t);
    }
    test_ctx_done(&t);
    return NULL;
}

static void concurrent_repetitions_are_executed_once(void **state)
{
    struct mutation_fixture *m = *state;
    struct comb_request_key keys[ROUNDS];
    struct repeater repeaters[REPEATERS];
    int executed = 0;
    for (int i = 0; i < ROUNDS; i++)
        keys[i] = new_key("x");
    for (int i = 0; i < REPEATERS; i++) {
        repeaters[i] = (struct repeater){.m = m, .keys = keys};
        assert_int_equal(pthread_create(&repeaters[i].thread, NULL, repeat, &repeaters[i]), 0);
    }
    for (int i = 0; i < REPEATERS; i++) {
        pthread_join(repeaters[i].thread, NULL);
        executed += repeaters[i].executed;
    }
    assert_int_equal(executed, ROUNDS);
    assert_int_equal(count_nodes(m), ROUNDS);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), ROUNDS);
}

static void a_lost_answer_is_found_by_the_request_id(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a", .outcome = STR("kept")};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    uint64_t before = position_now(m);
    test_fault_sql_arm(&m->sql, TEST_SQL_LOSE, TEST_SQL_WRITES, 1, 1);
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_true(comb_str_equal(outcome.bytes, STR("kept")));
    assert_true(t->ctx.reached.sequence > before && t->ctx.reached.sequence <= position_now(m));
    assert_int_equal(count_nodes(m), 1);
}

static void a_refused_write_is_an_error_and_can_be_repeated(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    test_fault_sql_arm(&m->sql, TEST_SQL_REFUSE, TEST_SQL_WRITES, 1, 1);
    must_fail(COMB_UNAVAILABLE, run_create(&create, t, &key, &outcome), &t->err);
    assert_false(t->err.ambiguous);
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_false(outcome.replayed);
    assert_int_equal(count_nodes(m), 1);
}

/* The answer is lost, and the look-up fails too: nobody may say that nothing was written. */
static void what_cannot_be_resolved_stays_ambiguous(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = "a"};
    struct comb_request_key key = new_key("a");
    struct comb_outcome outcome;
    test_fault_sql_arm(&m->sql, TEST_SQL_LOSE, TEST_SQL_WRITES | TEST_SQL_READS, 1, 2);
    must_fail(COMB_UNAVAILABLE, run_create(&create, t, &key, &outcome), &t->err);
    assert_true(t->err.ambiguous);
    must_ok(run_create(&create, t, &key, &outcome), &t->err);
    assert_true(outcome.replayed);
    assert_int_equal(count_nodes(m), 1);
}

/* Sends the request again, as who was told of a failure does, and once more. A session that was
 * lost takes its time to come back. */
static void insist(struct mutation_fixture *m, const char *name, const struct comb_request_key *key)
{
    enum { TRIES = 20 };
    struct test_ctx *t = &m->f->t;
    struct create create = {.m = m, .name = name, .outcome = comb_str_from(name)};
    struct comb_outcome outcome;
    for (int i = 0; i < 2; i++) {
        enum comb_status status = COMB_UNAVAILABLE;
        for (int n = 0; n < TRIES && status == COMB_UNAVAILABLE; n++) {
            test_ctx_next(t);
            status = run_create(&create, t, key, &outcome);
        }
        must_ok(status, &t->err);
        assert_true(comb_str_equal(outcome.bytes, comb_str_from(name)));
    }
    assert_true(outcome.replayed);
}

static void each_answer_is_lost_or_refused_in_turn(void **state)
{
    struct mutation_fixture *m = *state;
    int made = 0;
    for (int fault = TEST_SQL_REFUSE; fault <= TEST_SQL_LOSE; fault++) {
        for (long n = 1; n <= 3; n++) {
            for (long faults = 1; faults <= 3; faults++) {
                char name[16];
                snprintf(name, sizeof name, "n%d", made++);
                struct comb_request_key key = new_key(name);
                test_fault_sql_arm(&m->sql, (enum test_sql_fault)fault,
                                   TEST_SQL_WRITES | TEST_SQL_READS, n, faults);
                struct create create = {.m = m, .name = name, .outcome = comb_str_from(name)};
                struct comb_outcome outcome;
                test_ctx_next(&m->f->t);
                if (run_create(&create, &m->f->t, &key, &outcome) != COMB_OK)
                    assert_int_equal(m->f->t.err.status, COMB_UNAVAILABLE);
                test_fault_sql_arm(&m->sql, TEST_SQL_REFUSE, 0, 0, 0);
                insist(m, name, &key);
            }
        }
    }
    assert_int_equal(count_nodes(m), made);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), made);
    assert_int_equal(number(m->f, "SELECT count(*) FROM request"), made);
}

static void each_allocation_fails_in_turn(void **state)
{
    struct mutation_fixture *m = *state;
    bool hit = true;
    int made = 0;
    for (long n = 1; hit; n++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", made++);
        struct comb_request_key key = new_key(name);
        struct create create = {.m = m, .name = name, .outcome = comb_str_from(name)};
        struct comb_outcome outcome;
        test_ctx_next(&m->f->t);
        test_fault_arm(n);
        enum comb_status status = run_create(&create, &m->f->t, &key, &outcome);
        hit = test_fault_disarm();
        assert_true(hit || status == COMB_OK);
        insist(m, name, &key);
        assert_true(n < 1000);
    }
    assert_int_equal(count_nodes(m), made);
    assert_int_equal(number(m->f, "SELECT count(*) FROM feed"), made);
}

static void key_of(struct comb_uuid *id, int64_t time_us, char text[COMB_UUID_TEXT_LENGTH + 1])
{
    *id = comb_uuid_new();
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(time_us / 1000 >> (40 - 8 * i));
    comb_uuid_format(id, text);
}

static void a_request_id_must_be_new_and_of_its_time(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    int64_t now_us = comb_clock_wall_us(), minute_us = 60 * COMB_US_PER_S;
    const struct {
        int64_t time_us;
        enum comb_status status;
        int reason;
    } samples[] = {
        {now_us, COMB_OK, 0},
        {now_us - COMB_REQUEST_ID_KEEP_US + minute_us, COMB_OK, 0},
        {now_us + COMB_REQUEST_ID_AHEAD_US - minute_us, COMB_OK, 0},
        {now_us - COMB_REQUEST_ID_KEEP_US - minute_us, COMB_OUT_OF_RANGE,
         COMB_V1_ERROR_REASON_REQUEST_ID_EXPIRED},
        {now_us + COMB_REQUEST_ID_AHEAD_US + minute_us, COMB_INVALID_ARGUMENT,
         COMB_V1_ERROR_REASON_REQUEST_ID_INVALID},
    };
    for (size_t i = 0; i < N_OF(samples); i++) {
        struct comb_request_key key;
        struct comb_uuid id;
        char text[COMB_UUID_TEXT_LENGTH + 1];
        key_of(&id, samples[i].time_us, text);
        enum comb_status status = comb_request_key_init(&key, comb_str_from(text), STR("request"),
                                                        comb_str_from(text), &t->err);
        assert_int_equal(status, samples[i].status);
        if (status == COMB_OK)
            assert_true(comb_uuid_equal(&key.id, &id));
        else
            assert_int_equal(t->err.reason, samples[i].reason);
    }
}

static void a_request_id_must_be_a_uuid_and_the_headers(void **state)
{
    struct mutation_fixture *m = *state;
    struct test_ctx *t = &m->f->t;
    struct comb_request_key key, other;
    char text[COMB_UUID_TEXT_LENGTH + 1];
    struct comb_uuid id = comb_uuid_new();
    comb_uuid_format(&id, text);
    const comb_str good = comb_str_from(text);
    const comb_str bad[] = {STR(""), STR("x"), STR("6ba7b810-9dad-11d1-80b4-00c04fd430c8")};
    for (size_t i = 0; i < N_OF(bad); i++) {
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_request_key_init(&key, bad[i], STR("r"), STR(""), &t->err), &t->err);
        assert_int_equal(t->err.reason, COMB_V1_ERROR_REASON_REQUEST_ID_INVALID);
        assert_string_equal(t->err.subject, "request_id");
    }
    must_fail(COMB_INVALID_ARGUMENT,
              comb_request_key_init(&key, good, STR("r"), STR("6ba7b810"), &t->err), &t->err);
    must_ok(comb_request_key_init(&key, good, STR("r"), STR(""), &t->err), &t->err);
    must_ok(comb_request_key_init(&other, good, STR("s"), good, &t->err), &t->err);
    assert_memory_not_equal(key.hash, other.hash, sizeof key.hash);
}

int run_suite_replay(void)
{
    const struct CMUnitTest replay[] = {
        MUTATION_TEST(a_repetition_gets_the_first_outcome),
        MUTATION_TEST(a_repetition_that_would_now_be_refused_gets_it_too),
        MUTATION_TEST(a_refusal_of_a_repetition_stands),
        MUTATION_TEST(a_refusal_of_a_first_attempt_is_not_kept),
        MUTATION_TEST(an_id_used_for_something_else_is_refused),
        MUTATION_TEST(ids_of_others_and_of_other_methods_do_not_meet),
        MUTATION_TEST(concurrent_repetitions_are_executed_once),
        MUTATION_TEST(a_lost_answer_is_found_by_the_request_id),
        MUTATION_TEST(a_refused_write_is_an_error_and_can_be_repeated),
        MUTATION_TEST(what_cannot_be_resolved_stays_ambiguous),
        MUTATION_TEST(each_answer_is_lost_or_refused_in_turn),
        MUTATION_TEST(each_allocation_fails_in_turn),
        MUTATION_TEST(a_request_id_must_be_new_and_of_its_time),
        MUTATION_TEST(a_request_id_must_be_a_uuid_and_the_headers),
    };
    return cmocka_run_group_tests(replay, NULL, NULL);
}
