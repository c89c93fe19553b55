/* SPDX-License-Identifier: Apache-2.0 */
/* The trail's index on the docs row, whose oracle is the trail: whatever the index has, a query
 * gives what a walk over the trail gives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/audit.grpcc.h"
#include "grpcc/wkt.h"
#include "server/audit/index.h"
#include "server/audit/indexer.h"
#include "server/core/clock.h"
#include "tests/contract/audit/trail.h"
#include "tests/support/docs_row.h"

#define WAIT_MS 60000
#define USERS 3
#define NODES 6
#define BEGIN_US (1700000000LL * COMB_US_PER_S)

struct fixture {
    struct trail *trail;
    struct comb_docs *docs;
    struct comb_items_store *items;
    struct comb_audit *plain; /* without the index */
    struct comb_audit_indexer *indexer;
    uint64_t seed, history;
    size_t n_records;
};

static struct fixture f;

/* ---- records ---- */

static unsigned draw(unsigned n)
{
    f.seed = f.seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(f.seed >> 33) % n;
}

static struct comb_uuid id_of(unsigned kind, unsigned number)
{
    return (struct comb_uuid){
        {(uint8_t)kind, 0, 0, 0, 0, 0, 0x70, 0, 0x80, [15] = (uint8_t)number}};
}

static const char *const methods[] = {"/comb.v1.Tree/Move", "/comb.v1.Tree/Delete",
                                      "/comb.v1.Vault/Put", "/comb.v1.Auth/Login", ""};
static const char *const paths[] = {"/projects/m\xC3\xBCller/plan", "/Projects/Muller/budget",
                                    "/caf\xC3\xA9", "/\xE6\x9D\xB1\xE4\xBA\xAC/\xE8\xB5\xA4",
                                    "/x/y"};
static const char *const texts[] = {"m\xC3\xBCller",
                                    "projects",
                                    "cafe",
                                    "\xE6\x9D\xB1\xE4\xBA\xAC",
                                    "\xE8\xB5\xA4",
                                    "login ada",
                                    "projects budget",
                                    "192.0.2.7",
                                    "move",
                                    "nothing",
                                    "user0 w70"};
#define DRAW(list) ((list)[draw(sizeof(list) / sizeof(list)[0])])

static void add_target(struct comb_v1_audit_record *record, const char *kind, comb_str id)
{
    assert_true(comb_audit_record_add_target(f.trail->t.ctx.arena, record, kind, id));
}

#define MANY_MAX 1000

/* Texts that are longer than an item has words for. */
static char *many_words(void)
{
    char *text = grpcc_arena_alloc(f.trail->t.ctx.arena, MANY_MAX);
    size_t len = 0;
    for (int i = 0; i < 2 * AUDIT_WORDS_MAX; i++)
        len += (size_t)snprintf(text + len, MANY_MAX - len, "w%d ", i);
    return text;
}

static struct comb_v1_audit_record *make_record(void)
{
    struct grpcc_arena *arena = f.trail->t.ctx.arena;
    struct comb_v1_audit_record *record = comb_v1_audit_record_new(arena);
    const unsigned user = draw(USERS);
    const struct comb_uuid user_id = id_of(1, user);
    const struct timespec time = {.tv_sec = BEGIN_US / COMB_US_PER_S + draw(200),
                                  .tv_nsec = draw(3) * 1000};
    record->kind = draw(4) ? COMB_V1_AUDIT_KIND_CHANGE : COMB_V1_AUDIT_KIND_REFUSAL;
    record->code = record->kind == COMB_V1_AUDIT_KIND_REFUSAL
                       ? draw(2) ? COMB_NOT_FOUND : COMB_PERMISSION_DENIED
                       : COMB_OK;
    record->time = grpcc_timestamp_new(arena, &time);
    if (draw(8))
        comb_v1_audit_record_set_user_id(record, comb_uuid_text(arena, &user_id));
    record->login = grpcc_arena_printf(arena, "user%u", user);
    comb_v1_audit_record_set_method(record, DRAW(methods));
    comb_v1_audit_record_set_peer(record, "ipv4:192.0.2.7:4711");
    if (draw(10) == 0)
        record->after = many_words();
    for (unsigned n = draw(4); n > 0; n--) {
        const struct comb_uuid node = id_of(2, draw(NODES));
        add_target(record, "node", comb_str_from(comb_uuid_text(arena, &node)));
    }
    add_target(record, "path", comb_str_from(DRAW(paths)));
    return record;
}

