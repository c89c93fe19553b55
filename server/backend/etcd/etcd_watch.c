/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch, on a thread of its own: reads the whole range, follows its changes on a stream, and
 * reads all again where what it is told does not follow from what it knows.
 *
 * It remembers each key's version, which etcd counts: the next change of a key must be one more, so
 * a missing event shows with the next one. `seen` is the revision up to which everything has been
 * told. It is never taken from an answer to a request for progress: etcd before 3.4.25 and 3.5.8
 * may send that ahead of events.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "grpcc/events.h"
#include "server/backend/etcd/etcd_internal.h"
#include "server/backend/etcd/etcd_watch_seen.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/memory.h"

enum { RETRY_FIRST_MS = 50, RETRY_MOST_MS = 2000 };
/* Keys of one page of the range: 128 of the largest values that rows have stay below etcd's 16 MiB
 * of a usual client. */
enum { PAGE_KEYS = 128 };
/* All keys and values of a range, as they are read. */
enum { RANGE_BYTES_MAX = 256 << 20, MESSAGE_ARENA_MAX = 256 << 20 };
/* Reading the whole range. */
enum { RANGE_MS = 30000 };

struct comb_etcd_watch {
    struct comb_etcd *etcd;
    struct comb_etcd_watcher watcher;
    struct grpcc_arena *arena; /* of key and end */
    ProtobufCBinaryData key, end;
    pthread_t thread;
    int wake; /* an eventfd: closing */

    /* the thread's */
    struct comb_backoff backoff;
    struct etcd_seen seen;
    bool has_all; /* `everything` has been told, and what followed fits */
    bool told_lost;
};

/* How a stream ended. */
enum end { END_CLOSING, END_BROKEN, END_AGAIN };

/* ---- the whole range ---- */

struct range {
    struct etcdserverpb_key_value **kvs;
    size_t n, capacity;
    int64_t revision;
    uint64_t cluster;
};

static bool append_page(struct grpcc_arena *arena, struct range *range,
                        const struct etcdserverpb_range_response *page)
{
    if (range->n + page->n_kvs > COMB_ETCD_WATCH_KEYS_MAX)
        return false;
    if (range->n + page->n_kvs > range->capacity) {
        size_t capacity = (range->n + page->n_kvs) * 2;
        struct etcdserverpb_key_value **kvs =
            grpcc_arena_calloc(arena, capacity, sizeof(struct etcdserverpb_key_value *));
        if (!kvs)
            return false;
        for (size_t i = 0; i < range->n; i++)
            kvs[i] = range->kvs[i];
        range->kvs = kvs;
        range->capacity = capacity;
    }
    for (size_t i = 0; i < page->n_kvs; i++)
        range->kvs[range->n++] = page->kvs[i];
    return true;
}

/* All pages at one revision. OUT_OF_RANGE: it was compacted on the way. */
static enum comb_status read_range(struct comb_etcd_watch *watch, struct comb_ctx *ctx,
                                   struct range *range, struct comb_error *err)
{
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(ctx->arena);

    if (!request)
        return comb_error_no_memory(err);
    request->key = watch->key;
    request->range_end = watch->end;
    request->limit = PAGE_KEYS;
    for (bool more = true; more;) {
        struct etcdserverpb_range_response *page = NULL;
        enum comb_status status = comb_etcd_range(watch->etcd, ctx, request, &page, err);
        if (status != COMB_OK)
            return status;
        if (range->revision == 0 && page->header) {
            range->revision = page->header->revision;
            range->cluster = page->header->cluster_id;
        }
        if (!append_page(ctx->arena, range, page))
            return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                                  "the range that is watched in etcd is too large");
        more = page->more && page->n_kvs > 0;
        if (!more)
            break;
        /* The next page begins with the smallest key behind the last one: the same and a zero. */
        ProtobufCBinaryData last = page->kvs[page->n_kvs - 1]->key;
        request->key.data = grpcc_arena_zalloc(ctx->arena, last.len + 1);
        if (!request->key.data)
            return comb_error_no_memory(err);
        memcpy(request->key.data, last.data, last.len);
        request->key.len = last.len + 1;
        request->revision = range->revision;
    }
    return COMB_OK;
}

static enum comb_status tell_everything(struct comb_etcd_watch *watch, struct comb_ctx *ctx,
                                        struct comb_error *err)
{
    struct range range = {0};
    enum comb_status status = read_range(watch, ctx, &range, err);

    if (status == COMB_OK)
        status =
            etcd_seen_reset(&watch->seen, range.kvs, range.n, range.revision, range.cluster, err);
    if (status != COMB_OK)
        return status;
    watch->has_all =
        watch->watcher.everything(watch->watcher.self, range.kvs, range.n, range.revision);
    return watch->has_all ? COMB_OK : comb_error_no_memory(err);
}

