/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the MongoDB backend share. */
#ifndef COMB_MONGO_INTERNAL_H
#define COMB_MONGO_INTERNAL_H

#include <mongoc/mongoc.h>
#include <pthread.h>

#include "server/backend/mongo/mongo.h"
#include "server/backend/tls/tls.h"

#define COMB_MONGO_CONNECTIONS_MAX 64

/* One command on its way. Who called frees it, or, where he went away meanwhile, the worker. */
struct mongo_job {
    struct mongo_job *next;
    comb_str command, reply; /* BSON documents of its own; reply.ptr NULL: none */
    bson_error_t native;
    bool is_write, has_succeeded;
    bool is_queued, is_done, is_abandoned;
    int64_t end_ns; /* nobody waits any longer */
    pthread_cond_t done;
};

struct comb_mongo {
    struct grpcc_arena *arena; /* of the strings of the options */
    char *database;
    comb_str secret; /* the credentials; ours, wiped */
    mongoc_uri_t *uri, *keeper_uri;
    mongoc_ssl_opt_t ssl;
    struct comb_tls_server tls; /* the first host; for what is wrong with its certificate */
    bool has_tls;
    int64_t timeout_ns;
    mongoc_client_pool_t *pool, *keeper_pool;
    comb_mongo_observer observer;
    void *observer_data;

    pthread_t keeper, workers[COMB_MONGO_CONNECTIONS_MAX];
    bool has_keeper;
    uint32_t n_workers, wanted;

    pthread_mutex_t lock;   /* of all below */
    pthread_cond_t work;    /* for workers: a job, the store's return, the end */
    pthread_cond_t changed; /* for the keeper: a suspicion, a declaration, the end */
    bool closing, is_suspect;
    struct mongo_job *first, *last; /* queued */
    uint32_t queued;
    struct {
        const struct comb_mongo_index *indexes;
        size_t n;
    } declared[COMB_MONGO_DECLARATIONS_MAX];
    size_t n_declared, n_made; /* declarations; those of them that were made since the return */
    struct comb_error why;     /* of DOWN */
    struct comb_store_status status;
};

extern const char comb_mongo_domain[];

/* mongo_options.c: database, URIs, ssl, connections and timeout. */
enum comb_status comb_mongo_configure(struct comb_mongo *mongo,
                                      const struct comb_store_options *options,
                                      struct comb_error *err);

/* mongo_error.c: what a failed call means. is_write: it may have happened nevertheless. */
enum comb_status comb_mongo_judge(const bson_error_t *native, bool is_write,
                                  struct comb_error *err);
/* The error that is in a reply which says ok, as replies to writes do. */
enum comb_status comb_mongo_judge_reply(comb_str reply, struct comb_error *err);
/* Whether it speaks of the connection and not of the command. */
bool comb_mongo_is_network(const bson_error_t *native);
/* UNAVAILABLE: the store does not answer. */
enum comb_status comb_mongo_unreachable(struct comb_error *err, bool is_ambiguous, const char *why);

/* mongo_keep.c. data: the struct comb_mongo. */
void *comb_mongo_keep(void *data);
/* mongo_work.c. data: the struct comb_mongo. */
void *comb_mongo_work(void *data);
/* Wakes all whose jobs are queued: the store is away, or mongo is being closed. */
void comb_mongo_wake_queue_locked(struct comb_mongo *mongo);

#endif
