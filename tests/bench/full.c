/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/full.h"

#include <stdatomic.h>
#include <string.h>

#include "grpcc/limit.h"
#include "grpcc/metrics.h"
#include "grpcc/trace.h"

enum { LIMIT = 10000, RATE = 10000000 }; /* never reached: what counts is the counting */

static const struct {
    const char *token, *principal;
} principals[] = {
    {FULL_AUTHORIZATION, "bench"},
};

/* In constant time. */
static bool is_token(const char *given, size_t length, const char *token)
{
    unsigned differs = length != strlen(token);
    for (size_t i = 0; !differs && i < length; i++)
        differs |= (unsigned)(given[i] ^ token[i]);
    return !differs;
}

static enum grpcc_verdict authenticate(void *self, struct grpcc_call *call)
{
    size_t length = 0;
    const char *given = grpcc_call_metadata(call, "authorization", &length);
    (void)self;
    for (size_t i = 0; given && i < sizeof(principals) / sizeof(principals[0]); i++) {
        if (!is_token(given, length, principals[i].token))
            continue;
        grpcc_call_set_user_data(call, (void *)(uintptr_t)principals[i].principal);
        return GRPCC_PROCEED;
    }
    grpcc_call_fail(call, GRPCC_UNAUTHENTICATED, "no token that is known here");
    return GRPCC_ANSWERED;
}

static const char *key_of(void *data, struct grpcc_call *call)
{
    (void)data;
    return grpcc_call_user_data(call);
}

/* Stands for an exporter: that it can see a span is what is measured. */
static void count_span(void *self, const struct grpcc_span *span)
{
    atomic_fetch_add_explicit((atomic_ullong *)self, span->status == GRPCC_OK,
                              memory_order_relaxed);
}

enum grpcc_status full_attach(struct grpcc_server *server, struct grpcc_error *err)
{
    static atomic_ullong spans;
    static const struct grpcc_interceptor authentication = {.begin = authenticate};
    static const struct grpcc_limit_options options = {.size = sizeof(options),
                                                       .total = LIMIT,
                                                       .per_method = LIMIT,
                                                       .per_peer = LIMIT,
                                                       .per_key = LIMIT,
                                                       .rate_per_s = RATE,
                                                       .burst = RATE,
                                                       .key = key_of};
    const struct grpcc_span_sink sink = {
        .size = sizeof(sink), .end = count_span, .self = &spans, .sample_one_in = 1};
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    if (!metrics)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for metrics");
    enum grpcc_status status = grpcc_server_add_interceptor(server, &authentication, NULL, err);
    struct grpcc_limits *limits = status ? NULL : grpcc_limits_new(&options, err);
    if (!limits)
        return err->status;
    status = grpcc_limits_attach(limits, server, err);
    if (!status)
        status = grpcc_metrics_attach(metrics, server, "bench", err);
    return status ? status : grpcc_server_set_spans(server, &sink, err);
}