/*
 * Whether what was told is still the past of what stands there now: false for another cluster, a
 * smaller revision, or another history, in which the last change that we saw was never made.
 */
static enum comb_status is_same_past(struct comb_etcd_watch *watch, struct comb_ctx *ctx,
                                     bool *ret_same, struct comb_error *err)
{
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(ctx->arena);
    struct etcdserverpb_range_response *now = NULL;
    const struct etcd_seen *seen = &watch->seen;

    if (!request)
        return comb_error_no_memory(err);
    request->key =
        seen->last_key.len > 0 ? comb_etcd_bytes(comb_buf_str(&seen->last_key)) : watch->key;
    request->keys_only = true;
    enum comb_status status = comb_etcd_range(watch->etcd, ctx, request, &now, err);
    if (status != COMB_OK)
        return status;
    *ret_same = now->header && now->header->cluster_id == seen->cluster &&
                now->header->revision >= seen->revision;
    if (!*ret_same || seen->last_revision == 0)
        return COMB_OK;
    request->revision = seen->last_revision;
    status = comb_etcd_range(watch->etcd, ctx, request, &now, err);
    if (status == COMB_OUT_OF_RANGE)
        *ret_same = false;
    else if (status != COMB_OK)
        return status;
    else if (seen->last_was_delete)
        *ret_same = now->n_kvs == 0;
    else
        *ret_same = now->n_kvs == 1 && now->kvs[0]->mod_revision == seen->last_revision;
    return COMB_OK;
}

/* Everything, or nothing where what was told still holds. */
static enum comb_status catch_up(struct comb_etcd_watch *watch, struct comb_error *err)
{
    struct comb_ctx ctx = {.arena = grpcc_arena_new(RANGE_BYTES_MAX)};
    enum comb_status status = COMB_OK;
    bool same = watch->has_all;

