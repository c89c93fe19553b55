/* SPDX-License-Identifier: Apache-2.0 */
/* Activities: what becomes one, who sees which, pages, what is followed and read, digests. */
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "tests/contract/activities/fixture.h"
#include "tests/contract/activities/rights.h"

static struct comb_activity_page feed(struct fixture *f, struct test_ctx *as,
                                      const struct comb_activity_query *query)
{
    struct comb_activity_page page;
    test_areas_next(as);
    as->ctx.strong = true;
    must_ok(comb_activities_feed(f->activities, &as->ctx, query, &page, &as->err), &as->err);
    as->ctx.strong = false;
    return page;
}

/* ---- what becomes one ---- */

static void each_change_is_one_in_the_words_of_activity_streams(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, ""), one = make_folder(f, &f->anna, "one");
    make_folder(f, &f->anna, "one/two");
    struct comb_uuid three = make_folder(f, &f->bert, "one/two/three");
    set_label(f, &f->bert, &three, "x");
    move_to(f, &f->anna, "one/two/three", "one", "drei");
    recycle(f, &f->anna, &three);
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->anna, &root, NULL, 100),
                        "delete drei, move drei, update drei, create drei, create two, create one");
    /* Of a folder: what was in it at that time. */
    struct comb_uuid two = node_at(f, "one/two");
    assert_string_equal(feed_text(f, &f->anna, &two, NULL, 100),
                        "move drei, update drei, create drei, create two");
    assert_string_equal(feed_text(f, &f->bert, NULL, &f->anna.principal.user, 3),
                        "delete drei, move drei, create two, create one");
    (void)one;
}

static void an_activity_says_who_what_when_and_where(void **state)
{
    struct fixture *f = *state;
    make_folder(f, &f->anna, "from");
    make_folder(f, &f->anna, "to");
    struct comb_uuid node = make_folder(f, &f->bert, "from/it");
    move_to(f, &f->anna, "from/it", "to", "that");
    move_to(f, &f->anna, "to/that", "to", "this");
    await_consumed(f);
    const struct comb_activity_query query = {.scope = {.node = &node}, .max = 10};
    struct comb_activity_page page = feed(f, &f->bert, &query);
    assert_int_equal(page.n, 3);
    const struct comb_v1_activity *renamed = page.activities[0], *moved = page.activities[1],
                                  *made = page.activities[2];
    assert_string_equal(made->actor_id, comb_uuid_text(f->bert.ctx.arena, &f->bert.principal.user));
    assert_int_equal(made->type, COMB_V1_ACTIVITY_TYPE_CREATE);
    assert_int_equal(made->object->kind, COMB_V1_NODE_KIND_FOLDER);
    assert_string_equal(made->target->name, "from");
    assert_null(made->origin);
    /* Names and paths are those of now. */
    assert_string_equal(made->object->name, "this");
    assert_string_equal(made->object->path,
                        grpcc_arena_printf(f->bert.ctx.arena, "/%s/to/this", f->slug));
    assert_string_equal(moved->origin->name, "from");
    assert_string_equal(moved->target->name, "to");
    assert_string_equal(moved->old_name, "");
    assert_string_equal(renamed->old_name, "that");
    int64_t age = comb_clock_wall_us() / COMB_US_PER_S - renamed->published->seconds;
    assert_true(age >= -60 && age < 600);
    assert_int_equal(strlen(made->id), COMB_ITEM_ID_LENGTH);
}

static void many_changes_by_one_are_one(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, ""), node = make_folder(f, &f->anna, "busy");
    for (int i = 0; i < 5; i++)
        set_label(f, &f->anna, &node, i % 2 ? "a" : "b");
    set_label(f, &f->bert, &node, "c");
    set_label(f, &f->anna, &node, "d");
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->anna, &root, NULL, 100),
                        "update busy x6, update busy, create busy");
}

/* ---- who sees which ---- */

