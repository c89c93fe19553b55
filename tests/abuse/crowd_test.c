/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections: idle ones, a thousand that all call at once, more than there are descriptors
 * for, more than one address may have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/abuse/target.h"

enum { IDLE_KIB_MAX = 24, CLIENTS = 1000, CROWD = 300, DESCRIPTORS = 64, PER_PEER = 20 };

static unsigned idle_connections(void)
{
    return abuse_long ? 10000 : 2000;
}

static bool send_unary(struct h2 *h2, uint32_t *ret_stream)
{
    uint8_t message[64];
    size_t length = pack_ask("x", message, sizeof(message));
    *ret_stream = h2_call(h2, UNARY, NULL);
    return *ret_stream && h2_message(h2, *ret_stream, false, message, length, true) && h2_flush(h2);
}

/* A connection that has had a call answered; -1: it was refused. */
static int client_that_has_called(int port)
{
    struct h2 h2;
    uint32_t stream = 0;
    bool answered = h2_open(&h2, port, WINDOW) && send_unary(&h2, &stream) &&
                    h2_status(&h2, stream) == GRPCC_OK;
    int fd = answered ? dup(h2.fd) : -1;
    h2_close(&h2);
    return fd;
}

static void close_all(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* A crowd that comes, calls and leaves. Returns what the server uses with all of them there. */
static long come_and_leave(struct target *target, unsigned n)
{
    int *fds = calloc(n, sizeof(*fds));
    assert_non_null(fds);
    for (unsigned i = 0; i < n; i++) {
        fds[i] = client_that_has_called(target->port);
        assert_true(fds[i] >= 0);
    }
    target_serves(target, 20);
    long rss_kib = target_usage(target).rss_kib;
    close_all(fds, n);
    free(fds);
    return rss_kib;
}

/* The server notices the ends of connections one by one, and gives back in its own time. */
static long rss_when_it_has_fallen_to(const struct target *target, long kib)
{
    long rss_kib = target_usage(target).rss_kib;
    for (int i = 0; i < 400 && rss_kib > kib; i++) {
        usleep(50000);
        rss_kib = target_usage(target).rss_kib;
    }
    return rss_kib;
}

static void idle_connections_cost_little_and_give_it_back(void **state)
{
    struct target target;
    unsigned n = idle_connections();
    (void)state;
    target_start(&target, NULL);
    long before = target.before.rss_kib;
    long first = come_and_leave(&target, n);
    long left = rss_when_it_has_fallen_to(&target, before + (first - before) / 2);
    long second = come_and_leave(&target, n);
    figures(&target, "idle connections",
            "%u: %.1f KiB each; %.1f MiB when they have left; a second crowd: %.1f MiB", n,
            (double)(first - before) / n, (double)left / 1024, (double)second / 1024);
    usage_must_grow_less(&target, (long)n * IDLE_KIB_MAX);
    /* Core 1.51 keeps some hundred bytes of each connection for good, in pages of their own. */
    rss_must_be_below("after the crowd", left, before + (first - before) / 2);
    rss_must_be_below("with a second crowd", second, first * 6 / 5);
    target_stop(&target);
}

static void a_thousand_clients_call_at_once(void **state)
{
    static struct h2 clients[CLIENTS];
    static uint32_t streams[CLIENTS];
    enum { ROUNDS = 5 };
    struct target target;
    unsigned ok = 0, shed = 0;
    (void)state;
    target_start(&target, NULL);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_true(h2_open(&clients[i], target.port, WINDOW));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < CLIENTS; i++)
            assert_true(send_unary(&clients[i], &streams[i]));
        for (unsigned i = 0; i < CLIENTS; i++) {
            int status = h2_status(&clients[i], streams[i]);
            ok += status == GRPCC_OK;
            shed += status == GRPCC_RESOURCE_EXHAUSTED || status == GRPCC_UNAVAILABLE;
        }
    }
    figures(&target, "clients at once", "%d, %d calls each: %u answered, %u shed", CLIENTS, ROUNDS,
            ok, shed);
    assert_int_equal(ok + shed, ROUNDS * CLIENTS);
    assert_true(ok > shed);
    for (unsigned i = 0; i < CLIENTS; i++)
        h2_close(&clients[i]);
    target_stop(&target);
}

/* How many of n connections that come at once are let in. */
static unsigned crowd_in(const struct target *target, int *fds, unsigned n)
{
    unsigned in = 0;
    for (unsigned i = 0; i < n; i++) {
        fds[i] = client_that_has_called(target->port);
        in += fds[i] >= 0;
    }
    return in;
}

static void must_serve_a_new_client(const struct target *target)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel *channel = target_channel(target);
    assert_int_equal(target_call(channel, &err), GRPCC_OK);
    grpcc_channel_free(channel);
}

static void more_come_than_may(const char *const *options, unsigned let_in_max, const char *name)
{
    int fds[CROWD];
    struct target target;
    target_start(&target, options);
    unsigned in = crowd_in(&target, fds, CROWD);
    target_serves(&target, 20);
    figures(&target, name, "%d connections: %u let in, the others closed at once", CROWD, in);
    assert_true(in > 0);
    assert_true(in <= let_in_max);
    close_all(fds, CROWD);
    must_serve_a_new_client(&target);
    target_stop(&target);
}

static void no_descriptors_are_left(void **state)
{
    static const char *const options[] = {"descriptors_max=64", NULL};
    (void)state;
    more_come_than_may(options, DESCRIPTORS, "no descriptors left (64)");
}

static void one_address_has_its_share(void **state)
{
    static const char *const options[] = {"connections_per_peer_max=20", NULL};
    (void)state;
    more_come_than_may(options, PER_PEER, "more from one address than may (20)");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_connections_cost_little_and_give_it_back),
        cmocka_unit_test(a_thousand_clients_call_at_once),
        cmocka_unit_test(no_descriptors_are_left),
        cmocka_unit_test(one_address_has_its_share),
    };
    return abuse_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
