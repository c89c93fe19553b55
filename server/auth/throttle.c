/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/auth/throttle_driver.h"
#include "server/core/clock.h"

/* Doublings after which the longest wait is reached for certain. */
#define DOUBLINGS_MAX 20

struct key {
    char text[COMB_THROTTLE_KEY_MAX];
};

static comb_str key_of_login(comb_str login, struct key *key)
{
    int length = snprintf(key->text, sizeof key->text, "login:%.*s",
                          (int)(login.len > 128 ? 128 : login.len), login.ptr);
    return comb_str_of(key->text, (size_t)length);
}

/* The network of a caller: an IPv4 address; of IPv6 the first half, as anybody has all of the
 * rest. */
static comb_str key_of_peer(comb_str peer, struct key *key)
{
    const char *colon = peer.len > 0 ? memrchr(peer.ptr, ':', peer.len) : NULL;
    comb_str host = colon ? comb_str_of(peer.ptr, (size_t)(colon - peer.ptr)) : peer;
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *open = comb_str_starts_with(host, STR("ipv6:[")) ? host.ptr + 6 : NULL;
    const char *close = open ? memchr(open, ']', host.len - 6) : NULL;
    if (close && (size_t)(close - open) < sizeof text) {
        memcpy(text, open, (size_t)(close - open));
        text[close - open] = '\0';
        if (inet_pton(AF_INET6, text, &address) == 1) {
            memset(address.s6_addr + 8, 0, 8);
            if (inet_ntop(AF_INET6, &address, text, sizeof text))
                host = comb_str_from(text);
        }
    }
    int length = snprintf(key->text, sizeof key->text, "peer:%.*s",
                          (int)(host.len > 128 ? 128 : host.len), host.ptr);
    return comb_str_of(key->text, (size_t)length);
}

/* How long the next try has to wait from now on. */
static int64_t wait_us(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str key,
                       uint32_t free_failures)
{
    struct comb_throttle_counter counter = {0};
    throttle->driver->get(throttle, ctx, key, &counter);
    if (counter.failures < free_failures)
        return 0;
    uint32_t doublings = counter.failures - free_failures;
    int64_t wait_s = 1LL << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    if (wait_s > COMB_THROTTLE_WAIT_MAX_S)
        wait_s = COMB_THROTTLE_WAIT_MAX_S;
    int64_t left_us = counter.last_us + wait_s * COMB_US_PER_S - comb_clock_wall_us();
    return left_us > 0 ? left_us : 0;
}

enum comb_status comb_throttle_check(struct comb_throttle *throttle, struct comb_ctx *ctx,
                                     comb_str login, struct comb_error *err)
{
    struct key key;
    int64_t left_us = wait_us(throttle, ctx, key_of_login(login, &key), COMB_THROTTLE_LOGIN_FREE);
    int64_t peer_us = wait_us(throttle, ctx, key_of_peer(ctx->peer, &key), COMB_THROTTLE_PEER_FREE);
    if (peer_us > left_us)
        left_us = peer_us;
    if (left_us == 0)
        return COMB_OK;
    int64_t left_s = (left_us + COMB_US_PER_S - 1) / COMB_US_PER_S;
    comb_error_set(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_LOGIN_THROTTLED,
                   "too many failed log-ins; try again in %lld s", (long long)left_s);
    if (err) {
        err->retry_ms = left_s * 1000;
        err->retryable = true;
    }
    return COMB_RESOURCE_EXHAUSTED;
}

void comb_throttle_fail(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login)
{
    struct key key;
    throttle->driver->add(throttle, ctx, key_of_login(login, &key));
    throttle->driver->add(throttle, ctx, key_of_peer(ctx->peer, &key));
}

void comb_throttle_succeed(struct comb_throttle *throttle, struct comb_ctx *ctx, comb_str login)
{
    struct key key;
    throttle->driver->clear(throttle, ctx, key_of_login(login, &key));
}

void comb_throttle_close(struct comb_throttle *throttle)
{
    if (throttle && throttle->driver->close)
        throttle->driver->close(throttle);
}
