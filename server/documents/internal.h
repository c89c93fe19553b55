/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of documents share. */
#ifndef COMB_DOCUMENTS_INTERNAL_H
#define COMB_DOCUMENTS_INTERNAL_H

#include <pthread.h>

#include "server/documents/record.h"

struct comb_documents {
    struct comb_documents_store *store;
    pthread_t purger;
    bool has_purger;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t stop;
    bool is_stopping;
};

/* How often what lost against another write is done again. */
#define DOCUMENTS_ATTEMPTS 8

/* ABORTED, CONTENTION. */
enum comb_status documents_contention(struct comb_error *err);
/* The record with this BY_AT; NULL: there is none. */
enum comb_status documents_read_one(struct comb_documents *documents, struct comb_ctx *ctx,
                                    const char *at, const struct comb_document_record **ret_record,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Whether there is a document for people: neither deleted nor expired. record may be NULL. */
bool documents_is_there(const struct comb_document_record *record, int64_t now_us);
/* A revision that none of the same document has had. */
int64_t documents_next_revision(const struct comb_document_record *before);
/* false: damaged. */
bool documents_to_document(const struct comb_document_record *record,
                           struct comb_document *ret_document) COMB_MUST_CHECK;
/* Whether the caller may see documents of owner (NULL: of all) there; PERMISSION_DENIED. */
enum comb_status documents_may_read(const struct comb_ctx *ctx,
                                    const struct comb_document_store *store,
                                    const struct comb_uuid *owner,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* JSON text of at most COMB_DOCUMENT_BODY_BYTES_MAX and COMB_DOCUMENT_DEPTH_MAX; the caller calls
 * json_decref(). */
enum comb_status documents_parse(const char *field, comb_str text, json_t **ret_value,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Brings the keys of a store's records up to its declarations. UNAVAILABLE: there are too many for
 * one call. */
enum comb_status documents_heal(struct comb_documents *documents, struct comb_ctx *ctx,
                                const struct comb_document_store *store,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
