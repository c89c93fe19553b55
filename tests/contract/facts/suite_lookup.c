/* SPDX-License-Identifier: Apache-2.0 */
/* What the questions answer, cold and warm, and what an answer costs. */
#include "tests/contract/facts/suites.h"

#define FOLDER COMB_V1_NODE_KIND_FOLDER
#define FILE_ COMB_V1_NODE_KIND_FILE

static void assert_names(const struct comb_fact_chain *chain, const char *const *names, size_t n)
{
    assert_int_equal(chain->n_links, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(comb_str_equal(chain->links[i].node->name, comb_str_from(names[i])));
    }
}

static void path_is_resolved_in_one_round_trip(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &a, "b", FOLDER).id;
    struct comb_uuid c = fixture_create(f, &b, "c", FILE_).id;
    fixture_grant(f, &b, &f->user, COMB_V1_RIGHTS_READ);
    static const char *const NAMES[] = {"c", "b", "a", "root"};

    size_t before = gate_passed(f->gate, COMB_SQL_READ);
    struct comb_fact_chain chain = fixture_path(f, fixture_call_after_write(f), &f->root, "a/b/c");
    assert_int_equal(gate_passed(f->gate, COMB_SQL_READ) - before, 1);
    assert_true(chain.found);
    assert_false(chain.recycled);
    assert_names(&chain, NAMES, 4);
    assert_int_equal(chain.n_resolved, 3);
    assert_true(comb_uuid_equal(&chain.links[0].node->id, &c));
    assert_true(comb_uuid_equal(&chain.workspace.id, &f->workspace));
    assert_int_equal(chain.links[1].n_entries, 1);
    assert_true(comb_uuid_equal(&chain.links[1].entries[0].role, &f->user));
    assert_int_equal(chain.links[1].entries[0].rights, COMB_V1_RIGHTS_READ);
    assert_int_equal(chain.links[0].n_entries, 0);
    assert_true(comb_str_equal(chain.links[0].node->media_type, STR("text/plain")));

    /* Warm: from memory, the same. */
    chain = fixture_path(f, fixture_call(f), &f->root, "a/b/c");
    assert_names(&chain, NAMES, 4);
    assert_int_equal(chain.links[1].n_entries, 1);
    assert_true(comb_uuid_equal(&chain.workspace.id, &f->workspace));
    chain = fixture_chain(f, fixture_call(f), &c);
    assert_names(&chain, NAMES, 4);
    assert_int_equal(gate_passed(f->gate, COMB_SQL_READ) - before, 1);
}

static void known_folders_leave_one_look_up(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    struct comb_uuid b = fixture_create(f, &a, "b", FOLDER).id;
    fixture_create(f, &b, "file", FILE_);
    fixture_path(f, fixture_call_after_write(f), &f->root, "a/b");
    size_t before = gate_passed(f->gate, COMB_SQL_READ);
    struct comb_fact_chain chain = fixture_path(f, fixture_call(f), &f->root, "a/b/file");
    assert_true(chain.found);
    assert_int_equal(chain.n_links, 4);
    assert_int_equal(gate_passed(f->gate, COMB_SQL_READ) - before, 1);
}

static void whole_question_is_one_round_trip(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    comb_str parts[] = {STR("a")};
    static const char *const SLUGS[] = {"work", "personal"};
    for (size_t i = 0; i < 2; i++) {
        fixture_start(f, NULL); /* nothing is known */
        struct comb_facts_question question = {
            .user = &f->owner, .slug = comb_str_from(SLUGS[i]), .parts = parts, .n_parts = 1};
        struct comb_facts_answer answer;
        for (int warm = 0; warm <= 1; warm++) {
            size_t before = gate_passed(f->gate, COMB_SQL_READ);
            must_ok(comb_facts_resolve_wait(f->facts, fixture_call(f), &question, &answer,
                                            &f->test.err),
                    &f->test.err);
            assert_int_equal(gate_passed(f->gate, COMB_SQL_READ) - before, warm ? 0 : 1);
            assert_true(answer.subjects.exists);
            assert_true(comb_uuid_equal(&answer.workspace.id, &f->workspace));
            assert_true(answer.chain.found);
            assert_true(comb_uuid_equal(&answer.chain.links[0].node->id, &a));
            assert_true(comb_uuid_equal(&answer.chain.workspace.id, &f->workspace));
        }
    }
}

