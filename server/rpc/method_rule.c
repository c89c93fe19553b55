/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/method_rule.h"

static bool is_complete(const struct comb_v1_method_rule *rule)
{
    bool about_nodes = rule->need == COMB_V1_NEED_READ || rule->need == COMB_V1_NEED_WRITE ||
                       rule->need == COMB_V1_NEED_MANAGE;
    return rule->need != COMB_V1_NEED_UNSPECIFIED &&
           rule->repetition != COMB_V1_REPETITION_UNSPECIFIED &&
           rule->mode != COMB_V1_MODE_UNSPECIFIED && about_nodes == (rule->n_node_fields > 0);
}

enum comb_status comb_method_rule_read(struct grpcc_arena *arena, const struct grpcc_method *method,
                                       const struct comb_v1_method_rule **ret_rule,
                                       struct comb_error *err)
{
    const void *bytes = NULL;
    size_t size = 0;
    struct comb_v1_method_rule *rule = NULL;
    struct grpcc_error decode = GRPCC_ERROR_INIT;
    if (grpcc_option_find(arena, method->options, method->options_size, COMB_RPC_RULE_FIELD, &bytes,
                          &size, &decode) != GRPCC_OK ||
        comb_v1_method_rule_unpack(arena, NULL, bytes, size, &rule, &decode) != GRPCC_OK)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%s: its rule is malformed: %.160s",
                              method->path, decode.message);
    if (!is_complete(rule))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s: its option (comb.v1.rpc) is missing or incomplete",
                              method->path);
    *ret_rule = rule;
    return COMB_OK;
}

struct grpcc_method_config comb_method_rule_config(const struct comb_v1_method_rule *rule)
{
    struct grpcc_method_config config = {
        .mode = GRPCC_MODE_BLOCKING,
        .request_bytes_max = rule->request_bytes_max,
        .timeout_max_ms = rule->timeout_max_ms,
    };
    if (rule->mode == COMB_V1_MODE_INLINE)
        config.mode = GRPCC_MODE_INLINE;
    else if (rule->mode == COMB_V1_MODE_ASYNC)
        config.mode = GRPCC_MODE_ASYNC;
    return config;
}
