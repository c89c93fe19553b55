/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: asks the store whether it is there, with connections of its own whose patience is
 * short, and makes what areas have declared before anybody else gets at it.
 */
#include <stdio.h>
#include <string.h>

#include "server/backend/mongo/internal.h"
#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 1000
/* Between questions to a store that is there. */
#define IDLE_MS 2000
/* How long it is tried to see what is wrong with a certificate. */
#define EXPLAIN_MS 2000

static enum comb_status ask(struct comb_mongo *mongo, mongoc_client_t *client, const char *database,
                            const bson_t *command, bson_t *ret_reply, struct comb_error *err)
{
    bson_error_t native = {0};
    if (mongoc_client_command_simple(client, database, command, NULL, ret_reply, &native))
        return COMB_OK;
    bson_destroy(ret_reply);
    comb_mongo_judge(&native, false, err);
    if (mongo->has_tls && err->status == COMB_UNAVAILABLE)
        comb_tls_explain(&mongo->tls, EXPLAIN_MS, err);
    return err->status;
}

/* Reaches the primary, logs in, and learns its version. */
static enum comb_status ask_version(struct comb_mongo *mongo, mongoc_client_t *client,
                                    struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    BSON_APPEND_INT32(&command, "buildInfo", 1);
    enum comb_status status = ask(mongo, client, "admin", &command, &reply, err);
    bson_destroy(&command);
    if (status != COMB_OK)
        return status;
    comb_str version = comb_mongo_text(comb_mongo_view(&reply), "version");
    pthread_mutex_lock(&mongo->lock);
    snprintf(mongo->status.server, sizeof mongo->status.server, "MongoDB %.*s",
             version.len < 32 ? (int)version.len : 32, version.ptr ? version.ptr : "");
    pthread_mutex_unlock(&mongo->lock);
    bson_destroy(&reply);
    return COMB_OK;
}

/* ---- indexes ---- */

static bool append_json(bson_t *to, const char *json)
{
    bson_error_t why;
    bson_t *part = bson_new_from_json((const uint8_t *)json, -1, &why);
    bool is_good = part && bson_concat(to, part);
    bson_destroy(part);
    return is_good;
}

/* {createIndexes: COLLECTION, indexes: [{key: …, name: …, …}], writeConcern: {w: "majority"}} */
static bool fill_index(bson_t *command, const struct comb_mongo_index *index)
{
    bson_t list, one, keys = BSON_INITIALIZER, concern;
    bool is_good = append_json(&keys, index->keys);
    BSON_APPEND_UTF8(command, "createIndexes", index->collection);
    bson_append_array_begin(command, "indexes", -1, &list);
    bson_append_document_begin(&list, "0", -1, &one);
    BSON_APPEND_DOCUMENT(&one, "key", &keys);
    BSON_APPEND_UTF8(&one, "name", index->name);
    if (is_good && index->options)
        is_good = append_json(&one, index->options);
    bson_append_document_end(&list, &one);
    bson_append_array_end(command, &list);
    bson_append_document_begin(command, "writeConcern", -1, &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    bson_append_document_end(command, &concern);
    bson_destroy(&keys);
    return is_good;
}

static enum comb_status make_index(struct comb_mongo *mongo, mongoc_client_t *client,
                                   const struct comb_mongo_index *index, struct comb_error *err)
{
    bson_t command = BSON_INITIALIZER, reply;
    enum comb_status status = COMB_OK;
    if (!fill_index(&command, index))
        status = comb_error_set(err, COMB_INTERNAL, 0, "the definition of index %s is no JSON",
                                index->name);
    if (status == COMB_OK)
        status = ask(mongo, client, mongo->database, &command, &reply, err);
    if (status == COMB_OK)
        bson_destroy(&reply);
    bson_destroy(&command);
    return status;
}

/* All that was declared since the store came back. */
static enum comb_status make_declared(struct comb_mongo *mongo, mongoc_client_t *client,
                                      struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&mongo->lock);
    while (mongo->n_made < mongo->n_declared && status == COMB_OK) {
        const struct comb_mongo_index *indexes = mongo->declared[mongo->n_made].indexes;
        size_t n = mongo->declared[mongo->n_made].n;
        pthread_mutex_unlock(&mongo->lock);
        for (size_t i = 0; i < n && status == COMB_OK; i++)
            status = make_index(mongo, client, &indexes[i], err);
        pthread_mutex_lock(&mongo->lock);
        if (status == COMB_OK)
            mongo->n_made++;
    }
    pthread_mutex_unlock(&mongo->lock);
    return status;
}

/* ---- the state ---- */

static void set_down_locked(struct comb_mongo *mongo, const struct comb_error *why)
{
    mongo->why = *why;
    mongo->n_made = 0;
    comb_store_status_set(&mongo->status, COMB_STORE_DOWN, why);
    mongo->status.connections = 0;
    comb_mongo_wake_queue_locked(mongo);
}

/* Not where something was declared meanwhile: the next round makes it. */
static void set_up_locked(struct comb_mongo *mongo)
{
    if (mongo->n_made < mongo->n_declared)
        return;
    comb_store_status_set(&mongo->status, COMB_STORE_UP, NULL);
    mongo->status.connections = mongo->n_workers;
    pthread_cond_broadcast(&mongo->work);
}

/* Until there is something to do, or ms have passed. */
static void rest_locked(struct comb_mongo *mongo, uint32_t ms, bool is_up)
{
    int64_t until_ns = comb_clock_in_ms(ms);
    while (!mongo->closing &&
           !(is_up && (mongo->is_suspect || mongo->n_made < mongo->n_declared)) &&
           comb_cond_wait_until(&mongo->changed, &mongo->lock, until_ns))
        ;
}

void *comb_mongo_keep(void *data)
{
    struct comb_mongo *mongo = data;
    struct comb_backoff backoff = {.first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS};
    mongoc_client_t *client = mongoc_client_pool_pop(mongo->keeper_pool);
    pthread_mutex_lock(&mongo->lock);
    while (!mongo->closing) {
        struct comb_error err = {0};
        mongo->is_suspect = false;
        pthread_mutex_unlock(&mongo->lock);
        enum comb_status status = ask_version(mongo, client, &err);
        if (status == COMB_OK)
            status = make_declared(mongo, client, &err);
        pthread_mutex_lock(&mongo->lock);
        if (status == COMB_OK) {
            comb_backoff_reset(&backoff);
            set_up_locked(mongo);
            rest_locked(mongo, IDLE_MS, true);
        } else {
            set_down_locked(mongo, &err);
            rest_locked(mongo, comb_backoff_next_ms(&backoff), false);
        }
    }
    pthread_mutex_unlock(&mongo->lock);
    mongoc_client_pool_push(mongo->keeper_pool, client);
    return NULL;
}
