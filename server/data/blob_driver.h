/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data row: blobs by key, written once, never changed. Drivers: files (a folder), s3 (a
 * bucket). A blob is written before the row that names it and removed after it: an orphan is
 * possible and swept, a dangling name is not.
 *
 * All slots: any thread, may block on the disk or the network, obey ctx's deadline. Errors of all:
 * RESOURCE_EXHAUSTED (STORE_FULL), UNAVAILABLE (STORE_UNAVAILABLE), DEADLINE_EXCEEDED.
 */
#ifndef COMB_BLOB_DRIVER_H
#define COMB_BLOB_DRIVER_H

#include "server/core/store.h"

struct comb_blobs;
struct comb_blob_writer;
struct comb_blob_reader;

/* Keys: "SESSION/BLOB", each a UUID in text form, lower case; the session is the writer's
 * (CONSISTENCY 7.1). No part of a key ever comes from a client. */
#define COMB_BLOB_KEY_MAX 80
#define COMB_BLOB_KEY_LENGTH (2 * COMB_UUID_TEXT_LENGTH + 1)
/* Largest piece that one _write or _read moves. */
#define COMB_BLOB_CHUNK_MAX (1u << 20)

struct comb_blob_driver {
    const char *name; /* the URL's scheme: "files" */
    uint32_t caps;
    /* Begins a new blob; nothing is visible under key before _commit. size_hint 0: not known; else
     * room for it is asked for here where the store can. ALREADY_EXISTS: the key is in use; a store
     * that is asked no sooner than it has to says so in _commit. */
    enum comb_status (*create)(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                               uint64_t size_hint, struct comb_blob_writer **ret_writer,
                               struct comb_error *err);
    /* ABORTED: the blob was removed meanwhile, by whoever took its session for dead. */
    enum comb_status (*write)(struct comb_blobs *self, struct comb_ctx *ctx,
                              struct comb_blob_writer *writer, comb_str bytes,
                              struct comb_error *err);
    /* Durable under its key when it returns OK. Frees the writer, also on failure, which leaves
     * nothing but where err->ambiguous is set: then the blob may be there, for the sweeper.
     * ABORTED: it was removed meanwhile. A store that hears of a small blob only now cannot know
     * that, where another process removed it: the guard of the row that names it does.
     * ALREADY_EXISTS. */
    enum comb_status (*commit)(struct comb_blobs *self, struct comb_ctx *ctx,
                               struct comb_blob_writer *writer, struct comb_error *err);
    /* Drops what was written. NULL is fine. */
    void (*abort)(struct comb_blobs *self, struct comb_blob_writer *writer);
    /* NOT_FOUND where there is none. */
    enum comb_status (*open)(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                             struct comb_blob_reader **ret_reader, uint64_t *ret_size,
                             struct comb_error *err);
    /* Reads up to capacity bytes at offset; *ret_n 0 at the end. Threads: one reader, one thread.
     */
    enum comb_status (*read)(struct comb_blobs *self, struct comb_ctx *ctx,
                             struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                             size_t capacity, size_t *ret_n, struct comb_error *err);
    void (*close_reader)(struct comb_blobs *self, struct comb_blob_reader *reader);
    /* Removes a blob, and what a dead writer left of it; one that is not there is a success. */
    enum comb_status (*remove)(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                               struct comb_error *err);
    /* Calls each(data, key, size) for every blob whose key begins with prefix, temporary ones of
     * dead writers too (as they would be called, size 0 where it is not known); false from each
     * ends the walk. What writers of other processes are at may be listed, since a store cannot
     * tell whether they live: ask for sessions that are dead. */
    enum comb_status (*list)(struct comb_blobs *self, struct comb_ctx *ctx, comb_str prefix,
                             bool (*each)(void *data, comb_str key, uint64_t size), void *data,
                             struct comb_error *err);
    /* A URL by which anybody reads the blob for ttl_s seconds, without us; in ctx's arena. Does not
     * look whether it is there. NULL: the store cannot. */
    enum comb_status (*presign)(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                unsigned ttl_s, const char **ret_url, struct comb_error *err);
    /* server/core/store.h: writes, lists and removes a blob that no key names. */
    enum comb_status (*check)(struct comb_blobs *self, struct comb_ctx *ctx,
                              struct comb_error *err);
    void (*status)(struct comb_blobs *self, struct comb_store_status *ret_status);
    void (*close)(struct comb_blobs *self);
};
/* caps: other processes see the same blobs; blobs can be presigned. */
#define COMB_BLOB_CAP_SHARED 1u
#define COMB_BLOB_CAP_PRESIGN 2u

/* Longest life of a presigned URL: nobody can take it back. */
#define COMB_BLOB_PRESIGN_S_MAX 60

struct comb_blobs {
    const struct comb_blob_driver *driver;
};

/* Writes the key of a blob: COMB_BLOB_KEY_LENGTH characters and a NUL; the view of them. */
comb_str comb_blob_key(const struct comb_uuid *session, const struct comb_uuid *blob,
                       char ret_key[COMB_BLOB_KEY_MAX]);

/*
 * The slots, with their arguments, their results and the deadline checked; UNIMPLEMENTED where a
 * driver has none. Call these, never the slots.
 */
enum comb_status comb_blob_create(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                  uint64_t size_hint, struct comb_blob_writer **ret_writer,
                                  struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_blob_write(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                 struct comb_blob_writer *writer, comb_str bytes,
                                 struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_blob_commit(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                  struct comb_blob_writer *writer,
                                  struct comb_error *err) COMB_MUST_CHECK;
void comb_blob_abort(struct comb_blobs *blobs, struct comb_blob_writer *writer);
enum comb_status comb_blob_open(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                struct comb_blob_reader **ret_reader, uint64_t *ret_size,
                                struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_blob_read(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                                size_t capacity, size_t *ret_n,
                                struct comb_error *err) COMB_MUST_CHECK;
void comb_blob_close_reader(struct comb_blobs *blobs, struct comb_blob_reader *reader);
enum comb_status comb_blob_remove(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* prefix: empty, or "SESSION/". */
enum comb_status comb_blob_list(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str prefix,
                                bool (*each)(void *data, comb_str key, uint64_t size), void *data,
                                struct comb_error *err) COMB_MUST_CHECK;
/* UNIMPLEMENTED where the driver has no COMB_BLOB_CAP_PRESIGN. */
enum comb_status comb_blob_presign(struct comb_blobs *blobs, struct comb_ctx *ctx, comb_str key,
                                   unsigned ttl_s, const char **ret_url,
                                   struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_blobs_check(struct comb_blobs *blobs, struct comb_ctx *ctx,
                                  struct comb_error *err) COMB_MUST_CHECK;
void comb_blobs_status(struct comb_blobs *blobs, struct comb_store_status *ret_status);
/* NULL is fine. No call may be running, no writer and no reader open. */
void comb_blobs_close(struct comb_blobs *blobs);

/* Opens "files:DIR"; the folder is made (0700) where it is missing. */
enum comb_status comb_blob_files_open(comb_str directory, struct comb_blobs **ret_blobs,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Opens "s3://BUCKET?…" with the credentials "ID:SECRET" (server/data/driver/README.md). */
enum comb_status comb_blob_s3_open(const struct comb_store_options *options,
                                   struct comb_blobs **ret_blobs,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
