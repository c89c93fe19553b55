/* SPDX-License-Identifier: Apache-2.0 */
/* The first start, also one that dies at any moment: all of the administrator is there, or none. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comb/v1/node.grpcc.h"
#include "tests/support/areas.h"
#include "tests/support/sql_row.h"

#define DEATHS 12
/* The moments of death are spread over that much more than a start takes here. */
#define DEATH_STEP_MS 4

static bool bootstrap(struct test_areas *areas, const char *password)
{
    struct test_ctx t;
    bool created = false;
    test_ctx_init(&t);
    t.ctx.principal = NULL;
    must_ok(comb_identity_bootstrap(areas->identity, &t.ctx, STR("admin"), comb_str_from(password),
                                    &created, &t.err),
            &t.err);
    test_ctx_done(&t);
    return created;
}

static bool is_empty(struct test_areas *areas)
{
    struct test_ctx t;
    bool empty = false;
    test_ctx_init(&t);
    must_ok(comb_identity_is_empty(areas->identity, &t.ctx, &empty, &t.err), &t.err);
    test_ctx_done(&t);
    return empty;
}

/* The administrator can log in and write to his workspace. */
static void must_be_whole(struct test_areas *areas, const char *password)
{
    struct test_ctx t;
    struct comb_auth_tokens tokens;
    struct comb_user user;
    struct comb_workspace_view view;
    struct comb_fact_chain chain;
    int rights = 0;
    test_areas_ctx(areas, &t, "admin");
    must_ok(comb_auth_login(areas->auth, &t.ctx, STR("admin"), comb_str_from(password), STR("test"),
                            &tokens, &user, &t.err),
            &t.err);
    assert_true(comb_user_is_administrator(&user));
    t.ctx.principal = &t.principal;
    must_ok(comb_workspaces_get(areas->workspaces, &t.ctx, STR("personal"), &view, &t.err), &t.err);
    must_ok(comb_access_rights(areas->access, &t.ctx, &view.workspace.roots[0], &rights, &chain,
                               &t.err),
            &t.err);
    assert_int_equal(rights, COMB_V1_RIGHTS_READ_WRITE);
    test_ctx_done(&t);
}

static void the_first_start_makes_one_administrator(void **state)
{
    (void)state;
    struct test_areas areas;
    test_areas_open(&areas, NULL);
    assert_true(is_empty(&areas));
    assert_true(bootstrap(&areas, "first password"));
    assert_false(is_empty(&areas));
    assert_false(bootstrap(&areas, "other password"));
    must_be_whole(&areas, "first password");
    test_areas_done(&areas);
}

/* In a process of its own: it starts no thread before, and dies in the middle. */
static void start_and_die(const char *folder, int after_ms)
{
    test_sql_row_start();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct test_areas areas;
        test_areas_open(&areas, strdup(folder));
        bootstrap(&areas, "first password");
        _exit(0);
    }
    poll(NULL, 0, after_ms);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void a_start_that_dies_is_made_good(void **state)
{
    (void)state;
    for (int i = 0; i < DEATHS; i++) {
        char *folder = test_folder_new();
        start_and_die(folder, i * DEATH_STEP_MS);
        struct test_areas areas;
        test_areas_open(&areas, folder);
        bool was_empty = is_empty(&areas);
        assert_int_equal(bootstrap(&areas, "first password"), was_empty);
        must_be_whole(&areas, "first password");
        test_areas_done(&areas);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_dies_is_made_good),
        cmocka_unit_test(the_first_start_makes_one_administrator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
