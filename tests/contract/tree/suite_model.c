/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random stream of operations gives the same answers as a plain model in memory. The seed is
 * printed; COMB_TREE_SEED repeats a run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/recount.h"
#include "tests/contract/tree/suites.h"

#define STEPS 1500
#define NODES_MAX 2048
#define NAMES 4
#define PATH_MAX_HERE 256

/* A node of the model. Node 0 is the root; parent -1: for good, -2: in the bin. */
struct item {
    int parent, was_in;
    int name, was_called; /* index into names */
    bool is_file;
    uint64_t size, revision;
    struct comb_uuid id;
};

enum { GONE = -1, BINNED = -2 };

struct model {
    struct fixture *f;
    struct item items[NODES_MAX];
    int n;
    unsigned seed;
};

static const char *const names[NAMES] = {"a", "b", "c", "d"};

static int pick(struct model *m, int below)
{
    return (int)((unsigned)rand_r(&m->seed) % (unsigned)below);
}

static bool is_reachable(const struct model *m, int i)
{
    while (i > 0)
        i = m->items[i].parent;
    return i == 0;
}

static bool is_below(const struct model *m, int i, int above)
{
    for (; i >= 0; i = i == 0 ? -1 : m->items[i].parent) {
        if (i == above)
            return true;
    }
    return false;
}

static int child(const struct model *m, int parent, int name)
{
    for (int i = 1; i < m->n; i++) {
        if (m->items[i].parent == parent && m->items[i].name == name)
            return i;
    }
    return -1;
}

static int depth(const struct model *m, int i)
{
    int n = 0;

    for (; i > 0; i = m->items[i].parent)
        n++;
    return n;
}

static void path_of(const struct model *m, int i, char *path)
{
    char rest[PATH_MAX_HERE];

    if (i == 0) {
        snprintf(path, PATH_MAX_HERE, "/work");
        return;
    }
    path_of(m, m->items[i].parent, rest);
    snprintf(path, PATH_MAX_HERE, "%.200s/%s", rest, names[m->items[i].name]);
}

/* A node that is there; a folder, if asked. */
static int pick_node(struct model *m, bool folder)
{
    for (int tries = 0; tries < 200; tries++) {
        int i = pick(m, m->n);

        if (is_reachable(m, i) && (!folder || !m->items[i].is_file) && depth(m, i) < 20)
            return i;
    }
    return 0;
}

static int pick_binned(struct model *m)
{
    for (int tries = 0; tries < 200; tries++) {
        int i = pick(m, m->n);

        if (m->items[i].parent == BINNED)
            return i;
    }
    return -1;
}

static void expect(enum comb_status expected, enum comb_status status, const struct fixture *f)
{
    if (expected == COMB_OK)
        must_ok(status, &f->test.err);
    else
        must_fail(expected, status, &f->test.err);
}

static struct item *add_item(struct model *m, int parent, int name, bool is_file)
{
    assert_true(m->n < NODES_MAX);
    m->items[m->n] =
        (struct item){.parent = parent, .name = name, .is_file = is_file, .revision = 1};
    return &m->items[m->n++];
}

static void step_mkdir(struct model *m)
{
    int parent = pick_node(m, false), name = pick(m, NAMES), there = child(m, parent, name);
    bool exist_ok = pick(m, 2);
    struct comb_tree_changed changed;
    enum comb_status expected = COMB_OK;
    char path[PATH_MAX_HERE];

    path_of(m, parent, path);
    if (m->items[parent].is_file)
        expected = COMB_FAILED_PRECONDITION;
    else if (there >= 0 && (!exist_ok || m->items[there].is_file))
        expected = COMB_ALREADY_EXISTS;
    expect(expected, try_mkdir(m->f, path, names[name], false, exist_ok, &changed), m->f);
    if (expected == COMB_OK && there < 0)
        add_item(m, parent, name, false)->id = changed.view.node.id;
}

static void step_put(struct model *m)
{
    int parent = pick_node(m, true), name = pick(m, NAMES), there = child(m, parent, name);
    bool absent = pick(m, 3) == 0;
    uint64_t size = (uint64_t)pick(m, 1000);
    enum comb_status expected = COMB_OK;
    struct comb_node node;
    char path[PATH_MAX_HERE];

    path_of(m, parent, path);
    if (there >= 0 && absent)
        expected = COMB_ALREADY_EXISTS;
    else if (there >= 0 && !m->items[there].is_file)
        expected = COMB_FAILED_PRECONDITION;
    expect(expected,
           try_put(m->f, path, names[name], size, absent ? COMB_TREE_ABSENT : COMB_TREE_ANY, NULL,
                   &node),
           m->f);
    if (expected != COMB_OK)
        return;
    if (there < 0) {
        struct item *item = add_item(m, parent, name, true);

        item->id = node.id;
        item->size = size;
    } else {
        m->items[there].size = size;
        m->items[there].revision++;
    }
}

static void bin(struct item *item)
{
    item->was_in = item->parent;
    item->was_called = item->name;
    item->parent = BINNED;
    item->revision++;
}

