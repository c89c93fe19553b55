/* SPDX-License-Identifier: Apache-2.0 */
/* The server's life: stores, domains, listeners, signals, drain, end. */
#ifndef COMB_RUN_H
#define COMB_RUN_H

#include "server/options.h"

/* Serves until SIGTERM or SIGINT. INVALID_ARGUMENT for options that cannot be used, else what
 * failed. */
enum comb_status comb_run(const struct comb_options *options,
                          struct comb_error *err) COMB_MUST_CHECK;

/*
 * `combd --check`: writes a line for each row to standard output (server/rows.h), starts nothing.
 * *ret_good: all rows can be used. Errors: of the options, as comb_run() has them.
 */
enum comb_status comb_run_check(const struct comb_options *options, bool *ret_good,
                                struct comb_error *err) COMB_MUST_CHECK;

/* `combd --restored`: begins a new history of the sql row (server/incarnation.h), says so on
 * standard output, serves nothing. */
enum comb_status comb_run_restored(const struct comb_options *options,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
