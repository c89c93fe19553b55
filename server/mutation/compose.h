/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as the statements of one request. */
#ifndef COMB_MUTATION_COMPOSE_H
#define COMB_MUTATION_COMPOSE_H

#include "server/mutation/dialect.h"
#include "server/mutation/mutation.h"

/* Guards of decisions, the area's statements, feed entries, the audit record, the request id: in
 * this order. */
struct comb_composed {
    const struct comb_mutation_dialect *dialect; /* in: set by the caller */
    struct comb_sql_statement statements[COMB_SQL_STATEMENTS_MAX];
    size_t n;
    size_t area;    /* index of the area's first statement */
    size_t request; /* index of the statement that stores the request id: the last one */
};

/* Parameters live in ctx's arena and point into ctx, key and plan. INTERNAL: the plan breaks its
 * rules. */
enum comb_status comb_compose(struct comb_ctx *ctx, const struct comb_request_key *key,
                              const struct comb_plan *plan, struct comb_composed *ret_composed,
                              struct comb_error *err) COMB_MUST_CHECK;

/* Whose request ids: the caller; nil: nobody has logged in. Lives as long as ctx's principal. */
const struct comb_uuid *comb_request_principal(const struct comb_ctx *ctx);

#endif
