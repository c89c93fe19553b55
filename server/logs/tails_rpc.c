/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread serves all who follow: whoever has taken the last answer gets what is new since. Who
 * is slow is behind, at no cost but his place.
 */
#include "server/logs/tails_rpc.h"

#include <pthread.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/memory.h"
#include "server/core/timestamp.h"
#include "server/logs/record.h"
#include "server/rpc/rpc.h"

/* How often it is looked whether who follows is there and may follow: the bound of what was
 * revoked. */
#define LOOK_MS 250
/* What asking that may take of one of them. */
#define ASK_MS_MAX 1000
/* Between two looks into the store, and how long one may take. */
#define POLL_MS 500
#define POLL_MS_MAX 3000
/* Behind one that failed nobody looks for so long. */
#define AWAY_MS 1000
#define HEARTBEAT_MS 15000

struct tail {
    struct tail *next;
    struct comb_logs_tails *tails;
    struct grpcc_call *call;
    struct grpcc_arena *arena; /* of the answer on its way */
    struct comb_log_follow *follow;
    int64_t ask_ns, poll_ns, heartbeat_ns; /* when each is due */
    /* under the lock */
    bool sending, failed;
};

struct comb_logs_tails {
    struct comb_logs *logs;
    pthread_t thread;
    int64_t away_ns;      /* the thread's own: until then the store is taken to be away */
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    struct tail *first;
    size_t n;
    bool news, draining, stopping;
};

static void free_tail(struct tail *tail)
{
    if (tail->call)
        grpcc_call_unref(tail->call);
    comb_logs_follow_free(tail->follow);
    grpcc_arena_free(tail->arena);
    comb_memory_free(tail);
}

static void wake_up(struct comb_logs_tails *tails)
{
    tails->news = true;
    pthread_cond_signal(&tails->wake);
}

/* ---- one of them ---- */

/* NULL: no room. */
static struct comb_v1_logs_tail_response *to_message(struct grpcc_arena *arena,
                                                     const struct comb_log_news *news)
{
    struct comb_v1_logs_tail_response *answer = comb_v1_logs_tail_response_new(arena);
    if (!answer)
        return NULL;
    answer->entries = news->entries;
    answer->n_entries = news->n;
    if (news->gap_until_us) {
        answer->gap = comb_v1_log_gap_new(arena);
        if (!answer->gap)
            return NULL;
        answer->gap->since = comb_timestamp_new(arena, news->gap_since_us);
        answer->gap->until = comb_timestamp_new(arena, news->gap_until_us);
        if (!answer->gap->since || !answer->gap->until)
            return NULL;
    }
    return answer;
}

/* What there is to send; *ret_answer NULL: nothing. */
static enum comb_status make_answer(struct comb_logs_tails *tails, struct tail *tail,
                                    struct comb_v1_logs_tail_response **ret_answer,
                                    struct comb_error *err)
{
    struct comb_ctx ctx = {.arena = tail->arena, .deadline_ns = comb_clock_in_ms(POLL_MS_MAX)};
    int64_t now_ns = comb_clock_monotonic_ns();
    struct comb_log_news news = {0};
    enum comb_status status = COMB_OK;
    *ret_answer = NULL;
    grpcc_arena_reset(tail->arena);
    if (now_ns >= tail->poll_ns && now_ns >= tails->away_ns) {
        status = comb_logs_follow_next(tail->follow, &ctx, &news, err);
        now_ns = comb_clock_monotonic_ns();
        tail->poll_ns = news.more ? now_ns : now_ns + POLL_MS * COMB_NS_PER_MS;
        if (status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED) {
            /* It goes on where it was when the store is back, and tells of a gap. */
            tails->away_ns = now_ns + AWAY_MS * COMB_NS_PER_MS;
            status = COMB_OK;
        }
    }
    if (status != COMB_OK || (news.n == 0 && !news.gap_until_us && now_ns < tail->heartbeat_ns))
        return status;
    tail->heartbeat_ns = now_ns + HEARTBEAT_MS * COMB_NS_PER_MS;
    *ret_answer = to_message(tail->arena, &news);
    return *ret_answer ? COMB_OK : comb_error_no_memory(err);
}

static void sent(void *data, enum grpcc_status status)
{
    struct tail *tail = data;
    struct comb_logs_tails *tails = tail->tails;
    pthread_mutex_lock(&tails->lock);
    tail->sending = false;
    tail->failed = status != GRPCC_OK;
    wake_up(tails);
    pthread_mutex_unlock(&tails->lock);
}

/* Why one has to end; OK: it has not. */
static enum comb_status must_end(struct tail *tail, bool draining, struct comb_error *err)
{
    if (tail->failed || grpcc_call_is_cancelled(tail->call))
        return comb_error_set(err, COMB_CANCELLED, 0, "who followed is gone");
    if (draining || grpcc_call_is_draining(tail->call)) {
        comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                       "this replica is draining: follow on another");
        err->retryable = true;
        return COMB_UNAVAILABLE;
    }
    int64_t now_ns = comb_clock_monotonic_ns();
    if (now_ns < tail->ask_ns)
        return COMB_OK;
    tail->ask_ns = now_ns + LOOK_MS * COMB_NS_PER_MS;
    grpcc_arena_reset(tail->arena);
    return comb_rpc_ask_again(tail->call, tail->arena, comb_clock_in_ms(ASK_MS_MAX), err);
}

