/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: from the call to memory, to the poll where it must wait, to the store. */
#include "server/facts/facts.h"

#include <stddef.h>
#include <string.h>

#include "server/core/memory.h"
#include "server/facts/internal.h"
#include "server/facts/lookup.h"

#define BYTES_DEFAULT ((size_t)64 << 20)

const struct comb_uuid comb_node_super_root = {
    {0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};
const struct comb_uuid comb_role_everybody = {
    {0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 2}};
const struct comb_uuid comb_role_administrators = {
    {0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 3}};

static const struct comb_facts_dialect *const DIALECTS[] = {&comb_facts_dialect_sqlite,
                                                            &comb_facts_dialect_postgres};

/* ----------------------------------------------------------------------------------- the way */

/* Whether the store has to be asked. */
static bool needs_fetch(const struct comb_lookup *lookup)
{
    bool presumed = lookup->presume_free && lookup->missing == COMB_LOOKUP_CHAIN &&
                    !lookup->missing_end && comb_lookup_misses_child_only(lookup);
    return lookup->missing != 0 && !presumed;
}

/* Memory may be asked: it is current, or a poll that is new enough for this call is through. */
static void lookup_run(struct comb_lookup *lookup)
{
    struct comb_error err;
    if (!comb_lookup_remember(lookup)) {
        comb_lookup_end(lookup, comb_error_no_memory(&err), &err);
    } else if (needs_fetch(lookup)) {
        comb_lookup_fetch(lookup);
    } else {
        atomic_fetch_add_explicit(&lookup->facts->counters.hits, 1, memory_order_relaxed);
        comb_lookup_end(lookup, COMB_OK, NULL);
    }
}

static void lookup_polled(struct comb_facts_waiter *waiter, enum comb_status status,
                          const struct comb_error *err)
{
    struct comb_lookup *lookup =
        (struct comb_lookup *)((char *)waiter - offsetof(struct comb_lookup, waiter));
    if (status != COMB_OK) {
        comb_lookup_end(lookup, status, err);
    } else {
        lookup_run(lookup);
    }
}

/* The parts' array is the caller's and may be gone when a store answers. */
static bool keep_parts(struct comb_lookup *lookup)
{
    comb_str *parts = NULL;
    if (lookup->n_parts > 0) {
        parts =
            grpcc_arena_memdup(lookup->ctx->arena, lookup->parts, lookup->n_parts * sizeof *parts);
        if (parts == NULL) {
            return false;
        }
        lookup->parts = parts;
    }
    return true;
}

static void lookup_begin(const struct comb_lookup *question)
{
    struct comb_error err;
    struct comb_lookup *lookup =
        grpcc_arena_memdup(question->ctx->arena, question, sizeof *question);
    if (lookup == NULL || !keep_parts(lookup)) {
        question->done(question->data, comb_error_no_memory(&err), &err);
        return;
    }
    if (comb_facts_is_current(lookup->facts, lookup->ctx)) {
        lookup_run(lookup);
        return;
    }
    lookup->waiter.deadline_ns = lookup->ctx->deadline_ns;
    lookup->waiter.done = lookup_polled;
    comb_facts_wait_for_poll(lookup->facts, &lookup->waiter);
}

/* ----------------------------------------------------------------------------- the questions */

static void name_workspace(struct comb_lookup *lookup, comb_str slug, const struct comb_uuid *user)
{
    lookup->wanted |= COMB_LOOKUP_WORKSPACE;
    lookup->slug = slug;
    lookup->personal = user != NULL && comb_str_equal(slug, STR("personal"));
    if (lookup->personal) {
        lookup->user = *user;
    }
}

void comb_facts_resolve(struct comb_facts *facts, struct comb_ctx *ctx,
                        const struct comb_facts_question *question,
                        struct comb_facts_answer *ret_answer, comb_facts_done done, void *data)
{
    struct comb_lookup lookup = {
        .facts = facts,
        .ctx = ctx,
        .parts = question->parts,
        .n_parts = question->n_parts,
        .presume_free = question->presume_free,
        .done = done,
        .data = data,
    };
    if (question->user != NULL) {
        lookup.wanted |= COMB_LOOKUP_SUBJECTS;
        lookup.user = *question->user;
        lookup.ret_subjects = &ret_answer->subjects;
    }
    if (!comb_str_is_empty(question->slug)) {
        name_workspace(&lookup, question->slug, question->user);
        lookup.wanted |= COMB_LOOKUP_CHAIN;
        lookup.ret_workspace = &ret_answer->workspace;
    } else if (question->start != NULL) {
        lookup.wanted |= COMB_LOOKUP_CHAIN;
        lookup.start = *question->start;
    }
    lookup.ret_chain = &ret_answer->chain;
    lookup_begin(&lookup);
}

void comb_facts_path(struct comb_facts *facts, struct comb_ctx *ctx, const struct comb_uuid *start,
                     const comb_str *parts, size_t n_parts, struct comb_fact_chain *ret_chain,
                     comb_facts_done done, void *data)
{
    struct comb_lookup lookup = {
        .facts = facts,
        .ctx = ctx,
        .wanted = COMB_LOOKUP_CHAIN,
        .start = *start,
        .parts = parts,
        .n_parts = n_parts,
        .ret_chain = ret_chain,
        .done = done,
        .data = data,
    };
    lookup_begin(&lookup);
}

void comb_facts_chain(struct comb_facts *facts, struct comb_ctx *ctx, const struct comb_uuid *id,
                      struct comb_fact_chain *ret_chain, comb_facts_done done, void *data)
{
    comb_facts_path(facts, ctx, id, NULL, 0, ret_chain, done, data);
}

void comb_facts_subjects(struct comb_facts *facts, struct comb_ctx *ctx,
                         const struct comb_uuid *user, struct comb_subjects *ret_subjects,
                         comb_facts_done done, void *data)
{
    struct comb_lookup lookup = {
        .facts = facts,
        .ctx = ctx,
        .wanted = COMB_LOOKUP_SUBJECTS,
        .user = *user,
        .ret_subjects = ret_subjects,
        .done = done,
        .data = data,
    };
    lookup_begin(&lookup);
}

void comb_facts_workspace(struct comb_facts *facts, struct comb_ctx *ctx, comb_str slug,
                          const struct comb_uuid *user, struct comb_workspace_fact *ret_workspace,
                          comb_facts_done done, void *data)
{
    struct comb_lookup lookup = {
        .facts = facts,
        .ctx = ctx,
        .ret_workspace = ret_workspace,
        .done = done,
        .data = data,
    };
    name_workspace(&lookup, slug, user);
    lookup_begin(&lookup);
}

/* -------------------------------------------------------------------------- the waiting forms */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum comb_status status;
    struct comb_error *err;
    struct comb_facts_waiter waiter; /* of _sync_wait */
};

