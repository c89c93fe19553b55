/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of files: the rules. Bytes lie in the data row, SQL says which of them are a file.
 * Nothing is visible in the tree before the last byte is durable, and then all of it is, in one
 * transaction.
 *
 * Requests are taken as they came; every function checks what it uses of them and names the field
 * in its errors. Answers live in ctx->arena, and so must the requests. All functions block.
 * Threads: any; one at a time per ctx, writer or reader.
 */
#ifndef COMB_DATA_H
#define COMB_DATA_H

#include "comb/v1/data.grpcc.h"
#include "server/data/blob_driver.h"
#include "server/data/data_store.h"
#include "server/permissions/access.h"
#include "server/tree/tree_write.h"
#include "server/vault/vault_driver.h"

struct comb_data;

/* A chunk of a stream, and a content or part that comes in one message. */
#define COMB_DATA_CHUNK_MAX COMB_BLOB_CHUNK_MAX
/* A part of an upload. */
#define COMB_DATA_PART_BYTES_MAX (5ULL << 30)
/* A file. */
#define COMB_DATA_FILE_BYTES_MAX (16ULL << 40)
/* How long a content that nothing references is kept unless configured: a store restored from a
 * copy of that age finds all that it names. */
#define COMB_DATA_RESTORE_WINDOW_US (7LL * 24 * 3600 * 1000000)

/* Uploads that one user has open at once, unless configured. */
#define COMB_DATA_UPLOADS_MAX 1000
/* Bytes of what a page of uploads tells, beyond which it ends early. */
#define COMB_DATA_UPLOADS_BYTES_MAX (1u << 20)

/* All borrowed; they outlive the domain. */
struct comb_data_options {
    struct comb_blobs *blobs;
    struct comb_data_store *store;
    struct comb_tree *tree;
    struct comb_access *access;
    struct comb_mutations *mutations;
    int64_t restore_window_us; /* 0: COMB_DATA_RESTORE_WINDOW_US */
    uint32_t uploads_max;      /* 0: COMB_DATA_UPLOADS_MAX */
    struct comb_vault *vault;  /* NULL: nothing that is encrypted can be read */
    bool encrypts;             /* what comes in; with a vault */
};

/* Opens this process's writer session. */
enum comb_status comb_data_new(const struct comb_data_options *options, struct comb_ctx *ctx,
                               struct comb_data **ret_data, struct comb_error *err) COMB_MUST_CHECK;
void comb_data_free(struct comb_data *data); /* NULL is fine; no call may be running */

/* ---- content that comes in ---- */

/*
 * A content on its way into the data row. begin, write any number of chunks, end, free. header and
 * what it points to stay until _free. key: the request's; the content's SHA-256 is added to it, so
 * that a repetition with another content is noticed. Without a successful _end nothing is left.
 */
struct comb_data_writer;

/* A whole file. field: what comes before the names of header's fields in errors: "header." or "".
 * Errors: those of comb_tree_plan_put; FIELD_INVALID, TOO_LARGE, STORE_FULL. */
