/* SPDX-License-Identifier: Apache-2.0 */
/* Fields: their C type and how they tell "absent". */
#ifndef GEN_PLUGIN_MODEL_FIELD_H
#define GEN_PLUGIN_MODEL_FIELD_H

#include "gen/plugin/model.h"

/* Fills field from proto; its place is set already. All types of the run are known, and the oneofs
 * of message. */
void model_field_build(struct model *model, const struct model_message *message,
                       struct model_field *field,
                       const Google__Protobuf__FieldDescriptorProto *proto);

#endif
