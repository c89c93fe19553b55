/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs_bench FOLDER [ENTRIES]: whether pages of the docs row take the same time at the beginning
 * and at the end of many entries, for who may read all, a hundredth or a ten thousandth of them. In
 * this process and on SQLite: the walk of the search over its index, the scan of the items that
 * feeds and logs are made of, and queries of logs. Who may read what is decided by a number here,
 * so what a decision on permissions costs is no part of it; then the same through the domains, with
 * a tree and users (docs_rights.c). The same calls are made at both ends, turn by turn. Prints a
 * table in Markdown; fails where a page has not what it must have, or looks at more than it may.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "server/activities/record.h"
#include "server/core/clock.h"
#include "server/search/query.h"
#include "server/search/terms.h"
#include "tests/bench/docs.h"
#include "tests/bench/load.h"
#include "tests/support/letters.h"

enum { ENTRIES = 1000000, ENTRIES_MAX = 10000000 };
/* The end: so much of the entries is left there. */
enum { LAST_PART = 10 };

void docs_must(const struct docs_bench *bench, enum comb_status status)
{
    if (status != COMB_OK) {
        fprintf(stderr, "docs_bench: %s\n", bench->err.msg);
        exit(1);
    }
}

void docs_next_call(struct docs_bench *bench)
{
    if (bench->ctx.arena)
        grpcc_arena_reset(bench->ctx.arena);
    else
        bench->ctx.arena = grpcc_arena_new(0);
    if (!bench->ctx.arena)
        exit(1);
    bench->ctx.deadline_ns = comb_clock_in_ms(600000);
}

/* ---- what is put ---- */

static void put_documents(struct docs_bench *bench, unsigned first, unsigned n)
{
    struct comb_search_document documents[COMB_SEARCH_PUT_MAX] = {0};
    struct comb_search_content contents[COMB_SEARCH_PUT_MAX] = {0};
    const struct comb_search_store_driver *driver = bench->search->driver;
    docs_must(bench, letters_write(bench->ctx.arena, first, n, documents, contents, &bench->err));
    docs_must(bench, driver->put(bench->search, &bench->ctx, documents, n, &bench->err));
    docs_must(bench, driver->put_content(bench->search, &bench->ctx, contents, n, &bench->err));
}

comb_str docs_place_of(struct docs_bench *bench, unsigned number)
{
    return comb_str_from(grpcc_arena_printf(bench->ctx.arena, "%032x", number));
}

struct comb_uuid docs_key_node(unsigned rest)
{
    return letter_id(UINT32_MAX - rest);
}

/* As of an activity of that node. */
static comb_str item_key_of(struct docs_bench *bench, unsigned number)
{
    const struct comb_uuid node = docs_key_node(number % DOCS_KEYS);
    return activities_node_key(bench->ctx.arena, &node);
}

static comb_str user_of(struct docs_bench *bench, unsigned number)
{
    return comb_str_from(grpcc_arena_printf(bench->ctx.arena, "n%u", number % DOCS_KEYS));
}

static void put_items(struct docs_bench *bench, unsigned first, unsigned n)
{
    struct comb_item items[COMB_ITEM_SCAN_MAX];
    comb_str keys[COMB_ITEM_SCAN_MAX];
    for (unsigned i = 0; i < n; i++) {
        keys[i] = item_key_of(bench, first + i);
        items[i] = (struct comb_item){.id = docs_place_of(bench, first + i),
                                      .at = docs_place_of(bench, first + i),
                                      .keys = &keys[i],
                                      .n_keys = 1,
                                      .body = docs_body_of(bench, first + i)};
    }
    docs_must(bench, bench->items->driver->put(bench->items, &bench->ctx, items, n, &bench->err));
}

/* One microsecond lies between two entries. */
static const int64_t LOGS_BEGIN_US = 1700000000000000;