static void nobody_sees_what_he_may_not_read_now(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, "");
    make_folder(f, &f->anna, "open");
    struct comb_uuid secret = make_folder(f, &f->anna, "secret");
    make_folder(f, &f->anna, "secret/plan");
    move_to(f, &f->anna, "secret/plan", "open", "party");
    make_folder(f, &f->anna, "secret/rest");
    grant(f, &secret, "bert", COMB_V1_RIGHTS_DENY);
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, &root, NULL, 2),
                        "move party, create party, create open");
    /* Neither where it came from, nor that it was called otherwise. */
    const struct comb_activity_query query = {.scope = {.node = &root}, .max = 10};
    struct comb_activity_page page = feed(f, &f->bert, &query);
    assert_int_equal(page.activities[0]->type, COMB_V1_ACTIVITY_TYPE_MOVE);
    assert_null(page.activities[0]->origin);
    assert_string_equal(page.activities[0]->old_name, "");
    assert_null(page.activities[1]->target);
    page = feed(f, &f->anna, &query);
    assert_int_equal(page.activities[2]->type, COMB_V1_ACTIVITY_TYPE_MOVE);
    assert_string_equal(page.activities[2]->origin->name, "secret");
    /* What he may read again, he sees again. */
    grant(f, &secret, "bert", COMB_V1_RIGHTS_READ);
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, &secret, NULL, 100),
                        "update secret x2, create rest, move party, create party, create secret");
}

static void what_lies_in_a_bin_is_seen_where_it_was_and_what_is_gone_by_who_did_it(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, ""), secret = make_folder(f, &f->anna, "secret");
    struct comb_uuid plan = make_folder(f, &f->anna, "secret/plan");
    struct comb_uuid open = make_folder(f, &f->anna, "open");
    grant(f, &secret, "bert", COMB_V1_RIGHTS_DENY);
    recycle(f, &f->anna, &plan);
    recycle(f, &f->anna, &open);
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, &root, NULL, 100), "delete open, create open");
    recycle(f, &f->anna, &secret);
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, &root, NULL, 100), "delete open, create open");
    delete_for_good(f, &f->anna, &open);
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, &root, NULL, 100), "");
    assert_string_equal(
        feed_text(f, &f->anna, &root, NULL, 100),
        "delete secret, delete open, delete plan, update secret, create open, create plan, "
        "create secret");
}

static void a_token_with_scopes_narrows_what_is_seen(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, ""), a = make_folder(f, &f->anna, "a");
    make_folder(f, &f->anna, "b");
    await_consumed(f);
    const struct comb_scope scope = {.node = a, .rights = COMB_V1_RIGHTS_READ};
    f->anna.principal.scopes = &scope;
    f->anna.principal.n_scopes = 1;
    assert_string_equal(feed_text(f, &f->anna, &root, NULL, 100), "create a");
    must_fail(COMB_PERMISSION_DENIED,
              comb_activities_mark_read(f->activities, &f->anna.ctx, STR(""), &f->anna.err),
              &f->anna.err);
    f->anna.principal.scopes = NULL;
    f->anna.principal.n_scopes = 0;
}

/* ---- pages ---- */

