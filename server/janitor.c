/* SPDX-License-Identifier: Apache-2.0 */
#include "server/janitor.h"

#include <pthread.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/data/sweep_kind.h"

/* Between rounds, and before the first one, which comes soon after the start. */
#define ROUND_MS 60000
#define FIRST_MS 1000
/* A round's own deadline. */
#define ROUND_MS_MAX 30000
#define US_PER_HOUR (3600LL * COMB_US_PER_S)

struct comb_janitor {
    struct comb_services *services;
    int64_t feed_keep_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

static void report(enum comb_status status, const struct comb_error *err)
{
    if (status != COMB_OK)
        comb_log_error(COMB_LOG_WARN, "janitor", "a round was cut short, the next one goes on",
                       err);
}

static void do_round(struct comb_janitor *janitor)
{
    struct comb_services *s = janitor->services;
    struct comb_error err = {0};
    struct comb_ctx ctx = {
        .arena = grpcc_arena_new(0),
        .deadline_ns = comb_clock_monotonic_ns() + ROUND_MS_MAX * COMB_NS_PER_MS,
    };
    if (!ctx.arena)
        return;
    report(comb_mutations_trim(s->mutations, &ctx, janitor->feed_keep_us, &err), &err);
    report(comb_data_keep_session(s->data, &ctx, &err), &err);
    report(comb_operation_engine_purge(s->engine, &ctx, &err), &err);
    report(comb_operation_engine_make_due(s->engine, &ctx, COMB_DATA_SWEEP_KIND,
                                          COMB_DATA_SWEEP_INTERVAL_US, &err),
           &err);
    grpcc_arena_free(ctx.arena);
}

/* Waits ms, or until it is to stop: true. */
static bool wait_for_stop(struct comb_janitor *janitor, int64_t ms)
{
    int64_t until_ns = comb_clock_in_ms(ms);
    bool waits = true;
    pthread_mutex_lock(&janitor->lock);
    while (!janitor->stopping && waits)
        waits = comb_cond_wait_until(&janitor->wake, &janitor->lock, until_ns);
    bool stopping = janitor->stopping;
    pthread_mutex_unlock(&janitor->lock);
    return stopping;
}

static void *run_rounds(void *data)
{
    struct comb_janitor *janitor = data;
    for (int64_t ms = FIRST_MS; !wait_for_stop(janitor, ms); ms = ROUND_MS)
        do_round(janitor);
    return NULL;
}

enum comb_status comb_janitor_start(struct comb_services *services,
                                    const struct comb_options *options,
                                    struct comb_janitor **ret_janitor, struct comb_error *err)
{
    struct comb_janitor *janitor = comb_memory_zalloc(sizeof *janitor);
    if (!janitor)
        return comb_error_no_memory(err);
    janitor->services = services;
    janitor->feed_keep_us = options->feed_keep_hours * US_PER_HOUR;
    pthread_mutex_init(&janitor->lock, NULL);
    comb_cond_init(&janitor->wake);
    if (pthread_create(&janitor->thread, NULL, run_rounds, janitor) != 0) {
        comb_memory_free(janitor);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the janitor");
    }
    *ret_janitor = janitor;
    return COMB_OK;
}

void comb_janitor_stop(struct comb_janitor *janitor)
{
    if (!janitor)
        return;
    pthread_mutex_lock(&janitor->lock);
    janitor->stopping = true;
    pthread_cond_signal(&janitor->wake);
    pthread_mutex_unlock(&janitor->lock);
    pthread_join(janitor->thread, NULL);
    pthread_cond_destroy(&janitor->wake);
    pthread_mutex_destroy(&janitor->lock);
    comb_memory_free(janitor);
}
