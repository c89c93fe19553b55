/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are small on the wire and large in memory. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/abuse/target.h"

enum { MIB = 1024, GROWTH_MAX_KIB = 64 * MIB, REQUEST_MAX = 4 << 20, ROOM = 5 << 20 };

struct bytes {
    uint8_t *at;
    size_t length;
};

static struct bytes bytes_new(void)
{
    struct bytes bytes = {malloc(ROOM), 0};
    assert_non_null(bytes.at);
    return bytes;
}

/* A gzip stream of that many MiB of zeros: a thousandth of their size. */
static struct bytes gzip_bomb(unsigned mib)
{
    static uint8_t zeros[1 << 20];
    struct bytes bomb = bytes_new();
    z_stream stream = {.next_out = bomb.at, .avail_out = ROOM};
    enum { GZIP_WINDOW = 15 + 16 };
    assert_int_equal(
        deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY),
        Z_OK);
    for (unsigned i = 0; i < mib; i++) {
        stream.next_in = zeros;
        stream.avail_in = sizeof(zeros);
        assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
    }
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    bomb.length = ROOM - stream.avail_out;
    deflateEnd(&stream);
    assert_true(bomb.length < REQUEST_MAX);
    return bomb;
}

/* Ask.inner in Ask.inner, and so on: written from the innermost outwards, at the end of the room.
 */
static struct bytes deep_message(unsigned depth)
{
    enum { TAG_INNER = 5 << 3 | 2 };
    struct bytes message = bytes_new();
    uint8_t *first = message.at + ROOM, *end = first;
    for (unsigned i = 0; i < depth; i++) {
        uint8_t head[8] = {TAG_INNER};
        size_t n = 1, length = (size_t)(end - first);
        for (; length >= 128; length /= 128)
            head[n++] = (uint8_t)(length % 128 + 128);
        head[n++] = (uint8_t)length;
        first -= n;
        memcpy(first, head, n);
    }
    message.length = (size_t)(end - first);
    memmove(message.at, first, message.length);
    return message;
}

/* Two bytes each on the wire, and a struct each in memory. */
static struct bytes many_elements(unsigned n)
{
    enum { TAG_MANY = 6 << 3 | 2 };
    struct bytes message = bytes_new();
    for (unsigned i = 0; i < n; i++) {
        message.at[message.length++] = TAG_MANY;
        message.at[message.length++] = 0;
    }
    return message;
}

static int status_of(const struct target *target, struct bytes message, bool compressed)
{
    static const char *const gzip[] = {"grpc-encoding", "gzip", NULL};
    struct h2 h2;
    assert_true(h2_open(&h2, target->port, WINDOW));
    uint32_t stream = h2_call(&h2, UNARY, compressed ? gzip : NULL);
    assert_true(h2_message_in_windows(&h2, stream, compressed, message.at, message.length, true));
    int status = h2_status(&h2, stream);
    h2_close(&h2);
    return status;
}

/* The same message from several connections, one after another. */
static void must_answer(const char *const *options, struct bytes message, bool compressed,
                        enum grpcc_status expected, const char *name)
{
    enum { TIMES = 10 };
    struct target target;
    target_start(&target, options);
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(status_of(&target, message, compressed), expected);
    figures(&target, name, "%d times %zu bytes: %s", TIMES, message.length,
            grpcc_status_name(expected));
    usage_must_grow_less(&target, GROWTH_MAX_KIB);
    target_stop(&target);
    free(message.at);
}

static unsigned bomb_mib(void)
{
    return abuse_long ? 1024 : 256;
}

static void a_gzip_bomb_is_not_inflated(void **state)
{
    static const char *const options[] = {"accept_compressed=1", NULL};
    (void)state;
    must_answer(options, gzip_bomb(bomb_mib()), true, GRPCC_RESOURCE_EXHAUSTED,
                abuse_long ? "gzip bomb of 1 GiB" : "gzip bomb of 256 MiB");
}

static void compression_is_off_by_default(void **state)
{
    (void)state;
    must_answer(NULL, gzip_bomb(bomb_mib()), true, GRPCC_UNIMPLEMENTED,
                "the same, compression not accepted");
}

static void a_deep_message_is_refused(void **state)
{
    (void)state;
    must_answer(NULL, deep_message(5000), false, GRPCC_INVALID_ARGUMENT, "message of depth 5,000");
}

static void a_message_as_deep_as_its_size_allows_is_refused(void **state)
{
    (void)state;
    must_answer(NULL, deep_message(800000), false, GRPCC_INVALID_ARGUMENT,
                "message of depth 800,000");
}

static void a_message_of_very_many_elements_is_refused(void **state)
{
    (void)state;
    must_answer(NULL, many_elements(REQUEST_MAX / 2 - 1), false, GRPCC_RESOURCE_EXHAUSTED,
                "message of 2,000,000 messages");
}

/* Core takes a message in before it looks at its size: what it may use for that is limited. */
static void messages_that_are_too_large_do_not_fill_memory(void **state)
{
    static const char *const options[] = {"memory_bytes_max=67108864", NULL};
    static uint8_t zeros[256 << 20];
    enum { TIMES = 3, QUOTA_KIB = 64 * MIB };
    struct target target;
    (void)state;
    target_start(&target, options);
    for (int i = 0; i < TIMES; i++) {
        struct h2 h2;
        assert_true(h2_open(&h2, target.port, WINDOW));
        uint32_t stream = h2_call(&h2, UNARY, NULL);
        assert_false(h2_message_in_windows(&h2, stream, false, zeros, sizeof(zeros), true));
        h2_close(&h2);
    }
    figures(&target, "message of 256 MiB (memory_bytes_max 64 MiB)", "%d times: reset", TIMES);
    usage_must_grow_less(&target, QUOTA_KIB + 32 * MIB);
    /* Core chooses whose call it resets: the bystander's may have been among them, until now. */
    atomic_store(&target.bystander.failed, 0);
    target_stop(&target);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gzip_bomb_is_not_inflated),
        cmocka_unit_test(compression_is_off_by_default),
        cmocka_unit_test(a_deep_message_is_refused),
        cmocka_unit_test(a_message_as_deep_as_its_size_allows_is_refused),
        cmocka_unit_test(a_message_of_very_many_elements_is_refused),
        cmocka_unit_test(messages_that_are_too_large_do_not_fill_memory),
    };
    return abuse_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
