/* SPDX-License-Identifier: Apache-2.0 */
#include "server/incarnation.h"

#include <pthread.h>
#include <stdio.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/mutation/feed.h"

/* Between two looks at the mark, and what one may take. */
#define LOOK_MS 1000
#define LOOK_MS_MAX 2000

struct comb_incarnation {
    struct comb_sql *sql;
    struct comb_config_store *config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

/* The mark of this installation, raised to value. */
static enum comb_status raise_mark(struct comb_config_store *config, struct comb_ctx *ctx,
                                   const struct comb_uuid *installation, uint64_t value,
                                   uint64_t *ret_highest, struct comb_error *err)
{
    char id[COMB_UUID_TEXT_LENGTH + 1], name[COMB_CONFIG_MARK_BYTES_MAX];
    comb_uuid_format(installation, id);
    snprintf(name, sizeof name, "sql.%s", id);
    int64_t whole = ctx->deadline_ns, own = comb_clock_in_ms(LOOK_MS_MAX);
    ctx->deadline_ns = own < whole ? own : whole;
    enum comb_status status =
        comb_config_store_mark(config, ctx, comb_str_from(name), value, ret_highest, err);
    ctx->deadline_ns = whole;
    return status;
}

/* Raises the mark, and has sql look for another server where the mark is higher. */
static enum comb_status look(struct comb_sql *sql, struct comb_config_store *config,
                             struct comb_ctx *ctx, bool *ret_behind, struct comb_error *err)
{
    struct comb_sql_info info;
    uint64_t highest = 0;
    comb_sql_get_info(sql, &info);
    enum comb_status status =
        raise_mark(config, ctx, &info.installation, info.incarnation, &highest, err);
    if (status != COMB_OK)
        return status;
    *ret_behind = highest > info.incarnation;
    if (*ret_behind)
        comb_sql_expect(sql, highest);
    return COMB_OK;
}

/* ---- the start ---- */

static enum comb_status check(struct comb_sql *sql, struct comb_config_store *config,
                              struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_error why = {0};
    struct comb_sql_info info;
    bool behind = false;
    comb_sql_get_info(sql, &info);
    if (info.copied)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "sql: this database was put into this server from another one: run "
                              "combd once with --restored");
    if (look(sql, config, ctx, &behind, &why) != COMB_OK) {
        comb_log_error(COMB_LOG_WARN, "incarnation",
                       "cannot ask whether the database was left behind", &why);
        return COMB_OK;
    }
    if (!behind || comb_sql_check(sql, ctx, &why) == COMB_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "sql: this database is older than one that the installation has had: if "
                          "another was promoted, --sql must name that; if it was restored from a "
                          "backup, run combd once with --restored");
}

/* ---- the thread ---- */

static void look_again(struct comb_incarnation *incarnation, bool *was_behind)
{
    struct comb_error err = {0};
    bool behind = *was_behind;
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0), .deadline_ns = INT64_MAX};
    if (!ctx.arena)
        return;
    if (look(incarnation->sql, incarnation->config, &ctx, &behind, &err) != COMB_OK)
        comb_log_error(COMB_LOG_DEBUG, "incarnation", "the mark cannot be asked for", &err);
    if (behind && !*was_behind) {
        comb_error_set(
            &err, COMB_UNAVAILABLE, 0,
            "another was promoted, or restored: the name of that one is needed in --sql");
        comb_log_error(COMB_LOG_ERROR, "incarnation", "the database was left behind", &err);
    }
    *was_behind = behind;
    grpcc_arena_free(ctx.arena);
}

/* False: it is to stop. */
static bool rest(struct comb_incarnation *incarnation)
{
    int64_t until_ns = comb_clock_in_ms(LOOK_MS);
    pthread_mutex_lock(&incarnation->lock);
    while (!incarnation->stopping &&
           comb_cond_wait_until(&incarnation->wake, &incarnation->lock, until_ns))
        continue;
    bool stopping = incarnation->stopping;
    pthread_mutex_unlock(&incarnation->lock);
    return !stopping;
}

