/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every mutation shares, composed in one place: the guard of the decision, the area's own
 * guarded statements, the feed entries and the request id go to the store as one request, all or
 * none (CONSISTENCY 1 and 2).
 *
 * A domain decides on facts and describes the write as a plan; comb_mutation_run() executes it,
 * decides again where a guard did not hold, and answers a repeated request id with the first
 * outcome.
 */
#ifndef COMB_MUTATION_H
#define COMB_MUTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/backend/sql/sql.h"
#include "server/core/ctx.h"

struct comb_mutations;

/* What a feed entry is about; the numbers are stored. 1 to 99: nodes, the numbers of
 * comb.v1.ChangeKind. */
enum comb_feed_kind {
    COMB_FEED_NODE_CREATED = 1,
    COMB_FEED_NODE_CONTENT = 2,
    COMB_FEED_NODE_MOVED = 3,
    COMB_FEED_NODE_METADATA = 4,
    COMB_FEED_NODE_RECYCLED = 5,
    COMB_FEED_NODE_RESTORED = 6,
    COMB_FEED_NODE_DELETED = 7,
    COMB_FEED_NODE_PERMISSIONS = 8,
    COMB_FEED_NODE_LOCKED = 9,
    COMB_FEED_NODE_UNLOCKED = 10,
    COMB_FEED_USER =
        100, /* subject: the user; his fields, roles, password or state changed, or he is gone */
    COMB_FEED_ROLE = 101,      /* subject: the role; every user's list may have changed */
    COMB_FEED_WORKSPACE = 102, /* subject: the workspace */
    COMB_FEED_TOKEN = 103,     /* subject: the session or token that was revoked */
    COMB_FEED_GROUP = 104      /* subject: the group; every user's list may have changed */
};

/* Ancestors that an entry records at most; a path is never deeper (COMB_PATH_DEPTH_MAX in
 * core/limits.h). */
struct comb_feed_entry {
    enum comb_feed_kind kind;
    struct comb_uuid subject;    /* node, user, role, workspace, token */
    uint64_t revision;           /* of the subject after the change */
    struct comb_uuid old_parent; /* MOVED, RECYCLED, RESTORED: where the node was; else nil */
    comb_str old_name;
    const struct comb_uuid
        *ancestors; /* of a node after the change: parent first, workspace root last */
    size_t n_ancestors;
    const struct comb_uuid
        *old_ancestors; /* before it, for MOVED, RECYCLED, RESTORED, DELETED; else none */
    size_t n_old_ancestors;
    int64_t bytes_delta; /* change of the node's own content length (files) */
    comb_str
        payload; /* the node after the change: a serialized comb.v1.Node; "" for other subjects */
};

/* What the decision rested on: repeated in SQL in front of everything else. */
struct comb_chain_link {
    struct comb_uuid id;
    struct comb_uuid parent;
    uint64_t acl_revision;
};
struct comb_decision {
    /* The nodes whose entries and places were looked at: target's and parents' chains, each up to
     * its workspace's root. Links may repeat. */
    const struct comb_chain_link *links;
    size_t n_links;
    struct comb_uuid user;   /* whose roles were looked at; nil: nobody's */
    uint64_t roles_revision; /* user.roles_rev + identity_state.rights_rev */
};

/* Statements of an area in one plan. */
#define COMB_PLAN_STATEMENTS_MAX 32
#define COMB_PLAN_FEED_MAX 16
/* Bytes of an outcome that are kept for repetitions: ids and revisions, no bodies. */
#define COMB_OUTCOME_MAX 512

struct comb_plan {
    enum comb_sql_kind kind; /* WRITE or WRITE_LOCKED */
    int lock;
    const struct comb_decision *decisions; /* any number; NULL: none */
    size_t n_decisions;
    /* The area's statements, in order; the first one is guarded and compares the revision of what
     * it changes. */
    struct comb_sql_statement statements[COMB_PLAN_STATEMENTS_MAX];
    size_t n_statements;
    struct comb_feed_entry feed[COMB_PLAN_FEED_MAX];
    size_t n_feed;
    comb_str outcome; /* kept with the request id, given back by a repetition; at most
                         COMB_OUTCOME_MAX */
    /* For the audit trail, beside the subjects of the feed: what it is about ("session"; NULL:
     * nothing more), and where rights change, what they were and what they are then, as text. */
    const char *about_kind;
    struct comb_uuid about;
    comb_str before, after;
    bool is_refusal; /* nothing changes; the outcome is a refusal that stands (refusal.h) */
    int attempt;     /* in: how often it was decided before, and a guard did not hold */
    int64_t now_us;  /* in: the store's clock, microseconds since 1970, for the plan's own use */
    /* Maps a violated UNIQUE of the area's statement i to the error of the call, after the request
     * id has been looked up; NULL: the plan is decided again, as after a failed guard. */
    enum comb_status (*on_constraint)(void *data, size_t statement, struct comb_error *err);
};

