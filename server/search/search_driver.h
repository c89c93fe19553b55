/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of the search index: documents of terms, found by conditions; no rights, no rules, no
 * texts cut (server/text does that before). What it holds is derived from the tree and can be built
 * anew at any time.
 *
 * A document has the id of its node and two parts, which two writers keep, one not waiting for the
 * other: attributes, and the content that was read out of a file. Each part has a version of its
 * own, (epoch, revision): a lower one never replaces a higher one, so a writer that comes late does
 * no harm. Content without attributes is kept and not found. A document that is removed stays as a
 * tombstone with its versions until it is purged. It knows its parent alone, so moving a folder
 * changes one document; whose workspace it lies in, and below which folders, is decided above.
 *
 * The store proposes candidates in one order, the newest id first, a batch at a time; whether a
 * candidate is a hit is decided above, from what the candidate says of itself and from which of the
 * query's conditions on words hold for it. So every store gives the same hits in the same order.
 *
 * Slots: any thread, at once. All block and obey ctx's deadline; what they return lives in
 * ctx->arena, and outputs are untouched on failure. Errors, unless said otherwise: UNAVAILABLE,
 * DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED (the store is full), INTERNAL. All writes may be repeated.
 */
#ifndef COMB_SEARCH_DRIVER_H
#define COMB_SEARCH_DRIVER_H

#include "server/core/ctx.h"

/* Conditions of one query, each of which has a number below this, and the terms of all of them. */
#define COMB_SEARCH_CONDITIONS_MAX 64
#define COMB_SEARCH_TERMS_MAX 64
/* Of one document, all terms of one field with the blanks between them. */
#define COMB_SEARCH_TERMS_BYTES_MAX (512u << 10)
/* What content_terms were made of: its beginning. */
#define COMB_SEARCH_TEXT_BYTES_MAX (512u << 10)
/* A tombstone of what is gone for good. */
#define COMB_SEARCH_REVISION_GONE ((uint64_t)INT64_MAX)
/* Documents of one put, and candidates of one scan. */
#define COMB_SEARCH_PUT_MAX 100
#define COMB_SEARCH_SCAN_MAX 500
/* Of texts that are read at once. */
#define COMB_SEARCH_TEXTS_BYTES_MAX (8u << 20)

/* ---- what is searched for ---- */

enum comb_search_kind {
    COMB_SEARCH_AND,
    COMB_SEARCH_OR,
    COMB_SEARCH_NOT,      /* of its only part */
    COMB_SEARCH_WORDS,    /* consecutive terms of one field */
    COMB_SEARCH_SIZE,     /* range; bytes, files alone */
    COMB_SEARCH_MODIFIED, /* range; microseconds since 1970 */
    COMB_SEARCH_FILE,     /* files alone */
    COMB_SEARCH_FOLDER,   /* folders alone */
    COMB_SEARCH_MEDIA,    /* text: a media type, "image/png", or the beginning of one, "image/" */
    COMB_SEARCH_OWNER,    /* of the workspace; text: a login, or "me" */
    COMB_SEARCH_IN        /* text: an absolute path */
};

enum comb_search_field {
    COMB_SEARCH_ANY, /* of the three */
    COMB_SEARCH_NAME,
    COMB_SEARCH_CONTENT,
    COMB_SEARCH_META
};

struct comb_search_term {
    comb_str term;
    bool is_prefix; /* the last one only: every term that begins so */
};

struct comb_search_condition {
    enum comb_search_kind kind;
    unsigned number; /* in its query: 0, 1, … */
    bool is_negated; /* an odd number of NOTs stands above it: comb_search_mark() */
    /* AND, OR: at least one; NOT: one. */
    struct comb_search_condition **parts;
    size_t n_parts;
    /* WORDS */
    enum comb_search_field field;
    comb_str key; /* META: NAMESPACE or NAMESPACE/NAME; "": all metadata */
    struct comb_search_term *terms;
    size_t n_terms; /* at least one */
    /* SIZE, MODIFIED; both ends belong to it. */
    int64_t least, most;
    /* MEDIA, OWNER, IN */
    comb_str text;
    /* OWNER, IN: the user or folder that text names; for who decides about candidates. */
    struct comb_uuid id;
};

/* Sets is_negated in a whole query. */
void comb_search_mark(struct comb_search_condition *query);

/* ---- what is there ---- */

struct comb_search_version {
    uint64_t epoch, revision;
};

/* What stands between terms that are no neighbours, and no term can be. */
#define COMB_SEARCH_GAP "\xc2\xa7"
/* A term under its key: the key's hash in hexadecimal digits, the gap, the term. */
#define COMB_SEARCH_KEY_MARK_BYTES (16 + sizeof COMB_SEARCH_GAP - 1)
void comb_search_key_mark(comb_str key, char ret_mark[COMB_SEARCH_KEY_MARK_BYTES]);

/* Terms stand in the order of the text, one blank between them; they have no ASCII but lower case
 * letters and digits. See terms.h. */
struct comb_search_document {
    struct comb_uuid id;
    struct comb_search_version version;
    struct comb_uuid parent;
    bool is_folder;
    int64_t size;         /* of a file */
    int64_t modified_us;  /* since 1970 */
    comb_str name, media; /* as they are; media in lower case, "" of a folder */
    comb_str name_terms;
    comb_str meta_terms;  /* of all values */
    comb_str keyed_terms; /* the same under their keys */
};

/* What became of a file's content. outcome and reason are those of server/extract/outcome.h, which
 * the store only keeps. */
struct comb_search_content {
    struct comb_uuid id;
    struct comb_search_version version;
    struct comb_uuid blob; /* whose text this is; never nil */
    int outcome, reason;
    comb_str terms;
    comb_str text; /* what the terms were made of, for highlights */
    /* It is the content that is there already, where that is of this blob: terms and text are not
     * looked at, only the version rises. */
    bool is_unchanged;
};

