/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces, over the embedded stores. */
#include "comb/v1/errors.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"
#include "tests/support/areas.h"

struct fixture {
    struct test_areas areas;
    struct test_ctx admin, anna;
};

static int setup(void **state)
{
    static struct fixture f;
    test_areas_init(&f.areas);
    test_areas_ctx(&f.areas, &f.admin, "admin");
    test_areas_user(&f.areas, &f.admin, "anna");
    test_areas_ctx(&f.areas, &f.anna, "anna");
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    test_ctx_done(&f->anna);
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

static enum comb_status create(struct fixture *f, struct test_ctx *as, const char *slug,
                               const char *owner, int default_rights,
                               struct comb_workspace_view *ret_view)
{
    const struct comb_workspaces_new_workspace input = {.slug = comb_str_from(slug),
                                                        .owner = comb_str_from(owner),
                                                        .default_rights = default_rights};
    const struct comb_request_key key = test_key();
    return comb_workspaces_create(f->areas.workspaces, &as->ctx, &key, &input, ret_view, &as->err);
}

static void must_create(struct fixture *f, const char *slug, const char *owner, int default_rights)
{
    struct comb_workspace_view view;
    must_ok(create(f, &f->admin, slug, owner, default_rights, &view), &f->admin.err);
}

static void a_new_workspace_has_what_it_needs(void **state)
{
    struct fixture *f = *state;
    struct comb_workspace_view view;
    must_ok(create(f, &f->admin, "team", "anna", COMB_V1_RIGHTS_READ, &view), &f->admin.err);
    assert_true(comb_str_equal(view.workspace.slug, STR("team")));
    assert_true(comb_str_equal(view.workspace.label, STR("team")));
    assert_int_equal(view.workspace.kind, COMB_V1_WORKSPACE_KIND_SHARED);
    assert_true(comb_uuid_equal(&view.workspace.owner, &f->anna.principal.user));
    assert_int_equal(view.default_rights, COMB_V1_RIGHTS_READ);
    assert_int_equal(view.workspace.n_roots, 1);
    struct comb_fact_chain chain;
    must_ok(comb_facts_chain_wait(f->areas.facts, &f->admin.ctx, &view.workspace.roots[0], &chain,
                                  &f->admin.err),
            &f->admin.err);
    assert_true(chain.found);
    assert_true(comb_uuid_equal(&chain.workspace.id, &view.workspace.id));
    assert_true(comb_uuid_equal(&chain.workspace.bin, &view.workspace.bin));
    int rights = 0;
    must_ok(comb_access_rights(f->areas.access, &f->anna.ctx, &view.workspace.roots[0], &rights,
                               &chain, &f->anna.err),
            &f->anna.err);
    assert_int_equal(rights, COMB_V1_RIGHTS_READ_WRITE);
}

static void slugs_follow_their_rules(void **state)
{
    struct fixture *f = *state;
    const char *wrong[] = {"",
                           "Team",
                           "-a",
                           ".a",
                           "a b",
                           "a/b",
                           "ü",
                           "personal",
                           "personal-00000000-0000-7000-8000-000000000009",
                           "00000000-0000-7000-8000-000000000009"};
    struct comb_workspace_view view;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                    create(f, &f->admin, wrong[i], "", 0, &view));
        assert_string_equal(f->admin.err.subject, "slug");
    }
    must_create(f, "personal-finance", "", 0);
    must_create(f, "0a.b_c-d", "", 0);
    must_refuse(&f->admin, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_SLUG_TAKEN,
                create(f, &f->admin, "0a.b_c-d", "", 0, &view));
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                create(f, &f->admin, "x", "", COMB_V1_RIGHTS_DENY, &view));
    must_refuse(&f->admin, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_USER_NOT_FOUND,
                create(f, &f->admin, "x", "nobody", 0, &view));
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                create(f, &f->anna, "x", "", 0, &view));
}

static void a_repeated_request_makes_one_workspace(void **state)
{
    struct fixture *f = *state;
    const struct comb_workspaces_new_workspace input = {.slug = STR("team")};
    const struct comb_request_key key = test_key();
    struct comb_workspace_view first, again;
    must_ok(comb_workspaces_create(f->areas.workspaces, &f->admin.ctx, &key, &input, &first,
                                   &f->admin.err),
            &f->admin.err);
    must_ok(comb_workspaces_create(f->areas.workspaces, &f->admin.ctx, &key, &input, &again,
                                   &f->admin.err),
            &f->admin.err);
    assert_true(comb_uuid_equal(&first.workspace.id, &again.workspace.id));
}

