/* SPDX-License-Identifier: Apache-2.0 */
/* One comb-extract, as combd sees it. One thread, the one that starts it: with that thread, it
 * ends. */
#ifndef COMB_EXTRACT_PROCESS_H
#define COMB_EXTRACT_PROCESS_H

#include <sys/types.h>

#include "server/core/error.h"
#include "server/extract/wire.h"

struct comb_extract_process {
    pid_t pid;   /* 0: not running */
    int control; /* -1: not running */
    uint32_t files;
    bool has_namespaces;
};

#define COMB_EXTRACT_PROCESS_INIT                                                                  \
    {                                                                                              \
        .control = -1                                                                              \
    }

/* What a program may take to load its libraries and to be confined, on a machine that is busy. */
#define COMB_EXTRACT_START_MS 60000

/* Starts program and waits until it is confined, for COMB_EXTRACT_START_MS at most. Errors:
 * FAILED_PRECONDITION, UNAVAILABLE; it is not running. */
enum comb_status comb_extract_process_start(struct comb_extract_process *process,
                                            const char *program,
                                            struct comb_error *err) COMB_MUST_CHECK;
/* Ends it and the process of a file that it may have, and waits for it. Not running is fine. */
void comb_extract_process_stop(struct comb_extract_process *process);
/* Gives it a job and one end of the file's socket, which the caller closes then. False: it is gone.
 */
bool comb_extract_process_give(struct comb_extract_process *process,
                               const struct comb_extract_job *job, int fd);

#endif
