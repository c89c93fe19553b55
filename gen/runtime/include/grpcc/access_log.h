/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access log: one line for each call that ended, those too that no handler saw.
 *
 * Lines are put together on the thread on which the call ended, and written by a thread of the
 * log's own: a disk that stalls never holds up a call. What finds the buffer full is dropped, and
 * a line says how many were. Whatever a client sends, a line stays one line of printable text.
 *
 *     {"time":"2026-11-22T17:25:04.120Z","peer":"ipv4:127.0.0.1:4711","method":"/a.v1.B/C",
 *      "status":"OK","duration_us":412,"in_messages":1,"in_bytes":64,"out_messages":1,
 *      "out_bytes":64,"trace":"4bf9...","user":"ada","request_id":"r-1"}      (on one line)
 *     2026-11-22T17:25:04.120Z ipv4:127.0.0.1:4711 ada /a.v1.B/C OK 0.412ms in=1/64 out=1/64
 *      trace=4bf9... request_id=r-1                                           (on one line)
 *
 * "user" and "request_id" (the header x-request-id) are there where they are known, "refused" with
 * the name of a grpcc_refusal where the call did not reach its handler; a missing user is "-" in
 * text.
 */
#ifndef GRPCC_ACCESS_LOG_H
#define GRPCC_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/compiler.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_access_log;
struct grpcc_call;
struct grpcc_server;

/* The most that a line has of a method's name, a user or a request id, in bytes; the rest is left
 * off. */
#define GRPCC_ACCESS_LOG_VALUE_MAX 256

enum grpcc_access_log_format { GRPCC_ACCESS_LOG_JSON = 0, GRPCC_ACCESS_LOG_TEXT = 1 };

/* Where the lines go is one of path, fd and write. Zero: the default in brackets. */
struct grpcc_access_log_options {
    size_t size; /* sizeof(struct grpcc_access_log_options) */
    enum grpcc_access_log_format format;
    const char *path; /* appended to, made with mode 0640 */
    int fd;           /* borrowed until the log is freed; 0: none */
    /* Whole lines, on the log's thread; may block. False: they could not be written. */
    bool (*write)(void *data, const char *lines, size_t length);
    void *write_data;
    /* Whose call it was, NULL or "" for nobody's. Runs when the call has ended, its user data and
     * arena still there; must not block. */
    const char *(*user)(void *data, struct grpcc_call *call);
    void *user_data;
    size_t buffer_bytes; /* lines that wait to be written, twice that much memory [1 MiB] */
    unsigned flush_ms;   /* how long a line may wait for others to be written with it [100] */
    bool no_health;      /* no lines of health checks that are answered OK: balancers make many */
};

/* INVALID_ARGUMENT where there is not exactly one place to write to; NOT_FOUND or
 * PERMISSION_DENIED for a path that cannot be opened; RESOURCE_EXHAUSTED. NULL and err. */
struct grpcc_access_log *grpcc_access_log_new(const struct grpcc_access_log_options *options,
                                              struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Writes what waits. After the servers that it logs. NULL is fine. */
void grpcc_access_log_free(struct grpcc_access_log *log);
/* Logs the calls of server. Several may share a log. Before its _start. */
enum grpcc_status grpcc_access_log_attach(struct grpcc_access_log *log, struct grpcc_server *server,
                                          struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Opens path again, for when the file has been moved away (logrotate): later lines go to the new
 * one. Any thread, not a signal handler. As _new for errors, and the old file stays in use;
 * FAILED_PRECONDITION for a log without a path. */
enum grpcc_status grpcc_access_log_reopen(struct grpcc_access_log *log,
                                          struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Waits until every line of a call that ended before is written, or lost. Not from a thread that
 * must not block. */
void grpcc_access_log_flush(struct grpcc_access_log *log);

struct grpcc_access_log_stats {
    uint64_t lines;   /* of calls, those that were dropped too */
    uint64_t dropped; /* found the buffer full, or could not be written */
};
void grpcc_access_log_get_stats(struct grpcc_access_log *log,
                                struct grpcc_access_log_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif
