/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories of concurrent clients of combd, with its memory in use, before the checkers
 * (docs/consistency.md); on clustered stores, of two replicas, each the server of half of them:
 * what a client reads of nodes, names under moves and removals, rights while they come and go. That
 * each checker catches its bug is shown beside it (tests/support/checkers), and for bugs switched
 * on in the memory itself in tests/contract/facts.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/e2e/namer.h"
#include "tests/support/checkers/history.h"
#include "tests/support/checkers/rights.h"
#include "tests/support/cmocka.h"

#define BOUND_MS 250
#define BOUND_NS (BOUND_MS * INT64_C(1000000))
#define CLIENTS 4
#define REPLICAS 2
#define ERROR_BYTES (GRPCC_STATUS_MESSAGE_MAX + 128)

static struct combd replicas[REPLICAS];
static size_t n_replicas = 1;
static struct comb_client *clients[CLIENTS]; /* each with what it has seen */

/* The server of client i. */
static const struct combd *replica_of(size_t i)
{
    return &replicas[i % n_replicas];
}

static int set_up(void **state)
{
    (void)state;
    combd_start(&replicas[0], NULL);
    for (; replicas[0].stores && n_replicas < REPLICAS; n_replicas++)
        combd_start_beside(&replicas[n_replicas], &replicas[0], NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = combd_client(replica_of(i));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < CLIENTS; i++)
        comb_client_close(clients[i]);
    for (size_t i = 0; i < n_replicas; i++)
        combd_stop(&replicas[i]);
    return 0;
}

static void must_mkdir(const char *parent, const char *name, char ret_id[40])
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node *node = NULL;
    if (calls_mkdir(clients[0], arena, parent, name, false, &node, &err))
        fail_msg("%s: %s", name, err.message);
    if (ret_id)
        snprintf(ret_id, 40, "%s", node->id);
    grpcc_arena_free(arena);
}

/* ---- what clients see of nodes ---- */

#define OBJECTS 3
#define OPS_SHORT 250
#define OPS_LONG 1500
/* One write, one strong read among so many operations. */
#define WRITES 6
#define STRONG 5

struct reader {
    unsigned number, n;
    char (*objects)[40];
    struct history_op *ops;
    uint64_t random;
    char error[ERROR_BYTES];
};

static enum grpcc_status operate(struct reader *reader, struct history_op *op, unsigned number,
                                 struct grpcc_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_client *client = clients[reader->number];
    struct comb_v1_node *node = NULL;
    char name[64];
    snprintf(name, sizeof name, "%u-%u-%u", op->object, reader->number, number);
    op->begin_ns = calls_now_ns();
    const char *object = reader->objects[op->object];
    enum grpcc_status status = op->write ? calls_move(client, arena, object, NULL, name, &node, err)
                               : op->strong ? calls_stat_strong(client, arena, object, &node, err)
                                            : calls_stat(client, arena, object, &node, err);
    op->end_ns = calls_now_ns();
    if (status == GRPCC_OK)
        op->version = node->revision - 1; /* 1 is what it was made with */
    err->details = NULL;                  /* the arena that they lie in ends here */
    grpcc_arena_free(arena);
    return status;
}

static void *read_and_write(void *data)
{
    struct reader *reader = data;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    for (unsigned i = 0; i < reader->n; i++) {
        struct history_op *op = &reader->ops[i];
        op->client = reader->number;
        op->object = calls_draw(&reader->random, OBJECTS);
        op->write = calls_draw(&reader->random, WRITES) == 0;
        op->strong = !op->write && calls_draw(&reader->random, STRONG) == 0;
        if (operate(reader, op, i, &err) != GRPCC_OK) {
            snprintf(reader->error, sizeof reader->error, "operation %u: %s", i, err.message);
            return NULL;
        }
    }
    return NULL;
}

