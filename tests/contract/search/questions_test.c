/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions of users to an installation without a server: what each is told, by hits, counts,
 * suggestions and highlights, is what an oracle of the test's own says that he may read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/tree.grpcc.h"
#include "server/consumers/consumer.h"
#include "server/permissions/permissions.h"
#include "server/search/indexer.h"
#include "server/search/search.h"
#include "tests/support/areas.h"
#include "tests/support/docs_row.h"

enum { NODES = 40, GRANTS = 80, MOVES = 15, USERS = 10, USERS_LONG = 1000, PAGE = 7 };

static struct world {
    struct test_areas areas;
    struct comb_permissions *permissions;
    struct comb_docs *docs;
    struct comb_search_store *store;
    struct comb_search_indexer *indexer;
    /* One as it is, and one that asks at once what a user can read at all. */
    struct comb_search *searches[2];
    struct comb_consumers_store *leases;
    struct comb_consumers *consumers;
    struct test_ctx admin;
    struct comb_uuid roots[2]; /* of the workspace that everybody may read, and of the other */
} world;

/* What the oracle knows. entries: comb.v1.Rights, 0: none. */
static struct {
    struct comb_uuid id;
    int parent; /* -1: the root of the workspace that everybody may read; -2: of the other */
    bool is_recycled;
    int entries[USERS_LONG];
} nodes[NODES];
static int n_users = USERS;

/* ---- the installation ---- */

static enum comb_status find_user(void *data, struct comb_ctx *ctx, comb_str login,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    return comb_identity_find_user(data, ctx, login, ret_id, err);
}

static enum comb_status find_role(void *data, struct comb_ctx *ctx, comb_str name,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    return comb_identity_find_role(data, ctx, name, ret_id, err);
}

static void open_search(struct world *w)
{
    const struct comb_consumers_options options = {
        .sql = w->areas.sql, .store = w->leases, .lease_ms = 60000, .poll_ms = 20};
    struct comb_search_parts parts = {
        .store = w->store,
        .access = w->areas.access,
        .reach = {w->areas.facts, w->areas.permissions, w->areas.tree_store},
        .patience = COMB_SEARCH_PATIENCE,
        .find_user = find_user,
        .data = w->areas.identity};
    struct comb_consumer consumer;
    struct comb_error err;
    must_ok(comb_search_indexer_new(w->store, w->areas.tree_store, &w->indexer, &err), &err);
    comb_search_indexer_consumer(w->indexer, &consumer);
    must_ok(comb_consumers_new(&options, &w->consumers, &err), &err);
    must_ok(comb_consumers_add(w->consumers, &consumer, &err), &err);
    must_ok(comb_consumers_start(w->consumers, &err), &err);
    must_ok(comb_search_new(&parts, &w->searches[0], &err), &err);
    parts.patience = 0;
    must_ok(comb_search_new(&parts, &w->searches[1], &err), &err);
}

static void make_workspace(struct world *w, const char *slug, int rights,
                           struct comb_uuid *ret_root)
{
    const struct comb_request_key key = test_key();
    const struct comb_workspaces_new_workspace input = {.slug = comb_str_from(slug),
                                                        .default_rights = rights};
    const struct comb_access_options options = {.need = COMB_V1_NEED_READ, .field = "node"};
    struct comb_workspace_view view;
    struct comb_access_node node;
    test_areas_next(&w->admin);
    must_ok(comb_workspaces_create(w->areas.workspaces, &w->admin.ctx, &key, &input, &view,
                                   &w->admin.err),
            &w->admin.err);
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(w->admin.ctx.arena);
    comb_v1_node_ref_set_path(ref, grpcc_arena_printf(w->admin.ctx.arena, "/%s", slug));
    w->admin.ctx.strong = true;
    must_ok(
        comb_access_resolve(w->areas.access, &w->admin.ctx, ref, &options, &node, &w->admin.err),
        &w->admin.err);
    *ret_root = node.node->id;
}