static void what_one_may_not_read_does_not_exist(void **state)
{
    struct fixture *f = *state;
    must_create(f, "closed", "", 0);
    must_create(f, "open", "", COMB_V1_RIGHTS_READ_WRITE);
    must_create(f, "dropbox", "", COMB_V1_RIGHTS_WRITE);
    struct comb_workspace_view view;
    must_refuse(
        &f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_WORKSPACE_NOT_FOUND,
        comb_workspaces_get(f->areas.workspaces, &f->anna.ctx, STR("closed"), &view, &f->anna.err));
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_WORKSPACE_NOT_FOUND,
                comb_workspaces_get(f->areas.workspaces, &f->anna.ctx, STR("dropbox"), &view,
                                    &f->anna.err));
    must_refuse(&f->anna, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_WORKSPACE_NOT_FOUND,
                comb_workspaces_get(f->areas.workspaces, &f->anna.ctx, STR("nothing"), &view,
                                    &f->anna.err));
    must_ok(
        comb_workspaces_get(f->areas.workspaces, &f->anna.ctx, STR("open"), &view, &f->anna.err),
        &f->anna.err);
    must_ok(comb_workspaces_get(f->areas.workspaces, &f->admin.ctx, STR("closed"), &view,
                                &f->admin.err),
            &f->admin.err);
    must_ok(
        comb_workspaces_get(f->areas.workspaces, &f->admin.ctx,
                            comb_str_from(comb_uuid_text(f->admin.ctx.arena, &view.workspace.id)),
                            &view, &f->admin.err),
        &f->admin.err);
    assert_true(comb_str_equal(view.workspace.slug, STR("closed")));
}

/* Reads all pages of that size; the slugs in order, joined by blanks. */
static const char *list_of(struct fixture *f, struct test_ctx *as, size_t size)
{
    struct comb_workspaces_page page = {.next = STR("")};
    const char *all = "";
    do {
        must_ok(
            comb_workspaces_list(f->areas.workspaces, &as->ctx, page.next, size, &page, &as->err),
            &as->err);
        assert_true(page.n <= size);
        for (size_t i = 0; i < page.n; i++)
            all = grpcc_arena_printf(as->ctx.arena, "%s%.*s ", all,
                                     COMB_STR_ARG(page.views[i].workspace.slug));
    } while (page.next.len > 0);
    return all;
}

static void lists_show_what_one_may_read_in_order(void **state)
{
    struct fixture *f = *state;
    must_create(f, "zoo", "", COMB_V1_RIGHTS_READ);
    must_create(f, "closed", "", 0);
    must_create(f, "alpha", "", COMB_V1_RIGHTS_READ);
    must_create(f, "mine", "anna", 0);
    must_create(f, "personal-finance", "", COMB_V1_RIGHTS_READ);
    const char *expected = "alpha mine personal personal-finance zoo ";
    for (size_t size = 1; size <= 6; size++)
        assert_string_equal(list_of(f, &f->anna, size), expected);
    const char *admins = list_of(f, &f->admin, 2);
    assert_non_null(strstr(admins, "closed "));
    assert_non_null(strstr(admins, "mine personal personal-"));
}

static void the_top_of_the_tree_lists_the_same(void **state)
{
    struct fixture *f = *state;
    must_create(f, "zoo", "", COMB_V1_RIGHTS_READ);
    must_create(f, "closed", "", 0);
    const struct comb_workspace_fact *facts;
    size_t n = 0;
    must_ok(comb_workspaces_readable(f->areas.workspaces, &f->anna.ctx, STR(""), 10, &facts, &n,
                                     &f->anna.err),
            &f->anna.err);
    assert_int_equal(n, 2);
    assert_true(comb_str_equal(facts[0].slug, STR("personal")));
    assert_true(comb_str_equal(facts[1].slug, STR("zoo")));
    must_ok(comb_workspaces_readable(f->areas.workspaces, &f->anna.ctx, STR("personal"), 10, &facts,
                                     &n, &f->anna.err),
            &f->anna.err);
    assert_int_equal(n, 1);
}

