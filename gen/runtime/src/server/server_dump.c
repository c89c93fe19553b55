/* SPDX-License-Identifier: Apache-2.0 */
/* A dump holds references to the calls that it tells of, so that no lock is held while it writes.
 */
#include <grpc/support/alloc.h>
#include <inttypes.h>
#include <string.h>

#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/observe/text.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"
#include "grpcc/dump.h"

enum { LINE_MAX_BYTES = 4096, VALUE_MAX = 256 };

/* ---- the calls ---- */

/* Lists begin with their newest call: skip leaves those off. */
static size_t take_list_locked(struct grpcc_call *list, size_t skip, struct grpcc_call **calls,
                               size_t n)
{
    for (; list && skip; skip--)
        list = list->next;
    for (struct grpcc_call *call = list; call && n < GRPCC_DUMP_CALLS_MAX; call = call->next) {
        grpcc_call_hold(call);
        calls[n++] = call;
    }
    return n;
}

static const char *state_of(struct grpcc_call *call)
{
    if (atomic_load(&call->ended))
        return "ending";
    if (grpcc_pool_has(&call->server->pool, call))
        return "queued";
    if (grpcc_call_is_parked(call))
        return "parked";
    pthread_mutex_lock(&call->lock);
    bool sending = call->send_busy;
    pthread_mutex_unlock(&call->lock);
    return sending ? "sending" : "running";
}

static const char *mode_of(const struct grpcc_call *call)
{
    static const char *const modes[] = {
        [GRPCC_MODE_BLOCKING] = "blocking",
        [GRPCC_MODE_INLINE] = "inline",
        [GRPCC_MODE_ASYNC] = "async",
    };
    return call->method ? modes[call->method->config.mode] : "inline";
}

static void add_tally(struct grpcc_text *text, const char *name, const struct grpcc_tally *tally)
{
    grpcc_text_printf(text, ",\"%s_messages\":%llu,\"%s_bytes\":%llu", name,
                      atomic_load_explicit(&tally->messages, memory_order_relaxed), name,
                      atomic_load_explicit(&tally->bytes, memory_order_relaxed));
}

static void add_call(struct grpcc_text *text, struct grpcc_call *call)
{
    int64_t now_ns = grpcc_now_ns();
    int64_t deadline_ns = call->deadline_ns;
    char *peer = grpc_call_get_peer(call->core);
    grpcc_text_add(text, "{\"method\":");
    grpcc_text_quote(text, call->path, strlen(call->path), VALUE_MAX);
    grpcc_text_add(text, ",\"peer\":");
    grpcc_text_quote(text, peer ? peer : "", peer ? strlen(peer) : 0, VALUE_MAX);
    gpr_free(peer);
    grpcc_text_printf(text, ",\"mode\":\"%s\",\"state\":\"%s\",\"age_ms\":%" PRId64, mode_of(call),
                      state_of(call), (now_ns - call->started_ns) / GRPCC_NS_PER_MS);
    if (deadline_ns == INT64_MAX)
        grpcc_text_add(text, ",\"deadline_ms\":null");
    else
        grpcc_text_printf(text, ",\"deadline_ms\":%" PRId64,
                          (deadline_ns - now_ns) / GRPCC_NS_PER_MS);
    add_tally(text, "in", &call->received_tally);
    add_tally(text, "out", &call->sent_tally);
    /* Not made here: the call's own thread may be at its headers. */
    bool known = atomic_load_explicit(&call->context.ready, memory_order_acquire);
    if (known)
        grpcc_text_printf(text, ",\"trace\":\"%s\"}", call->context.id);
    else
        grpcc_text_add(text, ",\"trace\":null}");
}

/* ---- the server ---- */

static const char *server_state(struct grpcc_server *server)
{
    pthread_mutex_lock(&server->lock);
    enum grpcc_server_state state = server->state;
    pthread_mutex_unlock(&server->lock);
    if (state == GRPCC_SERVER_RUNNING)
        return atomic_load(&server->lame_duck) ? "draining" : "serving";
    return state == GRPCC_SERVER_NEW ? "new" : "stopped";
}

static void add_server(struct grpcc_text *text, struct grpcc_server *server)
{
    struct grpcc_server_stats stats;
    grpcc_server_get_stats(server, &stats);
    pthread_mutex_lock(&server->pool.lock);
    unsigned started = server->pool.n_workers;
    pthread_mutex_unlock(&server->pool.lock);
    grpcc_text_printf(text, "{\"state\":\"%s\",\"connections\":%u", server_state(server),
                      stats.connections);
    grpcc_text_printf(text, ",\"queue\":{\"length\":%u,\"max\":%u}", stats.queue_length,
                      server->options.queue_max);
    grpcc_text_printf(text, ",\"workers\":{\"busy\":%u,\"started\":%u,\"max\":%u}",
                      stats.workers_busy, started, server->options.workers);
    grpcc_text_printf(text,
                      ",\"totals\":{\"started\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"failed\":%" PRIu64
                      ",\"shed\":%" PRIu64 ",\"cancelled\":%" PRIu64 "}",
                      stats.calls_started, stats.calls_ok, stats.calls_failed, stats.calls_shed,
                      stats.calls_cancelled);
    grpcc_text_printf(text, ",\"in_flight\":%u,\"calls\":[", stats.calls_in_flight);
}

bool grpcc_server_dump(struct grpcc_server *server, grpcc_write write, void *data)
{
    char line[LINE_MAX_BYTES];
    struct grpcc_text text = {.at = line, .size = sizeof(line)};
    struct grpcc_call **calls =
        grpcc_memory_alloc(GRPCC_DUMP_CALLS_MAX * sizeof(struct grpcc_call *));
    if (!calls)
        return false;
    pthread_mutex_lock(&server->lock);
    size_t n_calls = server->n_in_flight;
    size_t skip = n_calls > GRPCC_DUMP_CALLS_MAX ? n_calls - GRPCC_DUMP_CALLS_MAX : 0;
    size_t n = take_list_locked(server->calls, skip, calls, 0);
    n = take_list_locked(server->builtin_calls, 0, calls, n);
    pthread_mutex_unlock(&server->lock);
    add_server(&text, server);
    bool wanted = write(data, line, text.n);
    for (size_t i = 0; i < n; i++) {
        text.n = 0;
        grpcc_text_add(&text, i ? ",\n" : "\n");
        if (wanted)
            add_call(&text, calls[i]);
        wanted = wanted && write(data, line, text.n);
        grpcc_call_release(calls[i]);
    }
    grpcc_memory_free(calls);
    return wanted && write(data, "]}\n", 3);
}
