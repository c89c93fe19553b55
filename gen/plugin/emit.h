/* SPDX-License-Identifier: Apache-2.0 */
/* What all emitters share: where they write, and what they ask about names. */
#ifndef GEN_PLUGIN_EMIT_H
#define GEN_PLUGIN_EMIT_H

#include "gen/plugin/identifiers.h"
#include "gen/plugin/model.h"
#include "gen/plugin/text.h"

struct emit {
    struct pool *pool;
    struct identifiers *identifiers;
    const struct model_file *file;
    struct text *header;
    struct text *source;
};

/* The comment of a place as a C comment, each line behind indent; nothing where there is none. */
void emit_comment(struct text *out, const char *comment, const char *indent);

/* bytes as the elements of an array of uint8_t, sixteen per line. */
void emit_bytes(struct text *out, const uint8_t *bytes, size_t size);

/* Declares an identifier of place, "prefix" "suffix". */
void emit_declare(struct emit *emit, const struct source_place *place, const char *prefix,
                  const char *suffix);

/* Declares the enum in the header, its descriptor and its name function. */
void emit_enum(struct emit *emit, const struct model_enum *e);

/* The struct and its functions, in the header. */
void emit_message_struct(struct emit *emit, const struct model_message *m);
void emit_message_functions(struct emit *emit, const struct model_message *m);
/* The accessors of the fields: set, add, find, put. Inline, in the header. */
void emit_accessors(struct emit *emit, const struct model_message *m);
/* The descriptor with its tables, in the source. */
void emit_message_tables(struct emit *emit, const struct model_message *m);
/* The default value of a field as an initializer, NULL: zero. Writes what it needs to the source,
 * once per field. */
const char *emit_field_default(struct emit *emit, const struct model_message *m,
                               const struct model_field *field);
/* The name of the object that descriptors point to as default_value; NULL: none. */
const char *emit_field_default_object(struct emit *emit, const struct model_message *m,
                                      const struct model_field *field);

void emit_service_server(struct emit *emit, const struct model_service *service);
void emit_service_client(struct emit *emit, const struct model_service *service);
void emit_service_tables(struct emit *emit, const struct model_service *service);

/* The embedded FileDescriptorProto, the symbols and the imports. */
void emit_file_tables(struct emit *emit);

/* Both outputs of emit->file. */
void emit_file(struct emit *emit);

#endif
