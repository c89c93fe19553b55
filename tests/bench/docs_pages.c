/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a page costs on the docs row: of hits of a search, for who may read all, one in a hundred
 * and one in ten thousand of them; of activities; of logs. First, middle and last pages of one run
 * beside each other, as a table in Markdown. Short form: few entries, and each walk must give what
 * it must give. COMB_LONG=1: a million entries on SQLite, 20,000 on MongoDB; COMB_ENTRIES: others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "server/docs/docs.h"
#include "server/items/items_driver.h"
#include "server/logs/logs.h"
#include "server/search/hits.h"
#include "server/search/query.h"
#include "tests/support/docs_row.h"
#include "tests/support/support.h"

enum {
    ENTRIES_SHORT = 3000,
    ENTRIES_SQLITE = 1000000,
    ENTRIES_MONGODB = 20000,
    FOLDERS = 10000, /* rights go by folder */
    RARE = 1000,     /* one entry in so many has the rare word */
    HITS = 20,       /* of a page of search */
    CALLS = 100      /* that are timed at each place */
};

static struct {
    struct comb_docs *docs;
    struct test_ctx t;
    unsigned n;
    bool is_short;
} bench;

/* ---- numbers ---- */

/* Calls at one place of a walk. */
struct place {
    double us[CALLS];
    size_t n;
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double p99(struct place *place)
{
    if (place->n == 0)
        return 0;
    qsort(place->us, place->n, sizeof place->us[0], by_size);
    return place->us[(place->n * 99 - 1) / 100];
}

static void note(struct place *place, int64_t begin_ns)
{
    if (place->n < CALLS)
        place->us[place->n++] = (double)(now_ns(CLOCK_MONOTONIC) - begin_ns) / 1000;
}

static void print_row(const char *what, const char *who, struct place places[3], double pages)
{
    double first = p99(&places[0]), last = p99(&places[2]);
    printf("| %s | %s | %.0f | %.0f | %.0f | %.2f | %.1f |\n", what, who, first, p99(&places[1]),
           last, first > 0 ? last / first : 0, pages);
    fflush(stdout);
}

static struct comb_ctx *next(void)
{
    test_ctx_next(&bench.t);
    return &bench.t.ctx;
}

/* Ids in the order of time, as nodes have. */
static struct comb_uuid id_of(unsigned i)
{
    struct comb_uuid id = {{0}};
    for (unsigned k = 0; k < 4; k++)
        id.bytes[k] = (uint8_t)(i >> (24 - 8 * k));
    id.bytes[6] = 0x70;
    id.bytes[8] = 0x80;
    return id;
}

static unsigned number_of(const struct comb_uuid *id)
{
    unsigned i = 0;
    for (unsigned k = 0; k < 4; k++)
        i = i << 8 | id->bytes[k];
    return i;
}

/* Entries of a folder lie all over the index. */
static unsigned folder_of(unsigned i)
{
    return (unsigned)((i * 2654435761ull) % FOLDERS);
}

/* ---- search ---- */

static const char INSIDE[] = "inside apart outside";

static void put_documents(struct comb_search_store *store, unsigned from, unsigned to)
{
    struct comb_search_document documents[COMB_SEARCH_PUT_MAX];
    struct comb_search_content contents[COMB_SEARCH_PUT_MAX];
    char names[COMB_SEARCH_PUT_MAX][64];
    const struct comb_search_version version = {1, 1};
    unsigned n = to - from;
    for (unsigned k = 0; k < n; k++) {
        unsigned i = from + k;
        snprintf(names[k], sizeof names[k], "report %s%sw%u", i % 2 ? "half " : "",
                 i % RARE == 7 ? "rare " : "", i % 5003);
        documents[k] = (struct comb_search_document){.id = id_of(i),
                                                     .version = version,
                                                     .parent = id_of(folder_of(i)),
                                                     .size = 1000,
                                                     .modified_us = 1700000000000000 + i,
                                                     .name = comb_str_from(names[k]),
                                                     .media = STR("text/plain"),
                                                     .name_terms = comb_str_from(names[k]),
                                                     .meta_terms = STR(""),
                                                     .keyed_terms = STR("")};
        contents[k] = (struct comb_search_content){.id = id_of(i),
                                                   .version = version,
                                                   .blob = id_of(i + 1),
                                                   .terms = comb_str_from(INSIDE),
                                                   .text = comb_str_from(INSIDE)};
    }
    must_ok(store->driver->put(store, next(), documents, n, &bench.t.err), &bench.t.err);
    must_ok(store->driver->put_content(store, next(), contents, n, &bench.t.err), &bench.t.err);
}

/* Who reads the folders below this number. */
static bool may_see(void *data, const struct comb_search_candidate *candidate)
{
    return number_of(&candidate->parent) < *(const unsigned *)data;
}

struct hunt {
    struct comb_search_store *store;
    const char *text;
    struct comb_search_judge judge;
};

/* From *at on until the hits of a page are there, or there are no more. Its calls are timed. */
static size_t hunt_page(const struct hunt *hunt, struct comb_search_at *at, struct place *place,
                        bool *ret_more)
{
    size_t hits = 0, calls = 0;
    do {
        const struct comb_search_condition *query;
        const struct comb_search_hit *found;
        struct comb_ctx *ctx = next();
        size_t n;
        int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
        must_ok(comb_search_parse(ctx->arena, comb_str_from(hunt->text), 0, "query", &query,
                                  &bench.t.err),
                &bench.t.err);
        const struct comb_search_walk walk = {
            .store = hunt->store, .query = query, .judge = &hunt->judge, .max = HITS - hits};
        must_ok(comb_search_walk(&walk, ctx, at, &found, &n, ret_more, &bench.t.err), &bench.t.err);
        note(place, begin_ns);
        hits += n;
        calls++;
    } while (hits < HITS && *ret_more && calls < CALLS);
    return hits;
}

static void measure_query(const struct hunt *hunt, const char *who)
{
    struct place places[3] = {{.n = 0}};
    double pages = 0, calls = 0;
    for (unsigned k = 0; k < 3; k++) {
        struct comb_search_at at = {0};
        bool more = true;
        if (k > 0)
            at = (struct comb_search_at){.rank = strstr(hunt->text, "inside") ? 1 : 0,
                                         .has_id = true,
                                         .id = id_of(k == 1 ? bench.n / 2 : bench.n / 50)};
        for (unsigned page = 0; page < 20 && more && places[k].n < CALLS; page++) {
            hunt_page(hunt, &at, &places[k], &more);
            pages++;
        }
        calls += (double)places[k].n;
    }
    print_row(hunt->text, who, places, calls / pages);
}

/* All pages give all that there is, each once. */
static void check_query(const struct hunt *hunt, unsigned readable, bool (*is_hit)(unsigned i))
{
    struct comb_search_at at = {0};
    struct place unused = {.n = 0};
    size_t found = 0, expected = 0;
    for (bool more = true; more;)
        found += hunt_page(hunt, &at, &unused, &more);
    for (unsigned i = 0; i < bench.n; i++)
        expected += folder_of(i) < readable && is_hit(i);
    assert_int_equal(found, expected);
}

static bool any(unsigned i)
{
    (void)i;
    return true;
}

static bool rare(unsigned i)
{
    return i % RARE == 7;
}

static bool half(unsigned i)
{
    return i % 2 != 0;
}

static bool none(unsigned i)
{
    (void)i;
    return false;
}

static void pages_of_hits(void **state)
{
    static const struct {
        const char *text;
        bool (*is_hit)(unsigned i);
    } queries[] = {
        {"report", any}, {"repo*", any},        {"inside", any},
        {"rare", rare},  {"half inside", half}, {"\"inside outside\"", none},
    };
    static const struct {
        const char *name;
        unsigned readable;
    } users[] = {{"100 %", FOLDERS}, {"1 %", FOLDERS / 100}, {"0.01 %", 1}};
    struct comb_search_store *store;
    (void)state;
    must_ok(comb_search_store_open(bench.docs, &store, &bench.t.err), &bench.t.err);
    int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < bench.n; i += COMB_SEARCH_PUT_MAX)
        put_documents(store, i,
                      i + COMB_SEARCH_PUT_MAX < bench.n ? i + COMB_SEARCH_PUT_MAX : bench.n);
    printf("%u documents of the search index, %.0f a second\n\n", bench.n,
           bench.n / ((double)(now_ns(CLOCK_MONOTONIC) - begin_ns) / 1e9));
    puts(
        "| query | may read | first calls, p99 µs | middle | last | last : first | calls a page |\n"
        "|---|---|---:|---:|---:|---:|---:|");
    for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
        for (size_t u = 0; u < sizeof users / sizeof users[0]; u++) {
            unsigned readable = users[u].readable;
            const struct hunt hunt = {
                store, queries[q].text, {.may_see = may_see, .data = &readable}};
            if (bench.is_short)
                check_query(&hunt, readable, queries[q].is_hit);
            measure_query(&hunt, users[u].name);
        }
    }
    comb_search_store_close(store);
}

