/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of groups: its rules, and the rights that follow it, compared with an oracle. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "server/core/limits.h"
#include "server/permissions/permissions.h"
#include "tests/support/areas.h"

#define NOT_FOUND COMB_V1_ERROR_REASON_GROUP_NOT_FOUND
#define NOT_EMPTY COMB_V1_ERROR_REASON_GROUP_NOT_EMPTY
#define PLACE COMB_V1_ERROR_REASON_GROUP_PLACE

struct fixture {
    struct test_areas areas;
    struct test_ctx admin;
    struct comb_permissions *permissions;
};

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

static enum comb_status find_group(void *data, struct comb_ctx *ctx, comb_str path,
                                   struct comb_uuid *ret_id, struct comb_error *err)
{
    return comb_identity_find_group(data, ctx, path, ret_id, err);
}

static enum comb_status are_groups(void *data, struct comb_ctx *ctx, const struct comb_uuid *ids,
                                   size_t n, bool *ret_are, struct comb_error *err)
{
    return comb_identity_are_groups(data, ctx, ids, n, ret_are, err);
}

static int setup(void **state)
{
    static struct fixture f;
    test_areas_init(&f.areas);
    test_areas_ctx(&f.areas, &f.admin, "admin");
    const struct comb_permissions_parts parts = {
        .store = f.areas.permissions,
        .access = f.areas.access,
        .facts = f.areas.facts,
        .mutations = f.areas.mutations,
        .directory = {find_user, find_role, find_group, are_groups, f.areas.identity}};
    must_ok(comb_permissions_new(&parts, &f.permissions, &f.admin.err), &f.admin.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    comb_permissions_free(f->permissions);
    test_ctx_done(&f->admin);
    test_areas_done(&f->areas);
    return 0;
}

static void must_refuse(struct test_ctx *t, int reason, enum comb_status status)
{
    assert_int_not_equal(status, COMB_OK);
    assert_int_equal(t->err.reason, reason);
}

/* ---- what is called ---- */

static enum comb_status add(struct fixture *f, const char *parent, const char *name,
                            struct comb_group *ret_group)
{
    const struct comb_request_key key = test_key();
    const struct comb_identity_group_fields fields = {.parent = comb_str_from(parent),
                                                      .name = comb_str_from(name)};
    test_areas_next(&f->admin);
    return comb_identity_create_group(f->areas.identity, &f->admin.ctx, &key, &fields, ret_group,
                                      &f->admin.err);
}

static struct comb_uuid must_add(struct fixture *f, const char *parent, const char *name)
{
    struct comb_group group;
    must_ok(add(f, parent, name, &group), &f->admin.err);
    return group.id;
}

static enum comb_status move(struct fixture *f, struct test_ctx *as, const char *group,
                             const char *parent)
{
    const struct comb_request_key key = test_key();
    const struct comb_identity_group_fields fields = {.fields = COMB_IDENTITY_GROUP_PARENT,
                                                      .parent = comb_str_from(parent)};
    struct comb_group moved;
    test_areas_next(as);
    return comb_identity_update_group(f->areas.identity, &as->ctx, &key, comb_str_from(group),
                                      STR(""), &fields, &moved, &as->err);
}

static enum comb_status drop(struct fixture *f, const char *group, bool recursive)
{
    const struct comb_request_key key = test_key();
    test_areas_next(&f->admin);
    return comb_identity_delete_group(f->areas.identity, &f->admin.ctx, &key, comb_str_from(group),
                                      STR(""), recursive, &f->admin.err);
}

static enum comb_status get(struct fixture *f, const char *path, struct comb_group *ret_group)
{
    test_areas_next(&f->admin);
    return comb_identity_get_group(f->areas.identity, &f->admin.ctx, comb_str_from(path), ret_group,
                                   &f->admin.err);
}

static enum comb_status put_into(struct fixture *f, const char *login, const char *group)
{
    const struct comb_request_key key = test_key();
    const struct comb_identity_update update = {
        .user = comb_str_from(login), .fields = COMB_IDENTITY_GROUP, .group = comb_str_from(group)};
    struct comb_user user;
    test_areas_next(&f->admin);
    return comb_identity_update_user(f->areas.identity, &f->admin.ctx, &key, &update, &user,
                                     &f->admin.err);
}

static struct comb_user read_user(struct fixture *f, const char *login)
{
    struct comb_user user;
    must_ok(comb_identity_read_user(f->areas.identity, &f->admin.ctx, comb_str_from(login), &user,
                                    &f->admin.err),
            &f->admin.err);
    return user;
}

/* ---- rules ---- */

static void groups_have_names_in_their_place(void **state)
{
    struct fixture *f = *state;
    struct comb_group group, again;
    struct comb_uuid staff = must_add(f, "", "staff");
    must_add(f, "/staff", "berlin");
    must_add(f, "/", "berlin");
    must_ok(get(f, "/staff/berlin", &group), &f->admin.err);
    assert_true(comb_str_equal(group.path, STR("/staff/berlin")));
    assert_true(comb_uuid_equal(&group.parent, &staff));
    must_refuse(&f->admin, COMB_V1_ERROR_REASON_GROUP_TAKEN, add(f, "/staff", "berlin", &again));
    must_refuse(&f->admin, COMB_V1_ERROR_REASON_GROUP_TAKEN,
                move(f, &f->admin, "/berlin", "/staff"));
    must_refuse(&f->admin, COMB_V1_ERROR_REASON_FIELD_INVALID, add(f, "", "a/b", &again));
    must_refuse(&f->admin, NOT_FOUND, add(f, "/nowhere", "a", &again));
    static const char *const paths[] = {"/staff/", "staff", "//staff", "/staff/paris", "/staff//"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        must_refuse(&f->admin, NOT_FOUND, get(f, paths[i], &again));
    must_ok(get(f, "", &group), &f->admin.err);
    assert_true(comb_uuid_equal(&group.id, &comb_role_everybody));
    must_refuse(&f->admin, COMB_V1_ERROR_REASON_BUILT_IN, drop(f, "/", false));
    must_refuse(&f->admin, COMB_V1_ERROR_REASON_BUILT_IN, move(f, &f->admin, "/", "/staff"));
}

static void pages_go_by_name(void **state)
{
    struct fixture *f = *state;
    const struct comb_group *page;
    size_t n;
    must_add(f, "", "c");
    must_add(f, "", "a");
    must_add(f, "", "b");
    must_add(f, "/a", "a0");
    test_areas_next(&f->admin);
    must_ok(comb_identity_list_groups(f->areas.identity, &f->admin.ctx, STR(""), STR("a"), 1, &page,
                                      &n, &f->admin.err),
            &f->admin.err);
    assert_int_equal(n, 1);
    assert_true(comb_str_equal(page[0].path, STR("/b")));
}

static void users_are_listed_by_group(void **state)
{
    struct fixture *f = *state;
    const struct comb_user *page;
    size_t n;
    must_add(f, "", "staff");
    test_areas_user(&f->areas, &f->admin, "anna");
    test_areas_user(&f->areas, &f->admin, "bert");
    test_areas_user(&f->areas, &f->admin, "carl");
    must_ok(put_into(f, "anna", "/staff"), &f->admin.err);
    must_ok(put_into(f, "carl", "/staff"), &f->admin.err);
    must_refuse(&f->admin, NOT_FOUND, put_into(f, "bert", "/nowhere"));
    const struct comb_identity_users which = {.group = STR("/staff")};
    test_areas_next(&f->admin);
    must_ok(comb_identity_list_users(f->areas.identity, &f->admin.ctx, &which, STR("anna"), 5,
                                     &page, &n, &f->admin.err),
            &f->admin.err);
    assert_int_equal(n, 1);
    assert_true(comb_str_equal(page[0].login, STR("carl")));
}

static void groups_end_at_a_depth(void **state)
{
    struct fixture *f = *state;
    char path[COMB_GROUP_DEPTH_MAX * 2 + 1] = "";
    struct comb_group group;
    for (size_t i = 0; i < COMB_GROUP_DEPTH_MAX; i++) {
        must_add(f, path, "g");
        memcpy(path + 2 * i, "/g", 3);
    }
    must_ok(get(f, path, &group), &f->admin.err);
    must_refuse(&f->admin, PLACE, add(f, path, "g", &group));
    must_add(f, "", "two");
    must_add(f, "/two", "levels");
    path[(COMB_GROUP_DEPTH_MAX - 1) * 2] = '\0';
    must_refuse(&f->admin, PLACE, move(f, &f->admin, "/two", path));
    path[(COMB_GROUP_DEPTH_MAX - 2) * 2] = '\0';
    must_ok(move(f, &f->admin, "/two", path), &f->admin.err);
    must_refuse(&f->admin, PLACE, move(f, &f->admin, "/g", "/g/g"));
    must_refuse(&f->admin, PLACE, move(f, &f->admin, "/g", "/g"));
}

static void a_group_goes_with_what_it_may_hold(void **state)
{
    struct fixture *f = *state;
    struct comb_group group;
    struct comb_uuid staff = must_add(f, "", "staff");
    must_add(f, "/staff", "berlin");
    must_add(f, "/staff/berlin", "night");
    test_areas_user(&f->areas, &f->admin, "anna");
    must_ok(put_into(f, "anna", "/staff/berlin/night"), &f->admin.err);
    must_refuse(&f->admin, NOT_EMPTY, drop(f, "/staff/berlin", false));
    must_refuse(&f->admin, NOT_EMPTY, drop(f, "/staff/berlin/night", false));
    struct comb_user before = read_user(f, "anna");
    must_ok(drop(f, "/staff/berlin", true), &f->admin.err);
    struct comb_user after = read_user(f, "anna");
    assert_true(comb_uuid_equal(&after.group, &staff));
    assert_int_equal(after.revision, before.revision + 1);
    assert_true(after.roles_revision > before.roles_revision);
    must_refuse(&f->admin, NOT_FOUND, get(f, "/staff/berlin", &group));
    must_add(f, "/staff", "many");
    for (int i = 0; i <= COMB_GROUP_DELETE_GROUPS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "g%d", i);
        must_add(f, "/staff/many", name);
    }
    must_refuse(&f->admin, NOT_EMPTY, drop(f, "/staff/many", true));
    must_ok(drop(f, "/staff/many/g0", false), &f->admin.err);
    must_ok(drop(f, "/staff/many", true), &f->admin.err);
}

/* However many are in it: the move is one row, and everybody's number grows. */
static void a_moved_group_writes_no_user(void **state)
{
    struct fixture *f = *state;
    must_add(f, "", "a");
    must_add(f, "", "b");
    test_areas_user(&f->areas, &f->admin, "anna");
    must_ok(put_into(f, "anna", "/a"), &f->admin.err);
    struct comb_user before = read_user(f, "anna");
    must_ok(move(f, &f->admin, "/a", "/b"), &f->admin.err);
    struct comb_user after = read_user(f, "anna");
    assert_int_equal(after.revision, before.revision);
    assert_int_equal(after.roles_revision, before.roles_revision + 1);
}

struct mover {
    struct fixture *fixture;
    const char *group, *parent;
    pthread_barrier_t *start;
    enum comb_status status;
    int reason;
};

static void *move_group(void *data)
{
    struct mover *mover = data;
    struct test_ctx as;
    test_areas_ctx(&mover->fixture->areas, &as, "admin");
    pthread_barrier_wait(mover->start);
    mover->status = move(mover->fixture, &as, mover->group, mover->parent);
    mover->reason = as.err.reason;
    test_ctx_done(&as);
    return NULL;
}

static void two_moves_make_no_cycle(void **state)
{
    struct fixture *f = *state;
    char paths[2][COMB_UUID_TEXT_LENGTH + 1];
    struct comb_uuid a = must_add(f, "", "a"), b = must_add(f, "", "b");
    comb_uuid_format(&a, paths[0]);
    comb_uuid_format(&b, paths[1]);
    for (int round = 0; round < 5; round++) {
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, 2);
        struct mover movers[] = {
            {.fixture = f, .group = paths[0], .parent = paths[1], .start = &start},
            {.fixture = f, .group = paths[1], .parent = paths[0], .start = &start}};
        pthread_t threads[2];
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, move_group, &movers[i]), 0);
        for (size_t i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        size_t late = movers[0].status == COMB_OK;
        assert_int_equal(movers[1 - late].status, COMB_OK);
        assert_int_equal(movers[late].reason, PLACE);
        must_ok(move(f, &f->admin, paths[1 - late], "/"), &f->admin.err);
    }
}

