/* SPDX-License-Identifier: Apache-2.0 */
/* The docs row as a stream: from SQLite into MongoDB and back, the same each time; and copies that
 * were broken off while what they are of has changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/docs/docs.h"
#include "server/move/move.h"
#include "tests/support/mongo_server.h"
#include "tests/support/support.h"

enum { DOCUMENTS = 70, ITEMS = 150, NOTES = 5 };

/* A docs row with its stores, and the stream of it. */
struct side {
    struct comb_docs *docs;
    struct comb_docs_stores stores;
    struct comb_move_row *row;
};

struct fixture {
    struct test_ctx t;
    struct mongo_server server;
    unsigned n_databases, n_files;
};

static void open_stores(struct side *side, struct fixture *f)
{
    struct comb_error *err = &f->t.err;
    struct comb_docs_stores *stores = &side->stores;
    must_ok(comb_documents_store_open(side->docs, &stores->documents, err), err);
    must_ok(comb_items_store_open(side->docs, COMB_ITEMS_ACTIVITIES,
                                  &stores->items[COMB_DOCS_ACTIVITIES], err),
            err);
    must_ok(comb_items_store_open(side->docs, COMB_ITEMS_LOGS, &stores->items[COMB_DOCS_LOGS], err),
            err);
    must_ok(comb_move_docs_new(stores, &side->row, err), err);
}

static void open_sqlite(struct side *side, struct fixture *f)
{
    char *folder = test_folder_new(), url[4096];
    snprintf(url, sizeof url, "sqlite:%s/docs-%u.db", folder, f->n_files++);
    free(folder);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_sqlite_open(&options, &side->docs, &f->t.err), &f->t.err);
    open_stores(side, f);
}

static void open_mongodb(struct side *side, struct fixture *f)
{
    char url[256], database[16];
    snprintf(database, sizeof database, "comb%u", f->n_databases++);
    mongo_server_url(&f->server, database, "", url, sizeof url);
    const struct comb_store_options options = {.url = comb_str_from(url)};
    must_ok(comb_docs_mongodb_open(&options, &side->docs, &f->t.err), &f->t.err);
    open_stores(side, f);
}

static void close_side(struct side *side)
{
    comb_move_row_free(side->row);
    comb_documents_store_close(side->stores.documents);
    for (int i = 0; i < COMB_DOCS_ITEMS; i++)
        comb_items_store_close(side->stores.items[i]);
    comb_docs_close(side->docs);
}

/* ---- what is in it ---- */

static comb_str print(struct fixture *f, const char *format, unsigned number)
{
    char *text = grpcc_arena_alloc(f->t.ctx.arena, 128);
    snprintf(text, 128, format, number);
    return comb_str_from(text);
}

static void put_document(struct side *side, struct fixture *f, unsigned number, int64_t revision)
{
    test_ctx_next(&f->t);
    struct comb_document_record record = {
        .texts = {[COMB_DOCUMENT_BY_AT] = print(f, "notes/0123/id-%04u", number),
                  [COMB_DOCUMENT_BY_MADE] = STR("notes/0000000000000001"),
                  [COMB_DOCUMENT_BY_KEY + 1] = print(f, "notes/50%02x", number)},
        .revision = revision,
        .is_deleted = number % 7 == 0,
        .body = print(f, "{\"number\": %u}", number),
        .requests = comb_str_of("\0request", 8),
        .create_us = 1000 + number,
        .update_us = 2000 + revision,
        .expire_us = number % 5 == 0 ? 1 : 0};
    if (number % 5 == 0)
        record.texts[COMB_DOCUMENT_BY_DUE] = STR("0000000000000001");
    bool is_written = false;
    must_ok(side->stores.documents->driver->write(side->stores.documents, &f->t.ctx, &record,
                                                  revision - 1, &is_written, &f->t.err),
            &f->t.err);
    assert_true(is_written);
}

