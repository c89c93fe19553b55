/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, members in turn, calls. */
#include "server/backend/etcd/etcd.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/etcd/etcd_internal.h"
#include "server/backend/tls/tls.h"
#include "server/core/clock.h"
#include "server/core/memory.h"

enum { PORT = 2379 };
/* How long a member that failed is left alone. */
enum { BAD_FIRST_MS = 100, BAD_MOST_MS = 2000 };
/* A member that took so long without an answer is at fault, whatever the caller's deadline was. */
enum { SLOW_MS = 1000 };
/* Of the URL's parts. */
enum { URL_ARENA_MAX = 64 * 1024 };
/* What etcd answers with at once: pages of a watch's range, events of many revisions. */
enum { RESPONSE_BYTES_MAX = 64 << 20 };
enum { KEEPALIVE_MS = 10000, KEEPALIVE_TIMEOUT_MS = 3000, RECONNECT_MIN_MS = 100 };
enum { RECONNECT_MAX_MS = 1000 };
/* For the look at a certificate that was refused. */
enum { EXPLAIN_MS = 2000 };

/* ---- open and close ---- */

static enum comb_status bad_file(comb_str name, const char *why, struct comb_error *err)
{
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "etcd: %s= %s", name.ptr, why);
}

static enum comb_status open_member(struct comb_etcd *etcd, const struct comb_url *url, size_t i,
                                    struct comb_error *err)
{
    struct comb_etcd_member *member = &etcd->members[i];
    const struct comb_url_host *host = &url->hosts[i];
    comb_str ca = comb_url_param(url, "ca"), tls = comb_url_param(url, "tls");
    comb_str certificate = comb_url_param(url, "cert"), key = comb_url_param(url, "key");
    struct grpcc_error native = GRPCC_ERROR_INIT;
    const struct grpcc_channel_options options = {.size = sizeof options,
                                                  .tls = ca.ptr || certificate.ptr || tls.ptr,
                                                  .ca_file = ca.ptr,
                                                  .certificate_file = certificate.ptr,
                                                  .key_file = key.ptr,
                                                  .retries_off = true,
                                                  .response_bytes_max = RESPONSE_BYTES_MAX,
                                                  .keepalive_ms = KEEPALIVE_MS,
                                                  .keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS,
                                                  .keepalive_calls_only = true,
                                                  .reconnect_min_ms = RECONNECT_MIN_MS,
                                                  .reconnect_max_ms = RECONNECT_MAX_MS,
                                                  .own_connections = true,
                                                  .user_agent = "combd"};

    if (!comb_str_is_empty(tls) && !comb_str_equal(tls, STR("on")))
        return bad_file(STR("tls"), "must be on, or left out", err);
    if (!certificate.ptr != !key.ptr)
        return bad_file(key.ptr ? STR("key") : STR("cert"), "needs both, cert= and key=", err);
    snprintf(member->name, sizeof member->name, strchr(host->name.ptr, ':') ? "[%s]:%u" : "%s:%u",
             host->name.ptr, host->port);
    member->host = *host;
    member->backoff = (struct comb_backoff){.first_ms = BAD_FIRST_MS, .most_ms = BAD_MOST_MS};
    member->channel = grpcc_channel_new(member->name, &options, &native);
    if (!member->channel)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "etcd at %s: %s", member->name,
                              native.message);
    return COMB_OK;
}

static enum comb_status take_credentials(struct comb_etcd *etcd, comb_str credentials,
                                         struct comb_error *err)
{
    const char *colon = credentials.len ? memchr(credentials.ptr, ':', credentials.len) : NULL;

    if (credentials.len == 0)
        return COMB_OK;
    if (!colon || colon == credentials.ptr)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the credentials file of etcd must hold user:password");
    etcd->user.ptr =
        comb_str_dup(etcd->arena, comb_str_of(credentials.ptr, (size_t)(colon - credentials.ptr)));
    etcd->user.len = (size_t)(colon - credentials.ptr);
    etcd->password.len = credentials.len - etcd->user.len - 1;
    etcd->password.ptr = comb_str_dup(etcd->arena, comb_str_of(colon + 1, etcd->password.len));
    return etcd->user.ptr && etcd->password.ptr ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status open_all(struct comb_etcd *etcd, const struct comb_store_options *options,
                                 struct comb_error *err)
{
    static const char *const names[] = {"ca", "cert", "key", "tls", NULL};
    struct comb_url url;
    enum comb_status status = comb_url_parse(etcd->arena, options->url, PORT, names, &url, err);