/* n more lines, numbered. */
static void add_lines(size_t n)
{
    struct comb_audit_store *store = f.trail->store;
    while (n > 0) {
        struct comb_audit_pending pending[COMB_AUDIT_PUT_MAX];
        size_t some = n < COMB_AUDIT_PUT_MAX ? n : COMB_AUDIT_PUT_MAX;
        trail_next(f.trail);
        for (size_t i = 0; i < some; i++) {
            size_t size = 0;
            const struct comb_v1_audit_record *record = make_record();
            void *bytes = grpcc_message_pack(f.trail->t.ctx.arena, &record->base, &size);
            /* One in sixty is no record at all. */
            pending[i] = (struct comb_audit_pending){
                comb_uuid_new(), draw(60) ? comb_str_of(bytes, size) : STR("\xFF\xFF")};
        }
        must_ok(store->driver->put(store, &f.trail->t.ctx, pending, some, &f.trail->t.err),
                &f.trail->t.err);
        f.n_records += some;
        n -= some;
    }
    struct comb_audit_parts parts = trail_parts(f.trail);
    parts.items = f.items;
    parts.history = f.history;
    trail_settle_with(f.trail, &parts);
}

/* ---- the index ---- */

static struct comb_consumer_place place(void)
{
    struct comb_consumers_store *leases = f.trail->leases;
    struct comb_consumer_place found = {.rebuild = COMB_REBUILD_NEW};
    trail_next(f.trail);
    enum comb_status status = leases->driver->place(
        leases, &f.trail->t.ctx, STR(COMB_AUDIT_INDEX_LEASE_NAME), &found, &f.trail->t.err);
    assert_true(status == COMB_OK || status == COMB_NOT_FOUND);
    return found;
}

static void start_indexer(void)
{
    const struct comb_audit_indexer_parts parts = {.store = f.trail->store,
                                                   .leases = f.trail->leases,
                                                   .items = f.items,
                                                   .history = f.history,
                                                   .lease_ms = 3000,
                                                   .poll_ms = 20};
    must_ok(comb_audit_indexer_new(&parts, &f.indexer, &f.trail->t.err), &f.trail->t.err);
    must_ok(comb_audit_indexer_start(f.indexer, &f.trail->t.err), &f.trail->t.err);
}

static void stop_indexer(void)
{
    comb_audit_indexer_free(f.indexer);
    f.indexer = NULL;
}

/* Until all lines are in the index, of an epoch behind this one. */
static void wait_for_index(uint64_t behind)
{
    const struct timespec pause = {.tv_nsec = 10 * COMB_NS_PER_MS};
    int64_t until_ns = comb_clock_in_ms(WAIT_MS);
    for (;;) {
        struct comb_consumer_place now = place();
        size_t n = 1;
        int64_t oldest_us;
        if (now.rebuild == COMB_REBUILD_NONE && now.epoch > behind)
            must_ok(comb_audit_indexer_lag(f.indexer, &f.trail->t.ctx, 10000, &n, &oldest_us,
                                           &f.trail->t.err),
                    &f.trail->t.err);
        if (n == 0)
            return;
        assert_true(comb_clock_monotonic_ns() < until_ns);
        (void)nanosleep(&pause, NULL);
    }
}

static void lose_index(void)
{
    const struct comb_item_scan scan = {.max = COMB_ITEM_SCAN_MAX};
    size_t n = COMB_ITEM_SCAN_MAX;
    while (n == COMB_ITEM_SCAN_MAX) {
        const struct comb_item *items;
        comb_str places[COMB_ITEM_SCAN_MAX];
        trail_next(f.trail);
        must_ok(f.items->driver->scan(f.items, &f.trail->t.ctx, &scan, &items, &n, &f.trail->t.err),
                &f.trail->t.err);
        for (size_t i = 0; i < n; i++)
            places[i] = items[i].at;
        must_ok(f.items->driver->remove(f.items, &f.trail->t.ctx, places, n, &f.trail->t.err),
                &f.trail->t.err);
    }
    must_ok(audit_forget_before(f.items, &f.trail->t.ctx, UINT64_MAX, &f.trail->t.err),
            &f.trail->t.err);
}

/* ---- the oracle ---- */

struct found {
    uint64_t numbers[3000];
    size_t n;
};

static void ask(struct comb_audit *audit, const struct comb_audit_filter *filter, size_t size,
                struct found *found)
{
    struct comb_audit_place next = {0};
    found->n = 0;
    do {
        struct comb_audit_page page;
        trail_next(f.trail);
        must_ok(
            comb_audit_query(audit, &f.trail->t.ctx, filter, &next, size, &page, &f.trail->t.err),
            &f.trail->t.err);
        for (size_t i = 0; i < page.n; i++)
            found->numbers[found->n++] = page.entries[i].n;
        next = page.next;
    } while (!comb_audit_place_is_none(&next));
}

