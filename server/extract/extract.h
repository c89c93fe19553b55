/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text out of files, for search: plain text, Markdown, HTML, PDF, OOXML (docx, xlsx, pptx), ODF
 * (odt, ods, odp) and e-mail with attachments of these kinds, one level deep.
 *
 * Parsers of such files have bugs, and whoever uploads a file chooses what they read. So they do
 * not run here: each file is read by a process of its own (the program comb-extract), which has
 * limits on time and memory, an empty environment, no files, no network and few system calls, and
 * is gone before the next file comes. What it says is not trusted either: this side checks lengths,
 * counts bytes and takes only valid UTF-8. README.md says what that keeps out, and what not.
 *
 * A pool has threads, each with one comb-extract that stands ready and forks a process for each
 * file. A file waits in a bounded queue until a thread takes it; the thread reads the content piece
 * by piece as the parser asks for it, so neither side holds a large text file whole.
 *
 *     struct comb_extract_options options = {.program = "/usr/lib/comb/comb-extract"};
 *     status = comb_extract_new(&options, &extract, &err);
 *     status = comb_extract_submit(extract, &file, on_text, indexer, &id, &err);
 */
#ifndef COMB_EXTRACT_EXTRACT_H
#define COMB_EXTRACT_EXTRACT_H

#include "server/core/error.h"
#include "server/core/str.h"
#include "server/extract/limits.h"
#include "server/extract/outcome.h"

struct comb_extract;

#define COMB_EXTRACT_WORKERS_DEFAULT 1u
#define COMB_EXTRACT_WORKERS_MAX 64u
#define COMB_EXTRACT_QUEUE_DEFAULT 64u
#define COMB_EXTRACT_QUEUE_MAX 65536u
/* Files after which a comb-extract is replaced by a new one. */
#define COMB_EXTRACT_FILES_PER_PROGRAM_DEFAULT 1000u
/* What is longer is cut: both only help to tell what a file is. */
#define COMB_EXTRACT_NAME_BYTES_MAX 255u

struct comb_extract_options {
    const char *program;        /* comb-extract's absolute path */
    uint32_t workers;           /* files at a time; 0: the default */
    uint32_t queue_max;         /* files that wait; 0: the default */
    uint32_t files_per_program; /* 0: the default */
    struct comb_extract_limits limits;
};

/*
 * Where a file's content comes from. Both are called on the pool's threads, one at a time for one
 * file.
 */
struct comb_extract_source {
    /* The next bytes, at most capacity; *ret_n 0 at the end. May block, and has to keep a deadline
     * of its own: until it returns, neither the limit of wall time nor a cancel is noticed. Any
     * failure ends the file with reason SOURCE. */
    enum comb_status (*read)(void *data, void *buffer, size_t capacity, size_t *ret_n,
                             struct comb_error *err);
    /* Nothing will be read any more: exactly once for each file that was accepted, before its
     * `done`. NULL: nothing to do. */
    void (*release)(void *data);
    void *data;
};

struct comb_extract_file {
    comb_str name;       /* "report.pdf", borrowed until submit returns; may be empty */
    comb_str media_type; /* as the node has it, borrowed likewise; may be empty */
    struct comb_extract_source source;
    uint32_t wall_ms; /* its own limit, where that is less than the pool's; 0: the pool's */
};

struct comb_extract_result {
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason; /* NONE with TEXT and UNSUPPORTED */
    /* With TEXT and TRUNCATED: UTF-8, at most limits.output_bytes, paragraphs by "\n", no control
     * characters but "\n" and "\t". Borrowed until `done` returns. */
    comb_str text;
    int64_t wall_us; /* from the moment that a thread took the file */
    int64_t cpu_us;  /* of its process, which includes what the kernel did for it */
};

/* How a file ended: exactly once for each file that was accepted, on a thread of the pool, or on
 * that of comb_extract_cancel()'s caller. May submit and cancel; must not free the pool. The thread
 * takes no other file until it returns. */
typedef void comb_extract_done_fn(void *data, const struct comb_extract_result *result);

/*
 * Since when this process has the pool; figures only grow, but the last three.
 */
struct comb_extract_metrics {
    uint64_t files;                           /* that ended, any way */
    uint64_t texts, truncated, unsupported;   /* of these */
    uint64_t by_reason[COMB_EXTRACT_REASONS]; /* truncated and refused ones, by their reason */
    uint64_t text_bytes;                      /* that callers were given */
    uint64_t programs;                        /* comb-extract started */
    int64_t wall_us, cpu_us;                  /* sums of all files */
    uint32_t queued, running;
    bool namespaces; /* the last comb-extract has an empty root and no network, besides the filter
                        of system calls that all have */
};

/*
 * A pool. options are copied. Starts its threads, but no comb-extract before the first file.
 * Errors: INVALID_ARGUMENT: a number out of its bounds; FAILED_PRECONDITION: program is not there
 * or cannot be executed; RESOURCE_EXHAUSTED: no memory, no threads.
 */
enum comb_status comb_extract_new(const struct comb_extract_options *options,
                                  struct comb_extract **ret_extract,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Ends what runs and what waits with reason CANCELLED, waits for these `done`, and for the end of
 * all processes. No call may be running. NULL is fine. */
void comb_extract_free(struct comb_extract *extract);

/*
 * Queues a file. Does not block. On OK, `done` will be called, maybe before this returns; on a
 * failure nothing of the caller's is called or kept. *ret_id (may be NULL) names the file for
 * comb_extract_cancel(), never 0.
 * Errors: RESOURCE_EXHAUSTED: the queue is full, retryable; or no memory.
 * Threads: any.
 */
enum comb_status comb_extract_submit(struct comb_extract *extract,
                                     const struct comb_extract_file *file,
                                     comb_extract_done_fn *done, void *data, uint64_t *ret_id,
                                     struct comb_error *err) COMB_MUST_CHECK;

/*
 * Ends a file with reason CANCELLED where it has not ended yet: at once where it waits (then `done`
 * is called here), soon where it runs. An id of a file that has ended is ignored. Threads: any.
 */
void comb_extract_cancel(struct comb_extract *extract, uint64_t id);

/*
 * Starts a comb-extract of its own, asks it how it is confined, and ends it: for `--check` and for
 * the start of a server. May block for a minute, on a
 * machine that is stuck.
 * Errors: FAILED_PRECONDITION: the kernel or the container has no seccomp filters, or program is
 * of another version; UNAVAILABLE: it does not start. The message says what to do. Threads: any.
 */
enum comb_status comb_extract_check(struct comb_extract *extract, bool *ret_namespaces,
                                    struct comb_error *err) COMB_MUST_CHECK;

/* Threads: any. */
void comb_extract_metrics_get(struct comb_extract *extract, struct comb_extract_metrics *ret);

#endif
