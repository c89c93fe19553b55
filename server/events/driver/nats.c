/* SPDX-License-Identifier: Apache-2.0 */
/* Events on NATS: a topic is the subject PREFIX.TOPIC, a pattern likewise. */
#include <stdio.h>
#include <string.h>

#include "server/backend/nats/nats.h"
#include "server/core/memory.h"
#include "server/events/events_driver.h"

struct events_nats {
    struct comb_events base;
    struct comb_nats *nats;
};

struct comb_events_subscription {
    struct comb_events_sink sink;
    size_t prefix_len; /* with its dot */
    struct comb_nats_subscription *below;
};

static void subject_of(const struct events_nats *events, comb_str topic,
                       char ret_subject[COMB_NATS_SUBJECT_MAX])
{
    snprintf(ret_subject, COMB_NATS_SUBJECT_MAX, "%s.%.*s", comb_nats_prefix(events->nats),
             COMB_STR_ARG(topic));
}

static enum comb_status nats_publish(struct comb_events *self, comb_str topic, comb_str bytes,
                                     struct comb_error *err)
{
    struct events_nats *events = (struct events_nats *)self;
    char subject[COMB_NATS_SUBJECT_MAX];
    subject_of(events, topic, subject);
    return comb_nats_publish(events->nats, subject, bytes, err);
}

/* Others may publish below our prefix: what is no topic does not come through. */
static void on_message(void *data, comb_str subject, comb_str bytes)
{
    struct comb_events_subscription *own = data;
    if (subject.len <= own->prefix_len)
        return;
    comb_str topic = comb_str_of(subject.ptr + own->prefix_len, subject.len - own->prefix_len);
    if (comb_events_check_topic(topic, "topic", NULL) == COMB_OK)
        own->sink.message(own->sink.data, topic, bytes);
}

static void on_lost(void *data, uint64_t n)
{
    struct comb_events_subscription *own = data;
    own->sink.lost(own->sink.data, n);
}

static enum comb_status nats_subscribe(struct comb_events *self, comb_str pattern, comb_str group,
                                       const struct comb_events_sink *sink,
                                       struct comb_events_subscription **ret_subscription,
                                       struct comb_error *err)
{
    struct events_nats *events = (struct events_nats *)self;
    struct comb_events_subscription *own = comb_memory_zalloc(sizeof *own);
    if (!own)
        return comb_error_no_memory(err);
    const struct comb_nats_listener listener = {on_message, on_lost, own};
    char subject[COMB_NATS_SUBJECT_MAX], name[COMB_EVENTS_GROUP_BYTES_MAX + 1];
    subject_of(events, pattern, subject);
    snprintf(name, sizeof name, "%.*s", COMB_STR_ARG(group));
    own->sink = *sink;
    own->prefix_len = strlen(comb_nats_prefix(events->nats)) + 1;
    enum comb_status status =
        comb_nats_subscribe(events->nats, subject, name, &listener, &own->below, err);
    if (status == COMB_OK)
        *ret_subscription = own;
    else
        comb_memory_free(own);
    return status;
}

static void nats_unsubscribe(struct comb_events *self,
                             struct comb_events_subscription *subscription)
{
    comb_nats_unsubscribe(((struct events_nats *)self)->nats, subscription->below);
    comb_memory_free(subscription);
}

static enum comb_status nats_check(struct comb_events *self, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    return comb_nats_check(((struct events_nats *)self)->nats, ctx, err);
}

static void nats_status(struct comb_events *self, struct comb_store_status *ret_status)
{
    comb_nats_status(((struct events_nats *)self)->nats, ret_status);
}

static void nats_close(struct comb_events *self)
{
    comb_nats_close(((struct events_nats *)self)->nats);
    comb_memory_free(self);
}

static const struct comb_events_driver driver = {
    .name = "nats",
    .caps = COMB_EVENTS_CAP_SHARED,
    .publish = nats_publish,
    .subscribe = nats_subscribe,
    .unsubscribe = nats_unsubscribe,
    .check = nats_check,
    .status = nats_status,
    .close = nats_close,
};

enum comb_status comb_events_nats_open(const struct comb_store_options *options,
                                       struct comb_events **ret_events, struct comb_error *err)
{
    struct events_nats *events = comb_memory_zalloc(sizeof *events);
    if (!events)
        return comb_error_no_memory(err);
    events->base.driver = &driver;
    enum comb_status status = comb_nats_open(options, COMB_EVENTS_BYTES_MAX, &events->nats, err);
    if (status == COMB_OK)
        *ret_events = &events->base;
    else
        comb_memory_free(events);
    return status;
}
