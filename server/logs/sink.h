/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's own log in the docs row, beside standard error: what is logged is copied into a
 * bounded queue, and a thread appends it in batches. A store that is away, or slow, costs lines,
 * which are counted and told of, and no call waits for it.
 *
 * A batch has an id, under which it is appended again until there is an answer, so that what was
 * answered ambiguously is there once. What the docs row's stores and this thread log themselves is
 * left out: each append would make the next one.
 */
#ifndef COMB_LOGS_SINK_H
#define COMB_LOGS_SINK_H

#include "server/core/ctx.h"
#include "server/core/log.h"

struct grpcc_server;
struct comb_logs_sink;

/* What waits; lines that find it full are lost, so the first ones of an outage are kept. */
#define COMB_LOGS_SINK_LINES_MAX 4096
#define COMB_LOGS_SINK_BYTES_MAX ((size_t)4 << 20)
/* Of one line; what is more is left off. A text is cut at COMB_LOG_VALUE_MAX. */
#define COMB_LOGS_SINK_FIELDS_MAX 16
/* Lines of one append, and how long a line waits for others to be appended with it. */
#define COMB_LOGS_SINK_BATCH_MAX 100
#define COMB_LOGS_SINK_GATHER_MS 200
/* Of one append, and of all of them when the server stops. */
#define COMB_LOGS_SINK_APPEND_MS_MAX 3000
#define COMB_LOGS_SINK_STOP_MS_MAX 2000

/* Appends lines, in order, durable when it returns. A batch that was appended before, under the
 * same id, is not appended again. On the sink's thread; blocks, and obeys ctx's deadline. */
typedef enum comb_status (*comb_logs_sink_append_fn)(void *data, struct comb_ctx *ctx,
                                                     const struct comb_uuid *batch,
                                                     const struct comb_log_line *const *lines,
                                                     size_t n, struct comb_error *err);

/* Becomes the log's sink: lines of the level and those that are worse wait from now on. */
enum comb_status comb_logs_sink_new(enum comb_log_level level, struct comb_logs_sink **ret_sink,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* Starts the thread, once there is something to append to, which lives until _stop. */
enum comb_status comb_logs_sink_start(struct comb_logs_sink *sink, comb_logs_sink_append_fn append,
                                      void *data, struct comb_error *err) COMB_MUST_CHECK;
/* Also takes the calls that server refused before any handler, or the dispatcher, which logs the
 * others, saw them. Before its _start; the sink lives longer. */
enum comb_status comb_logs_sink_attach(struct comb_logs_sink *sink, struct grpcc_server *server,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* Takes no more lines, appends what waits for COMB_LOGS_SINK_STOP_MS_MAX at most, behind an append
 * that is under way, and ends the thread. NULL is fine. */
void comb_logs_sink_stop(struct comb_logs_sink *sink);
/* NULL is fine. */
void comb_logs_sink_free(struct comb_logs_sink *sink);

struct comb_logs_sink_stats {
    uint64_t kept;    /* lines that were appended */
    uint64_t dropped; /* that were not, and will not be */
};
/* Any thread; never blocks. */
void comb_logs_sink_get_stats(const struct comb_logs_sink *sink,
                              struct comb_logs_sink_stats *ret_stats);

#endif