/* ---- the oracle ---- */

enum { GROUPS = 7, USERS = 4, ROLES = 3, NODES = 3, STEPS = 60, SUBJECTS = GROUPS + ROLES + USERS };

/* Numbers of subjects: groups, then roles, then users. */
static struct {
    int parent[GROUPS]; /* -1: the root */
    struct comb_uuid group_ids[GROUPS];
    int group[USERS];
    int roles[USERS][ROLES]; /* of the roles in their order; -1: no more */
    int rights[NODES][SUBJECTS];
    struct comb_uuid nodes[NODES]; /* each below the one before */
} world;
static const bool overrides[ROLES] = {false, true, false};
static unsigned seed;

static int draw(int below)
{
    return (int)((unsigned)rand_r(&seed) % (unsigned)below);
}

static const char *subject_name(int subject)
{
    static char name[COMB_UUID_TEXT_LENGTH + 1];
    if (subject < GROUPS)
        comb_uuid_format(&world.group_ids[subject], name);
    else if (subject < GROUPS + ROLES)
        snprintf(name, sizeof name, "role%d", subject - GROUPS);
    else
        snprintf(name, sizeof name, "user%d", subject - GROUPS - ROLES);
    return name;
}

/* The user's subjects, the last one first. */
static size_t subjects_of(int user, int *subjects)
{
    size_t n = 0;
    int places[ROLES], n_roles = 0;
    while (n_roles < ROLES && world.roles[user][n_roles] >= 0) {
        places[n_roles] = world.roles[user][n_roles];
        n_roles++;
    }
    for (int i = n_roles; i > 0; i--)
        if (overrides[places[i - 1]])
            subjects[n++] = GROUPS + places[i - 1];
    subjects[n++] = GROUPS + ROLES + user;
    for (int i = n_roles; i > 0; i--)
        if (!overrides[places[i - 1]])
            subjects[n++] = GROUPS + places[i - 1];
    for (int group = world.group[user]; group >= 0; group = world.parent[group])
        subjects[n++] = group;
    return n;
}

