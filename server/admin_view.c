/* SPDX-License-Identifier: Apache-2.0 */
#include "server/admin_view.h"

#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/mutation/feed.h"

/* A question of Statistics to the sql row. */
#define QUESTION_MS 2000

/* What the parts of this replica count, all at one moment. */
struct counted {
    struct grpcc_server_stats calls;
    struct comb_sql_stats sql;
    struct comb_facts_stats facts;
    struct comb_operation_stats operations;
};

static void read_all(const struct comb_admin_view *view, struct counted *ret)
{
    grpcc_server_get_stats(view->api, &ret->calls);
    comb_sql_get_stats(view->services->sql, &ret->sql);
    comb_facts_get_stats(view->services->facts, &ret->facts);
    comb_operation_engine_get_stats(view->services->engine, &ret->operations);
}

/* All of it, by group. */
static size_t list_all(const struct counted *c, struct comb_admin_statistic *ret)
{
    const struct comb_admin_statistic all[] = {
        {"calls", "started", c->calls.calls_started},
        {"calls", "ok", c->calls.calls_ok},
        {"calls", "failed", c->calls.calls_failed},
        {"calls", "shed", c->calls.calls_shed},
        {"calls", "cancelled", c->calls.calls_cancelled},
        {"calls", "in_flight", c->calls.calls_in_flight},
        {"calls", "connections", c->calls.connections},
        {"calls", "queue_length", c->calls.queue_length},
        {"calls", "workers_busy", c->calls.workers_busy},
        {"sql", "reads", c->sql.reads},
        {"sql", "writes", c->sql.writes},
        {"sql", "commits", c->sql.commits},
        {"sql", "polls", c->sql.polls},
        {"sql", "retries", c->sql.retries},
        {"facts", "hits", c->facts.hits},
        {"facts", "misses", c->facts.misses},
        {"facts", "polls", c->facts.polls},
        {"facts", "waits", c->facts.waits},
        {"facts", "dropped_fills", c->facts.dropped_fills},
        {"facts", "shed", c->facts.shed},
        {"facts", "bytes", c->facts.bytes},
        {"operations", "taken", c->operations.taken},
        {"operations", "steps", c->operations.steps},
        {"operations", "done", c->operations.done},
        {"operations", "failed", c->operations.failed},
        {"operations", "cancelled", c->operations.cancelled},
        {"operations", "released", c->operations.released},
        {"operations", "lost", c->operations.lost},
        {"operations", "running", c->operations.running},
    };
    memcpy(ret, all, sizeof all);
    return sizeof all / sizeof all[0];
}

/* Of Info, whose names stay as they were. */
static size_t read_counters(void *data, struct comb_admin_pair *ret, uint64_t *ret_feed_position)
{
    struct counted c;
    read_all(data, &c);
    *ret_feed_position = c.facts.position.sequence;
    const struct comb_admin_pair all[] = {
        {"grpc.server.calls_started", c.calls.calls_started},
        {"grpc.server.calls_ok", c.calls.calls_ok},
        {"grpc.server.calls_failed", c.calls.calls_failed},
        {"grpc.server.calls_shed", c.calls.calls_shed},
        {"grpc.server.calls_cancelled", c.calls.calls_cancelled},
        {"grpc.server.calls_in_flight", c.calls.calls_in_flight},
        {"grpc.server.connections", c.calls.connections},
        {"sql.reads", c.sql.reads},
        {"sql.writes", c.sql.writes},
        {"sql.commits", c.sql.commits},
        {"sql.polls", c.sql.polls},
        {"sql.retries", c.sql.retries},
        {"facts.hits", c.facts.hits},
        {"facts.misses", c.facts.misses},
        {"facts.polls", c.facts.polls},
        {"facts.waits", c.facts.waits},
        {"facts.dropped_fills", c.facts.dropped_fills},
        {"facts.bytes", c.facts.bytes},
    };
    memcpy(ret, all, sizeof all);
    return sizeof all / sizeof all[0];
}

/* ---- stores ---- */

static size_t read_stores(void *data, struct comb_admin_store *ret_stores)
{
    const struct comb_admin_view *view = data;
    size_t n = 0;
    for (int row = 0; row < COMB_ROWS; row++) {
        if (!comb_rows_store(view->rows, (enum comb_row)row))
            continue;
        struct comb_admin_store *store = &ret_stores[n++];
        *store = (struct comb_admin_store){.row = comb_row_name((enum comb_row)row),
                                           .url = view->rows->rows[row].url};
        comb_rows_status(view->rows, (enum comb_row)row, &store->status);
    }
    return n;
}

static enum comb_status check_store(void *data, const char *row, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    const struct comb_admin_view *view = data;
    enum comb_row found = comb_row_find(row);
    if (found == COMB_ROWS)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "there is no row %.32s", row);
    return comb_rows_ask(view->rows, found, ctx, err);
}

