/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abuse_server [NAME=NUMBER]...: serves grpcc.testing.Echo until SIGTERM, with the options named,
 * and prints its port. NAME is a member of struct grpcc_server_options, or "descriptors_max".
 */
#include <grpcc/server.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "grpcc/testing.grpcc.h"

/* ---- the Echo ---- */

static struct grpcc_testing_answer *answer_new(struct grpcc_call *call)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    if (!answer)
        grpcc_call_fail(call, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    return answer;
}

struct hold {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
};

static void hold_over(void *data)
{
    struct hold *hold = data;
    pthread_mutex_lock(&hold->lock);
    hold->over = true;
    pthread_cond_signal(&hold->changed);
    pthread_mutex_unlock(&hold->lock);
}

/* Keeps the worker until the call is cancelled. */
static void hold_worker(struct grpcc_call *call)
{
    struct hold *hold = grpcc_arena_alloc(grpcc_call_arena(call), sizeof(*hold));
    if (!hold)
        return;
    *hold = (struct hold){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    if (!grpcc_call_on_cancel(call, hold_over, hold))
        return;
    pthread_mutex_lock(&hold->lock);
    while (!hold->over)
        pthread_cond_wait(&hold->changed, &hold->lock);
    pthread_mutex_unlock(&hold->lock);
}

static void unary(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = answer_new(call);
    (void)self;
    if (!answer)
        return;
    if (strcmp(request->text, "hold") == 0)
        hold_worker(call);
    answer->text = request->text;
    answer->data = request->data;
    grpcc_testing_echo_unary_finish(call, answer);
}

static void collect(void *self, struct grpcc_call *call)
{
    struct grpcc_testing_answer *answer = answer_new(call);
    struct grpcc_testing_ask *request = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    enum grpcc_status status = GRPCC_OK;
    (void)self;
    if (!answer)
        return;
    while (
        !(status = grpcc_testing_echo_collect_read(call, grpcc_call_arena(call), &request, &err)) &&
        request)
        answer->count++;
    if (status)
        grpcc_call_fail(call, status, "%s", err.message);
    else
        grpcc_testing_echo_collect_finish(call, answer);
}

/* `count` times `data`. */
static void expand(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = answer_new(call);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)self;
    if (!answer)
        return;
    answer->data = request->data;
    for (answer->count = 0; answer->count < request->count; answer->count++) {
        if (grpcc_testing_echo_expand_send(call, answer, &err)) {
            grpcc_call_fail(call, err.status, "%s", err.message);
            return;
        }
    }
    grpcc_call_finish_ok(call);
}

static const struct grpcc_testing_echo_server table = {
    .unary = unary, .collect = collect, .expand = expand};

/* ---- options ---- */

#define OPTION(member)                                                                             \
    {                                                                                              \
#member, offsetof(struct grpcc_server_options, member)                                     \
    }

/* Those that tests set; all are unsigned. */
static const struct {
    const char *name;
    size_t offset;
} names[] = {
    OPTION(workers),
    OPTION(queue_max),
    OPTION(streams_max),
    OPTION(streams_blocking_max),
    OPTION(connections_max),
    OPTION(connections_per_peer_max),
    OPTION(calls_max),
    OPTION(resets_per_second_max),
    OPTION(handshake_timeout_ms),
    OPTION(keepalive_min_ms),
    OPTION(send_wait_max_ms),
};

static bool set_option(struct grpcc_server_options *options, const char *argument)
{
    const char *equals = strchr(argument, '=');
    unsigned value = equals ? (unsigned)strtoul(equals + 1, NULL, 10) : 0;
    if (!equals)
        return false;
    size_t length = (size_t)(equals - argument);
    if (strncmp(argument, "descriptors_max", length) == 0) {
        struct rlimit limit = {value, value};
        return setrlimit(RLIMIT_NOFILE, &limit) == 0;
    }
    if (strncmp(argument, "memory_bytes_max", length) == 0) {
        options->memory_bytes_max = value;
        return true;
    }
    if (strncmp(argument, "accept_compressed", length) == 0) {
        options->accept_compressed = value != 0;
        return true;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i].name) != length || strncmp(names[i].name, argument, length) != 0)
            continue;
        memcpy((char *)options + names[i].offset, &value, sizeof(value));
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct grpcc_server_options options = {.size = sizeof(options)};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    sigset_t ends;
    int port = 0, received = 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody else would end it */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    for (int i = 1; i < argc; i++) {
        if (!set_option(&options, argv[i])) {
            fprintf(stderr, "abuse_server: no such option: %s\n", argv[i]);
            return 2;
        }
    }
    struct grpcc_server *server = grpcc_server_new(&options, &err);
    if (!server || grpcc_testing_echo_register(server, &table, NULL, &err) ||
        grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &err) ||
        grpcc_server_start(server, &err)) {
        fprintf(stderr, "abuse_server: %s\n", err.message);
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    sigwait(&ends, &received);
    grpcc_server_drain(server, 0, 1000);
    grpcc_server_free(server);
    return 0;
}
