/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two replicas on clustered stores: what is written or revoked through one is seen through the
 * other at once with the writer's token or by a strong read, and otherwise by every read that
 * begins later than the bound after the acknowledgement; also without the stores that are hints,
 * and while a foreign transaction stays open in the database. Prints how soon it is seen. Then
 * three of them: what is taken away through one, revocation.c; broken one by one under a load,
 * replica_faults.c.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/e2e/replica_faults.h"
#include "tests/e2e/revocation.h"
#include "tests/support/cmocka.h"

#define BOUND_NS (250 * INT64_C(1000000))
#define NS_PER_MS 1e6
/* Of each phase. */
#define TRIALS_SHORT 60
#define TRIALS_LONG 3400
#define TRIALS_MAX TRIALS_LONG
#define ID_BYTES 40

static struct combd writer, reader;
static struct comb_client *at_writer, *at_reader, *guest;
static char node[ID_BYTES], shared[ID_BYTES];
static unsigned trials;

static void must(enum grpcc_status status, const struct grpcc_error *err, const char *what)
{
    if (status != GRPCC_OK)
        fail_msg("%s: %s: %s", what, grpcc_status_name(status), err->message);
}

static void make_folder(const char *name, char ret_id[ID_BYTES])
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node *made = NULL;
    must(calls_mkdir(at_writer, arena, "/personal", name, false, &made, &err), &err, name);
    snprintf(ret_id, ID_BYTES, "%s", made->id);
    grpcc_arena_free(arena);
}

static int set_up(void **state)
{
    (void)state;
    trials = calls_count(TRIALS_SHORT, TRIALS_LONG);
    combd_start(&writer, NULL);
    combd_start_beside(&reader, &writer, NULL);
    at_writer = combd_client(&writer);
    at_reader = combd_client(&reader);
    guest = combd_client_as(&reader, "guest");
    make_folder("node", node);
    make_folder("shared", shared);
    replica_faults_begin(&writer, &reader);
    revocation_begin(&writer, &reader, replica_faults_third());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    revocation_end();
    replica_faults_end();
    comb_client_close(guest);
    comb_client_close(at_reader);
    comb_client_close(at_writer);
    combd_stop(&reader);
    combd_stop(&writer);
    stores_stop(writer.stores);
    return 0;
}

/* ---- the two changes, and how they are seen ---- */

static void rename_to(unsigned number)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    char name[32];
    snprintf(name, sizeof name, "n%u", number);
    must(calls_move(at_writer, arena, node, NULL, name, NULL, &err), &err, "rename");
    grpcc_arena_free(arena);
}

static void allow(unsigned number)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(calls_let_read(at_writer, arena, shared, "guest", number % 2, &err), &err, "right");
    grpcc_arena_free(arena);
}

static enum grpcc_status look(struct comb_client *client, struct grpcc_arena *arena, const char *id,
                              bool strong, struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    return (strong ? calls_stat_strong : calls_stat)(client, arena, id, ret_node, err);
}

static bool sees_name(unsigned number, bool strong)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node *found = NULL;
    char name[32];
    snprintf(name, sizeof name, "n%u", number);
    must(look(at_reader, arena, node, strong, &found, &err), &err, "stat");
    bool sees = strcmp(found->name, name) == 0;
    grpcc_arena_free(arena);
    return sees;
}

static bool sees_right(unsigned number, bool strong)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node *found = NULL;
    enum grpcc_status status = look(guest, arena, shared, strong, &found, &err);
    if (status != GRPCC_NOT_FOUND)
        must(status, &err, "stat by the guest");
    grpcc_arena_free(arena);
    return (status == GRPCC_OK) == (number % 2 == 1);
}

static const struct change {
    const char *name;
    void (*make)(unsigned number);
    bool (*sees)(unsigned number, bool strong);
    struct comb_client **by; /* who reads */
} changes[] = {
    {"a new name", rename_to, sees_name, &at_reader},
    {"a right", allow, sees_right, &guest},
};
#define N_CHANGES (sizeof changes / sizeof changes[0])

/* ---- trials ---- */

static void carry_token(struct comb_client *to)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(comb_client_set_seen(to, comb_client_seen(at_writer, arena), &err), &err, "token");
    grpcc_arena_free(arena);
}

