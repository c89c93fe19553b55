/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of leases and cursors: rows and statements; no threads.
 *
 * A lease is a row with a name. Who holds it does so until a time by the store's clock alone, and
 * under a fence, a number that rises with each taking. Every write of a holder is guarded by both,
 * so one that was frozen, and whose lease somebody else has taken since, writes nothing any more:
 * such a slot answers OK with *ret_held false (CONSISTENCY 8.1).
 *
 * The same row keeps how far the holder has come: a place in the change feed, and while what is
 * derived from it is built anew, the state of that. Entries of the feed that cannot be handled are
 * set aside, in a table with the reason.
 *
 * Slots: any thread, at once. All but plan_ block and obey ctx's deadline; what they return lives
 * in ctx->arena, and outputs are untouched on failure. Errors, unless said otherwise: those of
 * comb_sql_run. A write that failed ambiguously may be repeated: the guard tells.
 */
#ifndef COMB_CONSUMERS_STORE_H
#define COMB_CONSUMERS_STORE_H

#include "server/mutation/feed.h"

/* The name of a lease: "search". */
#define COMB_LEASE_NAME_BYTES_MAX 64
/* What a rebuild keeps from step to step. */
#define COMB_LEASE_STATE_BYTES_MAX (64u << 10)
/* Entries that are kept of those set aside, a consumer; older ones make room. */
#define COMB_CONSUMER_ASIDE_MAX 10000
/* Entries of a consumer that wait: put off, or wanted by somebody. */
#define COMB_CONSUMER_PUT_OFF_MAX 1000

/* Why derived data are built anew. The numbers are stored. */
enum comb_rebuild {
    COMB_REBUILD_NONE = 0,
    COMB_REBUILD_NEW = 1,      /* there is nothing yet */
    COMB_REBUILD_EXPIRED = 2,  /* the feed no longer goes back to the cursor */
    COMB_REBUILD_HISTORY = 3,  /* the cursor is of another history: the store was restored */
    COMB_REBUILD_REQUESTED = 4 /* somebody wants it */
};

/* How far a consumer has come. */
struct comb_consumer_place {
    /* Behind the last entry that has had its effect; while rebuilding, where the feed is gone on
     * from afterwards. Incarnation 0: nowhere yet. */
    struct comb_cursor cursor;
    /* Rises with each rebuild, also over a store that was restored from a copy: what is derived has
     * versions (epoch, revision). 0: there was no rebuild yet. */
    uint64_t epoch;
    enum comb_rebuild rebuild; /* NONE: entries are being consumed */
    comb_str state;            /* of the rebuild; "" at its begin and where there is none */
};

struct comb_lease_taken {
    uint64_t fence;
    /* Holders that took it in a row, this one included, without that the place moved. */
    uint32_t attempts;
    struct comb_consumer_place place;
};

/* An entry of the feed that a consumer could not handle. */
struct comb_consumer_aside {
    struct comb_cursor cursor;
    enum comb_feed_kind kind;
    struct comb_uuid subject;
    uint64_t revision;
    int64_t time_us;  /* of the change */
    int64_t aside_us; /* when it was set aside, by the store's clock; not to be given */
    bool is_wanted;   /* somebody wants it handled again; not to be given */
    enum comb_status code;
    comb_str message;
};

/* A lease as an administrator sees it. */
struct comb_lease_info {
    comb_str name;
    uint64_t fence;
    uint32_t attempts;
    bool is_held;            /* its time has not run out */
    int64_t expire_us;       /* when it does, by the store's clock; 0: given back, or never taken */
    struct comb_uuid holder; /* nil: given back, or never taken */
    struct comb_consumer_place place;
    int64_t advance_us; /* when the place last moved, by the store's clock; 0: never */
    /* Why the last try failed; OK since it went on. */
    enum comb_status code;
    comb_str message;
    int64_t fail_us;
    uint64_t n_aside;
    uint64_t
        n_wanted; /* of these, and when the oldest of them changed something; 0: there is none */
    int64_t wanted_us;
};

struct comb_consumers_store;

struct comb_consumers_store_driver {
    const char *name; /* "sql" */

    /* ---- holding ---- */

