/* SPDX-License-Identifier: Apache-2.0 */
/* Users and roles, over the embedded stores. */
#include <pthread.h>

#include "comb/v1/errors.grpcc.h"
#include "comb/v1/node.grpcc.h"
#include "server/identity/etag.h"
#include "tests/support/areas.h"

struct fixture {
    struct test_areas areas;
    struct test_ctx admin;
};

static int setup(void **state)
{
    static struct fixture f;
    test_areas_init(&f.areas);
    test_areas_ctx(&f.areas, &f.admin, "admin");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_ctx_done(&f->admin);
    test_areas_done(&f->areas);
    return 0;
}

static void must_refuse(struct test_ctx *t, enum comb_status expected, int reason,
                        enum comb_status status)
{
    must_fail(expected, status, &t->err);
    assert_int_equal(t->err.reason, reason);
}

static struct comb_user read_user(struct fixture *f, const char *login)
{
    struct comb_user user;
    must_ok(comb_identity_read_user(f->areas.identity, &f->admin.ctx, comb_str_from(login), &user,
                                    &f->admin.err),
            &f->admin.err);
    return user;
}

static enum comb_status set_roles(struct fixture *f, struct test_ctx *as, const char *login,
                                  const char *role)
{
    const struct comb_request_key key = test_key();
    const comb_str roles[] = {comb_str_from(role)};
    struct comb_user user;
    return comb_identity_set_roles(f->areas.identity, &as->ctx, &key, comb_str_from(login), STR(""),
                                   roles, role ? 1 : 0, &user, &as->err);
}

static enum comb_status update(struct fixture *f, struct test_ctx *as,
                               const struct comb_identity_update *change)
{
    const struct comb_request_key key = test_key();
    struct comb_user user;
    return comb_identity_update_user(f->areas.identity, &as->ctx, &key, change, &user, &as->err);
}

static enum comb_status delete_user(struct fixture *f, struct test_ctx *as, const char *login)
{
    const struct comb_request_key key = test_key();
    return comb_identity_delete_user(f->areas.identity, &as->ctx, &key, comb_str_from(login),
                                     STR(""), &as->err);
}

/* ---- users ---- */

static void a_new_user_has_a_workspace_of_his_own(void **state)
{
    struct fixture *f = *state;
    struct comb_user user = test_areas_user(&f->areas, &f->admin, "anna");
    assert_int_equal(user.revision, 1);
    struct test_ctx anna;
    test_areas_ctx(&f->areas, &anna, "anna");
    struct comb_workspace_view view;
    must_ok(comb_workspaces_get(f->areas.workspaces, &anna.ctx, STR("personal"), &view, &anna.err),
            &anna.err);
    assert_true(comb_uuid_equal(&view.workspace.id, &user.personal));
    assert_true(comb_uuid_equal(&view.workspace.owner, &user.id));
    assert_int_equal(view.workspace.n_roots, 1);
    int rights = 0;
    struct comb_fact_chain chain;
    must_ok(comb_access_rights(f->areas.access, &anna.ctx, &view.workspace.roots[0], &rights,
                               &chain, &anna.err),
            &anna.err);
    assert_int_equal(rights, COMB_V1_RIGHTS_READ_WRITE);
    test_ctx_done(&anna);
}

static void a_login_is_taken_once(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    const struct comb_identity_new_user again = {.login = STR("anna")};
    struct comb_request_key key = test_key();
    struct comb_user user;
    must_refuse(&f->admin, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_LOGIN_TAKEN,
                comb_identity_create_user(f->areas.identity, &f->admin.ctx, &key, &again, &user,
                                          &f->admin.err));
}

static void a_repeated_request_makes_one_user(void **state)
{
    struct fixture *f = *state;
    const struct comb_identity_new_user input = {.login = STR("anna")};
    const struct comb_request_key key = test_key();
    struct comb_user first, again;
    must_ok(comb_identity_create_user(f->areas.identity, &f->admin.ctx, &key, &input, &first,
                                      &f->admin.err),
            &f->admin.err);
    must_ok(comb_identity_create_user(f->areas.identity, &f->admin.ctx, &key, &input, &again,
                                      &f->admin.err),
            &f->admin.err);
    assert_true(comb_uuid_equal(&first.id, &again.id));
}

