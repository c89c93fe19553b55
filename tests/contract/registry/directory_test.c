/* SPDX-License-Identifier: Apache-2.0 */
/* Pages and followers of the directory, over the registry in memory. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/registry/fixture.h"

#define LONG_MS 600000

static void pages_have_everything_once(void **state)
{
    struct fixture *f = *state;
    struct comb_directory_page page = {0};
    char id[16], after[160] = "";
    size_t n = 0;
    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof id, "n%03d", i);
        put(f, i % 2 ? "odd" : "even", id, id, LONG_MS);
    }
    do {
        must_ok(comb_directory_list(f->directory, f->t.ctx.arena, (comb_str){0},
                                    comb_str_from(after), 33, &page, &f->t.err),
                &f->t.err);
        for (size_t i = 0; i < page.n; i++, n++) {
            snprintf(id, sizeof id, "n%03zu", n < 125 ? n * 2 : (n - 125) * 2 + 1);
            assert_true(comb_str_equal(page.entries[i].id, comb_str_from(id)));
            assert_true(comb_str_equal(page.entries[i].body, comb_str_from(id)));
        }
        snprintf(after, sizeof after, "%.*s", COMB_STR_ARG(page.next));
    } while (page.next.len > 0);
    assert_int_equal(n, 250);
    must_ok(comb_directory_list(f->directory, f->t.ctx.arena, STR("odd"), (comb_str){0}, 1000,
                                &page, &f->t.err),
            &f->t.err);
    assert_int_equal(page.n, 125);
    assert_false(page.stale);
}

/* What a follower of one service has: how many, from what it is told. */
struct follower {
    struct comb_directory_cursor cursor;
    bool has[4096];
    size_t n;
    int begun;
};

static void follow(struct fixture *f, struct follower *follower)
{
    struct comb_directory_changes changes;
    bool news = true;
    while (news) {
        must_ok(comb_directory_follow(f->directory, f->t.ctx.arena, STR("s"), 50, &follower->cursor,
                                      &news, &changes, &f->t.err),
                &f->t.err);
        if (!news)
            break;
        assert_true(changes.n_entries + changes.n_gone <= 50);
        if (changes.begins_anew) {
            follower->begun++;
            memset(follower->has, 0, sizeof follower->has);
            follower->n = 0;
        }
        for (size_t i = 0; i < changes.n_entries; i++) {
            bool *has = &follower->has[strtol(changes.entries[i].id.ptr, NULL, 10)];
            follower->n += !*has;
            *has = true;
        }
        for (size_t i = 0; i < changes.n_gone; i++) {
            bool *has = &follower->has[strtol(changes.gone[i].id.ptr, NULL, 10)];
            follower->n -= *has;
            *has = false;
        }
    }
}

static void put_number(struct fixture *f, const char *service, int number, bool there)
{
    char id[16];
    snprintf(id, sizeof id, "%d", number);
    if (there)
        put(f, service, id, id, LONG_MS);
    else
        drop(f, service, id);
}

static void a_follower_has_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct follower *follower = calloc(1, sizeof *follower);
    for (int i = 0; i < 120; i++)
        put_number(f, "s", i, true);
    follow(f, follower);
    assert_int_equal(follower->n, 120);
    for (int i = 100; i < 130; i++)
        put_number(f, "s", i, i >= 120);
    put_number(f, "another", 1, true);
    follow(f, follower);
    assert_int_equal(follower->n, 110);
    assert_true(follower->has[129]);
    assert_false(follower->has[119]);
    assert_int_equal(follower->begun, 1);
    free(follower);
}

/* More went than is remembered: who did not follow meanwhile begins anew, and comes to an end. */
static void who_missed_too_much_begins_anew(void **state)
{
    struct fixture *f = *state;
    struct follower *follower = calloc(1, sizeof *follower);
    struct comb_directory_cursor stopped;
    for (int i = 0; i < 1500; i++)
        put_number(f, "s", i, true);
    follow(f, follower);
    stopped = follower->cursor;
    for (int i = 0; i < 1200; i++)
        put_number(f, "s", i, false);
    follow(f, follower);
    assert_int_equal(follower->n, 300);
    assert_int_equal(follower->begun, 2);
    put_number(f, "s", 1499, false);
    follow(f, follower);
    assert_int_equal(follower->n, 299);
    assert_int_equal(follower->begun, 2);
    follower->cursor = stopped;
    follow(f, follower);
    assert_int_equal(follower->n, 299);
    free(follower);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_have_everything_once),
        TEST(a_follower_has_what_is_there),
        TEST(who_missed_too_much_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
