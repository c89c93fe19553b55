/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that do not read what they asked for, or do not finish what they began, and a pool that
 * is full. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/abuse/target.h"

enum { STREAM_WORKERS = 16, MIB_KIB = 1024 };

/* ---- a request for n messages of a MiB each ---- */

static uint32_t ask_for_mibs(struct h2 *h2, unsigned n, const char *const *headers)
{
    static uint8_t bytes[1 << 20], packed[(1 << 20) + 64];
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_testing_ask *ask = grpcc_testing_ask_new(arena);
    ask->count = n;
    ask->data = (ProtobufCBinaryData){sizeof(bytes), bytes};
    size_t length = protobuf_c_message_get_packed_size(&ask->base);
    assert_true(length <= sizeof(packed));
    protobuf_c_message_pack(&ask->base, packed);
    grpcc_arena_free(arena);
    uint32_t stream = h2_call(h2, EXPAND, headers);
    assert_true(h2_message_in_windows(h2, stream, false, packed, length, true));
    return stream;
}

/* A server stream of one message: how it ends. */
static int small_stream(const struct target *target)
{
    struct h2 h2;
    assert_true(h2_open(&h2, target->port, 4 << 20));
    assert_true(h2_window(&h2, 0, 4 << 20));
    int status = h2_status(&h2, ask_for_mibs(&h2, 1, NULL));
    h2_close(&h2);
    return status;
}

static void must_serve_streams_again(const struct target *target)
{
    int status;
    do
        status = small_stream(target);
    while (status == GRPCC_UNAVAILABLE || status == GRPCC_RESOURCE_EXHAUSTED);
    assert_int_equal(status, GRPCC_OK);
}

static void slow_readers(const char *const *headers, bool hang_up, const char *name)
{
    struct target target;
    struct h2 readers[STREAM_WORKERS];
    target_start(&target, NULL);
    for (int i = 0; i < STREAM_WORKERS; i++) {
        assert_true(h2_open(&readers[i], target.port, WINDOW));
        ask_for_mibs(&readers[i], 1024, headers);
    }
    /* Every stream worker waits for a reader: streams are shed, other calls are not. */
    int shed = small_stream(&target);
    target_serves(&target, 50);
    struct usage stuck = target_usage(&target);
    for (int i = 0; hang_up && i < STREAM_WORKERS; i++)
        h2_close(&readers[i]);
    must_serve_streams_again(&target);
    for (int i = 0; !hang_up && i < STREAM_WORKERS; i++)
        h2_close(&readers[i]);
    figures(&target, name, "%d times 1 GiB: %.1f MiB held; streams meanwhile: %s", STREAM_WORKERS,
            (double)(stuck.rss_kib - target.before.rss_kib) / 1024,
            grpcc_status_name((enum grpcc_status)shed));
    /* The request, the message being sent, and core's part of it. */
    usage_must_grow_less(&target, STREAM_WORKERS * 5 * MIB_KIB);
    target_stop(&target);
}

static void readers_that_never_read_and_leave(void **state)
{
    (void)state;
    slow_readers(NULL, true, "slow readers that leave");
}

static void readers_that_never_read_until_their_deadline(void **state)
{
    static const char *const headers[] = {"grpc-timeout", "3S", NULL};
    (void)state;
    slow_readers(headers, false, "slow readers with a deadline");
}

static void a_reader_that_never_reads_and_never_leaves(void **state)
{
    static const char *const options[] = {"send_wait_max_ms=1500", NULL};
    struct target target;
    struct h2 readers[STREAM_WORKERS];
    (void)state;
    target_start(&target, options);
    for (int i = 0; i < STREAM_WORKERS; i++) {
        assert_true(h2_open(&readers[i], target.port, WINDOW));
        ask_for_mibs(&readers[i], 1024, NULL);
    }
    must_serve_streams_again(&target);
    figures(&target, "slow readers for ever", "%d: ended after send_wait_max_ms", STREAM_WORKERS);
    for (int i = 0; i < STREAM_WORKERS; i++)
        h2_close(&readers[i]);
    target_stop(&target);
}

/* ---- writers ---- */

/* What is sent of a connection that never goes on. */
static const struct {
    const char *name;
    const char *bytes;
    size_t length;
} beginnings[] = {
    {"connections that say nothing", "", 0},
    {"half a preface", "PRI * HTTP/2.0\r\n", 16},
    {"a preface without settings", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24},
};

