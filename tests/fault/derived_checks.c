/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/derived_checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/activity.grpcc.h"
#include "comb/v1/audit.grpcc.h"
#include "comb/v1/search.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/support/cmocka.h"

#define PAGE 1000
/* Of activities, whose texts the MongoDB server of the tests gives a few at a time. */
#define ACTIVITIES 100
#define PAGE_TRIES 20
#define HITS 25 /* of a page: what the MongoDB of the tests reads within a deadline */
#define LINES_MAX 50

size_t derived_text(unsigned file, char *text, size_t size)
{
    unsigned lines = file * 7919u % LINES_MAX + 1;
    size_t n = 0;
    for (unsigned i = 0; i < lines && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "cell%u %u of file %u\n", file / DERIVED_CELL, i,
                              file);
    return n < size ? n : size - 1;
}

/* ---- the feed ---- */

struct reader {
    struct derived_feed *feed;
    unsigned n_max;
};

static void note_change(void *data, const struct comb_v1_change *change)
{
    struct reader *reader = data;
    struct derived_feed *feed = reader->feed;
    if (!change->node || change->node->kind != COMB_V1_NODE_KIND_FILE)
        return;
    feed->n_changes++;
    for (unsigned i = feed->n; i-- > 0;) {
        if (strcmp(feed->nodes[i].id, change->node->id) != 0)
            continue;
        feed->nodes[i].changes++;
        return;
    }
    assert_true(feed->n < reader->n_max);
    struct derived_node *node = &feed->nodes[feed->n++];
    snprintf(node->id, sizeof node->id, "%s", change->node->id);
    snprintf(node->name, sizeof node->name, "%s", change->node->name);
    node->changes = 1;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct derived_node *)a)->id, ((const struct derived_node *)b)->id);
}

void derived_feed_read(struct derived_feed *feed, struct comb_client *client, const char *cursor,
                       unsigned n_max)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct reader reader = {feed, n_max};
    *feed = (struct derived_feed){.nodes = calloc(n_max, sizeof *feed->nodes)};
    assert_non_null(feed->nodes);
    if (calls_changes(client, "/personal", cursor, note_change, &reader, &err))
        fail_msg("changes: %s", err.message);
    qsort(feed->nodes, feed->n, sizeof *feed->nodes, by_id);
}

struct derived_node *derived_feed_find(const struct derived_feed *feed, const char *id)
{
    struct derived_node key;
    snprintf(key.id, sizeof key.id, "%s", id);
    return bsearch(&key, feed->nodes, feed->n, sizeof key, by_id);
}

void derived_feed_done(struct derived_feed *feed)
{
    free(feed->nodes);
}

/* ---- the audit trail: as many records of a node as the feed has changes, numbers without a gap,
 * and whole ---- */

struct trail {
    const struct derived_feed *feed;
    unsigned *records; /* of each node of the feed */
    uint64_t last;
};

static void note_entry(struct trail *trail, const struct comb_v1_audit_entry *entry)
{
    assert_int_equal(entry->number, trail->last + 1);
    trail->last = entry->number;
    if (entry->record->kind != COMB_V1_AUDIT_KIND_CHANGE)
        return;
    for (size_t i = 0; i < entry->record->n_targets; i++) {
        const struct comb_v1_audit_target *target = entry->record->targets[i];
        struct derived_node *node =
            strcmp(target->kind, "node") == 0 ? derived_feed_find(trail->feed, target->id) : NULL;
        if (node)
            trail->records[node - trail->feed->nodes]++;
    }
}

static void read_trail(struct trail *trail, struct comb_client *client)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    size_t n;
    do {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct comb_v1_audit_query_request *request = comb_v1_audit_query_request_new(arena);
        struct comb_v1_audit_query_response *response = NULL;
        request->has_after_number = true;
        request->after_number = trail->last;
        request->page_size = PAGE;
        if (comb_v1_audit_query(comb_client_channel(client), arena, NULL, request, &response,
                                &err) != GRPCC_OK)
            fail_msg("audit: %s", err.message);
        n = response->n_entries;
        for (size_t i = 0; i < n; i++)
            note_entry(trail, response->entries[i]);
        grpcc_arena_free(arena);
    } while (n > 0);
}

static void must_be_whole(struct comb_client *client, uint64_t lines)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_audit_verify_request *request = comb_v1_audit_verify_request_new(arena);
    struct comb_v1_audit_verify_response *now = NULL;
    bool is_done = false;
    struct comb_v1_audit_verify_stream *stream =
        comb_v1_audit_verify_stream_open(comb_client_channel(client), NULL, request, &err);
    assert_non_null(stream);
    while (!is_done && comb_v1_audit_verify_stream_read(stream, arena, &now, &err) == 1)
        is_done = now->done;
    if (!is_done)
        fail_msg("audit verify: %s", err.message);
    if (now->fault != COMB_V1_AUDIT_FAULT_UNSPECIFIED)
        fail_msg("the trail is broken: %s", now->message);
    assert_true(now->checked >= lines);
    comb_v1_audit_verify_stream_free(stream);
    grpcc_arena_free(arena);
}

static void check_audit(const struct derived_feed *feed, struct comb_client *client)
{
    struct trail trail = {.feed = feed, .records = calloc(feed->n + 1, sizeof *trail.records)};
    unsigned missing = 0, twice = 0;
    assert_non_null(trail.records);
    read_trail(&trail, client);
    for (unsigned i = 0; i < feed->n; i++) {
        missing += trail.records[i] < feed->nodes[i].changes;
        twice += trail.records[i] > feed->nodes[i].changes;
    }
    free(trail.records);
    print_message("audit: %llu lines for %u changes: %u files missing, %u twice\n",
                  (unsigned long long)trail.last, feed->n_changes, missing, twice);
    assert_int_equal(missing, 0);
    assert_int_equal(twice, 0);
    must_be_whole(client, trail.last);
}

