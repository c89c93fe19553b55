/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that serves all watches: it looks what each one must be told, one message at a time,
 * as fast as its receiver takes them. Who is slower than the changes that are kept begins anew.
 */
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/config/internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

enum { HEARTBEAT_MS = 15000, HEARTBEAT_LEAST_MS = 100, HEARTBEAT_MOST_MS = 60000 };
/* Entries of one message. */
enum { MESSAGE_ENTRIES_MAX = 1000 };
enum { ROUND_DEADLINE_MS = 10000 };

enum phase { PHASE_SNAPSHOT, PHASE_CHANGES };

struct config_watch {
    struct config_watch *next;
    struct config_watches *watches;
    const struct comb_config_receiver *receiver;
    void *self;
    struct comb_ctx ctx; /* with an arena of its own: of the message on its way */
    char path[COMB_CONFIG_PATH_BYTES_MAX + 1]; /* "": all */
    enum phase phase;
    char after[COMB_CONFIG_PATH_BYTES_MAX + 1]; /* the snapshot has been told up to it */
    uint64_t sequence;                          /* changes up to it have been told */
    int64_t revision, heartbeat_ms, heartbeat_due_ns, check_due_ns;
    bool told_stale;
    uint64_t generation;
    bool sending, failed; /* under the lock of watches */
};

/* ---- what to tell ---- */

static struct comb_v1_config_watch_response *
new_message(struct config_watch *watch, enum comb_v1_config_watch_kind kind, bool stale)
{
    struct comb_v1_config_watch_response *message =
        comb_v1_config_watch_response_new(watch->ctx.arena);
    if (!message)
        return NULL;
    message->kind = kind;
    message->revision = watch->revision;
    message->stale = watch->told_stale = stale;
    watch->heartbeat_due_ns = comb_clock_monotonic_ns() + watch->heartbeat_ms * COMB_NS_PER_MS;
    return message;
}

static bool add_entry(struct config_watch *watch, struct comb_v1_config_watch_response *message,
                      const struct comb_config_entry *entry)
{
    struct comb_v1_config_entry *own = comb_config_message(watch->ctx.arena, entry);
    return own && comb_v1_config_watch_response_add_entries(watch->ctx.arena, message, own);
}

/* Remembers where the changes go on that follow a snapshot which begins now. */
static void begin_snapshot(struct config_watch *watch)
{
    struct config_mirror *mirror = &watch->watches->config->mirror;

    pthread_mutex_lock(&mirror->lock);
    watch->sequence = mirror->sequence;
    watch->revision = mirror->revision;
    pthread_mutex_unlock(&mirror->lock);
    watch->phase = PHASE_SNAPSHOT;
    watch->after[0] = '\0';
}

static bool is_stale(struct config_mirror *mirror)
{
    pthread_mutex_lock(&mirror->lock);
    bool stale = mirror->stale;
    pthread_mutex_unlock(&mirror->lock);
    return stale;
}

static enum comb_status tell_snapshot(struct config_watch *watch,
                                      struct comb_v1_config_watch_response **ret_message,
                                      struct comb_error *err)
{
    struct config_mirror *mirror = &watch->watches->config->mirror;
    struct comb_config_entries page;
    enum comb_status status =
        config_mirror_list(mirror, watch->ctx.arena, comb_str_from(watch->path), true,
                           comb_str_from(watch->after), MESSAGE_ENTRIES_MAX, &page, err);

    /* Nothing is known yet: the watch waits. */
    if (status == COMB_UNAVAILABLE)
        return COMB_OK;
    if (status != COMB_OK)
        return status;
    if (watch->after[0] == '\0' || page.n > 0) {
        struct comb_v1_config_watch_response *message =
            new_message(watch, COMB_V1_CONFIG_WATCH_KIND_SNAPSHOT, is_stale(mirror));
        for (size_t i = 0; message && i < page.n; i++)
            message = add_entry(watch, message, &page.items[i]) ? message : NULL;
        if (!message)
            return comb_error_no_memory(err);
        /* "/" is behind nothing, and in front of every path. */
        snprintf(watch->after, sizeof watch->after, "%.*s",
                 page.n ? (int)page.items[page.n - 1].path.len : 1,
                 page.n ? page.items[page.n - 1].path.ptr : "/");
        *ret_message = message;
        return COMB_OK;
    }
    watch->phase = PHASE_CHANGES;
    *ret_message = new_message(watch, COMB_V1_CONFIG_WATCH_KIND_SNAPSHOT_END, is_stale(mirror));
    return *ret_message ? COMB_OK : comb_error_no_memory(err);
}

