/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/client/client_events.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gen/runtime/src/client/client.h"
#include "gen/runtime/src/message/memory.h"

struct grpcc_events {
    pthread_mutex_t lock; /* all below */
    pthread_cond_t told;
    int fd;        /* -1: the program has freed it */
    bool orphaned; /* freed on the poller: what completes runs there */
    size_t refs;   /* the program's, members' and dispatchers' */
    size_t n_queued;
    size_t n_pending; /* begun, and not run yet */
    struct grpcc_event *first, **last;
    struct grpcc_events_member *members;
    struct grpcc_events_member *leaving; /* those that _free has cancelled */
};

struct grpcc_events *grpcc_events_new(struct grpcc_error *err)
{
    struct grpcc_events *events = NULL;
    if (grpcc_client_is_forked()) {
        grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                        "gRPC does not work after a fork: exec, or fork before its use");
        return NULL;
    }
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd >= 0)
        events = grpcc_memory_zalloc(sizeof(*events));
    if (!events) {
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no events: %s",
                        fd < 0 ? strerror(errno) : "no memory");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    pthread_mutex_init(&events->lock, NULL);
    pthread_cond_init(&events->told, NULL);
    events->fd = fd;
    events->refs = 1;
    events->last = &events->first;
    return events;
}

int grpcc_events_fd(const struct grpcc_events *events)
{
    return events->fd;
}

static void unref_unlock(struct grpcc_events *events)
{
    bool last = --events->refs == 0;
    pthread_mutex_unlock(&events->lock);
    if (!last)
        return;
    pthread_cond_destroy(&events->told);
    pthread_mutex_destroy(&events->lock);
    grpcc_memory_free(events);
}

/* ---- the queue ---- */

/* The descriptor is readable while the queue is not empty. Neither can fail: the counter is 0 or 1.
 */
static void set_readable_locked(struct grpcc_events *events)
{
    const uint64_t one = 1;
    if (events->fd >= 0 && write(events->fd, &one, sizeof(one)) < 0)
        return;
}

static void clear_readable_locked(struct grpcc_events *events)
{
    uint64_t n;
    if (events->fd >= 0 && read(events->fd, &n, sizeof(n)) < 0)
        return;
}

static struct grpcc_event *take_locked(struct grpcc_events *events)
{
    struct grpcc_event *event = events->first;
    if (!event)
        return NULL;
    events->first = event->next;
    if (!events->first) {
        events->last = &events->first;
        clear_readable_locked(events);
    }
    events->n_queued--;
    events->n_pending--;
    return event;
}

bool grpcc_events_begin(struct grpcc_events *events)
{
    if (!events)
        return true;
    pthread_mutex_lock(&events->lock);
    bool open = events->fd >= 0;
    events->n_pending += open;
    pthread_mutex_unlock(&events->lock);
    return open;
}

void grpcc_events_tell(struct grpcc_events *events, struct grpcc_event *event)
{
    bool here = true;
    if (events) {
        pthread_mutex_lock(&events->lock);
        here = events->orphaned;
        if (here) {
            events->n_pending--;
        } else {
            if (!events->first)
                set_readable_locked(events);
            event->next = NULL;
            *events->last = event;
            events->last = &event->next;
            events->n_queued++;
            pthread_cond_broadcast(&events->told);
        }
        pthread_mutex_unlock(&events->lock);
    }
    if (here)
        event->run(event);
}

size_t grpcc_events_dispatch(struct grpcc_events *events, size_t max)
{
    struct grpcc_event *event;
    size_t n = 0;
    if (grpcc_client_is_forked())
        return 0;
    pthread_mutex_lock(&events->lock);
    events->refs++;
    if (max == 0 || max > events->n_queued)
        max = events->n_queued;
    for (; n < max && (event = take_locked(events)); n++) {
        pthread_mutex_unlock(&events->lock);
        event->run(event);
        pthread_mutex_lock(&events->lock);
    }
    unref_unlock(events);
    return n;
}

/* ---- members ---- */

struct grpcc_events *grpcc_events_of(const struct grpcc_call_options *options)
{
    bool has_events = options && (options->size == 0 ||
                                  options->size >= offsetof(struct grpcc_call_options, events) +
                                                       sizeof(options->events));
    return has_events ? options->events : NULL;
}

static void link_locked(struct grpcc_events_member **list, struct grpcc_events_member *member)
{
    member->link = list;
    member->next = *list;
    if (member->next)
        member->next->link = &member->next;
    *list = member;
}

static void unlink_locked(struct grpcc_events_member *member)
{
    *member->link = member->next;
    if (member->next)
        member->next->link = member->link;
}

bool grpcc_events_join(struct grpcc_events_member *member, struct grpcc_events *events,
                       const struct grpcc_events_member_ops *ops)
{
    if (!events)
        return true;
    pthread_mutex_lock(&events->lock);
    bool open = events->fd >= 0;
    if (open) {
        member->events = events;
        member->ops = ops;
        link_locked(&events->members, member);
        events->refs++;
    }
    pthread_mutex_unlock(&events->lock);
    return open;
}

void grpcc_events_leave(struct grpcc_events_member *member)
{
    struct grpcc_events *events = member->events;
    if (!events)
        return;
    pthread_mutex_lock(&events->lock);
    unlink_locked(member);
    member->events = NULL;
    unref_unlock(events);
}

/* ---- the end ---- */

static void cancel_members_locked(struct grpcc_events *events)
{
    struct grpcc_events_member *member;
    while ((member = events->members)) {
        unlink_locked(member);
        link_locked(&events->leaving, member);
        if (!member->ops->try_hold(member))
            continue;
        pthread_mutex_unlock(&events->lock);
        member->ops->cancel(member);
        member->ops->release(member);
        pthread_mutex_lock(&events->lock);
    }
}

void grpcc_events_free(struct grpcc_events *events)
{
    struct grpcc_event *event;
    if (!events)
        return;
    /* Another thread may have held the lock when the process forked. */
    if (grpcc_client_is_forked()) {
        close(events->fd);
        return;
    }
    pthread_mutex_lock(&events->lock);
    close(events->fd);
    events->fd = -1;
    events->orphaned = grpcc_on_poller_thread();
    cancel_members_locked(events);
    for (;;) {
        while ((event = take_locked(events))) {
            pthread_mutex_unlock(&events->lock);
            event->run(event);
            pthread_mutex_lock(&events->lock);
        }
        if (events->n_pending == 0 || events->orphaned)
            break;
        pthread_cond_wait(&events->told, &events->lock);
    }
    unref_unlock(events);
}
