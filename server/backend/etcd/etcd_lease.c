/* SPDX-License-Identifier: Apache-2.0 */
/* A lease that a thread of its own grants, prolongs, and grants again. */
#include "comb/v1/errors.grpcc.h"
#include "server/backend/etcd/etcd_internal.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

enum { RETRY_FIRST_MS = 100, RETRY_MOST_MS = 2000, REVOKE_MS = 1000 };

struct comb_etcd_lease {
    struct comb_etcd *etcd;
    struct comb_etcd_lease_owner owner;
    int64_t ttl_s;
    pthread_t thread;
    pthread_mutex_t lock; /* of closing */
    pthread_cond_t wake;
    bool closing;

    /* the thread's */
    struct comb_backoff backoff;
    int64_t id;            /* 0: none */
    int64_t granted_ttl_s; /* of id */
    int64_t until_ns;      /* CLOCK_BOOTTIME: what we may count on */
};

static bool is_closing(struct comb_etcd_lease *lease)
{
    pthread_mutex_lock(&lease->lock);
    bool closing = lease->closing;
    pthread_mutex_unlock(&lease->lock);
    return closing;
}

static void sleep_ms(struct comb_etcd_lease *lease, int64_t ms)
{
    int64_t until_ns = comb_clock_in_ms(ms);

    pthread_mutex_lock(&lease->lock);
    while (!lease->closing && comb_cond_wait_until(&lease->wake, &lease->lock, until_ns))
        continue;
    pthread_mutex_unlock(&lease->lock);
}

static enum comb_status grant(struct comb_etcd_lease *lease, struct comb_ctx *ctx,
                              struct comb_error *err)
{
    int64_t begin_ns = comb_clock_boottime_ns();
    enum comb_status status = comb_etcd_lease_grant(lease->etcd, ctx, lease->ttl_s, &lease->id,
                                                    &lease->granted_ttl_s, err);
    if (status == COMB_OK)
        lease->until_ns = begin_ns + lease->granted_ttl_s * COMB_NS_PER_S;
    return status;
}

/* One request and its answer on a stream of their own: *ret_ttl_s is 0 where the lease is gone. */
static enum comb_etcd_verdict ask_again(struct comb_etcd_member *member, struct comb_ctx *ctx,
                                        const struct grpcc_call_options *options, int64_t id,
                                        int64_t *ret_ttl_s, struct comb_error *err)
{
    struct etcdserverpb_lease_keep_alive_request *request =
        etcdserverpb_lease_keep_alive_request_new(ctx->arena);
    struct etcdserverpb_lease_keep_alive_response *response = NULL;
    struct grpcc_error native = GRPCC_ERROR_INIT;

    if (!request) {
        comb_error_no_memory(err);
        return COMB_ETCD_FAIL;
    }
    request->id = id;
    struct etcdserverpb_lease_lease_keep_alive_stream *stream =
        etcdserverpb_lease_lease_keep_alive_stream_open(member->channel, options, &native);
    if (stream && etcdserverpb_lease_lease_keep_alive_stream_write(stream, request) &&
        etcdserverpb_lease_lease_keep_alive_stream_read(stream, ctx->arena, &response, &native) > 0)
        *ret_ttl_s = response->ttl;
    else if (stream)
        etcdserverpb_lease_lease_keep_alive_stream_finish(stream, NULL, &native);
    etcdserverpb_lease_lease_keep_alive_stream_free(stream);
    if (response)
        return COMB_ETCD_FAIL;
    if (native.status == GRPCC_OK)
        grpcc_error_set(&native, GRPCC_UNAVAILABLE, "the stream ended without an answer");
    return comb_etcd_judge(member, &native, err);
}

enum comb_status comb_etcd_lease_keep(struct comb_etcd *etcd, struct comb_ctx *ctx, int64_t lease,
                                      int64_t *ret_ttl_s, struct comb_error *err)
{
    int left_ms = comb_ctx_left_ms(ctx);
    struct grpcc_metadata header;
    struct grpcc_call_options options = {
        .size = sizeof options,
        .metadata = &header,
        .timeout_ms = left_ms < COMB_ETCD_ATTEMPT_MS ? left_ms : COMB_ETCD_ATTEMPT_MS};
    enum comb_etcd_verdict verdict;
    struct comb_etcd_member *member;

    *err = (struct comb_error){0};
    if (comb_ctx_check(ctx, err) != COMB_OK || !(member = comb_etcd_take(etcd, err)))
        return err->status;
    verdict = comb_etcd_login(etcd, member, ctx->arena, options.timeout_ms, &header,
                              &options.n_metadata, err);
    if (err->status == COMB_OK)
        verdict = ask_again(member, ctx, &options, lease, ret_ttl_s, err);
    if (verdict == COMB_ETCD_LOGIN)
        comb_etcd_forget_login(etcd);
    comb_etcd_give(etcd, member, verdict != COMB_ETCD_MEMBER, err);
    return err->status;
}