/* The changes behind watch->sequence, which are all kept. */
static enum comb_status tell_changes_locked(struct config_watch *watch,
                                            struct config_mirror *mirror,
                                            struct comb_v1_config_watch_response **ret_message,
                                            struct comb_error *err)
{
    int64_t heartbeat_due_ns = watch->heartbeat_due_ns;
    bool told_stale = watch->told_stale;
    struct comb_v1_config_watch_response *message =
        new_message(watch, COMB_V1_CONFIG_WATCH_KIND_CHANGES, mirror->stale);
    size_t bytes = 0;

    if (!message)
        return comb_error_no_memory(err);
    while (watch->sequence < mirror->sequence && message->n_entries < MESSAGE_ENTRIES_MAX &&
           bytes < COMB_CONFIG_PAGE_BYTES_MAX) {
        const struct config_kept *change =
            mirror->recent[(watch->sequence + 1) % COMB_CONFIG_RECENT_MAX];
        if (config_path_is_at(change->entry.path, comb_str_from(watch->path)) &&
            !add_entry(watch, message, &change->entry))
            return comb_error_no_memory(err);
        bytes += change->entry.value.len;
        watch->sequence++;
        watch->revision = change->entry.revision;
    }
    if (watch->sequence == mirror->sequence)
        watch->revision = mirror->revision;
    message->revision = watch->revision;
    if (message->n_entries > 0) {
        *ret_message = message;
    } else {
        watch->heartbeat_due_ns = heartbeat_due_ns;
        watch->told_stale = told_stale;
    }
    return COMB_OK;
}

/* *ret_anew: what follows is not known any more. */
static enum comb_status tell_changes(struct config_watch *watch, bool *ret_anew,
                                     struct comb_v1_config_watch_response **ret_message,
                                     struct comb_error *err)
{
    struct config_mirror *mirror = &watch->watches->config->mirror;
    enum comb_status status = COMB_OK;

    pthread_mutex_lock(&mirror->lock);
    *ret_anew = watch->sequence < mirror->anew ||
                mirror->sequence - watch->sequence >= COMB_CONFIG_RECENT_MAX;
    if (!*ret_anew && watch->sequence < mirror->sequence)
        status = tell_changes_locked(watch, mirror, ret_message, err);
    if (status == COMB_OK && !*ret_anew && !*ret_message &&
        (watch->told_stale != mirror->stale ||
         comb_clock_monotonic_ns() >= watch->heartbeat_due_ns)) {
        *ret_message = new_message(watch, COMB_V1_CONFIG_WATCH_KIND_HEARTBEAT, mirror->stale);
        if (!*ret_message)
            status = comb_error_no_memory(err);
    }
    pthread_mutex_unlock(&mirror->lock);
    return status;
}

/* ---- who is told ---- */

static enum comb_status check_caller(struct config_watch *watch, struct comb_error *err)
{
    const struct comb_principal *principal = watch->ctx.principal;
    struct comb_facts *facts = watch->watches->config->facts;
    struct comb_subjects subjects;
    int64_t now_ns = comb_clock_monotonic_ns();

    if (!facts || !principal || now_ns < watch->check_due_ns)
        return COMB_OK;
    if (principal->expire_us && principal->expire_us <= comb_clock_wall_us())
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_EXPIRED,
                              "the token has expired: refresh it and go on from the last revision");
    enum comb_status status =
        comb_facts_subjects_wait(facts, &watch->ctx, &principal->user, &subjects, err);
    if (status == COMB_OK && watch->receiver->ask_again)
        status =
            watch->receiver->ask_again(watch->self, watch->ctx.arena, watch->ctx.deadline_ns, err);
    if (status != COMB_OK)
        return status;
    if (!subjects.exists || subjects.disabled ||
        (watch->generation && subjects.generation != watch->generation))
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_REVOKED,
                              "the token or its user has been revoked");
    if (!subjects.administrator)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "only administrators may watch the configuration");
    watch->generation = subjects.generation;
    watch->check_due_ns = now_ns + COMB_CONFIG_WATCH_CHECK_MS * COMB_NS_PER_MS;
    return COMB_OK;
}

