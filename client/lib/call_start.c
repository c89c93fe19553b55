/* SPDX-License-Identifier: Apache-2.0 */
/* The callback form: nothing here blocks but for locks that are held shortly. */
#include "client/lib/call.h"

static void finish(struct comb_call *call)
{
    comb_call_conclude(call);
    call->done(call->data, call->status, call->status ? NULL : call->response, &call->err);
    comb_call_unref(call);
}

/* Hands the call to the timer; where that cannot be had it ends as it is. */
static void wait_in_timer(struct comb_call *call, int64_t wait_ms, bool refresh)
{
    call->due_ns = comb_now_ns() + wait_ms * COMB_NS_PER_MS;
    call->wants_refresh = refresh;
    if (!comb_timer_add(call->client, call)) {
        comb_error_memory(&call->err);
        call->status = call->err.status;
        finish(call);
    }
}

static void attempt_done(struct comb_call *call)
{
    struct comb_retry_verdict verdict = comb_call_judge(call);
    if (verdict.kind == COMB_RETRY_FINISH)
        finish(call);
    else
        wait_in_timer(call, verdict.wait_ms, verdict.kind == COMB_RETRY_REFRESH);
}

void comb_call_resume(struct comb_call *call)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    bool refresh = call->wants_refresh;
    unsigned generation = call->decisive ? call->decisive->generation : call->stale_generation;
    call->wants_refresh = false;
    if (refresh &&
        comb_session_refresh(call->client, generation, comb_call_refresh_deadline(call), &err)) {
        comb_call_fail(call, err.status, &err);
        finish(call);
        return;
    }
    comb_call_attempt(call);
}

/* ---- the program's handle ---- */

static void handle_cancel(void *self)
{
    struct comb_call *call = self;
    comb_call_cancel(call);
    comb_timer_wake(call->client);
}

static void handle_free(void *self)
{
    comb_call_unref(self);
}

static void fails(grpcc_unary_done done, void *data, const struct grpcc_error *err)
{
    done(data, err->status, NULL, err);
}

void comb_call_unary_start(void *self, const struct grpcc_method *method, struct grpcc_arena *arena,
                           const struct grpcc_call_options *options,
                           const ProtobufCMessage *request, grpcc_unary_done done, void *data,
                           struct grpcc_client_call **ret_call)
{
    struct comb_client *client = self;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_client_call *handle = NULL;
    if (ret_call)
        *ret_call = NULL;
    if (comb_client_check(client, &err)) {
        fails(done, data, &err);
        return;
    }
    struct comb_call *call = comb_call_new(client, method, arena, options, request, true, &err);
    if (!call) {
        fails(done, data, &err);
        return;
    }
    if (ret_call) {
        handle = grpcc_client_call_new_policy(handle_cancel, handle_free, comb_call_ref(call));
        if (!handle) {
            comb_error_memory(&err);
            comb_call_unref(call);
            comb_call_unref(call);
            fails(done, data, &err);
            return;
        }
        *ret_call = handle;
    }
    call->done = done;
    call->data = data;
    call->attempt_done = attempt_done;
    if (!call->rule.open && comb_session_is_stale(&client->session, &call->stale_generation))
        wait_in_timer(call, 0, true);
    else
        comb_call_attempt(call);
}
