/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/event_calls.h"

#include <string.h>

#include "tests/support/cmocka.h"

enum grpcc_status event_publish(struct comb_client *client, const char *topic, const void *payload,
                                size_t len)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_events_publish_request *request = comb_v1_events_publish_request_new(arena);
    struct comb_v1_events_publish_response *response = NULL;
    comb_v1_events_publish_request_set_topic(request, topic);
    request->payload.data = (uint8_t *)payload;
    request->payload.len = len;
    enum grpcc_status status =
        comb_v1_events_publish(comb_client_channel(client), arena, NULL, request, &response, &err);
    grpcc_arena_free(arena);
    return status;
}

void event_say(struct comb_client *client, const char *topic, const char *text)
{
    assert_int_equal(event_publish(client, topic, text, strlen(text)), GRPCC_OK);
}

static void open_stream(struct ear *ear, struct comb_client *client, const char *pattern,
                        const char *group, unsigned queue_max)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    ear->arena = grpcc_arena_new(0);
    ear->event = NULL;
    assert_non_null(ear->arena);
    struct comb_v1_events_subscribe_request *request =
        comb_v1_events_subscribe_request_new(ear->arena);
    comb_v1_events_subscribe_request_set_pattern(request, pattern);
    comb_v1_events_subscribe_request_set_queue_group(request, group);
    request->queue_max = queue_max;
    ear->stream =
        comb_v1_events_subscribe_stream_open(comb_client_channel(client), NULL, request, &err);
    assert_non_null(ear->stream);
}

static bool read_any(struct ear *ear)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    grpcc_arena_reset(ear->arena);
    return comb_v1_events_subscribe_stream_read(ear->stream, ear->arena, &ear->event, &err) == 1;
}

static bool is_heartbeat(const struct ear *ear)
{
    return ear->event->event_case == COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_HEARTBEAT;
}

void ear_open(struct ear *ear, struct comb_client *client, const char *pattern, const char *group,
              unsigned queue_max)
{
    for (open_stream(ear, client, pattern, group, queue_max); !read_any(ear);
         open_stream(ear, client, pattern, group, queue_max)) {
        enum grpcc_status status = ear_status(ear);
        /* Calls that have just ended count among a user's until the server has noticed. */
        if (status != GRPCC_RESOURCE_EXHAUSTED)
            fail_msg("%s: ended with status %d", pattern, status);
        comb_v1_events_subscribe_stream_free(ear->stream);
        grpcc_arena_free(ear->arena);
    }
    assert_true(is_heartbeat(ear));
}

enum grpcc_status ear_refused(struct comb_client *client, const char *pattern)
{
    struct ear ear;
    open_stream(&ear, client, pattern, "", 0);
    assert_false(read_any(&ear));
    enum grpcc_status status = ear_status(&ear);
    comb_v1_events_subscribe_stream_free(ear.stream);
    grpcc_arena_free(ear.arena);
    return status;
}

bool ear_next(struct ear *ear)
{
    bool more;
    do {
        more = read_any(ear);
    } while (more && is_heartbeat(ear));
    return more;
}

void ear_must_hear(struct ear *ear, const char *topic, const char *text)
{
    if (!ear_next(ear))
        fail_msg("%s: ended with status %d", topic, ear_status(ear));
    if (ear->event->event_case != COMB_V1_EVENTS_SUBSCRIBE_RESPONSE_EVENT_MESSAGE)
        fail_msg("%s: a loss of %d", topic, (int)ear->event->loss->lost_min);
    assert_string_equal(ear->event->message->topic, topic);
    assert_int_equal(ear->event->message->payload.len, strlen(text));
    assert_memory_equal(ear->event->message->payload.data, text, strlen(text));
}

enum grpcc_status ear_status(struct ear *ear)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    return comb_v1_events_subscribe_stream_finish(ear->stream, ear->arena, &err);
}

void ear_close(struct ear *ear)
{
    comb_v1_events_subscribe_stream_cancel(ear->stream);
    while (read_any(ear))
        ;
    (void)ear_status(ear);
    comb_v1_events_subscribe_stream_free(ear->stream);
    grpcc_arena_free(ear->arena);
}
