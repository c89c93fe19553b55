/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/search/many.h"

#include <stdio.h>
#include <stdlib.h>

#include "comb/v1/log.grpcc.h"
#include "server/backend/mongo/mongo.h"
#include "server/core/clock.h"
#include "server/docs/docs.h"
#include "server/items/items_driver.h"
#include "server/logs/logs.h"
#include "server/search/hits.h"
#include "server/search/query.h"
#include "tests/support/letters.h"
#include "tests/support/mongo_plan.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

/* Their oldest entries lie below n / LAST_PART. */
enum { MANY = 100, MANY_LONG = 20000, LAST_PART = 10 };
/* Of the items' keys and the logs' users each entry has one of so many. */
enum { KEYS = 100, PAGE = 100, PAGES_MAX = 3, FOUND_MAX = PAGES_MAX * PAGE };
enum { STORES = 2, COMMANDS_MAX = 8 };
#define LOGS_BEGIN_US 1700000000000000LL

struct store {
    struct comb_docs *docs;
    struct comb_search_store *search;
    struct comb_items_store *items, *log_items;
    struct comb_logs *logs;
};

struct many {
    struct mongo_server server;
    struct store stores[STORES]; /* SQLite, MongoDB */
    struct test_ctx t;
    struct mongo_commands asked; /* of MongoDB, since the last question */
    unsigned n, one_of;          /* who may read one of so many */
};

/* What one store gave. */
struct told {
    unsigned numbers[FOUND_MAX];
    size_t n, calls;
    int64_t ns;
};

/* The first few tell it. */
static void observe(void *data, const bson_t *command)
{
    struct mongo_commands *asked = data;
    if (asked->n < COMMANDS_MAX)
        mongo_commands_keep_finds(asked, command);
}

static void next_call(struct many *many)
{
    test_ctx_next(&many->t);
    many->t.ctx.deadline_ns = comb_clock_in_ms(600000);
}

/* ---- both stores ---- */

static void open_areas(struct many *many, struct store *store)
{
    struct comb_error *err = &many->t.err;
    must_ok(comb_search_store_open(store->docs, &store->search, err), err);
    must_ok(comb_items_store_open(store->docs, COMB_ITEMS_ACTIVITIES, &store->items, err), err);
    must_ok(comb_items_store_open(store->docs, COMB_ITEMS_LOGS, &store->log_items, err), err);
    const struct comb_logs_parts parts = {.store = store->log_items};
    must_ok(comb_logs_new(&parts, &store->logs, err), err);
}

static int many_setup(void **state)
{
    struct many *many = calloc(1, sizeof *many);
    char url[512], *folder = test_folder_new();
    struct comb_store_options options;
    assert_non_null(many);
    test_ctx_init(&many->t);
    many->n = getenv("COMB_LONG") ? MANY_LONG : MANY;
    snprintf(url, sizeof url, "sqlite:%s/docs.db", folder);
    free(folder);
    options = (struct comb_store_options){.url = comb_str_from(url)};
    must_ok(comb_docs_sqlite_open(&options, &many->stores[0].docs, &many->t.err), &many->t.err);
    mongo_server_start(&many->server);
    mongo_server_url(&many->server, "comb", "?timeout_ms=120000", url, sizeof url);
    options = (struct comb_store_options){.url = comb_str_from(url)};
    must_ok(comb_docs_mongodb_open(&options, &many->stores[1].docs, &many->t.err), &many->t.err);
    for (int i = 0; i < STORES; i++)
        open_areas(many, &many->stores[i]);
    *state = many;
    return 0;
}

static int many_teardown(void **state)
{
    struct many *many = *state;
    for (int i = 0; i < STORES; i++) {
        struct store *store = &many->stores[i];
        comb_logs_free(store->logs);
        comb_items_store_close(store->log_items);
        comb_items_store_close(store->items);
        comb_search_store_close(store->search);
        comb_docs_close(store->docs);
    }
    mongo_server_done(&many->server);
    test_ctx_done(&many->t);
    free(many);
    return 0;
}

/* Every command of the question went by an index. */
static void must_use_indexes(struct many *many)
{
    next_call(many);
    assert_true(mongo_commands_must_use_indexes(&many->asked, comb_docs_mongo(many->stores[1].docs),
                                                &many->t.ctx,
                                                MONGO_PLAN_BY_ID | MONGO_PLAN_SORTED) > 0);
}

/* Asks both stores, from the newest entry or below one, and compares. */
typedef void (*ask_fn)(struct many *many, struct store *store, const void *data, unsigned before,
                       struct told *told);