static void remove_document(struct side *side, struct fixture *f, unsigned number)
{
    test_ctx_next(&f->t);
    must_ok(side->stores.documents->driver->remove(side->stores.documents, &f->t.ctx,
                                                   print(f, "notes/0123/id-%04u", number), 1,
                                                   &f->t.err),
            &f->t.err);
}

static void put_items(struct side *side, struct fixture *f, int store, unsigned from, unsigned to)
{
    struct comb_items_store *items = side->stores.items[store];
    for (unsigned number = from; number < to; number++) {
        test_ctx_next(&f->t);
        const comb_str keys[] = {print(f, "user-%u", number % 3), STR("all"), STR("a-third")};
        const struct comb_item item = {.id = print(f, "f%031x", number),
                                       .at = print(f, "%032x", number),
                                       .keys = keys,
                                       .n_keys = number % 4,
                                       .body = comb_str_of("\0body", 5)};
        must_ok(items->driver->put(items, &f->t.ctx, &item, 1, &f->t.err), &f->t.err);
    }
}

static void remove_items(struct side *side, struct fixture *f, int store, unsigned to)
{
    struct comb_items_store *items = side->stores.items[store];
    for (unsigned number = 0; number < to; number++) {
        test_ctx_next(&f->t);
        const comb_str at = print(f, "%032x", number);
        must_ok(items->driver->remove(items, &f->t.ctx, &at, 1, &f->t.err), &f->t.err);
    }
}

static void put_notes(struct side *side, struct fixture *f, unsigned value)
{
    struct comb_items_store *items = side->stores.items[COMB_DOCS_ACTIVITIES];
    for (unsigned number = 0; number < NOTES; number++) {
        test_ctx_next(&f->t);
        const struct comb_item_note note = {
            .key = print(f, "read/%u", number), .value = print(f, "%04u", value), .create_us = 5};
        must_ok(items->driver->raise(items, &f->t.ctx, &note, &f->t.err), &f->t.err);
    }
}

static void fill(struct side *side, struct fixture *f)
{
    for (unsigned number = 0; number < DOCUMENTS; number++)
        put_document(side, f, number, 1);
    put_items(side, f, COMB_DOCS_ACTIVITIES, 0, ITEMS);
    put_items(side, f, COMB_DOCS_LOGS, 0, ITEMS / 2);
    put_notes(side, f, 1);
}

/* ---- copies ---- */

static void must_be_empty(struct side *side, struct fixture *f, bool wanted)
{
    bool is = !wanted;
    must_ok(side->row->ops->is_empty(side->row, &is, &f->t.err), &f->t.err);
    assert_int_equal(is, wanted);
}

static void copy(struct side *from, struct side *to, struct fixture *f,
                 struct comb_move_sums *ret_sums)
{
    must_ok(comb_move_copy(from->row, to->row, NULL, ret_sums, &f->t.err), &f->t.err);
}

static uint64_t count(const struct comb_move_sums *sums, const char *part)
{
    for (size_t i = 0; i < sums->n; i++)
        if (strcmp(sums->items[i].part, part) == 0)
            return sums->items[i].records;
    return 0;
}

static void the_same_there_and_back(void **state)
{
    struct fixture *f = *state;
    struct side sqlite, mongodb, back;
    struct comb_move_sums there, again;
    open_sqlite(&sqlite, f);
    open_mongodb(&mongodb, f);
    open_sqlite(&back, f);
    must_be_empty(&sqlite, f, true);
    must_be_empty(&mongodb, f, true);
    fill(&sqlite, f);
    must_be_empty(&sqlite, f, false);
    copy(&sqlite, &mongodb, f, &there);
    must_be_empty(&mongodb, f, false);
    copy(&mongodb, &back, f, &again);
    assert_int_equal(count(&there, "document"), DOCUMENTS);
    assert_int_equal(count(&there, "activity"), ITEMS);
    assert_int_equal(count(&there, "activity-note"), NOTES);
    assert_int_equal(count(&there, "log"), ITEMS / 2);
    must_ok(comb_move_compare("docs", &there, &again, &f->t.err), &f->t.err);
    /* And a difference is one. */
    remove_document(&back, f, 3);
    must_ok(comb_move_sum(back.row, "verifying", NULL, NULL, &again, &f->t.err), &f->t.err);
    must_fail(COMB_DATA_LOSS, comb_move_compare("docs", &there, &again, &f->t.err), &f->t.err);
    close_side(&sqlite);
    close_side(&mongodb);
    close_side(&back);
}