static void what_is_missing_is_remembered_too(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    for (int warm = 0; warm <= 1; warm++) {
        size_t before = gate_passed(f->gate, COMB_SQL_READ);
        struct comb_fact_chain chain =
            fixture_path(f, fixture_call_after_write(f), &f->root, "a/nothing/c");
        assert_int_equal(gate_passed(f->gate, COMB_SQL_READ) - before, warm ? 0 : 1);
        assert_false(chain.found);
        assert_int_equal(chain.n_resolved, 1);
        assert_int_equal(chain.n_links, 2);
        assert_true(comb_uuid_equal(&chain.links[0].node->id, &a));
    }
    /* … until it comes into being. */
    fixture_create(f, &a, "nothing", FOLDER);
    struct comb_fact_chain chain =
        fixture_path(f, fixture_call_after_write(f), &f->root, "a/nothing/c");
    assert_int_equal(chain.n_resolved, 2);
}

static void unknown_ids_are_no_error(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid id = comb_uuid_new();
    for (int warm = 0; warm <= 1; warm++) {
        size_t before = gate_passed(f->gate, COMB_SQL_READ);
        struct comb_fact_chain chain = fixture_chain(f, fixture_call(f), &id);
        assert_int_equal(gate_passed(f->gate, COMB_SQL_READ) - before, warm ? 0 : 1);
        assert_false(chain.found);
        assert_int_equal(chain.n_links, 0);
    }
    struct comb_fact_chain chain = fixture_chain(f, fixture_call(f), &comb_node_super_root);
    assert_false(chain.found);
    assert_int_equal(chain.n_links, 0);
}

static void names_that_cannot_be_are_not_found(void **state)
{
    struct fixture *f = *state;
    char name[300] = "";
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    fixture_create(f, &a, "b", FOLDER);
    memset(name, 'n', sizeof name - 1);
    comb_str tricks[] = {comb_str_from(name), STR("a/b"), STR("")};
    for (size_t i = 0; i < 3; i++) {
        struct comb_fact_chain chain;
        must_ok(comb_facts_path_wait(f->facts, fixture_call_after_write(f), &f->root, &tricks[i], 1,
                                     &chain, &f->test.err),
                &f->test.err);
        assert_false(chain.found);
        assert_int_equal(chain.n_resolved, 0);
    }
}

static void names_are_bytes(void **state)
{
    struct fixture *f = *state;
    static const char *const NAMES[] = {"a", "A", "\xc3\xa4", "a\xcc\x88", "it's \"quoted\" \\",
                                        "%"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct comb_uuid id = fixture_create(f, &f->root, NAMES[i], FILE_).id;
        struct comb_fact_chain chain =
            fixture_path(f, fixture_call_after_write(f), &f->root, NAMES[i]);
        assert_true(chain.found);
        assert_true(comb_uuid_equal(&chain.links[0].node->id, &id));
    }
}

static void deep_paths_are_resolved(void **state)
{
    struct fixture *f = *state;
    comb_str parts[100];
    struct comb_uuid parent = f->root;
    for (size_t i = 0; i < 100; i++) {
        parent = fixture_create(f, &parent, "d", FOLDER).id;
        parts[i] = STR("d");
    }
    for (int warm = 0; warm <= 1; warm++) {
        struct comb_fact_chain chain;
        must_ok(comb_facts_path_wait(f->facts, fixture_call_after_write(f), &f->root, parts, 100,
                                     &chain, &f->test.err),
                &f->test.err);
        assert_true(chain.found);
        assert_int_equal(chain.n_links, 101);
    }
    fixture_start(f, NULL);
    struct comb_fact_chain chain = fixture_chain(f, fixture_call(f), &parent);
    assert_true(chain.found);
    assert_int_equal(chain.n_links, 101);
}

