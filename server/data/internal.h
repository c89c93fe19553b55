/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the data domain share. */
#ifndef COMB_DATA_INTERNAL_H
#define COMB_DATA_INTERNAL_H

#include <pthread.h>

#include "server/data/block_cipher.h"
#include "server/data/content_hash.h"
#include "server/data/data.h"
#include "server/data/data_keys.h"
#include "server/data/hashers.h"

struct comb_data {
    struct comb_data_options use;
    struct comb_hashers *hashers;
    struct comb_data_keys *keys; /* NULL: no vault */
    pthread_mutex_t lock;        /* guards session */
    struct comb_uuid session;
    pthread_mutex_t sweep_lock;       /* held by a round of the sweeper; taken before `lock` */
    struct comb_uuid condemned_after; /* how far the sweeper's walk over the blobs has come */
};

/* The writer session of this process. */
struct comb_uuid comb_data_session(struct comb_data *data);
/* OK while session lives. Else makes a new one, where nobody has yet, and fails with UNAVAILABLE:
 * what was written under the dead one must be sent again. */
enum comb_status comb_data_check_session(struct comb_data *data, struct comb_ctx *ctx,
                                         const struct comb_uuid *session, struct comb_error *err);

/* Blocks that are sealed, or opened, in one piece: within what one _write or _read moves. */
#define COMB_DATA_SEALED_BLOCKS (COMB_BLOB_CHUNK_MAX / COMB_BLOCK_STORED_BYTES)

/* What encrypts an object as it comes (seal.c). */
struct comb_data_sealer;

/* An object on its way into the data row, hashed as it comes. */
struct comb_data_object {
    struct comb_data *data;
    struct comb_uuid session, id;
    struct comb_blob_writer *writer; /* NULL: not begun, stored or failed */
    struct comb_content_hash hash;
    uint8_t digest[COMB_SHA256_SIZE]; /* once stored */
    bool is_stored;
    struct comb_data_sealer *sealer; /* NULL: it is stored as it comes */
    struct comb_data_seal seal;      /* once stored */
};
enum comb_status comb_data_object_begin(struct comb_data_object *object, struct comb_data *data,
                                        struct comb_ctx *ctx, uint64_t size_hint,
                                        struct comb_error *err);
enum comb_status comb_data_object_write(struct comb_data_object *object, struct comb_ctx *ctx,
                                        comb_str bytes, struct comb_error *err);
/* Makes it durable. */
enum comb_status comb_data_object_store(struct comb_data_object *object, struct comb_ctx *ctx,
                                        struct comb_error *err);
/* Nothing names it: takes it away. */
void comb_data_object_discard(struct comb_data_object *object);
/* Something names it, or it is not known: it stays. */
void comb_data_object_keep(struct comb_data_object *object);

/* For the functions above: begins with a key of its own; takes bytes of the content; its end, which
 * sets object->seal. */
enum comb_status comb_data_sealer_new(struct comb_data_object *object, struct comb_ctx *ctx,
                                      struct comb_error *err);
enum comb_status comb_data_sealer_write(struct comb_data_object *object, struct comb_ctx *ctx,
                                        comb_str bytes, struct comb_error *err);
enum comb_status comb_data_sealer_end(struct comb_data_object *object, struct comb_ctx *ctx,
                                      struct comb_error *err);
void comb_data_sealer_free(struct comb_data_sealer *sealer); /* NULL is fine */

/* What opens an encrypted object, with the blocks that were read last (seal.c). */
struct comb_data_opener;
enum comb_status comb_data_opener_new(struct comb_data *data, struct comb_ctx *ctx,
                                      const struct comb_uuid *object, uint64_t size,
                                      const struct comb_data_seal *seal,
                                      struct comb_data_opener **ret_opener, struct comb_error *err);
/* Bytes of the content from offset on, as comb_blob_read() does; `end`: none behind it are wanted
 * soon. */
enum comb_status comb_data_opener_read(struct comb_data_opener *opener, struct comb_ctx *ctx,
                                       struct comb_blob_reader *reader, uint64_t offset,
                                       uint64_t end, char *buffer, size_t capacity, size_t *ret_n,
                                       struct comb_error *err);
void comb_data_opener_free(struct comb_data_opener *opener); /* NULL is fine */

/* What the target of a request asks of the tree. field: the target's, "header.target". */
enum comb_status comb_data_put_of_target(const struct comb_v1_upload_target *target,
                                         const char *field, struct comb_tree_put *ret_put,
                                         struct comb_error *err);
/* A SHA-256 in a request: empty or 32 bytes. */
enum comb_status comb_data_sha256_of(const ProtobufCBinaryData *field_value, const char *field,
                                     comb_str *ret_sha256, struct comb_error *err);
/* DATA_LOSS where expected is not empty and not digest. */
enum comb_status comb_data_check_sha256(comb_str expected, const uint8_t digest[COMB_SHA256_SIZE],
                                        struct comb_error *err);
/* "PREFIXNAME" in arena; name where there is no room. */
const char *comb_data_field(struct grpcc_arena *arena, const char *prefix, const char *name);

/* The caller's upload of that id; NOT_FOUND (UPLOAD_NOT_FOUND) also where it is another's. */
enum comb_status comb_data_find_upload(struct comb_data *data, struct comb_ctx *ctx,
                                       const char *upload_id, const char *field,
                                       struct comb_data_upload *ret_upload, struct comb_error *err);
enum comb_status comb_data_upload_message(struct comb_data *data, struct comb_ctx *ctx,
                                          const struct comb_data_upload *upload,
                                          struct comb_v1_upload **ret_message,
                                          struct comb_error *err);
/* The file that a mutation wrote, or wrote at its first time. */
enum comb_status comb_data_node_message(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_outcome *outcome,
                                        struct comb_tree_written *written,
                                        struct comb_v1_node **ret_node, struct comb_error *err);

/* The file that the caller may read, and the blob that is its content. NOT_A_FILE; those of
 * comb_access_resolve. */
enum comb_status comb_data_find_content(struct comb_data *data, struct comb_ctx *ctx,
                                        const struct comb_v1_node_ref *ref,
                                        struct comb_access_node *ret_node,
                                        struct comb_data_blob *ret_blob, struct comb_error *err);

/* Reads `length` bytes of a content from `offset` on, across its parts. */
struct comb_data_span {
    struct comb_data *data;
    struct comb_data_blob blob;
    uint64_t offset, end;            /* next byte, and behind the last one */
    struct comb_blob_reader *reader; /* open on the object that holds `offset`; NULL: none is */
    struct comb_data_opener *opener; /* NULL: it is stored as it came */
    uint64_t object_begin, object_end;
    struct comb_data_part parts[32]; /* those that come, if it is made of parts */
    size_t n_parts, next_part;
};
void comb_data_span_init(struct comb_data_span *span, struct comb_data *data,
                         const struct comb_data_blob *blob, uint64_t offset, uint64_t length);
/* Fills buffer unless the end comes first; *ret_n 0: it has come. */
enum comb_status comb_data_span_read(struct comb_data_span *span, struct comb_ctx *ctx,
                                     char *buffer, size_t capacity, size_t *ret_n,
                                     struct comb_error *err);
void comb_data_span_done(struct comb_data_span *span);

/* Removes the objects and rows of an upload that has ended, or of a doomed blob. */
enum comb_status comb_data_drop(struct comb_data *data, struct comb_ctx *ctx,
                                const struct comb_uuid *id, struct comb_error *err);

#endif
