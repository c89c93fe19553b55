/* SPDX-License-Identifier: Apache-2.0 */
/* Where things stand in a .proto, and the comments above them: protoc's SourceCodeInfo made
 * searchable. */
#ifndef GEN_PLUGIN_SOURCE_H
#define GEN_PLUGIN_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "gen/plugin/pool.h"
#include "google/protobuf/descriptor.pb-c.h"

/* The longest path, two numbers per level: protoc refuses messages that are nested more than 32
 * deep. */
#define SOURCE_PATH_MAX 80u

/* A path from a FileDescriptorProto to one of its parts: field number and index in turn, as
 * descriptor.proto says. */
struct source_path {
    int32_t steps[SOURCE_PATH_MAX];
    size_t n;
};

struct source {
    const Google__Protobuf__SourceCodeInfo__Location **sorted; /* by path */
    size_t n;
};

/* What is known of one place. */
struct source_place {
    int line;            /* from 1; 0: not known */
    const char *comment; /* the leading comment, then the trailing one; NULL: none */
};

/* info may be NULL: nothing is known then. */
void source_init(struct source *source, struct pool *pool,
                 const Google__Protobuf__SourceCodeInfo *info);

/* path extended by two steps: the field of a descriptor and the index in it. */
struct source_path source_step(const struct source_path *path, int32_t field, size_t index);

struct source_place source_find(const struct source *source, struct pool *pool,
                                const struct source_path *path);

#endif