    if (status != COMB_OK)
        return status;
    while (url.path.len > 0 && url.path.ptr[url.path.len - 1] == '/')
        url.path.len--;
    if (url.path.len == 0)
        url.path = STR("comb");
    etcd->prefix = comb_str_from(grpcc_arena_printf(etcd->arena, "%.*s/", COMB_STR_ARG(url.path)));
    if (!etcd->prefix.ptr)
        return comb_error_no_memory(err);
    etcd->ca = comb_url_param(&url, "ca");
    status = take_credentials(etcd, options->credentials, err);
    for (size_t i = 0; i < url.n_hosts && status == COMB_OK; i++) {
        status = open_member(etcd, &url, i, err);
        etcd->n_members += status == COMB_OK;
    }
    return status;
}

enum comb_status comb_etcd_open(const struct comb_store_options *options,
                                struct comb_etcd **ret_etcd, struct comb_error *err)
{
    struct comb_etcd *etcd = comb_memory_zalloc(sizeof *etcd);
    enum comb_status status;

    if (!etcd)
        return comb_error_no_memory(err);
    pthread_mutex_init(&etcd->lock, NULL);
    etcd->status = (struct comb_store_status){.driver = "etcd", .shared = true};
    etcd->arena = grpcc_arena_new(URL_ARENA_MAX);
    status = etcd->arena ? open_all(etcd, options, err) : comb_error_no_memory(err);
    if (status == COMB_OK)
        *ret_etcd = etcd;
    else
        comb_etcd_close(etcd);
    return status;
}

void comb_etcd_close(struct comb_etcd *etcd)
{
    if (!etcd)
        return;
    for (size_t i = 0; i < etcd->n_members; i++)
        grpcc_channel_free(etcd->members[i].channel);
    if (etcd->password.ptr)
        comb_memory_wipe((char *)(uintptr_t)etcd->password.ptr, etcd->password.len);
    comb_etcd_forget_login(etcd);
    grpcc_arena_free(etcd->arena);
    pthread_mutex_destroy(&etcd->lock);
    comb_memory_free(etcd);
}

/* ---- members ---- */

static struct comb_etcd_member *take_locked(struct comb_etcd *etcd, int64_t now_ns)
{
    size_t first = etcd->next++;

    for (size_t i = 0; i < etcd->n_members; i++) {
        struct comb_etcd_member *member = &etcd->members[(first + i) % etcd->n_members];
        if (member->bad_until_ns == 0)
            return member;
    }
    for (size_t i = 0; i < etcd->n_members; i++) {
        struct comb_etcd_member *member = &etcd->members[(first + i) % etcd->n_members];
        if (!member->trying && member->bad_until_ns <= now_ns) {
            member->trying = true;
            return member;
        }
    }
    return NULL;
}

struct comb_etcd_member *comb_etcd_take(struct comb_etcd *etcd, struct comb_error *err)
{
    struct comb_etcd_member *member;

    pthread_mutex_lock(&etcd->lock);
    member = take_locked(etcd, comb_clock_monotonic_ns());
    if (!member) {
        comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "%s",
                       etcd->status.error[0] ? etcd->status.error : "etcd does not answer");
        if (err) {
            err->domain = comb_etcd_domain;
            err->retryable = true;
            err->retry_ms = BAD_FIRST_MS;
        }
    }
    pthread_mutex_unlock(&etcd->lock);
    return member;
}

static bool any_good_locked(const struct comb_etcd *etcd)
{
    for (size_t i = 0; i < etcd->n_members; i++) {
        if (etcd->members[i].bad_until_ns == 0)
            return true;
    }
    return false;
}

void comb_etcd_give(struct comb_etcd *etcd, struct comb_etcd_member *member, bool good,
                    const struct comb_error *err)
{
    pthread_mutex_lock(&etcd->lock);
    member->trying = false;
    if (good) {
        member->bad_until_ns = 0;
        comb_backoff_reset(&member->backoff);
        comb_store_status_set(&etcd->status, COMB_STORE_UP, NULL);
    } else {
        member->bad_until_ns =
            comb_clock_monotonic_ns() + comb_backoff_next_ms(&member->backoff) * COMB_NS_PER_MS;
        if (!any_good_locked(etcd))
            comb_store_status_set(&etcd->status, COMB_STORE_DOWN, err);
    }
    pthread_mutex_unlock(&etcd->lock);
}

/* ---- login ---- */

void comb_etcd_forget_login(struct comb_etcd *etcd)
{
    pthread_mutex_lock(&etcd->lock);
    if (etcd->token)
        comb_memory_wipe(etcd->token, strlen(etcd->token));
    comb_memory_free(etcd->token);
    etcd->token = NULL;
    pthread_mutex_unlock(&etcd->lock);
}

