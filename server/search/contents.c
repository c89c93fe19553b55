/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/contents.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/search/terms.h"
#include "server/search/walk.h"

/* Entries of a batch, and nodes of a page of a rebuild. */
#define BATCH_MAX 128
/* No file is begun later than this after the batch: with COMB_SEARCH_FILE_MS_MAX it ends before the
 * batch has to. */
#define BEGIN_MS_MAX 15000
/* What is left of the batch's time when files that still run are given up. */
#define SPARE_MS 3000
/* One read of a content. */
#define READ_MS_MAX 10000
/* Contents that are written at once: number, and bytes of text. */
#define WRITE_MAX 32
#define WRITE_BYTES_MAX (2u << 20)
/* A step of a rebuild goes on with further pages for so long. */
#define STEP_MS 3000
#define SWEEP_MAX 500
/* And what has ended is written at the latest so long after the last write. */
#define WRITE_MS 200
/* How often who waits for files looks whether it may go on. */
#define LOOK_MS 500

enum job_state { JOB_NEW, JOB_RUNNING, JOB_ENDED, JOB_SETTLED };

/* A file of a batch. */
struct job {
    struct comb_search_contents *contents;
    const struct comb_node *node;
    /* The entry that it may be put off with; NULL: it is read to its end. */
    const struct comb_feed_record *entry;
    enum job_state state; /* under the lock while it is RUNNING */
    bool is_unchanged;    /* what is there is of this content: only its version rises */
    uint64_t extract_id;
    /* Of the pool's thread until it has ENDED. */
    void *content;
    struct grpcc_arena *arena; /* of its reads */
    struct comb_error source_err;
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason;
    char *text;
    size_t text_len;
};

struct comb_search_contents {
    struct comb_search_contents_parts parts;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* CLOCK_MONOTONIC: a job has */
};

/* The files of a batch, or of a page. */
struct work {
    struct comb_search_contents *contents;
    struct comb_extract *extract;
    struct comb_ctx *ctx;
    const struct comb_consumer_run *run;
    uint64_t epoch;
    struct job *jobs;
    size_t n, next; /* next: the first that has not been begun */
    size_t running;
    int64_t begin_until_ns;
};

/* ---- one file, on the pool's threads ---- */

static enum comb_status job_read(void *data, void *buffer, size_t capacity, size_t *ret_n,
                                 struct comb_error *err)
{
    struct job *job = data;
    const struct comb_search_source *source = &job->contents->parts.source;
    struct comb_ctx ctx = {.arena = job->arena, .deadline_ns = comb_clock_in_ms(READ_MS_MAX)};
    enum comb_status status = COMB_OK;
    if (!job->content)
        status =
            source->open(source->data, &ctx, &job->node->blob, &job->content, &job->source_err);
    if (status == COMB_OK)
        status = source->read(job->content, &ctx, buffer, capacity, ret_n, &job->source_err);
    grpcc_arena_reset(job->arena);
    if (status != COMB_OK && err)
        *err = job->source_err;
    return status;
}

static void job_release(void *data)
{
    struct job *job = data;
    job->contents->parts.source.close(job->content);
    job->content = NULL;
}

static void job_done(void *data, const struct comb_extract_result *result)
{
    struct job *job = data;
    struct comb_search_contents *contents = job->contents;
    job->outcome = result->outcome;
    job->reason = result->reason;
    job->text_len = result->text.len < COMB_SEARCH_TEXT_BYTES_MAX ? result->text.len
                                                                  : COMB_SEARCH_TEXT_BYTES_MAX;
    if (job->text_len > 0) {
        job->text = comb_memory_alloc(job->text_len);
        if (job->text)
            memcpy(job->text, result->text.ptr, job->text_len);
        else
            job->reason = COMB_EXTRACT_REASON_UNAVAILABLE;
    }
    pthread_mutex_lock(&contents->lock);
    job->state = JOB_ENDED;
    pthread_cond_broadcast(&contents->ended);
    pthread_mutex_unlock(&contents->lock);
}

static void job_clear(struct job *job)
{
    comb_memory_free(job->text);
    job->text = NULL;
    grpcc_arena_free(job->arena);
    job->arena = NULL;
}