/* ---- items, as activities and logs are ---- */

static void pages_of_items(void **state)
{
    enum { PUT = COMB_ITEM_SCAN_MAX, USERS = 1000 };
    struct comb_items_store *store;
    (void)state;
    must_ok(comb_items_store_open(bench.docs, COMB_ITEMS_ACTIVITIES, &store, &bench.t.err),
            &bench.t.err);
    for (unsigned i = 0; i < bench.n; i += PUT) {
        struct comb_item items[PUT];
        comb_str keys[PUT][3];
        char texts[PUT][4][COMB_ITEM_ID_LENGTH + 1];
        unsigned n = bench.n - i < PUT ? bench.n - i : PUT;
        for (unsigned k = 0; k < n; k++) {
            snprintf(texts[k][0], sizeof texts[k][0], "%032x", i + k);
            snprintf(texts[k][1], sizeof texts[k][1], "n%u", folder_of(i + k));
            snprintf(texts[k][2], sizeof texts[k][2], "u%u", (i + k) % USERS);
            keys[k][0] = STR("root");
            keys[k][1] = comb_str_from(texts[k][1]);
            keys[k][2] = comb_str_from(texts[k][2]);
            items[k] = (struct comb_item){comb_str_from(texts[k][0]), comb_str_from(texts[k][0]),
                                          keys[k], 3, STR("what somebody did to something")};
        }
        must_ok(store->driver->put(store, next(), items, n, &bench.t.err), &bench.t.err);
    }
    puts("\n| feed | of | first pages, p99 µs | middle | last | last : first | calls a page |\n"
         "|---|---|---:|---:|---:|---:|---:|");
    for (unsigned what = 0; what < 3; what++) {
        static const char *const names[] = {"root", "u1", "n1"};
        const comb_str key = comb_str_from(names[what]);
        struct place places[3] = {{.n = 0}};
        size_t seen = 0;
        for (unsigned k = 0; k < 3; k++) {
            char before[COMB_ITEM_ID_LENGTH + 1];
            snprintf(before, sizeof before, "%032x",
                     k == 0 ? bench.n : bench.n / (k == 1 ? 2 : 50));
            for (size_t n = 1; n > 0 && places[k].n < CALLS;) {
                const struct comb_item_scan scan = {.keys = &key,
                                                    .n_keys = 1,
                                                    .before = comb_str_from(before),
                                                    .max = COMB_ITEM_SCAN_MAX};
                const struct comb_item *items;
                struct comb_ctx *ctx = next();
                int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
                must_ok(store->driver->scan(store, ctx, &scan, &items, &n, &bench.t.err),
                        &bench.t.err);
                note(&places[k], begin_ns);
                if (n > 0)
                    snprintf(before, sizeof before, "%.*s", COMB_STR_ARG(items[n - 1].at));
                seen += k == 0 ? n : 0;
            }
        }
        if (bench.is_short && what == 0)
            assert_int_equal(seen, bench.n);
        print_row(names[what], "activities", places, 1);
    }
    comb_items_store_close(store);
}

