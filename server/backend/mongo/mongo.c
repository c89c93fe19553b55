/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing; libmongoc's log; what the row tells of itself. */
#include "server/backend/mongo/mongo.h"

#include "server/backend/mongo/internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

/* ---- libmongoc as a whole ---- */

/* It writes to standard output unless told otherwise. */
static void log_line(mongoc_log_level_t level, const char *domain, const char *message, void *data)
{
    (void)level;
    (void)data;
    comb_log(COMB_LOG_DEBUG, comb_mongo_domain, "libmongoc",
             comb_log_text("part", comb_str_from(domain)),
             comb_log_text("text", comb_str_from(message)));
}

static void init_library(void)
{
    mongoc_log_set_handler(log_line, NULL);
    mongoc_init();
}

/* ---- open and close ---- */

static mongoc_client_pool_t *make_pool(const struct comb_mongo *mongo, const mongoc_uri_t *uri)
{
    mongoc_client_pool_t *pool = mongoc_client_pool_new(uri);
    if (!pool)
        return NULL;
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
    if (mongo->has_tls)
        mongoc_client_pool_set_ssl_opts(pool, &mongo->ssl);
    return pool;
}

static enum comb_status start(struct comb_mongo *mongo, struct comb_error *err)
{
    mongo->pool = make_pool(mongo, mongo->uri);
    mongo->keeper_pool = make_pool(mongo, mongo->keeper_uri);
    if (!mongo->pool || !mongo->keeper_pool)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "libmongoc does not take the options of --docs");
    for (uint32_t i = 0; i < mongo->wanted; i++) {
        if (pthread_create(&mongo->workers[i], NULL, comb_mongo_work, mongo) != 0)
            return comb_error_no_memory(err);
        mongo->n_workers++;
    }
    mongo->has_keeper = pthread_create(&mongo->keeper, NULL, comb_mongo_keep, mongo) == 0;
    return mongo->has_keeper ? COMB_OK : comb_error_no_memory(err);
}

static struct comb_mongo *mongo_new(void)
{
    struct comb_mongo *mongo = comb_memory_zalloc(sizeof *mongo);
    if (!mongo)
        return NULL;
    comb_cond_init(&mongo->work);
    comb_cond_init(&mongo->changed);
    pthread_mutex_init(&mongo->lock, NULL);
    mongo->status = (struct comb_store_status){
        .driver = "mongodb", .shared = true, .since_us = comb_clock_wall_us()};
    mongo->arena = grpcc_arena_new(0);
    return mongo;
}

enum comb_status comb_mongo_open(const struct comb_store_options *options,
                                 struct comb_mongo **ret_mongo, struct comb_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    struct comb_mongo *mongo = mongo_new();
    if (!mongo)
        return comb_error_no_memory(err);
    enum comb_status status = mongo->arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = comb_mongo_configure(mongo, options, err);
    if (status == COMB_OK)
        status = start(mongo, err);
    if (status == COMB_OK)
        *ret_mongo = mongo;
    else
        comb_mongo_close(mongo);
    return status;
}

static void stop(struct comb_mongo *mongo)
{
    pthread_mutex_lock(&mongo->lock);
    mongo->closing = true;
    comb_mongo_wake_queue_locked(mongo);
    pthread_cond_broadcast(&mongo->work);
    pthread_cond_broadcast(&mongo->changed);
    pthread_mutex_unlock(&mongo->lock);
    if (mongo->has_keeper)
        pthread_join(mongo->keeper, NULL);
    for (uint32_t i = 0; i < mongo->n_workers; i++)
        pthread_join(mongo->workers[i], NULL);
}

void comb_mongo_close(struct comb_mongo *mongo)
{
    if (!mongo)
        return;
    stop(mongo);
    if (mongo->pool)
        mongoc_client_pool_destroy(mongo->pool);
    if (mongo->keeper_pool)
        mongoc_client_pool_destroy(mongo->keeper_pool);
    mongoc_uri_destroy(mongo->uri);
    mongoc_uri_destroy(mongo->keeper_uri);
    if (mongo->secret.ptr)
        comb_memory_wipe((char *)mongo->secret.ptr, mongo->secret.len);
    grpcc_arena_free(mongo->arena);
    pthread_cond_destroy(&mongo->work);
    pthread_cond_destroy(&mongo->changed);
    pthread_mutex_destroy(&mongo->lock);
    comb_memory_free(mongo);
}

/* ---- what areas and the row ask ---- */

enum comb_status comb_mongo_declare(struct comb_mongo *mongo,
                                    const struct comb_mongo_index *indexes, size_t n,
                                    struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&mongo->lock);
    if (mongo->n_declared < COMB_MONGO_DECLARATIONS_MAX) {
        mongo->declared[mongo->n_declared].indexes = indexes;
        mongo->declared[mongo->n_declared++].n = n;
        /* Nobody gets at the collections before. */
        if (mongo->status.state == COMB_STORE_UP)
            comb_store_status_set(&mongo->status, COMB_STORE_STARTING, NULL);
        pthread_cond_signal(&mongo->changed);
    } else {
        status = comb_error_set(err, COMB_INTERNAL, 0, "more areas declare indexes than are known");
    }
    pthread_mutex_unlock(&mongo->lock);
    return status;
}

/* Calls are refused as UNAVAILABLE whatever the reason; here it counts. */
static enum comb_status tell_why(struct comb_mongo *mongo, struct comb_error *err)
{
    pthread_mutex_lock(&mongo->lock);
    bool is_down = mongo->status.state == COMB_STORE_DOWN;
    if (is_down && err)
        *err = mongo->why;
    enum comb_status status = is_down ? mongo->why.status : COMB_UNAVAILABLE;
    pthread_mutex_unlock(&mongo->lock);
    return status;
}

/* One document that is written over and over. */
enum comb_status comb_mongo_check(struct comb_mongo *mongo, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    bson_t *command =
        BCON_NEW("update", "comb_check", "updates", "[", "{", "q", "{", "_id", "check", "}", "u",
                 "{", "_id", "check", "at", BCON_DATE_TIME(comb_clock_wall_us() / 1000), "}",
                 "upsert", BCON_BOOL(true), "}", "]");
    comb_str reply;
    enum comb_status status = comb_mongo_write(mongo, ctx, command, &reply, err);
    bson_destroy(command);
    return status == COMB_UNAVAILABLE ? tell_why(mongo, err) : status;
}

void comb_mongo_status(struct comb_mongo *mongo, struct comb_store_status *ret_status)
{
    pthread_mutex_lock(&mongo->lock);
    *ret_status = mongo->status;
    pthread_mutex_unlock(&mongo->lock);
}

void comb_mongo_observe(struct comb_mongo *mongo, comb_mongo_observer observer, void *data)
{
    mongo->observer = observer;
    mongo->observer_data = data;
}
