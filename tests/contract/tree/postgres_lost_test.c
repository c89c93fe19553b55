/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that end in the middle of writes, also between a commit and its answer: what a caller
 * repeats with its request id happens once, and what was acknowledged is there.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/tree/fixture.h"
#include "tests/support/sql_row.h"

enum { WORKERS = 4, WRITES = 12 };
/* Between two times at which all sessions that write are ended, at the least: one write is answered
 * between them, or on a busy machine no session would live long enough to write. */
enum { KILL_EVERY_MS = 40, LOOK_EVERY_MS = 2 };

struct worker {
    struct fixture *f;
    _Atomic int *n_written; /* by all workers */
    struct comb_uuid folder;
    uint64_t revision; /* of the last answer */
    int repeated, replayed;
};

static bool may_repeat(enum comb_status status)
{
    return status == COMB_UNAVAILABLE || status == COMB_ABORTED || status == COMB_DEADLINE_EXCEEDED;
}

/* The writes of one worker to a folder of its own, each of which raises the revision by one. */
static enum comb_status annotate(struct worker *w, struct test_ctx *t,
                                 const struct comb_request_key *key, int n,
                                 struct comb_tree_changed *ret_changed)
{
    struct grpcc_arena *arena = t->ctx.arena;
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(arena);
    struct comb_v1_metadata *piece = comb_v1_metadata_new(arena);
    char text[16];

    snprintf(text, sizeof text, "%d", n);
    request->node = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_id(request->node, comb_uuid_text(arena, &w->folder));
    comb_v1_metadata_set_namespace(piece, "test");
    comb_v1_metadata_set_name(piece, "value");
    piece->value = comb_v1_metadata_value_new(arena);
    comb_v1_metadata_value_set_text(piece->value, grpcc_arena_strdup(arena, text));
    assert_true(comb_v1_tree_set_metadata_request_add_set(arena, request, piece));
    return comb_tree_set_metadata(w->f->tree, &t->ctx, key, request, ret_changed, &t->err);
}

static void *write_on(void *data)
{
    struct worker *w = data;
    struct comb_position seen = {0};
    struct test_ctx t;

    test_ctx_init(&t);
    for (int i = 0; i < WRITES; i++) {
        const struct comb_request_key key = new_key();
        struct comb_tree_changed changed;
        enum comb_status status;

        do {
            test_ctx_next(&t);
            t.principal.user = w->f->owner;
            t.ctx.seen = seen;
            t.ctx.method = STR("/comb.v1.Tree/SetMetadata");
            status = annotate(w, &t, &key, i, &changed);
            w->repeated += status != COMB_OK;
        } while (may_repeat(status));
        must_ok(status, &t.err);
        atomic_fetch_add(w->n_written, 1);
        w->replayed += t.ctx.replayed;
        w->revision = changed.view.node.revision;
        seen = t.ctx.reached;
    }
    test_ctx_done(&t);
    return NULL;
}

struct killer {
    struct comb_sql *sql;
    _Atomic bool stop;
    _Atomic int n_written;
    int killed;
};

static void *kill_on(void *data)
{
    static const struct comb_sql_statement end = {
        .text = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = 'comb writes'"};
    const struct comb_sql_request request = {COMB_SQL_SCAN, 0, &end, 1};
    const struct timespec pause = {0, KILL_EVERY_MS * 1000 * 1000},
                          look = {0, LOOK_EVERY_MS * 1000 * 1000};
    struct killer *killer = data;
    struct test_ctx t;

    test_ctx_init(&t);
    while (!killer->stop) {
        const struct comb_sql_result *result;
        int n_written = killer->n_written;

        test_ctx_next(&t);
        if (comb_sql_run(killer->sql, &t.ctx, &request, &result, &t.err) == COMB_OK)
            killer->killed += (int)comb_sql_at(&result->rows[0], 0, 0)->integer;
        nanosleep(&pause, NULL);
        while (!killer->stop && killer->n_written == n_written)
            nanosleep(&look, NULL);
    }
    test_ctx_done(&t);
    return NULL;
}

static void what_is_repeated_happens_once(void **state)
{
    char *folder = test_folder_new();
    struct fixture *f = fixture_new(test_sql_row_open(folder));
    struct killer killer = {.sql = test_sql_row_open(folder)};
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS], killing;
    int repeated = 0, replayed = 0;

    (void)state;
    for (int i = 0; i < WORKERS; i++) {
        char name[] = {(char)('a' + i), '\0'};

        workers[i] = (struct worker){
            .f = f, .n_written = &killer.n_written, .folder = mkdir_at(f, "/work", name).id};
    }
    assert_int_equal(pthread_create(&killing, NULL, kill_on, &killer), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_on, &workers[i]), 0);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        repeated += workers[i].repeated;
        replayed += workers[i].replayed;
    }
    killer.stop = true;
    pthread_join(killing, NULL);
    print_message("%d sessions ended, %d calls repeated, %d had happened already\n", killer.killed,
                  repeated, replayed);
    assert_true(killer.killed > 0);
    next(f);
    f->test.ctx.strong = true;
    for (int i = 0; i < WORKERS; i++) {
        struct comb_tree_view view;

        must_ok(try_stat(f, ref_id(f, &workers[i].folder), 0, &view), &f->test.err);
        assert_int_equal(view.node.revision, 1 + WRITES);
        assert_int_equal(workers[i].revision, 1 + WRITES);
    }
    comb_sql_close(killer.sql);
    fixture_free(f);
    free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_repeated_happens_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
