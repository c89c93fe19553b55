/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and CAs of both sides are replaced while calls run, on connections that are old and
 * on ones that are new: not one call fails, and the new certificates are the ones that are shown.
 *
 * Each file is replaced alone, as `mv` does: for a moment a certificate has the key of another one.
 * A rotation goes as an operator's does: trust both CAs, then issue by the new one. What has
 * arrived is seen by the calls themselves: the server answers with the name of the certificate that
 * the client showed.
 */
#include <grpcc/identity.h>
#include <grpcc/listen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"
#include "tests/grpcc/raw_tls.h"

enum { ROTATIONS_SHORT = 3, ROTATIONS_LONG = 20 };
enum { KEEPERS = 3, WORKERS = KEEPERS + 1 }; /* who keep their channel; one makes new ones */
enum { CALLS_PER_CHANNEL = 20, CONNECTION_AGE_MS = 400, NAME_SIZE = 32 };
enum { PROBE_MS = 50 }; /* between looks at what the server shows, which leave the load its time */

struct worker {
    struct load *load;
    pthread_t thread;
    bool keeps;
    unsigned calls;       /* read when the thread has ended */
    char seen[NAME_SIZE]; /* the client's certificate in the last answer; under load->lock */
};

struct load {
    int port;
    char folder[CA_PATH_SIZE];
    atomic_bool stop;
    atomic_uint failures;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct worker workers[WORKERS];
};

static const char *at(const struct load *load, const char *name)
{
    return ca_path(load->folder, name);
}

/* ---- the server ---- */

static void answer_name(void *self, struct grpcc_call *call,
                        const struct grpcc_testing_ask *request)
{
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    (void)self;
    (void)request;
    answer->text = (char *)(uintptr_t)grpcc_call_identity(call)->common_name;
    grpcc_testing_echo_unary_finish(call, answer);
}

static struct fixture *serve(struct load *load)
{
    static struct grpcc_testing_echo_server table;
    struct grpcc_server_options options = {.size = sizeof(options),
                                           .connection_age_max_ms = CONNECTION_AGE_MS};
    struct grpcc_listen_options listen = {.size = sizeof(listen),
                                          .certificate_file = at(load, "server.pem"),
                                          .key_file = at(load, "server.key"),
                                          .client_ca_file = at(load, "ca.pem"),
                                          .reload_s = 1};
    table = echo_table;
    table.unary = answer_name;
    struct fixture *f = fixture_new(&options, &table);
    assert_int_equal(
        grpcc_server_listen_with(f->server, "127.0.0.1:0", &listen, &load->port, &f->err),
        GRPCC_OK);
    fixture_start(f);
    return f;
}

/* ---- the load ---- */

static struct grpcc_channel *connect_to(struct load *load)
{
    char target[32];
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel_options options = {.size = sizeof(options),
                                            .ca_file = at(load, "ca.pem"),
                                            .certificate_file = at(load, "client.pem"),
                                            .key_file = at(load, "client.key"),
                                            .reload_s = 1};
    snprintf(target, sizeof(target), "127.0.0.1:%d", load->port);
    return grpcc_channel_new(target, &options, &err);
}

static void note_failure(struct load *load, enum grpcc_status status, const char *message)
{
    atomic_fetch_add(&load->failures, 1);
    print_error("%s: %s\n", grpcc_status_name(status), message);
}

static void note_name(struct worker *worker, const char *name)
{
    pthread_mutex_lock(&worker->load->lock);
    if (strcmp(worker->seen, name) != 0) {
        snprintf(worker->seen, sizeof(worker->seen), "%s", name);
        pthread_cond_broadcast(&worker->load->changed);
    }
    pthread_mutex_unlock(&worker->load->lock);
}

static void call_once(struct worker *worker, struct grpcc_channel *channel,
                      struct grpcc_arena *arena)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = 30000};
    enum grpcc_status status = grpcc_testing_echo_unary(
        channel, arena, &options, grpcc_testing_ask_new(arena), &answer, &err);
    worker->calls++;
    if (status)
        note_failure(worker->load, status, err.message);
    else
        note_name(worker, answer->text);
    grpcc_arena_reset(arena);
}

/* A certificate and its key are two files: a new channel may find one of them replaced and the
 * other not yet, and says so. */
static struct grpcc_channel *connect_again(struct worker *worker, struct grpcc_channel *channel)
{
    struct grpcc_channel *fresh = connect_to(worker->load);
    if (!fresh)
        return channel;
    grpcc_channel_free(channel);
    return fresh;
}

static void *work(void *data)
{
    struct worker *worker = data;
    struct grpcc_channel *channel = connect_to(worker->load);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    while (!atomic_load(&worker->load->stop)) {
        call_once(worker, channel, arena);
        if (!worker->keeps && worker->calls % CALLS_PER_CHANNEL == 0)
            channel = connect_again(worker, channel);
    }
    grpcc_channel_free(channel);
    grpcc_arena_free(arena);
    return NULL;
}

