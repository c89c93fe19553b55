/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/dispatch.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "comb/v1/errors.grpcc.h"
#include "grpcc/trace.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/rpc/call.h"
#include "server/rpc/consistency_token.h"
#include "server/rpc/method_rule.h"
#include "server/rpc/rpc.h"

#define CONSISTENCY_HEADER "comb-consistency"
/* Of a call that was sent before: by libcomb or whoever repeats calls himself; by gRPC, how often;
 * by Envoy, which attempt it is, from 1. */
#define REPEATED_HEADER "comb-repeated"
#define PREVIOUS_ATTEMPTS_HEADER "grpc-previous-rpc-attempts"
#define ENVOY_ATTEMPT_HEADER "x-envoy-attempt-count"
#define CHANNELZ_PREFIX "/grpc.channelz."
#define HEALTH_PREFIX "/grpc.health.v1.Health/"

struct comb_dispatch {
    struct comb_authenticator authenticator;
    _Atomic uint64_t incarnation;
    struct grpcc_arena *arena; /* of the rules */
    struct comb_audit *audit;  /* NULL: none */
};

static comb_str header(const struct grpcc_call *call, const char *key)
{
    size_t length = 0;
    const char *value = grpcc_call_metadata(call, key, &length);
    return comb_str_of(value, value ? length : 0);
}

/* Whoever says so wrongly pays with a write for each refusal. */
static bool was_sent_before(const struct grpcc_call *call)
{
    comb_str attempt = header(call, ENVOY_ATTEMPT_HEADER);
    return !comb_str_is_empty(header(call, REPEATED_HEADER)) ||
           !comb_str_is_empty(header(call, PREVIOUS_ATTEMPTS_HEADER)) ||
           (!comb_str_is_empty(attempt) && !comb_str_equal(attempt, STR("1")));
}

static enum comb_status read_consistency(const struct comb_dispatch *dispatch,
                                         const struct grpcc_call *call, struct comb_ctx *ctx,
                                         struct comb_error *err)
{
    comb_str mode = header(call, CONSISTENCY_HEADER);
    if (comb_str_equal(mode, STR("strong")))
        ctx->strong = true;
    else if (!comb_str_is_empty(mode) && !comb_str_equal(mode, STR("default")))
        return comb_error_field(err, CONSISTENCY_HEADER, "must be \"default\" or \"strong\"");
    bool foreign = false;
    enum comb_status status = comb_consistency_token_parse(
        header(call, COMB_TOKEN_HEADER),
        atomic_load_explicit(&dispatch->incarnation, memory_order_relaxed), &ctx->seen, &foreign,
        err);
    /* What was seen in another history cannot be waited for; the newest of this one can. */
    ctx->strong |= foreign;
    return status;
}

/* What the method needs of everybody, before its handler looks at nodes. */
static enum comb_v1_need need_of(const struct comb_rpc_call *state)
{
    if (state->rule)
        return state->rule->need;
    const char *path = grpcc_call_path(state->call);
    /* It tells who is connected from where. */
    if (strncmp(path, CHANNELZ_PREFIX, sizeof CHANNELZ_PREFIX - 1) == 0)
        return COMB_V1_NEED_ADMINISTRATOR;
    bool open = !grpcc_call_method(state->call) ||
                strncmp(path, HEALTH_PREFIX, sizeof HEALTH_PREFIX - 1) == 0;
    return open ? COMB_V1_NEED_NOTHING : COMB_V1_NEED_LOGIN;
}

static enum comb_status check_need(struct comb_rpc_call *state, struct comb_error *err)
{
    enum comb_v1_need need = need_of(state);
    if (need == COMB_V1_NEED_ADMINISTRATOR && !state->ctx.principal->administrator)
        return comb_error_set(err, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_ADMINISTRATOR_ONLY,
                              "%s is for administrators, by a token without scopes",
                              grpcc_call_path(state->call));
    if (need == COMB_V1_NEED_LOGIN || need == COMB_V1_NEED_ADMINISTRATOR)
        state->ctx.authorised |= 1u << need;
    return COMB_OK;
}

