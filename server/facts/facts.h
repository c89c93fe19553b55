/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a replica remembers: facts, never decisions (CONSISTENCY 4). Nodes by id and by (parent,
 * name), the permission entries of a node ("known to have none" too), a user's state and ordered
 * subjects, workspaces by slug. Bounded; kept right by the feed.
 *
 * A poll of the feed starts at least every COMB_FACTS_POLL_MS. Memory may be read only while the
 * last good poll started less than COMB_FACTS_BOUND_MS ago (CLOCK_BOOTTIME), its position covers
 * the caller's token, and the call is not `strong`; else the call waits for the next poll that
 * starts after it arrived (single flight for all who wait, a bounded queue, then shed).
 */
#ifndef COMB_FACTS_H
#define COMB_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/backend/sql/sql.h"
#include "server/core/ctx.h"
#include "server/mutation/feed.h"

struct comb_facts;

#define COMB_FACTS_POLL_MS 80
#define COMB_FACTS_BOUND_MS 250
/* A store whose heartbeat has not been seen to advance for so long is not believed: another may
 * have taken its place. */
#define COMB_FACTS_BEAT_MS 1000

/* Reserved ids. The super-root is the parent of all workspace roots and bins; it is its own
 * parent's end: nobody sees it. */
extern const struct comb_uuid comb_node_super_root;     /* 00000000-0000-7000-8000-000000000001 */
extern const struct comb_uuid comb_role_everybody;      /* 00000000-0000-7000-8000-000000000002 */
extern const struct comb_uuid comb_role_administrators; /* 00000000-0000-7000-8000-000000000003 */

/* A node as stored, less its metadata. Immutable; in the arena of the ctx that asked. */
struct comb_node {
    struct comb_uuid id, parent;
    comb_str name;
    int kind; /* comb.v1.NodeKind */
    uint64_t revision, acl_revision;
    uint64_t size;
    struct comb_uuid blob; /* nil for folders */
    comb_str sha256;       /* 32 bytes; empty for folders */
    comb_str media_type;
    int64_t create_us, update_us;
    /* In a bin: where it came from. trash_parent nil: not deleted itself. */
    struct comb_uuid trash_parent, trash_by;
    comb_str trash_name;
    int64_t trash_us;
};

struct comb_entry {
    struct comb_uuid node, role, granted_by;
    int rights;        /* comb.v1.Rights */
    int64_t expire_us; /* 0: never */
    int64_t create_us;
};

struct comb_subjects {
    struct comb_uuid user;
    bool exists, disabled, administrator;
    uint64_t roles_revision; /* raised by all that may change the roles below */
    uint64_t
        generation; /* raised by all that must end tokens: disabling, deleting, a new password */
    /* everybody; the groups he is in, the outermost first; assigned roles in order; the user's own
     * role; then those marked override in the same order. A group's role has the group's id. */
    const struct comb_uuid *roles;
    size_t n_roles;
    size_t n_groups; /* roles[1] and so on */
};

struct comb_workspace_fact {
    struct comb_uuid id, owner, bin;
    comb_str slug;
    int kind; /* comb.v1.WorkspaceKind */
    const struct comb_uuid *roots;
    size_t n_roots;
};

/*
 * One link of a resolved chain: a node with the entries on it. A chain begins with the node itself
 * and ends with the workspace's root (or bin), whose parent is the super-root.
 */
struct comb_fact_link {
    const struct comb_node *node;
    const struct comb_entry *entries;
    size_t n_entries;
};
struct comb_fact_chain {
    const struct comb_fact_link *links;
    size_t n_links;
    struct comb_workspace_fact workspace; /* whose root or bin ends the chain */
    bool recycled;                        /* the chain ends in a bin */
    size_t n_resolved; /* of a path: how many parts were found; the rest does not exist */
    bool found; /* all of it was found; else links is the chain of the deepest part that was */
};

/*
 * All of these give their answer through done, at once on the caller's thread where memory has it
 * (no round trip, nothing blocks), else later on a thread of the store (one round trip); done is
 * called exactly once and must not block. The answer lives in ctx->arena. ctx->reached is raised to
 * the position that the answer rests on. The _wait forms block until then: not on a poller.
 */
typedef void (*comb_facts_done)(void *data, enum comb_status status, const struct comb_error *err);

/*
 * All that a decision about one reference rests on, in at most one round trip together. The other
 * questions are parts of this one.
 */
struct comb_facts_question {
    const struct comb_uuid *user;  /* whose subjects, and whose workspace "personal" is; NULL:
                                      nobody's */
    comb_str slug;                 /* the path goes down from the workspace's first root; "": from
                                      start */
    const struct comb_uuid *start; /* a node; NULL with an empty slug: no chain is asked for */
    const comb_str *parts;
    size_t n_parts;
    /* Where all but the last part is known, that one is taken not to exist, unasked: for who writes
     * it next, and hears from the store where it does. */
    bool presume_free;
};
struct comb_facts_answer {
    struct comb_subjects subjects;        /* of the user, where one is given */
    struct comb_workspace_fact workspace; /* of the slug, where one is given; id nil: none */
    struct comb_fact_chain chain;
};
void comb_facts_resolve(struct comb_facts *facts, struct comb_ctx *ctx,
                        const struct comb_facts_question *question,
                        struct comb_facts_answer *ret_answer, comb_facts_done done, void *data);