static void waiting_done(void *data, enum comb_status status, const struct comb_error *err)
{
    struct waiting *waiting = data;
    pthread_mutex_lock(&waiting->lock);
    waiting->status = status;
    if (err != NULL && waiting->err != NULL) {
        *waiting->err = *err;
    }
    waiting->done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

static void waiting_init(struct waiting *waiting, struct comb_error *err)
{
    *waiting = (struct waiting){.err = err};
    pthread_mutex_init(&waiting->lock, NULL);
    pthread_cond_init(&waiting->changed, NULL);
}

/* Whoever answers does so by the deadline, so this ends. */
static enum comb_status waiting_end(struct waiting *waiting)
{
    pthread_mutex_lock(&waiting->lock);
    while (!waiting->done) {
        pthread_cond_wait(&waiting->changed, &waiting->lock);
    }
    pthread_mutex_unlock(&waiting->lock);
    pthread_cond_destroy(&waiting->changed);
    pthread_mutex_destroy(&waiting->lock);
    return waiting->status;
}

enum comb_status comb_facts_resolve_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                         const struct comb_facts_question *question,
                                         struct comb_facts_answer *ret_answer,
                                         struct comb_error *err)
{
    struct waiting waiting;
    waiting_init(&waiting, err);
    comb_facts_resolve(facts, ctx, question, ret_answer, waiting_done, &waiting);
    return waiting_end(&waiting);
}

enum comb_status comb_facts_chain_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                       const struct comb_uuid *id,
                                       struct comb_fact_chain *ret_chain, struct comb_error *err)
{
    return comb_facts_path_wait(facts, ctx, id, NULL, 0, ret_chain, err);
}

enum comb_status comb_facts_path_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                      const struct comb_uuid *start, const comb_str *parts,
                                      size_t n_parts, struct comb_fact_chain *ret_chain,
                                      struct comb_error *err)
{
    struct waiting waiting;
    waiting_init(&waiting, err);
    comb_facts_path(facts, ctx, start, parts, n_parts, ret_chain, waiting_done, &waiting);
    return waiting_end(&waiting);
}