static int setup_all(void **state)
{
    struct world *w = &world;
    struct comb_error err;
    test_areas_init(&w->areas);
    test_areas_ctx(&w->areas, &w->admin, "admin");
    const struct comb_permissions_parts permissions = {
        .store = w->areas.permissions,
        .access = w->areas.access,
        .facts = w->areas.facts,
        .mutations = w->areas.mutations,
        .directory = {.find_user = find_user, .find_role = find_role, .data = w->areas.identity},
    };
    must_ok(comb_permissions_new(&permissions, &w->permissions, &err), &err);
    must_ok(comb_sql_migrate_schema(w->areas.sql, comb_consumers_schemas, &err), &err);
    must_ok(comb_consumers_store_open(w->areas.sql, &w->leases, &err), &err);
    w->docs = test_docs_row_open();
    must_ok(comb_search_store_open(w->docs, &w->store, &err), &err);
    open_search(w);
    make_workspace(w, "common", COMB_V1_RIGHTS_READ, &w->roots[0]);
    make_workspace(w, "closed", COMB_V1_RIGHTS_UNSPECIFIED, &w->roots[1]);
    if (getenv("COMB_LONG"))
        n_users = USERS_LONG;
    *state = w;
    return 0;
}

static int teardown_all(void **state)
{
    struct world *w = *state;
    comb_consumers_stop(w->consumers);
    comb_consumers_free(w->consumers);
    comb_search_free(w->searches[0]);
    comb_search_free(w->searches[1]);
    comb_search_indexer_free(w->indexer);
    comb_search_store_close(w->store);
    test_docs_row_close(w->docs);
    comb_consumers_store_close(w->leases);
    comb_permissions_free(w->permissions);
    test_ctx_done(&w->admin);
    test_areas_done(&w->areas);
    return 0;
}

/* Until the index has all that the feed has. */
static void await_indexed(struct world *w)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 120 * 50; i++) {
        const struct comb_consumer_status *status;
        size_t n = 0;
        test_areas_next(&w->admin);
        must_ok(comb_consumers_status(w->consumers, &w->admin.ctx, &status, &n, &w->admin.err),
                &w->admin.err);
        if (n == 1 && status[0].n_behind == 0 && status[0].lease.place.rebuild == COMB_REBUILD_NONE)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("the index does not catch up");
}

/* ---- changes ---- */

static unsigned seed = 20240507;

static unsigned draw(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static struct comb_v1_node_ref *ref_of(struct test_ctx *as, const struct comb_uuid *node)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(as->ctx.arena);
    comb_v1_node_ref_set_id(ref, comb_uuid_text(as->ctx.arena, node));
    return ref;
}

static const struct comb_uuid *id_of(const struct world *w, int node)
{
    return node < 0 ? &w->roots[-1 - node] : &nodes[node].id;
}

static void make_folder(struct world *w, int node)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    struct test_ctx *as = &w->admin;
    test_areas_next(as);
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(as->ctx.arena);
    request->parent = ref_of(as, id_of(w, nodes[node].parent));
    comb_v1_tree_create_folder_request_set_name(
        request, grpcc_arena_printf(as->ctx.arena, "Report F%02d", node));
    must_ok(comb_tree_create_folder(w->areas.tree, &as->ctx, &key, request, &changed, &as->err),
            &as->err);
    nodes[node].id = changed.view.node.id;
}

static void move_folder(struct world *w, int node, int target)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    struct test_ctx *as = &w->admin;
    test_areas_next(as);
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(as->ctx.arena);
    request->node = ref_of(as, id_of(w, node));
    request->target_parent = ref_of(as, id_of(w, target));
    must_ok(comb_tree_move(w->areas.tree, &as->ctx, &key, request, &changed, &as->err), &as->err);
    nodes[node].parent = target;
}

static void recycle(struct world *w, int node)
{
    const struct comb_request_key key = test_key();
    struct comb_tree_changed changed;
    struct test_ctx *as = &w->admin;
    test_areas_next(as);
    struct comb_v1_tree_delete_request *request = comb_v1_tree_delete_request_new(as->ctx.arena);
    request->node = ref_of(as, id_of(w, node));
    must_ok(comb_tree_delete(w->areas.tree, &as->ctx, &key, request, &changed, &as->err), &as->err);
    nodes[node].is_recycled = true;
}

static void grant(struct world *w, int node, int user, int rights)
{
    const struct comb_request_key key = test_key();
    struct comb_permission permission;
    char login[16];
    snprintf(login, sizeof login, "user%d", user);
    test_areas_next(&w->admin);
    const struct comb_permissions_grant one = {.node = ref_of(&w->admin, id_of(w, node)),
                                               .subject = {.name = comb_str_from(login)},
                                               .rights = rights};
    must_ok(comb_permissions_grant(w->permissions, &w->admin.ctx, &key, &one, &permission,
                                   &w->admin.err),
            &w->admin.err);
    nodes[node].entries[user] = rights;
}

/* ---- the oracle ---- */

