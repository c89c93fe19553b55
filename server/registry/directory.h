/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry as a replica knows it: a copy in memory that the row's watch keeps right, which is
 * what everybody reads, also while the store is away. And the replica's own entry in it.
 *
 * Threads: any.
 */
#ifndef COMB_DIRECTORY_H
#define COMB_DIRECTORY_H

#include "server/registry/registry_driver.h"

/* The service that replicas enter themselves as; nobody else may. */
#define COMB_DIRECTORY_REPLICA "comb"
/* A replica's lease, and how long its store may take for one call. */
#define COMB_DIRECTORY_TTL_MS 15000
#define COMB_DIRECTORY_CALL_MS 4000

struct comb_directory;

/* Begins to watch registry, which must live until _free. */
enum comb_status comb_directory_new(struct comb_registry *registry,
                                    struct comb_directory **ret_directory,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Withdraws first where that has not been done. NULL is fine. */
void comb_directory_free(struct comb_directory *directory);

/* ---- reading ---- */

struct comb_directory_page {
    const struct comb_registry_entry *entries; /* by service and id, in the arena */
    size_t n;
    comb_str next; /* for the next page; empty: this was the last one */
    bool stale;    /* the store is away: this is what was known before */
};

/* service empty: all. after: `next` of the page before, or empty. */
enum comb_status comb_directory_list(struct comb_directory *directory, struct grpcc_arena *arena,
                                     comb_str service, comb_str after, size_t max,
                                     struct comb_directory_page *ret_page,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* Where somebody who follows the changes stands; begin with {0}. */
struct comb_directory_cursor {
    uint64_t position;
    uint64_t floor; /* the directory's when it began anew */
    uint64_t state; /* number of the last change of `stale` that was told; 0: began nowhere yet */
};

struct comb_directory_changes {
    bool begins_anew; /* what was told before is void */
    const struct comb_registry_entry *entries;
    size_t n_entries;
    const struct comb_registry_entry *gone; /* without bodies */
    size_t n_gone;
    bool complete; /* nothing more is known now */
    bool stale;
};

/* What is new behind *cursor, up to max entries, which is moved on. *ret_news false: nothing. */
enum comb_status comb_directory_follow(struct comb_directory *directory, struct grpcc_arena *arena,
                                       comb_str service, size_t max,
                                       struct comb_directory_cursor *cursor, bool *ret_news,
                                       struct comb_directory_changes *ret_changes,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* Called whenever there is something to follow, on a thread of the store: must not block, nor call
 * the directory. Set it once, before others use the directory; NULL: nobody any more. */
void comb_directory_set_listener(struct comb_directory *directory, void (*wake)(void *data),
                                 void *data);

/* ---- entries of others; as comb_registry_put(), _heartbeat() and _remove() ---- */

/* PERMISSION_DENIED for the service of replicas. */
enum comb_status comb_directory_register(struct comb_directory *directory, struct comb_ctx *ctx,
                                         const struct comb_registry_entry *entry, uint32_t ttl_ms,
                                         uint32_t *ret_ttl_ms,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_directory_heartbeat(struct comb_directory *directory, struct comb_ctx *ctx,
                                          comb_str service, comb_str id,
                                          struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_directory_deregister(struct comb_directory *directory, struct comb_ctx *ctx,
                                           comb_str service, comb_str id,
                                           struct comb_error *err) COMB_MUST_CHECK;

/* ---- the replica's own entry (announce.c) ---- */

struct comb_directory_self {
    comb_str id; /* lives until _withdraw returns */
    /* The entry's body as of now, in arena; ptr NULL: no room. On a thread of the directory. */
    comb_str (*body)(void *data, struct grpcc_arena *arena);
    void *data;
};

/* Enters the replica and keeps it entered, on a thread of its own, whatever the store does and
 * however long the process stood still. Once. RESOURCE_EXHAUSTED: no memory or no thread. */
enum comb_status comb_directory_announce(struct comb_directory *directory,
                                         const struct comb_directory_self *self,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The body is another now: tell it soon. Never blocks. */
void comb_directory_refresh(struct comb_directory *directory);
/* Takes the replica out, where the store answers soon; else its lease ends. Fine where it was not
 * announced. */
void comb_directory_withdraw(struct comb_directory *directory);

#endif