/* ---- what the installation's store says ---- */

/* More changes than that are not counted. */
#define FEED_LAG_MAX 100000

static size_t add_feed(const struct comb_admin_view *view, struct comb_ctx *ctx,
                       const struct counted *c, struct comb_admin_statistic *ret)
{
    struct comb_sql *sql = view->services->sql;
    const struct comb_sql_statement statement = {.text = comb_position_sql(sql)};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    uint64_t known = c->facts.position.sequence;
    if (comb_sql_run(sql, ctx, &request, &result, NULL) != COMB_OK || result->rows[0].n_rows == 0)
        return 0;
    uint64_t head = (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer;
    const struct comb_cursor at = {c->facts.position.incarnation, known};
    size_t behind = 0;
    int64_t oldest_us = 0;
    /* Changes, not positions: those have gaps. */
    if (head > known &&
        comb_feed_lag(sql, ctx, at, FEED_LAG_MAX, &behind, &oldest_us, NULL) != COMB_OK)
        return 0;
    ret[0] = (struct comb_admin_statistic){"feed", "position", head};
    ret[1] = (struct comb_admin_statistic){"feed", "known", known};
    ret[2] = (struct comb_admin_statistic){"feed", "lag", behind};
    return 3;
}

static size_t add_operations(const struct comb_admin_view *view, struct comb_ctx *ctx,
                             struct comb_admin_statistic *ret)
{
    static const char *const names[] = {
        [COMB_OPERATION_WAITING] = "operations_waiting",
        [COMB_OPERATION_RUNNING] = "operations_running",
        [COMB_OPERATION_DONE] = "operations_done",
        [COMB_OPERATION_FAILED] = "operations_failed",
        [COMB_OPERATION_CANCELLED] = "operations_cancelled",
    };
    struct comb_operations_store *store = view->services->operations_store;
    struct comb_operation_counts counts;
    size_t n = 0;
    if (store->driver->count(store, ctx, &counts, NULL) != COMB_OK)
        return 0;
    for (int state = COMB_OPERATION_WAITING; state <= COMB_OPERATION_CANCELLED; state++)
        ret[n++] =
            (struct comb_admin_statistic){"installation", names[state], counts.by_state[state]};
    return n;
}

static size_t add_stores(void *view, struct comb_ctx *ctx, struct comb_admin_statistic *ret)
{
    struct comb_admin_store *stores =
        grpcc_arena_calloc(ctx->arena, COMB_ADMIN_ROWS_MAX, sizeof *stores);
    size_t n_stores = stores ? read_stores(view, stores) : 0, n = 0;
    for (size_t i = 0; i < n_stores; i++) {
        const struct comb_store_status *status = &stores[i].status;
        const char *group = grpcc_arena_printf(ctx->arena, "store.%s", stores[i].row);
        if (!group)
            break;
        const struct comb_admin_statistic all[] = {
            {group, "up", status->state == COMB_STORE_UP},
            {group, "requests", status->requests},
            {group, "failures", status->failures},
            {group, "reconnects", status->reconnects},
            {group, "connections", status->connections},
            {group, "in_flight", status->in_flight},
        };
        memcpy(ret + n, all, sizeof all);
        n += sizeof all / sizeof all[0];
    }
    return n;
}

static size_t read_statistics(void *data, struct comb_ctx *ctx, struct comb_admin_statistic *ret)
{
    struct comb_admin_view *view = data;
    struct counted c;
    struct comb_ctx question = *ctx;
    int64_t own_ns = comb_clock_monotonic_ns() + QUESTION_MS * COMB_NS_PER_MS;
    if (own_ns < question.deadline_ns)
        question.deadline_ns = own_ns;
    read_all(view, &c);
    size_t n = list_all(&c, ret);
    n += add_feed(view, &question, &c, ret + n);
    n += add_operations(view, &question, ret + n);
    n += add_stores(view, ctx, ret + n);
    return n + comb_observe_durations(view->observe, ctx->arena, ret + n,
                                      COMB_ADMIN_STATISTICS_MAX - n);
}

void comb_admin_view_init(struct comb_admin_view *view, struct comb_admin *admin)
{
    admin->read_counters = read_counters;
    admin->read_stores = read_stores;
    admin->check_store = check_store;
    admin->read_statistics = read_statistics;
    admin->view = view;
    admin->consumers.list = comb_consumers_rpc_list;
    admin->consumers.list_set_aside = comb_consumers_rpc_list_set_aside;
    admin->consumers.retry_set_aside = comb_consumers_rpc_retry_set_aside;
    admin->consumers.warn = comb_consumers_rpc_warn;
    admin->consumers.data = &view->services->consumers_rpc;
    admin->move.backup = comb_move_rpc_backup;
    admin->move.data = &view->services->move_rpc;
    admin->move.row = comb_mover_rpc;
    admin->move.row_data = &view->services->mover;
}
