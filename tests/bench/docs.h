/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of docs_bench share: the stores, entries by their number, rows of the table. */
#ifndef TESTS_BENCH_DOCS_H
#define TESTS_BENCH_DOCS_H

#include "server/docs/docs.h"
#include "server/items/items_driver.h"
#include "server/logs/logs.h"
#include "server/search/hits.h"

enum { DOCS_PAGE = 100, DOCS_ROUNDS = 100 };
/* Of the items' keys: each entry has one of so many. */
enum { DOCS_KEYS = 100 };

struct docs_bench {
    struct comb_docs *docs;
    struct comb_search_store *search;
    struct comb_items_store *items, *log_items;
    struct comb_logs *logs;
    unsigned entries, rounds;
    /* Of the walk that is measured: who may read one of so many, and how many were looked at. */
    unsigned one_of;
    size_t examined;
    struct comb_ctx ctx;
    struct comb_error err;
};

/* Ends the program unless status is OK. */
void docs_must(const struct docs_bench *bench, enum comb_status status);
/* Empties the arena: what was returned before is gone. */
void docs_next_call(struct docs_bench *bench);

/* A node that is none, whose items are those of the numbers that leave `rest` when divided by
 * DOCS_KEYS. */
struct comb_uuid docs_key_node(unsigned rest);
/* The body of an item: an activity. */
comb_str docs_body_of(struct docs_bench *bench, unsigned number);
comb_str docs_place_of(struct docs_bench *bench, unsigned number);

struct docs_side {
    int64_t ns[DOCS_ROUNDS];
    size_t entries; /* of a page */
    double p50_us, p99_us;
};

struct docs_row {
    const char *what;
    struct docs_side first, last;
    double cpu_us; /* of a call, both sides together */
    size_t calls;  /* until a page is full, from the beginning; 0: it is always one */
};

/* A call at the beginning, or before this entry; returns how many entries it gave. */
typedef size_t (*docs_call)(struct docs_bench *bench, const void *data, unsigned before);
/* Fills the row and prints it. */
void docs_measure(struct docs_bench *bench, docs_call call, const void *data, struct docs_row *row);

/* The same pages through the domains, with a tree of as many files and users of their own. */
void docs_measure_rights(struct docs_bench *bench, const char *folder);

#endif
