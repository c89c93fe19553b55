/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: values by path over the config row, their schemas, and who watches them.
 *
 * Reads ask the store. While it is away they are answered from what it said last, and say so; a
 * strong read then is UNAVAILABLE, as changes are.
 *
 * Threads: any, at once. What is returned lives in ctx->arena. All but the watches block.
 */
#ifndef COMB_CONFIG_H
#define COMB_CONFIG_H

#include "comb/v1/config.grpcc.h"
#include "server/config/config_driver.h"
#include "server/facts/facts.h"
#include "server/mutation/mutation.h"

struct comb_config;

/* Changes that are kept for watches that go on from a revision, or are slow. */
#define COMB_CONFIG_RECENT_MAX 1024
/* Watches at the same time; above it OVERLOADED. */
#define COMB_CONFIG_WATCHES_MAX 1000
/* How often a watch asks whether its caller may still watch: the bound of CONSISTENCY 4.5. */
#define COMB_CONFIG_WATCH_CHECK_MS COMB_FACTS_BOUND_MS
/* Values of one message or page together; one value may be more. */
#define COMB_CONFIG_PAGE_BYTES_MAX (1024 * 1024)
/* The value at "/schemas" PATH is the schema of the value at PATH. */
#define COMB_CONFIG_SCHEMAS "/schemas"

/* store is borrowed, and watched from now on. facts NULL: watches do not ask for the caller's
 * rights again; for tests. */
enum comb_status comb_config_new(struct comb_config_store *store, struct comb_facts *facts,
                                 struct comb_config **ret_config,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Ends all watches with UNAVAILABLE, DRAINING; the store is not watched any more. No other call may
 * be running. NULL is fine. */
void comb_config_free(struct comb_config *config);

enum comb_status comb_config_get(struct comb_config *config, struct comb_ctx *ctx, comb_str path,
                                 struct comb_config_entry *ret_entry, bool *ret_stale,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Below path ("" and "/": all), behind after. Ends before COMB_CONFIG_PAGE_BYTES_MAX. */
enum comb_status comb_config_list(struct comb_config *config, struct comb_ctx *ctx, comb_str path,
                                  comb_str after, size_t limit,
                                  struct comb_config_entries *ret_entries, bool *ret_stale,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Values are any JSON text; each is checked by its schema, which cannot change meanwhile. */
enum comb_status comb_config_set(struct comb_config *config, struct comb_ctx *ctx,
                                 const struct comb_request_key *key,
                                 const struct comb_config_change *changes, size_t n,
                                 int64_t *ret_revision, struct comb_error *err) COMB_MUST_CHECK;
/* expected 0: whatever it has. NOT_FOUND: it has no value. */
enum comb_status comb_config_delete(struct comb_config *config, struct comb_ctx *ctx,
                                    const struct comb_request_key *key, comb_str path,
                                    int64_t expected, int64_t *ret_revision,
                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_history(struct comb_config *config, struct comb_ctx *ctx,
                                     comb_str path, int64_t before, size_t limit,
                                     struct comb_config_entries *ret_entries,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* Who receives a watch's messages. */
struct comb_config_receiver {
    /* Takes one message, which need not live longer than the call; then, from any thread, also
     * before it returns, calls done(data, ok) once. */
    void (*send)(void *self, const struct comb_v1_config_watch_response *message,
                 void (*done)(void *data, bool ok), void *data);
    /* Nothing can be sent any more, or this process ends. */
    bool (*is_gone)(void *self);
    bool (*is_draining)(void *self);
    /* Whether the caller's token still counts, asked every bound; the error says why not. In arena,
     * for the asking alone; blocks until deadline_ns. NULL: it is not asked. */
    enum comb_status (*ask_again)(void *self, struct grpcc_arena *arena, int64_t deadline_ns,
                                  struct comb_error *err);
    /* The watch is over, self is not used again. err is never NULL; a watch has no good end. */
    void (*end)(void *self, const struct comb_error *err);
};
/* ctx's principal and request live until receiver->end, which is called exactly once if this
 * succeeds, and not at all if it fails. */
enum comb_status comb_config_watch(struct comb_config *config, const struct comb_ctx *ctx,
                                   const struct comb_v1_config_watch_request *request,
                                   const struct comb_config_receiver *receiver, void *self,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* entry as a message in arena; NULL: no room. */
struct comb_v1_config_entry *comb_config_message(struct grpcc_arena *arena,
                                                 const struct comb_config_entry *entry);

#endif
