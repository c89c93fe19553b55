/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the audit area share. */
#ifndef COMB_AUDIT_INTERNAL_H
#define COMB_AUDIT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/audit/audit.h"
#include "server/audit/index.h"
#include "server/consumers/lease.h"
#include "server/core/limits.h"

/* One round of the thread, or one request of it. */
#define AUDIT_ROUND_MS_MAX 10000
#define AUDIT_US_PER_MS 1000

/* Refusals of one caller, method and reason. The texts are cut copies. */
struct audit_refusals {
    uint64_t key;           /* 0: free */
    uint64_t count, hidden; /* hidden: of NOT_FOUND, those of nodes that exist */
    int64_t first_us, last_us;
    int64_t due_ns; /* when it is written, or forgotten where nothing more came */
    enum comb_status code;
    int reason;
    struct comb_uuid user, token;
    char login[COMB_AUDIT_INSTALLATION_MAX + 1];
    char method[96], peer[64], trace_id[33];
};

struct audit_outcome {
    struct comb_uuid id;
    size_t size;
    char *record; /* comb_memory's */
};

struct comb_audit {
    struct comb_audit_parts parts;
    char installation[COMB_UUID_TEXT_LENGTH + 1];

    struct comb_lease_keeper *keeper;
    struct comb_lease lease;
    bool has_lease;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken, stopping;
    struct audit_refusals refusals[COMB_AUDIT_REFUSALS_MAX + 1]; /* the last: all others */
    struct audit_outcome outcomes[COMB_AUDIT_OUTCOMES_MAX];
    size_t n_outcomes;
    uint64_t refused, outcomes_lost;

    /* of the thread alone */
    struct comb_audit_end end;
    bool knows_end;
    uint64_t sealed;
    int64_t seal_ns, trim_ns, take_ns; /* CLOCK_MONOTONIC: not before */
    bool has_complained;

    _Atomic uint64_t numbered, batches, signed_n, failures, taken, lost;
    _Atomic int64_t pending_us; /* when the oldest was made that is known to wait; 0: none */
    atomic_bool is_held;

    pthread_mutex_t key_lock;
    bool has_key;
    uint8_t private_key[COMB_AUDIT_KEY_SIZE], public_key[COMB_AUDIT_KEY_SIZE];
    uint32_t key_version;
};

/* ---- query.c ---- */

/* What a query is after, once it has been decided what the caller may ask for. */
struct audit_wanted {
    struct comb_audit_filter filter;
    struct audit_asked asked;
};
/* Adds those of hits that match to entries, of which there are *n, until there are size; *ret_used:
 * how many of hits were looked at. */
enum comb_status audit_gather(struct comb_ctx *ctx, const struct audit_wanted *wanted,
                              const struct comb_audit_hit *hits, size_t n_hits, size_t size,
                              struct comb_audit_entry *entries, size_t *n, size_t *ret_used,
                              struct comb_error *err) COMB_MUST_CHECK;

/* ---- find.c ---- */

/* A page behind place, by the index. False: that is of no use now; the trail is to be read. */
bool audit_find(struct comb_audit *audit, struct comb_ctx *ctx, const struct audit_wanted *wanted,
                const struct comb_audit_place *place, size_t size, struct comb_audit_entry *entries,
                struct comb_audit_page *ret_page);

/* ---- notes.c ---- */

/* Writes what is due of refusals and outcomes; all of it where there is no other time. */
enum comb_status audit_flush(struct comb_audit *audit, struct comb_ctx *ctx, bool all,
                             struct comb_error *err) COMB_MUST_CHECK;
void audit_forget(struct comb_audit *audit);

/* ---- chain.c: of who holds the lease ---- */

/* Numbers what is in the intake; *ret_held false: the lease is somebody else's. */
enum comb_status audit_number(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_held,
                              struct comb_error *err) COMB_MUST_CHECK;
/* What a record is found by. False: it is no record. */
bool audit_index_of(struct grpcc_arena *arena, comb_str record, struct comb_audit_index *ret_index);

/* ---- heads.c ---- */

enum comb_status audit_load_key(struct comb_audit *audit, struct comb_ctx *ctx,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Signs the end, if it has moved since the last time. */
enum comb_status audit_seal(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_held,
                            struct comb_error *err) COMB_MUST_CHECK;
/* Removes what is too old. */
enum comb_status audit_trim(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_held,
                            struct comb_error *err) COMB_MUST_CHECK;
/* The head in the configuration. *ret_found false: there is none. What is none at all gives one
 * that nobody signed. */
enum comb_status audit_config_head(struct comb_audit *audit, struct comb_ctx *ctx, bool *ret_found,
                                   struct comb_audit_seal *ret_head, int64_t *ret_revision,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* The highest number that a head in the configuration has had. */
enum comb_status audit_mark(struct comb_audit *audit, struct comb_ctx *ctx, uint64_t raise,
                            uint64_t *ret_highest, struct comb_error *err) COMB_MUST_CHECK;

#endif
