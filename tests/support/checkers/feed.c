/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/checkers/feed.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry and where it stood. */
struct told {
    const struct feed_entry *entry;
    size_t at;
};

static int compare(const struct feed_entry *a, const struct feed_entry *b)
{
    int order = strcmp(a->id, b->id);
    return order != 0 ? order : (a->revision > b->revision) - (a->revision < b->revision);
}

static int by_id_and_revision(const void *a, const void *b)
{
    return compare(a, b);
}

/* Those of one revision: in the order of the feed. */
static int by_entry_and_place(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    int order = compare(x->entry, y->entry);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static void blame(struct feed_report *report, size_t *count, const char *what,
                  const struct feed_entry *entry)
{
    if (!report->first[0])
        snprintf(report->first, sizeof report->first, "%s: revision %" PRIu64 " of %s", what,
                 entry->revision, entry->id);
    ++*count;
}

static void check_told(const struct told *told, size_t n, struct feed_report *report)
{
    for (size_t i = 1; i < n; i++) {
        const struct feed_entry *entry = told[i].entry, *before = told[i - 1].entry;
        if (strcmp(entry->id, before->id) != 0)
            continue;
        if (entry->revision == before->revision)
            blame(report, &report->twice, "told twice", entry);
        else if (told[i].at < told[i - 1].at)
            blame(report, &report->out_of_order, "told too early", entry);
    }
}

/* Both in order of id and revision. */
static void compare_both(const struct feed_entry *acknowledged, size_t n_acknowledged,
                         const struct told *told, size_t n, struct feed_report *report)
{
    size_t at = 0;
    for (size_t i = 0; i < n_acknowledged; i++) {
        if (i > 0 && compare(&acknowledged[i], &acknowledged[i - 1]) == 0) {
            report->later++;
            continue;
        }
        while (at < n && compare(told[at].entry, &acknowledged[i]) < 0) {
            bool is_known = strcmp(told[at].entry->id, acknowledged[i].id) == 0 ||
                            (i > 0 && strcmp(told[at].entry->id, acknowledged[i - 1].id) == 0);
            report->unexplained += is_known;
            at++;
        }
        if (at == n || compare(told[at].entry, &acknowledged[i]) != 0)
            blame(report, &report->missing, "not told", &acknowledged[i]);
        while (at < n && compare(told[at].entry, &acknowledged[i]) == 0)
            at++;
    }
    for (; at < n && n_acknowledged > 0; at++)
        report->unexplained += strcmp(told[at].entry->id, acknowledged[n_acknowledged - 1].id) == 0;
}

void feed_check(struct feed_entry *acknowledged, size_t n_acknowledged,
                const struct feed_entry *feed, size_t n_feed, struct feed_report *ret_report)
{
    struct told *told = calloc(n_feed + 1, sizeof *told);
    *ret_report = (struct feed_report){0};
    if (!told)
        abort();
    for (size_t i = 0; i < n_feed; i++)
        told[i] = (struct told){&feed[i], i};
    qsort(told, n_feed, sizeof *told, by_entry_and_place);
    qsort(acknowledged, n_acknowledged, sizeof *acknowledged, by_id_and_revision);
    check_told(told, n_feed, ret_report);
    compare_both(acknowledged, n_acknowledged, told, n_feed, ret_report);
    free(told);
}