/* By id. Not found: chain->found is false and n_links 0; that is no error. */
void comb_facts_chain(struct comb_facts *facts, struct comb_ctx *ctx, const struct comb_uuid *id,
                      struct comb_fact_chain *ret_chain, comb_facts_done done, void *data);
/* From a folder down a path of parts (n may be 0): chain of the last part. start: a node id. */
void comb_facts_path(struct comb_facts *facts, struct comb_ctx *ctx, const struct comb_uuid *start,
                     const comb_str *parts, size_t n_parts, struct comb_fact_chain *ret_chain,
                     comb_facts_done done, void *data);
void comb_facts_subjects(struct comb_facts *facts, struct comb_ctx *ctx,
                         const struct comb_uuid *user, struct comb_subjects *ret_subjects,
                         comb_facts_done done, void *data);
/* By slug, or where slug is "personal" the user's own. NOT_FOUND is no error: ret_workspace->id is
 * nil. */
void comb_facts_workspace(struct comb_facts *facts, struct comb_ctx *ctx, comb_str slug,
                          const struct comb_uuid *user, struct comb_workspace_fact *ret_workspace,
                          comb_facts_done done, void *data);

enum comb_status comb_facts_resolve_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                         const struct comb_facts_question *question,
                                         struct comb_facts_answer *ret_answer,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_facts_chain_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                       const struct comb_uuid *id,
                                       struct comb_fact_chain *ret_chain,
                                       struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_facts_path_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                      const struct comb_uuid *start, const comb_str *parts,
                                      size_t n_parts, struct comb_fact_chain *ret_chain,
                                      struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_facts_subjects_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                          const struct comb_uuid *user,
                                          struct comb_subjects *ret_subjects,
                                          struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_facts_workspace_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                           comb_str slug, const struct comb_uuid *user,
                                           struct comb_workspace_fact *ret_workspace,
                                           struct comb_error *err) COMB_MUST_CHECK;

/* Whether the memory may answer this call right now (bound, token, not strong). Never blocks. What
 * other areas remember by comb_facts_listen() may be used while it is so. */
bool comb_facts_is_current(struct comb_facts *facts, const struct comb_ctx *ctx);
/*
 * Returns at once where the memory may answer this call (bound, token, not strong), else blocks
 * until a poll that started after the call began is through. Raises ctx->reached to the memory's
 * position. Reads from SQL that are not cached come after it; their answer is as new as their own
 * snapshot, so they read comb_position_sql() in the same request and raise ctx->reached to that.
 */
enum comb_status comb_facts_sync_wait(struct comb_facts *facts, struct comb_ctx *ctx,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* Tells every feed entry that a poll brings, changes of one thing in order, on the poll's thread,
 * after the facts were changed by it: what watches and caches of other areas (tokens) hang on.
 * record NULL: there may have been any changes; know nothing. Must not block. Register before
 * _start. */
typedef void (*comb_facts_listener)(void *data, const struct comb_feed_record *record);
enum comb_status comb_facts_listen(struct comb_facts *facts, comb_facts_listener listener,
                                   void *data, struct comb_error *err) COMB_MUST_CHECK;

/* Calls that may wait for a poll at the same time; more are refused (OVERLOADED). */
#define COMB_FACTS_WAITERS_MAX 4096

struct comb_facts_options {
    size_t bytes_max;                /* memory of all facts [64 MiB] */
    bool seeded_bug_no_invalidation; /* tests only: checkers must catch it */
    bool seeded_bug_no_barrier;      /* tests only */
    /* Another server of the same installation has taken over; on the poll's thread, must not block.
     * NULL: nobody wants to know. */
    void (*on_incarnation)(void *data, uint64_t incarnation);
    void *on_incarnation_data;
};
enum comb_status comb_facts_new(struct comb_sql *sql, const struct comb_facts_options *options,
                                struct comb_facts **ret_facts,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Makes the first poll and starts the thread that goes on. */
enum comb_status comb_facts_start(struct comb_facts *facts, struct comb_error *err) COMB_MUST_CHECK;
/* A change was committed: poll at once. Any thread, never blocks. */
void comb_facts_wake(struct comb_facts *facts);
struct comb_facts_stats {
    /* Questions answered from memory; those that asked the store; good polls; questions that waited
     * for one; values that came too late to be remembered; questions refused unasked. */
    uint64_t hits, misses, polls, waits, dropped_fills, shed;
    size_t bytes;
    struct comb_position position;
};
void comb_facts_get_stats(struct comb_facts *facts, struct comb_facts_stats *ret_stats);
void comb_facts_free(struct comb_facts *facts);

#endif