/* ---- activities: as many changes of a node as the feed has, each once ---- */

static void count_activities(const struct derived_feed *feed, struct comb_client *client,
                             unsigned *counts)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char token[2048] = "";
    do {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct comb_v1_activities_feed_request *request =
            comb_v1_activities_feed_request_new(arena);
        struct comb_v1_activities_feed_response *page = NULL;
        request->scope = comb_v1_activity_scope_new(arena);
        request->scope->node = comb_v1_node_ref_new(arena);
        comb_v1_node_ref_set_path(request->scope->node, "/personal");
        request->page_size = ACTIVITIES;
        comb_v1_activities_feed_request_set_page_token(request, token);
        if (comb_v1_activities_feed(comb_client_channel(client), arena, NULL, request, &page,
                                    &err) != GRPCC_OK)
            fail_msg("activities: %s", err.message);
        for (size_t i = 0; i < page->n_activities; i++) {
            struct derived_node *node = derived_feed_find(feed, page->activities[i]->object->id);
            if (node)
                counts[node - feed->nodes] += page->activities[i]->count;
        }
        assert_true(strlen(page->next_page_token) < sizeof token);
        snprintf(token, sizeof token, "%s", page->next_page_token);
        grpcc_arena_free(arena);
    } while (token[0]);
}

static void check_activities(const struct derived_feed *feed, struct comb_client *client)
{
    unsigned *counts = calloc(feed->n + 1, sizeof *counts), missing = 0, twice = 0;
    assert_non_null(counts);
    count_activities(feed, client, counts);
    for (unsigned i = 0; i < feed->n; i++) {
        missing += counts[i] < feed->nodes[i].changes;
        twice += counts[i] > feed->nodes[i].changes;
    }
    free(counts);
    print_message("activities of %u changes: %u files missing, %u twice\n", feed->n_changes,
                  missing, twice);
    assert_int_equal(missing, 0);
    assert_int_equal(twice, 0);
}

/* ---- the search index: each file that there is found once, by what it is and by what is in it
 * ----
 */

static bool is_slow(enum grpcc_status status)
{
    return status == GRPCC_DEADLINE_EXCEEDED || status == GRPCC_UNAVAILABLE;
}

/* A page of a query. The MongoDB of the tests, on a machine that others use too, may need more than
 * one deadline, and be away meanwhile. */
static struct comb_v1_search_query_response *ask_page(struct comb_client *client,
                                                      struct grpcc_arena *arena, const char *query,
                                                      const char *token)
{
    struct comb_v1_search_query_request *request = comb_v1_search_query_request_new(arena);
    struct comb_v1_search_query_response *page = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status = GRPCC_DEADLINE_EXCEEDED;
    comb_v1_search_query_request_set_query(request, query);
    request->page_size = HITS;
    comb_v1_search_query_request_set_page_token(request, token);
    for (int i = 0; i < PAGE_TRIES && is_slow(status); i++)
        status =
            comb_v1_search_query(comb_client_channel(client), arena, NULL, request, &page, &err);
    if (status != GRPCC_OK)
        fail_msg("%s: %s", query, err.message);
    return page;
}

static void count_hits(const struct derived_feed *feed, struct comb_client *client,
                       const char *query, unsigned *counts)
{
    char token[2048] = "";
    do {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        const struct comb_v1_search_query_response *page = ask_page(client, arena, query, token);
        for (size_t i = 0; i < page->n_hits; i++) {
            struct derived_node *node = derived_feed_find(feed, page->hits[i]->node->id);
            assert_non_null(node);
            counts[node - feed->nodes]++;
        }
        assert_true(strlen(page->next_page_token) < sizeof token);
        snprintf(token, sizeof token, "%s", page->next_page_token);
        grpcc_arena_free(arena);
    } while (token[0]);
}

static void must_be_found_once(const struct derived_feed *feed, const unsigned *counts,
                               const char *what)
{
    unsigned missing = 0, twice = 0;
    for (unsigned i = 0; i < feed->n; i++) {
        missing += counts[i] == 0;
        twice += counts[i] > 1;
    }
    print_message("search by %s: of %u files %u missing, %u twice\n", what, feed->n, missing,
                  twice);
    assert_int_equal(missing, 0);
    assert_int_equal(twice, 0);
}

static void check_search(const struct derived_feed *feed, struct comb_client *client)
{
    unsigned *counts = calloc(feed->n + 1, sizeof *counts);
    assert_non_null(counts);
    count_hits(feed, client, "type:file", counts);
    must_be_found_once(feed, counts, "type");
    memset(counts, 0, feed->n * sizeof *counts);
    for (unsigned cell = 0; cell <= (feed->n - 1) / DERIVED_CELL; cell++) {
        char query[32];
        snprintf(query, sizeof query, "content:cell%u", cell);
        count_hits(feed, client, query, counts);
    }
    must_be_found_once(feed, counts, "content");
    free(counts);
}

const struct derived_kind derived_kinds[] = {
    {"audit", check_audit},
    {"activities", check_activities},
    {"search", check_search},
};
const unsigned derived_kinds_count = sizeof derived_kinds / sizeof derived_kinds[0];
