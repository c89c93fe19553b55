/* SPDX-License-Identifier: Apache-2.0 */
/* The health of services by name, and who watches it. The RPCs on top are in health_service.c. */
#ifndef GRPCC_SRC_HEALTH_H
#define GRPCC_SRC_HEALTH_H

#include <stdbool.h>

#include "grpcc/server.h"

/* What grpc.health.v1 says of a name that nobody registered; follows enum grpcc_serving. */
enum { GRPCC_SERVICE_UNKNOWN = 3 };

struct grpcc_health;

/* Embedded in who watches. While `sending`, nobody else touches it. */
struct grpcc_health_watcher {
    const char *service;
    /* Tells the peer; ends in grpcc_health_sent(). Called without locks, on any thread. */
    void (*send)(struct grpcc_health_watcher *self, int serving);
    /* The watch is over, by grpcc_health_close(): the watcher may be freed. Called as send is. */
    void (*end)(struct grpcc_health_watcher *self);
    struct grpcc_health_watcher *next;
    struct grpcc_health_watcher *previous;
    struct grpcc_health_watcher *next_to_tell;
    int told;
    bool sending;
    bool linked;
};

struct grpcc_health *grpcc_health_new(void) GRPCC_MUST_CHECK;
void grpcc_health_free(struct grpcc_health *health);

/* False without memory. */
bool grpcc_health_set(struct grpcc_health *health, const char *service,
                      enum grpcc_serving serving) GRPCC_MUST_CHECK;
/* NOT_SERVING for all; what is registered later starts as that too, and nothing turns back. */
void grpcc_health_shut(struct grpcc_health *health);
/* Ends every watch, those to come after their first send. */
void grpcc_health_close(struct grpcc_health *health);
/* enum grpcc_serving or GRPCC_SERVICE_UNKNOWN. */
int grpcc_health_get(struct grpcc_health *health, const char *service);
/* Calls visit for each name, under the lock. */
void grpcc_health_each(struct grpcc_health *health,
                       void (*visit)(void *data, const char *service, enum grpcc_serving serving),
                       void *data);

/* Begins with one send of the present state. */
void grpcc_health_watch(struct grpcc_health *health, struct grpcc_health_watcher *watcher);
/* A send is through; ok false: it failed, and no other begins. Starts the next one where the state
 * has changed since. True: the watcher is out of the list for good, and its owner may free it. */
bool grpcc_health_sent(struct grpcc_health *health, struct grpcc_health_watcher *watcher,
                       bool ok) GRPCC_MUST_CHECK;
/* No send begins any more. True: none is under way, and the owner may free the watcher; false: the
 * end of the send that is under way says so, or has said so. */
bool grpcc_health_unwatch(struct grpcc_health *health,
                          struct grpcc_health_watcher *watcher) GRPCC_MUST_CHECK;

#endif