/* ---- what an end means ---- */

static bool is_passing(const struct comb_error *err)
{
    return err->retryable || err->status == COMB_UNAVAILABLE ||
           err->status == COMB_DEADLINE_EXCEEDED || err->status == COMB_ABORTED ||
           err->status == COMB_CANCELLED || err->status == COMB_RESOURCE_EXHAUSTED;
}

/* Whether it is to be tried again later; err says why. A content that is lost stays so: that is
 * kept as the file's reason, until the index is built anew. */
static bool is_to_be_tried_again(const struct job *job, struct comb_error *err)
{
    switch (job->reason) {
    case COMB_EXTRACT_REASON_CANCELLED:
        comb_error_set(err, COMB_CANCELLED, 0, "the reading of a file was given up");
        return true;
    case COMB_EXTRACT_REASON_UNAVAILABLE:
        comb_error_set(err, COMB_UNAVAILABLE, 0, "comb-extract could not be started");
        return true;
    case COMB_EXTRACT_REASON_SOURCE:
        if (!is_passing(&job->source_err))
            return false;
        *err = job->source_err;
        return true;
    default:
        return false;
    }
}

static bool is_to_be_put_off(const struct job *job)
{
    return job->state == JOB_ENDED && job->entry && job->reason == COMB_EXTRACT_REASON_TIMEOUT;
}

static bool is_final(const struct comb_search_content *content)
{
    return content->reason != COMB_EXTRACT_REASON_SOURCE &&
           content->reason != COMB_EXTRACT_REASON_UNAVAILABLE &&
           content->reason != COMB_EXTRACT_REASON_CANCELLED;
}

static void tell(const struct job *job)
{
    char id[COMB_UUID_TEXT_LENGTH + 1];
    if (job->reason == COMB_EXTRACT_REASON_NONE)
        return;
    comb_uuid_format(&job->node->id, id);
    comb_log(job->reason == COMB_EXTRACT_REASON_SOURCE ? COMB_LOG_WARN : COMB_LOG_DEBUG, "search",
             "a file was not read whole", comb_log_text("node", comb_str_from(id)),
             comb_log_text("outcome", comb_str_from(comb_extract_outcome_name(job->outcome))),
             comb_log_text("reason", comb_str_from(comb_extract_reason_name(job->reason))),
             comb_log_text("fault", comb_str_from(job->source_err.msg)));
}

/* ---- writing ---- */

static enum comb_status make_content(struct work *work, const struct job *job,
                                     struct comb_search_content *ret_content,
                                     struct comb_error *err)
{
    struct comb_search_content content = {.id = job->node->id,
                                          .version = {work->epoch, job->node->revision},
                                          .blob = job->node->blob,
                                          .outcome = (int)job->outcome,
                                          .reason = (int)job->reason,
                                          .terms = STR(""),
                                          .text = {job->text ? job->text : "", job->text_len},
                                          .is_unchanged = job->is_unchanged};
    enum comb_status status =
        job->text_len > 0 ? comb_search_terms(work->ctx->arena, content.text, &content.terms, err)
                          : COMB_OK;
    if (status == COMB_OK)
        *ret_content = content;
    return status;
}

/* Writes jobs that have ended. Their texts go. */
static enum comb_status write_some(struct work *work, struct job **jobs, size_t n,
                                   struct comb_error *err)
{
    struct comb_search_store *store = work->contents->parts.store;
    struct comb_search_content contents[WRITE_MAX];
    struct grpcc_arena *callers = work->ctx->arena, *arena = grpcc_arena_new(0);
    enum comb_status status = arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK && !comb_consumer_may_go_on(work->run))
        status = comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
    work->ctx->arena = arena;
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = make_content(work, jobs[i], &contents[i], err);
    if (status == COMB_OK)
        status = store->driver->put_content(store, work->ctx, contents, n, err);
    work->ctx->arena = callers;
    grpcc_arena_free(arena);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        tell(jobs[i]);
        jobs[i]->state = JOB_SETTLED;
        job_clear(jobs[i]);
    }
    return status;
}

