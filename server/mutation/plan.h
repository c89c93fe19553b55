/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding to a plan, with the one check that all who add need: INTERNAL where the plan is full,
 * which is a bug. All that is given is copied into ctx->arena: a plan outlives the function that
 * decided it.
 */
#ifndef COMB_MUTATION_PLAN_H
#define COMB_MUTATION_PLAN_H

#include "server/mutation/mutation.h"

enum comb_status comb_plan_add(struct comb_ctx *ctx, struct comb_plan *plan, const char *text,
                               const struct comb_sql_value *params, size_t n_params, bool guard,
                               struct comb_error *err) COMB_MUST_CHECK;
/* An entry about something that is no node. */
enum comb_status comb_plan_tell(struct comb_plan *plan, enum comb_feed_kind kind,
                                const struct comb_uuid *subject, uint64_t revision,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
