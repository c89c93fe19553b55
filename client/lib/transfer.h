/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions of comb/files.h share: places, progress, streams that go on after a break. */
#ifndef COMB_LIB_TRANSFER_H
#define COMB_LIB_TRANSFER_H

#include <sys/stat.h>

#include "client/lib/internal.h"
#include "client/lib/retry.h"
#include "comb/files.h"
#include "comb/v1/data.grpcc.h"

enum {
    COMB_CHUNK_BYTES = 1 << 20, /* of a stream, and the largest content of a Put */
    COMB_SHA256_BYTES = 32,
    COMB_ONE_CALL_ARENA_MAX = 8 << 20,
    COMB_SHOWN_PATH_SIZE = 1024, /* of what progress shows; longer paths are cut */
};

/* ---- place.c ---- */

/* The target for "/personal/a/b.txt" in arena; options may be NULL. INVALID_ARGUMENT: no file can
 * have that path. */
enum grpcc_status comb_target_make(struct grpcc_arena *arena, const char *path,
                                   const struct comb_put_options *options,
                                   struct comb_v1_upload_target **ret_target,
                                   struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Whether a local name can be one in Comb: UTF-8. */
bool comb_name_is_good(const char *name);
/* A NodeRef by path; NULL: no room. */
struct comb_v1_node_ref *comb_ref_by_path(struct grpcc_arena *arena,
                                          const char *path) GRPCC_MUST_CHECK;
/* posix: mode and mtime, as an array of two in arena; NULL: no room. */
struct comb_v1_metadata **comb_posix_metadata(struct grpcc_arena *arena,
                                              const struct stat *info) GRPCC_MUST_CHECK;
enum { COMB_POSIX_METADATA = 2 };
/* What the node's metadata says of it; false: nothing. */
bool comb_posix_mode(const struct comb_v1_node *node, mode_t *ret_mode);
bool comb_posix_mtime(const struct comb_v1_node *node, struct timespec *ret_time);
/* Gives an open file or folder that mode (permissions only) and time; what it cannot be given is no
 * reason to refuse it. */
void comb_posix_apply(int fd, const struct comb_v1_node *node);

/* ---- meter.c ---- */

/* Counts for a progress function; all functions: any thread. */
struct comb_meter {
    pthread_mutex_t lock;
    comb_progress_function function; /* NULL: only counts */
    void *data;
    struct comb_progress progress;
    int64_t next_ns;
    bool cancelled;
    char path[COMB_SHOWN_PATH_SIZE]; /* progress.path */
};
void comb_meter_init(struct comb_meter *meter, comb_progress_function function, void *data);
void comb_meter_done(struct comb_meter *meter);
void comb_meter_expect(struct comb_meter *meter, uint64_t bytes, uint64_t files);
/* False: the program cancels. */
bool comb_meter_add(struct comb_meter *meter, const char *path, uint64_t bytes, uint64_t files);
/* Shows the end. */
void comb_meter_finish(struct comb_meter *meter);
enum grpcc_status comb_meter_cancelled(struct grpcc_error *err);

/* ---- again.c ---- */

/* Repeats of a stream: as long as each gets further, or until the client's timeout has passed
 * without that. */
struct comb_again {
    struct comb_client *client;
    struct comb_retry retry;
    int64_t begin_ns, deadline_ns;
    bool unconnected_only; /* no server was reached since it got further */
};
void comb_again_init(struct comb_again *again, struct comb_client *client);
/* It got further: what failed before is forgotten. */
void comb_again_progress(struct comb_again *again);
/* After a stream that ended with status: true: open another one, after *ret_wait_ms. Refreshes the
 * tokens where that was the reason. */
bool comb_again_judge(struct comb_again *again, enum grpcc_status status,
                      const struct grpcc_error *err, int64_t *ret_wait_ms);
/* The same, and waits. */
bool comb_again_wait(struct comb_again *again, enum grpcc_status status,
                     const struct grpcc_error *err);

/* ---- upload.c ---- */

/*
 * Where content comes from. read: from one thread at a time, in order; fills buffer as far as there
 * is content; -1: failed, err says how. check: before the commit; fails where the source was not
 * the same from beginning to end. NULL is fine.
 */
struct comb_source {
    int64_t (*read)(void *data, void *buffer, size_t capacity, struct grpcc_error *err);
    enum grpcc_status (*check)(void *data, struct grpcc_error *err);
    void *data;
    bool has_size;
    uint64_t size;
    bool any_thread; /* read may be called from our threads */
};
/* Sends by an upload session; target is kept until it returns. */
enum grpcc_status comb_upload(struct comb_client *client, struct grpcc_arena *arena,
                              struct comb_v1_upload_target *target,
                              const struct comb_source *source, struct comb_meter *meter,
                              const char *path, struct comb_v1_node **ret_node,
                              struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Sends at most COMB_CHUNK_BYTES by one call. */
enum grpcc_status comb_put_small(struct comb_client *client, struct grpcc_arena *arena,
                                 struct comb_v1_upload_target *target, const void *data,
                                 size_t length, struct comb_v1_node **ret_node,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;

/* ---- put.c, get.c ---- */

/* As comb_put_file(), to a target, with a meter; path is for people. */
enum grpcc_status comb_put_local(struct comb_client *client, struct grpcc_arena *arena,
                                 const char *local, struct comb_v1_upload_target *target,
                                 struct comb_meter *meter, const char *path,
                                 struct comb_v1_node **ret_node,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
/* As comb_get_file(), into the folder folder_fd, never through a link; posix: the node with the
 * metadata for mode and time, NULL: there is none. */
enum grpcc_status comb_get_local(struct comb_client *client, struct grpcc_arena *arena,
                                 const struct comb_v1_node_ref *ref, int folder_fd,
                                 const char *name, const struct comb_v1_node *posix,
                                 struct comb_meter *meter, const char *path,
                                 struct comb_v1_node **ret_node,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status comb_get_ref(struct comb_client *client, struct grpcc_arena *arena,
                               const struct comb_v1_node_ref *ref, uint64_t offset, uint64_t length,
                               bool (*write)(void *data, const void *bytes, size_t n),
                               void *write_data, struct comb_v1_node **ret_node,
                               struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
