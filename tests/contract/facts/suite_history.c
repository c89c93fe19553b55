/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories of concurrent clients on two memories over one store (two replicas in one process), put
 * before the checker; and that the checker catches each bug that can be switched on.
 */
#include <pthread.h>
#include <stdlib.h>

#include "server/core/clock.h"
#include "tests/contract/facts/suites.h"
#include "tests/support/checkers/history.h"

#define REPLICAS 2
#define CLIENTS 6
#define OBJECTS 3
#define OPS 400
/* One write among so many operations. */
#define WRITES 8
#define STRONG 5
/* What the machine may add between the end of an operation and its time stamp does not matter: time
 * is taken inside of begin and end. */
#define BOUND_NS (COMB_FACTS_BOUND_MS * COMB_NS_PER_MS)

struct run {
    struct fixture *fixture;
    struct comb_facts *replicas[REPLICAS];
    struct comb_uuid objects[OBJECTS];
    struct history_op ops[CLIENTS][OPS];
};

struct client {
    struct run *run;
    unsigned number;
    struct comb_position seen;
    uint64_t random;
};

static unsigned draw(struct client *client, unsigned below)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return (unsigned)((client->random >> 33) % below);
}

static void write_once(struct client *client, struct history_op *op)
{
    struct run *run = client->run;
    struct comb_position position;
    op->write = true;
    op->version = fixture_touch(run->fixture, &run->objects[op->object], &position);
    client->seen = position;
    /* The replica that wrote knows; the other one finds out by its clock. */
    comb_facts_wake(run->replicas[draw(client, REPLICAS)]);
}

static void read_once(struct client *client, struct history_op *op)
{
    struct run *run = client->run;
    struct test_ctx test;
    struct comb_fact_chain chain;
    test_ctx_init(&test);
    op->strong = draw(client, STRONG) == 0;
    test.ctx.strong = op->strong;
    test.ctx.seen = client->seen;
    must_ok(comb_facts_chain_wait(run->replicas[draw(client, REPLICAS)], &test.ctx,
                                  &run->objects[op->object], &chain, &test.err),
            &test.err);
    assert_true(chain.found);
    op->version = chain.links[0].node->revision;
    if (test.ctx.reached.sequence > client->seen.sequence) {
        client->seen = test.ctx.reached;
    }
    test_ctx_done(&test);
}

static void *client_run(void *data)
{
    struct client *client = data;
    for (size_t i = 0; i < OPS; i++) {
        struct history_op *op = &client->run->ops[client->number][i];
        op->client = client->number;
        op->object = draw(client, OBJECTS);
        op->begin_ns = comb_clock_monotonic_ns();
        if (draw(client, WRITES) == 0) {
            write_once(client, op);
        } else {
            read_once(client, op);
        }
        op->end_ns = comb_clock_monotonic_ns();
    }
    return NULL;
}

static void run_clients(struct fixture *f, const struct comb_facts_options *options,
                        struct history_report *ret_report)
{
    struct run *run = calloc(1, sizeof *run);
    struct client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    struct comb_error *err = &f->test.err;
    assert_non_null(run);
    run->fixture = f;
    for (size_t i = 0; i < OBJECTS; i++) {
        char name[2] = {(char)('a' + (int)i), 0};
        run->objects[i] = fixture_create(f, &f->root, name, COMB_V1_NODE_KIND_FILE).id;
    }
    for (size_t i = 0; i < REPLICAS; i++) {
        must_ok(comb_facts_new(gate_sql(f->gate), options, &run->replicas[i], err), err);
        must_ok(comb_facts_start(run->replicas[i], err), err);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.run = run, .number = i, .random = 0x9e3779b9u + i};
        assert_int_equal(pthread_create(&threads[i], NULL, client_run, &clients[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < REPLICAS; i++) {
        comb_facts_free(run->replicas[i]);
    }
    history_check(&run->ops[0][0], (size_t)CLIENTS * OPS, BOUND_NS, ret_report);
    free(run);
}

static void history_keeps_its_promises(void **state)
{
    struct history_report report;
    run_clients(*state, NULL, &report);
    if (report.total != 0) {
        fail_msg("%zu violations, the first one: %s", report.total, report.first);
    }
}

static void checker_catches_a_missing_invalidation(void **state)
{
    struct history_report report;
    run_clients(*state, &(struct comb_facts_options){.seeded_bug_no_invalidation = true}, &report);
    assert_true(report.violations[HISTORY_OWN_WRITES] > 0);
    assert_true(report.violations[HISTORY_LINEAR] > 0);
}

static void checker_catches_a_missing_barrier(void **state)
{
    struct history_report report;
    run_clients(*state, &(struct comb_facts_options){.seeded_bug_no_barrier = true}, &report);
    assert_true(report.violations[HISTORY_OWN_WRITES] + report.violations[HISTORY_LINEAR] > 0);
}

int run_suite_history(void)
{
    const struct CMUnitTest tests[] = {
        FACTS_TEST(history_keeps_its_promises),
        FACTS_TEST(checker_catches_a_missing_invalidation),
        FACTS_TEST(checker_catches_a_missing_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