static enum comb_status read_bearer(const struct grpcc_call *call, comb_str *ret_bearer,
                                    struct comb_error *err)
{
    comb_str value = header(call, "authorization");
    if (comb_str_is_empty(value))
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_MISSING,
                              "no token: log in (comb.v1.Auth/Login) and send \"authorization: "
                              "Bearer <token>\"");
    if (value.len < 8 || strncasecmp(value.ptr, "bearer ", 7) != 0)
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                              "the authorization header must have the form \"Bearer <token>\"");
    *ret_bearer = comb_str_of(value.ptr + 7, value.len - 7);
    return COMB_OK;
}

/* On a worker: asks the authenticator, which may block, and lets the call go on or ends it. */
static void authenticate_on_worker(void *self, struct grpcc_call *call, const void *request)
{
    const struct comb_dispatch *dispatch = self;
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    struct comb_error err = {0};
    (void)request;
    enum comb_status status = dispatch->authenticator.authenticate(
        dispatch->authenticator.self, &state->ctx, state->bearer, &state->ctx.principal, &err);
    if (status == COMB_OK)
        status = check_need(state, &err);
    if (status != COMB_OK)
        comb_rpc_fail(call, &err);
    else
        grpcc_call_resume(call);
}

static bool runs_on_worker(const struct comb_rpc_call *state)
{
    return state->rule && state->rule->mode == COMB_V1_MODE_BLOCKING;
}

static enum grpcc_verdict authenticate(const struct comb_dispatch *dispatch,
                                       struct comb_rpc_call *state, struct comb_error *err)
{
    const struct comb_authenticator *authenticator = &dispatch->authenticator;
    struct comb_ctx *ctx = &state->ctx;
    enum comb_status status = read_bearer(state->call, &state->bearer, err);
    if (status == COMB_OK &&
        !authenticator->peek(authenticator->self, ctx, state->bearer, &ctx->principal)) {
        if (!runs_on_worker(state)) {
            grpcc_call_hand_over(state->call, authenticate_on_worker, (void *)dispatch);
            return GRPCC_DEFER;
        }
        status = authenticator->authenticate(authenticator->self, ctx, state->bearer,
                                             &ctx->principal, err);
    }
    if (status == COMB_OK)
        status = check_need(state, err);
    if (status == COMB_OK)
        return GRPCC_PROCEED;
    comb_rpc_fail(state->call, err);
    return GRPCC_ANSWERED;
}

enum comb_status comb_rpc_ask_again(struct grpcc_call *call, struct grpcc_arena *arena,
                                    int64_t deadline_ns, struct comb_error *err)
{
    const struct comb_rpc_call *state = grpcc_call_user_data(call);
    const struct comb_authenticator *authenticator = &state->dispatch->authenticator;
    struct comb_rpc_call again = {
        .call = call,
        .rule = state->rule,
        .ctx = {.arena = arena, .deadline_ns = deadline_ns, .method = state->ctx.method},
    };
    enum comb_status status = COMB_OK;
    if (need_of(state) == COMB_V1_NEED_NOTHING)
        return COMB_OK;
    if (!authenticator->peek(authenticator->self, &again.ctx, state->bearer, &again.ctx.principal))
        status = authenticator->authenticate(authenticator->self, &again.ctx, state->bearer,
                                             &again.ctx.principal, err);
    return status == COMB_OK ? check_need(&again, err) : status;
}

