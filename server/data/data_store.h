/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SQL knows of contents: blobs, the parts that some are made of, upload sessions, and the
 * sessions of those who write blobs (CONSISTENCY 7). Rows and statements; no rights, no decisions.
 *
 * A blob has its row from the moment that a node names it; a part has one from the moment that it
 * counts. What lies in the data row and has no row here is nobody's: the sweeper removes it once
 * its writer's session is dead. A session dies here first, and every statement that names a new
 * object is guarded by its session being alive, so that a late commit cannot name what was swept.
 *
 * Slots: any thread, at once. Times are the store's own clock. Those that read or write block and
 * obey ctx's deadline; what they return lives in ctx's arena. plan_ slots do not block: they add
 * statements to a plan, and fail only without room.
 */
#ifndef COMB_DATA_STORE_H
#define COMB_DATA_STORE_H

#include "server/mutation/mutation.h"

/* A writer's session dies this long after its last renewal. */
#define COMB_DATA_SESSION_LEASE_US (15LL * 60 * 1000000)
/* A dead session is swept when it dies and once more this long after: its writer may have been
 * frozen between asking and writing. */
#define COMB_DATA_SESSION_RESWEEP_US (24LL * 3600 * 1000000)
/* An upload session is kept this long after its last part. */
#define COMB_DATA_UPLOAD_KEEP_US (24LL * 3600 * 1000000)
/* Parts of one upload. */
#define COMB_DATA_PARTS_MAX 10000
/* Rows that one call below reads or writes at most. */
#define COMB_DATA_BATCH_MAX 1000
/* A running SHA-256 in portable form. */
#define COMB_DATA_HASH_STATE_MAX 112

/* A key of an object, wrapped (server/data/data_keys.h). */
#define COMB_DATA_WRAPPED_SIZE 67

/* How an object's bytes are stored, if they are encrypted (server/data/block_cipher.h). */
struct comb_data_seal {
    bool is_sealed; /* false: they are stored as they came */
    uint8_t wrapped[COMB_DATA_WRAPPED_SIZE];
    uint64_t stored;           /* bytes in the store */
    uint8_t stored_sha256[32]; /* of those */
};

/* Content under one id. Never changes. */
struct comb_data_blob {
    struct comb_uuid id;
    struct comb_uuid session; /* the object SESSION/ID holds it; nil: it is made of parts */
    uint64_t size;
    comb_str sha256; /* 32 bytes */
    struct comb_data_seal seal;
};

/* Bytes of a blob, or of an upload, which have the same id: committing moves no parts. */
struct comb_data_part {
    uint64_t offset, size;
    comb_str sha256;                  /* 32 bytes */
    struct comb_uuid session, object; /* the object SESSION/OBJECT holds them */
    struct comb_data_seal seal;
};

/* Where a walk over all objects that have a row stands: zeros: at the beginning. */
struct comb_data_walk {
    bool in_parts; /* behind all blobs that are one object */
    bool is_over;
    struct comb_uuid blob;
    uint64_t offset;
};

/* An object that has a row: a blob's, or a part's. */
struct comb_data_named {
    struct comb_uuid blob;
    bool is_part;
    struct comb_data_part part; /* a blob's: all of it, from 0 on */
};

/* A running SHA-256 of an upload's first bytes. */
struct comb_data_hashed {
    uint64_t bytes;
    comb_str state; /* at most COMB_DATA_HASH_STATE_MAX; empty where bytes is 0 */
};

struct comb_data_upload {
    struct comb_uuid id, owner;
    comb_str target; /* a packed comb.v1.UploadTarget */
    bool has_size;
    uint64_t size;
    comb_str sha256; /* empty: none was given */
    int64_t expire_us;
    uint64_t n_parts, received; /* bytes */
    struct comb_data_hashed hashed;
};

struct comb_data_store;

struct comb_data_store_driver {
    const char *name; /* "sql" */

    /* ---- sessions of writers ---- */