static bool is_below(int node, int above)
{
    while (node >= 0 && node != above)
        node = nodes[node].parent;
    return node == above;
}

/* A deny anywhere above refuses; else the nearest entry decides; else the root's. */
static bool may_read(int user, int node)
{
    int nearest = 0;
    for (; node >= 0; node = nodes[node].parent) {
        int rights = nodes[node].entries[user];
        if (rights == COMB_V1_RIGHTS_DENY || nodes[node].is_recycled)
            return false;
        if (!nearest)
            nearest = rights;
    }
    return nearest ? (nearest & COMB_V1_RIGHTS_READ) != 0 : node == -1;
}

/* ---- what a user is told ---- */

static int node_of(const char *name)
{
    int node = -1;
    assert_int_equal(sscanf(name, "Report F%d", &node), 1);
    assert_in_range(node, 0, NODES - 1);
    return node;
}

static void check_hit(const struct comb_v1_search_hit *hit, int user, bool *told)
{
    int node = node_of(hit->node->name);
    if (told[node])
        fail_msg("user %d finds folder %d twice", user, node);
    told[node] = true;
    assert_int_equal(hit->n_highlights, 1);
    assert_int_equal(hit->reading, COMB_V1_SEARCH_READING_UNSPECIFIED);
    const struct comb_v1_search_highlight *name = hit->highlights[0];
    assert_int_equal(name->n_spans, 2);
    assert_string_equal(name->spans[0]->text, "Report");
    assert_true(name->spans[0]->is_match);
}

static struct comb_search *any_search(const struct world *w)
{
    return w->searches[draw(2)];
}

/* All pages of a question, each from either search; OK or how it ended. */
static enum comb_status ask(struct world *w, struct test_ctx *as, int user, int in, bool *told)
{
    char next[COMB_SEARCH_STATE_MAX];
    comb_str state = STR("");
    do {
        test_areas_next(as);
        struct comb_v1_search_query_response *response =
            comb_v1_search_query_response_new(as->ctx.arena);
        const struct comb_search_question question = {
            .text = STR("report"), .in = in < 0 ? NULL : ref_of(as, id_of(w, in))};
        comb_str following = STR("");
        as->ctx.strong = true;
        enum comb_status status =
            comb_search_query(any_search(w), &as->ctx, &question, PAGE,
                              COMB_SEARCH_SHOW_HIGHLIGHTS | COMB_SEARCH_SHOW_READING, state,
                              response, &following, &as->err);
        if (status != COMB_OK)
            return status;
        for (size_t i = 0; i < response->n_hits; i++)
            check_hit(response->hits[i], user, told);
        assert_true(following.len <= sizeof next);
        memcpy(next, following.len ? following.ptr : "", following.len);
        state = comb_str_of(next, following.len);
    } while (state.len > 0);
    return COMB_OK;
}

static size_t check_hits(struct world *w, struct test_ctx *as, int user)
{
    bool told[NODES] = {false};
    size_t n = 0;
    must_ok(ask(w, as, user, -1, told), &as->err);
    for (int i = 0; i < NODES; i++) {
        if (told[i] != may_read(user, i))
            fail_msg("user %d %s folder %d", user, told[i] ? "finds" : "does not find", i);
        n += told[i];
    }
    return n;
}

/* What lies in one folder; one that he may not read is not there for him. */
static void check_folder(struct world *w, struct test_ctx *as, int user)
{
    bool told[NODES] = {false};
    int in = (int)draw(NODES);
    enum comb_status status = ask(w, as, user, in, told);
    assert_int_equal(status, may_read(user, in) ? COMB_OK : COMB_NOT_FOUND);
    for (int i = 0; i < NODES; i++) {
        bool expected = may_read(user, in) && i != in && is_below(i, in) && may_read(user, i);
        if (told[i] != expected)
            fail_msg("user %d %s folder %d in %d", user, told[i] ? "finds" : "does not find", i,
                     in);
    }
}

static void check_counts(struct world *w, struct test_ctx *as, size_t expected)
{
    test_areas_next(as);
    struct comb_v1_search_facets_response *response =
        comb_v1_search_facets_response_new(as->ctx.arena);
    const struct comb_search_question question = {.text = STR("report")};
    as->ctx.strong = true;
    must_ok(comb_search_facets(any_search(w), &as->ctx, &question, response, &as->err), &as->err);
    assert_int_equal(response->hits, expected);
    assert_false(response->is_at_least);
    for (size_t i = 0; i < response->n_facets; i++) {
        uint64_t sum = 0;
        for (size_t k = 0; k < response->facets[i]->n_values; k++)
            sum += response->facets[i]->values[k]->hits;
        /* Folders have neither size nor media type. */
        assert_true(sum == expected || sum == 0);
    }
}