static struct comb_rpc_call *call_state_new(const struct comb_dispatch *dispatch,
                                            struct grpcc_call *call)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_rpc_call *state = grpcc_arena_zalloc(arena, sizeof *state);
    if (!state)
        return NULL;
    state->call = call;
    state->dispatch = dispatch;
    state->rule = grpcc_call_tag(call);
    state->audit = dispatch->audit;
    state->begin_ns = comb_clock_monotonic_ns();
    state->ctx.arena = arena;
    state->ctx.deadline_ns = grpcc_call_deadline_ns(call);
    state->ctx.peer = comb_str_from(grpcc_call_peer(call));
    state->ctx.method = comb_str_from(grpcc_call_path(call));
    snprintf(state->ctx.trace_id, sizeof state->ctx.trace_id, "%s", grpcc_call_trace_id(call));
    grpcc_call_set_user_data(call, state);
    return state;
}

static enum grpcc_verdict dispatch_begin(void *self, struct grpcc_call *call)
{
    const struct comb_dispatch *dispatch = self;
    struct comb_error err = {0};
    struct comb_rpc_call *state = call_state_new(dispatch, call);
    if (!state) {
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory for the call");
        return GRPCC_ANSWERED;
    }
    state->ctx.repeated = was_sent_before(call);
    if (read_consistency(dispatch, call, &state->ctx, &err) != COMB_OK) {
        comb_rpc_fail(call, &err);
        return GRPCC_ANSWERED;
    }
    if (need_of(state) == COMB_V1_NEED_NOTHING)
        return GRPCC_PROCEED;
    return authenticate(dispatch, state, &err);
}

/* An OK that nobody was asked for is a bug of the handler, and must not leave. */
static bool is_authorised(const struct comb_rpc_call *state)
{
    enum comb_v1_need need = need_of(state);
    return need == COMB_V1_NEED_NOTHING || state->ctx.replayed ||
           (state->ctx.authorised & (1u << need)) != 0;
}

/* What came of an intent. Where nobody knows, it stays without outcome. */
static void conclude(struct comb_rpc_call *state, enum grpcc_status status)
{
    if (state->has_intent && !state->is_ambiguous)
        comb_audit_conclude(state->audit, &state->ctx, &state->intent, (enum comb_status)status,
                            state->reason);
    state->has_intent = false;
}

static void dispatch_before_finish(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    (void)self;
    if (!state)
        return;
    conclude(state, status);
    if (status == GRPCC_OK && !is_authorised(state)) {
        struct comb_error err = {0};
        comb_error_set(&err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                       "%s answered without having asked for its right", grpcc_call_path(call));
        comb_rpc_fail(call, &err);
        return;
    }
    if (state->ctx.reached.sequence == 0)
        return;
    char text[COMB_TOKEN_TEXT_MAX];
    size_t length = comb_consistency_token_format(state->ctx.reached, text);
    /* Where there is no room for the token the answer is right all the same. */
    const struct grpcc_method *method = grpcc_call_method(call);
    bool streams = method && method->kind >= GRPCC_SERVER_STREAM;
    if (status == GRPCC_OK && !streams)
        (void)!grpcc_call_add_initial_metadata(call, COMB_TOKEN_HEADER, text, length);
    else
        (void)!grpcc_call_add_trailing_metadata(call, COMB_TOKEN_HEADER, text, length);
}

/* He was told that a node is not there: perhaps he may only not see it. What does not exist counts
 * too, so that the growth of the trail tells nobody which of both it was. */
static bool may_hide_a_node(const struct comb_rpc_call *state, enum grpcc_status status)
{
    const struct comb_principal *principal = state->ctx.principal;
    return status == GRPCC_NOT_FOUND && state->reason == COMB_V1_ERROR_REASON_NODE_NOT_FOUND &&
           principal && !principal->administrator;
}

/* Refused, or a log-in that failed, for whatever reason. */
static void record_refusal(struct comb_rpc_call *state, enum grpcc_status status)
{
    if (state->audit &&
        (status == GRPCC_PERMISSION_DENIED || status == GRPCC_UNAUTHENTICATED ||
         may_hide_a_node(state, status) || !comb_str_is_empty(state->ctx.claimed_login)))
        comb_audit_refuse(state->audit, &state->ctx, (enum comb_status)status, state->reason);
}

