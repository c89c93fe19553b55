/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hedged call. One attempt at a time decides over the rest, under the lock; what core does
 * (starting, cancelling) and what the program does (done) happens outside of it.
 *
 * References: the start, the program's handle, one per attempt, one of the alarm while it is set,
 * one of the end until it has been told.
 */
#include "gen/runtime/src/client/client_hedge.h"

#include <string.h>

#include "gen/runtime/src/client/client_alarm.h"
#include "gen/runtime/src/message/memory.h"

enum { ATTEMPTS_DEFAULT = 3, DELAY_MS_DEFAULT = 50, KEPT_BYTES_MAX = 256 << 10 };
/* gRFC A6's, which core's own retries take out again; and one of ours that arrives either way. */
#define KEY_PREVIOUS_ATTEMPTS "grpc-previous-rpc-attempts"
#define KEY_HEDGE "grpcc-hedge"

struct grpcc_hedge {
    atomic_uint refs;
    struct grpcc_channel *channel;
    const struct grpcc_method *method;
    struct grpcc_arena *arena;         /* the program's, for the response */
    struct grpcc_arena *kept;          /* what the options point to */
    struct grpcc_call_options options; /* of each attempt; no hedge, no events, no on_end */
    void (*on_end)(void *data, enum grpcc_status status);
    struct grpcc_trace trace;
    grpc_byte_buffer *request;
    int64_t deadline_ns;
    unsigned attempts_max;
    int64_t delay_ns;
    uint32_t statuses;
    grpcc_unary_done done;
    void *data;
    struct grpcc_events_member member;
    struct grpcc_event event;
    struct grpcc_alarm alarm;

    pthread_mutex_t lock;                               /* all below */
    struct grpcc_client_call *live[GRPCC_ATTEMPTS_MAX]; /* one reference each; NULL: ended */
    unsigned n_started;
    unsigned n_live; /* started and not ended; not all of them are in `live` yet */
    bool forbidden;  /* no attempt more: by pushback, or by the program's cancel */
    bool cancelled;
    bool decided;
    struct grpcc_client_call *last; /* the attempt that ended last; once decided, what counts */
    struct grpcc_error err;         /* where there is none to tell of, or it does not count */
};

const struct grpcc_hedge_policy *grpcc_hedge_of(const struct grpcc_call_options *options)
{
    bool has_hedge = options && (options->size == 0 ||
                                 options->size >= offsetof(struct grpcc_call_options, hedge) +
                                                      sizeof(options->hedge));
    return has_hedge ? options->hedge : NULL;
}

/* ---- life ---- */

static void hold(struct grpcc_hedge *hedge)
{
    atomic_fetch_add_explicit(&hedge->refs, 1, memory_order_relaxed);
}

static void release(struct grpcc_hedge *hedge)
{
    if (atomic_fetch_sub_explicit(&hedge->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct grpcc_channel *channel = hedge->channel;
    grpcc_events_leave(&hedge->member);
    if (hedge->options.parent)
        grpcc_call_unref(hedge->options.parent);
    grpc_byte_buffer_destroy(hedge->request);
    grpcc_arena_free(hedge->kept);
    pthread_mutex_destroy(&hedge->lock);
    grpcc_memory_free(hedge);
    grpcc_channel_release(channel);
}

static enum grpcc_status set_policy(struct grpcc_hedge *hedge,
                                    const struct grpcc_hedge_policy *given, struct grpcc_error *err)
{
    struct grpcc_hedge_policy policy = {0};
    grpcc_options_copy(&policy, sizeof(policy), given);
    hedge->attempts_max = policy.attempts_max ? policy.attempts_max : ATTEMPTS_DEFAULT;
    hedge->delay_ns =
        (int64_t)(policy.delay_ms ? policy.delay_ms : DELAY_MS_DEFAULT) * GRPCC_NS_PER_MS;
    hedge->statuses = policy.statuses ? policy.statuses : GRPCC_STATUS_BIT(GRPCC_UNAVAILABLE);
    if (hedge->attempts_max < 2 || hedge->attempts_max > GRPCC_ATTEMPTS_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "hedge.attempts_max is %u: it counts the first attempt, and may be "
                               "2 to %d",
                               hedge->attempts_max, GRPCC_ATTEMPTS_MAX);
    if (hedge->statuses & GRPCC_STATUS_BIT(GRPCC_OK))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "hedge.statuses has OK");
    return GRPCC_OK;
}

/* The program may forget what it gave as soon as the call has begun. */
static bool keep_metadata(struct grpcc_hedge *hedge)
{
    size_t n = hedge->options.n_metadata;
    struct grpcc_metadata *items = n ? grpcc_arena_calloc(hedge->kept, n, sizeof(*items)) : NULL;
    if (n && !items)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct grpcc_metadata *from = &hedge->options.metadata[i];
        items[i].length = from->length;
        items[i].key = from->key ? grpcc_arena_strdup(hedge->kept, from->key) : NULL;
        items[i].value =
            from->value ? grpcc_arena_memdup(hedge->kept, from->value, from->length) : NULL;
        if ((from->key && !items[i].key) || (from->value && !items[i].value))
            return false;
    }
    hedge->options.metadata = items;
    return true;
}

