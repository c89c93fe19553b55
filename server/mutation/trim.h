/* SPDX-License-Identifier: Apache-2.0 */
/* Retention of request ids; that of the feed is in feed.h. */
#ifndef COMB_MUTATION_TRIM_H
#define COMB_MUTATION_TRIM_H

#include "server/backend/sql/sql.h"

/* Forgets the ids that are too old to be accepted again. Blocks. */
enum comb_status comb_requests_trim(struct comb_sql *sql, struct comb_ctx *ctx,
                                    struct comb_error *err) COMB_MUST_CHECK;

#endif
