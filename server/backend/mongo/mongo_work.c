/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: queued by who calls, run by the workers. */
#include "server/backend/mongo/internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

/* ---- jobs ---- */

static comb_str copy_bytes(const bson_t *document)
{
    comb_str bytes = comb_mongo_view(document);
    char *own = comb_memory_alloc(bytes.len);
    return own ? comb_str_of(memcpy(own, bytes.ptr, bytes.len), bytes.len) : (comb_str){0};
}

static void job_free(struct mongo_job *job)
{
    comb_memory_free((char *)job->command.ptr);
    comb_memory_free((char *)job->reply.ptr);
    pthread_cond_destroy(&job->done);
    comb_memory_free(job);
}

static struct mongo_job *job_new(const bson_t *command)
{
    struct mongo_job *job = comb_memory_zalloc(sizeof *job);
    if (!job)
        return NULL;
    comb_cond_init(&job->done);
    job->command = copy_bytes(command);
    if (job->command.ptr)
        return job;
    job_free(job);
    return NULL;
}

static void enqueue_locked(struct comb_mongo *mongo, struct mongo_job *job)
{
    job->is_queued = true;
    if (mongo->last)
        mongo->last->next = job;
    else
        mongo->first = job;
    mongo->last = job;
    mongo->queued++;
    pthread_cond_signal(&mongo->work);
}

static void dequeue_locked(struct comb_mongo *mongo, struct mongo_job *job)
{
    struct mongo_job *before = NULL, *at = mongo->first;
    for (; at != job; at = at->next)
        before = at;
    if (before)
        before->next = job->next;
    else
        mongo->first = job->next;
    if (mongo->last == job)
        mongo->last = before;
    mongo->queued--;
    job->is_queued = false;
    job->next = NULL;
}

void comb_mongo_wake_queue_locked(struct comb_mongo *mongo)
{
    for (struct mongo_job *job = mongo->first; job; job = job->next)
        pthread_cond_signal(&job->done);
}

/* ---- workers ---- */

static void run_job(mongoc_client_t *client, const char *database, struct mongo_job *job)
{
    bson_t command, reply;
    job->native = (bson_error_t){0};
    if (!bson_init_static(&command, (const uint8_t *)job->command.ptr, job->command.len))
        return;
    job->has_succeeded =
        mongoc_client_command_simple(client, database, &command, NULL, &reply, &job->native);
    if (job->has_succeeded)
        job->reply = copy_bytes(&reply);
    bson_destroy(&reply);
}

/* What came of it concerns the store: the keeper finds out. */
static void note_result_locked(struct comb_mongo *mongo, const struct mongo_job *job)
{
    if (job->has_succeeded || !comb_mongo_is_network(&job->native))
        return;
    mongo->is_suspect = true;
    pthread_cond_signal(&mongo->changed);
}

void *comb_mongo_work(void *data)
{
    struct comb_mongo *mongo = data;
    mongoc_client_t *client = mongoc_client_pool_pop(mongo->pool);
    pthread_mutex_lock(&mongo->lock);
    while (!mongo->closing) {
        struct mongo_job *job = mongo->first;
        if (!job || mongo->status.state != COMB_STORE_UP) {
            pthread_cond_wait(&mongo->work, &mongo->lock);
            continue;
        }
        dequeue_locked(mongo, job);
        pthread_mutex_unlock(&mongo->lock);
        run_job(client, mongo->database, job);
        pthread_mutex_lock(&mongo->lock);
        note_result_locked(mongo, job);
        job->is_done = true;
        if (job->is_abandoned)
            job_free(job);
        else
            pthread_cond_signal(&job->done);
    }
    pthread_mutex_unlock(&mongo->lock);
    mongoc_client_pool_push(mongo->pool, client);
    return NULL;
}

/* ---- calls ---- */

static enum comb_status refuse_locked(const struct comb_mongo *mongo, struct comb_error *err)
{
    if (mongo->closing)
        return comb_mongo_unreachable(err, false, "the row is being closed");
    if (err) {
        *err = mongo->why;
        err->status = COMB_UNAVAILABLE;
        err->ambiguous = false;
    }
    return COMB_UNAVAILABLE;
}

/* Time is up, for a job that is not done. */
static enum comb_status give_up_locked(struct comb_mongo *mongo, const struct comb_ctx *ctx,
                                       struct mongo_job *job, struct comb_error *err)
{
    bool was_queued = job->is_queued;
    if (was_queued) {
        dequeue_locked(mongo, job);
    } else {
        job->is_abandoned = true;
        mongo->is_suspect = true;
        pthread_cond_signal(&mongo->changed);
    }
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status == COMB_OK)
        return comb_mongo_unreachable(err, !was_queued && job->is_write,
                                      was_queued ? "its connections are all busy"
                                                 : "it did not answer in time");
    if (err)
        err->ambiguous = !was_queued && job->is_write;
    return status;
}

