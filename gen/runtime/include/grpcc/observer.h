/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Observers see every call of a server begin and end, those that no interceptor sees too: shed,
 * refused in a drain, not decodable, of unknown methods, dead while they waited. Metrics, spans and
 * the access log are observers; an exporter of another kind can be one.
 */
#ifndef GRPCC_OBSERVER_H
#define GRPCC_OBSERVER_H

#include <stddef.h>
#include <stdint.h>

#include "grpcc/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why the runtime ended a call before its handler ran. */
enum grpcc_refusal {
    GRPCC_NOT_REFUSED = 0,
    GRPCC_REFUSED_QUEUE_FULL = 1,
    GRPCC_REFUSED_QUEUE_AGE = 2, /* waited too long for a worker */
    GRPCC_REFUSED_DRAINING = 3,
    GRPCC_REFUSED_SIZE = 4,      /* a request larger than its method allows */
    GRPCC_REFUSED_REQUEST = 5,   /* a request that could not be decoded, or none */
    GRPCC_REFUSED_DEAD = 6,      /* cancelled, or its deadline passed, before it ran */
    GRPCC_REFUSED_LIMIT = 7,     /* by the interceptor of grpcc/limit.h */
    GRPCC_REFUSED_NO_MEMORY = 8, /* there is no call then: only facts */
    GRPCC_REFUSED_CALLS_MAX = 9, /* grpcc_server_options.calls_max */
    GRPCC_REFUSED_IDENTITY = 10, /* what a proxy says of the caller cannot be read */
    GRPCC_REFUSALS               /* how many there are */
};
/* "queue_full" and so on, "" for none. Static storage. */
const char *grpcc_refusal_name(enum grpcc_refusal refusal);

/* What became of a call. May grow at its end; made by the runtime only. */
struct grpcc_call_facts {
    const struct grpcc_method *method; /* NULL: a method that nobody registered */
    const char *path;                  /* as the client sent it; lives as long as the call */
    enum grpcc_status status;          /* as the peer saw it */
    enum grpcc_refusal refusal;
    int64_t started_ns, ended_ns; /* CLOCK_MONOTONIC */
    /* Messages as they are on the wire, without framing and headers. */
    uint64_t messages_received, messages_sent, bytes_received, bytes_sent;
    size_t arena_bytes; /* of the call's arena, at its end */
};

/* All slots may be NULL. They run on any thread, several at once, and must not block. */
struct grpcc_observer {
    size_t size; /* sizeof(struct grpcc_observer) */
    /* Before anything else is done with the call; its request is not decoded yet. */
    void (*started)(void *self, struct grpcc_call *call);
    /* Once for each call that started, after all interceptors; the call's arena and what hangs
     * on it still live. call is NULL where there was no memory for one: then it did not start. */
    void (*ended)(void *self, struct grpcc_call *call, const struct grpcc_call_facts *facts);
    /* The last use of self by this server, from grpcc_server_free(). */
    void (*released)(void *self, struct grpcc_server *server);
};

/* Before _start; observer is copied, self lives until `released`. In the order of addition on the
 * way in, the other way round on the way out. */
enum grpcc_status grpcc_server_add_observer(struct grpcc_server *server,
                                            const struct grpcc_observer *observer, void *self,
                                            struct grpcc_error *err) GRPCC_MUST_CHECK;

/*
 * Data of interceptors and observers: one pointer per call and key, where key is any address of
 * their own. Lives as long as the call. Whoever runs the call, one thread at a time. False: no room
 * in the call's arena.
 */
bool grpcc_call_attach(struct grpcc_call *call, const void *key, void *data) GRPCC_MUST_CHECK;
/* What was attached last under that key; NULL: nothing. */
void *grpcc_call_attached(const struct grpcc_call *call, const void *key);

#ifdef __cplusplus
}
#endif

#endif