static void handshakes_that_never_end(void **state)
{
    static const char *const options[] = {"handshake_timeout_ms=500", NULL};
    enum { TIMES = 300 };
    struct target target;
    struct h2 h2[TIMES];
    (void)state;
    target_start(&target, options);
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        for (int n = 0; n < TIMES; n++) {
            h2[n] = (struct h2){.fd = h2_connect(target.port)};
            assert_true(h2[n].fd >= 0);
            (void)!send(h2[n].fd, beginnings[i].bytes, beginnings[i].length, MSG_NOSIGNAL);
        }
        for (int n = 0; n < TIMES; n++) {
            assert_true(h2_is_closed(&h2[n]));
            h2_close(&h2[n]);
        }
        figures(&target, beginnings[i].name, "%d: closed after handshake_timeout_ms", TIMES);
    }
    usage_must_grow_less(&target, 32 * MIB_KIB);
    target_stop(&target);
}

/* Headers without an end, half a message, a stream without messages: they hold no worker, or a
 * stream's, and other calls go on. */
static void calls_that_never_end(void **state)
{
    enum { TIMES = 100 };
    struct target target;
    struct h2 h2[TIMES];
    uint8_t block[4096];
    size_t length = h2_headers(block, sizeof(block), UNARY, NULL);
    (void)state;
    target_start(&target, NULL);
    for (int n = 0; n < TIMES; n++) {
        assert_true(h2_open(&h2[n], target.port, WINDOW));
        if (n % 3 == 0)
            assert_true(h2_write(&h2[n], H2_HEADERS, 0, 1, block, length));
        else if (n % 3 == 1)
            assert_true(h2_call(&h2[n], COLLECT, NULL) != 0);
        else
            assert_true(h2_call(&h2[n], UNARY, NULL) &&
                        h2_write(&h2[n], H2_DATA, 0, 1, "\0\0\0\0\5ab", 7));
        assert_true(h2_flush(&h2[n]));
    }
    target_serves(&target, 100);
    figures(&target, "slow writers", "%d: other calls go on", TIMES);
    for (int n = 0; n < TIMES; n++)
        h2_close(&h2[n]);
    must_serve_streams_again(&target);
    usage_must_grow_less(&target, 32 * MIB_KIB);
    target_stop(&target);
}

/* ---- a full pool ---- */

static void a_pool_that_is_full_sheds_and_recovers(void **state)
{
    static const char *const options[] = {"workers=4", "queue_max=8", NULL};
    enum { CALLS = 100, RUN = 4, WAIT = 8 };
    struct target target;
    struct h2 h2;
    uint8_t hold[64];
    size_t length = pack_ask("hold", hold, sizeof(hold));
    unsigned shed = 0;
    (void)state;
    target_start_watched_by_health(&target, options);
    assert_true(h2_open(&h2, target.port, WINDOW));
    for (int i = 0; i < CALLS; i++) {
        uint32_t stream = h2_call(&h2, UNARY, NULL);
        assert_true(h2_message(&h2, stream, false, hold, length, true));
    }
    /* All but those that run and wait are answered at once; the rest when they have waited too
     * long and others push them out, or not at all. */
    while (shed < CALLS - RUN - WAIT && h2_read(&h2))
        shed += h2.in.type == H2_HEADERS && h2.in.flags & H2_END_STREAM;
    target_serves(&target, 50);
    figures(&target, "a full pool", "%d calls, %d workers, queue of %d: %u shed, health goes on",
            CALLS, RUN, WAIT, shed);
    assert_int_equal(shed, CALLS - RUN - WAIT);
    h2_close(&h2);
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_channel *channel = target_channel(&target);
    for (int i = 0; i < 50; i++)
        assert_int_equal(target_call(channel, &err), GRPCC_OK);
    grpcc_channel_free(channel);
    target_stop(&target);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_that_never_read_and_leave),
        cmocka_unit_test(readers_that_never_read_until_their_deadline),
        cmocka_unit_test(a_reader_that_never_reads_and_never_leaves),
        cmocka_unit_test(handshakes_that_never_end),
        cmocka_unit_test(calls_that_never_end),
        cmocka_unit_test(a_pool_that_is_full_sheds_and_recovers),
    };
    return abuse_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