/* How long after the acknowledgement the first read began that saw it. */
static int64_t await_default(const struct change *change, unsigned number)
{
    int64_t done_ns = calls_now_ns();
    for (;;) {
        int64_t begin_ns = calls_now_ns();
        if (change->sees(number, false))
            return begin_ns - done_ns;
        if (begin_ns - done_ns > BOUND_NS)
            fail_msg("%s, trial %u: not seen by a read that began %.0f ms after it", change->name,
                     number, (double)(begin_ns - done_ns) / NS_PER_MS);
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Trials take turns: with the token, by a strong read, by reads that know nothing. */
static void run_trials(const char *phase)
{
    static int64_t waits[TRIALS_MAX];
    static unsigned number;
    for (size_t i = 0; i < N_CHANGES; i++) {
        const struct change *change = &changes[i];
        size_t n = 0;
        for (unsigned trial = 0; trial < trials; trial++) {
            change->make(++number);
            if (trial % 3 == 0)
                carry_token(*change->by);
            if (trial % 3 == 2)
                waits[n++] = await_default(change, number);
            else if (!change->sees(number, trial % 3 == 1))
                fail_msg("%s, trial %u, %s: not seen %s", change->name, number, phase,
                         trial % 3 == 0 ? "with the token" : "by a strong read");
        }
        qsort(waits, n, sizeof waits[0], by_value);
        print_message("| %s | %s | %u | %.1f | %.1f | %.1f |\n", phase, change->name, trials,
                      (double)waits[n / 2] / NS_PER_MS, (double)waits[n * 99 / 100] / NS_PER_MS,
                      (double)waits[n - 1] / NS_PER_MS);
    }
}

static void all_stores_up(void **state)
{
    (void)state;
    print_message(
        "| stores | change | trials | p50 ms | p99 ms | most ms |\n|---|---|---|---|---|---|\n");
    run_trials("all up");
}

static void without_the_hints(void **state)
{
    (void)state;
    stores_freeze(writer.stores, "redis");
    stores_freeze(writer.stores, "nats");
    run_trials("Redis and NATS frozen");
    stores_thaw(writer.stores, "redis");
    stores_thaw(writer.stores, "nats");
}

/* What stands behind the flag; NULL: it is not there. */
static const char *flag(const char *name)
{
    for (size_t i = 0; i + 1 < writer.stores->n_flags; i++)
        if (strcmp(writer.stores->flags[i], name) == 0)
            return writer.stores->flags[i + 1];
    return NULL;
}

static PGconn *connect_beside(void)
{
    char credentials[256] = "", url[512];
    const char *path = flag("--sql-credentials-file"), *sql = flag("--sql");
    assert_non_null(sql);
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        assert_non_null(fgets(credentials, sizeof credentials, file));
        fclose(file);
        credentials[strcspn(credentials, "\n")] = '@';
    }
    const char *rest = strstr(sql, "://");
    assert_non_null(rest);
    snprintf(url, sizeof url, "postgres://%s%s", credentials, rest + 3);
    PGconn *pq = PQconnectdb(url);
    if (PQstatus(pq) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pq));
    return pq;
}

static void while_a_transaction_stays_open(void **state)
{
    (void)state;
    PGconn *pq = connect_beside();
    PQclear(PQexec(pq, "BEGIN"));
    PGresult *result = PQexec(pq, "SELECT pg_current_xact_id()");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    run_trials("a transaction open");
    assert_int_equal(PQtransactionStatus(pq), PQTRANS_INTRANS);
    PQfinish(pq);
}

/* ---- the next release has been here ---- */

/* What a step may do: a column more in every table, one step more in every area. Each by itself, as
 * the replicas are at work meanwhile. */
static const char NEXT_STEPS[] =
    "SELECT format('ALTER TABLE %I ADD COLUMN next_release integer NOT NULL DEFAULT 0', relname)"
    " FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    " AND NOT relispartition"
    " UNION ALL SELECT format('INSERT INTO comb_migration (area, version, text, time_us) VALUES"
    " (%L, %s, %L, 0)', area, max(version) + 1, 'of the next release') FROM comb_migration"
    " GROUP BY area";
/* Areas and tables, of which there are more. */
#define NEXT_STEPS_MIN 20

/* A request of a client of the next release: fields that this one does not know, in the message and
 * in one that it holds. */
static void stat_with_unknown_fields(struct comb_client *client)
{
    static uint8_t text[] = "\4next"; /* its length before it */
    static ProtobufCMessageUnknownField field = {
        .tag = 20000, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = 5, .data = text};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    request->node = calls_ref(arena, node);
    request->base.n_unknown_fields = request->node->base.n_unknown_fields = 1;
    request->base.unknown_fields = request->node->base.unknown_fields = &field;
    must(comb_v1_tree_stat(comb_client_channel(client), arena, NULL, request, &response, &err),
         &err, "stat with unknown fields");
    assert_string_equal(response->node->id, node);
    grpcc_arena_free(arena);
}

/* What runs goes on, and what is started later, in the cases below, starts. */
static void the_next_release_has_been_here(void **state)
{
    (void)state;
    char id[ID_BYTES];
    PGconn *pq = connect_beside();
    PGresult *steps = PQexec(pq, NEXT_STEPS);
    if (PQresultStatus(steps) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(pq));
    assert_true(PQntuples(steps) > NEXT_STEPS_MIN);
    for (int i = 0; i < PQntuples(steps); i++) {
        PGresult *done = PQexec(pq, PQgetvalue(steps, i, 0));
        if (PQresultStatus(done) != PGRES_COMMAND_OK)
            fail_msg("%s: %s", PQgetvalue(steps, i, 0), PQerrorMessage(pq));
        PQclear(done);
    }
    PQclear(steps);
    PQfinish(pq);
    make_folder("after", id);
    stat_with_unknown_fields(at_writer);
    stat_with_unknown_fields(at_reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_stores_up),
        cmocka_unit_test(without_the_hints),
        cmocka_unit_test(while_a_transaction_stays_open),
        cmocka_unit_test(the_next_release_has_been_here),
        cmocka_unit_test(a_replica_joins_and_gets_calls),
        cmocka_unit_test(what_was_taken_is_refused),
        cmocka_unit_test(what_was_taken_is_refused_without_nats),
        cmocka_unit_test(each_replica_is_killed),
        cmocka_unit_test(each_replica_is_frozen),
        cmocka_unit_test(each_replica_is_restarted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