static int rights_at(int node, const int *subjects, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (world.rights[node][subjects[i]])
            return world.rights[node][subjects[i]];
    return 0;
}

static int oracle(int user, int node)
{
    int subjects[SUBJECTS], rights = 0;
    size_t n = subjects_of(user, subjects);
    for (int at = 0; at <= node; at++) {
        int here = rights_at(at, subjects, n);
        if (here == COMB_V1_RIGHTS_DENY)
            return 0;
        rights = here ? here : rights;
    }
    return rights;
}

static void make_nodes(struct fixture *f)
{
    const struct comb_request_key key = test_key();
    const struct comb_workspaces_new_workspace input = {.slug = STR("oracle")};
    struct comb_workspace_view view;
    test_areas_next(&f->admin);
    must_ok(comb_workspaces_create(f->areas.workspaces, &f->admin.ctx, &key, &input, &view,
                                   &f->admin.err),
            &f->admin.err);
    world.nodes[0] = view.workspace.roots[0];
    for (int i = 1; i < NODES; i++) {
        const struct comb_request_key next = test_key();
        struct comb_tree_changed changed;
        test_areas_next(&f->admin);
        struct comb_v1_tree_create_folder_request *request =
            comb_v1_tree_create_folder_request_new(f->admin.ctx.arena);
        request->parent = comb_v1_node_ref_new(f->admin.ctx.arena);
        request->parent->id = comb_uuid_text(f->admin.ctx.arena, &world.nodes[i - 1]);
        comb_v1_tree_create_folder_request_set_name(request, "below");
        must_ok(comb_tree_create_folder(f->areas.tree, &f->admin.ctx, &next, request, &changed,
                                        &f->admin.err),
                &f->admin.err);
        world.nodes[i] = changed.view.node.id;
    }
}

