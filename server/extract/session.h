/* SPDX-License-Identifier: Apache-2.0 */
/* One file, read by a comb-extract: combd's side, which believes nothing. One thread. */
#ifndef COMB_EXTRACT_SESSION_H
#define COMB_EXTRACT_SESSION_H

#include <stdatomic.h>

#include "server/core/buf.h"
#include "server/extract/extract.h"
#include "server/extract/process.h"

struct comb_extract_session {
    struct comb_extract_process *process; /* running; stopped where the file has to be ended */
    const struct comb_extract_job *job;
    const struct comb_extract_source *source;
    atomic_bool *cancelled; /* asked whenever wake can be read */
    int wake;
};

/* Reads the file to its end. Writes its text into text, which is initialised with the limit of
 * output, and result; result->text is a view of text. */
void comb_extract_session_run(const struct comb_extract_session *session, struct comb_buf *text,
                              struct comb_extract_result *result);

/*
 * What a process has to do with its file, from how it ended without saying so. cpu_us: what it has
 * used.
 */
enum comb_extract_reason comb_extract_reason_of_end(int wait_status, int64_t cpu_us,
                                                    const struct comb_extract_limits *limits);

#endif