static void logins_follow_their_rules(void **state)
{
    struct fixture *f = *state;
    const char *wrong[] = {"",  "1a",  "-a",  "a b", "a/b",
                           "ä", "a\n", "a:b", "",    "a0000000-0000-7000-8000-000000000001"};
    char longest[130] = {0};
    memset(longest, 'l', 129);
    wrong[8] = longest;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct comb_identity_new_user input = {.login = comb_str_from(wrong[i])};
        const struct comb_request_key key = test_key();
        struct comb_user user;
        must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                    comb_identity_create_user(f->areas.identity, &f->admin.ctx, &key, &input, &user,
                                              &f->admin.err));
        assert_string_equal(f->admin.err.subject, "login");
    }
    longest[128] = '\0';
    test_areas_user(&f->areas, &f->admin, longest);
    test_areas_user(&f->areas, &f->admin, "A-b_c.d@e9");
}

static void others_are_seen_by_name_only(void **state)
{
    struct fixture *f = *state;
    const struct comb_identity_update change = {
        .user = STR("admin"), .fields = COMB_IDENTITY_EMAIL, .email = STR("admin@example.org")};
    must_ok(update(f, &f->admin, &change), &f->admin.err);
    test_areas_user(&f->areas, &f->admin, "anna");
    struct test_ctx anna;
    test_areas_ctx(&f->areas, &anna, "anna");
    struct comb_user user;
    bool all = true;
    must_ok(
        comb_identity_get_user(f->areas.identity, &anna.ctx, STR("admin"), &user, &all, &anna.err),
        &anna.err);
    assert_false(all);
    assert_true(comb_str_equal(user.login, STR("admin")));
    assert_int_equal(user.email.len, 0);
    assert_int_equal(user.password.len, 0);
    assert_int_equal(user.n_roles, 0);
    must_ok(
        comb_identity_get_user(f->areas.identity, &anna.ctx, STR("anna"), &user, &all, &anna.err),
        &anna.err);
    assert_true(all);
    must_refuse(&anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_USER_NOT_FOUND,
                comb_identity_get_user(f->areas.identity, &anna.ctx, STR("nobody"), &user, &all,
                                       &anna.err));
    test_ctx_done(&anna);
}

static void users_are_listed_by_login(void **state)
{
    struct fixture *f = *state;
    const char *logins[] = {"ab", "aa", "b", "ac"};
    for (size_t i = 0; i < 4; i++)
        test_areas_user(&f->areas, &f->admin, logins[i]);
    const struct comb_identity_users with_a = {.login_prefix = STR("a")};
    const struct comb_identity_users with_b = {.login_prefix = STR("b")};
    const struct comb_user *users;
    size_t n = 0;
    must_ok(comb_identity_list_users(f->areas.identity, &f->admin.ctx, &with_a, STR("aa"), 2,
                                     &users, &n, &f->admin.err),
            &f->admin.err);
    assert_int_equal(n, 2);
    assert_true(comb_str_equal(users[0].login, STR("ab")));
    assert_true(comb_str_equal(users[1].login, STR("ac")));
    must_ok(comb_identity_list_users(f->areas.identity, &f->admin.ctx, &with_b, STR(""), 10, &users,
                                     &n, &f->admin.err),
            &f->admin.err);
    assert_int_equal(n, 1);
}

static void users_change_themselves_within_limits(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    struct test_ctx anna;
    test_areas_ctx(&f->areas, &anna, "anna");
    struct comb_identity_update change = {.user = STR("anna"),
                                          .fields =
                                              COMB_IDENTITY_DISPLAY_NAME | COMB_IDENTITY_EMAIL,
                                          .display_name = STR("Anna"),
                                          .email = STR("a@example.org")};
    must_ok(update(f, &anna, &change), &anna.err);
    assert_true(comb_str_equal(read_user(f, "anna").display_name, STR("Anna")));
    change.fields = COMB_IDENTITY_LOGIN;
    change.login = STR("root");
    must_refuse(&anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                update(f, &anna, &change));
    change.user = STR("admin");
    change.fields = COMB_IDENTITY_EMAIL;
    must_refuse(&anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                update(f, &anna, &change));
    change.fields = 0;
    must_refuse(&anna, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                update(f, &anna, &change));
    must_refuse(&anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                set_roles(f, &anna, "anna", "administrators"));
    must_refuse(&anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                delete_user(f, &anna, "admin"));
    test_ctx_done(&anna);
}

