/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit trail (docs/audit.md): who did what, when, from where, with what result.
 *
 * What changes SQL writes its record itself, in the same transaction (server/mutation). The rest
 * comes in here: changes of other stores are an intent, which is durable before the change begins,
 * and an outcome; refusals are counted and written now and then, so that no attacker can fill the
 * disk. One replica at a time, under a lease, numbers and chains what has come in, and signs where
 * the trail ends with a key of the vault; the newest such head is kept in the configuration, out of
 * the reach of who can write SQL alone.
 *
 * Threads: any; one of its own.
 */
#ifndef COMB_AUDIT_H
#define COMB_AUDIT_H

#include "server/audit/audit_store.h"
#include "server/config/config_driver.h"
#include "server/consumers/consumers_store.h"
#include "server/items/items_driver.h"
#include "server/vault/vault_driver.h"

struct comb_audit;

/* Where the newest head is kept in the configuration, and the number that never falls. */
#define COMB_AUDIT_HEAD_PATH "/audit/head"
/* The vault's key that signs: 32 bytes, the private key of Ed25519. */
#define COMB_AUDIT_KEY_NAME "audit-signing"
#define COMB_AUDIT_LEASE_NAME "audit"
/* How often the thread looks, where nobody wakes it; and how often it signs, if there is more. */
#define COMB_AUDIT_POLL_MS 500
#define COMB_AUDIT_SEAL_MS 60000
/* Callers, methods and reasons whose refusals are counted apart within a window; the rest share a
 * record. So no more than one record of each, and one of the rest, is written in a window. */
#define COMB_AUDIT_REFUSALS_MAX 256
#define COMB_AUDIT_REFUSAL_WINDOW_MS 60000
/* Outcomes that wait to be written; what is more is lost, and its intent stays unknown. */
#define COMB_AUDIT_OUTCOMES_MAX 1024
/* Words that a query asks for. */
#define COMB_AUDIT_ASKED_MAX 16
/* Lines that a page of a query looks at. */
#define COMB_AUDIT_EXAMINED_MAX 5000

/* The signing of heads, as a method: it changes the configuration. */
#define COMB_AUDIT_SIGNS "/comb.v1.Config/Sign"

struct comb_audit_parts {
    struct comb_audit_store *store; /* all of them borrowed */
    struct comb_consumers_store *leases;
    struct comb_vault *vault;
    struct comb_config_store *config;
    struct comb_items_store *items; /* the index (indexer.h); NULL: there is none */
    struct comb_uuid installation;
    struct comb_uuid holder; /* under which the lease is held; nil: one of its own */
    uint64_t history;        /* comb_sql_info.history_since: a restored store is another one */
    int64_t keep_us;         /* lines that were numbered longer ago are trimmed; 0: never */
    /* Asked before an intent is recorded, and with COMB_AUDIT_SIGNS before a head is signed: an
     * error, and it is not done. NULL: anything may be done. */
    enum comb_status (*may_change)(void *data, struct comb_ctx *ctx, comb_str method,
                                   struct comb_error *err);
    void *may_change_data;
    uint32_t lease_ms, poll_ms, seal_ms; /* 0: the numbers above, COMB_LEASE_MS */
};

