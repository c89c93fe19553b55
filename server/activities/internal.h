/* SPDX-License-Identifier: Apache-2.0 */
/* What the domain's files share: the domain, sight, and the walk. */
#ifndef COMB_ACTIVITIES_INTERNAL_H
#define COMB_ACTIVITIES_INTERNAL_H

#include "server/activities/activities.h"
#include "server/activities/record.h"
#include "server/core/map.h"
#include "server/items/keep.h"

struct comb_activities {
    struct comb_activities_parts parts;
    struct comb_items_keeper *keeper;
};

/* ---- sight: what the caller may see of a node now ---- */

struct activities_sight {
    bool reads;       /* the rest is set where it is so */
    bool is_gone;     /* the node does not exist; then reads is false */
    bool is_recycled; /* it lies in a bin; path is "" then */
    comb_str name;
    const char *path;
    struct comb_uuid parent; /* where it is, or was when it was deleted; nil: it is a root */
};

/* Of one call: what has been found out about nodes. */
struct activities_eyes {
    struct comb_activities *activities;
    struct comb_ctx *ctx;
    struct comb_ctx scratch; /* with an arena of its own, emptied in between */
    struct comb_map sights;  /* by id; they live in ctx's arena */
};

enum comb_status activities_eyes_init(struct activities_eyes *eyes,
                                      struct comb_activities *activities, struct comb_ctx *ctx,
                                      struct comb_error *err) COMB_MUST_CHECK;
void activities_eyes_done(struct activities_eyes *eyes);
/* Finds out about nodes, all together: they are seen at once then. */
enum comb_status activities_look(struct activities_eyes *eyes, const struct comb_uuid *nodes,
                                 size_t n, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status activities_see(struct activities_eyes *eyes, const struct comb_uuid *node,
                                const struct activities_sight **ret_sight,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Whether the caller may see the record, by the sight of its node. */
bool activities_may_see(const struct comb_ctx *ctx, const struct activities_record *record,
                        const struct activities_sight *sight);
/* The folder as the caller may see it; *ret_place NULL: he may not, or there is none. */
enum comb_status activities_see_place(struct activities_eyes *eyes, const struct comb_uuid *folder,
                                      struct comb_v1_activity_place **ret_place,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* The node of a record that he may see. */
enum comb_status activities_see_object(struct activities_eyes *eyes,
                                       const struct activities_record *record,
                                       const struct activities_sight *sight,
                                       struct comb_v1_activity_object **ret_object,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* ---- the walk: items newest first, those that the caller may see ---- */

/* *ret_full: the record was not taken, and the walk ends before it. What record points to lives
 * until it returns. */
typedef enum comb_status (*activities_take)(void *data, const struct activities_record *record,
                                            const struct activities_sight *sight, bool *ret_full,
                                            struct comb_error *err);

struct activities_walk {
    struct activities_eyes *eyes;
    comb_str keys[COMB_ITEM_SCAN_KEYS_MAX];
    size_t n_keys;    /* 0: there is nothing to find */
    bool hides_own;   /* what the caller did himself */
    int64_t since_us; /* 0: all */
    comb_str after;   /* a place; empty: all */
    comb_str before;  /* in: a place, empty: from the newest; out: the last that was looked at */
    size_t examined, examined_max;
    int64_t reached_us; /* out: time of the last that was looked at; 0: none */
    bool is_through;    /* out: there is nothing behind it */
    activities_take take;
    void *data;
};

/* Sets eyes, keys, hides_own and nothing else. */
enum comb_status activities_walk_init(struct activities_walk *walk, struct activities_eyes *eyes,
                                      const struct comb_activity_scope *scope,
                                      struct comb_error *err) COMB_MUST_CHECK;
enum comb_status activities_walk_run(struct activities_walk *walk,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* ---- notes ---- */

/* What the caller follows: keys as of items, in ctx's arena; notes may be NULL. */
enum comb_status activities_follow_keys(struct comb_activities *activities, struct comb_ctx *ctx,
                                        const struct comb_item_note **ret_notes,
                                        comb_str keys[COMB_ACTIVITY_FOLLOWS_MAX], size_t *ret_n,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* Up to which place the caller has read; "": nothing. */
enum comb_status activities_read_mark(struct comb_activities *activities, struct comb_ctx *ctx,
                                      comb_str *ret_at, struct comb_error *err) COMB_MUST_CHECK;

/* ---- keeping ---- */

/* Removes up to max of the items before a history, from their newest on, that are not older than
 * from_us. *ret_n less than max: these were all. */
enum comb_status activities_cut(struct comb_activities *activities, struct comb_ctx *ctx,
                                uint64_t history, int64_t from_us, size_t max, size_t *ret_n,
                                struct comb_error *err) COMB_MUST_CHECK;
struct comb_items_keep activities_keep(const struct comb_activities *activities);

#endif