    /* A new session, alive. Where no other process can use the store, all others die. */
    enum comb_status (*open_session)(struct comb_data_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *id, struct comb_error *err);
    /* Renews its lease; *ret_alive false: it is dead, and stays so. */
    enum comb_status (*renew_session)(struct comb_data_store *self, struct comb_ctx *ctx,
                                      const struct comb_uuid *id, bool *ret_alive,
                                      struct comb_error *err);

    /* ---- reads ---- */

    enum comb_status (*get_blob)(struct comb_data_store *self, struct comb_ctx *ctx,
                                 const struct comb_uuid *id, bool *ret_found,
                                 struct comb_data_blob *ret_blob, struct comb_error *err);
    /* Parts of a blob or an upload that end behind `from`, by offset, at most max. */
    enum comb_status (*get_parts)(struct comb_data_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *id, uint64_t from, size_t max,
                                  const struct comb_data_part **ret_parts, size_t *ret_n,
                                  struct comb_error *err);
    /* One that has neither ended nor expired. */
    enum comb_status (*get_upload)(struct comb_data_store *self, struct comb_ctx *ctx,
                                   const struct comb_uuid *id, bool *ret_found,
                                   struct comb_data_upload *ret_upload, struct comb_error *err);
    /* Such of one owner, by id, up to max (COMB_DATA_BATCH_MAX) behind `after`. */
    enum comb_status (*list_uploads)(struct comb_data_store *self, struct comb_ctx *ctx,
                                     const struct comb_uuid *owner, const struct comb_uuid *after,
                                     size_t max, const struct comb_data_upload **ret_uploads,
                                     size_t *ret_n, struct comb_error *err);
    /* How many uploads of one owner count against plan_upload's open_max; ends those that have
     * expired, so that they do not. */
    enum comb_status (*count_uploads)(struct comb_data_store *self, struct comb_ctx *ctx,
                                      const struct comb_uuid *owner, uint64_t *ret_n,
                                      struct comb_error *err);

    /* ---- pieces of plans ---- */

    /* The row of a blob that is one object; guarded by its session. */
    enum comb_status (*plan_blob)(struct comb_data_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, const struct comb_data_blob *blob,
                                  struct comb_error *err);
    /* A new upload; expire_us is set. Guarded by its owner having fewer than open_max that have not
     * ended; an expired one counts until it is ended. Violates UNIQUE where another takes the same
     * place at the same time. */
    enum comb_status (*plan_upload)(struct comb_data_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_data_upload *upload,
                                    uint32_t open_max, struct comb_error *err);
    /* A part of it, which extends its life; guarded by the part's session, by the upload being
     * there with room for it, and by no part that overlaps. hashed (NULL: not known): the SHA-256
     * up to the part's end, taken where it goes on from what the upload has. */
    enum comb_status (*plan_part)(struct comb_data_store *self, struct comb_ctx *ctx,
                                  struct comb_plan *plan, const struct comb_data_upload *upload,
                                  const struct comb_data_part *part,
                                  const struct comb_data_hashed *hashed, struct comb_error *err);
    /* The upload, as it was seen, becomes the blob of its id; guarded by no part having come since.
     */
    enum comb_status (*plan_commit)(struct comb_data_store *self, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_data_upload *upload,
                                    comb_str sha256, struct comb_error *err);
    /* Ends it; guarded by its being there. */
    enum comb_status (*plan_abort)(struct comb_data_store *self, struct comb_ctx *ctx,
                                   struct comb_plan *plan, const struct comb_data_upload *upload,
                                   struct comb_error *err);

    /* ---- the sweeper; none of these is part of a mutation ---- */

