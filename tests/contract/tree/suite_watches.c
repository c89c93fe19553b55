/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: what is told, in which order, and when a watch ends. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "server/tree/tree_watch.h"
#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define EVENTS_MAX 64

struct event {
    enum comb_v1_tree_watch_response_event_case what;
    char id[COMB_UUID_TEXT_LENGTH + 1];
    char name[32];
    char cursor[64];
};

/* Who watches. A slow one takes nothing until it is told to. */
struct watcher {
    struct fixture *f;
    struct comb_ctx ctx;
    struct comb_principal principal;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct event events[EVENTS_MAX];
    size_t n, taken;
    bool ended, gone, slow;
    struct comb_error why;
    void (*done)(void *data, bool ok);
    void *data;
};

static void copy(char *to, size_t size, const char *from)
{
    assert_true(strlen(from) < size);
    memcpy(to, from, strlen(from) + 1);
}

static void note_node(struct event *event, const struct comb_v1_node *node)
{
    copy(event->id, sizeof event->id, node->id);
    copy(event->name, sizeof event->name, node->name);
}

static void watcher_send(void *self, const struct comb_v1_tree_watch_response *response,
                         void (*done)(void *data, bool ok), void *data)
{
    struct watcher *w = self;
    struct event event = {.what = response->event_case};
    bool slow;

    switch (response->event_case) {
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_PRESENT:
        note_node(&event, response->present);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_SNAPSHOT_END:
        copy(event.cursor, sizeof event.cursor, response->snapshot_end->cursor);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE:
        note_node(&event, response->change->node);
        copy(event.cursor, sizeof event.cursor, response->change->cursor);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_ADDED:
        note_node(&event, response->added->node);
        copy(event.cursor, sizeof event.cursor, response->added->cursor);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_REMOVED:
        copy(event.id, sizeof event.id, response->removed->node_id);
        copy(event.cursor, sizeof event.cursor, response->removed->cursor);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_HEARTBEAT:
        copy(event.cursor, sizeof event.cursor, response->heartbeat->cursor);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_NOT_SET:
        break;
    }
    pthread_mutex_lock(&w->lock);
    if (w->n < EVENTS_MAX)
        w->events[w->n++] = event;
    slow = w->slow;
    w->done = done;
    w->data = data;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (!slow)
        done(data, true);
}

static enum comb_tree_receiver_state watcher_state(void *self)
{
    struct watcher *w = self;
    bool gone;

    pthread_mutex_lock(&w->lock);
    gone = w->gone;
    pthread_mutex_unlock(&w->lock);
    return gone ? COMB_TREE_RECEIVER_GONE : COMB_TREE_RECEIVER_READY;
}

static void watcher_end(void *self, const struct comb_error *err)
{
    struct watcher *w = self;

    pthread_mutex_lock(&w->lock);
    w->ended = true;
    w->why = *err;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static const struct comb_tree_receiver receiver = {
    .send = watcher_send, .state = watcher_state, .end = watcher_end};

struct asked {
    const char *folder, *cursor;
    bool recursive, snapshot;
    uint32_t heartbeat_ms;
};

static enum comb_status try_watch(struct watcher *w, struct fixture *f,
                                  const struct comb_uuid *user, const struct asked *asked)
{
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(f->test.ctx.arena);

    *w = (struct watcher){.f = f, .principal = f->test.principal};
    w->principal.user = *user;
    w->principal.token = comb_uuid_new();
    w->ctx = *more(f);
    w->ctx.principal = &w->principal;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (asked->folder)
        request->folder = ref_path(f, asked->folder);
    if (asked->cursor)
        comb_v1_tree_watch_request_set_cursor(request, asked->cursor);
    request->recursive = asked->recursive;
    request->snapshot = asked->snapshot;
    request->heartbeat_ms = asked->heartbeat_ms;
    return comb_tree_watch_start(f->tree, &w->ctx, request, &receiver, w, &f->test.err);
}

static void watch(struct watcher *w, struct fixture *f, const struct comb_uuid *user,
                  const struct asked *asked)
{
    must_ok(try_watch(w, f, user, asked), &f->test.err);
}

/* Waits for the next event, or for the end: NULL. */
static const struct event *next_event(struct watcher *w)
{
    struct timespec until;
    const struct event *event = NULL;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&w->lock);
    while (w->taken == w->n && !w->ended) {
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until) == ETIMEDOUT)
            break;
    }
    assert_true(w->taken < w->n || w->ended);
    if (w->taken < w->n)
        event = &w->events[w->taken++];
    pthread_mutex_unlock(&w->lock);
    return event;
}