/* ---- logs ---- */

static const int64_t LOG_BEGIN_US = 1700000000000000;

static void append_logs(struct comb_logs *logs)
{
    enum { APPEND = COMB_LOGS_APPEND_MAX };
    static struct comb_log_entry entries[APPEND];
    static char messages[APPEND][64], users[APPEND][16];
    for (unsigned i = 0; i < bench.n; i += APPEND) {
        struct comb_uuid batch = comb_uuid_new();
        unsigned n = bench.n - i < APPEND ? bench.n - i : APPEND;
        for (unsigned k = 0; k < n; k++) {
            unsigned number = i + k;
            snprintf(messages[k], sizeof messages[k], "a request %sended %u",
                     number % RARE == 7 ? "rarely " : "", number);
            snprintf(users[k], sizeof users[k], "u%u", number % 100);
            entries[k] =
                (struct comb_log_entry){.time_us = LOG_BEGIN_US + number,
                                        .level = number % 100 == 3 ? COMB_LOG_ERROR : COMB_LOG_INFO,
                                        .service = number % 2 ? STR("web") : STR("mail"),
                                        .user = comb_str_from(users[k]),
                                        .message = comb_str_from(messages[k])};
        }
        must_ok(comb_logs_append(logs, next(), &batch, 0, entries, n, &bench.t.err), &bench.t.err);
    }
}