/* Writes what has ended: where that is much, or nothing else is to be waited for. */
static enum comb_status write_ended(struct work *work, bool all, struct comb_error *err)
{
    struct job *ended[WRITE_MAX];
    enum comb_status status = COMB_OK;
    for (bool again = true; again && status == COMB_OK;) {
        size_t n = 0, bytes = 0;
        pthread_mutex_lock(&work->contents->lock);
        for (size_t i = 0; i < work->next && n < WRITE_MAX && bytes < WRITE_BYTES_MAX; i++) {
            struct job *job = &work->jobs[i];
            if (job->state != JOB_ENDED || is_to_be_put_off(job))
                continue;
            ended[n++] = job;
            bytes += job->text_len;
        }
        pthread_mutex_unlock(&work->contents->lock);
        bool is_full = n == WRITE_MAX || bytes >= WRITE_BYTES_MAX;
        again = n > 0 && (all || is_full);
        for (size_t i = 0; i < n && again && status == COMB_OK; i++)
            if (is_to_be_tried_again(ended[i], err))
                status = err->status;
        if (again && status == COMB_OK)
            status = write_some(work, ended, n, err);
    }
    return status;
}

/* ---- the files of a batch ---- */

static enum comb_status begin(struct work *work, struct job *job, struct comb_error *err)
{
    struct comb_search_contents *contents = work->contents;
    const struct comb_extract_file file = {.name = job->node->name,
                                           .media_type = job->node->media_type,
                                           .source = {job_read, job_release, job},
                                           .wall_ms = job->entry ? COMB_SEARCH_QUICK_MS : 0};
    /* Nothing is to be read: it ends here. */
    if (job->is_unchanged || job->node->size == 0) {
        job->outcome = COMB_EXTRACT_TEXT;
        job->state = JOB_ENDED;
        return COMB_OK;
    }
    job->contents = contents;
    job->arena = grpcc_arena_new(0);
    if (!job->arena)
        return comb_error_no_memory(err);
    job->state = JOB_RUNNING;
    enum comb_status status =
        comb_extract_submit(work->extract, &file, job_done, job, &job->extract_id, err);
    if (status != COMB_OK)
        job->state = JOB_NEW;
    return status;
}

static size_t count_running(struct work *work)
{
    size_t n = 0;
    pthread_mutex_lock(&work->contents->lock);
    for (size_t i = 0; i < work->next; i++)
        n += work->jobs[i].state == JOB_RUNNING;
    pthread_mutex_unlock(&work->contents->lock);
    return n;
}

/* Waits until fewer run than now, or for a while. */
static void wait_for_one(struct work *work, size_t running)
{
    struct comb_search_contents *contents = work->contents;
    int64_t until_ns = comb_clock_in_ms(LOOK_MS);
    bool waits = true;
    pthread_mutex_lock(&contents->lock);
    while (waits) {
        size_t n = 0;
        for (size_t i = 0; i < work->next; i++)
            n += work->jobs[i].state == JOB_RUNNING;
        waits = n >= running && comb_cond_wait_until(&contents->ended, &contents->lock, until_ns);
    }
    pthread_mutex_unlock(&contents->lock);
}

static enum comb_status put_off(struct work *work, struct job *job, struct comb_error *err)
{
    bool is_kept = false;
    char why[128];
    snprintf(why, sizeof why, "reading it takes more than %u ms: it waits for the consumer %s",
             COMB_SEARCH_QUICK_MS, COMB_SEARCH_SLOW_CONSUMER);
    enum comb_status status =
        comb_consumer_put_off(work->run, work->ctx, job->entry, why, &is_kept, err);
    if (status != COMB_OK)
        return status;
    job_clear(job);
    if (is_kept) {
        job->state = JOB_SETTLED;
        return COMB_OK;
    }
    *job = (struct job){.node = job->node};
    return begin(work, job, err);
}

/* Nothing waits any more for the files that turned out slow. */
static enum comb_status put_off_slow(struct work *work, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < work->next && status == COMB_OK; i++) {
        pthread_mutex_lock(&work->contents->lock);
        bool is_slow = is_to_be_put_off(&work->jobs[i]);
        pthread_mutex_unlock(&work->contents->lock);
        if (is_slow)
            status = put_off(work, &work->jobs[i], err);
    }
    return status;
}