static enum comb_status check_receiver(const struct config_watch *watch, bool stopping,
                                       struct comb_error *err)
{
    if (watch->failed || watch->receiver->is_gone(watch->self))
        return comb_error_set(err, COMB_CANCELLED, 0, "the watcher is gone");
    if (!stopping && !watch->receiver->is_draining(watch->self))
        return COMB_OK;
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                   "this replica is draining: go on from the last revision on another");
    err->retryable = true;
    return COMB_UNAVAILABLE;
}

static void sent(void *data, bool ok)
{
    struct config_watch *watch = data;
    struct config_watches *watches = watch->watches;

    pthread_mutex_lock(&watches->lock);
    watch->sending = false;
    watch->failed = !ok;
    watches->dirty = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

static void free_watch(struct config_watch *watch)
{
    grpcc_arena_free(watch->ctx.arena);
    comb_memory_free(watch);
}

static void end_watch(struct config_watches *watches, struct config_watch *watch,
                      const struct comb_error *err)
{
    pthread_mutex_lock(&watches->lock);
    struct config_watch **link = &watches->first;
    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    watches->n--;
    pthread_mutex_unlock(&watches->lock);
    watch->receiver->end(watch->self, err);
    free_watch(watch);
}

/* One turn of a watch that is not sending. Without the lock. */
static void serve(struct config_watches *watches, struct config_watch *watch, bool stopping)
{
    struct comb_v1_config_watch_response *message = NULL;
    struct comb_error err = {0};
    bool anew = false;

    grpcc_arena_reset(watch->ctx.arena);
    watch->ctx.deadline_ns = comb_clock_monotonic_ns() + ROUND_DEADLINE_MS * COMB_NS_PER_MS;
    enum comb_status status = check_receiver(watch, stopping, &err);
    if (status == COMB_OK)
        status = check_caller(watch, &err);
    if (status == COMB_OK && watch->phase == PHASE_CHANGES)
        status = tell_changes(watch, &anew, &message, &err);
    if (anew)
        begin_snapshot(watch);
    if (status == COMB_OK && watch->phase == PHASE_SNAPSHOT)
        status = tell_snapshot(watch, &message, &err);
    if (status != COMB_OK) {
        end_watch(watches, watch, &err);
        return;
    }
    if (!message)
        return;
    pthread_mutex_lock(&watches->lock);
    watch->sending = true;
    pthread_mutex_unlock(&watches->lock);
    watch->receiver->send(watch->self, message, sent, watch);
}

/* ---- the thread ---- */

/* The next one that is not sending, behind `last`; NULL: none. Under the lock. */
static struct config_watch *next_idle_locked(struct config_watch *from)
{
    while (from && from->sending)
        from = from->next;
    return from;
}

/* Each watch has its turn; the thread alone takes watches out, so `next` holds. */
static void serve_all(struct config_watches *watches, bool stopping)
{
    pthread_mutex_lock(&watches->lock);
    struct config_watch *watch = next_idle_locked(watches->first);
    while (watch) {
        struct config_watch *next = watch->next;
        pthread_mutex_unlock(&watches->lock);
        serve(watches, watch, stopping);
        pthread_mutex_lock(&watches->lock);
        watch = next_idle_locked(next);
    }
    pthread_mutex_unlock(&watches->lock);
}

/* Until something happens, or rights are to be asked again and heartbeats may be due. */
static void wait_locked(struct config_watches *watches)
{
    int64_t until_ns = comb_clock_in_ms(COMB_CONFIG_WATCH_CHECK_MS / 2);
    bool waits = true;

    while (!watches->dirty && !watches->stopping && waits)
        waits = comb_cond_wait_until(&watches->wake, &watches->lock,
                                     watches->n == 0 ? INT64_MAX : until_ns);
    watches->dirty = false;
}

static void *run(void *data)
{
    struct config_watches *watches = data;
    bool stopping = false, empty = false;

    while (!stopping || !empty) {
        pthread_mutex_lock(&watches->lock);
        wait_locked(watches);
        stopping = watches->stopping;
        pthread_mutex_unlock(&watches->lock);
        serve_all(watches, stopping);
        pthread_mutex_lock(&watches->lock);
        empty = watches->n == 0;
        /* Those that send end when that is done, and wake this thread by it. */
        while (stopping && !empty && !watches->dirty)
            pthread_cond_wait(&watches->wake, &watches->lock);
        pthread_mutex_unlock(&watches->lock);
    }
    return NULL;
}

enum comb_status config_watches_start(struct comb_config *config, struct comb_error *err)
{
    struct config_watches *watches = &config->watches;

    watches->config = config;
    pthread_mutex_init(&watches->lock, NULL);
    comb_cond_init(&watches->wake);
    if (pthread_create(&watches->thread, NULL, run, watches) != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for watches");
    watches->started = true;
    return COMB_OK;
}

void config_watches_stop(struct config_watches *watches)
{
    if (!watches->started)
        return;
    pthread_mutex_lock(&watches->lock);
    watches->stopping = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
    pthread_join(watches->thread, NULL);
    watches->started = false;
}

void config_watches_wake(void *data)
{
    struct config_watches *watches = data;

    pthread_mutex_lock(&watches->lock);
    watches->dirty = true;
    pthread_cond_signal(&watches->wake);
    pthread_mutex_unlock(&watches->lock);
}

/* ---- beginning ---- */

/* Where the changes after a revision begin; false: that is not known any more. */
static bool resume(struct config_watch *watch, int64_t after_revision)
{
    struct config_mirror *mirror = &watch->watches->config->mirror;
    bool known;

    if (after_revision <= 0)
        return false;
    pthread_mutex_lock(&mirror->lock);
    watch->sequence = mirror->sequence;
    while (watch->sequence > mirror->anew &&
           mirror->sequence - watch->sequence < COMB_CONFIG_RECENT_MAX - 1 &&
           mirror->recent[watch->sequence % COMB_CONFIG_RECENT_MAX]->entry.revision >
               after_revision)
        watch->sequence--;
    known = mirror->known && after_revision <= mirror->revision &&
            (watch->sequence > mirror->anew
                 ? mirror->recent[watch->sequence % COMB_CONFIG_RECENT_MAX]->entry.revision <=
                       after_revision
                 : mirror->anew_revision <= after_revision);
    watch->revision = after_revision;
    pthread_mutex_unlock(&mirror->lock);
    return known;
}

static enum comb_status add_watch(struct config_watches *watches, struct config_watch *watch,
                                  struct comb_error *err)
{
    pthread_mutex_lock(&watches->lock);
    bool full = watches->n >= COMB_CONFIG_WATCHES_MAX || watches->stopping;
    if (!full) {
        watch->next = watches->first;
        watches->first = watch;
        watches->n++;
        watches->dirty = true;
        pthread_cond_signal(&watches->wake);
    }
    pthread_mutex_unlock(&watches->lock);
    if (full)
        return comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                              "more than %d watches of the configuration", COMB_CONFIG_WATCHES_MAX);
    return COMB_OK;
}

enum comb_status comb_config_watch(struct comb_config *config, const struct comb_ctx *ctx,
                                   const struct comb_v1_config_watch_request *request,
                                   const struct comb_config_receiver *receiver, void *self,
                                   struct comb_error *err)
{
    comb_str path = comb_str_from(request->path);
    uint32_t heartbeat_ms = request->heartbeat_ms ? request->heartbeat_ms : HEARTBEAT_MS;
    struct config_watch *watch;

    if (comb_str_equal(path, STR("/")))
        path = STR("");
    if (path.len > 0 && !comb_config_path_is_valid(path))
        return comb_error_field(err, "path", "not a path of the configuration");
    if (heartbeat_ms < HEARTBEAT_LEAST_MS || heartbeat_ms > HEARTBEAT_MOST_MS)
        return comb_error_field(err, "heartbeat_ms", "must be %d to %d", HEARTBEAT_LEAST_MS,
                                HEARTBEAT_MOST_MS);
    watch = comb_memory_zalloc(sizeof *watch);
    if (!watch)
        return comb_error_no_memory(err);
    watch->watches = &config->watches;
    watch->receiver = receiver;
    watch->self = self;
    watch->ctx = *ctx;
    watch->ctx.arena = grpcc_arena_new(0);
    watch->heartbeat_ms = heartbeat_ms;
    snprintf(watch->path, sizeof watch->path, "%.*s", COMB_STR_ARG(path));
    watch->phase = PHASE_CHANGES;
    watch->heartbeat_due_ns = comb_clock_monotonic_ns();
    if (!resume(watch, request->after_revision))
        begin_snapshot(watch);
    enum comb_status status =
        watch->ctx.arena ? add_watch(&config->watches, watch, err) : comb_error_no_memory(err);
    if (status != COMB_OK)
        free_watch(watch);
    return status;
}