static const struct event *must_come(struct watcher *w, int what, const char *name,
                                     const struct comb_uuid *id)
{
    const struct event *event = next_event(w);
    char text[COMB_UUID_TEXT_LENGTH + 1];

    assert_non_null(event);
    assert_int_equal(event->what, what);
    if (name)
        assert_string_equal(event->name, name);
    if (id) {
        comb_uuid_format(id, text);
        assert_string_equal(event->id, text);
    }
    return event;
}

#define MUST_COME(watcher, event, name, id)                                                        \
    must_come(watcher, COMB_V1_TREE_WATCH_RESPONSE_EVENT_##event, name, id)

static void must_end(struct watcher *w, enum comb_status status, int reason)
{
    while (next_event(w)) {
    }
    assert_int_equal(w->why.status, status);
    assert_int_equal(w->why.reason, reason);
}

static void stop_watching(struct watcher *w)
{
    pthread_mutex_lock(&w->lock);
    w->gone = true;
    pthread_mutex_unlock(&w->lock);
    must_end(w, COMB_CANCELLED, 0);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
}

static void changes_come_as_they_happen(void **state)
{
    struct fixture *f = *state;
    struct watcher w;
    struct comb_node file;
    const struct event *event;
    char cursor[64];

    watch(&w, f, &f->owner, &(struct asked){.folder = "/work", .recursive = true});
    mkdir_at(f, "/work", "a");
    MUST_COME(&w, CHANGE, "a", NULL);
    file = put(f, "/work/a", "file", 1);
    event = MUST_COME(&w, CHANGE, "file", &file.id);
    copy(cursor, sizeof cursor, event->cursor);
    put(f, "/work/a", "file", 2);
    MUST_COME(&w, CHANGE, "file", &file.id);
    recycle(f, "/work/a/file");
    MUST_COME(&w, REMOVED, NULL, &file.id);
    stop_watching(&w);
    /* From a cursor on, what came after it comes again. */
    watch(&w, f, &f->owner,
          &(struct asked){.folder = "/work", .recursive = true, .cursor = cursor});
    MUST_COME(&w, REMOVED, NULL, &file.id);
    stop_watching(&w);
}

static void only_children_where_not_recursive(void **state)
{
    struct fixture *f = *state;
    struct watcher w;

    mkdir_at(f, "/work", "a");
    watch(&w, f, &f->owner, &(struct asked){.folder = "/work"});
    put(f, "/work/a", "below", 1);
    put(f, "/work", "child", 1);
    MUST_COME(&w, CHANGE, "child", NULL);
    stop_watching(&w);
}

static void a_snapshot_comes_first(void **state)
{
    struct fixture *f = *state;
    struct watcher w;
    const struct event *event;
    int n = 0;

    mkdir_at(f, "/work", "a");
    put(f, "/work/a", "x", 1);
    put(f, "/work", "y", 1);
    watch(&w, f, &f->owner,
          &(struct asked){.folder = "/work", .recursive = true, .snapshot = true});
    while ((event = next_event(&w)) && event->what == COMB_V1_TREE_WATCH_RESPONSE_EVENT_PRESENT)
        n++;
    assert_int_equal(n, 3);
    assert_non_null(event);
    assert_int_equal(event->what, COMB_V1_TREE_WATCH_RESPONSE_EVENT_SNAPSHOT_END);
    put(f, "/work", "z", 1);
    MUST_COME(&w, CHANGE, "z", NULL);
    stop_watching(&w);
    /* Everything: the workspace itself, and what it holds. */
    watch(&w, f, &f->owner, &(struct asked){.snapshot = true});
    MUST_COME(&w, PRESENT, "work", &f->root);
    stop_watching(&w);
}

static void subtrees_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_changed changed;
    struct comb_node tree;
    struct watcher w;

    mkdir_at(f, "/work", "in");
    mkdir_at(f, "/work", "out");
    tree = mkdir_at(f, "/work/out", "tree");
    put(f, "/work/out/tree", "leaf", 1);
    watch(&w, f, &f->owner, &(struct asked){.folder = "/work/in", .recursive = true});
    move_to(f, "/work/out/tree", "/work/in", "");
    MUST_COME(&w, ADDED, "tree", &tree.id);
    move_to(f, "/work/in/tree", NULL, "renamed");
    MUST_COME(&w, CHANGE, "renamed", &tree.id);
    recycle(f, "/work/in/renamed");
    MUST_COME(&w, REMOVED, NULL, &tree.id);
    must_ok(try_restore(f, &tree.id, NULL, "", &changed), &f->test.err);
    MUST_COME(&w, ADDED, "renamed", &tree.id);
    move_to(f, "/work/in/renamed", "/work/out", "");
    MUST_COME(&w, REMOVED, NULL, &tree.id);
    put(f, "/work/out/renamed", "unseen", 1);
    put(f, "/work/in", "seen", 1);
    MUST_COME(&w, CHANGE, "seen", NULL);
    stop_watching(&w);
}

