/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of documents: records by a unique text, with further texts to walk them by. No rights,
 * no JSON, no threads: what the texts mean is the domain's (record.h), so that both stores give the
 * same records in the same order.
 *
 * A record is written as a whole, and only where its revision is still the one that was read: what
 * belongs together is one row or one document, and needs no transaction.
 *
 * Slots: any thread, at once; they block and obey ctx's deadline. What they return lives in
 * ctx->arena; outputs are untouched on failure. Errors: UNAVAILABLE, DEADLINE_EXCEEDED,
 * RESOURCE_EXHAUSTED (disk full); err->ambiguous: the write may have happened.
 */
#ifndef COMB_DOCUMENTS_DRIVER_H
#define COMB_DOCUMENTS_DRIVER_H

#include "server/core/ctx.h"

struct comb_docs;
struct comb_documents_store;

/* Declared indexes of one store of documents, and so texts of a record. */
#define COMB_DOCUMENT_INDEXES_MAX 8
/* Records of one get or scan: with bodies of full length 2 MiB. */
#define COMB_DOCUMENT_RECORDS_MAX 32

/* What records are walked by; each is a text of the record. */
enum comb_document_order {
    COMB_DOCUMENT_BY_AT = 0,
    COMB_DOCUMENT_BY_MADE,
    COMB_DOCUMENT_BY_DUE,
    COMB_DOCUMENT_BY_KEY, /* the first of COMB_DOCUMENT_INDEXES_MAX */
    COMB_DOCUMENT_ORDERS = COMB_DOCUMENT_BY_KEY + COMB_DOCUMENT_INDEXES_MAX
};

/* Texts are of printable ASCII, compared byte by byte. */
struct comb_document_record {
    comb_str texts[COMB_DOCUMENT_ORDERS]; /* BY_AT is unique; ptr NULL: none, not walked by it */
    int64_t revision;
    bool is_deleted;                         /* what is left of it */
    comb_str body;                           /* UTF-8 */
    comb_str requests;                       /* bytes: the newest requests that wrote it */
    int64_t create_us, update_us, expire_us; /* since 1970; expire_us 0: never */
};

struct comb_document_scan {
    enum comb_document_order order;
    comb_str from, to; /* from <= text < to */
    bool is_descending;
    size_t max; /* 1 to COMB_DOCUMENT_RECORDS_MAX */
};

struct comb_documents_driver {
    const char *name; /* "sqlite" */
    /* The records with these BY_AT, n at most COMB_DOCUMENT_RECORDS_MAX, in any order; of those
     * that there are. */
    enum comb_status (*get)(struct comb_documents_store *self, struct comb_ctx *ctx,
                            const comb_str *ats, size_t n,
                            const struct comb_document_record **ret_records, size_t *ret_n,
                            struct comb_error *err);
    /* In the order of that text. Answered by an index. */
    enum comb_status (*scan)(struct comb_documents_store *self, struct comb_ctx *ctx,
                             const struct comb_document_scan *scan,
                             const struct comb_document_record **ret_records, size_t *ret_n,
                             struct comb_error *err);
    /* How many there are from <= BY_AT < to, at most max. */
    enum comb_status (*count)(struct comb_documents_store *self, struct comb_ctx *ctx,
                              comb_str from, comb_str to, size_t max, size_t *ret_n,
                              struct comb_error *err);
    /* The whole record, in place of the one with this revision; 0: there is none yet. *ret_written
     * false: there is another one. Durable when it returns. */
    enum comb_status (*write)(struct comb_documents_store *self, struct comb_ctx *ctx,
                              const struct comb_document_record *record, int64_t replaced,
                              bool *ret_written, struct comb_error *err);
    /* Sets BY_MADE and all keys of the record, where its revision is the same; else nothing. */
    enum comb_status (*set_keys)(struct comb_documents_store *self, struct comb_ctx *ctx,
                                 const struct comb_document_record *record, struct comb_error *err);
    /* Where it has this revision; else nothing. */
    enum comb_status (*remove)(struct comb_documents_store *self, struct comb_ctx *ctx, comb_str at,
                               int64_t revision, struct comb_error *err);
    void (*close)(struct comb_documents_store *self);
};

struct comb_documents_store {
    const struct comb_documents_driver *driver;
};

/* Over an open row, which must live longer. Asks nobody but a file: see server/docs/docs.h. */
enum comb_status comb_documents_store_open(struct comb_docs *docs,
                                           struct comb_documents_store **ret_store,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_documents_store_close(struct comb_documents_store *store);

#endif