static size_t must_agree(const struct comb_audit_filter *filter, size_t size)
{
    static struct found by_index, by_trail;
    ask(f.trail->audit, filter, size, &by_index);
    ask(f.plain, filter, 500, &by_trail);
    assert_int_equal(by_index.n, by_trail.n);
    assert_memory_equal(by_index.numbers, by_trail.numbers,
                        by_trail.n * sizeof by_trail.numbers[0]);
    return by_trail.n;
}

/* Filters of all kinds, as an administrator and as a user. Returns how many entries there were. */
static size_t all_must_agree(void)
{
    size_t n = 0;
    for (int i = 0; i < 24; i++) {
        const struct comb_uuid user = id_of(1, draw(USERS)), node = id_of(2, draw(NODES));
        struct comb_audit_filter filter = {0};
        f.trail->t.principal.administrator = i % 4 != 0;
        f.trail->t.principal.user = user;
        if (draw(3) == 0)
            filter.user = &user;
        if (draw(2) == 0)
            filter.node = &node;
        if (draw(3) == 0)
            filter.method = draw(2) ? comb_str_from(DRAW(methods)) : STR("/comb.v1.Tree/");
        if (draw(2) == 0)
            filter.text = comb_str_from(DRAW(texts));
        if (draw(4) == 0)
            filter.result = COMB_V1_AUDIT_RESULT_FAILED;
        if (draw(3) == 0)
            filter.since_us = BEGIN_US + draw(100) * COMB_US_PER_S;
        if (draw(3) == 0)
            filter.until_us = BEGIN_US + (100 + draw(100)) * COMB_US_PER_S;
        n += must_agree(&filter, 5 + draw(60));
    }
    f.trail->t.principal.administrator = true;
    return n;
}

/* How many questions the docs row has been asked, each by an index. The indexer does not run: what
 * watches the row is not for several threads. */
static size_t asked_of_docs(void)
{
    trail_next(f.trail);
    return test_docs_row_must_use_indexes(f.docs, &f.trail->t.ctx, true);
}

/* ---- tests, each on what the one before has left ---- */

static void without_an_index_the_trail_answers(void **state)
{
    (void)state;
    add_lines(150);
    assert_true(all_must_agree() > 0);
}

static void the_index_answers_as_the_trail(void **state)
{
    (void)state;
    start_indexer();
    wait_for_index(0);
    stop_indexer();
    (void)asked_of_docs();
    size_t n = all_must_agree();
    size_t asked = asked_of_docs();
    print_message("%zu entries, %zu questions\n", n, asked);
    assert_true(n > 0);
    assert_true(asked > 0);
}

static void one_word_finds_all_forms(void **state)
{
    (void)state;
    const struct comb_audit_filter mueller = {.text = STR("MULLER")},
                                   tokyo = {.text = STR("\xE6\x9D\xB1\xE4\xBA\xAC")},
                                   late = {.text = STR("w127")},
                                   second = {.node = &(struct comb_uuid){{0}}};
    assert_true(must_agree(&mueller, 100) > 30);
    assert_true(must_agree(&tokyo, 100) > 15);
    /* Behind the words that an item has. */
    assert_true(must_agree(&late, 100) > 3);
    assert_int_equal(must_agree(&second, 100), 0);
}

static void what_the_index_has_not_reached_is_merged(void **state)
{
    (void)state;
    add_lines(60);
    assert_true(all_must_agree() > 0);
    assert_true(asked_of_docs() > 0);
}

static void lines_that_were_trimmed_are_not_found(void **state)
{
    (void)state;
    trail_next(f.trail);
    assert_int_equal(trail_spoil(f.trail, "DELETE FROM audit WHERE n <= 20", NULL, 0), 20);
    assert_true(all_must_agree() > 0);
}

static void an_index_that_is_lost_is_built_again(void **state)
{
    (void)state;
    lose_index();
    assert_true(all_must_agree() > 0);
    start_indexer();
    uint64_t n = 0;
    int64_t until_ns = comb_clock_in_ms(WAIT_MS);
    while (n < f.n_records) {
        const uint64_t epoch = place().epoch;
        must_ok(audit_reached(f.items, &f.trail->t.ctx, epoch, &n, &f.trail->t.err),
                &f.trail->t.err);
        assert_true(comb_clock_monotonic_ns() < until_ns);
    }
    assert_true(all_must_agree() > 0);
}

