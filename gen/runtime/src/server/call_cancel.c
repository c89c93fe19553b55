/* SPDX-License-Identifier: Apache-2.0 */
/* Cancellation: core's close event, and who wants to know of it. */
#include <grpc/support/alloc.h>

#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"
#include "grpcc/accept.h"

/* Only programs that link //gen/runtime:accept have it. */
#pragma weak grpcc_accept_hang_up

bool grpcc_call_is_cancelled(const struct grpcc_call *call)
{
    return atomic_load_explicit(&call->cancelled, memory_order_acquire);
}

bool grpcc_call_on_cancel(struct grpcc_call *call, void (*function)(void *data), void *data)
{
    bool registered = true;
    pthread_mutex_lock(&call->lock);
    bool now = call->hooks_ran;
    if (!now) {
        struct grpcc_cancel_hook *hook = call->n_hooks < GRPCC_CANCEL_HOOKS_INLINE
                                             ? &call->hooks_inline[call->n_hooks++]
                                             : grpcc_memory_alloc(sizeof(*hook));
        if (hook) {
            *hook = (struct grpcc_cancel_hook){function, data, call->hooks};
            call->hooks = hook;
        }
        registered = hook != NULL;
    }
    pthread_mutex_unlock(&call->lock);
    if (now)
        function(data);
    return registered;
}

static bool is_inline(const struct grpcc_call *call, const struct grpcc_cancel_hook *hook)
{
    return hook >= call->hooks_inline && hook < call->hooks_inline + GRPCC_CANCEL_HOOKS_INLINE;
}

/* The next hook, in *ret_hook; false: there is none. What is registered from now on runs at once.
 */
static bool take_hook(struct grpcc_call *call, struct grpcc_cancel_hook *ret_hook)
{
    pthread_mutex_lock(&call->lock);
    struct grpcc_cancel_hook *hook = call->hooks;
    call->hooks_ran = true;
    if (hook) {
        *ret_hook = *hook;
        call->hooks = hook->next;
    }
    pthread_mutex_unlock(&call->lock);
    if (hook && !is_inline(call, hook))
        grpcc_memory_free(hook);
    return hook != NULL;
}

void grpcc_call_drop_hooks(struct grpcc_call *call)
{
    struct grpcc_cancel_hook hook;
    while (take_hook(call, &hook))
        continue;
}

/* A connection that cancels call after call costs the server more than itself. */
static void note_reset(struct grpcc_call *call)
{
    struct grpcc_server *server = call->server;
    if (!grpcc_accept_hang_up || grpcc_now_ns() >= call->deadline_ns)
        return;
    char *peer = grpc_call_get_peer(call->core);
    if (peer && grpcc_resets_note(&server->resets, peer, server->options.resets_per_second_max) &&
        grpcc_accept_hang_up(peer))
        grpcc_log(GRPCC_LOG_WARNING, "hung up on %s: it cancels too many calls", peer);
    gpr_free(peer);
}

void grpcc_call_on_close(struct grpcc_tag *tag, bool ok)
{
    struct grpcc_call *call = GRPCC_CONTAINER(tag, struct grpcc_call, on_close);
    struct grpcc_cancel_hook hook;
    (void)ok;
    if (call->close_cancelled) {
        atomic_store_explicit(&call->cancelled, true, memory_order_release);
        note_reset(call);
        while (!atomic_load(&call->ended) && take_hook(call, &hook))
            hook.function(hook.data);
        /* Waiting for a worker is over: the call makes room in the queue. */
        if (grpcc_pool_withdraw(&call->server->pool, call)) {
            grpcc_call_refuse(call, GRPCC_REFUSED_DEAD, GRPCC_CANCELLED,
                              "cancelled before the call ran");
            grpcc_call_release(call);
        }
    }
    if (atomic_fetch_sub(&call->operations, 1) == 1)
        grpcc_call_over(call);
    grpcc_call_release(call);
}
