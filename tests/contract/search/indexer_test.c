/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer "search": after anything that happens in the tree, the index says what the tree
 * says. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/search/walk.h"
#include "tests/contract/search/world.h"

enum { NODES_MAX = 2000 };

/* ---- what the tree says, and what the index says ---- */

/* A node that the index has to have. */
struct said {
    struct comb_uuid id, parent;
    uint64_t revision;
    int64_t size, modified_us;
    bool is_folder;
    char name[64], media[64];
};

static struct said tree_says[NODES_MAX], index_says[NODES_MAX];

static bool is_on_its_way_out(const struct said *said, size_t n, const struct comb_uuid *parent)
{
    for (size_t i = 0; i < n; i++)
        if (comb_uuid_equal(&said[i].id, parent))
            return false;
    return true;
}

/* What lies below a purged folder is still a row, for a while. */
static size_t drop_what_goes(struct said *said, size_t n, const struct comb_uuid *ends,
                             size_t n_ends)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < n; i++) {
            bool is_top = false;
            for (size_t k = 0; k < n_ends; k++)
                is_top = is_top || comb_uuid_equal(&ends[k], &said[i].parent);
            if (!is_top && is_on_its_way_out(said, n, &said[i].parent)) {
                said[i--] = said[--n];
                again = true;
            }
        }
    }
    return n;
}

static void keep_text(char to[64], comb_str text)
{
    snprintf(to, 64, "%.*s", COMB_STR_ARG(text));
}

static size_t ask_tree(struct world *w)
{
    struct comb_uuid last = {{0}}, ends[64];
    size_t n = 0, n_ends = 0, some = 1;
    while (some > 0) {
        const struct comb_tree_details *details;
        must_ok(w->tree->store->driver->walk(w->tree->store, next(w->tree), &last, 100, &details,
                                             &some, &w->tree->test.err),
                &w->tree->test.err);
        for (size_t i = 0; i < some; i++) {
            const struct comb_node *node = &details[i].node;
            last = node->id;
            if (comb_uuid_equal(&node->parent, &comb_node_super_root) && n_ends < 64)
                ends[n_ends++] = node->id;
            if (!comb_search_is_indexed(node))
                continue;
            assert_true(n < NODES_MAX);
            tree_says[n] = (struct said){.id = node->id,
                                         .parent = node->parent,
                                         .revision = node->revision,
                                         .size = (int64_t)node->size,
                                         .modified_us = node->update_us,
                                         .is_folder = node->kind == COMB_V1_NODE_KIND_FOLDER};
            keep_text(tree_says[n].name, node->trash_name.len ? node->trash_name : node->name);
            keep_text(tree_says[n].media, node->media_type);
            n++;
        }
    }
    return drop_what_goes(tree_says, n, ends, n_ends);
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct comb_uuid));
}

static size_t ask_index(struct world *w)
{
    struct comb_search_condition file = {.kind = COMB_SEARCH_FILE};
    struct comb_search_condition folder = {.kind = COMB_SEARCH_FOLDER, .number = 1};
    struct comb_search_condition *parts[] = {&file, &folder};
    const struct comb_search_condition all = {
        .kind = COMB_SEARCH_OR, .number = 2, .parts = parts, .n_parts = 2};
    struct comb_search_scan scan = {.query = &all, .max = 100};
    struct comb_uuid last;
    size_t n = 0;
    for (bool more = true; more;) {
        struct comb_search_found found;
        must_ok(w->store->driver->scan(w->store, next(w->tree), &scan, &found, &w->tree->test.err),
                &w->tree->test.err);
        for (size_t i = 0; i < found.n; i++) {
            const struct comb_search_candidate *candidate = &found.candidates[i];
            assert_true(n < NODES_MAX);
            index_says[n] = (struct said){.id = candidate->id,
                                          .parent = candidate->parent,
                                          .revision = candidate->version.revision,
                                          .size = candidate->size,
                                          .modified_us = candidate->modified_us,
                                          .is_folder = candidate->is_folder};
            keep_text(index_says[n].name, candidate->name);
            keep_text(index_says[n].media, candidate->media);
            n++;
            last = candidate->id;
            scan.before = &last;
        }
        more = found.more;
    }
    return n;
}

static bool is_same(const struct said *a, const struct said *b)
{
    return comb_uuid_equal(&a->id, &b->id) && comb_uuid_equal(&a->parent, &b->parent) &&
           a->revision == b->revision && a->size == b->size && a->modified_us == b->modified_us &&
           a->is_folder == b->is_folder && strcmp(a->name, b->name) == 0 &&
           strcmp(a->media, b->media) == 0;
}

/* Why they differ; "": they agree. */
static const char *difference(struct world *w)
{
    static char text[256];
    size_t n_tree = ask_tree(w), n_index = ask_index(w);
    qsort(tree_says, n_tree, sizeof tree_says[0], compare);
    qsort(index_says, n_index, sizeof index_says[0], compare);
    text[0] = 0;
    if (n_tree != n_index)
        snprintf(text, sizeof text, "%zu nodes, %zu documents", n_tree, n_index);
    for (size_t i = 0; i < n_tree && n_tree == n_index; i++)
        if (!is_same(&tree_says[i], &index_says[i]))
            snprintf(text, sizeof text, "%s at revision %llu is %s at revision %llu",
                     tree_says[i].name, (unsigned long long)tree_says[i].revision,
                     index_says[i].name, (unsigned long long)index_says[i].revision);
    return text;
}

