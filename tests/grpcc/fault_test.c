/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the runtime fails once, on both sides of a call: no crash, no leak, no call
 * without an end. */
#include <stdlib.h>

#include "tests/grpcc/fixture.h"

static atomic_uint calls;
static atomic_uint failing = UINT32_MAX; /* the number of the allocation that fails */

static bool fails(void)
{
    return atomic_fetch_add(&calls, 1) == atomic_load(&failing);
}

static void *faulty_alloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *faulty_realloc(void *pointer, size_t size)
{
    return fails() ? NULL : realloc(pointer, size);
}

static const struct grpcc_allocator faulty = {faulty_alloc, faulty_realloc, free};

/* All of it: server, channel, a call with metadata, a stream. False: some step said that it had no
 * memory. */
static bool run_once(void)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_server *server = NULL;
    struct grpcc_channel *channel = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    int port = 0;
    bool done = false;
    if (!arena)
        return false;
    server = grpcc_server_new(NULL, &err);
    if (!server || grpcc_testing_echo_register(server, &echo_table, NULL, &err) ||
        grpcc_server_listen(server, "127.0.0.1:0", NULL, &port, &err) ||
        grpcc_server_start(server, &err))
        goto out;
    char *target = grpcc_arena_printf(arena, "127.0.0.1:%d", port);
    channel = target ? grpcc_channel_new(target, NULL, &err) : NULL;
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
    if (!channel || !request)
        goto out;
    request->text = grpcc_arena_strdup(arena, "x");
    if (!request->text)
        goto out;
    const struct grpcc_metadata metadata = {"x-key", "value", 5};
    struct grpcc_call_options options = {
        .size = sizeof(options), .metadata = &metadata, .n_metadata = 1, .timeout_ms = 10000};
    struct grpcc_testing_answer *answer = NULL;
    enum grpcc_status status =
        grpcc_testing_echo_unary(channel, arena, &options, request, &answer, &err);
    /* Whatever fails, each call ends, and says why. */
    assert_true(status == GRPCC_OK || status == GRPCC_RESOURCE_EXHAUSTED);
    done = status == GRPCC_OK;
    request->count = 3;
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(channel, &options, request, &err);
    while (stream && grpcc_testing_echo_expand_stream_read(stream, arena, &answer, &err) == 1)
        continue;
    status = stream ? grpcc_testing_echo_expand_stream_finish(stream, arena, &err) : err.status;
    done = done && status == GRPCC_OK;
    grpcc_testing_echo_expand_stream_free(stream);
out:
    grpcc_channel_free(channel);
    grpcc_server_free(server);
    grpcc_arena_free(arena);
    return done;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    unsigned n = 0;
    bool reached;
    do {
        atomic_store(&calls, 0);
        atomic_store(&failing, n++);
        run_once();
        reached = atomic_load(&calls) > atomic_load(&failing);
    } while (reached && n < 1000);
    assert_false(reached);
    assert_true(n > 30); /* so many are there at least: the loop did not end by accident */
    atomic_store(&failing, UINT32_MAX);
    assert_true(run_once());
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
    grpcc_set_allocator(&faulty);
    grpcc_set_log(ignore, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
