/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values and their schemas, of which api/comb/v1/config.proto says what they may have. */
#ifndef COMB_CONFIG_SCHEMA_H
#define COMB_CONFIG_SCHEMA_H

#include <jansson.h>

#include "server/core/ctx.h"

/* JSON text as the row keeps it: compact, keys sorted; in arena. INVALID_ARGUMENT about path: not
 * JSON, or too deep. */
enum comb_status config_json_parse(comb_str path, comb_str text, json_t **ret_value,
                                   struct comb_error *err) COMB_MUST_CHECK;
enum comb_status config_json_text(struct grpcc_arena *arena, const json_t *value,
                                  comb_str *ret_text, struct comb_error *err) COMB_MUST_CHECK;

/* Whether schema is one: INVALID_ARGUMENT names what it must not have. */
enum comb_status config_schema_check(const json_t *schema, struct comb_error *err) COMB_MUST_CHECK;
/* INVALID_ARGUMENT names the place in the value at path that does not fit. schema has been checked.
 */
enum comb_status config_schema_match(const json_t *schema, comb_str path, const json_t *value,
                                     struct comb_error *err) COMB_MUST_CHECK;

#endif