static bool keep_trace(struct grpcc_hedge *hedge)
{
    if (!hedge->options.trace)
        return true;
    hedge->trace = *hedge->options.trace;
    hedge->options.trace = &hedge->trace;
    if (!hedge->trace.state)
        return true;
    hedge->trace.state = grpcc_arena_strdup(hedge->kept, hedge->trace.state);
    return hedge->trace.state != NULL;
}

static enum grpcc_status set_options(struct grpcc_hedge *hedge,
                                     const struct grpcc_call_options *given,
                                     struct grpcc_error *err)
{
    grpcc_options_copy(&hedge->options, sizeof(hedge->options), given);
    hedge->options.size = sizeof(hedge->options);
    hedge->on_end = hedge->options.on_end;
    hedge->options.on_end = NULL;
    hedge->options.hedge = NULL;
    hedge->options.events = NULL;
    hedge->deadline_ns = grpcc_client_deadline(given);
    if (!keep_metadata(hedge) || !keep_trace(hedge))
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for the headers");
    return GRPCC_OK;
}

static void on_alarm(struct grpcc_alarm *alarm);
static void tell(struct grpcc_event *event);

static struct grpcc_hedge *hedge_new(struct grpcc_channel *channel,
                                     const struct grpcc_method *method,
                                     const struct grpcc_call_options *options,
                                     const ProtobufCMessage *request, struct grpcc_error *err)
{
    struct grpcc_hedge *hedge = NULL;
    if (grpcc_client_is_forked()) {
        grpcc_client_forked(err);
        return NULL;
    }
    struct grpcc_arena *kept = grpcc_arena_new(KEPT_BYTES_MAX);
    grpc_byte_buffer *buffer = kept ? grpcc_buffer_pack(request) : NULL;
    if (buffer)
        hedge = grpcc_memory_zalloc(sizeof(*hedge));
    if (!hedge) {
        grpc_byte_buffer_destroy(buffer);
        grpcc_arena_free(kept);
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                        "no memory, or the request is too large to be sent");
        return NULL;
    }
    atomic_store(&hedge->refs, 1);
    atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
    hedge->channel = channel;
    hedge->method = method;
    hedge->kept = kept;
    hedge->request = buffer;
    hedge->alarm.ring = on_alarm;
    hedge->event.run = tell;
    hedge->err = (struct grpcc_error)GRPCC_ERROR_INIT;
    pthread_mutex_init(&hedge->lock, NULL);
    enum grpcc_status status = set_options(hedge, options, err);
    if (!status)
        status = set_policy(hedge, options->hedge, err);
    if (!status && hedge->options.parent)
        grpcc_call_ref(hedge->options.parent);
    if (!status)
        return hedge;
    hedge->options.parent = NULL;
    release(hedge);
    return NULL;
}

/* ---- the end ---- */

/* Who has just set `decided` calls this, without the lock. */
static void finish(struct grpcc_hedge *hedge)
{
    struct grpcc_client_call *losers[GRPCC_ATTEMPTS_MAX];
    if (grpcc_clock_unset(hedge->channel->clock, &hedge->alarm))
        release(hedge);
    pthread_mutex_lock(&hedge->lock);
    memcpy(losers, hedge->live, sizeof(losers));
    for (unsigned i = 0; i < GRPCC_ATTEMPTS_MAX; i++)
        if (losers[i])
            grpcc_client_call_hold(losers[i]);
    pthread_mutex_unlock(&hedge->lock);
    for (unsigned i = 0; i < GRPCC_ATTEMPTS_MAX; i++) {
        if (!losers[i])
            continue;
        grpc_call_cancel(losers[i]->core, NULL);
        grpcc_client_call_release(losers[i]);
    }
    hold(hedge);
    grpcc_events_tell(hedge->member.events, &hedge->event);
}

