/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: orders, filters, rights, changes meanwhile. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/tree/fixture.h"
#include "tests/contract/tree/suites.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
#define SEEN_MAX 400

/* What all pages of a list brought, in order. */
struct listing {
    struct comb_uuid ids[SEEN_MAX];
    char names[SEEN_MAX][16];
    uint64_t sizes[SEEN_MAX];
    int64_t times[SEEN_MAX];
    size_t n, pages;
};

static struct comb_tree_list_query query_of(struct fixture *f, const char *path, size_t size)
{
    return (struct comb_tree_list_query){.folder = ref_path(f, path), .size = size};
}

static void take(struct listing *listing, const struct comb_tree_page *page)
{
    for (size_t i = 0; i < page->n_views; i++) {
        const struct comb_node *node = &page->views[i].node;
        size_t n = listing->n++;

        assert_true(n < SEEN_MAX && node->name.len < sizeof listing->names[0]);
        listing->ids[n] = node->id;
        snprintf(listing->names[n], sizeof listing->names[n], "%.*s", COMB_STR_ARG(node->name));
        listing->sizes[n] = node->size;
        listing->times[n] = node->update_us;
    }
    listing->pages++;
}

static void list_all(struct fixture *f, struct comb_tree_list_query *query, struct listing *listing)
{
    *listing = (struct listing){.n = 0};
    do {
        struct comb_tree_page page;

        must_ok(comb_tree_list(f->tree, more(f), query, &page, &f->test.err), &f->test.err);
        assert_true(page.n_views <= query->size);
        take(listing, &page);
        query->state = page.state;
    } while (query->state.len > 0);
}

static void fill(struct fixture *f, int n)
{
    for (int i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof name, "%c%02d", i % 3 == 0 ? 'F' : 'f', (i * 37) % n);
        if (i % 7 == 0)
            mkdir_at(f, "/work", name);
        else
            put(f, "/work", name, (uint64_t)(i % 5));
    }
}

static int by_order(const struct listing *l, size_t i, enum comb_v1_tree_order order)
{
    int ids = memcmp(l->ids[i].bytes, l->ids[i + 1].bytes, sizeof l->ids[i].bytes);

    switch (order) {
    case COMB_V1_TREE_ORDER_UPDATE_TIME:
    case COMB_V1_TREE_ORDER_UPDATE_TIME_DESC:
        return l->times[i] != l->times[i + 1] ? (l->times[i] < l->times[i + 1] ? -1 : 1) : ids;
    case COMB_V1_TREE_ORDER_SIZE:
    case COMB_V1_TREE_ORDER_SIZE_DESC:
        return l->sizes[i] != l->sizes[i + 1] ? (l->sizes[i] < l->sizes[i + 1] ? -1 : 1) : ids;
    default:
        return strcmp(l->names[i], l->names[i + 1]);
    }
}

static void every_order_every_page_size(void **state)
{
    static const size_t sizes[] = {1, 7, 50, 1000};
    struct fixture *f = *state;

    fill(f, 50);
    for (int order = 0; order <= COMB_V1_TREE_ORDER_SIZE_DESC; order++) {
        bool descending = order > 0 && order % 2 == 0;

        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct comb_tree_list_query query;
            struct listing listing;

            next(f);
            query = query_of(f, "/work", sizes[s]);
            query.order = (enum comb_v1_tree_order)order;
            list_all(f, &query, &listing);
            assert_int_equal(listing.n, 50);
            for (size_t i = 0; i + 1 < listing.n; i++)
                assert_true((by_order(&listing, i, query.order) > 0) == descending);
        }
    }
    struct comb_tree_list_query query = query_of(f, "/work", 10);
    struct comb_tree_page page;

    query.order = (enum comb_v1_tree_order)7;
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID,
                comb_tree_list(f->tree, more(f), &query, &page, &f->test.err));
}

/* Who was there from the first page to the last one is seen once, whatever else happens. */
static void pages_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_list_query query;
    struct listing listing = {.n = 0};
    int round = 0;

    fill(f, 30);
    query = query_of(f, "/work", 4);
    do {
        struct comb_tree_page page;
        char name[20];

        must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
        take(&listing, &page);
        query.state = page.state;
        snprintf(name, sizeof name, "A%d", round);
        put(f, "/work", name, 1);
        snprintf(name, sizeof name, "g%d", round++);
        put(f, "/work", name, 1);
    } while (query.state.len > 0);
    for (size_t i = 0; i + 1 < listing.n; i++)
        assert_true(strcmp(listing.names[i], listing.names[i + 1]) < 0);
    size_t old = 0;
    for (size_t i = 0; i < listing.n; i++)
        old += listing.names[i][0] == 'f' || listing.names[i][0] == 'F';
    assert_int_equal(old, 30);
}