static void a_changed_user_is_not_overwritten(void **state)
{
    struct fixture *f = *state;
    struct comb_user user = test_areas_user(&f->areas, &f->admin, "anna");
    char etag[COMB_IDENTITY_ETAG_SIZE];
    comb_identity_etag(user.revision, etag);
    struct comb_identity_update change = {.user = STR("anna"),
                                          .expected_etag = comb_str_from(etag),
                                          .fields = COMB_IDENTITY_EMAIL,
                                          .email = STR("a")};
    must_ok(update(f, &f->admin, &change), &f->admin.err);
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH,
                update(f, &f->admin, &change));
}

static void an_own_password_needs_the_old_one(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    struct test_ctx anna;
    test_areas_ctx(&f->areas, &anna, "anna");
    struct comb_user before = read_user(f, "anna");
    struct comb_identity_update change = {.user = STR("anna"),
                                          .fields = COMB_IDENTITY_PASSWORD,
                                          .password = STR("new password"),
                                          .old_password = STR("wrong")};
    must_refuse(&anna, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                update(f, &anna, &change));
    change.old_password = STR("pass word");
    must_ok(update(f, &anna, &change), &anna.err);
    struct comb_user after = read_user(f, "anna");
    assert_int_equal(after.generation, before.generation + 1);
    assert_int_equal(after.roles_revision, before.roles_revision + 1);
    test_ctx_done(&anna);
}

static void a_repeated_password_change_succeeds_again(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    struct test_ctx anna;
    test_areas_ctx(&f->areas, &anna, "anna");
    const struct comb_identity_update change = {.user = STR("anna"),
                                                .fields = COMB_IDENTITY_PASSWORD,
                                                .password = STR("new password"),
                                                .old_password = STR("pass word")};
    const struct comb_request_key key = test_key();
    struct comb_user user;
    for (int i = 0; i < 2; i++)
        must_ok(comb_identity_update_user(f->areas.identity, &anna.ctx, &key, &change, &user,
                                          &anna.err),
                &anna.err);
    assert_int_equal(user.generation, 2);
    test_ctx_done(&anna);
}

static void a_deleted_user_leaves_his_folder_in_the_bin(void **state)
{
    struct fixture *f = *state;
    struct comb_user user = test_areas_user(&f->areas, &f->admin, "anna");
    struct comb_workspace_view view;
    must_ok(comb_workspaces_get(f->areas.workspaces, &f->admin.ctx,
                                comb_str_from(comb_uuid_text(f->admin.ctx.arena, &user.personal)),
                                &view, &f->admin.err),
            &f->admin.err);
    must_ok(delete_user(f, &f->admin, "anna"), &f->admin.err);
    struct comb_user gone;
    must_refuse(&f->admin, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_USER_NOT_FOUND,
                comb_identity_read_user(f->areas.identity, &f->admin.ctx, STR("anna"), &gone,
                                        &f->admin.err));
    struct comb_fact_chain chain;
    f->admin.ctx.strong = true;
    must_ok(comb_facts_chain_wait(f->areas.facts, &f->admin.ctx, &view.workspace.roots[0], &chain,
                                  &f->admin.err),
            &f->admin.err);
    assert_true(chain.recycled);
    assert_int_equal(chain.links[0].n_entries, 0);
    struct comb_subjects subjects;
    must_ok(
        comb_facts_subjects_wait(f->areas.facts, &f->admin.ctx, &user.id, &subjects, &f->admin.err),
        &f->admin.err);
    assert_false(subjects.exists);
    must_refuse(&f->admin, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_USER_NOT_FOUND,
                delete_user(f, &f->admin, "anna"));
}

/* ---- administrators ---- */