static void reads_keep_their_promises(void **state)
{
    static struct reader readers[CLIENTS];
    pthread_t threads[CLIENTS];
    char objects[OBJECTS][40];
    unsigned n = calls_count(OPS_SHORT, OPS_LONG);
    struct history_op *ops = calloc((size_t)n * CLIENTS, sizeof *ops);
    struct history_report report;
    (void)state;
    assert_non_null(ops);
    must_mkdir("/personal", "nodes", NULL);
    for (unsigned i = 0; i < OBJECTS; i++)
        must_mkdir("/personal/nodes", (char[]){(char)('a' + (int)i), 0}, objects[i]);
    for (unsigned i = 0; i < CLIENTS; i++) {
        readers[i] = (struct reader){.number = i,
                                     .n = n,
                                     .objects = objects,
                                     .ops = &ops[(size_t)i * n],
                                     .random = 0x9e3779b97f4a7c15u + i};
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_write, &readers[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (readers[i].error[0])
            fail_msg("client %u: %s", i, readers[i].error);
    history_check(ops, (size_t)n * CLIENTS, BOUND_NS, &report);
    if (report.total)
        fail_msg("%zu violations, the first one: %s", report.total, report.first);
    free(ops);
}

/* ---- names ---- */

#define ROUNDS_SHORT 40
#define ROUNDS_LONG 600
struct naming {
    struct namer namer;
    pthread_barrier_t *together;
    char error[ERROR_BYTES];
};

static void *name_on(void *data)
{
    struct naming *naming = data;
    pthread_barrier_wait(naming->together);
    for (unsigned i = 0; i < NAMER_OPS && !naming->error[0]; i++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        if (namer_call(&naming->namer, i, arena, &err) != GRPCC_OK)
            snprintf(naming->error, sizeof naming->error, "kind %d: %s",
                     (int)naming->namer.ops[i].kind, err.message);
        grpcc_arena_free(arena);
    }
    return NULL;
}

static void check_names(const struct naming namings[CLIENTS], unsigned round)
{
    struct namer namers[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (namings[i].error[0])
            fail_msg("round %u, client %u: %s", round, i, namings[i].error);
        namers[i] = namings[i].namer;
    }
    enum names_verdict verdict = namers_check(namers, CLIENTS);
    if (verdict != NAMES_LINEARIZABLE)
        fail_msg("round %u: verdict %d", round, (int)verdict);
}

static void names_are_linearizable(void **state)
{
    static struct naming namings[CLIENTS];
    pthread_t threads[CLIENTS];
    pthread_barrier_t together;
    uint64_t random = 0x2545f4914f6cdd1du;
    unsigned rounds = calls_count(ROUNDS_SHORT, ROUNDS_LONG);
    (void)state;
    assert_int_equal(pthread_barrier_init(&together, NULL, CLIENTS), 0);
    must_mkdir("/personal", "names", NULL);
    for (unsigned round = 0; round < rounds; round++) {
        char name[16], folder[64];
        snprintf(name, sizeof name, "%u", round);
        snprintf(folder, sizeof folder, "/personal/names/%u", round);
        must_mkdir("/personal/names", name, NULL);
        for (unsigned i = 0; i < CLIENTS; i++) {
            namings[i] = (struct naming){
                .namer = {.client = clients[i],
                          .folder = folder,
                          .random = ((uint64_t)calls_draw(&random, UINT32_MAX) << 8 | i) + 1},
                .together = &together};
            assert_int_equal(pthread_create(&threads[i], NULL, name_on, &namings[i]), 0);
        }
        for (unsigned i = 0; i < CLIENTS; i++)
            pthread_join(threads[i], NULL);
        check_names(namings, round);
    }
    pthread_barrier_destroy(&together);
}

/* ---- rights ---- */

#define GUESTS 2
#define CHANGES_SHORT 8
#define CHANGES_LONG 60
#define READS_MAX 400000

struct guest {
    struct comb_client *client;
    const char *node;
    atomic_bool *stop;
    struct rights_op *reads;
    size_t n;
    char error[ERROR_BYTES];
};

static void *visit_on(void *data)
{
    struct guest *guest = data;
    while (!atomic_load(guest->stop) && guest->n < READS_MAX && !guest->error[0]) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct comb_v1_node *node = NULL;
        struct rights_op *op = &guest->reads[guest->n++];
        op->begin_ns = calls_now_ns();
        enum grpcc_status status = calls_stat(guest->client, arena, guest->node, &node, &err);
        op->end_ns = calls_now_ns();
        op->allowed = status == GRPCC_OK;
        if (status != GRPCC_OK && status != GRPCC_NOT_FOUND)
            snprintf(guest->error, sizeof guest->error, "%s: %s", grpcc_status_name(status),
                     err.message);
        grpcc_arena_free(arena);
    }
    return NULL;
}

static void change_rights(const char *node, struct rights_op *op)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    op->begin_ns = calls_now_ns();
    enum grpcc_status status = calls_let_read(clients[0], arena, node, "guest", op->allowed, &err);
    op->end_ns = calls_now_ns();
    if (status != GRPCC_OK)
        fail_msg("%s: %s", op->allowed ? "grant" : "revoke", err.message);
    grpcc_arena_free(arena);
}

static void revocations_hold_within_the_bound(void **state)
{
    static struct guest guests[GUESTS];
    static struct rights_op changes[CHANGES_LONG];
    unsigned n = calls_count(CHANGES_SHORT, CHANGES_LONG);
    pthread_t threads[GUESTS];
    atomic_bool stop = false;
    char node[40];
    (void)state;
    must_mkdir("/personal", "shared", node);
    for (unsigned i = 0; i < GUESTS; i++) {
        guests[i] = (struct guest){.client = combd_client_as(replica_of(i), "guest"),
                                   .node = node,
                                   .stop = &stop,
                                   .reads = calloc(READS_MAX, sizeof(struct rights_op))};
        assert_non_null(guests[i].reads);
        assert_int_equal(pthread_create(&threads[i], NULL, visit_on, &guests[i]), 0);
    }
    for (unsigned i = 0; i < n; i++) {
        changes[i].allowed = i % 2 == 0;
        change_rights(node, &changes[i]);
        calls_sleep_ms(BOUND_MS + 50); /* the bound, and time for reads that began after it */
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < GUESTS; i++) {
        struct rights_report report;
        pthread_join(threads[i], NULL);
        if (guests[i].error[0])
            fail_msg("guest %u: %s", i, guests[i].error);
        rights_check(changes, n, guests[i].reads, guests[i].n, BOUND_NS, &report);
        print_message("guest %u: %zu reads, judged %zu refused and %zu allowed\n", i, guests[i].n,
                      report.judged[0], report.judged[1]);
        assert_true(report.judged[0] > 0 && report.judged[1] > 0);
        assert_int_equal(report.violations[0], 0);
        assert_int_equal(report.violations[1], 0);
        comb_client_close(guests[i].client);
        free(guests[i].reads);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_keep_their_promises),
        cmocka_unit_test(names_are_linearizable),
        cmocka_unit_test(revocations_hold_within_the_bound),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
