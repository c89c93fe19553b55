/* SPDX-License-Identifier: Apache-2.0 */
#include "server/data/hashers.h"

#include <pthread.h>
#include <unistd.h>

#include "server/core/memory.h"

#define THREADS_MAX 8
/* Less is hashed sooner than another thread is awake. */
#define BYTES_WORTH_IT (128u << 10)

struct comb_hashers {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work, done;
    struct comb_hash_job *first; /* those that wait */
    size_t n_waiting, n_idle;    /* jobs, and threads that wait for one */
    bool stopping;
    size_t n_threads;
    pthread_t threads[THREADS_MAX];
};

static void *serve(void *data)
{
    struct comb_hashers *hashers = data;

    pthread_mutex_lock(&hashers->lock);
    for (;;) {
        struct comb_hash_job *job = hashers->first;

        if (job) {
            hashers->first = job->next;
            hashers->n_waiting--;
            job->state = COMB_HASH_RUNS;
            pthread_mutex_unlock(&hashers->lock);
            comb_content_hash_update(job->hash, job->bytes);
            pthread_mutex_lock(&hashers->lock);
            job->state = COMB_HASH_DONE;
            pthread_cond_broadcast(&hashers->done);
        } else if (hashers->stopping) {
            break;
        } else {
            hashers->n_idle++;
            pthread_cond_wait(&hashers->work, &hashers->lock);
            hashers->n_idle--;
        }
    }
    pthread_mutex_unlock(&hashers->lock);
    return NULL;
}

enum comb_status comb_hashers_new(struct comb_hashers **ret_hashers, struct comb_error *err)
{
    struct comb_hashers *hashers = comb_memory_zalloc(sizeof *hashers);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors < 1 ? 1 : (size_t)processors;

    if (!hashers)
        return comb_error_no_memory(err);
    pthread_mutex_init(&hashers->lock, NULL);
    pthread_cond_init(&hashers->work, NULL);
    pthread_cond_init(&hashers->done, NULL);
    while (hashers->n_threads < wanted && hashers->n_threads < THREADS_MAX &&
           pthread_create(&hashers->threads[hashers->n_threads], NULL, serve, hashers) == 0)
        hashers->n_threads++;
    if (hashers->n_threads == 0) {
        comb_hashers_free(hashers);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for hashing");
    }
    *ret_hashers = hashers;
    return COMB_OK;
}

void comb_hashers_free(struct comb_hashers *hashers)
{
    if (!hashers)
        return;
    pthread_mutex_lock(&hashers->lock);
    hashers->stopping = true;
    pthread_cond_broadcast(&hashers->work);
    pthread_mutex_unlock(&hashers->lock);
    for (size_t i = 0; i < hashers->n_threads; i++)
        pthread_join(hashers->threads[i], NULL);
    pthread_cond_destroy(&hashers->work);
    pthread_cond_destroy(&hashers->done);
    pthread_mutex_destroy(&hashers->lock);
    comb_memory_free(hashers);
}

void comb_hashers_begin(struct comb_hashers *hashers, struct comb_hash_job *job,
                        struct comb_content_hash *hash, comb_str bytes)
{
    *job = (struct comb_hash_job){.hash = hash, .bytes = bytes, .state = COMB_HASH_WAITS};
    if (bytes.len < BYTES_WORTH_IT)
        return;
    pthread_mutex_lock(&hashers->lock);
    if (hashers->n_waiting < hashers->n_idle) {
        job->next = hashers->first;
        hashers->first = job;
        hashers->n_waiting++;
        pthread_cond_signal(&hashers->work);
    }
    pthread_mutex_unlock(&hashers->lock);
}

/* False: it is not among those that wait. */
static bool take_back_locked(struct comb_hashers *hashers, struct comb_hash_job *job)
{
    struct comb_hash_job **link = &hashers->first;

    while (*link && *link != job)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = job->next;
    hashers->n_waiting--;
    return true;
}

void comb_hashers_end(struct comb_hashers *hashers, struct comb_hash_job *job)
{
    bool is_mine = job->bytes.len < BYTES_WORTH_IT;

    if (!is_mine) {
        pthread_mutex_lock(&hashers->lock);
        /* That waits and is in no list: no thread was free when it began. */
        is_mine = take_back_locked(hashers, job) || job->state == COMB_HASH_WAITS;
        while (!is_mine && job->state != COMB_HASH_DONE)
            pthread_cond_wait(&hashers->done, &hashers->lock);
        pthread_mutex_unlock(&hashers->lock);
    }
    if (is_mine)
        comb_content_hash_update(job->hash, job->bytes);
}