static void it_is_built_anew_where_somebody_wants_it(void **state)
{
    (void)state;
    const uint64_t before = place().epoch;
    const struct timespec pause = {.tv_nsec = 10 * COMB_NS_PER_MS};
    int64_t until_ns = comb_clock_in_ms(WAIT_MS);
    uint64_t n = 0;
    must_ok(comb_audit_indexer_begin_anew(f.indexer, &f.trail->t.ctx, &f.trail->t.err),
            &f.trail->t.err);
    assert_true(all_must_agree() > 0);
    wait_for_index(before);
    assert_true(all_must_agree() > 0);
    /* Items of before go: one for each line is left, but for what is no record. */
    do {
        trail_next(f.trail);
        must_ok(f.items->driver->count(f.items, &f.trail->t.ctx, &n, &f.trail->t.err),
                &f.trail->t.err);
        assert_true(comb_clock_monotonic_ns() < until_ns);
        (void)nanosleep(&pause, NULL);
    } while (n > f.n_records - 20);
    assert_true(n > f.n_records - 20 - 30);
}

/* The store was restored: numbers are of other lines now. */
static void an_index_of_another_history_is_of_no_use(void **state)
{
    (void)state;
    const uint64_t before = place().epoch;
    stop_indexer();
    f.history++;
    add_lines(20);
    assert_true(all_must_agree() > 0);
    start_indexer();
    wait_for_index(before);
    assert_true(all_must_agree() > 0);
}

static enum comb_status fail_notes(struct comb_items_store *self, struct comb_ctx *ctx,
                                   comb_str from, comb_str to, size_t max,
                                   const struct comb_item_note **ret_notes, size_t *ret_n,
                                   struct comb_error *err)
{
    (void)self, (void)ctx, (void)from, (void)to, (void)max, (void)ret_notes, (void)ret_n;
    return comb_error_set(err, COMB_UNAVAILABLE, 0, "the store is away");
}

static enum comb_status fail_scan(struct comb_items_store *self, struct comb_ctx *ctx,
                                  const struct comb_item_scan *scan,
                                  const struct comb_item **ret_items, size_t *ret_n,
                                  struct comb_error *err)
{
    (void)self, (void)ctx, (void)scan, (void)ret_items, (void)ret_n;
    return comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0, "the store hangs");
}

static void while_the_store_is_away_the_trail_answers(void **state)
{
    (void)state;
    struct comb_items_driver away = {.notes = fail_notes}, hangs = *f.items->driver;
    const struct comb_items_driver *drivers[] = {&away, &hangs}, *real = f.items->driver;
    stop_indexer();
    hangs.scan = fail_scan;
    for (size_t i = 0; i < 2; i++) {
        f.items->driver = drivers[i];
        assert_true(all_must_agree() > 0);
    }
    f.items->driver = real;
}

static void far_behind_the_trail_answers(void **state)
{
    (void)state;
    lose_index();
    add_lines(2050 - f.n_records);
    assert_true(all_must_agree() > 0);
}

static int setup(void **state)
{
    void *trail = NULL;
    f.seed = 20261123;
    f.history = 3;
    if (trail_setup(&trail) != 0)
        return -1;
    f.trail = trail;
    const struct comb_audit_parts plain = trail_parts(f.trail);
    f.docs = test_docs_row_open();
    must_ok(comb_items_store_open(f.docs, COMB_ITEMS_AUDIT, &f.items, &f.trail->t.err),
            &f.trail->t.err);
    must_ok(comb_audit_new(&plain, &f.plain, &f.trail->t.err), &f.trail->t.err);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    void *trail = f.trail;
    (void)state;
    stop_indexer();
    comb_audit_free(f.plain);
    trail_teardown(&trail);
    comb_items_store_close(f.items);
    test_docs_row_close(f.docs);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_index_the_trail_answers),
        cmocka_unit_test(the_index_answers_as_the_trail),
        cmocka_unit_test(one_word_finds_all_forms),
        cmocka_unit_test(what_the_index_has_not_reached_is_merged),
        cmocka_unit_test(lines_that_were_trimmed_are_not_found),
        cmocka_unit_test(an_index_that_is_lost_is_built_again),
        cmocka_unit_test(it_is_built_anew_where_somebody_wants_it),
        cmocka_unit_test(an_index_of_another_history_is_of_no_use),
        cmocka_unit_test(while_the_store_is_away_the_trail_answers),
        cmocka_unit_test(far_behind_the_trail_answers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