static void pages_go_on_where_they_ended_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, "");
    char name[16], before[64];
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "n%02d", i);
        make_folder(f, &f->anna, name);
    }
    await_consumed(f);
    struct comb_activity_query query = {.scope = {.node = &root}, .max = 5};
    struct comb_activity_page page = feed(f, &f->bert, &query);
    assert_int_equal(page.n, 5);
    snprintf(before, sizeof before, "%.*s", COMB_STR_ARG(page.next));
    make_folder(f, &f->anna, "later");
    await_consumed(f);
    query.before = comb_str_from(before);
    page = feed(f, &f->bert, &query);
    assert_string_equal(page.activities[0]->object->name, "n06");
    /* Newer than what one has seen. */
    const char *seen = page.activities[4]->id;
    assert_string_equal(page.activities[4]->object->name, "n02");
    char id[64];
    snprintf(id, sizeof id, "%s", seen);
    query = (struct comb_activity_query){
        .scope = {.node = &root}, .newer_than = comb_str_from(id), .max = 100};
    page = feed(f, &f->bert, &query);
    assert_int_equal(page.n, 10);
    assert_int_equal(page.next.len, 0);
    query.newer_than = STR("nothing");
    test_areas_next(&f->bert);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_activities_feed(f->activities, &f->bert.ctx, &query, &page, &f->bert.err),
              &f->bert.err);
    query = (struct comb_activity_query){.scope = {.node = &root},
                                         .since_us = comb_clock_wall_us() + 600 * COMB_US_PER_S,
                                         .max = 100};
    page = feed(f, &f->bert, &query);
    assert_int_equal(page.n + page.next.len, 0);
}

/* ---- what is followed and read ---- */

static uint32_t unread(struct fixture *f, struct test_ctx *as)
{
    uint32_t n = 0;
    bool at_least = true;
    test_areas_next(as);
    as->ctx.strong = true;
    must_ok(comb_activities_unread(f->activities, &as->ctx, &n, &at_least, &as->err), &as->err);
    as->ctx.strong = false;
    assert_false(at_least);
    return n;
}

static void follow(struct fixture *f, struct test_ctx *as, const struct comb_uuid *node,
                   const struct comb_uuid *user)
{
    struct comb_v1_activity_follow *follow = NULL;
    test_areas_next(as);
    must_ok(comb_activities_follow(f->activities, &as->ctx, node, user, &follow, &as->err),
            &as->err);
}

static void unfollow_all(struct fixture *f, struct test_ctx *as)
{
    struct comb_v1_activity_follow **follows;
    size_t n = 0;
    test_areas_next(as);
    must_ok(comb_activities_list_follows(f->activities, &as->ctx, &follows, &n, &as->err),
            &as->err);
    for (size_t i = 0; i < n; i++) {
        struct comb_uuid id;
        bool is_node = follows[i]->node_id[0] != '\0';
        assert_true(comb_uuid_parse(
            comb_str_from(is_node ? follows[i]->node_id : follows[i]->user_id), &id));
        must_ok(comb_activities_unfollow(f->activities, &as->ctx, is_node ? &id : NULL,
                                         is_node ? NULL : &id, &as->err),
                &as->err);
    }
}

static void what_is_followed_is_mine_until_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid a = make_folder(f, &f->anna, "a");
    make_folder(f, &f->anna, "other");
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, NULL, NULL, 100), "");
    follow(f, &f->bert, &a, NULL);
    follow(f, &f->bert, &a, NULL);
    /* What happened before is shown, and read. */
    assert_string_equal(feed_text(f, &f->bert, NULL, NULL, 100), "create a");
    assert_int_equal(unread(f, &f->bert), 0);
    make_folder(f, &f->anna, "a/one");
    make_folder(f, &f->bert, "a/own");
    make_folder(f, &f->anna, "other/one");
    struct comb_uuid two = make_folder(f, &f->anna, "a/two");
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->bert, NULL, NULL, 1), "create two, create one, create a");
    assert_int_equal(unread(f, &f->bert), 2);
    /* What he may not read does not count. */
    grant(f, &two, "bert", COMB_V1_RIGHTS_DENY);
    await_consumed(f);
    assert_int_equal(unread(f, &f->bert), 1);
    /* A user, and what lies below several of them, once. */
    follow(f, &f->bert, NULL, &f->anna.principal.user);
    const struct comb_activity_query query = {.is_unread_only = true, .max = 100};
    struct comb_activity_page page = feed(f, &f->bert, &query);
    assert_int_equal(page.n, 2);
    assert_true(page.activities[0]->unread);
    char id[64];
    snprintf(id, sizeof id, "%s", page.activities[1]->id);
    test_areas_next(&f->bert);
    must_ok(comb_activities_mark_read(f->activities, &f->bert.ctx, comb_str_from(id), &f->bert.err),
            &f->bert.err);
    assert_int_equal(unread(f, &f->bert), 1);
    must_ok(comb_activities_mark_read(f->activities, &f->bert.ctx, STR(""), &f->bert.err),
            &f->bert.err);
    must_ok(comb_activities_mark_read(f->activities, &f->bert.ctx, comb_str_from(id), &f->bert.err),
            &f->bert.err);
    assert_int_equal(unread(f, &f->bert), 0);
    must_fail(COMB_NOT_FOUND,
              comb_activities_mark_read(f->activities, &f->bert.ctx, STR("x"), &f->bert.err),
              &f->bert.err);
    unfollow_all(f, &f->bert);
    assert_string_equal(feed_text(f, &f->bert, NULL, NULL, 100), "");
}