static void tell(struct grpcc_event *event)
{
    struct grpcc_hedge *hedge = GRPCC_CONTAINER(event, struct grpcc_hedge, event);
    struct grpcc_error err = hedge->err;
    enum grpcc_status status = err.status;
    void *response = NULL;
    if (!status)
        status = grpcc_client_unary_complete(hedge->last, hedge->arena, &response, &err);
    if (hedge->last)
        grpcc_client_call_release(hedge->last);
    if (hedge->on_end)
        hedge->on_end(hedge->options.on_metadata_data, status);
    grpcc_unary_done done = hedge->done;
    void *data = hedge->data;
    release(hedge);
    done(data, status, response, &err);
}

/* ---- attempts ---- */

static bool may_start_locked(const struct grpcc_hedge *hedge, int64_t at_ns)
{
    return !hedge->decided && !hedge->forbidden && hedge->n_started < hedge->attempts_max &&
           at_ns < hedge->deadline_ns && grpcc_budget_allows(&hedge->channel->budget);
}

/* Where nothing runs and nothing will: the last failure is the call's. */
static bool decide_if_over_locked(struct grpcc_hedge *hedge)
{
    if (hedge->decided || hedge->n_live > 0)
        return false;
    hedge->decided = true;
    if (hedge->cancelled)
        grpcc_error_set(&hedge->err, GRPCC_CANCELLED, "the call was cancelled");
    return true;
}

/* Sets the alarm, or moves it. Without a thread for it there are no hedges. */
static void set_alarm_locked(struct grpcc_hedge *hedge, int64_t at_ns)
{
    if (!grpcc_clock_unset(hedge->channel->clock, &hedge->alarm))
        hold(hedge);
    if (grpcc_clock_set(hedge->channel->clock, &hedge->alarm, at_ns))
        return;
    hedge->forbidden = true;
    release(hedge);
}

static bool mark(struct grpcc_client_call *attempt, unsigned previous)
{
    char *number = grpcc_arena_printf(attempt->own_arena, "%u", previous);
    if (!number)
        return false;
    size_t length = strlen(number);
    return grpcc_metadata_add_own(&attempt->metadata, attempt->own_arena, KEY_PREVIOUS_ATTEMPTS,
                                  number, length) &&
           grpcc_metadata_add_own(&attempt->metadata, attempt->own_arena, KEY_HEDGE, number,
                                  length);
}

/* NULL: no memory; err tells. */
static struct grpcc_client_call *attempt_new(struct grpcc_hedge *hedge, unsigned previous,
                                             struct grpcc_error *err)
{
    struct grpcc_call_options options = hedge->options;
    int64_t left_ns = hedge->deadline_ns - grpcc_now_ns();
    if (hedge->deadline_ns != INT64_MAX)
        options.timeout_ms = left_ns > GRPCC_NS_PER_MS ? left_ns / GRPCC_NS_PER_MS : 1;
    struct grpcc_client_call *attempt =
        grpcc_client_call_new(hedge->channel, hedge->method, &options, err);
    if (!attempt || previous == 0 || mark(attempt, previous))
        return attempt;
    grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for the headers");
    grpcc_client_call_release(attempt);
    return NULL;
}

/* The attempt that could not even be made. */
static void attempt_failed(struct grpcc_hedge *hedge, const struct grpcc_error *err)
{
    pthread_mutex_lock(&hedge->lock);
    hedge->n_live--;
    hedge->forbidden = true;
    bool over = decide_if_over_locked(hedge);
    if (over && !hedge->last)
        hedge->err = *err;
    pthread_mutex_unlock(&hedge->lock);
    if (over)
        finish(hedge);
}

