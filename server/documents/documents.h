/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents by store, owner and id: what programs keep beside files. An administrator makes a
 * store and says who reads it; each user writes his own documents there.
 *
 * A query is a walk along one declared index, never a search: its conditions are equalities on the
 * first paths of an index, then a range on the next one. So it costs what it returns, and both
 * stores answer alike, ties by owner and id.
 *
 * Rights: a document is written by its owner and by administrators. It is read by them, and in a
 * store that is READABLE by everybody who has logged in. Stores and indexes are made by
 * administrators.
 *
 * Functions: any thread; they block and obey ctx's deadline; what they return lives in ctx->arena.
 * Errors of all: UNAVAILABLE while the docs row is away, DEADLINE_EXCEEDED, STORE_FULL.
 */
#ifndef COMB_DOCUMENTS_H
#define COMB_DOCUMENTS_H

#include "server/core/limits.h"
#include "server/documents/documents_driver.h"
#include "server/mutation/mutation.h"

#define COMB_DOCUMENT_STORE_BYTES_MAX 64
#define COMB_DOCUMENT_ID_BYTES_MAX 128
#define COMB_DOCUMENT_BODY_BYTES_MAX 65536
/* Arrays and objects in each other. */
#define COMB_DOCUMENT_DEPTH_MAX 32
/* Of one owner in one store; looked at with one in so many new ones, so that it is passed by a few.
 */
#define COMB_DOCUMENTS_OF_OWNER_MAX 100000
#define COMB_DOCUMENTS_COUNT_EVERY 64
#define COMB_DOCUMENT_STORES_MAX 1000
/* Of an index. */
#define COMB_DOCUMENT_INDEX_NAME_BYTES_MAX 64
#define COMB_DOCUMENT_PATHS_MAX 3
#define COMB_DOCUMENT_PATH_BYTES_MAX 128
/* A text at the path of an index: a key of three fits into a page token. */
#define COMB_DOCUMENT_INDEXED_BYTES_MAX 120
#define COMB_DOCUMENT_CONDITIONS_MAX 8
/* Bodies of a page, once it has one document. */
#define COMB_DOCUMENT_PAGE_BYTES_MAX (1u << 20)
/* Records that a query brings up to date with a new index before it answers; it is UNAVAILABLE
 * where there are more, and the next one goes on. */
#define COMB_DOCUMENT_HEAL_MAX 2000
/* How long what was deleted is remembered, so that a repeated request is known. */
#define COMB_DOCUMENT_TOMBSTONE_US COMB_REQUEST_ID_KEEP_US
/* Newest requests that a document remembers. */
#define COMB_DOCUMENT_REQUESTS_MAX 8
#define COMB_DOCUMENT_TTL_MS_MAX (10LL * 366 * 24 * 3600 * 1000)

struct comb_documents;

/* The numbers are stored, and those of comb.v1.DocumentAccess. */
enum comb_document_access {
    COMB_DOCUMENT_PRIVATE = 1, /* owners and administrators read */
    COMB_DOCUMENT_READABLE = 2 /* everybody reads */
};

struct comb_document_index {
    comb_str name;
    comb_str paths[COMB_DOCUMENT_PATHS_MAX]; /* "/a/b", RFC 6901, of members alone */
    size_t n_paths;
    bool by_owner; /* for queries of one owner; else for those of all */
    int slot;      /* which key of a record */
};

/* A store of documents. */
struct comb_document_store {
    comb_str name;
    enum comb_document_access access;
    struct comb_document_index indexes[COMB_DOCUMENT_INDEXES_MAX];
    size_t n_indexes;
    int64_t revision;
    int64_t keys_revision; /* of the newest declaration of an index; 0: none */
};

struct comb_document {
    struct comb_uuid owner;
    comb_str id;
    comb_str body;    /* JSON, compact, members sorted */
    int64_t revision; /* rises with each write, also across deletion; not by one */
    int64_t create_us, update_us, expire_us; /* expire_us 0: never */
};

struct comb_document_put {
    comb_str store, id, body;
    struct comb_uuid owner;
    const int64_t *expected; /* the revision before, 0: there is none; NULL: whatever it is */
    int64_t ttl_ms;          /* 0: for ever */
};

enum comb_document_compare {
    COMB_DOCUMENT_EQUAL = 1,
    COMB_DOCUMENT_LESS = 2,
    COMB_DOCUMENT_LESS_OR_EQUAL = 3,
    COMB_DOCUMENT_GREATER = 4,
    COMB_DOCUMENT_GREATER_OR_EQUAL = 5
};