static void put_logs(struct docs_bench *bench, unsigned first, unsigned n)
{
    struct comb_uuid batch = comb_uuid_new();
    struct grpcc_arena *arena = bench->ctx.arena;
    struct comb_log_entry *entries = grpcc_arena_calloc(arena, n, sizeof *entries);
    for (unsigned i = 0; i < n; i++) {
        unsigned number = first + i;
        entries[i] = (struct comb_log_entry){
            .time_us = LOGS_BEGIN_US + number,
            .level = number % 100 ? COMB_LOG_INFO : COMB_LOG_ERROR,
            .service = number % 2 ? STR("web") : STR("mail"),
            .user = user_of(bench, number),
            .message = comb_str_from(grpcc_arena_printf(
                arena, "a request ended %s w%u", number % 2 ? "odd" : "even", number % 1000))};
    }
    docs_must(bench,
              comb_logs_append(bench->logs, &bench->ctx, &batch, 0, entries, n, &bench->err));
}

static void fill(struct docs_bench *bench, unsigned step,
                 void (*put)(struct docs_bench *bench, unsigned first, unsigned n))
{
    /* The number 0 is nobody's. */
    for (unsigned at = 0; at < bench->entries; at += step) {
        docs_next_call(bench);
        put(bench, at + 1, bench->entries - at < step ? bench->entries - at : step);
    }
}

/* ---- what is measured ---- */

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void time_call(struct docs_bench *bench, docs_call call, const void *data, unsigned before,
                      struct docs_side *side, unsigned round)
{
    docs_next_call(bench);
    int64_t begin = comb_clock_monotonic_ns();
    side->entries = call(bench, data, before);
    side->ns[round] = comb_clock_monotonic_ns() - begin;
}

static void summarize(struct docs_side *side, unsigned rounds)
{
    struct load_result result = {0};
    load_summarize(&result, side->ns, rounds);
    side->p50_us = result.p50_us;
    side->p99_us = result.p99_us;
}

void docs_measure(struct docs_bench *bench, docs_call call, const void *data, struct docs_row *row)
{
    unsigned last = bench->entries / LAST_PART;
    double cpu = cpu_us();
    for (unsigned i = 0; i < bench->rounds; i++) {
        time_call(bench, call, data, 0, &row->first, i);
        time_call(bench, call, data, last, &row->last, i);
    }
    row->cpu_us = (cpu_us() - cpu) / 2 / bench->rounds;
    summarize(&row->first, bench->rounds);
    summarize(&row->last, bench->rounds);
    printf("| %s | %zu, %zu | ", row->what, row->first.entries, row->last.entries);
    if (row->calls)
        printf("%zu", row->calls);
    printf(" | %.0f, %.0f | %.0f, %.0f | %.2f | %.0f |\n", row->first.p50_us, row->first.p99_us,
           row->last.p50_us, row->last.p99_us, row->last.p50_us / row->first.p50_us, row->cpu_us);
    fflush(stdout);
}

/* ---- the search ---- */

static bool is_in(void *data, const struct comb_search_condition *condition,
                  const struct comb_search_candidate *candidate)
{
    (void)data;
    (void)condition;
    (void)candidate;
    return true;
}

static enum comb_status count_examined(void *data, struct comb_ctx *ctx,
                                       const struct comb_search_candidate *candidates, size_t n,
                                       struct comb_error *err)
{
    struct docs_bench *bench = data;
    (void)ctx;
    (void)candidates;
    (void)err;
    bench->examined += n;
    return COMB_OK;
}

static bool may_see(void *data, const struct comb_search_candidate *candidate)
{
    const struct docs_bench *bench = data;
    return letter_number(&candidate->id) % bench->one_of == 0;
}

static size_t walk(struct docs_bench *bench, const char *text, struct comb_search_at *at,
                   bool *ret_more)
{
    const struct comb_search_judge judge = {
        .prepare = count_examined, .is_in = is_in, .may_see = may_see, .data = bench};
    const struct comb_search_condition *query;
    const struct comb_search_hit *hits;
    size_t n = 0;
    docs_must(bench, comb_search_parse(bench->ctx.arena, comb_str_from(text), 0, "query", &query,
                                       &bench->err));
    const struct comb_search_walk walk = {
        .store = bench->search, .query = query, .judge = &judge, .max = DOCS_PAGE};
    bench->examined = 0;
    docs_must(bench, comb_search_walk(&walk, &bench->ctx, at, &hits, &n, ret_more, &bench->err));
    /* The last scan of a walk may give more than it still looks at. */
    if (bench->examined >= COMB_SEARCH_EXAMINED_MAX + COMB_SEARCH_SCAN_MAX) {
        fprintf(stderr, "docs_bench: %s: looked at %zu\n", text, bench->examined);
        exit(1);
    }
    return n;
}

