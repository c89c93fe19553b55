/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round trips to PostgreSQL that one call costs, counted on the wire (DESIGN: Round trips). Cold:
 * the server knows nothing of what the call asks; warm: it knows the nodes that there are. One more
 * than stands here fails the test.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/backend/sql/postgres/open.h"
#include "tests/contract/tree/fixture.h"
#include "tests/support/postgres_proxy.h"
#include "tests/support/sql_row_postgres.h"

struct trips {
    struct fixture *f;
    struct postgres_proxy *proxy;
};

/* The folder's database, through the proxy. */
static struct comb_sql *open_through(struct trips *t)
{
    char *folder = test_folder_new(), *direct = test_sql_row_postgres_url(folder), *url = NULL;
    struct comb_sql *sql = NULL;
    struct comb_error err;
    int port;

    t->proxy = postgres_proxy_new(test_sql_row_server.port, &port);
    assert_true(asprintf(&url, "postgres://app@127.0.0.1:%d%s", port, strrchr(direct, '/')) > 0);
    must_ok(
        comb_sql_postgres_open(&(struct comb_store_options){.url = comb_str_from(url)}, &sql, &err),
        &err);
    free(url);
    free(direct);
    free(folder);
    return sql;
}

static void lock(struct fixture *f, const char *path)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_lock_request *request = comb_v1_tree_lock_request_new(ctx->arena);
    struct comb_tree_lock lock;

    request->node = ref_path(f, path);
    must_ok(comb_tree_lock(f->tree, ctx, &key, request, &lock, &f->test.err), &f->test.err);
    assert_int_equal(lock.token, 1);
}

static int setup(void **state)
{
    struct trips *t = calloc(1, sizeof *t);

    assert_non_null(t);
    t->f = fixture_new(open_through(t));
    mkdir_at(t->f, "/work", "a");
    mkdir_at(t->f, "/work/a", "b");
    mkdir_at(t->f, "/work", "c");
    put(t->f, "/work/a/b", "file", 1);
    put(t->f, "/work/a/b", "locked", 1);
    lock(t->f, "/work/a/b/locked");
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct trips *t = *state;

    fixture_free(t->f);
    postgres_proxy_free(t->proxy);
    free(t);
    return 0;
}

/* ---- calls ---- */

static void call_stat(struct fixture *f)
{
    struct comb_tree_view view;

    must_ok(try_stat(f, ref_path(f, "/work/a/b/file"), COMB_TREE_WITH_RIGHTS, &view), &f->test.err);
}

static void call_list(struct fixture *f)
{
    const struct comb_tree_list_query query = {.folder = ref_path(f, "/work/a/b"), .size = 100};
    struct comb_tree_page page;

    must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
}

static void call_create(struct fixture *f)
{
    mkdir_at(f, "/work/a/b", "new");
}

static void call_put(struct fixture *f)
{
    put(f, "/work/a/b", "upload", 1);
}

static void call_rewrite(struct fixture *f)
{
    put(f, "/work/a/b", "file", 2);
}

static void call_move_file(struct fixture *f)
{
    move_to(f, "/work/a/b/file", "/work/c", "new");
}

static void call_move_folder(struct fixture *f)
{
    move_to(f, "/work/a/b", "/work/c", "new");
}

static void call_rename(struct fixture *f)
{
    move_to(f, "/work/a/b", "/work/a", "new");
}

static void call_delete(struct fixture *f)
{
    recycle(f, "/work/a/b");
}

static void call_annotate(struct fixture *f)
{
    const struct comb_request_key key = new_key();
    struct comb_ctx *ctx = more(f);
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(ctx->arena);
    struct comb_v1_metadata *piece = comb_v1_metadata_new(ctx->arena);
    struct comb_tree_changed changed;

    request->node = ref_path(f, "/work/a/b/file");
    comb_v1_metadata_set_namespace(piece, "test");
    comb_v1_metadata_set_name(piece, "value");
    piece->value = comb_v1_metadata_value_new(ctx->arena);
    comb_v1_metadata_value_set_text(piece->value, "one");
    assert_true(comb_v1_tree_set_metadata_request_add_set(ctx->arena, request, piece));
    must_ok(comb_tree_set_metadata(f->tree, ctx, &key, request, &changed, &f->test.err),
            &f->test.err);
}

static void call_lock(struct fixture *f)
{
    lock(f, "/work/a/b/file");
}

/* The lock costs who writes under it nothing. */
static void call_rewrite_locked(struct fixture *f)
{
    f->lock_token = 1;
    put(f, "/work/a/b", "locked", 2);
}

/* Also a name that is free: an upload has looked before its content came. */
static void learn_paths(struct fixture *f)
{
    static const char *const paths[] = {"/work/a/b/file", "/work/c", "/work/a/b/upload",
                                        "/work/a/b/locked"};
    struct comb_tree_view view;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        enum comb_status status = try_stat(f, ref_path(f, paths[i]), 0, &view);

        assert_true(status == COMB_OK || status == COMB_NOT_FOUND);
    }
}

struct row {
    const char *name;
    void (*call)(struct fixture *f);
    int cold, warm; /* round trips */
};

static const struct row rows[] = {
    {"stat", call_stat, 1, 0},
    {"list page", call_list, 2, 1},
    {"create folder", call_create, 2, 1},
    {"write new file", call_put, 2, 1},
    {"write file again", call_rewrite, 2, 1},
    {"move file", call_move_file, 3, 1},
    {"move folder", call_move_folder, 3, 1},
    {"rename folder", call_rename, 2, 1},
    {"delete to the bin", call_delete, 2, 1},
    {"set metadata", call_annotate, 3, 2},
    {"lock", call_lock, 3, 2},
    {"write locked file", call_rewrite_locked, 2, 1},
};

static int count(struct trips *t, const struct row *row, bool warm)
{
    struct fixture *f = t->f;
    uint64_t before;

    /* The background is quiet, and the cache has heard of all changes. */
    must_ok(comb_tree_settle(f->tree, next(f), &f->test.err), &f->test.err);
    fixture_restart(f);
    must_ok(comb_tree_settle(f->tree, next(f), &f->test.err), &f->test.err);
    f->test.ctx.strong = true;
    must_ok(comb_facts_sync_wait(f->facts, &f->test.ctx, &f->test.err), &f->test.err);
    f->test.ctx.strong = false;
    if (warm)
        learn_paths(f);
    before = postgres_proxy_trips(t->proxy);
    row->call(f);
    return (int)(postgres_proxy_trips(t->proxy) - before);
}

/* The least of a few: where the machine is so busy that memory gets old meanwhile, a call has to
 * ask once more. */
static int count_anew(const struct row *row, bool warm)
{
    int least = INT_MAX, promised = warm ? row->warm : row->cold;

    for (int i = 0; i < TRIES_MAX && least > promised; i++) {
        void *state;
        int n;

        setup(&state);
        n = count(state, row, warm);
        teardown(&state);
        least = n < least ? n : least;
    }
    return least;
}

static void calls_cost_what_is_promised(void **state)
{
    bool same = true;

    (void)state;
    print_message("%-20s %4s %4s\n", "round trips", "cold", "warm");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int cold = count_anew(&rows[i], false), warm = count_anew(&rows[i], true);

        print_message("%-20s %4d %4d\n", rows[i].name, cold, warm);
        same = same && cold == rows[i].cold && warm == rows[i].warm;
    }
    assert_true(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_cost_what_is_promised)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