struct comb_document_condition {
    comb_str path;
    enum comb_document_compare compare;
    comb_str value; /* JSON: a text, a number, true, false or null */
};

struct comb_document_query {
    comb_str store;
    const struct comb_uuid *owner; /* NULL: all that the caller may read */
    const struct comb_document_condition *conditions;
    size_t n_conditions;
    const comb_str *order; /* paths; none: by the index, or by owner and id */
    size_t n_order;
    bool is_descending;
    comb_str after; /* `next` of the page before; empty: the first one */
    size_t max;
};

struct comb_document_page {
    const struct comb_document *documents;
    size_t n;
    comb_str next; /* empty: this was the last page */
};

/* store must live longer; starts a thread that removes what has expired. */
enum comb_status comb_documents_new(struct comb_documents_store *store,
                                    struct comb_documents **ret_documents,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running. NULL is fine. */
void comb_documents_free(struct comb_documents *documents);
/* What the thread does once a minute: up to a few hundred records that have expired. */
enum comb_status comb_documents_purge(struct comb_documents *documents, struct comb_ctx *ctx,
                                      size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;

/* ---- stores; the caller is an administrator but where said ---- */

/* Makes it, or changes who reads it. */
enum comb_status comb_documents_set_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                          comb_str name, enum comb_document_access access,
                                          struct comb_document_store *ret_store,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* Anybody. NOT_FOUND, DOCUMENT_STORE_NOT_FOUND. */
enum comb_status comb_documents_get_store(struct comb_documents *documents, struct comb_ctx *ctx,
                                          comb_str name, struct comb_document_store *ret_store,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* Anybody. By name, those after `after`. */
enum comb_status comb_documents_list_stores(struct comb_documents *documents, struct comb_ctx *ctx,
                                            comb_str after, size_t max,
                                            const struct comb_document_store **ret_stores,
                                            size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;
/* The same once more changes nothing. ALREADY_EXISTS, KEY_TAKEN: of another form by that name.
 * Documents that are there get into it before the next query is answered. */
enum comb_status comb_documents_declare_index(struct comb_documents *documents,
                                              struct comb_ctx *ctx, comb_str store,
                                              const struct comb_document_index *index,
                                              struct comb_document_store *ret_store,
                                              struct comb_error *err) COMB_MUST_CHECK;
/* One that is not there is dropped already. */
enum comb_status comb_documents_drop_index(struct comb_documents *documents, struct comb_ctx *ctx,
                                           comb_str store, comb_str name,
                                           struct comb_document_store *ret_store,
                                           struct comb_error *err) COMB_MUST_CHECK;

/* ---- documents ---- */

/* Errors: FAILED_PRECONDITION, ETAG_MISMATCH (another revision); INVALID_ARGUMENT;
 * PERMISSION_DENIED; DOCUMENT_STORE_NOT_FOUND; CONTENTION. */
enum comb_status comb_documents_put(struct comb_documents *documents, struct comb_ctx *ctx,
                                    const struct comb_request_key *key,
                                    const struct comb_document_put *put, int64_t *ret_revision,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* NOT_FOUND, DOCUMENT_NOT_FOUND. expected as of a put. */
enum comb_status comb_documents_delete(struct comb_documents *documents, struct comb_ctx *ctx,
                                       const struct comb_request_key *key, comb_str store,
                                       const struct comb_uuid *owner, comb_str id,
                                       const int64_t *expected,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* n at most COMB_DOCUMENT_RECORDS_MAX, of one moment each. ret_documents[i].revision 0: there is
 * none. */
enum comb_status comb_documents_get(struct comb_documents *documents, struct comb_ctx *ctx,
                                    comb_str store, const struct comb_uuid *owner,
                                    const comb_str *ids, size_t n,
                                    struct comb_document *ret_documents,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* NOT_FOUND, DOCUMENT_NOT_FOUND. */
enum comb_status comb_documents_not_found(struct comb_error *err);
/* FAILED_PRECONDITION, DOCUMENT_INDEX_MISSING: no declared index answers it. */
enum comb_status comb_documents_query(struct comb_documents *documents, struct comb_ctx *ctx,
                                      const struct comb_document_query *query,
                                      struct comb_document_page *ret_page,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
