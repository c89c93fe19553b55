/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/activities/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/activities/fixture.h"

/* Each grant is an item that every walk of a feed looks at: fewer a user where there are many. */
enum { NODES = 30, USERS = 8, USERS_LONG = 1000, GRANTS = 64, GRANTS_LONG = 3000, MOVES = 12 };

/* What the test knows: nobody else decides here. entries: comb.v1.Rights, 0: none. */
static struct {
    struct comb_uuid id;
    int parent; /* -1: the root of the workspace, which everybody may read */
    int entries[USERS_LONG];
    char name[16];
} nodes[NODES];

static struct test_ctx users[USERS_LONG];
static int n_users = USERS, n_grants = GRANTS;
static unsigned seed = 20240506;

static unsigned draw(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const char *path_of(int node, char *path, size_t size)
{
    char rest[1024] = "";
    path[0] = '\0';
    for (; node >= 0; node = nodes[node].parent) {
        snprintf(rest, sizeof rest, "%s", path);
        snprintf(path, size, "%s%s%s", nodes[node].name, rest[0] ? "/" : "", rest);
    }
    return path;
}

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
        if (rights == COMB_V1_RIGHTS_DENY)
            return false;
        if (!nearest)
            nearest = rights;
    }
    return !nearest || (nearest & COMB_V1_RIGHTS_READ);
}

static void make_world(struct fixture *f)
{
    static const int rights[] = {COMB_V1_RIGHTS_DENY, COMB_V1_RIGHTS_READ, COMB_V1_RIGHTS_WRITE};
    char path[1024], login[24];
    for (int i = 0; i < n_users; i++) {
        snprintf(login, sizeof login, "random%d", i);
        test_areas_next(&f->admin);
        test_areas_user(&f->areas, &f->admin, login);
        test_areas_ctx(&f->areas, &users[i], login);
    }
    for (int i = 0; i < NODES; i++) {
        nodes[i].parent = (int)draw((unsigned)i + 1) - 1;
        snprintf(nodes[i].name, sizeof nodes[i].name, "f%d", i);
        nodes[i].id = make_folder(f, &f->anna, path_of(i, path, sizeof path));
    }
    for (int i = 0; i < n_grants; i++) {
        int node = (int)draw(NODES), user = (int)draw((unsigned)n_users);
        snprintf(login, sizeof login, "random%d", user);
        nodes[node].entries[user] = rights[draw(3)];
        grant(f, &nodes[node].id, login, nodes[node].entries[user]);
    }
}

static void move_some(struct fixture *f)
{
    char from[1024], to[1024];
    for (int i = 0; i < MOVES; i++) {
        int node = (int)draw(NODES), target = (int)draw(NODES + 1) - 1;
        if (target >= 0 && is_below(target, node))
            continue;
        path_of(node, from, sizeof from);
        move_to(f, &f->anna, from, path_of(target, to, sizeof to), nodes[node].name);
        nodes[node].parent = target;
    }
}

/* Nodes that a feed tells of, by their ids; every place in it must be one that he may read. */
static void take_told(const struct comb_v1_activity *activity, int user, bool *told)
{
    const struct comb_v1_activity_place *places[] = {activity->target, activity->origin};
    struct comb_uuid id;
    assert_true(comb_uuid_parse(comb_str_from(activity->object->id), &id));
    for (int i = 0; i < NODES; i++) {
        told[i] |= comb_uuid_equal(&id, &nodes[i].id);
        for (size_t k = 0; k < 2; k++) {
            struct comb_uuid place = {{0}};
            if (places[k])
                assert_true(comb_uuid_parse(comb_str_from(places[k]->id), &place));
            if (comb_uuid_equal(&place, &nodes[i].id) && !may_read(user, i))
                fail_msg("user %d is told of folder %d", user, i);
        }
    }
}

static size_t check_user(struct fixture *f, int user, const struct comb_activity_scope *scope)
{
    struct test_ctx *as = &users[user];
    bool told[NODES] = {false};
    char before[64] = "";
    size_t n = 0;
    do {
        const struct comb_activity_query query = {
            .scope = *scope, .before = comb_str_from(before), .max = 20};
        struct comb_activity_page page;
        test_areas_next(as);
        as->ctx.strong = true;
        must_ok(comb_activities_feed(f->activities, &as->ctx, &query, &page, &as->err), &as->err);
        for (size_t i = 0; i < page.n; i++)
            take_told(page.activities[i], user, told);
        snprintf(before, sizeof before, "%.*s", COMB_STR_ARG(page.next));
    } while (before[0]);
    for (int i = 0; i < NODES; i++) {
        if (told[i] != may_read(user, i))
            fail_msg("user %d %s of folder %d", user, told[i] ? "is told" : "hears nothing", i);
        n += told[i];
    }
    return n;
}

void random_rights_are_kept(void **state)
{
    struct fixture *f = *state;
    size_t told = 0;
    if (getenv("COMB_LONG")) {
        n_users = USERS_LONG;
        n_grants = GRANTS_LONG;
    }
    make_world(f);
    struct comb_uuid root = node_at(f, "");
    const struct comb_activity_scope of_root = {.node = &root};
    const struct comb_activity_scope of_anna = {.user = &f->anna.principal.user}, mine = {0};
    for (int round = 0; round < 2; round++) {
        await_consumed(f);
        for (int user = 0; user < n_users; user++) {
            struct comb_v1_activity_follow *follow;
            told += check_user(f, user, &of_root);
            check_user(f, user, &of_anna);
            test_areas_next(&users[user]);
            must_ok(comb_activities_follow(f->activities, &users[user].ctx, &root, NULL, &follow,
                                           &users[user].err),
                    &users[user].err);
            check_user(f, user, &mine);
        }
        move_some(f);
    }
    /* Both were asked for: what is told, and what is not. */
    size_t all = (size_t)n_users * NODES;
    assert_in_range(told, all / 4, 2 * all - all / 4);
    for (int user = 0; user < n_users; user++)
        test_ctx_done(&users[user]);
}