static enum comb_etcd_verdict log_in(struct comb_etcd *etcd, struct comb_etcd_member *member,
                                     struct grpcc_arena *arena, int64_t timeout_ms,
                                     struct comb_error *err)
{
    const struct grpcc_call_options options = {.size = sizeof options, .timeout_ms = timeout_ms};
    struct etcdserverpb_authenticate_request *request =
        etcdserverpb_authenticate_request_new(arena);
    struct etcdserverpb_authenticate_response *response = NULL;
    struct grpcc_error native = GRPCC_ERROR_INIT;
    enum grpcc_status status;
    char *token;

    if (!request) {
        comb_error_no_memory(err);
        return COMB_ETCD_FAIL;
    }
    request->name = (char *)(uintptr_t)etcd->user.ptr;
    request->password = (char *)(uintptr_t)etcd->password.ptr;
    status = etcdserverpb_auth_authenticate(member->channel, arena, &options, request, &response,
                                            &native);
    /* With authentication off everybody may do everything; a login is as good as none. */
    if (status == GRPCC_FAILED_PRECONDITION && strstr(native.message, "not enabled"))
        token = comb_memory_dup(STR(""));
    else if (status == GRPCC_OK)
        token = comb_memory_dup(comb_str_from(response->token));
    else
        return comb_etcd_judge(member, &native, err);
    if (!token) {
        comb_error_no_memory(err);
        return COMB_ETCD_FAIL;
    }
    comb_etcd_forget_login(etcd);
    pthread_mutex_lock(&etcd->lock);
    comb_memory_free(etcd->token);
    etcd->token = token;
    pthread_mutex_unlock(&etcd->lock);
    if (err)
        err->status = COMB_OK;
    return COMB_ETCD_FAIL;
}

enum comb_etcd_verdict comb_etcd_login(struct comb_etcd *etcd, struct comb_etcd_member *member,
                                       struct grpcc_arena *arena, int64_t timeout_ms,
                                       struct grpcc_metadata *ret_header, size_t *ret_n,
                                       struct comb_error *err)
{
    enum comb_etcd_verdict verdict = COMB_ETCD_FAIL;
    char *token = NULL;

    *ret_n = 0;
    err->status = COMB_OK;
    if (etcd->user.len == 0)
        return COMB_ETCD_FAIL;
    for (int i = 0; i < 2 && !token && err->status == COMB_OK; i++) {
        pthread_mutex_lock(&etcd->lock);
        token = etcd->token ? grpcc_arena_strdup(arena, etcd->token) : NULL;
        pthread_mutex_unlock(&etcd->lock);
        if (!token && i == 0)
            verdict = log_in(etcd, member, arena, timeout_ms, err);
    }
    if (token && token[0]) {
        *ret_header =
            (struct grpcc_metadata){.key = "token", .value = token, .length = strlen(token)};
        *ret_n = 1;
    }
    return verdict;
}

/* ---- calls ---- */

static bool enter(struct comb_etcd *etcd, struct comb_error *err)
{
    bool entered;

    pthread_mutex_lock(&etcd->lock);
    entered = etcd->status.in_flight < COMB_ETCD_IN_FLIGHT_MAX;
    etcd->status.requests++;
    if (entered)
        etcd->status.in_flight++;
    else
        etcd->status.failures++;
    pthread_mutex_unlock(&etcd->lock);
    if (!entered) {
        comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                       "%d calls wait for etcd already", COMB_ETCD_IN_FLIGHT_MAX);
        err->retryable = true;
    }
    return entered;
}

static void leave(struct comb_etcd *etcd, bool failed)
{
    pthread_mutex_lock(&etcd->lock);
    etcd->status.in_flight--;
    etcd->status.failures += failed;
    pthread_mutex_unlock(&etcd->lock);
}

struct call {
    const struct grpcc_method *method;
    const ProtobufCMessage *request;
    void *response;
    bool sent; /* an attempt was made whose outcome is open */
};

/* One attempt; err->status tells whether it has worked. */
static enum comb_etcd_verdict attempt(struct comb_etcd *etcd, struct comb_etcd_member *member,
                                      struct comb_ctx *ctx, struct call *call,
                                      struct comb_error *err)
{
    int left_ms = comb_ctx_left_ms(ctx);
    struct grpcc_metadata header;
    struct grpcc_error native = GRPCC_ERROR_INIT;
    struct grpcc_call_options options = {.size = sizeof options, .metadata = &header};
    enum comb_etcd_verdict verdict;