enum comb_status comb_data_begin_file(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_v1_upload_header *header, const char *field,
                                      const struct comb_request_key *key,
                                      struct comb_data_writer **ret_writer,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* A part of an upload session of the caller's. Errors: UPLOAD_NOT_FOUND; FIELD_INVALID where bytes
 * are there already or lie behind the announced end. */
enum comb_status comb_data_begin_part(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_v1_part_header *header, const char *field,
                                      const struct comb_request_key *key,
                                      struct comb_data_writer **ret_writer,
                                      struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_data_write(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                 comb_str bytes, struct comb_error *err) COMB_MUST_CHECK;
/* Errors: CHECKSUM_MISMATCH; FIELD_INVALID where the length is not the announced one; those of the
 * begin, decided again. UNAVAILABLE where this process was taken for dead meanwhile. */
enum comb_status comb_data_end_file(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                    struct comb_v1_node **ret_node,
                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_data_end_part(struct comb_data_writer *writer, struct comb_ctx *ctx,
                                    struct comb_v1_upload **ret_upload,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_data_writer_free(struct comb_data_writer *writer);

/* ---- upload sessions; they belong to who opened them ---- */

/* RESOURCE_EXHAUSTED (TOO_MANY_UPLOADS) where the caller has as many open as one may. */
enum comb_status comb_data_start_upload(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_v1_data_start_upload_request *request,
                                        const struct comb_request_key *key,
                                        struct comb_v1_upload **ret_upload,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_data_get_upload(struct comb_data *data, struct comb_ctx *ctx,
                                      const char *upload_id, struct comb_v1_upload **ret_upload,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Up to max of the caller's by id, those behind *after (nil: from the first), without their ranges
 * and metadata; a page may be short. *after: moved on; nil: this was the last page. */
enum comb_status comb_data_list_uploads(struct comb_data *data, struct comb_ctx *ctx,
                                        struct comb_uuid *after, size_t max,
                                        struct comb_v1_data_list_uploads_response *response,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* UPLOAD_INCOMPLETE: err->subject names the first missing bytes. Reads the content again where its
 * parts did not come in order. */
enum comb_status comb_data_commit_upload(struct comb_data *data, struct comb_ctx *ctx,
                                         const struct comb_v1_data_commit_upload_request *request,
                                         const struct comb_request_key *key,
                                         struct comb_v1_node **ret_node,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_data_abort_upload(struct comb_data *data, struct comb_ctx *ctx,
                                        const char *upload_id, const struct comb_request_key *key,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* ---- content that goes out ---- */

struct comb_data_reader;

/* *ret_header is the first message; not_modified: nothing is to be read. A content that is replaced
 * meanwhile is read to its end. Errors: those of comb_access_resolve; NOT_A_FILE, ETAG_MISMATCH;
 * OUT_OF_RANGE. */
enum comb_status comb_data_begin_download(struct comb_data *data, struct comb_ctx *ctx,
                                          const struct comb_v1_data_download_request *request,
                                          struct comb_data_reader **ret_reader,
                                          struct comb_v1_download_header **ret_header,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* The next bytes, at most COMB_DATA_CHUNK_MAX, valid until the next call; none at the end. Looks
 * every COMB_FACTS_BOUND_MS whether the caller may still read: NODE_NOT_FOUND where not. */
enum comb_status comb_data_read(struct comb_data_reader *reader, struct comb_ctx *ctx,
                                comb_str *ret_bytes, struct comb_error *err) COMB_MUST_CHECK;
void comb_data_reader_free(struct comb_data_reader *reader); /* NULL is fine */

/* Pieces of a content that URLs are made for in one call. */
#define COMB_DATA_PRESIGN_PARTS_MAX 1000

/* Fills the answer with URLs that read the file's content from the data store itself. UNIMPLEMENTED
 * where that has none. Errors: those of comb_access_resolve; NOT_A_FILE, FIELD_INVALID, TOO_LARGE.
 */
enum comb_status comb_data_presign(struct comb_data *data, struct comb_ctx *ctx,
                                   const struct comb_v1_data_presign_request *request,
                                   struct comb_v1_data_presign_response *response,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* ---- the background ---- */

/* This process is alive: renews its session or, where it was taken for dead, makes a new one. Every
 * few minutes; COMB_DATA_SESSION_LEASE_US without it, and others sweep what it has not named. */
enum comb_status comb_data_keep_session(struct comb_data *data, struct comb_ctx *ctx,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* ---- encryption of what is there (docs/encryption.md) ---- */

/* Bytes of the largest object that is encrypted afterwards: it must be done within a step of an
 * operation. */
#define COMB_DATA_ENCRYPT_OBJECT_MAX (8ULL << 30)

struct comb_data_encrypted {
    struct comb_data_walk walk;
    uint64_t objects, bytes; /* encrypted, or rewrapped */
    uint64_t left;           /* damaged, missing or too large: they are in the log */
};

/*
 * Some more objects that are stored as they came are written again, encrypted, and take their
 * places; what was is removed once the restore window has passed. Goes on where state stands, until
 * state->walk.is_over; may_go_on (NULL: always) is asked before each object. FAILED_PRECONDITION
 * where this process does not encrypt.
 */
enum comb_status comb_data_encrypt_some(struct comb_data *data, struct comb_ctx *ctx,
                                        struct comb_data_encrypted *state,
                                        bool (*may_go_on)(const void *of), const void *of,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* The vault's key gets a new version, once for each `request`, and the next keys of objects are
 * wrapped with it. No object is read or written. */
enum comb_status comb_data_rewrap_some(struct comb_data *data, struct comb_ctx *ctx,
                                       const struct comb_uuid *request,
                                       struct comb_data_encrypted *state,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* What was removed: sessions that had died, uploads that had ended, blobs that nothing named. */
struct comb_data_swept {
    uint64_t sessions, uploads, blobs;
};

/*
 * One bounded round of the sweeper: keeps this process's session, sweeps after dead ones, drops
 * ended uploads, condemns blobs that nothing references, and deletes those whose restore window has
 * passed. swept: added to. *ret_more: call again soon, else within a few minutes. Processes may
 * sweep at the same time, and each round may be cut off anywhere.
 */
enum comb_status comb_data_sweep(struct comb_data *data, struct comb_ctx *ctx,
                                 struct comb_data_swept *swept, bool *ret_more,
                                 struct comb_error *err) COMB_MUST_CHECK;

#endif