/* Takes so many records, then no more. */
struct some {
    struct comb_move_row *to;
    unsigned left;
};

static enum comb_status take_some(void *data, const struct comb_move_record *record,
                                  struct comb_error *err)
{
    struct some *some = data;
    if (some->left-- == 0)
        return comb_error_set(err, COMB_CANCELLED, 0, "broken off");
    return some->to->ops->take(some->to, record, err);
}

/* From `from` to `to`: broken off after `left` records, gone on with after all kinds of changes. */
static void break_off(struct side *from, struct side *to, struct fixture *f, unsigned left)
{
    struct some some = {to->row, left};
    const struct comb_move_sink sink = {take_some, &some};
    struct comb_move_sums sums;
    fill(from, f);
    must_fail(COMB_CANCELLED, from->row->ops->give(from->row, &sink, &f->t.err), &f->t.err);
    comb_move_row_free(to->row);
    must_ok(comb_move_docs_new(&to->stores, &to->row, &f->t.err), &f->t.err);
    put_document(from, f, 1, 2);
    remove_document(from, f, 0);
    remove_document(from, f, 40);
    remove_document(from, f, DOCUMENTS - 1);
    put_document(from, f, DOCUMENTS + 1, 1);
    remove_items(from, f, COMB_DOCS_ACTIVITIES, 10);
    put_items(from, f, COMB_DOCS_ACTIVITIES, ITEMS, ITEMS + 3);
    remove_items(from, f, COMB_DOCS_LOGS, ITEMS / 2);
    put_notes(from, f, 2);
    copy(from, to, f, &sums);
    assert_int_equal(count(&sums, "document"), DOCUMENTS - 2);
    assert_int_equal(count(&sums, "activity"), ITEMS - 10 + 3);
    assert_int_equal(count(&sums, "activity-note"), NOTES);
    assert_int_equal(count(&sums, "log"), 0);
    close_side(from);
    close_side(to);
}

static void a_copy_that_was_broken_off_is_gone_on_with(void **state)
{
    static const unsigned places[] = {0, 45, DOCUMENTS + 100, DOCUMENTS + ITEMS + NOTES + 70};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct side from, to;
        open_sqlite(&from, f);
        if (i % 2 == 0)
            open_sqlite(&to, f);
        else
            open_mongodb(&to, f);
        break_off(&from, &to, f, places[i]);
    }
}

static void what_is_damaged_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct comb_move_record records[] = {
        {STR("document"), STR("notes/0/a"), STR("too short")},
        {STR("activity"), STR("00000000000000000000000000000001"), STR("")},
        {STR("activity-note"), STR("a"), STR("\0")},
    };
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        struct side to;
        open_sqlite(&to, f);
        must_ok(to.row->ops->take(to.row, &records[i], &f->t.err), &f->t.err);
        must_fail(COMB_DATA_LOSS, to.row->ops->flush(to.row, &f->t.err), &f->t.err);
        close_side(&to);
    }
    struct side to;
    open_sqlite(&to, f);
    const struct comb_move_record unknown = {STR("nothing"), STR("a"), STR("")};
    must_fail(COMB_FAILED_PRECONDITION, to.row->ops->take(to.row, &unknown, &f->t.err), &f->t.err);
    close_side(&to);
}

static int setup(void **state)
{
    static struct fixture f;
    test_ctx_init(&f.t);
    mongo_server_start(&f.server);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mongo_server_done(&f->server);
    test_ctx_done(&f->t);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_there_and_back),
        cmocka_unit_test(a_copy_that_was_broken_off_is_gone_on_with),
        cmocka_unit_test(what_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
