/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that keeps the replica's own entry: puts it, prolongs its lease, puts it again where
 * the lease was lost (the store forgot, or the process stood still), and where the body changed.
 */
#include <string.h>

#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/registry/directory_internal.h"

#define PACE_MS (COMB_DIRECTORY_TTL_MS / 3)
#define RETRY_FIRST_MS 200
/* Calls while the replica ends: its lease does the rest. */
#define FAREWELL_MS 1000

/* What the thread knows of the entry in the store. */
struct record {
    struct comb_directory *directory;
    struct directory_announcement *announcement;
    struct comb_backoff backoff;
    char *body; /* as it was put; NULL: it is not there, or nobody knows */
    size_t body_len;
    bool told; /* that the store does not take it */
};

static void forget(struct record *record)
{
    comb_memory_free(record->body);
    record->body = NULL;
    record->body_len = 0;
}

static enum comb_status put(struct record *record, struct comb_ctx *ctx, comb_str body,
                            struct comb_error *err)
{
    const struct comb_registry_entry entry = {
        .service = STR(COMB_DIRECTORY_REPLICA),
        .id = record->announcement->self.id,
        .body = body,
    };
    uint32_t ttl_ms;
    forget(record);
    enum comb_status status = comb_registry_put(record->directory->registry, ctx, &entry,
                                                COMB_DIRECTORY_TTL_MS, &ttl_ms, err);
    if (status == COMB_OK) {
        record->body = comb_memory_dup(body);
        record->body_len = record->body ? body.len : 0;
    }
    return status;
}

static enum comb_status step(struct record *record, struct comb_ctx *ctx, struct comb_error *err)
{
    const struct comb_directory_self *self = &record->announcement->self;
    comb_str body = self->body(self->data, ctx->arena);
    if (!body.ptr)
        return comb_error_no_memory(err);
    if (!record->body || !comb_str_equal(body, comb_str_of(record->body, record->body_len)))
        return put(record, ctx, body, err);
    enum comb_status status = comb_registry_heartbeat(record->directory->registry, ctx,
                                                      STR(COMB_DIRECTORY_REPLICA), self->id, err);
    if (status != COMB_NOT_FOUND)
        return status;
    comb_log(COMB_LOG_WARN, "registry", "the lease was lost, the replica enters itself again",
             comb_log_text("id", self->id));
    return put(record, ctx, body, err);
}

/* One step with a call's context; how long to wait before the next one. */
static int64_t keep_entered(struct record *record)
{
    struct comb_error err = {0};
    struct comb_ctx ctx = {
        .arena = grpcc_arena_new(0),
        .deadline_ns = comb_clock_monotonic_ns() + COMB_DIRECTORY_CALL_MS * COMB_NS_PER_MS,
    };
    enum comb_status status = ctx.arena ? step(record, &ctx, &err) : comb_error_no_memory(&err);
    grpcc_arena_free(ctx.arena);
    if (status == COMB_OK) {
        comb_backoff_reset(&record->backoff);
        record->told = false;
        return PACE_MS;
    }
    if (!record->told)
        comb_log_error(COMB_LOG_WARN, "registry", "the replica cannot enter itself, it goes on",
                       &err);
    record->told = true;
    return comb_backoff_next_ms(&record->backoff);
}

/* Waits ms, or until there is something to do; true: it is to stop. */
static bool wait_for_work(struct directory_announcement *announcement, int64_t ms)
{
    int64_t until_ns = comb_clock_in_ms(ms);
    bool waits = true;
    pthread_mutex_lock(&announcement->lock);
    while (!announcement->stopping && !announcement->changed && waits)
        waits = comb_cond_wait_until(&announcement->wake, &announcement->lock, until_ns);
    announcement->changed = false;
    bool stopping = announcement->stopping;
    pthread_mutex_unlock(&announcement->lock);
    return stopping;
}

static void say_farewell(struct record *record)
{
    struct comb_ctx ctx = {
        .arena = grpcc_arena_new(0),
        .deadline_ns = comb_clock_monotonic_ns() + FAREWELL_MS * COMB_NS_PER_MS,
    };
    /* Where this fails the lease ends by itself. */
    if (ctx.arena)
        (void)!comb_registry_remove(record->directory->registry, &ctx, STR(COMB_DIRECTORY_REPLICA),
                                    record->announcement->self.id, NULL);
    grpcc_arena_free(ctx.arena);
}

static void *announce(void *data)
{
    struct comb_directory *directory = data;
    struct record record = {
        .directory = directory,
        .announcement = directory->announcement,
        .backoff = {.first_ms = RETRY_FIRST_MS, .most_ms = PACE_MS},
    };
    int64_t wait_ms;
    do {
        wait_ms = keep_entered(&record);
    } while (!wait_for_work(directory->announcement, wait_ms));
    say_farewell(&record);
    forget(&record);
    return NULL;
}

static void free_announcement(struct directory_announcement *announcement)
{
    pthread_cond_destroy(&announcement->wake);
    pthread_mutex_destroy(&announcement->lock);
    comb_memory_free(announcement);
}

enum comb_status comb_directory_announce(struct comb_directory *directory,
                                         const struct comb_directory_self *self,
                                         struct comb_error *err)
{
    struct directory_announcement *announcement = comb_memory_zalloc(sizeof *announcement);
    if (!announcement)
        return comb_error_no_memory(err);
    announcement->self = *self;
    pthread_mutex_init(&announcement->lock, NULL);
    comb_cond_init(&announcement->wake);
    directory->announcement = announcement;
    if (pthread_create(&announcement->thread, NULL, announce, directory) != 0) {
        directory->announcement = NULL;
        free_announcement(announcement);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the registry");
    }
    return COMB_OK;
}

static void tell(struct directory_announcement *announcement, bool stop)
{
    pthread_mutex_lock(&announcement->lock);
    announcement->changed = true;
    announcement->stopping |= stop;
    pthread_cond_signal(&announcement->wake);
    pthread_mutex_unlock(&announcement->lock);
}

void comb_directory_refresh(struct comb_directory *directory)
{
    if (directory->announcement)
        tell(directory->announcement, false);
}

void comb_directory_withdraw(struct comb_directory *directory)
{
    struct directory_announcement *announcement = directory->announcement;
    if (!announcement)
        return;
    tell(announcement, true);
    pthread_join(announcement->thread, NULL);
    directory->announcement = NULL;
    free_announcement(announcement);
}