static void lose(struct comb_etcd_lease *lease, const char *why)
{
    int64_t id = lease->id;

    comb_log(COMB_LOG_WARN, comb_etcd_domain, "a lease is lost",
             comb_log_text("why", comb_str_from(why)));
    lease->id = 0;
    lease->owner.lost(lease->owner.self, id);
}

/* One step; how long to wait before the next one. */
static int64_t step(struct comb_etcd_lease *lease, struct comb_ctx *ctx)
{
    struct comb_error err = {0};
    int64_t ttl_s = 0, begin_ns = comb_clock_boottime_ns();

    if (lease->id && begin_ns >= lease->until_ns)
        lose(lease, "etcd did not answer in time, or the process stood still");
    if (!lease->id) {
        if (grant(lease, ctx, &err) != COMB_OK)
            return comb_backoff_next_ms(&lease->backoff);
        lease->owner.held(lease->owner.self, lease->id);
    } else if (comb_etcd_lease_keep(lease->etcd, ctx, lease->id, &ttl_s, &err) != COMB_OK) {
        return comb_backoff_next_ms(&lease->backoff);
    } else if (ttl_s <= 0) {
        lose(lease, "etcd has ended it");
        return 1;
    } else {
        lease->until_ns = begin_ns + ttl_s * COMB_NS_PER_S;
    }
    comb_backoff_reset(&lease->backoff);
    return lease->granted_ttl_s * 1000 / 3;
}

static void *keep(void *data)
{
    struct comb_etcd_lease *lease = data;
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0)};

    while (ctx.arena && !is_closing(lease)) {
        ctx.deadline_ns = comb_clock_monotonic_ns() +
                          COMB_ETCD_ATTEMPT_MS * (int64_t)lease->etcd->n_members * COMB_NS_PER_MS;
        int64_t wait_ms = step(lease, &ctx);
        grpcc_arena_reset(ctx.arena);
        sleep_ms(lease, wait_ms);
    }
    if (ctx.arena && lease->id) {
        ctx.deadline_ns = comb_clock_monotonic_ns() + REVOKE_MS * COMB_NS_PER_MS;
        /* Where this fails the lease ends by itself. */
        (void)!comb_etcd_lease_revoke(lease->etcd, &ctx, lease->id, NULL);
    }
    grpcc_arena_free(ctx.arena);
    return NULL;
}

enum comb_status comb_etcd_lease_open(struct comb_etcd *etcd, int64_t ttl_s,
                                      const struct comb_etcd_lease_owner *owner,
                                      struct comb_etcd_lease **ret_lease, struct comb_error *err)
{
    struct comb_etcd_lease *lease = comb_memory_zalloc(sizeof *lease);

    if (!lease)
        return comb_error_no_memory(err);
    lease->etcd = etcd;
    lease->owner = *owner;
    lease->ttl_s = ttl_s;
    lease->backoff = (struct comb_backoff){.first_ms = RETRY_FIRST_MS, .most_ms = RETRY_MOST_MS};
    pthread_mutex_init(&lease->lock, NULL);
    comb_cond_init(&lease->wake);
    if (pthread_create(&lease->thread, NULL, keep, lease) != 0) {
        pthread_cond_destroy(&lease->wake);
        pthread_mutex_destroy(&lease->lock);
        comb_memory_free(lease);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for a lease of etcd");
    }
    *ret_lease = lease;
    return COMB_OK;
}

void comb_etcd_lease_close(struct comb_etcd_lease *lease)
{
    if (!lease)
        return;
    pthread_mutex_lock(&lease->lock);
    lease->closing = true;
    pthread_cond_broadcast(&lease->wake);
    pthread_mutex_unlock(&lease->lock);
    pthread_join(lease->thread, NULL);
    pthread_cond_destroy(&lease->wake);
    pthread_mutex_destroy(&lease->lock);
    comb_memory_free(lease);
}