static bool has_slow(struct work *work)
{
    bool has = false;
    pthread_mutex_lock(&work->contents->lock);
    for (size_t i = 0; i < work->next; i++)
        has |= is_to_be_put_off(&work->jobs[i]);
    pthread_mutex_unlock(&work->contents->lock);
    return has;
}

/* Begins as many as may run at once. */
static enum comb_status begin_some(struct work *work, bool may_begin, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t running = count_running(work);
    while (status == COMB_OK && may_begin && work->next < work->n &&
           running < COMB_SEARCH_READING_MAX) {
        status = begin(work, &work->jobs[work->next++], err);
        running = count_running(work);
    }
    return status;
}

/* Nothing of the pool's knows of these jobs any more when it returns. */
static void give_up_the_rest(struct work *work)
{
    for (size_t i = 0; i < work->next; i++)
        if (work->jobs[i].extract_id != 0)
            comb_extract_cancel(work->extract, work->jobs[i].extract_id);
    for (size_t n = count_running(work); n > 0; n = count_running(work))
        wait_for_one(work, n);
    for (size_t i = 0; i < work->next; i++)
        job_clear(&work->jobs[i]);
}

static bool is_over(const struct work *work)
{
    return comb_clock_monotonic_ns() > work->ctx->deadline_ns - SPARE_MS * COMB_NS_PER_MS;
}

/* Reads the files and writes what became of them. *ret_settled: how many of the first have been. */
static enum comb_status do_work(struct work *work, size_t *ret_settled, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    size_t running = 0;
    int64_t write_ns = comb_clock_in_ms(WRITE_MS);
    bool is_slow = false; /* those that have ended do not wait for the others */
    work->begin_until_ns = comb_clock_in_ms(BEGIN_MS_MAX);
    do {
        bool may_begin = work->next == 0 || comb_clock_monotonic_ns() < work->begin_until_ns;
        if (!comb_consumer_may_go_on(work->run))
            status = comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
        if (status == COMB_OK)
            status = begin_some(work, may_begin, err);
        if (status == COMB_OK)
            status = put_off_slow(work, err);
        running = count_running(work);
        bool is_last = running == 0 && !has_slow(work) && (work->next == work->n || !may_begin);
        bool is_due = comb_clock_monotonic_ns() >= write_ns;
        if (status == COMB_OK)
            status = write_ended(work, running == 0 || is_slow || is_due, err);
        if (is_due)
            write_ns = comb_clock_in_ms(WRITE_MS);
        if (status == COMB_OK && running > 0) {
            size_t before = running;
            wait_for_one(work, running);
            running = count_running(work);
            is_slow = running == before;
        }
        if (is_last)
            break;
    } while (status == COMB_OK && !is_over(work));
    give_up_the_rest(work);
    size_t settled = 0;
    while (settled < work->n && work->jobs[settled].state == JOB_SETTLED)
        settled++;
    *ret_settled = settled;
    /* What has been written counts, and what stands in the way comes first the next time. */
    return settled > 0 || work->n == 0 ? COMB_OK : status;
}

/* ---- which files ---- */

/* What is to be done about some nodes. */
struct plan {
    const struct comb_tree_details *details;
    /* Those that tell of them, where slow ones may be put off; else NULL. */
    const struct comb_feed_record **entries;
    size_t n;
    struct comb_extract *extract;
    bool is_rebuild; /* contents that are there get the new epoch */
    bool reads_all;  /* and are read again */
};

