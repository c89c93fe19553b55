/* SPDX-License-Identifier: Apache-2.0 */
/* What the domain's files share. */
#ifndef COMB_LOGS_INTERNAL_H
#define COMB_LOGS_INTERNAL_H

#include <stdatomic.h>

#include "server/items/keep.h"
#include "server/logs/logs.h"
#include "server/logs/record.h"

struct comb_logs {
    struct comb_logs_parts parts;
    struct comb_items_keeper *keeper;
    _Atomic uint64_t appended, followers;
};

/* ---- what is looked for ---- */

/* A word that was asked for. */
struct logs_term {
    comb_str term;
    bool is_prefix;
};

/* An entry that matches has one of these keys. */
struct logs_group {
    comb_str keys[COMB_LOG_TRACE];
    size_t n_keys;
};

struct logs_search {
    struct comb_log_filter filter; /* borrowed; the trace in lower case */
    struct logs_term terms[COMB_LOGS_ASKED_WORDS_MAX];
    size_t n_terms;
    /* words, service, user, trace, level */
    struct logs_group groups[COMB_LOGS_ASKED_WORDS_MAX + 4];
    size_t n_groups;
    comb_str after, before; /* places; empty: no bound */
};

/* In arena. INVALID_ARGUMENT (FIELD_INVALID). */
enum comb_status logs_search_init(struct logs_search *search, struct grpcc_arena *arena,
                                  const struct comb_log_filter *filter,
                                  struct comb_error *err) COMB_MUST_CHECK;
enum comb_status logs_search_matches(const struct logs_search *search, struct grpcc_arena *arena,
                                     const struct comb_v1_log_entry *entry, bool *ret_matches,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* ---- the walk: entries in order, those that match ---- */

/* *ret_full: the entry was not taken, and the walk ends before it. What item and entry point to
 * lives until it returns. */
typedef enum comb_status (*logs_take)(void *data, const struct comb_item *item,
                                      const struct comb_v1_log_entry *entry, bool *ret_full,
                                      struct comb_error *err);

struct logs_walk {
    struct comb_logs *logs;
    const struct logs_search *search;
    bool is_ascending;
    size_t examined_max;
    int64_t until_ns; /* CLOCK_MONOTONIC: it ends then, with what it has */
    logs_take take;
    void *data;
    char at[COMB_ITEM_ID_LENGTH + 1]; /* in: behind which place, "": none; out: the last one */
    size_t examined;                  /* out */
    bool is_through;                  /* out: there is nothing behind it */
};

/* Of the groups it walks the one that has the fewest entries from here on, as far as a first look
 * tells, and looks at the rest of the search in each. ctx's arena is not used. */
enum comb_status logs_walk_run(struct logs_walk *walk, const struct comb_ctx *ctx,
                               struct comb_error *err) COMB_MUST_CHECK;
/* behind: a place, or empty. INVALID_ARGUMENT: it is none. */
enum comb_status logs_walk_begin(struct logs_walk *walk, comb_str behind,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Where the next call goes on, in arena; empty: there is nothing. ptr NULL: no room. */
comb_str logs_walk_end(const struct logs_walk *walk, struct grpcc_arena *arena);

/* ---- keeping ---- */

struct comb_items_keep logs_keep(const struct comb_logs *logs);

#endif