static void chain_says_that_it_is_in_the_bin(void **state)
{
    struct fixture *f = *state;
    struct fixture_node a = fixture_create(f, &f->root, "a", FOLDER);
    struct comb_uuid b = fixture_create(f, &a.id, "b", FILE_).id;
    assert_true(fixture_chain(f, fixture_call_after_write(f), &b).found);
    fixture_recycle(f, &a);
    for (int warm = 0; warm <= 1; warm++) {
        struct comb_fact_chain chain = fixture_chain(f, fixture_call_after_write(f), &b);
        assert_true(chain.found);
        assert_true(chain.recycled);
        assert_int_equal(chain.n_links, 3);
        assert_true(comb_uuid_equal(&chain.workspace.id, &f->workspace));
        const struct comb_node *top = chain.links[1].node;
        assert_true(comb_uuid_equal(&top->trash_parent, &f->root));
        assert_true(comb_str_equal(top->trash_name, STR("a")));
    }
    assert_false(fixture_path(f, fixture_call_after_write(f), &f->root, "a").found);
}

static void roles_stand_in_order(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid late = fixture_role(f, "late", true);
    struct comb_uuid first = fixture_role(f, "first", false);
    struct comb_uuid second = fixture_role(f, "second", false);
    fixture_add_role(f, &f->user, &second, 2);
    fixture_add_role(f, &f->user, &late, 0);
    fixture_add_role(f, &f->user, &first, 1);
    const struct comb_uuid expected[] = {comb_role_everybody, first, second, f->user, late};
    for (int warm = 0; warm <= 1; warm++) {
        struct comb_subjects subjects;
        must_ok(comb_facts_subjects_wait(f->facts, fixture_call_after_write(f), &f->user, &subjects,
                                         &f->test.err),
                &f->test.err);
        assert_true(subjects.exists);
        assert_false(subjects.disabled);
        assert_false(subjects.administrator);
        assert_int_equal(subjects.roles_revision, 4);
        assert_int_equal(subjects.n_roles, 5);
        for (size_t i = 0; i < 5; i++) {
            assert_true(comb_uuid_equal(&subjects.roles[i], &expected[i]));
        }
    }
}

static void must_have(struct fixture *f, const struct comb_uuid *roles, size_t n, size_t n_groups,
                      uint64_t revision)
{
    struct comb_subjects subjects;
    must_ok(comb_facts_subjects_wait(f->facts, fixture_call_after_write(f), &f->user, &subjects,
                                     &f->test.err),
            &f->test.err);
    assert_int_equal(subjects.roles_revision, revision);
    assert_int_equal(subjects.n_groups, n_groups);
    assert_int_equal(subjects.n_roles, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(comb_uuid_equal(&subjects.roles[i], &roles[i]));
    }
}

/* The writes bypass the facts, as those of another replica do: the feed alone tells of them. */
static void a_moved_group_is_seen_in_all_below_it(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = fixture_group(f, &comb_role_everybody, "a");
    struct comb_uuid b = fixture_group(f, &comb_role_everybody, "b");
    struct comb_uuid c = fixture_group(f, &a, "c");
    struct comb_uuid d = fixture_group(f, &c, "d");
    struct comb_uuid late = fixture_role(f, "late", true), role = fixture_role(f, "role", false);
    fixture_add_role(f, &f->user, &late, 0);
    fixture_add_role(f, &f->user, &role, 1);
    const struct comb_uuid at_first[] = {comb_role_everybody, role, f->user, late};
    must_have(f, at_first, 4, 0, 3);
    fixture_put_into_group(f, &f->user, &d);
    const struct comb_uuid inside[] = {comb_role_everybody, a, c, d, role, f->user, late};
    must_have(f, inside, 7, 3, 4);
    must_have(f, inside, 7, 3, 4); /* out of memory */
    fixture_move_group(f, &c, &b);
    const struct comb_uuid moved[] = {comb_role_everybody, b, c, d, role, f->user, late};
    must_have(f, moved, 7, 3, 5);
    fixture_move_group(f, &d, &comb_role_everybody);
    const struct comb_uuid out[] = {comb_role_everybody, d, role, f->user, late};
    must_have(f, out, 5, 1, 6);
    fixture_put_into_group(f, &f->user, &comb_role_everybody);
    must_have(f, at_first, 4, 0, 7);
}

