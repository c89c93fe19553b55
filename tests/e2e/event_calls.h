/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms of calls of comb.v1.Events; a failure where none is expected ends the test. */
#ifndef TESTS_E2E_EVENT_CALLS_H
#define TESTS_E2E_EVENT_CALLS_H

#include "comb/client.h"
#include "comb/v1/events.grpcc.h"

/* A Subscribe call. */
struct ear {
    struct comb_v1_events_subscribe_stream *stream;
    struct grpcc_arena *arena; /* of the newest event */
    struct comb_v1_events_subscribe_response *event;
};

/* GRPCC_OK, or how the call was refused. */
enum grpcc_status event_publish(struct comb_client *client, const char *topic, const void *payload,
                                size_t len);
/* The same with a text, which must be taken. */
void event_say(struct comb_client *client, const char *topic, const char *text);

/* Listens; the first heartbeat has come when this returns. queue_max: 0: the most. */
void ear_open(struct ear *ear, struct comb_client *client, const char *pattern, const char *group,
              unsigned queue_max);
/* Tries to; how it was refused. */
enum grpcc_status ear_refused(struct comb_client *client, const char *pattern);
/* Waits for the next event but heartbeats; false: the call has ended. */
bool ear_next(struct ear *ear);
/* The next event must be this message. */
void ear_must_hear(struct ear *ear, const char *topic, const char *text);
/* How the call ended, after ear_next() said so. */
enum grpcc_status ear_status(struct ear *ear);
/* Ends the call where it has not ended. */
void ear_close(struct ear *ear);

#endif