static void the_last_administrator_stays(void **state)
{
    struct fixture *f = *state;
    const struct comb_identity_update disable = {
        .user = STR("admin"), .fields = COMB_IDENTITY_DISABLED, .disabled = true};
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_LAST_ADMINISTRATOR,
                set_roles(f, &f->admin, "admin", NULL));
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_LAST_ADMINISTRATOR,
                delete_user(f, &f->admin, "admin"));
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_LAST_ADMINISTRATOR,
                update(f, &f->admin, &disable));
    /* One who cannot log in is none. */
    test_areas_user(&f->areas, &f->admin, "anna");
    must_ok(set_roles(f, &f->admin, "anna", "administrators"), &f->admin.err);
    struct comb_identity_update other = disable;
    other.user = STR("anna");
    must_ok(update(f, &f->admin, &other), &f->admin.err);
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_LAST_ADMINISTRATOR,
                delete_user(f, &f->admin, "admin"));
}

struct remover {
    struct fixture *fixture;
    const char *as, *other;
    pthread_barrier_t *start;
    enum comb_status status;
    int reason;
};

static void *remove_other(void *data)
{
    struct remover *remover = data;
    struct test_ctx test;
    test_areas_ctx(&remover->fixture->areas, &test, remover->as);
    pthread_barrier_wait(remover->start);
    remover->status = set_roles(remover->fixture, &test, remover->other, NULL);
    remover->reason = test.err.reason;
    test_ctx_done(&test);
    return NULL;
}

/* Two administrators take the role from each other at the same moment: one is left. */
static void two_removals_leave_one_administrator(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    for (int round = 0; round < 5; round++) {
        struct test_ctx *as = &f->admin;
        struct test_ctx anna;
        test_areas_ctx(&f->areas, &anna, "anna");
        struct comb_user admin = read_user(f, "admin");
        if (!comb_user_is_administrator(&admin))
            as = &anna;
        must_ok(set_roles(f, as, "anna", "administrators"), &as->err);
        must_ok(set_roles(f, as, "admin", "administrators"), &as->err);
        test_ctx_done(&anna);
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, 2);
        struct remover removers[] = {
            {.fixture = f, .as = "admin", .other = "anna", .start = &start},
            {.fixture = f, .as = "anna", .other = "admin", .start = &start}};
        pthread_t threads[2];
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, remove_other, &removers[i]), 0);
        for (size_t i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        struct comb_user users[] = {read_user(f, "admin"), read_user(f, "anna")};
        assert_int_equal(
            comb_user_is_administrator(&users[0]) + comb_user_is_administrator(&users[1]), 1);
        assert_int_equal((removers[0].status == COMB_OK) + (removers[1].status == COMB_OK), 1);
    }
}

/* What was an administrator a moment ago, for memory that has not heard of it yet, is none. */
static void a_removed_administrator_changes_nothing_more(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    test_areas_user(&f->areas, &f->admin, "bert");
    must_ok(set_roles(f, &f->admin, "anna", "administrators"), &f->admin.err);
    struct test_ctx anna;
    test_areas_ctx(&f->areas, &anna, "anna");
    must_ok(set_roles(f, &anna, "bert", "administrators"), &anna.err);
    must_ok(set_roles(f, &f->admin, "anna", NULL), &f->admin.err);
    must_refuse(&anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                set_roles(f, &anna, "bert", NULL));
    test_ctx_done(&anna);
}

/* ---- roles ---- */

static struct comb_role make_role(struct fixture *f, const char *name, bool override)
{
    const struct comb_identity_role_fields fields = {.name = comb_str_from(name),
                                                     .override = override};
    const struct comb_request_key key = test_key();
    struct comb_role role;
    must_ok(comb_identity_create_role(f->areas.identity, &f->admin.ctx, &key, &fields, &role,
                                      &f->admin.err),
            &f->admin.err);
    return role;
}

static void roles_keep_their_order(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    struct comb_role second = make_role(f, "a-role", false), first = make_role(f, "z-role", false);
    const comb_str roles[] = {STR("z-role"), STR("a-role")};
    struct comb_request_key key = test_key();
    struct comb_user user;
    must_ok(comb_identity_set_roles(f->areas.identity, &f->admin.ctx, &key, STR("anna"), STR(""),
                                    roles, 2, &user, &f->admin.err),
            &f->admin.err);
    assert_int_equal(user.n_roles, 2);
    assert_true(comb_uuid_equal(&user.roles[0], &first.id));
    assert_true(comb_uuid_equal(&user.roles[1], &second.id));
    const comb_str twice[] = {STR("z-role"), STR("a-role"), STR("z-role")};
    const comb_str everybody[] = {STR("everybody")}, unknown[] = {STR("unknown")};
    key = test_key();
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                comb_identity_set_roles(f->areas.identity, &f->admin.ctx, &key, STR("anna"),
                                        STR(""), twice, 3, &user, &f->admin.err));
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                comb_identity_set_roles(f->areas.identity, &f->admin.ctx, &key, STR("anna"),
                                        STR(""), everybody, 1, &user, &f->admin.err));
    must_refuse(&f->admin, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_ROLE_NOT_FOUND,
                comb_identity_set_roles(f->areas.identity, &f->admin.ctx, &key, STR("anna"),
                                        STR(""), unknown, 1, &user, &f->admin.err));
}

