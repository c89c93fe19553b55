/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/ctx.h"

#include <limits.h>

#include "server/core/clock.h"

int comb_ctx_left_ms(const struct comb_ctx *ctx)
{
    if (ctx->deadline_ns == INT64_MAX)
        return INT_MAX;
    int64_t left_ns = ctx->deadline_ns - comb_clock_monotonic_ns();
    if (left_ns <= 0)
        return 0;
    /* Rounded up: who waits that long has then passed the deadline. */
    int64_t left_ms = (left_ns - 1) / COMB_NS_PER_MS + 1;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

enum comb_status comb_ctx_check(const struct comb_ctx *ctx, struct comb_error *err)
{
    if (comb_ctx_left_ms(ctx) > 0)
        return COMB_OK;
    return comb_error_set(err, COMB_DEADLINE_EXCEEDED, 0, "the deadline of the call has passed");
}

void comb_ctx_reach(struct comb_ctx *ctx, struct comb_position position)
{
    /* Another incarnation is another history: the newer answer counts, numbers do not compare. */
    if (ctx->reached.incarnation != position.incarnation ||
        ctx->reached.sequence < position.sequence)
        ctx->reached = position;
}

void comb_ctx_see_reached(struct comb_ctx *ctx)
{
    ctx->seen = ctx->reached;
}

void comb_ctx_asked(struct comb_ctx *ctx)
{
    if (!ctx->strong)
        return;
    comb_ctx_see_reached(ctx);
    ctx->strong = false;
}