static void compare(struct many *many, const char *what, ask_fn ask, const void *data)
{
    static struct told told[STORES];
    for (int last = 0; last < 2; last++) {
        memset(told, 0, sizeof told);
        comb_mongo_observe(comb_docs_mongo(many->stores[1].docs), observe, &many->asked);
        for (int i = 0; i < STORES; i++) {
            int64_t begin = comb_clock_monotonic_ns();
            ask(many, &many->stores[i], data, last ? many->n / LAST_PART : 0, &told[i]);
            told[i].ns = comb_clock_monotonic_ns() - begin;
        }
        must_use_indexes(many);
        printf("%s, %s: %zu of %u; %.1f and %.1f ms a call\n", what, last ? "last" : "first",
               told[0].n, many->n, (double)told[0].ns / 1e6 / (double)told[0].calls,
               (double)told[1].ns / 1e6 / (double)told[1].calls);
        fflush(stdout);
        if (told[0].n != told[1].n ||
            memcmp(told[0].numbers, told[1].numbers, told[0].n * sizeof told[0].numbers[0]) != 0)
            fail_msg("%s: SQLite gives %zu entries, MongoDB %zu or others", what, told[0].n,
                     told[1].n);
    }
}

/* ---- searches ---- */

static void put_documents(struct many *many, unsigned first, unsigned n)
{
    static struct comb_search_document documents[COMB_SEARCH_PUT_MAX];
    static struct comb_search_content contents[COMB_SEARCH_PUT_MAX];
    struct test_ctx *t = &many->t;
    next_call(many);
    must_ok(letters_write(t->ctx.arena, first, n, documents, contents, &t->err), &t->err);
    for (int i = 0; i < STORES; i++) {
        struct comb_search_store *store = many->stores[i].search;
        must_ok(store->driver->put(store, &t->ctx, documents, n, &t->err), &t->err);
        must_ok(store->driver->put_content(store, &t->ctx, contents, n, &t->err), &t->err);
    }
}

static bool is_in(void *data, const struct comb_search_condition *condition,
                  const struct comb_search_candidate *candidate)
{
    (void)data;
    (void)condition;
    (void)candidate;
    return true;
}

static bool may_see(void *data, const struct comb_search_candidate *candidate)
{
    const struct many *many = data;
    return letter_number(&candidate->id) % many->one_of == 0;
}

static enum comb_status narrow(void *data, struct comb_ctx *ctx, struct comb_search_few *ret_few,
                               bool *ret_are_few, struct comb_error *err)
{
    const struct many *many = data;
    size_t n = many->n / many->one_of;
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, n, sizeof *ids);
    if (!ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = letter_id((unsigned)(n - i) * many->one_of);
    *ret_few = (struct comb_search_few){ids, n};
    *ret_are_few = many->one_of > KEYS;
    return COMB_OK;
}

static void search(struct many *many, struct store *store, const void *data, unsigned before,
                   struct told *told)
{
    const struct comb_search_judge judge = {
        .is_in = is_in, .may_see = may_see, .narrow = narrow, .data = many};
    struct comb_search_at at = {0};
    bool more = true;
    if (before)
        at = (struct comb_search_at){.rank = 1, .has_id = true, .id = letter_id(before)};
    while (more && told->n + PAGE <= FOUND_MAX) {
        const struct comb_search_condition *query;
        const struct comb_search_hit *hits;
        struct comb_error *err = &many->t.err;
        size_t n = 0;
        next_call(many);
        must_ok(comb_search_parse(many->t.ctx.arena, comb_str_from(data), 0, "query", &query, err),
                err);
        const struct comb_search_walk walk = {
            .store = store->search, .query = query, .judge = &judge, .max = PAGE, .patience = KEYS};
        must_ok(comb_search_walk(&walk, &many->t.ctx, &at, &hits, &n, &more, err), err);
        for (size_t i = 0; i < n; i++)
            told->numbers[told->n++] = letter_number(&hits[i].candidate.id);
        told->calls++;
    }
}

static void searches_are_equal(void **state)
{
    static const struct {
        const char *query;
        unsigned one_of;
    } cases[] = {
        {"common", 1},           {"common", 100},   {"common", 10000}, {"w50", 1},
        {"type:file size:7", 1}, {"name:lett*", 1}, {"common odd", 1}, {"even odd", 1},
    };
    struct many *many = *state;
    int64_t begin = comb_clock_monotonic_ns();
    for (unsigned at = 0; at < many->n; at += COMB_SEARCH_PUT_MAX)
        put_documents(many, at + 1, COMB_SEARCH_PUT_MAX);
    printf("%u documents put in %.0f s\n", many->n,
           (double)(comb_clock_monotonic_ns() - begin) / 1e9);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char what[64];
        many->one_of = cases[i].one_of;
        snprintf(what, sizeof what, "%s, reads %g %%", cases[i].query, 100.0 / many->one_of);
        compare(many, what, search, cases[i].query);
    }
}

/* ---- items ---- */

static comb_str place_of(struct many *many, unsigned number)
{
    return comb_str_from(grpcc_arena_printf(many->t.ctx.arena, "%032x", number));
}

static comb_str key_of(struct many *many, unsigned number)
{
    return comb_str_from(grpcc_arena_printf(many->t.ctx.arena, "n%u", number % KEYS));
}

