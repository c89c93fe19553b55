/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/logs/fixture.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/docs_row.h"

#define DAY_US (24 * 3600 * US_PER_S)

int fixture_setup_all(void **state)
{
    static struct fixture f;
    test_ctx_init(&f.t);
    f.docs = test_docs_row_open();
    must_ok(comb_items_store_open(f.docs, COMB_ITEMS_LOGS, &f.store, &f.t.err), &f.t.err);
    const struct comb_logs_parts parts = {.store = f.store, .examined_max = EXAMINED_MAX};
    must_ok(comb_logs_new(&parts, &f.logs, &f.t.err), &f.t.err);
    f.base_us = 20000 * DAY_US;
    *state = &f;
    return 0;
}

int fixture_teardown_all(void **state)
{
    struct fixture *f = *state;
    comb_logs_free(f->logs);
    comb_items_store_close(f->store);
    test_docs_row_close(f->docs);
    test_ctx_done(&f->t);
    return 0;
}

int fixture_setup(void **state)
{
    struct fixture *f = *state;
    f->base_us += 2 * DAY_US;
    return 0;
}

struct comb_log_entry entry_of(const struct fixture *f, int64_t us, const char *text)
{
    return (struct comb_log_entry){.time_us = f->base_us + us,
                                   .level = COMB_LOG_INFO,
                                   .service = STR("test"),
                                   .message = comb_str_from(text)};
}

void append(struct fixture *f, const struct comb_log_entry *entries, size_t n)
{
    const struct comb_uuid batch = comb_uuid_new();
    for (size_t at = 0; at < n; at += COMB_LOGS_APPEND_MAX) {
        size_t some = n - at < COMB_LOGS_APPEND_MAX ? n - at : COMB_LOGS_APPEND_MAX;
        test_ctx_next(&f->t);
        must_ok(comb_logs_append(f->logs, &f->t.ctx, &batch, at, entries + at, some, &f->t.err),
                &f->t.err);
    }
}

void say(struct fixture *f, int64_t us, const char *text)
{
    const struct comb_log_entry entry = entry_of(f, us, text);
    append(f, &entry, 1);
}

struct comb_log_filter filter_of(const struct fixture *f)
{
    return (struct comb_log_filter){.since_us = f->base_us, .until_us = f->base_us + SPAN_US};
}

const char *ask(struct fixture *f, const struct comb_log_filter *filter, bool is_oldest_first,
                size_t max, size_t *ret_pages)
{
    static char text[1 << 16];
    char next[COMB_ITEM_ID_LENGTH + 1] = "", id[COMB_ITEM_ID_LENGTH + 1] = "";
    size_t len = 0, n_pages = 0;
    text[0] = '\0';
    do {
        const struct comb_log_query query = {*filter, is_oldest_first, comb_str_from(next), max};
        struct comb_log_page page;
        test_ctx_next(&f->t);
        must_ok(comb_logs_query(f->logs, &f->t.ctx, &query, &page, &f->t.err), &f->t.err);
        assert_true(page.n <= max);
        for (size_t i = 0; i < page.n; i++) {
            int order = id[0] ? strcmp(page.entries[i]->id, id) : 0;
            assert_true(!id[0] || (is_oldest_first ? order > 0 : order < 0));
            memcpy(id, page.entries[i]->id, sizeof id);
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", len > 0 ? " " : "",
                                    page.entries[i]->message);
            assert_true(len < sizeof text);
        }
        memcpy(next, page.next.len > 0 ? page.next.ptr : "", page.next.len + 1);
        n_pages++;
    } while (next[0]);
    if (ret_pages)
        *ret_pages = n_pages;
    return text;
}
