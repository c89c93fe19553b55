/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A refusal as an outcome. A caller who was not answered asks again, elsewhere; where the second
 * attempt is refused while the first has not been executed yet, the first may still be: a replica
 * that stood still goes on. So that what the caller was told stays true, the refusal of a request
 * that was sent before is kept under its request id, and the late attempt gets it too.
 */
#ifndef COMB_MUTATION_REFUSAL_H
#define COMB_MUTATION_REFUSAL_H

#include "server/core/error.h"
#include "server/core/str.h"
#include "server/mutation/mutation.h"

/* Whether the failure is an answer that would stand, and not one of the way, to be tried again. */
bool comb_refusal_is_final(enum comb_status status, const struct comb_error *err);
/* At most COMB_OUTCOME_MAX bytes, into bytes: long texts are cut. */
comb_str comb_refusal_pack(const struct comb_error *err, char bytes[COMB_OUTCOME_MAX]);
/* False: the outcome is that of a change. */
bool comb_refusal_read(comb_str outcome, struct comb_error *ret_err);

#endif