static size_t query_logs(struct comb_logs *logs, const struct comb_log_filter *filter,
                         struct place *place)
{
    char behind[256] = "";
    size_t seen = 0;
    do {
        const struct comb_log_query query = {
            .filter = *filter, .behind = comb_str_from(behind), .max = 100};
        struct comb_log_page page;
        struct comb_ctx *ctx = next();
        int64_t begin_ns = now_ns(CLOCK_MONOTONIC);
        must_ok(comb_logs_query(logs, ctx, &query, &page, &bench.t.err), &bench.t.err);
        note(place, begin_ns);
        seen += page.n;
        snprintf(behind, sizeof behind, "%.*s", COMB_STR_ARG(page.next));
    } while (behind[0] && (bench.is_short || place->n < CALLS));
    return seen;
}

static void pages_of_logs(void **state)
{
    static const struct {
        const char *name;
        struct comb_log_filter filter;
        unsigned one_in;
    } queries[] = {
        {"all", {.level = 0}, 1},
        {"request", {.text = {"request", 7}}, 1},
        {"rarely", {.text = {"rarely", 6}}, RARE},
        {"level error", {.level = COMB_LOG_ERROR}, 100},
        {"service web, user u7", {.service = {"web", 3}, .user = {"u7", 2}}, 100},
        {"request, user u7", {.text = {"request", 7}, .user = {"u7", 2}}, 100},
    };
    struct comb_items_store *store;
    struct comb_logs *logs;
    (void)state;
    must_ok(comb_items_store_open(bench.docs, COMB_ITEMS_LOGS, &store, &bench.t.err), &bench.t.err);
    const struct comb_logs_parts parts = {.store = store};
    must_ok(comb_logs_new(&parts, &logs, &bench.t.err), &bench.t.err);
    append_logs(logs);
    puts("\n| logs | of | first pages, p99 µs | middle | last | last : first | calls a page |\n"
         "|---|---|---:|---:|---:|---:|---:|");
    for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
        struct place places[3] = {{.n = 0}};
        for (unsigned k = 0; k < 3; k++) {
            struct comb_log_filter filter = queries[q].filter;
            filter.until_us = LOG_BEGIN_US + (k == 0 ? bench.n : bench.n / (k == 1 ? 2 : 50));
            size_t seen = query_logs(logs, &filter, &places[k]);
            if (bench.is_short && k == 0)
                assert_int_equal(seen, bench.n / queries[q].one_in);
        }
        print_row(queries[q].name, "logs", places, 1);
    }
    comb_logs_free(logs);
    comb_items_store_close(store);
}

static void memory_is_bounded(void **state)
{
    struct rusage usage;
    (void)state;
    getrusage(RUSAGE_SELF, &usage);
    printf("\n%ld MiB of memory at most, %.0f s of the processor in all\n", usage.ru_maxrss / 1024,
           (double)now_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
}

static int setup(void **state)
{
    const char *entries = getenv("COMB_ENTRIES");
    (void)state;
    test_ctx_init(&bench.t);
    bench.docs = test_docs_row_open();
    bench.is_short = !getenv("COMB_LONG") && !entries;
    bench.n = ENTRIES_SHORT;
    if (entries)
        bench.n = (unsigned)strtoul(entries, NULL, 10);
    else if (!bench.is_short)
        bench.n = comb_docs_is_shared(bench.docs) ? ENTRIES_MONGODB : ENTRIES_SQLITE;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_docs_row_close(bench.docs);
    test_ctx_done(&bench.t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_hits),
        cmocka_unit_test(pages_of_items),
        cmocka_unit_test(pages_of_logs),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