static void make_people(struct fixture *f)
{
    for (int i = 0; i < GROUPS; i++) {
        char name[8];
        snprintf(name, sizeof name, "g%d", i);
        world.group_ids[i] = must_add(f, "", name);
        world.parent[i] = -1;
    }
    for (int i = 0; i < ROLES; i++) {
        const struct comb_request_key key = test_key();
        const struct comb_identity_role_fields fields = {
            .name = comb_str_from(subject_name(GROUPS + i)), .override = overrides[i]};
        struct comb_role role;
        test_areas_next(&f->admin);
        must_ok(comb_identity_create_role(f->areas.identity, &f->admin.ctx, &key, &fields, &role,
                                          &f->admin.err),
                &f->admin.err);
    }
    for (int i = 0; i < USERS; i++) {
        test_areas_next(&f->admin);
        test_areas_user(&f->areas, &f->admin, subject_name(GROUPS + ROLES + i));
        world.group[i] = -1;
        for (int j = 0; j < ROLES; j++)
            world.roles[i][j] = -1;
    }
}

static bool is_below(int group, int above)
{
    while (group >= 0 && group != above)
        group = world.parent[group];
    return group == above;
}

static void move_some_group(struct fixture *f)
{
    int group = draw(GROUPS), parent = draw(GROUPS + 1) - 1;
    char id[COMB_UUID_TEXT_LENGTH + 1], above[COMB_UUID_TEXT_LENGTH + 1] = "";
    comb_uuid_format(&world.group_ids[group], id);
    if (parent >= 0)
        comb_uuid_format(&world.group_ids[parent], above);
    enum comb_status status = move(f, &f->admin, id, above);
    if (parent >= 0 && is_below(parent, group)) {
        must_refuse(&f->admin, PLACE, status);
        return;
    }
    must_ok(status, &f->admin.err);
    world.parent[group] = parent;
}