enum comb_status comb_audit_new(const struct comb_audit_parts *parts, struct comb_audit **ret_audit,
                                struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_audit_start(struct comb_audit *audit, struct comb_error *err) COMB_MUST_CHECK;
/* There is something in the intake: a hint that saves the wait for the next look. Never blocks. */
void comb_audit_wake(struct comb_audit *audit);
/* Writes what has been counted, gives the lease back, waits for the thread. NULL is fine. */
void comb_audit_stop(struct comb_audit *audit);
/* NULL is fine. */
void comb_audit_free(struct comb_audit *audit);

/* ---- what comes in ---- */

/* Records that ctx's caller is about to do something to targets, n pairs of what it is and which:
 * durable when it returns. Blocks. Errors: those of comb_sql_run; then the thing must not be done.
 */
struct comb_audit_target {
    const char *kind; /* "path" */
    comb_str id;
};
enum comb_status comb_audit_intend(struct comb_audit *audit, struct comb_ctx *ctx,
                                   comb_str request_id, const struct comb_audit_target *targets,
                                   size_t n, struct comb_uuid *ret_intent,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* What came of it: code and reason (comb.v1.ErrorReason) as the caller was answered. Written soon.
 * Never blocks. */
void comb_audit_conclude(struct comb_audit *audit, struct comb_ctx *ctx,
                         const struct comb_uuid *intent, enum comb_status code, int reason);
/* Of those, callers and methods that were told NOT_FOUND: they are many, and mostly harmless. */
#define COMB_AUDIT_NOT_FOUND_MAX 64
/* The call of ctx was refused, or told NOT_FOUND (ctx->hidden: of what exists). Never blocks. */
void comb_audit_refuse(struct comb_audit *audit, struct comb_ctx *ctx, enum comb_status code,
                       int reason);

/* ---- what is there ---- */

/* Kinds and results are comb.v1's numbers. */
struct comb_audit_filter {
    const struct comb_uuid *user, *node; /* NULL: any */
    comb_str method;                     /* "": any; with "/" at its end: what begins with it */
    comb_str text;                       /* words, all of which it has; "": any */
    int result;                          /* comb.v1.AuditResult; 0: any */
    uint32_t kinds;                      /* bits 1 << comb.v1.AuditKind; 0: any */
    int64_t since_us, until_us;          /* until_us 0: now */
    bool hides;                          /* set by the query: the caller is no administrator */
};
/* That of a line; all 0: none, which is in front of the newest, and behind the oldest. */
struct comb_audit_place {
    int64_t time_us; /* of the record */
    uint64_t n;
};
static inline bool comb_audit_place_is_none(const struct comb_audit_place *place)
{
    return place->time_us == 0 && place->n == 0;
}
struct comb_audit_entry {
    uint64_t n;
    int64_t number_us;
    struct comb_v1_audit_record *record;
    int result; /* comb.v1.AuditResult */
};
struct comb_audit_page {
    const struct comb_audit_entry *entries;
    size_t n;
    struct comb_audit_place next; /* none: there are no more */
};
/* The next page, newest first; up to size entries. Who is no administrator gets his own alone. What
 * is asked for by node, method or text is found by the index, where that is there.
 * PERMISSION_DENIED: he asks for another's. INVALID_ARGUMENT: text has no word, or too many. In
 * ctx's arena. Blocks. */
enum comb_status comb_audit_query(struct comb_audit *audit, struct comb_ctx *ctx,
                                  const struct comb_audit_filter *filter,
                                  const struct comb_audit_place *place, size_t size,
                                  struct comb_audit_page *ret_page,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* The same behind a number, lowest first. *ret_last: behind which to go on. */
enum comb_status comb_audit_follow(struct comb_audit *audit, struct comb_ctx *ctx,
                                   const struct comb_audit_filter *filter, uint64_t after,
                                   size_t size, struct comb_audit_page *ret_page,
                                   uint64_t *ret_last, struct comb_error *err) COMB_MUST_CHECK;

/* The public key, made at first use. Blocks. */
enum comb_status comb_audit_public_key_get(struct comb_audit *audit, struct comb_ctx *ctx,
                                           uint8_t ret_key[COMB_AUDIT_KEY_SIZE],
                                           uint32_t *ret_version,
                                           struct comb_error *err) COMB_MUST_CHECK;

struct comb_audit_progress {
    uint64_t checked, total, first, signed_n;
    bool done;
    struct comb_audit_finding finding; /* where done */
};
/* Checks the whole trail; tell is called now and then and at the end, and ends the check by another
 * status than OK. Blocks for as long as it takes; ctx's arena does not grow with the trail.
 * UNAVAILABLE: SQL, vault or configuration cannot be asked, so nothing is known. */
enum comb_status comb_audit_verify(struct comb_audit *audit, struct comb_ctx *ctx,
                                   enum comb_status (*tell)(void *data,
                                                            const struct comb_audit_progress *now,
                                                            struct comb_error *err),
                                   void *data, struct comb_error *err) COMB_MUST_CHECK;

/* A part of an export. */
struct comb_audit_part {
    const char *installation;                   /* of the first part; else NULL */
    const struct comb_audit_seal *floor, *head; /* of the first part, or NULL */
    const struct comb_audit_row *rows;
    size_t n;
};
/* The same rules. */
enum comb_status comb_audit_export(struct comb_audit *audit, struct comb_ctx *ctx,
                                   enum comb_status (*take)(void *data,
                                                            const struct comb_audit_part *part,
                                                            struct comb_error *err),
                                   void *data, struct comb_error *err) COMB_MUST_CHECK;

/* Of this replica since its start. */
struct comb_audit_stats {
    bool is_held;                /* this replica numbers and signs */
    uint64_t taken, lost;        /* the lease */
    uint64_t numbered, signed_n; /* lines; the last one that a head of this replica is for */
    uint64_t refusals, outcomes_lost, failures, batches;
    int64_t lag_us; /* age of the oldest record that waits for its number; 0: none is known */
};
/* Never blocks. */
void comb_audit_get_stats(struct comb_audit *audit, struct comb_audit_stats *ret_stats);
/* How many records wait for their number, no more than the first max are looked at, and when the
 * oldest of them was made; 0: there is none. Blocks. */
enum comb_status comb_audit_lag(struct comb_audit *audit, struct comb_ctx *ctx, size_t max,
                                size_t *ret_n, int64_t *ret_oldest_us,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
