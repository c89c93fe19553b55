/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comb-extract as combd starts it: stands ready with all libraries loaded, and forks a process for
 * each file, which knows nothing of the files before. One thread.
 */
#ifndef COMB_EXTRACT_WORKER_WORKER_H
#define COMB_EXTRACT_WORKER_WORKER_H

#include "server/extract/worker/format.h"

/* comb_extract_read, or what a test has in its place. */
typedef void comb_extract_read_fn(const struct comb_extract_file_view *file,
                                  enum comb_extract_outcome *ret_outcome,
                                  enum comb_extract_reason *ret_reason);

/* The program's exit status: 0 when the control socket is closed; 1: it could not be confined, and
 * has said so. */
int comb_extract_worker_run(comb_extract_read_fn *read);

#endif