    options.timeout_ms = left_ms < COMB_ETCD_ATTEMPT_MS ? left_ms + 1 : COMB_ETCD_ATTEMPT_MS;
    verdict = comb_etcd_login(etcd, member, ctx->arena, options.timeout_ms, &header,
                              &options.n_metadata, err);
    if (err->status != COMB_OK)
        return verdict;
    if (grpcc_unary(member->channel, call->method, ctx->arena, &options, call->request,
                    &call->response, &native) == GRPCC_OK) {
        call->sent = false;
        return COMB_ETCD_FAIL;
    }
    verdict = comb_etcd_judge(member, &native, err);
    call->sent |= verdict == COMB_ETCD_MEMBER;
    return verdict;
}

/* Whether the member has to be left alone: not where the caller had no time to wait for it. */
static bool is_at_fault(enum comb_etcd_verdict verdict, const struct comb_error *err,
                        int64_t begin_ns)
{
    return verdict == COMB_ETCD_MEMBER &&
           (err->native != GRPCC_DEADLINE_EXCEEDED ||
            comb_clock_monotonic_ns() - begin_ns >= SLOW_MS * COMB_NS_PER_MS);
}

static enum comb_status run(struct comb_etcd *etcd, struct comb_ctx *ctx, struct call *call,
                            bool repeatable, struct comb_error *err)
{
    /* Each member once, and one more for a token that has expired. */
    bool logged_in = false;
    for (size_t i = 0; i <= etcd->n_members; i++) {
        struct comb_error failure = {0};
        struct comb_etcd_member *member = comb_etcd_take(etcd, &failure);
        if (!member) {
            /* What the last attempt said is more to the point. */
            if (i == 0)
                *err = failure;
            break;
        }
        int64_t begin_ns = comb_clock_monotonic_ns();
        enum comb_etcd_verdict verdict = attempt(etcd, member, ctx, call, &failure);
        comb_etcd_give(etcd, member, !is_at_fault(verdict, &failure, begin_ns), &failure);
        *err = failure;
        if (failure.status == COMB_OK)
            return COMB_OK;
        if (verdict == COMB_ETCD_LOGIN && !logged_in)
            comb_etcd_forget_login(etcd);
        else if (verdict != COMB_ETCD_MEMBER || (!repeatable && call->sent) ||
                 i + 1 >= etcd->n_members)
            break;
        logged_in |= verdict == COMB_ETCD_LOGIN;
        if (comb_ctx_left_ms(ctx) == 0)
            break;
    }
    return err->status;
}

/* ret_response is that of the method's type. */
static enum comb_status call_any(struct comb_etcd *etcd, struct comb_ctx *ctx,
                                 const struct grpcc_method *method, const ProtobufCMessage *request,
                                 bool is_write, bool repeatable, void **ret_response,
                                 struct comb_error *err)
{
    struct call call = {.method = method, .request = request};
    struct comb_error local = {0};
    enum comb_status status = comb_ctx_check(ctx, &local);

    if (status == COMB_OK) {
        if (enter(etcd, &local)) {
            status = run(etcd, ctx, &call, repeatable, &local);
            leave(etcd, status != COMB_OK);
        }
        status = local.status;
        if (status == COMB_UNAVAILABLE && comb_ctx_left_ms(ctx) == 0)
            status = local.status = COMB_DEADLINE_EXCEEDED;
        local.ambiguous = is_write && call.sent;
    }
    if (status == COMB_OK)
        *ret_response = call.response;
    else if (err)
        *err = local;
    return status;
}

enum comb_status comb_etcd_range(struct comb_etcd *etcd, struct comb_ctx *ctx,
                                 const struct etcdserverpb_range_request *request,
                                 struct etcdserverpb_range_response **ret_response,
                                 struct comb_error *err)
{
    void *response = NULL;
    enum comb_status status = call_any(etcd, ctx, &etcdserverpb_kv_methods[0], &request->base,
                                       false, true, &response, err);
    if (status == COMB_OK)
        *ret_response = response;
    return status;
}

enum comb_status comb_etcd_txn(struct comb_etcd *etcd, struct comb_ctx *ctx,
                               const struct etcdserverpb_txn_request *request, bool repeatable,
                               struct etcdserverpb_txn_response **ret_response,
                               struct comb_error *err)
{
    void *response = NULL;
    enum comb_status status = call_any(etcd, ctx, &etcdserverpb_kv_methods[1], &request->base, true,
                                       repeatable, &response, err);
    if (status == COMB_OK)
        *ret_response = response;
    return status;
}

