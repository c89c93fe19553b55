/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events within this process: a list of subscriptions, which publishing walks. One lock, held while
 * sinks are called.
 */
#include <pthread.h>
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/events/events_driver.h"

struct comb_events_subscription {
    struct comb_events_subscription *next;
    struct comb_events_sink sink;
    comb_str pattern, group; /* in bytes */
    char bytes[];
};

struct mem {
    struct comb_events base;
    int64_t open_us;
    pthread_mutex_t lock; /* of all below */
    struct comb_events_subscription *first;
    uint64_t turn; /* whose it is within groups */
    uint64_t requests;
};

static bool same_group(const struct comb_events_subscription *a,
                       const struct comb_events_subscription *b, comb_str topic)
{
    return comb_str_equal(a->group, b->group) && comb_events_match(b->pattern, topic);
}

/* Of the members of first's group whose pattern fits, the one whose turn it is. */
static struct comb_events_subscription *
member_locked(struct mem *mem, struct comb_events_subscription *first, comb_str topic)
{
    uint64_t n = 0;
    for (struct comb_events_subscription *at = first; at; at = at->next)
        n += same_group(first, at, topic);
    uint64_t chosen = mem->turn++ % n;
    for (struct comb_events_subscription *at = first; at; at = at->next) {
        if (same_group(first, at, topic) && chosen-- == 0)
            return at;
    }
    return first;
}

static bool is_first_of_group(const struct mem *mem, const struct comb_events_subscription *one,
                              comb_str topic)
{
    for (const struct comb_events_subscription *at = mem->first; at != one; at = at->next) {
        if (same_group(one, at, topic))
            return false;
    }
    return true;
}

static enum comb_status mem_publish(struct comb_events *self, comb_str topic, comb_str bytes,
                                    struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    (void)err;
    pthread_mutex_lock(&mem->lock);
    mem->requests++;
    for (struct comb_events_subscription *at = mem->first; at; at = at->next) {
        struct comb_events_subscription *to = at;
        if (!comb_events_match(at->pattern, topic))
            continue;
        if (at->group.len > 0) {
            if (!is_first_of_group(mem, at, topic))
                continue;
            to = member_locked(mem, at, topic);
        }
        to->sink.message(to->sink.data, topic, bytes);
    }
    pthread_mutex_unlock(&mem->lock);
    return COMB_OK;
}

static enum comb_status mem_subscribe(struct comb_events *self, comb_str pattern, comb_str group,
                                      const struct comb_events_sink *sink,
                                      struct comb_events_subscription **ret_subscription,
                                      struct comb_error *err)
{
    struct mem *mem = (struct mem *)self;
    struct comb_events_subscription *own =
        comb_memory_zalloc(sizeof *own + pattern.len + group.len);
    if (!own)
        return comb_error_no_memory(err);
    own->sink = *sink;
    memcpy(own->bytes, pattern.ptr, pattern.len);
    if (group.len > 0)
        memcpy(own->bytes + pattern.len, group.ptr, group.len);
    own->pattern = comb_str_of(own->bytes, pattern.len);
    own->group = comb_str_of(own->bytes + pattern.len, group.len);
    pthread_mutex_lock(&mem->lock);
    own->next = mem->first;
    mem->first = own;
    mem->requests++;
    pthread_mutex_unlock(&mem->lock);
    *ret_subscription = own;
    return COMB_OK;
}

static void mem_unsubscribe(struct comb_events *self, struct comb_events_subscription *subscription)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_lock(&mem->lock);
    struct comb_events_subscription **link = &mem->first;
    while (*link != subscription)
        link = &(*link)->next;
    *link = subscription->next;
    pthread_mutex_unlock(&mem->lock);
    comb_memory_free(subscription);
}

static enum comb_status mem_check(struct comb_events *self, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    (void)self;
    (void)ctx;
    (void)err;
    return COMB_OK;
}

static void mem_status(struct comb_events *self, struct comb_store_status *ret_status)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_lock(&mem->lock);
    *ret_status = (struct comb_store_status){.driver = self->driver->name,
                                             .server = "memory of this process",
                                             .state = COMB_STORE_UP,
                                             .since_us = mem->open_us,
                                             .requests = mem->requests};
    pthread_mutex_unlock(&mem->lock);
}

static void mem_close(struct comb_events *self)
{
    struct mem *mem = (struct mem *)self;
    pthread_mutex_destroy(&mem->lock);
    comb_memory_free(mem);
}

static const struct comb_events_driver driver = {
    .name = "mem",
    .caps = 0,
    .publish = mem_publish,
    .subscribe = mem_subscribe,
    .unsubscribe = mem_unsubscribe,
    .check = mem_check,
    .status = mem_status,
    .close = mem_close,
};

enum comb_status comb_events_mem_open(const struct comb_store_options *options,
                                      struct comb_events **ret_events, struct comb_error *err)
{
    if (!comb_str_equal(options->url, STR("mem:")) || options->credentials.len > 0)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "events within this process are mem:, without credentials");
    struct mem *mem = comb_memory_zalloc(sizeof *mem);
    if (!mem)
        return comb_error_no_memory(err);
    mem->base.driver = &driver;
    mem->open_us = comb_clock_wall_us();
    pthread_mutex_init(&mem->lock, NULL);
    *ret_events = &mem->base;
    return COMB_OK;
}