static void only_so_many_are_followed(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_activity_follow *one = NULL, **follows;
    size_t n = 0;
    struct comb_uuid id;
    for (int i = 0; i < COMB_ACTIVITY_FOLLOWS_MAX; i++) {
        id = comb_uuid_new();
        follow(f, &f->bert, NULL, &id);
    }
    follow(f, &f->bert, NULL, &id);
    const struct comb_uuid more = comb_uuid_new();
    must_fail(COMB_RESOURCE_EXHAUSTED,
              comb_activities_follow(f->activities, &f->bert.ctx, NULL, &more, &one, &f->bert.err),
              &f->bert.err);
    assert_int_equal(f->bert.err.reason, COMB_V1_ERROR_REASON_FOLLOWS_TOO_MANY);
    must_ok(comb_activities_list_follows(f->activities, &f->bert.ctx, &follows, &n, &f->bert.err),
            &f->bert.err);
    assert_int_equal(n, COMB_ACTIVITY_FOLLOWS_MAX);
    assert_string_equal(feed_text(f, &f->bert, NULL, NULL, 100), "");
    unfollow_all(f, &f->bert);
}

/* ---- digests ---- */

static void a_digest_counts_what_the_reader_may_see(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, "");
    struct comb_uuid secret = make_folder(f, &f->anna, "secret");
    grant(f, &secret, "bert", COMB_V1_RIGHTS_DENY);
    make_folder(f, &f->anna, "secret/x");
    make_folder(f, &f->anna, "open");
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"open/a", "open/b", "open/c"};
        struct comb_uuid node = make_folder(f, &f->anna, names[i]);
        set_label(f, &f->anna, &node, "1");
        set_label(f, &f->anna, &node, "2");
    }
    await_consumed(f);
    test_areas_next(&f->bert);
    f->bert.ctx.strong = true;
    struct comb_v1_activities_digest_response *response =
        comb_v1_activities_digest_response_new(f->bert.ctx.arena);
    const struct comb_activity_scope scope = {.node = &root};
    must_ok(
        comb_activities_digest(f->activities, &f->bert.ctx, &scope, COMB_V1_ACTIVITY_PERIOD_WEEK,
                               comb_clock_wall_us() - 3600 * COMB_US_PER_S, response, &f->bert.err),
        &f->bert.err);
    f->bert.ctx.strong = false;
    uint32_t made = 0, changed = 0, changes = 0;
    assert_true(response->complete);
    for (size_t i = 0; i < response->n_lines; i++) {
        const struct comb_v1_activity_digest_line *line = response->lines[i];
        if (!line->folder || strcmp(line->folder->name, "open") != 0)
            continue;
        made += line->type == COMB_V1_ACTIVITY_TYPE_CREATE ? line->objects : 0;
        changed += line->type == COMB_V1_ACTIVITY_TYPE_UPDATE ? line->objects : 0;
        changes += line->type == COMB_V1_ACTIVITY_TYPE_UPDATE ? line->changes : 0;
        assert_int_equal(line->period->seconds % (24 * 3600), 0);
    }
    /* Midnight may have passed in between: then a node counts in both. */
    assert_int_equal(made, 3);
    assert_in_range(changed, 3, 6);
    assert_int_equal(changes, 6);
    /* "secret" itself is no line: of the root there is "open" alone. */
    for (size_t i = 0; i < response->n_lines; i++)
        assert_string_not_equal(response->lines[i]->newest->name, "secret");
}

