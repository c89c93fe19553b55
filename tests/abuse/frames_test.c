/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that are allowed and too many, or that are not allowed, and bytes that are no frames. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/abuse/target.h"

enum { GROWTH_MAX_KIB = 48 * 1024 };

static unsigned frames(void)
{
    return abuse_long ? 1000000 : 100000;
}

/* What a client does with a connection that has been opened; false: the server closed it
 * meanwhile. */
typedef bool (*attack)(struct h2 *h2, unsigned n);

static bool pings(struct h2 *h2, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!h2_write(h2, H2_PING, 0, 0, "12345678", 8))
            return false;
    return h2_sync(h2);
}

static bool settings(struct h2 *h2, unsigned n)
{
    static const uint8_t window[6] = {0, H2_SETTING_WINDOW, 0, 0, 0xff, 0xff};
    for (unsigned i = 0; i < n; i++)
        if (!h2_write(h2, H2_SETTINGS, 0, 0, window, sizeof(window)))
            return false;
    return h2_sync(h2);
}

static bool empty_data(struct h2 *h2, unsigned n)
{
    uint32_t stream = h2_call(h2, COLLECT, NULL);
    for (unsigned i = 0; i < n; i++)
        if (!h2_write(h2, H2_DATA, 0, stream, NULL, 0))
            return false;
    return h2_sync(h2);
}

static bool empty_messages(struct h2 *h2, unsigned n)
{
    uint32_t stream = h2_call(h2, COLLECT, NULL);
    h2->sending = stream;
    h2->stream_window = h2->initial_window;
    for (unsigned i = 0; i < n; i++)
        if (!h2_message(h2, stream, false, NULL, 0, false))
            return false;
    return h2_sync(h2);
}

/* A block of headers that never ends. */
static bool continuations(struct h2 *h2, unsigned n)
{
    uint8_t block[4096];
    size_t length = h2_headers(block, sizeof(block), UNARY, NULL);
    if (!h2_write(h2, H2_HEADERS, 0, 1, block, length))
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!h2_write(h2, H2_CONTINUATION, 0, 1, NULL, 0))
            return false;
    return h2_flush(h2);
}

/* The same, of headers: 8 MB of them, which core keeps until they end. */
static bool endless_headers(struct h2 *h2, unsigned n)
{
    uint8_t block[4096], more[8 + 8000] = {0, 4, 'x', '-', 'a', 'b', 0x7f, 0xc1};
    size_t length = h2_headers(block, sizeof(block), UNARY, NULL);
    if (!h2_write(h2, H2_HEADERS, 0, 1, block, length))
        return false;
    memset(more + 8, 'v', sizeof(more) - 8);
    more[7] = 0xc1; /* 127 + 0x41 + 128 * 61 = 8,000 */
    for (unsigned i = 0; i < n; i++)
        if (!h2_write(h2, H2_CONTINUATION, 0, 1, more, sizeof(more)))
            return false;
    return h2_sync(h2);
}

static bool window_overflow(struct h2 *h2, unsigned n)
{
    (void)n;
    return h2_window(h2, 0, INT32_MAX) && h2_window(h2, 0, INT32_MAX) && h2_sync(h2);
}

static bool window_updates(struct h2 *h2, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!h2_window(h2, 0, 1))
            return false;
    return h2_sync(h2);
}

static bool data_on_no_stream(struct h2 *h2, unsigned n)
{
    (void)n;
    return h2_write(h2, H2_DATA, 0, 99, "x", 1) && h2_sync(h2);
}

static bool resets_of_no_stream(struct h2 *h2, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!h2_reset(h2, 99))
            return false;
    return h2_sync(h2);
}

static bool unknown_frames(struct h2 *h2, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (!h2_write(h2, (enum h2_type)0xfe, 0xff, 77, "x", 1))
            return false;
    return h2_sync(h2);
}

static bool half_a_frame(struct h2 *h2, unsigned n)
{
    (void)n;
    return send(h2->fd, "\0\0\x40\0\0", 5, MSG_NOSIGNAL) == 5 && shutdown(h2->fd, SHUT_WR) == 0 &&
           !h2_is_closed(h2);
}

static bool headers_above_the_limit(struct h2 *h2, unsigned n)
{
    static char value[3000];
    const char *extra[] = {"x-a", value, "x-b", value, "x-c", value, NULL};
    uint8_t block[16384];
    (void)n;
    memset(value, 'v', sizeof(value) - 1);
    size_t length = h2_headers(block, sizeof(block), UNARY, extra);
    for (int i = 0; i < 5; i++) /* 16 KiB and more */
        length += h2_headers(block + length, sizeof(block) - length, UNARY, NULL);
    h2->next_stream += 2;
    if (!h2_write(h2, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, 1, block, length))
        return false;
    return h2_status(h2, 1) != GRPCC_OK && h2_sync(h2);
}

enum { MANY = 0, HEADERS_8_KB = 1000, MESSAGES = 1000, ONCE = 1 };

static const struct {
    const char *name;
    attack run;
    unsigned n; /* MANY: as many as the size of the test says */
} attacks[] = {
    {"PING", pings, MANY},
    {"SETTINGS", settings, MANY},
    {"WINDOW_UPDATE", window_updates, MANY},
    {"empty DATA", empty_data, MANY},
    {"empty messages of a stream", empty_messages, MESSAGES},
    {"empty CONTINUATION", continuations, MANY},
    {"CONTINUATION of 8 KB", endless_headers, HEADERS_8_KB},
    {"RST_STREAM of no stream", resets_of_no_stream, MANY},
    {"frames of an unknown type", unknown_frames, MANY},
    {"window beyond 2^31", window_overflow, ONCE},
    {"DATA of no stream", data_on_no_stream, ONCE},
    {"headers above 16 KiB", headers_above_the_limit, ONCE},
    {"half a frame, half closed", half_a_frame, ONCE},
};

static void frames_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        struct target target;
        struct h2 h2;
        target_start(&target, NULL);
        assert_true(h2_open(&h2, target.port, WINDOW));
        unsigned n = attacks[i].n ? attacks[i].n : frames();
        bool kept = attacks[i].run(&h2, n);
        target_serves(&target, 20);
        figures(&target, attacks[i].name, "%u: the connection was %s", n, kept ? "kept" : "closed");
        usage_must_grow_less(&target, GROWTH_MAX_KIB);
        h2_close(&h2);
        target_stop(&target);
    }
}

#define BYTES(literal) literal, sizeof(literal) - 1

/* What is not HTTP/2 at all. */
static const struct {
    const char *name;
    const char *bytes;
    size_t length;
} strangers[] = {
    {"HTTP/1.1", BYTES("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
    {"a TLS hello to plaintext", BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03")},
    {"zeros", BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
    {"the preface twice",
     BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
};

static void strangers_are_shown_the_door(void **state)
{
    enum { TIMES = 200 };
    struct target target;
    (void)state;
    target_start(&target, NULL);
    for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
        for (int times = 0; times < TIMES; times++) {
            struct h2 h2 = {.fd = h2_connect(target.port)};
            assert_true(h2.fd >= 0);
            assert_int_equal(send(h2.fd, strangers[i].bytes, strangers[i].length, MSG_NOSIGNAL),
                             strangers[i].length);
            assert_true(h2_is_closed(&h2));
            h2_close(&h2);
        }
        figures(&target, strangers[i].name, "%d times: closed", TIMES);
    }
    usage_must_grow_less(&target, GROWTH_MAX_KIB);
    target_stop(&target);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_do_no_harm),
        cmocka_unit_test(strangers_are_shown_the_door),
    };
    return abuse_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