static void users_change(void **state)
{
    struct fixture *f = *state;
    struct comb_subjects subjects;
    struct comb_error *err = &f->test.err;
    struct comb_uuid nobody = comb_uuid_new();
    must_ok(comb_facts_subjects_wait(f->facts, fixture_call(f), &nobody, &subjects, err), err);
    assert_false(subjects.exists);
    fixture_user(f, &nobody, false);
    must_ok(
        comb_facts_subjects_wait(f->facts, fixture_call_after_write(f), &nobody, &subjects, err),
        err);
    assert_true(subjects.exists);
    fixture_user(f, &nobody, true);
    must_ok(
        comb_facts_subjects_wait(f->facts, fixture_call_after_write(f), &nobody, &subjects, err),
        err);
    assert_true(subjects.disabled);
    assert_int_equal(subjects.generation, 2);
    struct comb_uuid role = fixture_role(f, "some", false);
    fixture_add_role(f, &nobody, &role, 0);
    must_ok(
        comb_facts_subjects_wait(f->facts, fixture_call_after_write(f), &nobody, &subjects, err),
        err);
    assert_true(comb_uuid_equal(&subjects.roles[1], &role));
    fixture_override(f, &role, true);
    must_ok(
        comb_facts_subjects_wait(f->facts, fixture_call_after_write(f), &nobody, &subjects, err),
        err);
    assert_true(comb_uuid_equal(&subjects.roles[2], &role));
}

static void workspaces_are_found(void **state)
{
    struct fixture *f = *state;
    struct comb_workspace_fact workspace;
    struct comb_error *err = &f->test.err;
    for (int warm = 0; warm <= 1; warm++) {
        must_ok(comb_facts_workspace_wait(f->facts, fixture_call(f), STR("work"), NULL, &workspace,
                                          err),
                err);
        assert_true(comb_uuid_equal(&workspace.id, &f->workspace));
        assert_true(comb_str_equal(workspace.slug, STR("work")));
        assert_int_equal(workspace.n_roots, 1);
        assert_true(comb_uuid_equal(&workspace.bin, &f->bin));
        must_ok(comb_facts_workspace_wait(f->facts, fixture_call(f), STR("personal"), &f->owner,
                                          &workspace, err),
                err);
        assert_true(comb_uuid_equal(&workspace.id, &f->workspace));
        must_ok(comb_facts_workspace_wait(f->facts, fixture_call(f), STR("none"), NULL, &workspace,
                                          err),
                err);
        assert_true(comb_uuid_is_nil(&workspace.id));
    }
    struct comb_uuid root = fixture_create(f, &comb_node_super_root, "r2", FOLDER).id;
    struct comb_uuid bin = fixture_create(f, &comb_node_super_root, "b2", FOLDER).id;
    struct comb_uuid made = fixture_workspace(f, "none", &f->owner, &root, &bin, NULL);
    must_ok(comb_facts_workspace_wait(f->facts, fixture_call_after_write(f), STR("none"), NULL,
                                      &workspace, err),
            err);
    assert_true(comb_uuid_equal(&workspace.id, &made));
}