static void a_deleted_role_is_taken_from_all(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    make_role(f, "team", true);
    must_ok(set_roles(f, &f->admin, "anna", "team"), &f->admin.err);
    struct comb_user before = read_user(f, "anna");
    struct comb_request_key key = test_key();
    must_ok(comb_identity_delete_role(f->areas.identity, &f->admin.ctx, &key, STR("team"), STR(""),
                                      &f->admin.err),
            &f->admin.err);
    struct comb_user after = read_user(f, "anna");
    assert_int_equal(after.n_roles, 0);
    assert_int_equal(after.roles_revision, before.roles_revision + 1);
    assert_int_equal(after.revision, before.revision + 1);
}

static void built_in_roles_stay(void **state)
{
    struct fixture *f = *state;
    struct comb_identity_role_fields fields = {.fields = COMB_IDENTITY_ROLE_NAME,
                                               .name = STR("all")};
    struct comb_request_key key = test_key();
    struct comb_role role;
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_BUILT_IN,
                comb_identity_update_role(f->areas.identity, &f->admin.ctx, &key, STR("everybody"),
                                          STR(""), &fields, &role, &f->admin.err));
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_BUILT_IN,
                comb_identity_delete_role(f->areas.identity, &f->admin.ctx, &key,
                                          STR("administrators"), STR(""), &f->admin.err));
    fields = (struct comb_identity_role_fields){.fields = COMB_IDENTITY_ROLE_LABEL,
                                                .label = STR("All of us")};
    must_ok(comb_identity_update_role(f->areas.identity, &f->admin.ctx, &key, STR("everybody"),
                                      STR(""), &fields, &role, &f->admin.err),
            &f->admin.err);
    assert_true(comb_str_equal(role.label, STR("All of us")));
    assert_true(comb_uuid_equal(&role.id, &comb_role_everybody));
}

static void a_reordered_role_raises_its_members(void **state)
{
    struct fixture *f = *state;
    test_areas_user(&f->areas, &f->admin, "anna");
    make_role(f, "team", false);
    must_ok(set_roles(f, &f->admin, "anna", "team"), &f->admin.err);
    struct comb_user before = read_user(f, "anna");
    const struct comb_identity_role_fields fields = {.fields = COMB_IDENTITY_ROLE_OVERRIDE,
                                                     .override = true};
    const struct comb_request_key key = test_key();
    struct comb_role role;
    must_ok(comb_identity_update_role(f->areas.identity, &f->admin.ctx, &key, STR("team"), STR(""),
                                      &fields, &role, &f->admin.err),
            &f->admin.err);
    struct comb_user after = read_user(f, "anna");
    assert_int_equal(after.roles_revision, before.roles_revision + 1);
    assert_int_equal(after.revision, before.revision);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_user_has_a_workspace_of_his_own),
        T(a_login_is_taken_once),
        T(a_repeated_request_makes_one_user),
        T(logins_follow_their_rules),
        T(others_are_seen_by_name_only),
        T(users_are_listed_by_login),
        T(users_change_themselves_within_limits),
        T(a_changed_user_is_not_overwritten),
        T(an_own_password_needs_the_old_one),
        T(a_repeated_password_change_succeeds_again),
        T(a_deleted_user_leaves_his_folder_in_the_bin),
        T(the_last_administrator_stays),
        T(two_removals_leave_one_administrator),
        T(a_removed_administrator_changes_nothing_more),
        T(roles_keep_their_order),
        T(a_deleted_role_is_taken_from_all),
        T(built_in_roles_stay),
        T(a_reordered_role_raises_its_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