static void put_items(struct many *many, unsigned first, unsigned n)
{
    struct comb_item items[COMB_ITEM_SCAN_MAX];
    comb_str keys[COMB_ITEM_SCAN_MAX];
    next_call(many);
    for (unsigned i = 0; i < n; i++) {
        keys[i] = key_of(many, first + i);
        items[i] = (struct comb_item){.id = place_of(many, first + i),
                                      .at = place_of(many, first + i),
                                      .keys = &keys[i],
                                      .n_keys = 1,
                                      .body = STR("what a record of an activity is long")};
    }
    for (int i = 0; i < STORES; i++) {
        struct comb_items_store *store = many->stores[i].items;
        must_ok(store->driver->put(store, &many->t.ctx, items, n, &many->t.err), &many->t.err);
    }
}

static void scan_items(struct many *many, struct store *store, const void *data, unsigned before,
                       struct told *told)
{
    comb_str keys[KEYS];
    const struct comb_item *items;
    struct comb_item_scan scan = {.keys = keys, .max = COMB_ITEM_SCAN_MAX};
    size_t n = 0;
    next_call(many);
    scan.n_keys = *(const size_t *)data;
    for (size_t i = 0; i < scan.n_keys; i++)
        keys[i] = key_of(many, (unsigned)i);
    if (before)
        scan.before = place_of(many, before);
    must_ok(store->items->driver->scan(store->items, &many->t.ctx, &scan, &items, &n, &many->t.err),
            &many->t.err);
    for (size_t i = 0; i < n; i++)
        told->numbers[told->n++] =
            (unsigned)strtoul(comb_str_dup(many->t.ctx.arena, items[i].at), NULL, 16);
    told->calls = 1;
}

static void feeds_are_equal(void **state)
{
    static const struct {
        const char *what;
        size_t n_keys;
    } cases[] = {{"items of everything", 0}, {"items of one key", 1}, {"items of 100 keys", KEYS}};
    struct many *many = *state;
    for (unsigned at = 0; at < many->n; at += COMB_ITEM_SCAN_MAX)
        put_items(many, at + 1,
                  many->n - at < COMB_ITEM_SCAN_MAX ? many->n - at : COMB_ITEM_SCAN_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        compare(many, cases[i].what, scan_items, &cases[i].n_keys);
}

/* ---- logs ---- */

static void append_logs(struct many *many, unsigned first, unsigned n)
{
    struct comb_uuid batch = comb_uuid_new();
    struct grpcc_arena *arena;
    next_call(many);
    arena = many->t.ctx.arena;
    struct comb_log_entry *entries = grpcc_arena_calloc(arena, n, sizeof *entries);
    assert_non_null(entries);
    for (unsigned i = 0; i < n; i++) {
        unsigned number = first + i;
        entries[i] = (struct comb_log_entry){
            .time_us = LOGS_BEGIN_US + number,
            .level = number % 100 ? COMB_LOG_INFO : COMB_LOG_ERROR,
            .service = number % 2 ? STR("web") : STR("mail"),
            .user = key_of(many, number),
            .message = comb_str_from(grpcc_arena_printf(arena, "a request ended %s w%u",
                                                        number % 2 ? "odd" : "even", number))};
    }
    for (int i = 0; i < STORES; i++)
        must_ok(comb_logs_append(many->stores[i].logs, &many->t.ctx, &batch, 0, entries, n,
                                 &many->t.err),
                &many->t.err);
}

static void query_logs(struct many *many, struct store *store, const void *data, unsigned before,
                       struct told *told)
{
    struct comb_log_query query = {.filter = *(const struct comb_log_filter *)data, .max = PAGE};
    struct comb_log_page page;
    if (before)
        query.filter.until_us = LOGS_BEGIN_US + before;
    next_call(many);
    must_ok(comb_logs_query(store->logs, &many->t.ctx, &query, &page, &many->t.err), &many->t.err);
    for (size_t i = 0; i < page.n; i++)
        told->numbers[told->n++] =
            (unsigned)strtoul(strrchr(page.entries[i]->message, 'w') + 1, NULL, 10);
    told->calls = 1;
}

static void logs_are_equal(void **state)
{
    static const struct {
        const char *what;
        struct comb_log_filter filter;
    } cases[] = {
        {"logs, all", {.level = 0}},
        {"logs, request", {.text = {"request", 7}}},
        {"logs, w50", {.text = {"w50", 3}}},
        {"logs, errors", {.level = COMB_LOG_ERROR}},
        {"logs, request of a user", {.text = {"request", 7}, .user = {"n7", 2}}},
        {"logs, even odd", {.text = {"even odd", 8}}},
    };
    struct many *many = *state;
    for (unsigned at = 0; at < many->n; at += PAGE)
        append_logs(many, at + 1, PAGE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        compare(many, cases[i].what, query_logs, &cases[i].filter);
}

int run_many(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_are_equal),
        cmocka_unit_test(feeds_are_equal),
        cmocka_unit_test(logs_are_equal),
    };
    return cmocka_run_group_tests_name("many", tests, many_setup, many_teardown);
}
