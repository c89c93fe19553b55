/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/consumers/gather.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/errors.grpcc.h"
#include "server/mutation/plan.h"

static const struct comb_sql_migration steps_sqlite[] = {
    {"gather", 1, "CREATE TABLE gathered (rev INTEGER PRIMARY KEY, seq INTEGER NOT NULL)"}};
static const struct comb_sql_migration steps_postgres[] = {
    {"gather", 1, "CREATE TABLE gathered (rev bigint PRIMARY KEY, seq bigint NOT NULL)"}};
static const struct comb_sql_schema sqlite = {.driver = "sqlite", .steps = steps_sqlite, 1};
static const struct comb_sql_schema postgres = {.driver = "postgres", .steps = steps_postgres, 1};
static const struct comb_sql_schema *const schemas[] = {&sqlite, &postgres, NULL};

void gather_migrate(struct comb_sql *sql)
{
    struct comb_error err;
    must_ok(comb_sql_migrate_schema(sql, comb_mutation_schemas, &err), &err);
    must_ok(comb_sql_migrate_schema(sql, comb_consumers_schemas, &err), &err);
    must_ok(comb_sql_migrate_schema(sql, schemas, &err), &err);
}

void gather_init(struct gather *gather, struct comb_sql *sql, bool together)
{
    *gather = (struct gather){.sql = sql,
                              .together = together,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER,
                              .rebuild_steps_wanted = 1};
}

static void stand_still_locked(struct gather *gather, const struct comb_consumer_run *run)
{
    gather->is_standing = true;
    pthread_cond_broadcast(&gather->changed);
    while (!gather->go_on)
        pthread_cond_wait(&gather->changed, &gather->lock);
    gather->stop_at = 0;
    gather->is_standing = false;
    gather->may_go_on = comb_consumer_may_go_on(run);
}

/* Does what the test wants to happen at this change. */
static enum comb_status obey(struct gather *gather, const struct comb_consumer_run *run,
                             uint64_t revision, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&gather->lock);
    if (revision == gather->stop_at)
        stand_still_locked(gather, run);
    if (revision == gather->fail_at && gather->fail_times > 0) {
        gather->fail_times--;
        status = comb_error_set(err, gather->failure, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                "change %llu is not to be", (unsigned long long)revision);
    }
    pthread_mutex_unlock(&gather->lock);
    return status;
}

static enum comb_status put(struct gather *gather, struct comb_ctx *ctx,
                            const struct comb_feed_record *record,
                            const struct comb_consumer_run *run, struct comb_error *err)
{
    static const char once[] = "INSERT INTO gathered (rev, seq) VALUES (?1, ?2)";
    static const char again[] =
        "INSERT INTO gathered (rev, seq) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    const struct comb_sql_value params[] = {comb_sql_integer((int64_t)record->entry.revision),
                                            comb_sql_integer((int64_t)record->cursor.sequence)};
    struct comb_plan plan = {.kind = COMB_SQL_WRITE};
    const struct comb_sql_result *result;
    enum comb_status status = COMB_OK;
    if (gather->together)
        status = comb_consumer_plan_advance(run, ctx, &plan, record, err);
    if (status == COMB_OK)
        status = comb_plan_add(ctx, &plan, gather->together ? once : again, params, 2, false, err);
    if (status != COMB_OK)
        return status;
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, plan.statements, plan.n_statements};
    return comb_sql_run(gather->sql, ctx, &request, &result, err);
}

static enum comb_status apply(void *data, struct comb_ctx *ctx, struct comb_consumer_batch *batch,
                              struct comb_error *err)
{
    struct gather *gather = data;
    pthread_mutex_lock(&gather->lock);
    gather->epoch = batch->epoch;
    if (gather->first == 0)
        gather->first = batch->records[0].entry.revision;
    if (gather->part > 0 && gather->part < batch->n)
        batch->n_done = gather->part;
    pthread_mutex_unlock(&gather->lock);
    for (size_t i = 0; i < batch->n_done; i++) {
        const struct comb_feed_record *record = &batch->records[i];
        enum comb_status status = obey(gather, batch->run, record->entry.revision, err);
        if (status == COMB_OK)
            status = put(gather, ctx, record, batch->run, err);
        if (status != COMB_OK)
            return status;
        pthread_mutex_lock(&gather->lock);
        gather->applied++;
        pthread_mutex_unlock(&gather->lock);
    }
    batch->has_advanced = gather->together;
    return COMB_OK;
}