/* One turn of one that is not sending. Without the lock. False: it has ended. */
static bool serve(struct comb_logs_tails *tails, struct tail *tail, bool draining)
{
    struct comb_v1_logs_tail_response *answer = NULL;
    struct comb_error err = {0};
    enum comb_status status = must_end(tail, draining, &err);
    if (status == COMB_OK)
        status = make_answer(tails, tail, &answer, &err);
    if (status != COMB_OK) {
        comb_rpc_fail(tail->call, &err);
        return false;
    }
    if (answer) {
        pthread_mutex_lock(&tails->lock);
        tail->sending = true;
        pthread_mutex_unlock(&tails->lock);
        comb_v1_logs_tail_send_start(tail->call, answer, sent, tail);
    }
    return true;
}

/* ---- all of them ---- */

static void take_out_locked(struct comb_logs_tails *tails, struct tail *tail)
{
    struct tail **link = &tails->first;
    while (*link != tail)
        link = &(*link)->next;
    *link = tail->next;
    tails->n--;
}

/* Serves each that is not sending, once. Only this thread takes them out of the list, and new ones
 * come in at its head. */
static void serve_each(struct comb_logs_tails *tails)
{
    pthread_mutex_lock(&tails->lock);
    struct tail *tail = tails->first;
    while (tail) {
        bool busy = tail->sending, draining = tails->draining;
        struct tail *next = tail->next;
        pthread_mutex_unlock(&tails->lock);
        bool goes_on = busy || serve(tails, tail, draining);
        pthread_mutex_lock(&tails->lock);
        if (!goes_on) {
            take_out_locked(tails, tail);
            free_tail(tail);
        }
        tail = next;
    }
    pthread_mutex_unlock(&tails->lock);
}

static void *serve_all(void *data)
{
    struct comb_logs_tails *tails = data;
    pthread_mutex_lock(&tails->lock);
    while (!tails->stopping || tails->n > 0) {
        tails->news = false;
        pthread_mutex_unlock(&tails->lock);
        serve_each(tails);
        pthread_mutex_lock(&tails->lock);
        int64_t until_ns = comb_clock_in_ms(LOOK_MS);
        bool waits = true;
        while (!tails->news && waits && !(tails->stopping && tails->n == 0))
            waits = comb_cond_wait_until(&tails->wake, &tails->lock,
                                         tails->n > 0 ? until_ns : INT64_MAX);
    }
    pthread_mutex_unlock(&tails->lock);
    return NULL;
}

static enum comb_status take_in(struct comb_logs_tails *tails, struct tail *tail,
                                struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    pthread_mutex_lock(&tails->lock);
    if (tails->draining)
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_DRAINING,
                                "this replica is draining: try another");
    else if (tails->n >= COMB_LOGS_TAILS_MAX)
        status = comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_OVERLOADED,
                                "%d follow the logs on this replica already: try another",
                                COMB_LOGS_TAILS_MAX);
    if (status == COMB_OK) {
        tail->next = tails->first;
        tails->first = tail;
        tails->n++;
        wake_up(tails);
    }
    pthread_mutex_unlock(&tails->lock);
    return status;
}

void comb_logs_tails_add(struct comb_logs_tails *tails, struct grpcc_call *call,
                         const struct comb_log_filter *filter)
{
    struct comb_error err = {0};
    struct tail *tail = comb_memory_zalloc(sizeof *tail);
    enum comb_status status = tail ? COMB_OK : comb_error_no_memory(&err);
    if (status == COMB_OK) {
        tail->tails = tails;
        tail->arena = grpcc_arena_new(0);
        tail->ask_ns = comb_clock_in_ms(LOOK_MS); /* the dispatcher has just asked */
        status = tail->arena ? comb_logs_follow_new(tails->logs, filter, &tail->follow, &err)
                             : comb_error_no_memory(&err);
    }
    if (status == COMB_OK) {
        tail->call = grpcc_call_ref(call);
        status = take_in(tails, tail, &err);
    }
    if (status == COMB_OK)
        return;
    comb_rpc_fail(call, &err);
    if (tail)
        free_tail(tail);
}

static void free_all(struct comb_logs_tails *tails)
{
    pthread_cond_destroy(&tails->wake);
    pthread_mutex_destroy(&tails->lock);
    comb_memory_free(tails);
}

enum comb_status comb_logs_tails_new(struct comb_logs *logs, struct comb_logs_tails **ret_tails,
                                     struct comb_error *err)
{
    struct comb_logs_tails *tails = comb_memory_zalloc(sizeof *tails);
    if (!tails)
        return comb_error_no_memory(err);
    tails->logs = logs;
    pthread_mutex_init(&tails->lock, NULL);
    comb_cond_init(&tails->wake);
    if (pthread_create(&tails->thread, NULL, serve_all, tails) != 0) {
        free_all(tails);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "no thread for who follows the logs");
    }
    *ret_tails = tails;
    return COMB_OK;
}

void comb_logs_tails_drain(struct comb_logs_tails *tails)
{
    if (!tails)
        return;
    pthread_mutex_lock(&tails->lock);
    tails->draining = true;
    wake_up(tails);
    pthread_mutex_unlock(&tails->lock);
}

void comb_logs_tails_free(struct comb_logs_tails *tails)
{
    if (!tails)
        return;
    pthread_mutex_lock(&tails->lock);
    tails->stopping = tails->draining = true;
    wake_up(tails);
    pthread_mutex_unlock(&tails->lock);
    pthread_join(tails->thread, NULL);
    free_all(tails);
}