/* *ret_settled: how many of the first nodes are done with; at least one, or an error. */
static enum comb_status keep_contents(struct comb_search_contents *contents, struct comb_ctx *ctx,
                                      const struct comb_consumer_run *run, uint64_t epoch,
                                      const struct plan *plan, size_t *ret_settled,
                                      struct comb_error *err)
{
    struct comb_search_store *store = contents->parts.store;
    struct job *jobs = grpcc_arena_calloc(ctx->arena, plan->n, sizeof *jobs);
    size_t *nodes = grpcc_arena_calloc(ctx->arena, plan->n, sizeof *nodes), n = 0, settled = 0;
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, plan->n, sizeof *ids);
    const struct comb_search_content *there;
    if (!jobs || !nodes || !ids)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < plan->n; i++) {
        const struct comb_node *node = &plan->details[i].node;
        if (!plan->details[i].found || comb_uuid_is_nil(&node->blob) ||
            !comb_search_is_indexed(node))
            continue;
        ids[n] = node->id;
        nodes[n++] = i;
    }
    *ret_settled = plan->n;
    if (n == 0)
        return COMB_OK;
    enum comb_status status = store->driver->contents(store, ctx, ids, n, &there, err);
    if (status != COMB_OK)
        return status;
    size_t n_jobs = 0;
    for (size_t i = 0; i < n; i++) {
        const struct comb_node *node = &plan->details[nodes[i]].node;
        bool is_there =
            comb_uuid_equal(&there[i].blob, &node->blob) && is_final(&there[i]) && !plan->reads_all;
        if (is_there && !plan->is_rebuild)
            continue;
        nodes[n_jobs] = nodes[i];
        jobs[n_jobs++] = (struct job){.node = node,
                                      .entry = plan->entries ? plan->entries[nodes[i]] : NULL,
                                      .is_unchanged = is_there};
    }
    struct work work = {.contents = contents,
                        .extract = plan->extract,
                        .ctx = ctx,
                        .run = run,
                        .epoch = epoch,
                        .jobs = jobs,
                        .n = n_jobs};
    status = do_work(&work, &settled, err);
    if (status == COMB_OK && settled < n_jobs)
        *ret_settled = nodes[settled];
    return status;
}

/* ---- the feed ---- */

static bool is_of_content(const struct comb_feed_entry *entry)
{
    return entry->kind == COMB_FEED_NODE_CREATED || entry->kind == COMB_FEED_NODE_CONTENT;
}

static enum comb_status apply_by(struct comb_search_contents *contents,
                                 struct comb_extract *extract, bool puts_off, struct comb_ctx *ctx,
                                 struct comb_consumer_batch *batch, struct comb_error *err)
{
    struct comb_uuid *ids = grpcc_arena_calloc(ctx->arena, batch->n, sizeof *ids);
    const struct comb_feed_record **entries =
        grpcc_arena_calloc(ctx->arena, batch->n, sizeof *entries);
    struct plan plan = {.entries = puts_off ? entries : NULL, .extract = extract};
    size_t n = 0, settled = 0;
    if (!ids || !entries)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < batch->n; i++) {
        const struct comb_feed_entry *entry = &batch->records[i].entry;
        bool is_new = is_of_content(entry);
        for (size_t k = 0; k < n && is_new; k++)
            is_new = !comb_uuid_equal(&ids[k], &entry->subject);
        if (!is_new)
            continue;
        ids[n] = entry->subject;
        entries[n++] = &batch->records[i];
    }
    if (n == 0)
        return COMB_OK;
    enum comb_status status =
        comb_search_read_nodes(contents->parts.tree, ctx, ids, n, &plan.details, err);
    plan.n = n;
    if (status == COMB_OK)
        status = keep_contents(contents, ctx, batch->run, batch->epoch, &plan, &settled, err);
    if (status != COMB_OK)
        return status;
    /* Entries in front of the first file that is not done with are. */
    if (settled < n)
        batch->n_done = (size_t)(entries[settled] - batch->records);
    return batch->n_done > 0
               ? COMB_OK
               : comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0, "a file takes too long");
}

static enum comb_status apply(void *data, struct comb_ctx *ctx, struct comb_consumer_batch *batch,
                              struct comb_error *err)
{
    struct comb_search_contents *contents = data;
    return apply_by(contents, contents->parts.extract, contents->parts.slow != NULL, ctx, batch,
                    err);
}

static enum comb_status apply_slow(void *data, struct comb_ctx *ctx,
                                   struct comb_consumer_batch *batch, struct comb_error *err)
{
    struct comb_search_contents *contents = data;
    return apply_by(contents, contents->parts.slow, false, ctx, batch, err);
}

/* ---- anew ---- */