static enum comb_status rebuild(void *data, struct comb_ctx *ctx,
                                struct comb_consumer_rebuild *step, struct comb_error *err)
{
    struct gather *gather = data;
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&gather->lock);
    assert_int_equal(step->state.len, gather->rebuild_steps);
    gather->why = step->why;
    gather->epoch = step->epoch;
    gather->rebuild_steps++;
    step->is_last = gather->rebuild_steps >= gather->rebuild_steps_wanted;
    char *state = grpcc_arena_alloc(ctx->arena, (size_t)gather->rebuild_steps);
    memset(state, 's', (size_t)gather->rebuild_steps);
    step->next_state = comb_str_of(state, (size_t)gather->rebuild_steps);
    if (step->is_last) {
        gather->rebuild_steps = 0;
        /* These tests want all that is left of the feed. */
        status = comb_feed_oldest(gather->sql, ctx, &step->from, err);
    }
    pthread_mutex_unlock(&gather->lock);
    return status;
}

static enum comb_status tend(void *data, struct comb_ctx *ctx, const struct comb_consumer_run *run,
                             bool *ret_more, struct comb_error *err)
{
    struct gather *gather = data;
    (void)ctx;
    (void)run;
    (void)err;
    pthread_mutex_lock(&gather->lock);
    gather->tended++;
    *ret_more = gather->tend_more > 0 && gather->tend_more-- > 1;
    pthread_cond_broadcast(&gather->changed);
    pthread_mutex_unlock(&gather->lock);
    return COMB_OK;
}

struct comb_consumer gather_consumer(struct gather *gather)
{
    return (struct comb_consumer){.name = GATHER,
                                  .batch_max = 10,
                                  .apply = apply,
                                  .rebuild = rebuild,
                                  .tend = tend,
                                  .data = gather};
}

void gather_await_standing(struct gather *gather)
{
    pthread_mutex_lock(&gather->lock);
    while (!gather->is_standing)
        pthread_cond_wait(&gather->changed, &gather->lock);
    pthread_mutex_unlock(&gather->lock);
}

void gather_go_on(struct gather *gather)
{
    pthread_mutex_lock(&gather->lock);
    gather->go_on = true;
    pthread_cond_broadcast(&gather->changed);
    pthread_mutex_unlock(&gather->lock);
}

struct comb_consumers *gather_start(struct gather *gather, struct comb_sql *sql,
                                    struct comb_consumers_store *store, uint32_t lease_ms)
{
    const struct comb_consumers_options options = {
        .sql = sql, .store = store, .lease_ms = lease_ms, .poll_ms = 20};
    const struct comb_consumer consumer = gather_consumer(gather);
    struct comb_consumers *consumers = NULL;
    struct comb_error err;
    must_ok(comb_consumers_new(&options, &consumers, &err), &err);
    must_ok(comb_consumers_add(consumers, &consumer, &err), &err);
    must_ok(comb_consumers_start(consumers, &err), &err);
    return consumers;
}

static enum comb_status decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                               struct comb_error *err)
{
    const struct comb_uuid subject = {{7}};
    const uint64_t *revision = data;
    enum comb_status status;
    plan->kind = COMB_SQL_WRITE;
    status = comb_plan_add(ctx, plan, "UPDATE gathered SET rev = rev WHERE rev < 0", NULL, 0, false,
                           err);
    if (status != COMB_OK)
        return status;
    return comb_plan_tell(plan, COMB_FEED_WORKSPACE, &subject, *revision, err);
}

void gather_change(struct comb_sql *sql, uint64_t first, uint64_t last)
{
    struct comb_mutations *mutations = NULL;
    struct test_ctx t;
    test_ctx_init(&t);
    must_ok(comb_mutations_new(sql, &mutations, &t.err), &t.err);
    for (uint64_t revision = first; revision <= last; revision++) {
        const struct comb_request_key key = {.id = comb_uuid_new()};
        struct comb_outcome outcome;
        test_ctx_next(&t);
        must_ok(comb_mutation_run(mutations, &t.ctx, &key, decide, &revision, &outcome, &t.err),
                &t.err);
    }
    comb_mutations_free(mutations);
    test_ctx_done(&t);
}

uint64_t gather_count(struct comb_sql *sql)
{
    const struct comb_sql_statement statement = {.text = "SELECT count(*) FROM gathered"};
    const struct comb_sql_request request = {COMB_SQL_READ, 0, &statement, 1};
    const struct comb_sql_result *result;
    struct test_ctx t;
    test_ctx_init(&t);
    must_ok(comb_sql_run(sql, &t.ctx, &request, &result, &t.err), &t.err);
    uint64_t n = (uint64_t)comb_sql_at(&result->rows[0], 0, 0)->integer;
    test_ctx_done(&t);
    return n;
}

void gather_await(struct comb_sql *sql, uint64_t n)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (int i = 0; i < 60 * 50; i++) {
        if (gather_count(sql) >= n)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("%llu of %llu changes are there", (unsigned long long)gather_count(sql),
             (unsigned long long)n);
}