static void *look_on(void *data)
{
    struct comb_incarnation *incarnation = data;
    bool behind = false;
    while (rest(incarnation))
        look_again(incarnation, &behind);
    return NULL;
}

enum comb_status comb_incarnation_start(struct comb_sql *sql, struct comb_config_store *config,
                                        struct comb_ctx *ctx,
                                        struct comb_incarnation **ret_incarnation,
                                        struct comb_error *err)
{
    struct comb_sql_info info;
    comb_sql_get_info(sql, &info);
    *ret_incarnation = NULL;
    if (!info.shared)
        return COMB_OK;
    enum comb_status status = check(sql, config, ctx, err);
    if (status != COMB_OK)
        return status;
    struct comb_incarnation *incarnation = comb_memory_zalloc(sizeof *incarnation);
    if (!incarnation)
        return comb_error_no_memory(err);
    incarnation->sql = sql;
    incarnation->config = config;
    pthread_mutex_init(&incarnation->lock, NULL);
    comb_cond_init(&incarnation->wake);
    if (pthread_create(&incarnation->thread, NULL, look_on, incarnation) != 0) {
        pthread_cond_destroy(&incarnation->wake);
        pthread_mutex_destroy(&incarnation->lock);
        comb_memory_free(incarnation);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "no thread to look whether the database was left behind");
    }
    *ret_incarnation = incarnation;
    return COMB_OK;
}

void comb_incarnation_stop(struct comb_incarnation *incarnation)
{
    if (!incarnation)
        return;
    pthread_mutex_lock(&incarnation->lock);
    incarnation->stopping = true;
    pthread_cond_signal(&incarnation->wake);
    pthread_mutex_unlock(&incarnation->lock);
    pthread_join(incarnation->thread, NULL);
    pthread_cond_destroy(&incarnation->wake);
    pthread_mutex_destroy(&incarnation->lock);
    comb_memory_free(incarnation);
}

/* ---- after a restore ---- */

enum comb_status comb_incarnation_begin_anew(struct comb_sql *sql, struct comb_config_store *config,
                                             struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_sql_info info;
    uint64_t highest = 0, incarnation = 0;
    comb_sql_get_info(sql, &info);
    enum comb_status status = comb_sql_migrate_schema(sql, comb_mutation_schemas, err);
    if (status == COMB_OK && info.shared)
        status = raise_mark(config, ctx, &info.installation, 0, &highest, err);
    if (status == COMB_OK)
        status = comb_feed_begin_anew(sql, ctx, err);
    if (status == COMB_OK)
        status = comb_sql_begin_anew(sql, ctx, highest, &incarnation, err);
    /* A copy of the old database that comes up somewhere is older than this from now on. */
    if (status == COMB_OK && info.shared)
        status = raise_mark(config, ctx, &info.installation, incarnation, &highest, err);
    return status;
}

enum comb_status comb_incarnation_adopt(struct comb_sql *sql, struct comb_config_store *config,
                                        struct comb_ctx *ctx, const struct comb_uuid *installation,
                                        uint64_t above, struct comb_error *err)
{
    struct comb_sql_info info;
    uint64_t highest = 0, incarnation = 0;
    comb_sql_get_info(sql, &info);
    enum comb_status status = raise_mark(config, ctx, installation, 0, &highest, err);
    if (status == COMB_OK)
        status = comb_feed_begin_anew(sql, ctx, err);
    if (status == COMB_OK)
        status =
            comb_sql_begin_anew(sql, ctx, highest > above ? highest : above, &incarnation, err);
    if (status == COMB_OK && info.shared)
        status = raise_mark(config, ctx, installation, incarnation, &highest, err);
    if (status == COMB_OK)
        status = comb_sql_adopt(sql, ctx, installation, err);
    return status;
}
