/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders between this machine and Comb: streaming, in parallel, resumed after a broken
 * connection.
 */
#ifndef COMB_FILES_H
#define COMB_FILES_H

#include "comb/client.h"
#include "comb/v1/node.grpcc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far a transfer is. Called from one thread at a time, at most ten times a second, and at the
 * end; false cancels. */
struct comb_progress {
    const char *path; /* of what is under way, or was last */
    uint64_t bytes, bytes_total;
    uint64_t files, files_total; /* totals grow while folders are read */
    bool finished;
};
typedef bool (*comb_progress_function)(void *data, const struct comb_progress *progress);

struct comb_put_options {
    size_t size;               /* sizeof(struct comb_put_options) */
    const char *media_type;    /* NULL: by the server, from the name */
    const char *expected_etag; /* the file must exist with this etag */
    bool absent;               /* there must be none */
    bool create_parents;
    comb_progress_function progress;
    void *progress_data;
    uint64_t lock_token; /* of the caller's lock on the file (Tree.Lock); 0: none */
};

/* Sends length bytes at data as the file `path` ("/personal/a.txt"). ret_node (NULL is fine) lives
 * in arena. */
enum grpcc_status comb_put_bytes(struct comb_client *client, struct grpcc_arena *arena,
                                 const char *path, const void *data, size_t length,
                                 const struct comb_put_options *options,
                                 struct comb_v1_node **ret_node,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Sends what read gives until it gives 0 (-1: cancel). Cannot be replayed: it is sent to an upload
 * session, by parts. */
enum grpcc_status comb_put_stream(struct comb_client *client, struct grpcc_arena *arena,
                                  const char *path,
                                  int64_t (*read)(void *data, void *buffer, size_t capacity),
                                  void *read_data, const struct comb_put_options *options,
                                  struct comb_v1_node **ret_node,
                                  struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Sends a local file. Large ones go in parts and go on where they stopped when a connection breaks.
 */
enum grpcc_status comb_put_file(struct comb_client *client, struct grpcc_arena *arena,
                                const char *local, const char *path,
                                const struct comb_put_options *options,
                                struct comb_v1_node **ret_node,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Gives the content to write, in order, from offset on (length UINT64_MAX: to the end); goes on on
 * another replica when one breaks, within the same content. false from write cancels. */
enum grpcc_status comb_get_stream(struct comb_client *client, struct grpcc_arena *arena,
                                  const char *path, uint64_t offset, uint64_t length,
                                  bool (*write)(void *data, const void *bytes, size_t n),
                                  void *write_data, struct comb_v1_node **ret_node,
                                  struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Writes to a temporary file beside `local`, checks SHA-256, renames. */
enum grpcc_status comb_get_file(struct comb_client *client, struct grpcc_arena *arena,
                                const char *path, const char *local,
                                comb_progress_function progress, void *progress_data,
                                struct comb_v1_node **ret_node,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;

/* What a transfer of trees found on its way, beside what it did. problem: called for each thing
 * left out, with why. */
struct comb_tree_options {
    size_t size;       /* sizeof(struct comb_tree_options) */
    unsigned parallel; /* files at once [8] */
    bool overwrite; /* send and write also what seems unchanged (same size and modification time) */
    const char *const
        *files; /* put: only these, relative to the folder, NULL-terminated; NULL: all */
    void (*problem)(void *data, const char *path, const char *why);
    void *problem_data;
    comb_progress_function progress;
    void *progress_data;
};
struct comb_tree_report {
    uint64_t files, folders, bytes; /* sent or written */
    uint64_t unchanged;             /* files left as they were */
    uint64_t problems;
    double seconds;
};
/*
 * Sends a folder with all that it holds as `path`. Links are followed as by `cp -rL`; loops and
 * dangling ones are problems; empty folders are kept; mode and modification time become metadata
 * (namespace "posix": mode, mtime). What is there with the same size and modification time is left
 * alone, so that a second run, or one after a crash, sends only what is missing.
 */
enum grpcc_status comb_put_tree(struct comb_client *client, const char *local, const char *path,
                                const struct comb_tree_options *options,
                                struct comb_tree_report *ret_report,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Writes a folder with all that it holds below `local`, with the modes and times that the metadata
 * holds. */
enum grpcc_status comb_get_tree(struct comb_client *client, const char *path, const char *local,
                                const struct comb_tree_options *options,
                                struct comb_tree_report *ret_report,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