/* Until every worker's calls are made with that certificate. */
static void wait_for_name(struct load *load, const char *name)
{
    pthread_mutex_lock(&load->lock);
    for (size_t i = 0; i < WORKERS; i++)
        while (strcmp(load->workers[i].seen, name) != 0)
            pthread_cond_wait(&load->changed, &load->lock);
    pthread_mutex_unlock(&load->lock);
}

/* ---- the rotations ---- */

static void issue_client(struct load *load, struct ca *ca, unsigned generation, const char *stage)
{
    char name[NAME_SIZE];
    struct ca_leaf leaf = {.name = name};
    snprintf(name, sizeof(name), "client %u %s", generation, stage);
    ca_issue(ca, &leaf, at(load, "client.pem"), at(load, "client.key"));
    if (generation)
        wait_for_name(load, name);
}

static long issue_server(struct load *load, struct ca *ca)
{
    struct ca_leaf leaf = {.name = "server", .sans = "IP:127.0.0.1"};
    return ca_issue(ca, &leaf, at(load, "server.pem"), at(load, "server.key"));
}

/* Until the server lets in who shows a certificate of that CA. */
static void wait_for_trust(struct load *load, struct ca *ca)
{
    struct ca_leaf leaf = {.name = "probe"};
    struct raw_tls probe = {.certificate_file = at(load, "probe.pem"),
                            .key_file = at(load, "probe.key")};
    ca_issue(ca, &leaf, probe.certificate_file, probe.key_file);
    while (!raw_tls_connect(load->port, &probe).accepted)
        poll(NULL, 0, PROBE_MS);
}

static void wait_for_serial(struct load *load, long serial)
{
    struct raw_tls probe = {.certificate_file = at(load, "probe.pem"),
                            .key_file = at(load, "probe.key")};
    while (raw_tls_connect(load->port, &probe).serial != serial)
        poll(NULL, 0, PROBE_MS);
}

/* The next CA, in whose name everybody is now. */
static struct ca *rotate(struct load *load, struct ca *ca, unsigned generation)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof(name), "CA %u", generation);
    struct ca *next = ca_new(name);
    ca_write(ca, next, at(load, "ca.pem"));
    wait_for_trust(load, next);
    /* When a channel shows its second new certificate it has read the CAs too: it reads both at
     * every look. */
    issue_client(load, ca, generation, "by the old CA");
    issue_client(load, next, generation, "by the new CA");
    wait_for_serial(load, issue_server(load, next));
    ca_free(ca);
    return next;
}

static struct grpcc_testing_echo_chat_stream *chat_begin(struct load *load,
                                                         struct grpcc_channel **ret_channel)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    *ret_channel = connect_to(load);
    assert_non_null(*ret_channel);
    struct grpcc_testing_echo_chat_stream *stream =
        grpcc_testing_echo_chat_stream_open(*ret_channel, NULL, &err);
    assert_non_null(stream);
    return stream;
}

/* A message there and back on a stream that is older than every rotation. */
static void chat_once(struct fixture *f, struct grpcc_testing_echo_chat_stream *stream)
{
    struct grpcc_testing_answer *answer = NULL;
    assert_true(grpcc_testing_echo_chat_stream_write(stream, ask(f, "still there?")));
    assert_int_equal(grpcc_testing_echo_chat_stream_read(stream, f->arena, &answer, &f->err), 1);
    grpcc_arena_reset(f->arena);
}

static void not_one_call_fails(void **state)
{
    static struct load load = {.lock = PTHREAD_MUTEX_INITIALIZER,
                               .changed = PTHREAD_COND_INITIALIZER};
    const char *is_long = getenv("COMB_LONG");
    unsigned rotations = is_long && *is_long == '1' ? ROTATIONS_LONG : ROTATIONS_SHORT;
    struct grpcc_channel *old_channel = NULL;
    struct ca *ca = ca_new("CA 0");
    unsigned calls = 0;
    (void)state;
    ca_folder_new(load.folder);
    ca_write(ca, NULL, at(&load, "ca.pem"));
    issue_client(&load, ca, 0, "");
    issue_server(&load, ca);
    struct fixture *f = serve(&load);
    struct grpcc_testing_echo_chat_stream *old_stream = chat_begin(&load, &old_channel);
    chat_once(f, old_stream);
    for (size_t i = 0; i < WORKERS; i++) {
        load.workers[i].load = &load;
        load.workers[i].keeps = i < KEEPERS;
        pthread_create(&load.workers[i].thread, NULL, work, &load.workers[i]);
    }
    for (unsigned generation = 1; generation <= rotations; generation++) {
        ca = rotate(&load, ca, generation);
        chat_once(f, old_stream);
    }
    atomic_store(&load.stop, true);
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(load.workers[i].thread, NULL);
        calls += load.workers[i].calls;
    }
    print_message("%u rotations, %u calls, %u failed\n", rotations, calls,
                  atomic_load(&load.failures));
    assert_int_equal(atomic_load(&load.failures), 0);
    grpcc_testing_echo_chat_stream_free(old_stream);
    grpcc_channel_free(old_channel);
    void *fixture = f;
    fixture_free(&fixture);
    ca_free(ca);
    ca_folder_remove(load.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_one_call_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
