/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch goes on over restarts and kills of combd: it tells of every change once, and of the
 * changes of one node in their order.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/lists.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"

#define RESTARTS_SHORT 4
#define RESTARTS_LONG 20
#define LIVES_MS 300
#define NODES 5
#define TOLD_MAX 200000

/* What the watch told, by (node, revision). */
struct told {
    char id[40];
    uint64_t revision;
};

struct fixture {
    struct combd combd;
    struct comb_client *client;
    struct comb_watch *watch;
    atomic_bool stop;
    char ids[NODES][40];
    uint64_t revisions[NODES]; /* acknowledged */
    char writer_error[GRPCC_STATUS_MESSAGE_MAX + 128];
    struct told *told;
    size_t n_told;
    bool ended; /* the last folder was told of */
    char watch_error[GRPCC_STATUS_MESSAGE_MAX + 128];
};

static enum grpcc_status rename_once(struct fixture *f, unsigned node, unsigned round,
                                     struct grpcc_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(arena);
    struct comb_v1_tree_move_response *response = NULL;
    char name[64];
    snprintf(name, sizeof name, "%u-%u", node, round);
    request->node = calls_ref(arena, f->ids[node]);
    comb_v1_tree_move_request_set_target_name(request, name);
    enum grpcc_status status =
        comb_v1_tree_move(comb_client_channel(f->client), arena, NULL, request, &response, err);
    if (status == GRPCC_OK)
        f->revisions[node] = response->node->revision;
    err->details = NULL; /* the arena that they lie in ends here */
    grpcc_arena_free(arena);
    return status;
}

static void *write_on(void *data)
{
    struct fixture *f = data;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    for (unsigned round = 1; !atomic_load(&f->stop); round++)
        for (unsigned node = 0; node < NODES; node++)
            if (rename_once(f, node, round, &err) != GRPCC_OK) {
                snprintf(f->writer_error, sizeof f->writer_error, "%u-%u: %s", node, round,
                         err.message);
                return NULL;
            }
    return NULL;
}

static void take_change(struct fixture *f, const struct comb_v1_change *change)
{
    struct told *told = &f->told[f->n_told++];
    snprintf(told->id, sizeof told->id, "%s", change->node->id);
    told->revision = change->node->revision;
    f->ended = strcmp(change->node->name, "last") == 0;
}

static void *watch_on(void *data)
{
    struct fixture *f = data;
    const struct comb_v1_tree_watch_response *event = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    while (!f->ended && f->n_told < TOLD_MAX) {
        int got = comb_watch_next(f->watch, &event, &err);
        if (got != 1) {
            snprintf(f->watch_error, sizeof f->watch_error, "the watch ended with %d: %s", got,
                     err.message);
            return NULL;
        }
        if (event->event_case == COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE)
            take_change(f, event->change);
        else if (event->event_case != COMB_V1_TREE_WATCH_RESPONSE_EVENT_HEARTBEAT) {
            snprintf(f->watch_error, sizeof f->watch_error, "an event of kind %d",
                     event->event_case);
            return NULL;
        }
    }
    return NULL;
}

static void set_nodes_up(struct fixture *f)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node *node = NULL;
    assert_int_equal(calls_mkdir(f->client, arena, "/personal", "watched", false, NULL, &err),
                     GRPCC_OK);
    for (unsigned i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(
            calls_mkdir(f->client, arena, "/personal/watched", name, false, &node, &err), GRPCC_OK);
        snprintf(f->ids[i], sizeof f->ids[i], "%s", node->id);
        f->revisions[i] = node->revision;
    }
    const char *cursor = NULL;
    assert_int_equal(calls_cursor(f->client, arena, "/personal/watched", &cursor, &err), GRPCC_OK);
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(arena);
    request->folder = calls_ref(arena, "/personal/watched");
    request->recursive = true;
    request->heartbeat_ms = 200;
    comb_v1_tree_watch_request_set_cursor(request, cursor);
    assert_int_equal(comb_watch_open(f->client, request, &f->watch, &err), GRPCC_OK);
    grpcc_arena_free(arena);
}

/* Each revision of each node from the first change on, once, in order. */
static void check_told(const struct fixture *f, const uint64_t first[NODES])
{
    uint64_t next[NODES];
    memcpy(next, first, sizeof next);
    for (size_t i = 0; i + 1 < f->n_told; i++) {
        unsigned node = 0;
        while (node < NODES && strcmp(f->told[i].id, f->ids[node]) != 0)
            node++;
        assert_true(node < NODES);
        assert_int_equal(f->told[i].revision, next[node] + 1);
        next[node]++;
    }
    for (unsigned node = 0; node < NODES; node++)
        assert_int_equal(next[node], f->revisions[node]);
}

static void a_watch_survives_restarts(void **state)
{
    static struct fixture f;
    pthread_t writer, watcher;
    uint64_t first[NODES];
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    unsigned restarts = calls_count(RESTARTS_SHORT, RESTARTS_LONG);
    (void)state;
    f.told = calloc(TOLD_MAX, sizeof *f.told);
    assert_non_null(f.told);
    combd_start(&f.combd, NULL);
    f.client = combd_client(&f.combd);
    set_nodes_up(&f);
    memcpy(first, f.revisions, sizeof first);
    assert_int_equal(pthread_create(&watcher, NULL, watch_on, &f), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_on, &f), 0);
    for (unsigned i = 0; i < restarts; i++) {
        calls_sleep_ms(LIVES_MS);
        if (i % 2)
            combd_kill(&f.combd);
        else
            combd_stop(&f.combd);
        combd_start(&f.combd, NULL);
    }
    atomic_store(&f.stop, true);
    pthread_join(writer, NULL);
    if (f.writer_error[0])
        fail_msg("%s", f.writer_error);
    assert_int_equal(calls_mkdir(f.client, arena, "/personal/watched", "last", false, NULL, &err),
                     GRPCC_OK);
    pthread_join(watcher, NULL);
    if (f.watch_error[0])
        fail_msg("%s", f.watch_error);
    check_told(&f, first);
    print_message("%zu changes over %u restarts\n", f.n_told, restarts);
    comb_watch_close(f.watch);
    comb_client_close(f.client);
    grpcc_arena_free(arena);
    free(f.told);
    combd_stop(&f.combd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_watch_survives_restarts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