static void check_suggestions(struct world *w, struct test_ctx *as, int user, size_t expected)
{
    test_areas_next(as);
    struct comb_v1_search_suggest_response *response =
        comb_v1_search_suggest_response_new(as->ctx.arena);
    as->ctx.strong = true;
    must_ok(comb_search_suggest(any_search(w), &as->ctx, STR("report f"),
                                COMB_SEARCH_SUGGESTIONS_MAX, response, &as->err),
            &as->err);
    assert_int_equal(response->n_suggestions, expected);
    for (size_t i = 0; i < response->n_suggestions; i++) {
        int node = -1;
        assert_int_equal(sscanf(response->suggestions[i]->query, "report f%d", &node), 1);
        if (!may_read(user, node))
            fail_msg("user %d is told of folder %d by a suggestion", user, node);
    }
}

static size_t check_user(struct world *w, int user)
{
    struct test_ctx as;
    char login[16];
    snprintf(login, sizeof login, "user%d", user);
    test_areas_ctx(&w->areas, &as, login);
    size_t n = check_hits(w, &as, user);
    check_folder(w, &as, user);
    check_counts(w, &as, n);
    check_suggestions(w, &as, user, n);
    test_ctx_done(&as);
    return n;
}

static void random_rights_are_kept(void **state)
{
    static const int rights[] = {COMB_V1_RIGHTS_DENY, COMB_V1_RIGHTS_READ, COMB_V1_RIGHTS_WRITE};
    struct world *w = *state;
    size_t told = 0;
    char login[16];
    for (int i = 0; i < n_users; i++) {
        snprintf(login, sizeof login, "user%d", i);
        test_areas_next(&w->admin);
        test_areas_user(&w->areas, &w->admin, login);
    }
    for (int i = 0; i < NODES; i++) {
        nodes[i].parent = (int)draw((unsigned)i + 2) - 2;
        make_folder(w, i);
    }
    for (int i = 0; i < GRANTS * (n_users / USERS); i++)
        grant(w, (int)draw(NODES), (int)draw((unsigned)n_users), rights[draw(3)]);
    for (int round = 0; round < 2; round++) {
        await_indexed(w);
        for (int user = 0; user < n_users; user++)
            told += check_user(w, user);
        for (int i = 0; i < MOVES && round == 0; i++) {
            int node = (int)draw(NODES), target = (int)draw(NODES + 2) - 2;
            if (target < 0 || !is_below(target, node))
                move_folder(w, node, target);
        }
        if (round == 0)
            recycle(w, (int)draw(NODES));
    }
    /* Both were asked for: what is told, and what is not. */
    size_t all = 2 * (size_t)n_users * NODES;
    assert_in_range(told, all / 5, all - all / 5);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    struct world *w = *state;
    struct test_ctx *as = &w->admin;
    static const char *const wrong[] = {"", "  ", "(report", "size:big", "report AND"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        test_areas_next(as);
        const struct comb_search_question question = {.text = comb_str_from(wrong[i])};
        struct comb_v1_search_query_response *response =
            comb_v1_search_query_response_new(as->ctx.arena);
        comb_str following;
        assert_int_equal(comb_search_query(w->searches[0], &as->ctx, &question, PAGE, 0, STR(""),
                                           response, &following, &as->err),
                         COMB_INVALID_ARGUMENT);
    }
    /* A message without anything in it, and one that is too deep. */
    test_areas_next(as);
    struct comb_v1_search_condition *condition = comb_v1_search_condition_new(as->ctx.arena);
    for (int depth = 0; depth < 40; depth++) {
        struct comb_v1_search_query_response *response =
            comb_v1_search_query_response_new(as->ctx.arena);
        const struct comb_search_question question = {.condition = condition};
        comb_str following;
        assert_int_equal(comb_search_query(w->searches[0], &as->ctx, &question, PAGE, 0, STR(""),
                                           response, &following, &as->err),
                         COMB_INVALID_ARGUMENT);
        struct comb_v1_search_condition *around = comb_v1_search_condition_new(as->ctx.arena);
        comb_v1_search_condition_set_negated(around, condition);
        condition = around;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(random_rights_are_kept),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