    if (!ctx.arena)
        return comb_error_no_memory(err);
    ctx.deadline_ns = comb_clock_monotonic_ns() + RANGE_MS * COMB_NS_PER_MS;
    if (same)
        status = is_same_past(watch, &ctx, &same, err);
    if (status == COMB_OK && !same)
        status = tell_everything(watch, &ctx, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

/* ---- the stream ---- */

struct stream {
    struct comb_etcd_watch *watch;
    struct etcdserverpb_watch_watch_stream *call;
    struct grpcc_events *events;
    struct grpcc_arena *arena;   /* of the message that is being read */
    struct grpcc_arena *sending; /* of what is being sent */
    int64_t heard_ns, asked_ns;  /* the last sign of life; the last request for one */
    bool writing, over;
    bool answered; /* the watch has begun: the member is good */
    enum end end;
};

static void end_stream(struct stream *stream, enum end end)
{
    if (!stream->over)
        stream->end = end;
    stream->over = true;
}

static void on_written(void *data, bool ok)
{
    struct stream *stream = data;
    stream->writing = false;
    if (!ok)
        end_stream(stream, END_BROKEN);
}

static bool send_create(struct stream *stream)
{
    const struct comb_etcd_watch *watch = stream->watch;
    struct etcdserverpb_watch_request *request = etcdserverpb_watch_request_new(stream->sending);
    struct etcdserverpb_watch_create_request *create =
        etcdserverpb_watch_create_request_new(stream->sending);

    if (!request || !create)
        return false;
    create->key = watch->key;
    create->range_end = watch->end;
    create->start_revision = watch->seen.revision + 1;
    etcdserverpb_watch_request_set_create(request, create);
    stream->writing = true;
    etcdserverpb_watch_watch_stream_write_start(stream->call, request, on_written, stream);
    return true;
}

static void send_progress(struct stream *stream)
{
    grpcc_arena_reset(stream->sending);
    struct etcdserverpb_watch_request *request = etcdserverpb_watch_request_new(stream->sending);
    struct etcdserverpb_watch_progress_request *progress =
        etcdserverpb_watch_progress_request_new(stream->sending);

    stream->asked_ns = comb_clock_monotonic_ns();
    if (!request || !progress)
        return;
    etcdserverpb_watch_request_set_progress(request, progress);
    stream->writing = true;
    etcdserverpb_watch_watch_stream_write_start(stream->call, request, on_written, stream);
}

/* False: the message does not follow from what is known, or there is no memory for it. */
static bool take_events(struct comb_etcd_watch *watch, struct grpcc_arena *arena,
                        const struct etcdserverpb_watch_response *message)
{
    struct etcdserverpb_event **events =
        grpcc_arena_calloc(arena, message->n_events, sizeof(struct etcdserverpb_event *));
    size_t n = 0;

    if (!events)
        return false;
    for (size_t i = 0; i < message->n_events; i++) {
        enum etcd_seen_verdict verdict = etcd_seen_take(&watch->seen, message->events[i]);
        if (verdict == ETCD_SEEN_GAP) {
            comb_log(COMB_LOG_WARN, comb_etcd_domain, "events are missing: all is read again",
                     comb_log_text("key", comb_etcd_str(message->events[i]->kv->key)));
            return false;
        }
        if (verdict == ETCD_SEEN_NEW)
            events[n++] = message->events[i];
    }
    etcd_seen_advance(&watch->seen);
    return n == 0 || watch->watcher.changed(watch->watcher.self, events, n, watch->seen.revision);
}

static void on_message(struct stream *stream, const struct etcdserverpb_watch_response *message)
{
    struct comb_etcd_watch *watch = stream->watch;

    if (message->header && message->header->cluster_id != watch->seen.cluster) {
        end_stream(stream, END_AGAIN);
    } else if (message->canceled) {
        comb_log(COMB_LOG_INFO, comb_etcd_domain, "etcd has ended a watch",
                 comb_log_integer("compact_revision", message->compact_revision),
                 comb_log_text("why", comb_str_from(message->cancel_reason)));
        /* The text is empty where history has been compacted: only the number tells. */
        end_stream(stream, message->compact_revision != 0 ? END_AGAIN : END_BROKEN);
    } else if (message->n_events > 0 && !take_events(watch, stream->arena, message)) {
        end_stream(stream, END_AGAIN);
    } else if (!stream->answered) {
        stream->answered = true;
        watch->told_lost = false;
        watch->watcher.state(watch->watcher.self, NULL);
    }
}

static void read_next(struct stream *stream);

static void on_read(void *data, int result, struct etcdserverpb_watch_response *message,
                    const struct grpcc_error *native)
{
    struct stream *stream = data;
    (void)native;

    stream->heard_ns = comb_clock_monotonic_ns();
    if (stream->over)
        return;
    /* What cannot be decoded is larger than we take: the range is read in pages. */
    if (result < 0)
        end_stream(stream, END_AGAIN);
    else if (result == 0)
        end_stream(stream, END_BROKEN);
    else
        on_message(stream, message);
    if (!stream->over)
        read_next(stream);
}

static void read_next(struct stream *stream)
{
    grpcc_arena_reset(stream->arena);
    etcdserverpb_watch_watch_stream_read_start(stream->call, stream->arena, on_read, stream);
}

static void wait_a_moment(struct stream *stream)
{
    struct pollfd fds[] = {{.fd = grpcc_events_fd(stream->events), .events = POLLIN},
                           {.fd = stream->watch->wake, .events = POLLIN}};
    int64_t now_ns = comb_clock_monotonic_ns();

    if (!stream->writing && now_ns - stream->asked_ns >= COMB_ETCD_PROGRESS_MS * COMB_NS_PER_MS)
        send_progress(stream);
    if (now_ns - stream->heard_ns >= COMB_ETCD_SILENCE_MS * COMB_NS_PER_MS)
        end_stream(stream, END_BROKEN);
    if (poll(fds, 2, COMB_ETCD_PROGRESS_MS / 4) < 0 && errno != EINTR)
        end_stream(stream, END_BROKEN);
    if (fds[1].revents)
        end_stream(stream, END_CLOSING);
    grpcc_events_dispatch(stream->events, 0);
}

/* From the stream's beginning to its end, which the calls' callbacks tell. */
static void follow(struct stream *stream)
{
    stream->heard_ns = stream->asked_ns = comb_clock_monotonic_ns();
    if (!send_create(stream))
        end_stream(stream, END_BROKEN);
    else
        read_next(stream);
    while (!stream->over)
        wait_a_moment(stream);
}

static void run_on(struct stream *stream, struct comb_etcd_member *member, struct comb_error *err)
{
    struct comb_etcd *etcd = stream->watch->etcd;
    /* hasleader: a member cut off from the others ends the stream instead of keeping silent. */
    struct grpcc_metadata headers[2] = {{.key = "hasleader", .value = "true", .length = 4}};
    struct grpcc_call_options options = {.size = sizeof options, .metadata = headers};
    struct grpcc_error native = GRPCC_ERROR_INIT;
    size_t n_login = 0;
    enum comb_etcd_verdict verdict = comb_etcd_login(
        etcd, member, stream->sending, COMB_ETCD_ATTEMPT_MS, &headers[1], &n_login, err);

    options.n_metadata = 1 + n_login;
    options.events = stream->events;
    if (err->status == COMB_OK) {
        stream->call = etcdserverpb_watch_watch_stream_open(member->channel, &options, &native);
        if (stream->call)
            follow(stream);
        bool silent = native.status == GRPCC_OK && comb_clock_monotonic_ns() - stream->heard_ns >=
                                                       COMB_ETCD_SILENCE_MS * COMB_NS_PER_MS;
        if (stream->call && stream->end == END_BROKEN && !silent)
            etcdserverpb_watch_watch_stream_finish(stream->call, NULL, &native);
        if (native.status == GRPCC_OK)
            grpcc_error_set(&native, GRPCC_UNAVAILABLE,
                            silent ? "it is silent" : "the watch has ended");
        verdict = comb_etcd_judge(member, &native, err);
    }
    if (verdict == COMB_ETCD_LOGIN)
        comb_etcd_forget_login(etcd);
    bool broken = stream->end == END_BROKEN && verdict == COMB_ETCD_MEMBER;
    comb_etcd_give(etcd, member, !broken, err);
}

/* One stream on one member. */
static enum end run_stream(struct comb_etcd_watch *watch, struct comb_error *err)
{
    struct stream stream = {.watch = watch, .end = END_BROKEN};
    struct grpcc_error native = GRPCC_ERROR_INIT;
    struct comb_etcd_member *member;

    stream.arena = grpcc_arena_new(MESSAGE_ARENA_MAX);
    stream.sending = grpcc_arena_new(0);
    stream.events = grpcc_events_new(&native);
    if (!stream.arena || !stream.sending || !stream.events) {
        comb_error_no_memory(err);
    } else if ((member = comb_etcd_take(watch->etcd, err))) {
        run_on(&stream, member, err);
        if (stream.answered)
            comb_backoff_reset(&watch->backoff);
    }
    stream.over = true; /* for the callbacks of what is cancelled now */
    grpcc_events_free(stream.events);
    etcdserverpb_watch_watch_stream_free(stream.call);
    grpcc_arena_free(stream.arena);
    grpcc_arena_free(stream.sending);
    return stream.end;
}

/* ---- the thread ---- */

/* False: the watch is being closed. */
static bool sleep_ms(const struct comb_etcd_watch *watch, int ms)
{
    struct pollfd fd = {.fd = watch->wake, .events = POLLIN};
    return poll(&fd, 1, ms) <= 0;
}

static void tell_lost(struct comb_etcd_watch *watch, const struct comb_error *err)
{
    if (!watch->told_lost)
        comb_log_error(COMB_LOG_DEBUG, comb_etcd_domain, "a watch is interrupted", err);
    watch->told_lost = true;
    watch->watcher.state(watch->watcher.self, err);
}

static void *follow_all(void *data)
{
    struct comb_etcd_watch *watch = data;
    int wait_ms = 0;

    while (sleep_ms(watch, wait_ms)) {
        struct comb_error err = {0};
        enum end end = END_BROKEN;
        if (catch_up(watch, &err) == COMB_OK)
            end = run_stream(watch, &err);
        if (end == END_AGAIN)
            watch->has_all = false;
        if (end == END_BROKEN)
            tell_lost(watch, &err);
        wait_ms = (int)comb_backoff_next_ms(&watch->backoff);
    }
    return NULL;
}

static enum comb_status start(struct comb_etcd_watch *watch, comb_str name, struct comb_error *err)
{
    watch->arena = grpcc_arena_new(0);
    if (!watch->arena)
        return comb_error_no_memory(err);
    watch->key = comb_etcd_key(watch->etcd, watch->arena, name);
    if (watch->key.data)
        watch->end = comb_etcd_key_end(watch->arena, watch->key);
    if (!watch->end.data)
        return comb_error_no_memory(err);
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->wake < 0 || pthread_create(&watch->thread, NULL, follow_all, watch) != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for a watch of etcd");
    return COMB_OK;
}

static void free_watch(struct comb_etcd_watch *watch)
{
    if (watch->wake >= 0)
        close(watch->wake);
    etcd_seen_done(&watch->seen);
    grpcc_arena_free(watch->arena);
    comb_memory_free(watch);
}

enum comb_status comb_etcd_watch_open(struct comb_etcd *etcd, comb_str name,
                                      const struct comb_etcd_watcher *watcher,
                                      struct comb_etcd_watch **ret_watch, struct comb_error *err)
{
    struct comb_etcd_watch *watch = comb_memory_zalloc(sizeof *watch);

    if (!watch)
        return comb_error_no_memory(err);
    watch->etcd = etcd;
    watch->watcher = *watcher;
    watch->wake = -1;
    watch->backoff = (struct comb_backoff){.first_ms = RETRY_FIRST_MS, .most_ms = RETRY_MOST_MS};
    etcd_seen_init(&watch->seen);
    enum comb_status status = start(watch, name, err);
    if (status == COMB_OK)
        *ret_watch = watch;
    else
        free_watch(watch);
    return status;
}

void comb_etcd_watch_close(struct comb_etcd_watch *watch)
{
    if (!watch)
        return;
    /* Cannot fail: nobody else writes to it. */
    (void)!eventfd_write(watch->wake, 1);
    pthread_join(watch->thread, NULL);
    free_watch(watch);
}
