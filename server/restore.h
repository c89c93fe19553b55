/* SPDX-License-Identifier: Apache-2.0 */
/* `combd --restore`: a backup into the stores of a server that does not run. */
#ifndef COMB_RESTORE_H
#define COMB_RESTORE_H

#include "server/options.h"

/* Tells how far it is on standard error, and what was put back on standard output. The stores must
 * be empty; what failed half-way leaves a sql row that no server starts on. */
enum comb_status comb_run_restore(const struct comb_options *options,
                                  struct comb_error *err) COMB_MUST_CHECK;

#endif
