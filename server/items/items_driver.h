/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items on the docs row: added, removed, never changed, and walked newest or oldest first by what
 * they belong to; and notes, small texts that only rise (of activities what a user follows and how
 * far he has read, of the audit trail's index how far it has come). No rights, no kinds, no
 * threads: what the texts mean is the domain's, so that both stores give the same items in the same
 * order. Each domain has a collection of its own.
 *
 * An item is one row or one document with its keys: adding it again makes no difference, also much
 * later, so the consumer that adds them needs no transaction and no fence.
 *
 * Slots: any thread, at once; they block and obey ctx's deadline. What they return lives in
 * ctx->arena; outputs are untouched on failure. Errors: UNAVAILABLE, DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED (disk full); err->ambiguous: the write may have happened.
 */
#ifndef COMB_ITEMS_DRIVER_H
#define COMB_ITEMS_DRIVER_H

#include "server/core/ctx.h"

struct comb_docs;
struct comb_items_store;

/* Whose items. A new one is named in both drivers. */
enum comb_items {
    COMB_ITEMS_ACTIVITIES, /* server/activities */
    COMB_ITEMS_AUDIT,      /* the audit trail's index */
    COMB_ITEMS_LOGS,       /* server/logs */
};

/* Ids and places are of so many hexadecimal digits. */
#define COMB_ITEM_ID_LENGTH 32
/* Items of one scan, one get, one put, one remove. */
#define COMB_ITEM_SCAN_MAX 64
/* Keys of one scan. */
#define COMB_ITEM_SCAN_KEYS_MAX 100
#define COMB_ITEM_KEY_LENGTH_MAX 40
/* Notes of one call. */
#define COMB_ITEM_NOTES_MAX 100

/* Texts are of printable ASCII, compared byte by byte. */
struct comb_item {
    comb_str id;          /* unique */
    comb_str at;          /* unique: what items are ordered by */
    const comb_str *keys; /* what it belongs to; given by a scan with_keys alone, in order */
    size_t n_keys;
    comb_str body; /* bytes */
};

struct comb_item_scan {
    const comb_str *keys; /* of items that have one of them, each once; n_keys 0: of all */
    size_t n_keys;
    comb_str after, before; /* after < at < before; empty: no bound */
    bool is_ascending;      /* oldest first */
    bool with_keys;         /* of all: items come with theirs */
    size_t max;             /* 1 to COMB_ITEM_SCAN_MAX */
};

struct comb_item_note {
    comb_str key, value;
    int64_t create_us; /* since 1970 */
};

struct comb_items_driver {
    const char *name; /* "sqlite" */
    /* Adds those that are not there; those that are stay as they are. Durable when it returns. Not
     * all or none: after a failure some may be there. */
    enum comb_status (*put)(struct comb_items_store *self, struct comb_ctx *ctx,
                            const struct comb_item *items, size_t n, struct comb_error *err);
    /* Newest first, unless it is ascending. Answered by an index. */
    enum comb_status (*scan)(struct comb_items_store *self, struct comb_ctx *ctx,
                             const struct comb_item_scan *scan, const struct comb_item **ret_items,
                             size_t *ret_n, struct comb_error *err);
    /* The item with this id; *ret_item NULL: there is none. */
    enum comb_status (*get)(struct comb_items_store *self, struct comb_ctx *ctx, comb_str id,
                            const struct comb_item **ret_item, struct comb_error *err);
    /* Removes those at these places, of those that there are. */
    enum comb_status (*remove)(struct comb_items_store *self, struct comb_ctx *ctx,
                               const comb_str *ats, size_t n, struct comb_error *err);
    /* How many items there are. Takes time on SQLite: 50 ms for a million. */
    enum comb_status (*count)(struct comb_items_store *self, struct comb_ctx *ctx, uint64_t *ret_n,
                              struct comb_error *err);
    /* Makes the note, or sets its value where that is greater than what it has. Durable. */
    enum comb_status (*raise)(struct comb_items_store *self, struct comb_ctx *ctx,
                              const struct comb_item_note *note, struct comb_error *err);
    /* Where there is one. */
    enum comb_status (*unset)(struct comb_items_store *self, struct comb_ctx *ctx, comb_str key,
                              struct comb_error *err);
    /* Notes from <= key < to, by key, max at most COMB_ITEM_NOTES_MAX. */
    enum comb_status (*notes)(struct comb_items_store *self, struct comb_ctx *ctx, comb_str from,
                              comb_str to, size_t max, const struct comb_item_note **ret_notes,
                              size_t *ret_n, struct comb_error *err);
    void (*close)(struct comb_items_store *self);
};

struct comb_items_store {
    const struct comb_items_driver *driver;
};

/* Over an open row, which must live longer. Asks nobody but a file: see server/docs/docs.h. */
enum comb_status comb_items_store_open(struct comb_docs *docs, enum comb_items items,
                                       struct comb_items_store **ret_store,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_items_store_close(struct comb_items_store *store);

#endif