/* Queues the job and waits. OK: it is done. */
static enum comb_status wait_locked(struct comb_mongo *mongo, const struct comb_ctx *ctx,
                                    struct mongo_job *job, struct comb_error *err)
{
    if (mongo->closing || mongo->status.state == COMB_STORE_DOWN)
        return refuse_locked(mongo, err);
    if (mongo->queued >= COMB_MONGO_WAITERS_MAX)
        return comb_mongo_unreachable(err, false, "too many calls wait for its connections");
    int64_t until_ns = comb_clock_monotonic_ns() + mongo->timeout_ns;
    if (ctx->deadline_ns < until_ns)
        until_ns = ctx->deadline_ns;
    enqueue_locked(mongo, job);
    while (!job->is_done) {
        if (job->is_queued && (mongo->closing || mongo->status.state == COMB_STORE_DOWN)) {
            dequeue_locked(mongo, job);
            return refuse_locked(mongo, err);
        }
        if (!comb_cond_wait_until(&job->done, &mongo->lock, until_ns) && !job->is_done)
            return give_up_locked(mongo, ctx, job, err);
    }
    return COMB_OK;
}

/* What a job that is done has brought. */
static enum comb_status take_reply(const struct mongo_job *job, struct comb_ctx *ctx,
                                   comb_str *ret_reply, struct comb_error *err)
{
    if (!job->has_succeeded)
        return comb_mongo_judge(&job->native, job->is_write, err);
    enum comb_status status = job->reply.ptr ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = comb_mongo_judge_reply(job->reply, err);
    if (status != COMB_OK)
        return status;
    char *own = grpcc_arena_memdup(ctx->arena, job->reply.ptr, job->reply.len);
    if (!own)
        return comb_error_no_memory(err);
    *ret_reply = comb_str_of(own, job->reply.len);
    return COMB_OK;
}

static enum comb_status run(struct comb_mongo *mongo, struct comb_ctx *ctx, const bson_t *command,
                            bool is_write, comb_str *ret_reply, struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status != COMB_OK)
        return status;
    struct mongo_job *job = job_new(command);
    if (!job)
        return comb_error_no_memory(err);
    job->is_write = is_write;
    pthread_mutex_lock(&mongo->lock);
    mongo->status.requests++;
    mongo->status.in_flight++;
    status = wait_locked(mongo, ctx, job, err);
    bool is_abandoned = job->is_abandoned;
    mongo->status.in_flight--;
    pthread_mutex_unlock(&mongo->lock);
    if (status == COMB_OK)
        status = take_reply(job, ctx, ret_reply, err);
    if (!is_abandoned)
        job_free(job);
    if (status == COMB_OK || status == COMB_ALREADY_EXISTS)
        return status;
    pthread_mutex_lock(&mongo->lock);
    mongo->status.failures++;
    pthread_mutex_unlock(&mongo->lock);
    return status;
}

enum comb_status comb_mongo_read(struct comb_mongo *mongo, struct comb_ctx *ctx,
                                 const bson_t *command, comb_str *ret_reply, struct comb_error *err)
{
    bson_t whole = BSON_INITIALIZER, concern;
    if (mongo->observer)
        mongo->observer(mongo->observer_data, command);
    int left_ms = comb_ctx_left_ms(ctx);
    int most_ms = (int)(mongo->timeout_ns / COMB_NS_PER_MS);
    bson_concat(&whole, command);
    bson_append_document_begin(&whole, "readConcern", -1, &concern);
    BSON_APPEND_UTF8(&concern, "level", "majority");
    bson_append_document_end(&whole, &concern);
    BSON_APPEND_INT32(&whole, "maxTimeMS", left_ms < most_ms ? left_ms + 1 : most_ms);
    enum comb_status status = run(mongo, ctx, &whole, false, ret_reply, err);
    bson_destroy(&whole);
    return status;
}

enum comb_status comb_mongo_write(struct comb_mongo *mongo, struct comb_ctx *ctx,
                                  const bson_t *command, comb_str *ret_reply,
                                  struct comb_error *err)
{
    bson_t whole = BSON_INITIALIZER, concern;
    if (mongo->observer)
        mongo->observer(mongo->observer_data, command);
    bson_concat(&whole, command);
    bson_append_document_begin(&whole, "writeConcern", -1, &concern);
    BSON_APPEND_UTF8(&concern, "w", "majority");
    BSON_APPEND_BOOL(&concern, "j", true);
    BSON_APPEND_INT32(&concern, "wtimeout", (int32_t)(mongo->timeout_ns / COMB_NS_PER_MS));
    bson_append_document_end(&whole, &concern);
    enum comb_status status = run(mongo, ctx, &whole, true, ret_reply, err);
    bson_destroy(&whole);
    return status;
}
