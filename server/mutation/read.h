/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what is not kept in the facts' memory: the rows, and the position that they are as new
 * as, in one snapshot.
 */
#ifndef COMB_MUTATION_READ_H
#define COMB_MUTATION_READ_H

#include "server/backend/sql/sql.h"
#include "server/core/ctx.h"

/* Runs one reading statement and waits for its rows, which live in ctx's arena; raises ctx->reached
 * to their position. Errors: those of comb_sql_run. */
enum comb_status comb_read_rows(struct comb_sql *sql, struct comb_ctx *ctx, enum comb_sql_kind kind,
                                const char *text, const struct comb_sql_value *params,
                                size_t n_params, const struct comb_sql_rows **ret_rows,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