enum comb_status comb_facts_subjects_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                          const struct comb_uuid *user,
                                          struct comb_subjects *ret_subjects,
                                          struct comb_error *err)
{
    struct waiting waiting;
    waiting_init(&waiting, err);
    comb_facts_subjects(facts, ctx, user, ret_subjects, waiting_done, &waiting);
    return waiting_end(&waiting);
}

enum comb_status comb_facts_workspace_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                           comb_str slug, const struct comb_uuid *user,
                                           struct comb_workspace_fact *ret_workspace,
                                           struct comb_error *err)
{
    struct waiting waiting;
    waiting_init(&waiting, err);
    comb_facts_workspace(facts, ctx, slug, user, ret_workspace, waiting_done, &waiting);
    return waiting_end(&waiting);
}

static void sync_polled(struct comb_facts_waiter *waiter, enum comb_status status,
                        const struct comb_error *err)
{
    waiting_done((char *)waiter - offsetof(struct waiting, waiter), status, err);
}

enum comb_status comb_facts_sync_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (!comb_facts_is_current(facts, ctx)) {
        struct waiting waiting;
        waiting_init(&waiting, err);
        waiting.waiter.deadline_ns = ctx->deadline_ns;
        waiting.waiter.done = sync_polled;
        comb_facts_wait_for_poll(facts, &waiting.waiter);
        status = waiting_end(&waiting);
    }
    if (status == COMB_OK) {
        comb_ctx_reach(ctx, comb_facts_position(facts));
    }
    return status;
}

/* ---------------------------------------------------------------------------------- the whole */

enum comb_status comb_facts_listen(struct comb_facts *facts, comb_facts_listener listener,
                                   void *data, struct comb_error *err)
{
    if (facts->started || facts->n_listeners == COMB_FACTS_LISTENERS_MAX) {
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "too many listeners, or the poll has begun");
    }
    facts->listeners[facts->n_listeners].function = listener;
    facts->listeners[facts->n_listeners].data = data;
    facts->n_listeners++;
    return COMB_OK;
}

static const struct comb_facts_dialect *find_dialect(const char *driver)
{
    for (size_t i = 0; i < sizeof DIALECTS / sizeof *DIALECTS; i++) {
        if (strcmp(DIALECTS[i]->driver, driver) == 0) {
            return DIALECTS[i];
        }
    }
    return NULL;
}

enum comb_status comb_facts_new(struct comb_sql *sql, const struct comb_facts_options *options,
                                struct comb_facts **ret_facts, struct comb_error *err)
{
    struct comb_sql_info info;
    comb_sql_get_info(sql, &info);
    const struct comb_facts_dialect *dialect = find_dialect(info.driver);
    if (dialect == NULL) {
        return comb_error_set(err, COMB_UNIMPLEMENTED, 0, "facts cannot be read from %s",
                              info.driver);
    }
    struct comb_facts *facts = comb_memory_zalloc(sizeof *facts);
    if (facts == NULL) {
        return comb_error_no_memory(err);
    }
    facts->sql = sql;
    facts->heartbeat = comb_feed_heartbeat_sql(sql);
    facts->dialect = dialect;
    atomic_init(&facts->incarnation, info.incarnation);
    if (options != NULL) {
        facts->options = *options;
    }
    if (facts->options.bytes_max == 0) {
        facts->options.bytes_max = BYTES_DEFAULT;
    }
    enum comb_status status = comb_facts_memory_new(facts->options.bytes_max, &facts->memory, err);
    if (status != COMB_OK) {
        comb_memory_free(facts);
        return status;
    }
    comb_facts_poll_init(facts);
    *ret_facts = facts;
    return COMB_OK;
}

void comb_facts_get_stats(struct comb_facts *facts, struct comb_facts_stats *ret_stats)
{
    struct comb_facts_counters *counters = &facts->counters;
    *ret_stats = (struct comb_facts_stats){
        .hits = atomic_load(&counters->hits),
        .misses = atomic_load(&counters->misses),
        .polls = atomic_load(&counters->polls),
        .waits = atomic_load(&counters->waits),
        .dropped_fills = atomic_load(&counters->dropped_fills),
        .shed = atomic_load(&counters->shed),
        .bytes = comb_facts_memory_bytes(facts->memory),
        .position = comb_facts_position(facts),
    };
}

void comb_facts_free(struct comb_facts *facts)
{
    if (facts == NULL) {
        return;
    }
    comb_facts_poll_done(facts);
    comb_memory_free((void *)(uintptr_t)facts->mark.snapshot.ptr);
    comb_facts_memory_free(facts->memory);
    comb_memory_free(facts);
}