static enum comb_status walk(struct comb_search_contents *contents, struct comb_ctx *ctx,
                             const struct comb_consumer_rebuild *step,
                             struct comb_search_progress *progress, struct comb_error *err)
{
    struct plan plan = {.extract = contents->parts.extract,
                        .is_rebuild = true,
                        .reads_all = step->why == COMB_REBUILD_REQUESTED};
    size_t settled = 0;
    enum comb_status status = contents->parts.tree->driver->walk(
        contents->parts.tree, ctx, &progress->last, BATCH_MAX, &plan.details, &plan.n, err);
    if (status == COMB_OK)
        status = keep_contents(contents, ctx, step->run, step->epoch, &plan, &settled, err);
    if (status != COMB_OK)
        return status;
    progress->nodes += settled;
    if (settled > 0)
        progress->last = plan.details[settled - 1].node.id;
    else if (plan.n == 0)
        progress->phase = COMB_SEARCH_SWEEPING;
    return COMB_OK;
}

static enum comb_status do_piece(struct comb_search_contents *contents, struct comb_ctx *ctx,
                                 const struct comb_consumer_rebuild *step,
                                 struct comb_search_progress *progress, bool *ret_last,
                                 struct comb_error *err)
{
    struct comb_search_store *store = contents->parts.store;
    size_t n = 0;
    if (!comb_consumer_may_go_on(step->run))
        return comb_error_set(err, COMB_CANCELLED, 0, "another goes on");
    if (progress->phase == COMB_SEARCH_WALKING)
        return walk(contents, ctx, step, progress, err);
    enum comb_status status =
        store->driver->sweep_content(store, ctx, step->epoch, SWEEP_MAX, &n, err);
    *ret_last = status == COMB_OK && n == 0;
    return status;
}

static enum comb_status rebuild(void *data, struct comb_ctx *ctx,
                                struct comb_consumer_rebuild *step, struct comb_error *err)
{
    struct comb_search_contents *contents = data;
    struct comb_search_progress progress;
    int64_t until_ns = comb_clock_in_ms(STEP_MS);
    bool is_last = false;
    struct grpcc_arena *callers = ctx->arena, *arena = grpcc_arena_new(0);
    enum comb_status status = comb_search_progress_read(step->state, &progress, err);
    if (!arena)
        return comb_error_no_memory(err);
    ctx->arena = arena;
    do {
        if (status == COMB_OK)
            status = do_piece(contents, ctx, step, &progress, &is_last, err);
        grpcc_arena_reset(arena);
    } while (status == COMB_OK && !is_last && comb_clock_monotonic_ns() < until_ns);
    ctx->arena = callers;
    grpcc_arena_free(arena);
    if (status != COMB_OK)
        return status;
    step->is_last = is_last;
    step->next_state = comb_search_progress_write(ctx->arena, &progress);
    return step->next_state.ptr ? COMB_OK : comb_error_no_memory(err);
}

/* ---- itself ---- */

enum comb_status comb_search_contents_new(const struct comb_search_contents_parts *parts,
                                          struct comb_search_contents **ret_contents,
                                          struct comb_error *err)
{
    struct comb_search_contents *contents = comb_memory_zalloc(sizeof *contents);
    if (!contents)
        return comb_error_no_memory(err);
    contents->parts = *parts;
    pthread_mutex_init(&contents->lock, NULL);
    comb_cond_init(&contents->ended);
    *ret_contents = contents;
    return COMB_OK;
}

void comb_search_contents_free(struct comb_search_contents *contents)
{
    if (!contents)
        return;
    pthread_cond_destroy(&contents->ended);
    pthread_mutex_destroy(&contents->lock);
    comb_memory_free(contents);
}

void comb_search_contents_consumer(struct comb_search_contents *contents,
                                   struct comb_consumer *ret_consumer)
{
    *ret_consumer = (struct comb_consumer){.name = COMB_SEARCH_CONTENT_CONSUMER,
                                           .batch_max = BATCH_MAX,
                                           .apply = apply,
                                           .rebuild = rebuild,
                                           .data = contents};
}

void comb_search_contents_slow_consumer(struct comb_search_contents *contents,
                                        struct comb_consumer *ret_consumer)
{
    *ret_consumer = (struct comb_consumer){.name = COMB_SEARCH_SLOW_CONSUMER,
                                           .apply = apply_slow,
                                           .helps = COMB_SEARCH_CONTENT_CONSUMER,
                                           .data = contents};
}