static void must_agree(struct world *w)
{
    const struct timespec pause = {0, 50 * 1000 * 1000};
    for (int i = 0; i < 60 * 20 && difference(w)[0]; i++)
        nanosleep(&pause, NULL);
    assert_string_equal(difference(w), "");
}

/* ---- anything that happens ---- */

static uint64_t draw_state = 88172645463325252u;

static unsigned draw(unsigned below)
{
    draw_state ^= draw_state << 13;
    draw_state ^= draw_state >> 7;
    draw_state ^= draw_state << 17;
    return (unsigned)((draw_state >> 33) % below);
}

static const char *draw_folder(char path[64])
{
    static const char *const folders[] = {"/work",     "/work/a",   "/work/b",
                                          "/work/a/c", "/work/b/d", "/work/a/c/e"};
    snprintf(path, 64, "%s", folders[draw(6)]);
    return path;
}

static void one_operation(struct world *w)
{
    struct fixture *f = w->tree;
    struct comb_tree_changed changed;
    struct comb_node node;
    char parent[64], other[64], name[16], path[96];
    snprintf(name, sizeof name, "%s%u", draw(2) ? "n" : "", draw(6));
    draw_folder(parent);
    draw_folder(other);
    snprintf(path, sizeof path, "%s/%s", parent, name);
    switch (draw(8)) {
    case 0:
    case 1:
        (void)try_mkdir(f, parent, draw(2) ? name : "c", false, true, &changed);
        break;
    case 2:
    case 3:
    case 4:
        (void)try_put(f, parent, name, draw(1000), COMB_TREE_ANY, NULL, &node);
        break;
    case 5:
        (void)try_move(f, draw(3) ? path : parent, other, name, COMB_V1_MOVE_CONFLICT_FAIL,
                       &changed);
        break;
    default:
        (void)try_delete(f, ref_path(f, draw(4) ? path : parent), draw(2), &changed);
        break;
    }
    next(f);
}

static void the_index_says_what_the_tree_says(void **state)
{
    enum { ROUNDS = 4, OPERATIONS = 60 };
    struct world *w = *state;
    struct comb_tree_changed changed;
    /* Some of it before the index is there. */
    for (int round = 0; round < ROUNDS; round++) {
        static const char *const folders[][2] = {
            {"/work", "a"}, {"/work", "b"}, {"/work/a", "c"}, {"/work/b", "d"}, {"/work/a/c", "e"}};
        for (size_t i = 0; i < 5; i++)
            (void)try_mkdir(w->tree, folders[i][0], folders[i][1], false, true, &changed);
        for (int i = 0; i < OPERATIONS; i++)
            one_operation(w);
        if (round == 0)
            world_start(w);
        if (round == 2)
            world_stop(w);
        else if (round == 3)
            world_start(w);
        if (round != 2)
            must_agree(w);
    }
    assert_true(ask_index(w) > 5);
}

static void folders_that_are_deleted_take_along_what_lies_below(void **state)
{
    struct world *w = *state;
    world_start(w);
    mkdir_at(w->tree, "/work", "top");
    mkdir_at(w->tree, "/work/top", "inner");
    for (int i = 0; i < 12; i++) {
        char name[16];
        snprintf(name, sizeof name, "below%d", i);
        put(w->tree, i % 2 ? "/work/top" : "/work/top/inner", name, 1);
    }
    must_agree(w);
    assert_int_equal(ask_index(w), 14);
    /* In a bin they are still there, for who may read it. */
    recycle(w->tree, "/work/top");
    must_agree(w);
    assert_int_equal(ask_index(w), 14);
    assert_int_equal(world_hits(w, "top", COMB_SEARCH_NAME), 1);
    mkdir_at(w->tree, "/work", "gone");
    put(w->tree, "/work/gone", "child", 1);
    must_agree(w);
    delete_for_good(w->tree, "/work/gone");
    must_agree(w);
    assert_int_equal(world_hits(w, "child", COMB_SEARCH_NAME), 0);
}

static void a_rebuild_brings_what_is_missing_and_takes_what_is_not_there(void **state)
{
    struct world *w = *state;
    struct comb_error *err = &w->tree->test.err;
    uint64_t epoch = 0;
    world_start(w);
    mkdir_at(w->tree, "/work", "folder");
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "file%d", i);
        put(w->tree, "/work/folder", name, 1);
    }
    must_agree(w);
    /* Somebody has tampered with it. */
    struct comb_search_document document = {.id = comb_uuid_new(),
                                            .version = {1, 1},
                                            .name = STR("never"),
                                            .media = STR(""),
                                            .name_terms = STR("never"),
                                            .meta_terms = STR(""),
                                            .keyed_terms = STR("")};
    must_ok(w->store->driver->put(w->store, next(w->tree), &document, 1, err), err);
    size_t n = 0;
    must_ok(w->store->driver->sweep(w->store, next(w->tree),
                                    world_epoch(w, COMB_SEARCH_CONSUMER) + 1, 7, &n, err),
            err);
    assert_int_equal(n, 7);
    assert_string_not_equal(difference(w), "");
    must_ok(w->leases->driver->begin_anew(w->leases, next(w->tree), STR(COMB_SEARCH_CONSUMER),
                                          &epoch, err),
            err);
    must_agree(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(the_index_says_what_the_tree_says),
        WORLD_TEST(folders_that_are_deleted_take_along_what_lies_below),
        WORLD_TEST(a_rebuild_brings_what_is_missing_and_takes_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
