/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: opened on one replica with our headers, never repeated here. */
#include <string.h>

#include "client/lib/call.h"

enum { SCRATCH_BYTES_MAX = 1 << 20 };

/* Lives until the runtime says that the call is over. */
struct comb_stream {
    struct comb_client *client;
    struct comb_replica *replica;
    struct comb_stream *next, **link; /* in the client's list; its lock */
    struct grpcc_client_call *call;   /* the same lock; NULL while it is opened */
    bool may_repeat;                  /* whoever opened it opens it again where it breaks */
    void (*on_metadata)(void *data, bool trailing, const char *key, const void *value,
                        size_t length);
    void (*on_end)(void *data, enum grpcc_status status);
    void *data;
};

static struct comb_stream *stream_new(struct comb_client *client, const struct comb_rule *rule,
                                      const struct grpcc_call_options *options)
{
    struct comb_stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->client = comb_client_ref(client);
    stream->replica = comb_replicas_pick(client, 0);
    if (!stream->replica) {
        comb_client_unref(client);
        free(stream);
        return NULL;
    }
    atomic_fetch_add(&stream->replica->streams, 1);
    atomic_fetch_add(&stream->replica->n_attempts, 1);
    atomic_fetch_add(&client->counters.streams, 1);
    comb_keeper_enter(client);
    stream->may_repeat = rule->repetition == COMB_V1_REPETITION_READ ||
                         rule->repetition == COMB_V1_REPETITION_REQUEST_ID;
    stream->on_metadata = options->on_metadata;
    stream->on_end = options->on_end;
    stream->data = options->on_metadata_data;
    pthread_mutex_lock(&client->lock);
    stream->next = client->streams;
    stream->link = &client->streams;
    if (stream->next)
        stream->next->link = &stream->next;
    client->streams = stream;
    pthread_mutex_unlock(&client->lock);
    return stream;
}

static void stream_free(struct comb_stream *stream)
{
    struct comb_client *client = stream->client;
    pthread_mutex_lock(&client->lock);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    pthread_mutex_unlock(&client->lock);
    atomic_fetch_sub(&stream->replica->streams, 1);
    comb_replica_unref(stream->replica);
    comb_keeper_leave(client);
    free(stream);
    comb_client_unref(client);
}

static void on_metadata(void *data, bool trailing, const char *key, const void *value,
                        size_t length)
{
    struct comb_stream *stream = data;
    if (strcmp(key, "comb-token") == 0)
        (void)comb_seen_add(&stream->client->seen, value, length);
    if (stream->on_metadata)
        stream->on_metadata(stream->data, trailing, key, value, length);
}

static void on_end(void *data, enum grpcc_status status)
{
    struct comb_stream *stream = data;
    if (status == GRPCC_UNAVAILABLE)
        comb_replica_fails(stream->client, stream->replica);
    else if (status == GRPCC_OK)
        comb_replica_works(stream->replica, 0);
    if (stream->on_end)
        stream->on_end(stream->data, status);
    stream_free(stream);
}

void comb_streams_cancel_locked(struct comb_client *client)
{
    for (struct comb_stream *stream = client->streams; stream; stream = stream->next)
        if (stream->call)
            grpcc_client_call_cancel(stream->call);
}

void comb_streams_leave(struct comb_client *client, const struct comb_replica *replica)
{
    if (!comb_replicas_has_other(client, replica))
        return;
    pthread_mutex_lock(&client->lock);
    for (struct comb_stream *stream = client->streams; stream; stream = stream->next) {
        if (!stream->call || stream->replica != replica || !stream->may_repeat)
            continue;
        atomic_fetch_add(&client->counters.silences, 1);
        grpcc_client_call_break(stream->call, "the replica does not answer");
    }
    pthread_mutex_unlock(&client->lock);
}

/* Tokens that are about to end are replaced first, where this thread may wait for it. */
static void refresh_ahead(struct comb_client *client, const struct comb_rule *rule)
{
    unsigned generation = 0;
    int64_t deadline_ns = comb_now_ns() + client->timeout_ms * COMB_NS_PER_MS;
    if (!rule->open && !grpcc_on_poller_thread() &&
        comb_session_is_stale(&client->session, &generation))
        (void)!comb_session_refresh(client, generation, deadline_ns, NULL);
}

static struct grpcc_client_call *open_on(struct comb_stream *stream, const struct comb_rule *rule,
                                         const struct grpcc_method *method,
                                         const struct grpcc_call_options *given,
                                         const ProtobufCMessage *request, struct grpcc_error *err)
{
    struct grpcc_call_options options = *given;
    struct comb_headers headers = {0};
    struct grpcc_client_call *call = NULL;
    struct grpcc_arena *scratch = grpcc_arena_new(SCRATCH_BYTES_MAX);
    if (!scratch) {
        comb_error_memory(err);
        return NULL;
    }
    if (comb_headers_make(stream->client, rule, NULL, false, given, scratch, &headers, err) ==
        GRPCC_OK) {
        options.metadata = headers.items;
        options.n_metadata = headers.n;
        options.on_metadata = on_metadata;
        options.on_metadata_data = stream;
        options.on_end = on_end;
        call = grpcc_stream_open(stream->replica->channel, method, &options, request, err);
        comb_headers_wipe(&headers);
    }
    grpcc_arena_free(scratch);
    return call;
}

struct grpcc_client_call *comb_stream_open(void *self, const struct grpcc_method *method,
                                           const struct grpcc_call_options *given,
                                           const ProtobufCMessage *request, struct grpcc_error *err)
{
    struct comb_client *client = self;
    if (comb_client_check(client, err))
        return NULL;
    struct grpcc_call_options options = {0};
    comb_options_copy(&options, sizeof(options), given);
    struct comb_rule rule = comb_rule_of(client, method);
    refresh_ahead(client, &rule);
    struct comb_stream *stream = stream_new(client, &rule, &options);
    if (!stream) {
        comb_error_memory(err);
        return NULL;
    }
    struct grpcc_client_call *call = open_on(stream, &rule, method, &options, request, err);
    if (!call) {
        stream_free(stream);
        return NULL;
    }
    /* The handle is ours to give out: the stream cannot be over before it is freed. */
    pthread_mutex_lock(&client->lock);
    stream->call = call;
    if (client->closed)
        grpcc_client_call_cancel(call);
    pthread_mutex_unlock(&client->lock);
    return call;
}
