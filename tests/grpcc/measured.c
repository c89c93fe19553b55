/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves grpcc.testing.Echo's descriptor with metrics over HTTP, calls it a few times in different
 * ways, prints the port of the metrics, and ends with its standard input.
 */
#include <grpcc/channel.h>
#include <grpcc/metrics.h>
#include <grpcc/prometheus.h>
#include <grpcc/server.h>
#include <stdio.h>

#include "grpcc/testing.grpcc.h"

static void answer(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    (void)self;
    if (request->status) {
        grpcc_call_fail(call, (enum grpcc_status)request->status, "as asked");
        return;
    }
    grpcc_testing_echo_unary_finish(call, grpcc_testing_answer_new(grpcc_call_arena(call)));
}

static const struct grpcc_testing_echo_server table = {.unary = answer};

static bool call_it(struct grpcc_metrics *metrics, int port, struct grpcc_arena *arena,
                    struct grpcc_error *err)
{
    const struct grpcc_channel_options options = {.size = sizeof(options), .metrics = metrics};
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
    struct grpcc_testing_answer *response = NULL;
    char target[64];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target, &options, err);
    if (!channel || !request)
        return false;
    bool ok = !grpcc_testing_echo_unary(channel, arena, NULL, request, &response, err);
    request->status = GRPCC_NOT_FOUND;
    (void)!grpcc_testing_echo_unary(channel, arena, NULL, request, &response, err);
    (void)!grpcc_testing_echo_missing(channel, arena, NULL, request, &response, err);
    grpcc_channel_free(channel);
    return ok;
}

int main(void)
{
    const struct grpcc_prometheus_options options = {.size = sizeof(options),
                                                     .address = "127.0.0.1:0"};
    const struct grpcc_metric_info odd = {.size = sizeof(odd),
                                          .name = "testing.odd",
                                          .help = "A help with \\ and\na second line.",
                                          .labels = &(struct grpcc_label){"what", "\"a\\b\nc\""},
                                          .n_labels = 1};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_metrics *metrics = grpcc_metrics_new();
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    struct grpcc_prometheus *prometheus = NULL;
    struct grpcc_metric *counter = NULL;
    int port = 0;
    bool ok = arena && metrics && server && !grpcc_metrics_attach(metrics, server, "api", &err) &&
              !grpcc_metrics_add_counter(metrics, &odd, &counter, &err) &&
              !grpcc_testing_echo_register(server, &table, NULL, &err) &&
              !grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &err) &&
              !grpcc_server_start(server, &err) && call_it(metrics, port, arena, &err);
    if (ok)
        prometheus = grpcc_prometheus_new(metrics, &options, &err);
    if (!prometheus || grpcc_prometheus_add_server(prometheus, "api", server, &err)) {
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
        return 1;
    }
    grpcc_counter_add(counter, 7);
    printf("%d\n", grpcc_prometheus_port(prometheus));
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    grpcc_prometheus_free(prometheus);
    grpcc_server_free(server);
    grpcc_metrics_free(metrics);
    grpcc_arena_free(arena);
    return 0;
}