/* What a move must answer; *ret_there: what has the name, -1: nothing. */
static enum comb_status foresee_move(struct model *m, int node, int parent, int name, bool replace,
                                     int *ret_there)
{
    int there = child(m, parent, name);

    *ret_there = there;
    if (node == 0 || m->items[parent].is_file || is_below(m, parent, node))
        return COMB_FAILED_PRECONDITION;
    if (there < 0 || there == node)
        return COMB_OK;
    if (!replace)
        return COMB_ALREADY_EXISTS;
    if (is_below(m, node, there) || m->items[there].is_file != m->items[node].is_file)
        return COMB_FAILED_PRECONDITION;
    return COMB_OK;
}

static void step_move(struct model *m)
{
    int node = pick_node(m, false), parent = pick_node(m, false), name = pick(m, NAMES), there;
    bool replace = pick(m, 2);
    enum comb_status expected = foresee_move(m, node, parent, name, replace, &there);
    struct comb_tree_changed changed;
    char from[PATH_MAX_HERE], to[PATH_MAX_HERE];

    path_of(m, node, from);
    path_of(m, parent, to);
    expect(expected,
           try_move(m->f, from, to, names[name],
                    replace ? COMB_V1_MOVE_CONFLICT_REPLACE : COMB_V1_MOVE_CONFLICT_FAIL, &changed),
           m->f);
    if (expected != COMB_OK || there == node)
        return;
    if (there >= 0)
        bin(&m->items[there]);
    m->items[node].parent = parent;
    m->items[node].name = name;
    m->items[node].revision++;
}

static void step_delete(struct model *m)
{
    int node = pick_node(m, false);
    bool permanently = pick(m, 4) == 0;
    struct comb_tree_changed changed;
    char path[PATH_MAX_HERE];

    path_of(m, node, path);
    expect(node == 0 ? COMB_FAILED_PRECONDITION : COMB_OK,
           try_delete(m->f, ref_path(m->f, path), permanently, &changed), m->f);
    if (node == 0)
        return;
    if (permanently)
        m->items[node].parent = GONE;
    else
        bin(&m->items[node]);
}

static void step_restore(struct model *m)
{
    int node = pick_binned(m), parent = -1, name;
    bool elsewhere = pick(m, 2);
    enum comb_status expected = COMB_OK;
    struct comb_tree_changed changed;
    struct item *item;
    char path[PATH_MAX_HERE];

    if (node < 0)
        return;
    item = &m->items[node];
    name = elsewhere ? pick(m, NAMES) : item->was_called;
    parent = elsewhere ? pick_node(m, true) : item->was_in;
    if (!elsewhere && (!is_reachable(m, parent) || child(m, parent, name) >= 0))
        expected = COMB_FAILED_PRECONDITION;
    else if (child(m, parent, name) >= 0)
        expected = COMB_ALREADY_EXISTS;
    if (elsewhere)
        path_of(m, parent, path);
    expect(expected,
           try_restore(m->f, &item->id, elsewhere ? path : NULL, elsewhere ? names[name] : "",
                       &changed),
           m->f);
    if (expected != COMB_OK)
        return;
    item->parent = parent;
    item->name = name;
    item->revision++;
}

static void step_stat(struct model *m)
{
    int node = pick(m, m->n);
    const struct item *item = &m->items[node];
    struct comb_tree_view view;
    bool there = is_reachable(m, node);

    expect(there ? COMB_OK : COMB_NOT_FOUND, try_stat(m->f, ref_id(m->f, &item->id), 0, &view),
           m->f);
    if (!there || node == 0)
        return;
    assert_int_equal(view.node.revision, item->revision);
    assert_int_equal(view.node.size, item->size);
    assert_true(comb_uuid_equal(&view.node.parent, &m->items[item->parent].id));
    assert_true(comb_str_equal(view.node.name, comb_str_from(names[item->name])));
}

static void step_list(struct model *m)
{
    int folder = pick_node(m, true), found = 0;
    char path[PATH_MAX_HERE];
    struct comb_tree_list_query query = {.size = (size_t)pick(m, 3) + 1};

    path_of(m, folder, path);
    query.folder = ref_path(m->f, path);
    do {
        struct comb_tree_page page;

        must_ok(comb_tree_list(m->f->tree, more(m->f), &query, &page, &m->f->test.err),
                &m->f->test.err);
        for (size_t i = 0; i < page.n_views; i++) {
            while (child(m, folder, found) < 0)
                found++;
            assert_true(found < NAMES);
            assert_true(comb_str_equal(page.views[i].node.name, comb_str_from(names[found])));
            found++;
        }
        query.state = page.state;
    } while (query.state.len > 0);
    for (; found < NAMES; found++)
        assert_true(child(m, folder, found) < 0);
}

static void like_a_plain_model(void **state)
{
    static void (*const steps[])(struct model *) = {
        step_mkdir, step_mkdir,  step_put,     step_put,  step_move, step_move,
        step_move,  step_delete, step_restore, step_stat, step_stat, step_list};
    const char *seed = getenv("COMB_TREE_SEED");
    struct model *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->f = *state;
    m->seed = seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
    print_message("COMB_TREE_SEED=%u\n", m->seed);
    m->items[0] = (struct item){.parent = -3, .id = m->f->root};
    m->n = 1;
    for (int i = 0; i < STEPS; i++) {
        next(m->f);
        steps[pick(m, (int)(sizeof steps / sizeof steps[0]))](m);
    }
    must_be_recounted(m->f);
    free(m);
}

int run_model(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(like_a_plain_model, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests_name("tree model", tests, NULL, NULL);
}