static void unicode_is_ordered_by_bytes(void **state)
{
    static const char *const names[] = {
        "Z", "a", "z", "\xc3\xa9", "\xe2\x82\xac", "\xef\xbf\xbd", "\xf0\x9f\x8c\xb3"};
    struct fixture *f = *state;
    struct comb_tree_list_query query;
    struct listing listing;
    size_t n = sizeof names / sizeof names[0];

    for (size_t i = n; i-- > 0;)
        mkdir_at(f, "/work", names[i]);
    query = query_of(f, "/work", 2);
    list_all(f, &query, &listing);
    assert_int_equal(listing.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(listing.names[i], names[i]);
    query = query_of(f, "/work", 2);
    query.order = COMB_V1_TREE_ORDER_NAME_DESC;
    list_all(f, &query, &listing);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(listing.names[i], names[n - 1 - i]);
}

static void filters_choose_rows(void **state)
{
    struct fixture *f = *state;
    struct comb_v1_node_filter *filter = comb_v1_node_filter_new(f->test.ctx.arena);
    struct comb_tree_list_query query;
    struct comb_tree_page page;
    struct listing listing;

    fill(f, 50);
    comb_v1_node_filter_set_kind(filter, COMB_V1_NODE_KIND_FOLDER);
    query = query_of(f, "/work", 3);
    query.filter = filter;
    list_all(f, &query, &listing);
    assert_int_equal(listing.n, 8);
    comb_v1_node_filter_set_name_prefix(filter, "F");
    query = query_of(f, "/work", 100);
    query.filter = filter;
    list_all(f, &query, &listing);
    assert_int_equal(listing.n, 17);
    comb_v1_node_filter_set_kind(filter, COMB_V1_NODE_KIND_UNSPECIFIED);
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID,
                comb_tree_list(f->tree, more(f), &query, &page, &f->test.err));
    assert_string_equal(f->test.err.subject, "filter.kind");
}

static void each_row_has_its_rights(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_list_query query;
    struct comb_tree_page page;
    struct comb_node hidden, open;
    struct listing listing;

    fill(f, 10);
    hidden = mkdir_at(f, "/work", "hidden");
    open = mkdir_at(f, "/work", "open");
    grant(f, &f->root, &f->stranger, COMB_V1_RIGHTS_READ);
    grant(f, &hidden.id, &f->stranger, COMB_V1_RIGHTS_DENY);
    grant(f, &open.id, &f->stranger, COMB_V1_RIGHTS_READ_WRITE);
    become(f, &f->stranger);
    query = query_of(f, "/work", 1);
    list_all(f, &query, &listing);
    assert_int_equal(listing.n, 11);
    for (size_t i = 0; i < listing.n; i++)
        assert_string_not_equal(listing.names[i], "hidden");
    query = query_of(f, "/work", 100);
    query.with = COMB_TREE_WITH_RIGHTS | COMB_TREE_WITH_PATH;
    must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
    assert_int_equal(page.views[10].extra.rights, COMB_V1_RIGHTS_READ_WRITE);
    assert_int_equal(page.views[0].extra.rights, COMB_V1_RIGHTS_READ);
    assert_string_equal(page.views[10].extra.path, "/work/open");
    query = query_of(f, "/work/hidden", 100);
    must_refuse(COMB_NOT_FOUND, NODE_NOT_FOUND,
                comb_tree_list(f->tree, more(f), &query, &page, &f->test.err));
}

static void the_top_shows_workspaces(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_list_query query = query_of(f, "/", 10);
    struct comb_tree_page page;

    query.with = COMB_TREE_WITH_METADATA;
    must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
    assert_int_equal(page.n_views, 1);
    assert_string_equal(page.views[0].extra.title, "work");
    assert_string_equal(page.views[0].extra.path, "/work");
    become(f, &f->stranger);
    must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
    assert_int_equal(page.n_views, 0);
    query = query_of(f, "/", 10);
    query.order = COMB_V1_TREE_ORDER_SIZE;
    must_refuse(COMB_INVALID_ARGUMENT, FIELD_INVALID,
                comb_tree_list(f->tree, more(f), &query, &page, &f->test.err));
}

static void a_page_is_one_round_trip(void **state)
{
    struct fixture *f = *state;
    struct comb_tree_list_query query;
    struct comb_sql_stats before = {.reads = 0}, after = {.reads = 2};
    struct comb_tree_page page;

    fill(f, 20);
    query = query_of(f, "/work", 10);
    /* Where the machine is so busy that memory gets old meanwhile, a page has to ask again. */
    for (int i = 0; i < TRIES_MAX && after.reads - before.reads > 1; i++) {
        stat_path(f, "/work");
        must_ok(comb_tree_settle(f->tree, more(f), &f->test.err), &f->test.err);
        comb_sql_get_stats(f->sql, &before);
        must_ok(comb_tree_list(f->tree, more(f), &query, &page, &f->test.err), &f->test.err);
        comb_sql_get_stats(f->sql, &after);
        assert_int_equal(page.n_views, 10);
    }
    assert_int_equal(after.reads - before.reads, 1);
}

int run_lists(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_order_every_page_size), TEST(pages_while_others_write),
        TEST(unicode_is_ordered_by_bytes), TEST(filters_choose_rows),
        TEST(each_row_has_its_rights),     TEST(the_top_shows_workspaces),
        TEST(a_page_is_one_round_trip),
    };

    return cmocka_run_group_tests_name("tree lists", tests, NULL, NULL);
}
