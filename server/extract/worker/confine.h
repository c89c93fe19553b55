/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process gives up what it does not need. In two steps: comb-extract leaves files and network
 * once, before its first file; the process of a file then takes limits and a filter of system
 * calls. One thread each; nothing of it can be undone.
 */
#ifndef COMB_EXTRACT_WORKER_CONFINE_H
#define COMB_EXTRACT_WORKER_CONFINE_H

#include "server/core/error.h"
#include "server/extract/limits.h"
#include "server/extract/wire.h"

/*
 * Ends with the parent; keeps no core, no debugger, no descriptor above the control socket, no
 * right to gain rights; and where the kernel lets it, moves to namespaces with an empty root that
 * cannot be written, without network, and drops all capabilities. REFUSED, with err: without
 * filters of system calls nothing may be read here.
 */
enum comb_extract_confinement comb_extract_leave(struct comb_error *err);

/*
 * For the process of one file: its limits, then the filter. What is not on the list of allowed
 * calls ends the process by SIGSYS; but opening files fails with EACCES, since libraries try that
 * and do without. keep_fd: the only descriptor that stays open.
 */
enum comb_status comb_extract_confine(const struct comb_extract_limits *limits, int keep_fd,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