enum comb_status comb_etcd_compact(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t revision,
                                   struct comb_error *err)
{
    struct etcdserverpb_compact_request *request = etcdserverpb_compact_request_new(ctx->arena);
    void *response = NULL;

    if (!request)
        return comb_error_no_memory(err);
    request->revision = revision;
    return call_any(etcd, ctx, &etcdserverpb_kv_methods[2], &request->base, true, true, &response,
                    err);
}

enum comb_status comb_etcd_lease_grant(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t ttl_s,
                                       int64_t *ret_lease, int64_t *ret_ttl_s,
                                       struct comb_error *err)
{
    struct etcdserverpb_lease_grant_request *request =
        etcdserverpb_lease_grant_request_new(ctx->arena);
    void *answer = NULL;

    if (!request)
        return comb_error_no_memory(err);
    request->ttl = ttl_s;
    /* Repeatable: a lease of which nobody knows ends by itself. */
    enum comb_status status = call_any(etcd, ctx, &etcdserverpb_lease_methods[0], &request->base,
                                       true, true, &answer, err);
    if (status != COMB_OK)
        return status;
    const struct etcdserverpb_lease_grant_response *response = answer;
    if (response->id == 0 || response->ttl <= 0)
        return comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                              "etcd grants no lease: %s", response->error);
    *ret_lease = response->id;
    *ret_ttl_s = response->ttl;
    return COMB_OK;
}

enum comb_status comb_etcd_lease_revoke(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t lease,
                                        struct comb_error *err)
{
    struct etcdserverpb_lease_revoke_request *request =
        etcdserverpb_lease_revoke_request_new(ctx->arena);
    void *response = NULL;

    if (!request)
        return comb_error_no_memory(err);
    request->id = lease;
    return call_any(etcd, ctx, &etcdserverpb_lease_methods[1], &request->base, true, true,
                    &response, err);
}

/* ---- check and status ---- */

static void ask_version(struct comb_etcd *etcd, struct comb_ctx *ctx)
{
    struct etcdserverpb_status_request *request = etcdserverpb_status_request_new(ctx->arena);
    void *answer = NULL;

    if (!request || call_any(etcd, ctx, &etcdserverpb_maintenance_methods[0], &request->base, false,
                             true, &answer, NULL) != COMB_OK)
        return;
    const struct etcdserverpb_status_response *response = answer;
    pthread_mutex_lock(&etcd->lock);
    snprintf(etcd->status.server, sizeof etcd->status.server, "etcd %.40s", response->version);
    pthread_mutex_unlock(&etcd->lock);
}

/* gRPC says no more of a certificate than that it refuses it. */
static void explain(const struct comb_etcd *etcd, struct comb_error *err)
{
    bool explained = !comb_tls_is_refusal(err->msg);

    for (size_t i = 0; i < etcd->n_members && !explained; i++) {
        const struct comb_url_host *host = &etcd->members[i].host;
        const struct comb_tls_server server = {host->name.ptr, host->port, COMB_TLS_AT_ONCE,
                                               etcd->ca.ptr};

        explained = comb_tls_explain(&server, EXPLAIN_MS, err);
    }
}

enum comb_status comb_etcd_check(struct comb_etcd *etcd, struct comb_ctx *ctx,
                                 struct comb_error *err)
{
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(ctx->arena);
    struct etcdserverpb_txn_response *response = NULL;
    ProtobufCBinaryData key = comb_etcd_key(etcd, ctx->arena, STR("check"));

    /* No key was ever created at -1: the rights of the write are asked, and it is not done. */
    if (!txn || !key.data || !comb_etcd_txn_compare(ctx->arena, txn, key, COMB_ETCD_CREATED, -1) ||
        !comb_etcd_txn_put(ctx->arena, txn, key, STR(""), 0) ||
        !comb_etcd_txn_else_get(ctx->arena, txn, key))
        return comb_error_no_memory(err);
    enum comb_status status = comb_etcd_txn(etcd, ctx, txn, true, &response, err);
    if (status == COMB_OK)
        ask_version(etcd, ctx);
    else if (err)
        explain(etcd, err);
    return status;
}

void comb_etcd_status(struct comb_etcd *etcd, struct comb_store_status *ret_status)
{
    uint32_t connections = 0;

    for (size_t i = 0; i < etcd->n_members; i++)
        connections +=
            grpcc_channel_connectivity(etcd->members[i].channel, false) == GRPCC_CONNECTIVITY_READY;
    pthread_mutex_lock(&etcd->lock);
    *ret_status = etcd->status;
    pthread_mutex_unlock(&etcd->lock);
    ret_status->connections = connections;
}