    /* Whether take would find it: a cheap read, so that nobody writes in vain. */
    enum comb_status (*is_free)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                comb_str name, bool *ret_free, struct comb_error *err);
    /* If nobody holds it, it is the holder's, its fence is raised, and it ends lease_us from now.
     * The first taking makes it, with the rebuild NEW. A crash behind the commit leaves it to its
     * end. */
    enum comb_status (*take)(struct comb_consumers_store *self, struct comb_ctx *ctx, comb_str name,
                             const struct comb_uuid *holder, int64_t lease_us, bool *ret_found,
                             struct comb_lease_taken *ret_taken, struct comb_error *err);
    enum comb_status (*renew)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                              comb_str name, uint64_t fence, int64_t lease_us, bool *ret_held,
                              struct comb_error *err);
    /* Gives it back; the taking does not count as an attempt. */
    enum comb_status (*release)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                comb_str name, uint64_t fence, bool *ret_held,
                                struct comb_error *err);
    /* All holders are dead, as who alone may use the store knows: whatever they held is free. */
    enum comb_status (*bury)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                             struct comb_error *err);

    /* ---- consuming ---- */

    /* NOT_FOUND: nobody has ever taken it. */
    enum comb_status (*place)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                              comb_str name, struct comb_consumer_place *ret_place,
                              struct comb_error *err);
    /* The place moves, the lease ends lease_us from now, failures are forgotten. */
    enum comb_status (*advance)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                comb_str name, uint64_t fence, int64_t lease_us,
                                const struct comb_consumer_place *place, bool *ret_held,
                                struct comb_error *err);
    /* The same, and keeps an entry that could not be handled, all or nothing. */
    enum comb_status (*set_aside)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                  comb_str name, uint64_t fence, int64_t lease_us,
                                  const struct comb_consumer_place *place,
                                  const struct comb_consumer_aside *aside, bool *ret_held,
                                  struct comb_error *err);
    /* Keeps an entry that takes long as set aside and wanted; the place does not move. Done twice
     * it is the same. *ret_kept false: COMB_CONSUMER_PUT_OFF_MAX are wanted already. */
    enum comb_status (*put_off)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                comb_str name, uint64_t fence,
                                const struct comb_consumer_aside *aside, bool *ret_held,
                                bool *ret_kept, struct comb_error *err);
    /* Forgets what was set aside: it has been built anew. */
    enum comb_status (*clear_aside)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                    comb_str name, uint64_t fence, struct comb_error *err);
    /* Notes why a try failed. */
    enum comb_status (*note)(struct comb_consumers_store *self, struct comb_ctx *ctx, comb_str name,
                             uint64_t fence, const struct comb_error *why, bool *ret_held,
                             struct comb_error *err);

    /* Somebody, no holder, wants that what is derived is built anew (REQUESTED): the lease is taken
     * away from who has it, whose next write is refused, and the next to take it begins. Where a
     * rebuild is under way already, nothing happens. *ret_epoch: that of before; the rebuild that
     * is asked for, or under way, is done when the epoch is higher and rebuild is NONE.
     * NOT_FOUND: nobody has ever taken it. */
    enum comb_status (*begin_anew)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                   comb_str name, uint64_t *ret_epoch, struct comb_error *err);

    /* For a holder whose own rows are in the same store: statements for its own request, so that
     * its work and the place move together or not at all. As guards: nothing is written unless it
     * still holds. Never block. */
    enum comb_status (*plan_held)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, comb_str name, uint64_t fence,
                                  struct comb_error *err);
    enum comb_status (*plan_advance)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                     struct comb_plan *plan, comb_str name, uint64_t fence,
                                     int64_t lease_us, const struct comb_consumer_place *place,
                                     struct comb_error *err);

    /* ---- what was set aside, again ---- */

    /* Wants entries handled again: n of them, or all where n is 0; *ret_n of them are there. By
     * anybody. */
    enum comb_status (*want_aside)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                   comb_str name, const struct comb_cursor *cursors, size_t n,
                                   size_t *ret_n, struct comb_error *err);
    /* The first that is wanted; *ret_found false: none is. */
    enum comb_status (*wanted_aside)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                     comb_str name, bool *ret_found,
                                     struct comb_consumer_aside *ret_aside, struct comb_error *err);
    /* Whether it is wanted from now on, and with `why` not NULL the reason that it is there for.
     * `of` is the consumer that set it aside, `name` and `fence` are of who holds. */
    enum comb_status (*mark_aside)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                   comb_str name, uint64_t fence, comb_str of,
                                   struct comb_cursor cursor, bool is_wanted,
                                   const struct comb_error *why, bool *ret_held,
                                   struct comb_error *err);
    /* It was handled: forgets it. The second one adds the same to a plan of the holder's, with the
     * guard in front; never blocks. */
    enum comb_status (*handled)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                comb_str name, uint64_t fence, comb_str of,
                                struct comb_cursor cursor, bool *ret_held, struct comb_error *err);
    enum comb_status (*plan_handled)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                     struct comb_plan *plan, comb_str name, uint64_t fence,
                                     struct comb_cursor cursor, struct comb_error *err);

    /* ---- looking on ---- */

    /* All of them, by name. */
    enum comb_status (*list)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                             const struct comb_lease_info **ret_leases, size_t *ret_n,
                             struct comb_error *err);
    /* Up to max of those set aside behind the cursor, in the order of the feed. */
    enum comb_status (*list_aside)(struct comb_consumers_store *self, struct comb_ctx *ctx,
                                   comb_str name, struct comb_cursor after, size_t max,
                                   const struct comb_consumer_aside **ret_asides, size_t *ret_n,
                                   struct comb_error *err);
    void (*close)(struct comb_consumers_store *self);
};

struct comb_consumers_store {
    const struct comb_consumers_store_driver *driver;
};

/* Over an open row, whose schema has been migrated, and which must live longer. */
enum comb_status comb_consumers_store_open(struct comb_sql *sql,
                                           struct comb_consumers_store **ret_store,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_consumers_store_close(struct comb_consumers_store *store);

/* Tables lease and set_aside, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_consumers_schemas[];

#endif