/* Starts an attempt if that is still wanted, and sets the alarm for the next one. */
static void start_next(struct grpcc_hedge *hedge)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    pthread_mutex_lock(&hedge->lock);
    unsigned index = hedge->n_started;
    bool wanted = index == 0 || may_start_locked(hedge, grpcc_now_ns());
    if (wanted) {
        hedge->n_started++;
        hedge->n_live++;
    }
    bool over = !wanted && decide_if_over_locked(hedge);
    pthread_mutex_unlock(&hedge->lock);
    if (over)
        finish(hedge);
    if (!wanted)
        return;
    struct grpcc_client_call *attempt = attempt_new(hedge, index, &err);
    if (!attempt) {
        attempt_failed(hedge, &err);
        return;
    }
    attempt->hedge = hedge;
    hold(hedge);
    pthread_mutex_lock(&hedge->lock);
    grpcc_client_call_hold(attempt);
    hedge->live[index] = attempt;
    /* Decided while it was made: nobody has seen it to cancel it. */
    bool late = hedge->decided || hedge->cancelled;
    if (!late && hedge->n_started < hedge->attempts_max)
        set_alarm_locked(hedge, grpcc_now_ns() + hedge->delay_ns);
    pthread_mutex_unlock(&hedge->lock);
    if (late)
        grpc_call_cancel(attempt->core, NULL);
    grpcc_client_unary_send(attempt, &hedge->options, grpc_byte_buffer_copy(hedge->request));
    grpcc_client_call_release(attempt);
}

static void on_alarm(struct grpcc_alarm *alarm)
{
    struct grpcc_hedge *hedge = GRPCC_CONTAINER(alarm, struct grpcc_hedge, alarm);
    start_next(hedge);
    release(hedge);
}

static bool is_fatal(const struct grpcc_hedge *hedge, enum grpcc_status status)
{
    return !(hedge->statuses & GRPCC_STATUS_BIT(status));
}

static void note_in_budget(struct grpcc_hedge *hedge, enum grpcc_status status, int64_t pushback_ms)
{
    struct grpcc_budget *budget = &hedge->channel->budget;
    if (status == GRPCC_OK)
        grpcc_budget_note_ok(budget);
    else if (!is_fatal(hedge, status) || pushback_ms == -2)
        grpcc_budget_note_failure(budget);
}

/* After a failure that does not end the call. True: the next attempt starts at once. */
static bool plan_next_locked(struct grpcc_hedge *hedge, int64_t pushback_ms)
{
    int64_t at_ns = grpcc_now_ns() + (pushback_ms > 0 ? pushback_ms * GRPCC_NS_PER_MS : 0);
    if (pushback_ms == -2)
        hedge->forbidden = true;
    if (!may_start_locked(hedge, at_ns)) {
        hedge->forbidden = true;
        return false;
    }
    if (pushback_ms > 0)
        set_alarm_locked(hedge, at_ns);
    return pushback_ms <= 0;
}

static void forget_locked(struct grpcc_hedge *hedge, struct grpcc_client_call *attempt)
{
    for (unsigned i = 0; i < GRPCC_ATTEMPTS_MAX; i++) {
        if (hedge->live[i] != attempt)
            continue;
        hedge->live[i] = NULL;
        grpcc_client_call_release(attempt);
    }
}

void grpcc_hedge_attempt_ended(struct grpcc_hedge *hedge, struct grpcc_client_call *attempt)
{
    enum grpcc_status status = grpcc_client_call_code(attempt);
    int64_t pushback_ms = status ? grpcc_metadata_pushback_ms(&attempt->trailing) : -1;
    bool over = false, next = false;
    pthread_mutex_lock(&hedge->lock);
    hedge->n_live--;
    forget_locked(hedge, attempt);
    struct grpcc_client_call *useless = attempt;
    if (!hedge->decided) {
        useless = hedge->last;
        hedge->last = attempt;
        note_in_budget(hedge, status, pushback_ms);
        if (is_fatal(hedge, status))
            hedge->decided = over = true;
        else if (!(next = plan_next_locked(hedge, pushback_ms)) && hedge->forbidden)
            over = decide_if_over_locked(hedge);
    }
    pthread_mutex_unlock(&hedge->lock);
    if (useless)
        grpcc_client_call_release(useless);
    if (next)
        start_next(hedge);
    if (over)
        finish(hedge);
    release(hedge);
}

/* ---- from outside ---- */