static size_t search_call(struct docs_bench *bench, const void *data, unsigned before)
{
    struct comb_search_at at = {0};
    bool more;
    if (before)
        at = (struct comb_search_at){.rank = 1, .has_id = true, .id = letter_id(before)};
    return walk(bench, data, &at, &more);
}

/* Calls until a page is full, or there is no more; *ret_n: what they gave. */
static size_t calls_of_page(struct docs_bench *bench, const char *text, size_t *ret_n)
{
    struct comb_search_at at = {0};
    size_t calls = 0, n = 0;
    for (bool more = true; more && n < DOCS_PAGE; calls++) {
        docs_next_call(bench);
        n += walk(bench, text, &at, &more);
    }
    *ret_n = n;
    return calls;
}

static void measure_search(struct docs_bench *bench)
{
    /* one_of: how many of the entries the query finds one of; 0: it finds none. */
    static const struct {
        const char *query;
        unsigned one_of, reads_one_of;
    } cases[] = {
        {"common", 1, 1},     {"common", 1, 100},           {"common", 1, 10000},
        {"w500", 1000, 1},    {"type:file size:7", 100, 1}, {"name:lett*", 1, 1},
        {"common odd", 2, 1}, {"even odd", 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char what[128];
        size_t n = 0;
        struct docs_row row = {.what = what};
        bench->one_of = cases[i].reads_one_of;
        row.calls = calls_of_page(bench, cases[i].query, &n);
        unsigned one_of = cases[i].one_of > bench->one_of ? cases[i].one_of : bench->one_of;
        size_t least = cases[i].one_of ? bench->entries / one_of : 0;
        least = least < DOCS_PAGE ? least : DOCS_PAGE;
        if (n != least) {
            fprintf(stderr, "docs_bench: %s: found %zu of %zu\n", cases[i].query, n, least);
            exit(1);
        }
        snprintf(what, sizeof what, "`%s`, reads %g %%", cases[i].query, 100.0 / bench->one_of);
        docs_measure(bench, search_call, cases[i].query, &row);
    }
}

/* ---- items ---- */

static size_t items_call(struct docs_bench *bench, const void *data, unsigned before)
{
    comb_str keys[DOCS_KEYS];
    const struct comb_item *items;
    size_t n = 0;
    struct comb_item_scan scan = {.keys = keys, .max = COMB_ITEM_SCAN_MAX};
    scan.n_keys = *(const size_t *)data;
    for (size_t i = 0; i < scan.n_keys; i++)
        keys[i] = item_key_of(bench, (unsigned)i);
    if (before)
        scan.before = docs_place_of(bench, before);
    docs_must(bench, bench->items->driver->scan(bench->items, &bench->ctx, &scan, &items, &n,
                                                &bench->err));
    return n;
}

static void measure_items(struct docs_bench *bench)
{
    static const struct {
        const char *what;
        size_t n_keys;
    } cases[] = {
        {"items of everything", 0}, {"items of one key", 1}, {"items of 100 keys", DOCS_KEYS}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct docs_row row = {.what = cases[i].what};
        docs_measure(bench, items_call, &cases[i].n_keys, &row);
        if (row.first.entries == 0 || row.last.entries == 0) {
            fprintf(stderr, "docs_bench: %s: found nothing\n", row.what);
            exit(1);
        }
    }
}

/* ---- logs ---- */

static size_t logs_call(struct docs_bench *bench, const void *data, unsigned before)
{
    struct comb_log_query query = {.filter = *(const struct comb_log_filter *)data,
                                   .max = DOCS_PAGE};
    struct comb_log_page page;
    if (before)
        query.filter.until_us = LOGS_BEGIN_US + before;
    docs_must(bench, comb_logs_query(bench->logs, &bench->ctx, &query, &page, &bench->err));
    return page.n;
}

static void measure_logs(struct docs_bench *bench)
{
    /* one_of: as of the searches; a page looks at COMB_LOGS_PAGE_EXAMINED_MAX entries at most. */
    static const struct {
        const char *what;
        struct comb_log_filter filter;
        unsigned one_of;
    } cases[] = {
        {"logs, all", {.level = 0}, 1},
        {"logs, `request`", {.text = {"request", 7}}, 1},
        {"logs, `w500`", {.text = {"w500", 4}}, 1000},
        {"logs, errors", {.level = COMB_LOG_ERROR}, 100},
        {"logs, `request` of a user", {.text = {"request", 7}, .user = {"n7", 2}}, 100},
        {"logs, `even odd`", {.text = {"even odd", 8}}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct docs_row row = {.what = cases[i].what};
        size_t least = cases[i].one_of ? bench->entries / cases[i].one_of : 0;
        docs_measure(bench, logs_call, &cases[i].filter, &row);
        if (row.first.entries != (least < DOCS_PAGE ? least : DOCS_PAGE)) {
            fprintf(stderr, "docs_bench: %s: found %zu\n", row.what, row.first.entries);
            exit(1);
        }
    }
}

static void open_stores(struct docs_bench *bench, const char *folder)
{
    char url[512];
    snprintf(url, sizeof url, "sqlite:%s/docs.db", folder);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    docs_must(bench, comb_docs_sqlite_open(&options, &bench->docs, &bench->err));
    docs_must(bench, comb_search_store_open(bench->docs, &bench->search, &bench->err));
    docs_must(bench, comb_items_store_open(bench->docs, COMB_ITEMS_ACTIVITIES, &bench->items,
                                           &bench->err));
    docs_must(bench,
              comb_items_store_open(bench->docs, COMB_ITEMS_LOGS, &bench->log_items, &bench->err));
    const struct comb_logs_parts parts = {.store = bench->log_items};
    docs_must(bench, comb_logs_new(&parts, &bench->logs, &bench->err));
}

int main(int argc, char **argv)
{
    struct docs_bench bench = {.entries = ENTRIES, .rounds = DOCS_ROUNDS};
    struct rusage usage;
    if (argc > 2)
        bench.entries = (unsigned)strtoul(argv[2], NULL, 10);
    if (argc < 2 || argc > 3 || bench.entries < 1000 || bench.entries > ENTRIES_MAX) {
        fprintf(stderr, "usage: docs_bench FOLDER [ENTRIES], 1000 to %d of them\n", ENTRIES_MAX);
        return 2;
    }
    if (bench.entries < 20000)
        bench.rounds = 5;
    open_stores(&bench, argv[1]);
    int64_t begin = comb_clock_monotonic_ns();
    fill(&bench, COMB_SEARCH_PUT_MAX, put_documents);
    int64_t searched = comb_clock_monotonic_ns();
    fill(&bench, COMB_ITEM_SCAN_MAX, put_items);
    int64_t followed = comb_clock_monotonic_ns();
    fill(&bench, COMB_LOGS_APPEND_MAX, put_logs);
    printf("%u documents put in %.0f s, as many items in %.0f s, entries of logs in %.0f s.\n\n",
           bench.entries, (double)(searched - begin) / 1e9, (double)(followed - searched) / 1e9,
           (double)(comb_clock_monotonic_ns() - followed) / 1e9);
    puts("| what | entries of a call, first and last | calls a page of 100 | first: p50, p99 µs |"
         " last: p50, p99 µs | last / first | CPU µs a call |\n|---|---|---|---|---|---|---|");
    measure_search(&bench);
    measure_items(&bench);
    measure_logs(&bench);
    docs_measure_rights(&bench, argv[1]);
    getrusage(RUSAGE_SELF, &usage);
    printf("\nThe most memory that the process had: %ld MiB.\n", usage.ru_maxrss >> 10);
    comb_logs_free(bench.logs);
    comb_items_store_close(bench.log_items);
    comb_items_store_close(bench.items);
    comb_search_store_close(bench.search);
    comb_docs_close(bench.docs);
    grpcc_arena_free(bench.ctx.arena);
    return 0;
}
