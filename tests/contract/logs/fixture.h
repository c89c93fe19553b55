/* SPDX-License-Identifier: Apache-2.0 */
/* Logs over a docs row of the driver that the test is linked with. */
#ifndef TESTS_CONTRACT_LOGS_FIXTURE_H
#define TESTS_CONTRACT_LOGS_FIXTURE_H

#include "server/docs/docs.h"
#include "server/logs/logs.h"
#include "tests/support/support.h"

#define US_PER_S 1000000LL
/* What a page looks at. */
#define EXAMINED_MAX 60
/* What one test may use of time. */
#define SPAN_US (100000 * US_PER_S)

struct fixture {
    struct comb_docs *docs;
    struct comb_items_store *store;
    struct comb_logs *logs;
    struct test_ctx t;
    /* a time that no other test uses, nor what is within SPAN_US behind it; in whole days */
    int64_t base_us;
};

/* cmocka's; state: the fixture. */
int fixture_setup_all(void **state);
int fixture_teardown_all(void **state);
int fixture_setup(void **state);

/* An entry of the service "test" that says text at base + us, at level INFO. */
struct comb_log_entry entry_of(const struct fixture *f, int64_t us, const char *text);
/* Any number of entries, as one new batch; must succeed. */
void append(struct fixture *f, const struct comb_log_entry *entries, size_t n);
/* One entry that says text. */
void say(struct fixture *f, int64_t us, const char *text);
/* Everything in the test's own time. */
struct comb_log_filter filter_of(const struct fixture *f);
/* Messages of all pages of max, separated by blanks, in order; *ret_pages may be NULL. Lives until
 * the next call. */
const char *ask(struct fixture *f, const struct comb_log_filter *filter, bool is_oldest_first,
                size_t max, size_t *ret_pages);

#endif
