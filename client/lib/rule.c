/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of methods, decoded once per client and method. */
#include "client/lib/internal.h"

enum { RULE_BYTES_MAX = 16 << 10, RULE_FIELD = 50701 };

static void read_option(const struct grpcc_method *method, struct comb_rule *rule)
{
    const void *data = NULL;
    size_t size = 0;
    struct comb_v1_method_rule *decoded = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(RULE_BYTES_MAX);
    if (!arena)
        return;
    if (grpcc_option_find(arena, method->options, method->options_size, RULE_FIELD, &data, &size,
                          NULL) == GRPCC_OK &&
        comb_v1_method_rule_unpack(arena, NULL, data, size, &decoded, NULL) == GRPCC_OK) {
        rule->open = decoded->need == COMB_V1_NEED_NOTHING;
        rule->repetition = decoded->repetition;
    }
    grpcc_arena_free(arena);
}

/* Methods without a rule (health, other services) may not be repeated. */
static struct comb_rule decode(const struct grpcc_method *method)
{
    struct comb_rule rule = {.repetition = COMB_V1_REPETITION_NONE};
    read_option(method, &rule);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(method->request, "request_id");
    if (field && field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED)
        rule.request_id_offset = field->offset;
    return rule;
}

struct comb_rule comb_rule_of(struct comb_client *client, const struct grpcc_method *method)
{
    size_t first = ((uintptr_t)method / sizeof(*method)) % COMB_RULES_MAX;
    struct comb_rule rule;
    pthread_mutex_lock(&client->lock);
    for (size_t i = 0; i < COMB_RULES_MAX; i++) {
        struct comb_rule_slot *slot = &client->rules[(first + i) % COMB_RULES_MAX];
        if (slot->method == method) {
            rule = slot->rule;
            goto found;
        }
        if (slot->method)
            continue;
        rule = decode(method);
        slot->rule = rule;
        slot->method = method;
        goto found;
    }
    rule = decode(method); /* a table full of others: slower, and as right */
found:
    pthread_mutex_unlock(&client->lock);
    return rule;
}