static enum comb_status update(struct fixture *f, struct test_ctx *as, const char *workspace,
                               const char *etag, const struct comb_workspaces_changes *changes,
                               struct comb_workspace_view *ret_view)
{
    const struct comb_request_key key = test_key();
    return comb_workspaces_update(f->areas.workspaces, &as->ctx, &key, comb_str_from(workspace),
                                  comb_str_from(etag), changes, ret_view, &as->err);
}

static void a_new_slug_is_a_new_path_at_once(void **state)
{
    struct fixture *f = *state;
    const struct comb_workspaces_changes slug = {.fields = COMB_WORKSPACES_SLUG,
                                                 .slug = STR("crew")};
    const struct comb_workspaces_changes texts = {.fields = COMB_WORKSPACES_LABEL |
                                                            COMB_WORKSPACES_DESCRIPTION,
                                                  .label = STR("The crew"),
                                                  .description = STR("of the ship")};
    struct comb_workspace_view before, view;
    must_ok(create(f, &f->admin, "team", "", COMB_V1_RIGHTS_READ, &before), &f->admin.err);
    must_ok(update(f, &f->admin, "team", "r1", &slug, &view), &f->admin.err);
    assert_true(comb_uuid_equal(&view.workspace.id, &before.workspace.id));
    assert_true(comb_str_equal(view.workspace.slug, STR("crew")));
    assert_true(comb_str_equal(view.workspace.label, STR("team")));
    assert_int_equal(view.workspace.revision, 2);
    must_ok(update(f, &f->admin, "crew", "", &texts, &view), &f->admin.err);
    assert_true(comb_str_equal(view.workspace.label, STR("The crew")));
    assert_true(comb_str_equal(view.workspace.description, STR("of the ship")));

    /* What anna knew of the old path does not outlive it, and the old slug is free. */
    f->anna.ctx.seen = f->admin.ctx.reached;
    assert_string_equal(list_of(f, &f->anna, 10), "crew personal ");
    struct comb_fact_chain chain;
    must_ok(comb_facts_chain_wait(f->areas.facts, &f->anna.ctx, &before.workspace.roots[0], &chain,
                                  &f->anna.err),
            &f->anna.err);
    assert_true(comb_str_equal(chain.workspace.slug, STR("crew")));
    must_create(f, "team", "", 0);
}

static void a_change_of_a_workspace_follows_the_rules(void **state)
{
    struct fixture *f = *state;
    const struct comb_workspaces_changes nothing = {.fields = 0};
    struct comb_workspaces_changes slug = {.fields = COMB_WORKSPACES_SLUG, .slug = STR("taken")};
    const struct comb_workspaces_changes label = {.fields = COMB_WORKSPACES_LABEL,
                                                  .label = STR("Mine")};
    struct comb_workspace_view view;
    must_create(f, "team", "", COMB_V1_RIGHTS_READ_WRITE);
    must_create(f, "taken", "", 0);
    must_refuse(&f->admin, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_SLUG_TAKEN,
                update(f, &f->admin, "team", "", &slug, &view));
    must_refuse(&f->admin, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_WORKSPACE_NOT_FOUND,
                update(f, &f->admin, "nothing", "", &slug, &view));
    slug.slug = STR("free");
    must_refuse(&f->admin, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH,
                update(f, &f->admin, "team", "r2", &slug, &view));
    must_refuse(&f->anna, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                update(f, &f->anna, "team", "", &slug, &view));
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                update(f, &f->admin, "personal", "", &slug, &view));
    must_ok(update(f, &f->admin, "personal", "", &label, &view), &f->admin.err);
    assert_true(comb_str_equal(view.workspace.slug, STR("personal")));
    slug.slug = STR("personal");
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                update(f, &f->admin, "team", "", &slug, &view));
    must_refuse(&f->admin, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID,
                update(f, &f->admin, "team", "", &nothing, &view));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_workspace_has_what_it_needs),      T(slugs_follow_their_rules),
        T(a_repeated_request_makes_one_workspace), T(what_one_may_not_read_does_not_exist),
        T(lists_show_what_one_may_read_in_order),  T(the_top_of_the_tree_lists_the_same),
        T(a_new_slug_is_a_new_path_at_once),       T(a_change_of_a_workspace_follows_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
