/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/audited.h"

#include <string.h>

#include "server/rpc/call.h"

struct targets {
    struct comb_audit_target items[COMB_RPC_TARGETS_MAX];
    size_t n;
};

static const void *member_of(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

/* The last name of a path, which is what kind of thing it is: "path". */
static void add_text(struct targets *targets, const ProtobufCFieldDescriptor *field,
                     const char *text)
{
    if (text && text[0] && targets->n < COMB_RPC_TARGETS_MAX)
        targets->items[targets->n++] = (struct comb_audit_target){field->name, comb_str_from(text)};
}

static void add_path(struct targets *targets, const ProtobufCMessage *message, const char *path);

static void add_field(struct targets *targets, const ProtobufCMessage *message,
                      const ProtobufCFieldDescriptor *field, const char *rest)
{
    const void *member = member_of(message, field->offset);
    size_t n = 1;
    const void *const *items = member;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        n = *(const size_t *)member_of(message, field->quantifier_offset);
        items = *(const void *const *const *)member;
    }
    for (size_t i = 0; i < n; i++) {
        if (field->type == PROTOBUF_C_TYPE_STRING && !rest)
            add_text(targets, field, items[i]);
        else if (field->type == PROTOBUF_C_TYPE_MESSAGE && rest && items[i])
            add_path(targets, items[i], rest);
    }
}

/* method_rule_test sees to it that paths lead to texts. */
static void add_path(struct targets *targets, const ProtobufCMessage *message, const char *path)
{
    const char *dot = strchr(path, '.');
    size_t length = dot ? (size_t)(dot - path) : strlen(path);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (strlen(field->name) == length && strncmp(field->name, path, length) == 0)
            add_field(targets, message, field, dot ? dot + 1 : NULL);
    }
}

enum comb_status comb_rpc_intend(struct grpcc_call *call, const char *request_id,
                                 const ProtobufCMessage *request, struct comb_error *err)
{
    struct comb_rpc_call *state = grpcc_call_user_data(call);
    struct targets targets = {.n = 0};
    if (!state->audit || !state->rule || state->rule->audit != COMB_V1_AUDIT_RULE_AROUND)
        return COMB_OK;
    for (size_t i = 0; i < state->rule->n_audit_fields; i++)
        add_path(&targets, request, state->rule->audit_fields[i]);
    enum comb_status status =
        comb_audit_intend(state->audit, &state->ctx, comb_str_from(request_id), targets.items,
                          targets.n, &state->intent, err);
    state->has_intent = status == COMB_OK;
    return status;
}