static void cancel(void *self)
{
    struct grpcc_hedge *hedge = self;
    pthread_mutex_lock(&hedge->lock);
    hedge->cancelled = hedge->forbidden = true;
    for (unsigned i = 0; i < GRPCC_ATTEMPTS_MAX; i++)
        if (hedge->live[i])
            grpc_call_cancel(hedge->live[i]->core, NULL);
    bool over = decide_if_over_locked(hedge);
    pthread_mutex_unlock(&hedge->lock);
    if (over)
        finish(hedge);
}

static void handle_free(void *self)
{
    release(self);
}

static bool member_try_hold(struct grpcc_events_member *member)
{
    return grpcc_try_hold(&GRPCC_CONTAINER(member, struct grpcc_hedge, member)->refs);
}

static void member_cancel(struct grpcc_events_member *member)
{
    cancel(GRPCC_CONTAINER(member, struct grpcc_hedge, member));
}

static void member_release(struct grpcc_events_member *member)
{
    release(GRPCC_CONTAINER(member, struct grpcc_hedge, member));
}

static enum grpcc_status give_handle(struct grpcc_hedge *hedge, struct grpcc_client_call **ret_call,
                                     struct grpcc_error *err)
{
    if (!ret_call)
        return GRPCC_OK;
    *ret_call = grpcc_client_call_new_policy(cancel, handle_free, hedge);
    if (!*ret_call)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for a call");
    hold(hedge);
    return GRPCC_OK;
}

static enum grpcc_status join_events(struct grpcc_hedge *hedge, struct grpcc_events *events,
                                     struct grpcc_error *err)
{
    static const struct grpcc_events_member_ops ops = {member_try_hold, member_cancel,
                                                       member_release};
    return grpcc_events_join(&hedge->member, events, &ops) &&
                   grpcc_events_begin(hedge->member.events)
               ? GRPCC_OK
               : grpcc_client_events_freed(err);
}

static enum grpcc_status start(struct grpcc_hedge *hedge, struct grpcc_events *events,
                               struct grpcc_client_call **ret_call, struct grpcc_error *err)
{
    enum grpcc_status status = give_handle(hedge, ret_call, err);
    if (!status)
        status = join_events(hedge, events, err);
    if (!status)
        start_next(hedge);
    return status;
}

void grpcc_hedge_unary_start(struct grpcc_channel *channel, const struct grpcc_method *method,
                             struct grpcc_arena *arena, const struct grpcc_call_options *options,
                             const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                             struct grpcc_client_call **ret_call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (ret_call)
        *ret_call = NULL;
    struct grpcc_hedge *hedge = hedge_new(channel, method, options, request, &err);
    if (!hedge) {
        done(data, err.status, NULL, &err);
        return;
    }
    hedge->arena = arena;
    hedge->done = done;
    hedge->data = data;
    if (start(hedge, grpcc_events_of(options), ret_call, &err))
        done(data, err.status, NULL, &err);
    release(hedge);
}

struct answer {
    struct grpcc_wait wait;
    enum grpcc_status status;
    void *response;
    struct grpcc_error *err;
};

static void answer_wakes(void *data, enum grpcc_status status, void *response,
                         const struct grpcc_error *err)
{
    struct answer *answer = data;
    answer->status = status;
    answer->response = response;
    if (status && answer->err)
        *answer->err = *err;
    grpcc_wait_signal(&answer->wait);
}

enum grpcc_status grpcc_hedge_unary(struct grpcc_channel *channel,
                                    const struct grpcc_method *method, struct grpcc_arena *arena,
                                    const struct grpcc_call_options *options,
                                    const ProtobufCMessage *request, void **ret_response,
                                    struct grpcc_error *err)
{
    struct answer answer = {.err = err};
    struct grpcc_error own = GRPCC_ERROR_INIT;
    struct grpcc_hedge *hedge = hedge_new(channel, method, options, request, err ? err : &own);
    if (!hedge)
        return err ? err->status : own.status;
    hedge->arena = arena;
    hedge->done = answer_wakes;
    hedge->data = &answer;
    grpcc_wait_init(&answer.wait);
    start_next(hedge);
    grpcc_wait_for(&answer.wait);
    grpcc_wait_done(&answer.wait);
    release(hedge);
    if (!answer.status)
        *ret_response = answer.response;
    return answer.status;
}
