/* SPDX-License-Identifier: Apache-2.0 */
/* What all clients of a phase did, before the checkers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/calls.h"
#include "tests/storm/storm.h"

#define NS_PER_MS 1e6
#define FEED_MS 30000
#define FEED_STEP_MS 200
#define BOUND_NS (STORM_BOUND_MS * INT64_C(1000000))

size_t storm_each(struct storm *storm, const struct storm_role *role,
                  struct storm_client *ret_clients[STORM_CLIENTS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < storm->n_clients; i++)
        if (storm->clients[i].role == role)
            ret_clients[n++] = &storm->clients[i];
    return n;
}

static void *must_alloc(size_t n, size_t size)
{
    void *array = calloc(n + 1, size);
    if (!array)
        storm_die("no memory for %zu records", n);
    return array;
}

/* ---- calls ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The longest time between two calls that ended well. */
static double gap_of(int64_t *good_ends, size_t n)
{
    int64_t gap = 0;
    qsort(good_ends, n, sizeof *good_ends, by_number);
    for (size_t i = 1; i < n; i++)
        gap = good_ends[i] - good_ends[i - 1] > gap ? good_ends[i] - good_ends[i - 1] : gap;
    return (double)gap / NS_PER_MS;
}

static void judge_calls(struct storm *storm, struct storm_row *row)
{
    size_t n_good = 0, n_times = 0;
    for (unsigned i = 0; i < storm->n_clients; i++)
        row->calls += storm->clients[i].n_calls;
    int64_t *good_ends = must_alloc(row->calls, sizeof *good_ends);
    int64_t *times = must_alloc(row->calls, sizeof *times);
    for (unsigned i = 0; i < storm->n_clients; i++) {
        const struct storm_client *client = &storm->clients[i];
        for (size_t j = 0; j < client->n_calls; j++) {
            const struct storm_call *call = &client->calls[j];
            row->failed += call->outcome == STORM_FAILED;
            row->refused += call->outcome == STORM_REFUSED;
            if (call->outcome == STORM_GOOD)
                good_ends[n_good++] = call->end_ns;
            if (!call->is_large)
                times[n_times++] = call->end_ns - call->begin_ns;
        }
        if (client->error[0] && !row->error[0])
            snprintf(row->error, sizeof row->error, "%s", client->error);
    }
    qsort(times, n_times, sizeof *times, by_number);
    row->gap_ms = gap_of(good_ends, n_good);
    row->p99_ms = n_times ? (double)times[n_times * 99 / 100] / NS_PER_MS : 0;
    row->longest_ms = n_times ? (double)times[n_times - 1] / NS_PER_MS : 0;
    free(times);
    free(good_ends);
}

/* ---- reads ---- */

static void judge_history(struct storm *storm)
{
    size_t n = 0;
    struct history_report report;
    for (unsigned i = 0; i < storm->n_clients; i++)
        n += storm->clients[i].n_ops;
    struct history_op *ops = must_alloc(n, sizeof *ops);
    n = 0;
    for (unsigned i = 0; i < storm->n_clients; i++) {
        const struct storm_client *client = &storm->clients[i];
        if (client->n_ops)
            memcpy(&ops[n], client->ops, client->n_ops * sizeof *ops);
        n += client->n_ops;
    }
    history_check(ops, n, BOUND_NS, &report);
    if (report.total)
        storm_die("%zu of %zu operations break what is promised, the first: %s", report.total, n,
                  report.first);
    free(ops);
}

/* ---- the feed ---- */

struct feed {
    struct feed_entry *entries;
    size_t n, size;
};

static void add_entry(void *data, const struct comb_v1_change *change)
{
    struct feed *feed = data;
    /* Permissions have revisions of their own; what was deleted is told without. */
    if (change->kind == COMB_V1_CHANGE_KIND_PERMISSIONS || change->node->revision == 0)
        return;
    if (feed->n == feed->size) {
        feed->size = feed->size ? 2 * feed->size : 1024;
        feed->entries = realloc(feed->entries, feed->size * sizeof feed->entries[0]);
        if (!feed->entries)
            storm_die("no memory for %zu changes", feed->size);
    }
    struct feed_entry *entry = &feed->entries[feed->n++];
    *entry = (struct feed_entry){.revision = change->node->revision};
    snprintf(entry->id, sizeof entry->id, "%s", change->node->id);
}

/* All that the clients were told, and the admin. */
static struct feed_entry *gather(struct storm *storm, size_t *ret_n, size_t *ret_unknown)
{
    size_t n = storm->admin.n_changes;
    for (unsigned i = 0; i < storm->n_clients; i++)
        n += storm->clients[i].n_changes;
    struct feed_entry *all = must_alloc(n, sizeof *all);
    n = storm->admin.n_changes;
    memcpy(all, storm->admin.changes, n * sizeof *all);
    for (unsigned i = 0; i < storm->n_clients; i++) {
        const struct storm_client *client = &storm->clients[i];
        if (client->n_changes)
            memcpy(&all[n], client->changes, client->n_changes * sizeof *all);
        n += client->n_changes;
        *ret_unknown += client->unknown;
    }
    *ret_n = n;
    return all;
}

/* Up to the entry of a folder that is made now: those from before come before it. */
static void read_feed(struct storm *storm, struct feed *feed)
{
    char last[STORM_ID_BYTES];
    storm_make(storm, storm->folder, "end", last);
    for (int waited = 0; waited < FEED_MS; waited += FEED_STEP_MS) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        feed->n = 0;
        if (calls_changes(storm->admin.sdk, storm->folder, storm->cursor, add_entry, feed, &err) !=
            GRPCC_OK)
            storm_die("the feed: %s", err.message);
        for (size_t i = feed->n; i > 0; i--)
            if (strcmp(feed->entries[i - 1].id, last) == 0)
                return;
        calls_sleep_ms(FEED_STEP_MS);
    }
    storm_die("the feed does not tell of the last change");
}

static void judge_feed(struct storm *storm, struct storm_row *row)
{
    struct feed feed = {0};
    struct feed_report report;
    size_t unknown = 0;
    read_feed(storm, &feed);
    struct feed_entry *all = gather(storm, &row->acknowledged, &unknown);
    feed_check(all, row->acknowledged, feed.entries, feed.n, &report);
    row->lost = report.missing;
    row->twice = report.twice;
    if (report.unexplained > unknown + report.later)
        row->twice += report.unexplained - unknown - report.later;
    row->disordered = report.out_of_order;
    if (report.first[0])
        fprintf(stderr, "storm: the feed, %zu entries: %s\n", feed.n, report.first);
    free(feed.entries);
    free(all);
}

void storm_judge(struct storm *storm, struct storm_row *row)
{
    *row = (struct storm_row){0};
    judge_calls(storm, row);
    for (size_t i = 0; storm_roles[i]; i++)
        if (storm_roles[i]->judge)
            storm_roles[i]->judge(storm);
    judge_history(storm);
    judge_feed(storm, row);
}