    /* Declares sessions dead whose lease has passed, and names one that is to be swept. */
    enum comb_status (*next_dead_session)(struct comb_data_store *self, struct comb_ctx *ctx,
                                          bool *ret_found, struct comb_uuid *ret_session,
                                          struct comb_error *err);
    /* It has been swept; the second time its row goes. */
    enum comb_status (*set_swept)(struct comb_data_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *session, struct comb_error *err);
    /* Which of n objects (at most COMB_DATA_NAMED_MAX) have a row as a blob or as a part. */
    enum comb_status (*are_named)(struct comb_data_store *self, struct comb_ctx *ctx,
                                  const struct comb_uuid *objects, size_t n, bool *ret_named,
                                  struct comb_error *err);
    /* An upload that was ended, or has expired and ends now. */
    enum comb_status (*next_ended_upload)(struct comb_data_store *self, struct comb_ctx *ctx,
                                          bool *ret_found, struct comb_uuid *ret_upload,
                                          struct comb_error *err);
    /* Looks at max blobs behind *after (nil: from the first) and moves it on, back to nil at the
     * end: condemns those that no node references, lifts the condemnation of those that one does,
     * and of all that were condemned before the store was restored. */
    enum comb_status (*condemn)(struct comb_data_store *self, struct comb_ctx *ctx, size_t max,
                                struct comb_uuid *after, struct comb_error *err);
    /* A blob that was condemned window_us ago: from now on nothing may reference it, and it comes
     * again until its row is gone. */
    enum comb_status (*next_doomed)(struct comb_data_store *self, struct comb_ctx *ctx,
                                    int64_t window_us, bool *ret_found,
                                    struct comb_data_blob *ret_blob, struct comb_error *err);
    /* The objects are gone: the rows of n parts; of an ended upload or a doomed blob. */
    enum comb_status (*drop_parts)(struct comb_data_store *self, struct comb_ctx *ctx,
                                   const struct comb_uuid *id, const struct comb_data_part *parts,
                                   size_t n, struct comb_error *err);
    /* The row of an ended upload or of a doomed blob that has no parts left. */
    enum comb_status (*drop)(struct comb_data_store *self, struct comb_ctx *ctx,
                             const struct comb_uuid *id, struct comb_error *err);

    /* ---- encryption; none of these is part of a mutation ---- */

    /* Objects that have a row, about max rows on; some may be passed over, so fewer or none may
     * come before the end. What is added meanwhile may be missed. */
    enum comb_status (*walk)(struct comb_data_store *self, struct comb_ctx *ctx, size_t max,
                             struct comb_data_walk *walk, const struct comb_data_named **ret_named,
                             size_t *ret_n, struct comb_error *err);
    /* Changes the wrapped keys of n objects (at most COMB_DATA_NAMED_MAX) as they were seen to
     * those in wrapped; those that have changed since are left. */
    enum comb_status (*rewrap)(struct comb_data_store *self, struct comb_ctx *ctx,
                               const struct comb_data_named *seen,
                               const uint8_t (*wrapped)[COMB_DATA_WRAPPED_SIZE], size_t n,
                               struct comb_error *err);
    /* The object `by`, which holds the same bytes, takes the place of the one that was seen, which
     * is remembered as replaced. ABORTED: the row is another by now, or by's session is dead. */
    enum comb_status (*replace)(struct comb_data_store *self, struct comb_ctx *ctx,
                                const struct comb_data_named *seen, const struct comb_data_part *by,
                                struct comb_error *err);
    /* Objects (at most max) that were replaced window_us ago. */
    enum comb_status (*list_replaced)(struct comb_data_store *self, struct comb_ctx *ctx,
                                      int64_t window_us, size_t max,
                                      const struct comb_data_part **ret_objects, size_t *ret_n,
                                      struct comb_error *err);
    /* One of them is gone. */
    enum comb_status (*forget_replaced)(struct comb_data_store *self, struct comb_ctx *ctx,
                                        const struct comb_uuid *object, struct comb_error *err);
    void (*close)(struct comb_data_store *self); /* NULL is fine */
};
#define COMB_DATA_NAMED_MAX 64

struct comb_data_store {
    const struct comb_data_store_driver *driver;
};

/* Opens the store on the sql row, whose schema has been migrated; sql is borrowed. */
enum comb_status comb_data_store_open(struct comb_sql *sql, struct comb_data_store **ret_store,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* Tables blob_session, blob, blob_part, blob_replaced, upload, for comb_sql_migrate_schema. */
extern const struct comb_sql_schema *const comb_data_schemas[];

#endif