static void entries_follow_grants(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = fixture_create(f, &f->root, "a", FOLDER).id;
    static const int RIGHTS[] = {COMB_V1_RIGHTS_READ, COMB_V1_RIGHTS_DENY, 0,
                                 COMB_V1_RIGHTS_READ_WRITE};
    for (size_t i = 0; i < sizeof RIGHTS / sizeof *RIGHTS; i++) {
        fixture_grant(f, &a, &f->user, RIGHTS[i]);
        struct comb_fact_chain chain = fixture_chain(f, fixture_call_after_write(f), &a);
        assert_int_equal(chain.links[0].n_entries, RIGHTS[i] == 0 ? 0 : 1);
        assert_int_equal(chain.links[0].node->acl_revision, 2 + i);
        if (RIGHTS[i] != 0) {
            assert_int_equal(chain.links[0].entries[0].rights, RIGHTS[i]);
        }
    }
}

static void moves_are_followed(void **state)
{
    struct fixture *f = *state;
    struct fixture_node a = fixture_create(f, &f->root, "a", FOLDER);
    struct fixture_node b = fixture_create(f, &f->root, "b", FOLDER);
    struct fixture_node file = fixture_create(f, &a.id, "file", FILE_);
    assert_true(fixture_path(f, fixture_call_after_write(f), &f->root, "a/file").found);
    assert_false(fixture_path(f, fixture_call(f), &f->root, "b/file").found);
    fixture_move(f, &file, &b.id, "file");
    assert_false(fixture_path(f, fixture_call_after_write(f), &f->root, "a/file").found);
    assert_true(fixture_path(f, fixture_call(f), &f->root, "b/file").found);
    /* The name goes to somebody else. */
    struct comb_uuid other = fixture_create(f, &a.id, "file", FILE_).id;
    struct comb_fact_chain chain = fixture_path(f, fixture_call_after_write(f), &f->root, "a/file");
    assert_true(comb_uuid_equal(&chain.links[0].node->id, &other));
    /* The folder itself goes: what is below goes with it. */
    fixture_move(f, &b, &a.id, "c");
    assert_true(fixture_path(f, fixture_call_after_write(f), &f->root, "a/c/file").found);
    chain = fixture_chain(f, fixture_call(f), &file.id);
    assert_int_equal(chain.n_links, 4);
    /* To the bin and back. */
    fixture_recycle(f, &a);
    assert_false(fixture_path(f, fixture_call_after_write(f), &f->root, "a/c/file").found);
    fixture_restore(f, &a, &f->root, "a");
    assert_true(fixture_path(f, fixture_call_after_write(f), &f->root, "a/c/file").found);
}

static void what_is_deleted_is_gone(void **state)
{
    struct fixture *f = *state;
    struct fixture_node a = fixture_create(f, &f->root, "a", FOLDER);
    struct comb_uuid b = fixture_create(f, &a.id, "b", FILE_).id;
    assert_true(fixture_chain(f, fixture_call_after_write(f), &b).found);
    fixture_purge(f, &a.id, true);
    assert_false(fixture_chain(f, fixture_call_after_write(f), &a.id).found);
    /* What was below it is purged in the background, without entries of its own. */
    assert_false(fixture_chain(f, fixture_call(f), &b).found);
    assert_false(fixture_path(f, fixture_call(f), &f->root, "a/b").found);
}

int run_suite_lookup(void)
{
    const struct CMUnitTest tests[] = {
        FACTS_TEST(path_is_resolved_in_one_round_trip),
        FACTS_TEST(known_folders_leave_one_look_up),
        FACTS_TEST(whole_question_is_one_round_trip),
        FACTS_TEST(what_is_missing_is_remembered_too),
        FACTS_TEST(unknown_ids_are_no_error),
        FACTS_TEST(names_that_cannot_be_are_not_found),
        FACTS_TEST(names_are_bytes),
        FACTS_TEST(deep_paths_are_resolved),
        FACTS_TEST(chain_says_that_it_is_in_the_bin),
        FACTS_TEST(roles_stand_in_order),
        FACTS_TEST(a_moved_group_is_seen_in_all_below_it),
        FACTS_TEST(users_change),
        FACTS_TEST(workspaces_are_found),
        FACTS_TEST(entries_follow_grants),
        FACTS_TEST(moves_are_followed),
        FACTS_TEST(what_is_deleted_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