struct comb_search_removal {
    struct comb_uuid id;
    struct comb_search_version version;
    bool is_folder; /* or not known: what lies below is to go as well, by prune() */
};

/* Whether the terms of a condition on words stand one behind the other among these, which are as in
 * a document. mark: what each of the condition's terms has in front, or "". */
bool comb_search_terms_have(comb_str terms, const struct comb_search_condition *words,
                            comb_str mark);

/* What a scan finds. */
struct comb_search_candidate {
    struct comb_uuid id, parent;
    struct comb_search_version version;
    bool is_folder;
    int64_t size, modified_us;
    comb_str name, media;
    uint64_t holds; /* bit 1 << number: of the conditions on words, which hold */
};

struct comb_search_scan {
    const struct comb_search_condition *query;
    /* Conditions on words in any field look at the name alone, but for those that are negated. */
    bool names_alone;
    const struct comb_uuid *before; /* ids below it; NULL: from the newest on */
    size_t max;                     /* at most COMB_SEARCH_SCAN_MAX; a store may give fewer */
    /* These documents alone, by falling id, at most max, all below `before`; NULL: any. What it
     * costs depends on them, not on how many others have the words. */
    const struct comb_uuid *among;
    size_t n_among;
};

struct comb_search_found {
    const struct comb_search_candidate *candidates;
    size_t n;
    bool more; /* there may be further ones, below the last */
};

struct comb_search_counts {
    uint64_t documents;
    uint64_t tombstones; /* and contents without attributes */
};

struct comb_docs;
struct comb_search_store;

struct comb_search_store_driver {
    const char *name; /* "sqlite" */

    /* ---- attributes ---- */

    /* Up to COMB_SEARCH_PUT_MAX documents of different ids, each by itself all or nothing; one
     * whose version is lower than what is there, tombstones too, is left out without a word.
     * Content stays. A failure may leave some of them done. */
    enum comb_status (*put)(struct comb_search_store *self, struct comb_ctx *ctx,
                            const struct comb_search_document *documents, size_t n,
                            struct comb_error *err);
    /* Leaves tombstones, also where there was nothing, and forgets the contents; as many, the same
     * rule of versions. */
    enum comb_status (*remove)(struct comb_search_store *self, struct comb_ctx *ctx,
                               const struct comb_search_removal *removals, size_t n,
                               struct comb_error *err);
    /* Works off tombstones of folders: up to max of the documents right below become tombstones
     * (_REVISION_GONE), folders among them to be worked off themselves. *ret_n 0: nothing is left.
     */
    enum comb_status (*prune)(struct comb_search_store *self, struct comb_ctx *ctx, size_t max,
                              size_t *ret_n, struct comb_error *err);
    /* Up to max documents of epochs below this one, which a rebuild has not met, become tombstones
     * (epoch, 0). */
    enum comb_status (*sweep)(struct comb_search_store *self, struct comb_ctx *ctx, uint64_t epoch,
                              size_t max, size_t *ret_n, struct comb_error *err);
    /* Forgets up to max tombstones, and contents that have no attributes, that are older than
     * age_us by this machine's clock; only while who writes attributes is not behind, and prune()
     * has nothing left. */
    enum comb_status (*purge)(struct comb_search_store *self, struct comb_ctx *ctx, int64_t age_us,
                              size_t max, size_t *ret_n, struct comb_error *err);

    /* ---- content ---- */

    /* As put, by the contents' own versions: up to COMB_SEARCH_PUT_MAX, attributes stay, a
     * tombstone stays one. */
    enum comb_status (*put_content)(struct comb_search_store *self, struct comb_ctx *ctx,
                                    const struct comb_search_content *contents, size_t n,
                                    struct comb_error *err);
    /* What there is of the contents of n documents, at most COMB_SEARCH_SCAN_MAX: terms and text
     * are "". A nil blob: nothing. */
    enum comb_status (*contents)(struct comb_search_store *self, struct comb_ctx *ctx,
                                 const struct comb_uuid *ids, size_t n,
                                 const struct comb_search_content **ret_contents,
                                 struct comb_error *err);
    /* Forgets up to max contents of epochs below this one. */
    enum comb_status (*sweep_content)(struct comb_search_store *self, struct comb_ctx *ctx,
                                      uint64_t epoch, size_t max, size_t *ret_n,
                                      struct comb_error *err);

    /* ---- reading ---- */

    /* Candidates by falling id: all hits of the query below `before` are among those of this scan
     * and the following ones. */
    enum comb_status (*scan)(struct comb_search_store *self, struct comb_ctx *ctx,
                             const struct comb_search_scan *scan,
                             struct comb_search_found *ret_found, struct comb_error *err);
    /* The beginning of the text of each of n documents, whole characters, at most bytes_max; n
     * times bytes_max is at most COMB_SEARCH_TEXTS_BYTES_MAX. "": it has none, or is not there. */
    enum comb_status (*texts)(struct comb_search_store *self, struct comb_ctx *ctx,
                              const struct comb_uuid *ids, size_t n, size_t bytes_max,
                              const comb_str **ret_texts, struct comb_error *err);
    enum comb_status (*count)(struct comb_search_store *self, struct comb_ctx *ctx,
                              struct comb_search_counts *ret_counts, struct comb_error *err);
    void (*close)(struct comb_search_store *self);
};

struct comb_search_store {
    const struct comb_search_store_driver *driver;
};

/* Over an open row, which must live longer. */
enum comb_status comb_search_store_open(struct comb_docs *docs,
                                        struct comb_search_store **ret_store,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_search_store_close(struct comb_search_store *store);

#endif