static void dispatch_end(void *self, struct grpcc_call *call, enum grpcc_status status)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    (void)self;
    if (!state || status == GRPCC_OK)
        return;
    record_refusal(state, status);
    bool fault = status == GRPCC_INTERNAL || status == GRPCC_UNKNOWN || status == GRPCC_DATA_LOSS;
    int64_t duration_ns = comb_clock_monotonic_ns() - state->begin_ns;
    comb_log(fault ? COMB_LOG_ERROR : COMB_LOG_INFO, "rpc", "call failed",
             comb_log_text("method", state->ctx.method),
             comb_log_text("status", comb_str_from(grpcc_status_name(status))),
             comb_log_integer("duration_us", duration_ns / 1000),
             comb_log_text("peer", state->ctx.peer),
             comb_log_text("trace", comb_str_from(state->ctx.trace_id)),
             comb_log_text("user", comb_str_from(comb_dispatch_user(call))),
             comb_log_text("log_id", comb_str_from(state->log_id)));
}

const char *comb_dispatch_user(struct grpcc_call *call)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    const struct comb_principal *principal = state ? state->ctx.principal : NULL;
    if (!principal)
        return "";
    snprintf(state->login, sizeof state->login, "%.*s", (int)principal->login.len,
             principal->login.ptr);
    return state->login;
}

static const struct grpcc_interceptor interceptor = {
    .begin = dispatch_begin,
    .before_finish = dispatch_before_finish,
    .end = dispatch_end,
};

enum comb_status comb_dispatch_new(const struct comb_authenticator *authenticator,
                                   uint64_t incarnation, struct comb_dispatch **ret_dispatch,
                                   struct comb_error *err)
{
    struct comb_dispatch *dispatch = comb_memory_zalloc(sizeof *dispatch);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!dispatch || !arena) {
        comb_memory_free(dispatch);
        grpcc_arena_free(arena);
        return comb_error_no_memory(err);
    }
    dispatch->authenticator = *authenticator;
    atomic_init(&dispatch->incarnation, incarnation);
    dispatch->arena = arena;
    *ret_dispatch = dispatch;
    return COMB_OK;
}

void comb_dispatch_set_audit(struct comb_dispatch *dispatch, struct comb_audit *audit)
{
    dispatch->audit = audit;
}

void comb_dispatch_set_incarnation(struct comb_dispatch *dispatch, uint64_t incarnation)
{
    atomic_store_explicit(&dispatch->incarnation, incarnation, memory_order_relaxed);
}

static enum comb_status attach_method(struct comb_dispatch *dispatch, struct grpcc_server *server,
                                      const struct grpcc_method *method, struct comb_error *err)
{
    const struct comb_v1_method_rule *rule = NULL;
    enum comb_status status = comb_method_rule_read(dispatch->arena, method, &rule, err);
    if (status != COMB_OK)
        return status;
    struct grpcc_method_config config = comb_method_rule_config(rule);
    config.tag = (void *)rule;
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (grpcc_server_configure_method(server, method->path, &config, &failure) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "%s: %.160s", method->path, failure.message);
    return COMB_OK;
}

enum comb_status comb_dispatch_attach(struct comb_dispatch *dispatch, struct grpcc_server *server,
                                      const struct grpcc_service *const *services,
                                      size_t n_services, struct comb_error *err)
{
    for (size_t i = 0; i < n_services; i++)
        for (size_t j = 0; j < services[i]->n_methods; j++) {
            enum comb_status status =
                attach_method(dispatch, server, &services[i]->methods[j], err);
            if (status != COMB_OK)
                return status;
        }
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (grpcc_server_add_interceptor(server, &interceptor, dispatch, &failure) != GRPCC_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "%.200s", failure.message);
    return COMB_OK;
}

void comb_dispatch_free(struct comb_dispatch *dispatch)
{
    if (!dispatch)
        return;
    grpcc_arena_free(dispatch->arena);
    comb_memory_free(dispatch);
}