static void rights_that_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct comb_node secret = mkdir_at(f, "/work", "secret");
    struct watcher w;

    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_READ);
    watch(&w, f, &f->stranger, &(struct asked){.folder = "/work", .recursive = true});
    grant(f, &secret.id, &f->stranger, COMB_V1_RIGHTS_DENY);
    MUST_COME(&w, REMOVED, NULL, &secret.id);
    put(f, "/work/secret", "hidden", 1);
    put(f, "/work", "shown", 1);
    MUST_COME(&w, CHANGE, "shown", NULL);
    grant(f, &secret.id, &f->stranger, COMB_V1_RIGHTS_UNSPECIFIED);
    MUST_COME(&w, ADDED, "secret", &secret.id);
    /* The watched folder itself. */
    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_UNSPECIFIED);
    must_end(&w, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND);
}

static void ends_that_say_why(void **state)
{
    struct fixture *f = *state;
    struct watcher w, expiring;

    mkdir_at(f, "/work", "a");
    watch(&w, f, &f->owner, &(struct asked){.folder = "/work/a", .recursive = true});
    recycle(f, "/work/a");
    must_end(&w, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND);
    watch(&expiring, f, &f->owner, &(struct asked){.folder = "/work"});
    watch(&w, f, &f->owner, &(struct asked){.folder = "/work"});
    comb_tree_drain(f->tree);
    must_end(&w, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING);
    must_end(&expiring, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING);
    must_refuse(COMB_UNAVAILABLE, DRAINING,
                try_watch(&w, f, &f->owner, &(struct asked){.folder = "/work"}));
}

static void what_may_not_be_watched(void **state)
{
    struct fixture *f = *state;
    struct watcher w;

    put(f, "/work", "file", 1);
    must_refuse(COMB_FAILED_PRECONDITION, NOT_A_FOLDER,
                try_watch(&w, f, &f->owner, &(struct asked){.folder = "/work/file"}));
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND,
                try_watch(&w, f, &f->stranger, &(struct asked){.folder = "/work"}));
    must_refuse(
        COMB_INVALID_ARGUMENT, FIELD_INVALID,
        try_watch(&w, f, &f->owner, &(struct asked){.folder = "/work", .heartbeat_ms = 99}));
    must_refuse(COMB_INVALID_ARGUMENT, CURSOR_INVALID,
                try_watch(&w, f, &f->owner, &(struct asked){.folder = "/work", .cursor = "x"}));
}

static void heartbeats_carry_the_cursor(void **state)
{
    struct fixture *f = *state;
    struct watcher w;
    const struct event *event;
    char cursor[64];

    watch(&w, f, &f->owner, &(struct asked){.folder = "/work", .heartbeat_ms = 100});
    event = MUST_COME(&w, HEARTBEAT, NULL, NULL);
    copy(cursor, sizeof cursor, event->cursor);
    stop_watching(&w);
    put(f, "/work", "file", 1);
    watch(&w, f, &f->owner, &(struct asked){.folder = "/work", .cursor = cursor});
    MUST_COME(&w, CHANGE, "file", NULL);
    stop_watching(&w);
}

static void who_is_slow_keeps_nobody_waiting(void **state)
{
    struct fixture *f = *state;
    struct watcher slow, quick;

    watch(&slow, f, &f->owner, &(struct asked){.folder = "/work"});
    pthread_mutex_lock(&slow.lock);
    slow.slow = true;
    pthread_mutex_unlock(&slow.lock);
    watch(&quick, f, &f->owner, &(struct asked){.folder = "/work"});
    put(f, "/work", "a", 1);
    MUST_COME(&slow, CHANGE, "a", NULL);
    MUST_COME(&quick, CHANGE, "a", NULL);
    put(f, "/work", "b", 1);
    MUST_COME(&quick, CHANGE, "b", NULL);
    put(f, "/work", "c", 1);
    MUST_COME(&quick, CHANGE, "c", NULL);
    pthread_mutex_lock(&slow.lock);
    assert_int_equal(slow.n, 1);
    slow.slow = false;
    pthread_mutex_unlock(&slow.lock);
    slow.done(slow.data, true);
    MUST_COME(&slow, CHANGE, "b", NULL);
    MUST_COME(&slow, CHANGE, "c", NULL);
    stop_watching(&slow);
    stop_watching(&quick);
}

int run_watches(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes_come_as_they_happen),      TEST(only_children_where_not_recursive),
        TEST(a_snapshot_comes_first),           TEST(subtrees_come_and_go),
        TEST(rights_that_come_and_go),          TEST(ends_that_say_why),
        TEST(what_may_not_be_watched),          TEST(heartbeats_carry_the_cursor),
        TEST(who_is_slow_keeps_nobody_waiting),
    };

    return cmocka_run_group_tests_name("tree watches", tests, NULL, NULL);
}
