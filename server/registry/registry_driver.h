/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry row: who serves, under leases. Drivers: mem (this process), etcd (shared).
 *
 * An entry is known by service and id, and is there until its lease ends, or it is removed. Whoever
 * put it prolongs it; a lease that ended while its owner was paused or cut off is found out by the
 * next heartbeat (NOT_FOUND), and the owner puts the entry again. Entries are hints: an entry that
 * is there may be dead for as long as its lease lasts, and one that is missing may serve.
 *
 * Errors of all that can fail: UNAVAILABLE (the store is away; at once while that is known),
 * DEADLINE_EXCEEDED. What was on its way then may have been done (err->ambiguous); all of it may be
 * repeated. Slots: any thread at once, they may block, and obey ctx's deadline.
 */
#ifndef COMB_REGISTRY_DRIVER_H
#define COMB_REGISTRY_DRIVER_H

#include "server/core/store.h"

/* Longest service and id; letters, digits, "-", "_" and ".". */
#define COMB_REGISTRY_NAME_BYTES_MAX 64
/* Longest body. */
#define COMB_REGISTRY_BODY_BYTES_MAX 16384
/* Entries that a registry may have. */
#define COMB_REGISTRY_ENTRIES_MAX 10000
/* A lease's time without a heartbeat. */
#define COMB_REGISTRY_TTL_MS_MIN 2000
#define COMB_REGISTRY_TTL_MS_MAX 3600000

struct comb_registry;

struct comb_registry_entry {
    comb_str service, id;
    comb_str body; /* bytes that mean nothing to a driver */
};

/*
 * Who is told of the registry. Calls come one after the other, on threads of the driver; what they
 * are given lives until they return; they must not call the registry.
 */
struct comb_registry_watcher {
    /* All that is there. Comes first, and again whenever the driver cannot say what happened
     * meanwhile. What is not among it does not exist any more. */
    void (*everything)(void *self, const struct comb_registry_entry *entries, size_t n);
    /* A new or replaced entry. */
    void (*changed)(void *self, const struct comb_registry_entry *entry);
    void (*gone)(void *self, comb_str service, comb_str id);
    /* NULL: what was told is current. Else why it may not be. */
    void (*state)(void *self, const struct comb_error *err);
    void *self;
};

struct comb_registry_driver {
    const char *name; /* the URL's scheme: "mem", "etcd" */
    uint32_t caps;
    /* Enters or replaces an entry, under a new lease. A crash leaves the one before or this one.
     * RESOURCE_EXHAUSTED: there are too many. *ret_ttl_ms: the lease's time, at least ttl_ms. */
    enum comb_status (*put)(struct comb_registry *self, struct comb_ctx *ctx,
                            const struct comb_registry_entry *entry, uint32_t ttl_ms,
                            uint32_t *ret_ttl_ms, struct comb_error *err);
    /* Prolongs the entry's lease to its whole time. NOT_FOUND: it has ended, and the entry with it,
     * or is about to: put it again. */
    enum comb_status (*heartbeat)(struct comb_registry *self, struct comb_ctx *ctx,
                                  comb_str service, comb_str id, struct comb_error *err);
    /* Takes the entry out; one that is not there is a success. */
    enum comb_status (*remove)(struct comb_registry *self, struct comb_ctx *ctx, comb_str service,
                               comb_str id, struct comb_error *err);
    /* Begins to tell watcher, whose `everything` comes as soon as the store answers; does not block
     * for the store. At most one watcher at a time. */
    enum comb_status (*watch)(struct comb_registry *self,
                              const struct comb_registry_watcher *watcher, struct comb_error *err);
    /* Nothing is told after it has returned. Fine where there is no watcher. */
    void (*unwatch)(struct comb_registry *self);
    /* Asks the store whether it can be reached and used; the error says what to do. */
    enum comb_status (*check)(struct comb_registry *self, struct comb_ctx *ctx,
                              struct comb_error *err);
    /* Never blocks. */
    void (*status)(struct comb_registry *self, struct comb_store_status *ret_status);
    /* No call may be running. Ends the watch. Leaves entries to their leases. */
    void (*close)(struct comb_registry *self);
};
/* caps: other processes see the same. */
#define COMB_REGISTRY_CAP_SHARED 1u

struct comb_registry {
    const struct comb_registry_driver *driver;
};

/* The slots, with arguments and deadline checked: INVALID_ARGUMENT for a service or id of other
 * characters or lengths, a body or a TTL outside of its limits. Call these, never the slots. */
enum comb_status comb_registry_put(struct comb_registry *registry, struct comb_ctx *ctx,
                                   const struct comb_registry_entry *entry, uint32_t ttl_ms,
                                   uint32_t *ret_ttl_ms, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_registry_heartbeat(struct comb_registry *registry, struct comb_ctx *ctx,
                                         comb_str service, comb_str id,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_registry_remove(struct comb_registry *registry, struct comb_ctx *ctx,
                                      comb_str service, comb_str id,
                                      struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_registry_watch(struct comb_registry *registry,
                                     const struct comb_registry_watcher *watcher,
                                     struct comb_error *err) COMB_MUST_CHECK;
void comb_registry_unwatch(struct comb_registry *registry);
enum comb_status comb_registry_check(struct comb_registry *registry, struct comb_ctx *ctx,
                                     struct comb_error *err) COMB_MUST_CHECK;
void comb_registry_status(struct comb_registry *registry, struct comb_store_status *ret_status);
/* NULL is fine. */
void comb_registry_close(struct comb_registry *registry);

/* "mem:" */
enum comb_status comb_registry_mem_open(const struct comb_store_options *options,
                                        struct comb_registry **ret_registry,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* "etcd://HOST[:2379][,HOST…][/PREFIX]", as server/backend/etcd/etcd.h says. */
enum comb_status comb_registry_etcd_open(const struct comb_store_options *options,
                                         struct comb_registry **ret_registry,
                                         struct comb_error *err) COMB_MUST_CHECK;

#endif