/* The locks of WRITE_LOCKED. */
enum comb_mutation_lock { COMB_LOCK_MOVES = 1, COMB_LOCK_RIGHTS = 2 };

/* Decides and fills plan (zeroed before). Called again after a failed guard, or where it ends with
 * ABORTED itself, since what it read contradicts itself: at most COMB_MUTATION_ATTEMPTS times;
 * facts then are at least as new as the failure. What the plan points to lives in ctx->arena. A
 * plan without statements and feed is a success that changes nothing (its outcome is not kept). */
typedef enum comb_status (*comb_mutation_decide)(void *data, struct comb_ctx *ctx,
                                                 struct comb_plan *plan, struct comb_error *err);
#define COMB_MUTATION_ATTEMPTS 8

/* Identifies one mutation. hash: SHA-256 of what the caller asked, so that an id used for something
 * else is noticed. */
struct comb_request_key {
    struct comb_uuid id;
    uint8_t hash[32];
};
/*
 * Checks and reads a request_id field and hashes the request: message is the request as it came,
 * packed deterministically. Errors: INVALID_ARGUMENT (REQUEST_ID_INVALID; also where the header
 * comb-request-id, given as header, differs), OUT_OF_RANGE (REQUEST_ID_EXPIRED).
 */
enum comb_status comb_request_key_init(struct comb_request_key *key, comb_str request_id,
                                       comb_str packed_request, comb_str header,
                                       struct comb_error *err) COMB_MUST_CHECK;

struct comb_outcome {
    comb_str bytes; /* plan.outcome of the first execution, in ctx->arena */
    bool replayed;  /* it was executed before; the plan of this call has not been written */
};

/*
 * Runs one mutation. On success ctx->reached covers it. Errors: decide's own (after the request id
 * has been looked up); INVALID_ARGUMENT, REQUEST_ID_REUSED; ABORTED, CONTENTION; those of
 * comb_sql_run. Blocks; not on a poller. A lost or ambiguous write is resolved by the request id
 * before anything is answered. Where ctx->repeated, a refusal stands: an earlier attempt of the
 * same request that is executed later gets it too.
 */
enum comb_status comb_mutation_run(struct comb_mutations *mutations, struct comb_ctx *ctx,
                                   const struct comb_request_key *key, comb_mutation_decide decide,
                                   void *data, struct comb_outcome *ret_outcome,
                                   struct comb_error *err) COMB_MUST_CHECK;

/*
 * Keeps the request id of a change that another row makes, which has no place for it, before it is
 * made: INVALID_ARGUMENT, REQUEST_ID_REUSED where it was kept for another request. That the same
 * one comes again is no error: the change itself must be repeatable. key->hash is stored as it is,
 * so no secret may be guessed from it. Blocks; not on a poller.
 */
enum comb_status comb_mutation_claim(struct comb_mutations *mutations, struct comb_ctx *ctx,
                                     const struct comb_request_key *key,
                                     struct comb_error *err) COMB_MUST_CHECK;

/*
 * committed is called after each durable change, on any thread, must not block: the hint that wakes
 * the caches' poll. refresh makes the facts at least as new as this moment before a plan is decided
 * again; blocks.
 */
struct comb_mutations_hooks {
    void (*committed)(void *data, struct comb_position position);
    enum comb_status (*refresh)(void *data, struct comb_ctx *ctx, struct comb_error *err);
    void *data;
};
enum comb_status comb_mutations_new(struct comb_sql *sql, struct comb_mutations **ret_mutations,
                                    struct comb_error *err) COMB_MUST_CHECK;
void comb_mutations_set_hooks(struct comb_mutations *mutations,
                              const struct comb_mutations_hooks *hooks);
void comb_mutations_free(struct comb_mutations *mutations);

/*
 * Retention: forgets request ids that are too old to be repeated, and feed entries older than
 * feed_keep_us (COMB_FEED_KEEP_US unless configured), in batches so small that no other write waits
 * for long. For a timer, once a minute or so. Blocks; a deadline only interrupts it.
 */
enum comb_status comb_mutations_trim(struct comb_mutations *mutations, struct comb_ctx *ctx,
                                     int64_t feed_keep_us, struct comb_error *err) COMB_MUST_CHECK;

/* Tables feed and request (and what else the layer keeps), for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_mutation_schemas[];

#endif