static void move_some_user(struct fixture *f)
{
    int user = draw(USERS), group = draw(GROUPS + 1) - 1;
    char above[COMB_UUID_TEXT_LENGTH + 1] = "", login[32];
    if (group >= 0)
        comb_uuid_format(&world.group_ids[group], above);
    snprintf(login, sizeof login, "user%d", user);
    must_ok(put_into(f, login, above), &f->admin.err);
    world.group[user] = group;
}

static void set_some_roles(struct fixture *f)
{
    static const char *const names[] = {"role0", "role1", "role2"};
    const struct comb_request_key key = test_key();
    int user = draw(USERS), first = draw(ROLES), n = draw(ROLES + 1);
    comb_str roles[ROLES];
    char login[32];
    struct comb_user changed;
    for (int i = 0; i < ROLES; i++) {
        world.roles[user][i] = i < n ? (first + i) % ROLES : -1;
        roles[i] = comb_str_from(names[(first + i) % ROLES]);
    }
    snprintf(login, sizeof login, "user%d", user);
    test_areas_next(&f->admin);
    must_ok(comb_identity_set_roles(f->areas.identity, &f->admin.ctx, &key, comb_str_from(login),
                                    STR(""), roles, (size_t)n, &changed, &f->admin.err),
            &f->admin.err);
}

static void grant_something(struct fixture *f)
{
    static const int RIGHTS[] = {COMB_V1_RIGHTS_READ, COMB_V1_RIGHTS_WRITE,
                                 COMB_V1_RIGHTS_READ_WRITE, COMB_V1_RIGHTS_DENY};
    const struct comb_request_key key = test_key();
    int node = draw(NODES), subject = draw(SUBJECTS);
    struct comb_permission permission;
    test_areas_next(&f->admin);
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(f->admin.ctx.arena);
    ref->id = comb_uuid_text(f->admin.ctx.arena, &world.nodes[node]);
    const struct comb_permissions_grant grant = {
        .node = ref,
        .subject = {.is_group = subject < GROUPS,
                    .is_role = subject >= GROUPS && subject < GROUPS + ROLES,
                    .name = comb_str_from(subject_name(subject))},
        .rights = RIGHTS[draw(draw(3) == 0 ? 4 : 3)]};
    must_ok(comb_permissions_grant(f->permissions, &f->admin.ctx, &key, &grant, &permission,
                                   &f->admin.err),
            &f->admin.err);
    world.rights[node][subject] = grant.rights;
}

static void compare(struct fixture *f, struct test_ctx *users, size_t *seen)
{
    for (int user = 0; user < USERS; user++) {
        for (int node = 0; node < NODES; node++) {
            int rights = 0, expected = oracle(user, node);
            struct comb_fact_chain chain;
            test_areas_next(&users[user]);
            users[user].ctx.strong = true;
            must_ok(comb_access_rights(f->areas.access, &users[user].ctx, &world.nodes[node],
                                       &rights, &chain, &users[user].err),
                    &users[user].err);
            if (rights != expected)
                fail_msg("user%d on node %d: %d, the oracle says %d", user, node, rights, expected);
            seen[expected]++;
        }
    }
}

static void rights_follow_groups_as_the_oracle_says(void **state)
{
    static void (*const changes[])(struct fixture *) = {
        move_some_group, move_some_user, set_some_roles, grant_something, grant_something};
    struct fixture *f = *state;
    struct test_ctx users[USERS];
    size_t seen[COMB_V1_RIGHTS_DENY + 1] = {0};
    memset(&world, 0, sizeof world);
    seed = 8;
    make_nodes(f);
    make_people(f);
    for (int i = 0; i < USERS; i++)
        test_areas_ctx(&f->areas, &users[i], subject_name(GROUPS + ROLES + i));
    for (int step = 0; step < STEPS; step++) {
        changes[draw(sizeof changes / sizeof changes[0])](f);
        compare(f, users, seen);
    }
    assert_true(seen[0] > 0 && seen[0] < STEPS * USERS * NODES);
    for (int i = 0; i < USERS; i++)
        test_ctx_done(&users[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(groups_have_names_in_their_place),
        T(pages_go_by_name),
        T(users_are_listed_by_group),
        T(groups_end_at_a_depth),
        T(a_group_goes_with_what_it_may_hold),
        T(a_moved_group_writes_no_user),
        T(two_moves_make_no_cycle),
        T(rights_follow_groups_as_the_oracle_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