/* ---- once, again, anew ---- */

static uint64_t count(struct fixture *f)
{
    uint64_t n = 0;
    test_areas_next(&f->admin);
    must_ok(f->store->driver->count(f->store, &f->admin.ctx, &n, &f->admin.err), &f->admin.err);
    return n;
}

static void run_text(struct fixture *f, const char *text)
{
    const struct comb_sql_statement statement = {.text = text};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    test_areas_next(&f->admin);
    must_ok(comb_sql_run(f->areas.sql, &f->admin.ctx, &request, &result, &f->admin.err),
            &f->admin.err);
}

static void consumed_again_it_is_the_same(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, "");
    make_folder(f, &f->anna, "once");
    await_consumed(f);
    uint64_t n = count(f);
    comb_consumers_stop(f->consumers);
    comb_consumers_free(f->consumers);
    /* As if nobody had ever consumed: all of the feed comes once more. */
    run_text(f, "DELETE FROM lease");
    start_consuming(f);
    make_folder(f, &f->anna, "twice");
    await_consumed(f);
    assert_string_equal(feed_text(f, &f->anna, &root, NULL, 100), "create twice, create once");
    assert_int_equal(count(f), n + 1);
}

/* Until nothing is left to be removed; how many were. */
static uint64_t purge(struct fixture *f, int64_t before_us, uint64_t keep)
{
    uint64_t removed = 0, n = 0;
    test_areas_next(&f->admin);
    for (bool more = true; more; n += removed)
        must_ok(comb_activities_purge(f->activities, &f->admin.ctx, before_us, keep, &removed,
                                      &more, &f->admin.err),
                &f->admin.err);
    return n;
}

static void a_purge_removes_the_oldest(void **state)
{
    struct fixture *f = *state;
    struct comb_uuid root = node_at(f, "");
    for (int i = 0; i < 5; i++) {
        const char *names[] = {"a", "b", "c", "d", "e"};
        make_folder(f, &f->anna, names[i]);
    }
    await_consumed(f);
    uint64_t n = count(f);
    assert_int_equal(purge(f, 0, 3), n - 3);
    assert_string_equal(feed_text(f, &f->anna, &root, NULL, 100), "create e, create d, create c");
    assert_int_equal(purge(f, comb_clock_wall_us() - 3600 * COMB_US_PER_S, 0), 0);
    assert_int_equal(purge(f, comb_clock_wall_us() + 3600 * COMB_US_PER_S, 0), 3);
    assert_int_equal(count(f), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fixture_setup)
    const struct CMUnitTest tests[] = {
        TEST(each_change_is_one_in_the_words_of_activity_streams),
        TEST(an_activity_says_who_what_when_and_where),
        TEST(many_changes_by_one_are_one),
        TEST(nobody_sees_what_he_may_not_read_now),
        TEST(what_lies_in_a_bin_is_seen_where_it_was_and_what_is_gone_by_who_did_it),
        TEST(a_token_with_scopes_narrows_what_is_seen),
        TEST(pages_go_on_where_they_ended_while_others_write),
        TEST(what_is_followed_is_mine_until_it_is_read),
        TEST(only_so_many_are_followed),
        TEST(a_digest_counts_what_the_reader_may_see),
        TEST(random_rights_are_kept),
        TEST(consumed_again_it_is_the_same),
        TEST(a_purge_removes_the_oldest),
    };
    return cmocka_run_group_tests(tests, fixture_setup_all, fixture_teardown_all);
}
