/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that are opened and reset, at every stage of a call, as fast as a client can. */
#include <string.h>

#include "tests/abuse/target.h"

enum { CAP = 100, CONNECTIONS = 5, GROWTH_MAX_KIB = 64 * 1024 };

static unsigned streams(void)
{
    return abuse_long ? 100000 : 20000;
}

/* What a client sends of a call before it resets it. */
enum stage { HEADERS_ONLY, HALF_A_MESSAGE, WHOLE_REQUEST };

static bool open_and_reset(struct h2 *h2, enum stage stage)
{
    uint8_t message[64];
    size_t length = pack_ask("x", message, sizeof(message));
    uint32_t stream = h2_call(h2, UNARY, NULL);
    bool sent = stream != 0;
    if (sent && stage == HALF_A_MESSAGE)
        sent = h2_write(h2, H2_DATA, 0, stream, "\0\0\0\0\5ab", 7);
    else if (sent && stage == WHOLE_REQUEST)
        sent = h2_message(h2, stream, false, message, length, true);
    return sent && h2_reset(h2, stream);
}

/* In turn on all connections; where the server hangs up, on a new one. Returns how often it did. */
static unsigned reset_many(const struct target *target, enum stage stage, unsigned n_connections)
{
    struct h2 h2[CONNECTIONS];
    unsigned hung_up = 0, n = streams();
    for (unsigned i = 0; i < n_connections; i++)
        assert_true(h2_open(&h2[i], target->port, WINDOW));
    for (unsigned i = 0; i < n; i++) {
        struct h2 *at = &h2[i / CAP % n_connections];
        if (open_and_reset(at, stage) && (i % CAP != CAP - 1 || h2_flush(at)))
            continue;
        h2_close(at);
        hung_up++;
        assert_true(h2_open(at, target->port, WINDOW));
    }
    for (unsigned i = 0; i < n_connections; i++) {
        hung_up += !h2_sync(&h2[i]);
        h2_close(&h2[i]);
    }
    return hung_up;
}

static void reset_streams(enum stage stage, unsigned n_connections, const char *name)
{
    static const char *const options[] = {"streams_max=100", NULL};
    struct target target;
    target_start(&target, options);
    unsigned hung_up = reset_many(&target, stage, n_connections);
    target_serves(&target, 20);
    figures(&target, name, "%u streams, cap %d: hung up on %u times", streams(), CAP, hung_up);
    usage_must_grow_less(&target, GROWTH_MAX_KIB);
    target_stop(&target);
}

static void streams_reset_after_the_headers(void **state)
{
    (void)state;
    reset_streams(HEADERS_ONLY, 1, "streams reset after the headers");
}

static void streams_reset_within_the_message(void **state)
{
    (void)state;
    reset_streams(HALF_A_MESSAGE, 1, "streams reset within the message");
}

static void streams_reset_after_the_request(void **state)
{
    (void)state;
    reset_streams(WHOLE_REQUEST, 1, "streams reset after the request");
}

static void streams_reset_on_many_connections(void **state)
{
    (void)state;
    reset_streams(WHOLE_REQUEST, CONNECTIONS, "the same on 5 connections");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_reset_after_the_headers),
        cmocka_unit_test(streams_reset_within_the_message),
        cmocka_unit_test(streams_reset_after_the_request),
        cmocka_unit_test(streams_reset_on_many_connections),
    };
    return abuse_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
