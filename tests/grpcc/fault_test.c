/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in the life of a server and a channel fails once, with all that can be put on
 * them: no crash, no leak, no call without an end. */
#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcc/access_log.h>
#include <grpcc/authorize.h>
#include <grpcc/channelz.h>
#include <grpcc/dump.h>
#include <grpcc/limit.h>
#include <grpcc/metrics.h>
#include <grpcc/trace.h>
#include <unistd.h>

#include "tests/grpcc/fault.h"

/* What one run makes; NULL in a member: not made. */
struct life {
    struct grpcc_arena *arena;
    struct grpcc_server *server;
    struct grpcc_channel *channel;
    struct grpcc_metrics *metrics;
    struct grpcc_limits *limits;
    struct grpcc_authorizer *authorizer;
    struct grpcc_access_log *log;
    int fd; /* of the access log */
    struct grpcc_error err;
};

static const struct grpcc_rule rules[] = {{GRPCC_ALLOW, "anyone", "*"},
                                          {GRPCC_ALLOW, "anyone", "/grpc.health.v1.Health/"}};

static void span_ends(void *self, const struct grpcc_span *span)
{
    (void)self;
    (void)span;
}

/* False: some step said that it had no memory. */
static bool put_on(struct life *life)
{
    const struct grpcc_limit_options limits = {
        .size = sizeof(limits), .per_method = 100, .per_peer = 100, .rate_per_s = 1e6};
    const struct grpcc_access_log_options log = {.size = sizeof(log), .fd = life->fd};
    const struct grpcc_span_sink sink = {.size = sizeof(sink), .end = span_ends};
    life->metrics = grpcc_metrics_new();
    life->limits = grpcc_limits_new(&limits, &life->err);
    life->authorizer = grpcc_authorizer_new(rules, 2, &life->err);
    life->log = grpcc_access_log_new(&log, &life->err);
    return life->metrics && life->limits && life->authorizer && life->log &&
           !grpcc_metrics_attach(life->metrics, life->server, "api", &life->err) &&
           !grpcc_server_add_interceptor(life->server, &grpcc_authorize, life->authorizer,
                                         &life->err) &&
           !grpcc_limits_attach(life->limits, life->server, &life->err) &&
           !grpcc_access_log_attach(life->log, life->server, &life->err) &&
           !grpcc_server_set_spans(life->server, &sink, &life->err) &&
           !grpcc_channelz_register(life->server, &life->err);
}

static bool begin(struct life *life)
{
    const struct grpcc_server_options options = {.size = sizeof(options),
                                                 .accept_compressed = true};
    const struct grpcc_retry_policy retry = {.size = sizeof(retry)};
    const struct grpcc_method_policy method = {
        .size = sizeof(method), .name = "grpcc.testing.Echo/Expand", .retry = &retry};
    int port = 0;
    life->arena = grpcc_arena_new(0);
    life->server = grpcc_server_new(&options, &life->err);
    if (!life->arena || !life->server || !put_on(life) ||
        grpcc_testing_echo_register(life->server, &echo_table, NULL, &life->err) ||
        grpcc_server_listen(life->server, "127.0.0.1:0", NULL, &port, &life->err) ||
        grpcc_server_start(life->server, &life->err))
        return false;
    const struct grpcc_channel_options channel = {.size = sizeof(channel),
                                                  .load_balancing = "round_robin",
                                                  .health_service = "",
                                                  .methods = &method,
                                                  .n_methods = 1,
                                                  .accept_compressed = true,
                                                  .metrics = life->metrics};
    char *target = grpcc_arena_printf(life->arena, "127.0.0.1:%d", port);
    life->channel = target ? grpcc_channel_new(target, &channel, &life->err) : NULL;
    return life->channel != NULL;
}

/* False: it did not succeed; whatever fails, each call ends and says why. */
static bool call(struct life *life)
{
    const struct grpcc_metadata metadata = {
        "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55};
    const struct grpcc_call_options options = {.size = sizeof(options),
                                               .metadata = &metadata,
                                               .n_metadata = 1,
                                               .compression = GRPCC_COMPRESSION_GZIP,
                                               .wait_for_ready = true,
                                               .timeout_ms = 60000};
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(life->arena);
    struct grpcc_testing_answer *answer = NULL;
    if (!request)
        return false;
    grpcc_testing_ask_set_text(request, "x");
    request->count = 3;
    enum grpcc_status status = grpcc_testing_echo_unary(life->channel, life->arena, &options,
                                                        request, &answer, &life->err);
    fault_must_be_sound(status);
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(life->channel, &options, request, &life->err);
    if (!stream)
        return false;
    while (grpcc_testing_echo_expand_stream_read(stream, life->arena, &answer, &life->err) == 1)
        continue;
    enum grpcc_status end =
        grpcc_testing_echo_expand_stream_finish(stream, life->arena, &life->err);
    grpcc_testing_echo_expand_stream_free(stream);
    return status == GRPCC_OK && end == GRPCC_OK;
}

static bool write_none(void *data, const char *text, size_t length)
{
    (void)data;
    (void)text;
    (void)length;
    return true;
}

/* No call is under way any more: short, because a drain waits a quarter of it for the next one. */
enum { GRACE_MS = 40 };

/* Whether all of it succeeded. */
static bool live_once(void)
{
    struct life life = {.fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    bool done = begin(&life) && call(&life);
    if (done)
        done = grpcc_server_dump(life.server, write_none, NULL) &&
               grpcc_metrics_write(life.metrics, write_none, NULL);
    if (life.server)
        grpcc_server_drain(life.server, 0, GRACE_MS);
    grpcc_channel_free(life.channel);
    grpcc_server_free(life.server);
    grpcc_access_log_free(life.log);
    grpcc_authorizer_free(life.authorizer);
    grpcc_limits_free(life.limits);
    grpcc_metrics_free(life.metrics);
    grpcc_arena_free(life.arena);
    close(life.fd);
    return done;
}

static void every_allocation_may_fail(void **state)
{
    enum { ALLOCATIONS_MAX = 3000, CLEAN_RUNS = 3 };
    unsigned n = 0;
    (void)state;
    for (int clean = 0; clean < CLEAN_RUNS; n++) {
        long before = fault_live();
        assert_true(n < ALLOCATIONS_MAX);
        fault_arm(n);
        bool done = live_once();
        bool reached = fault_disarm();
        assert_true(done || reached);
        if (fault_live() != before)
            print_error("%ld blocks are left where allocation %u failed\n", fault_live() - before,
                        n);
        assert_int_equal(fault_live(), before);
        clean = reached ? 0 : clean + 1;
    }
    print_message("%u allocations\n", n - CLEAN_RUNS);
    assert_true(n > 100); /* so many are there at least: the loop did not end by accident */
}

static void ignore(void *data, enum grpcc_log_level level, const char *message)
{
    (void)data;
    (void)level;
    (void)message;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };
    fault_install();
    grpcc_set_log(ignore, NULL);
    /* Core stays up between the runs, and has joined its threads at the end. */
    grpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    grpc_shutdown_blocking();
    return failed;
}
