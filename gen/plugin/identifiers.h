/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every identifier that generated code declares, of all files of the run, so that two that are the
 * same in C are an error with a place in a .proto instead of one of the compiler. The emitters
 * declare what they emit, where they emit it.
 */
#ifndef GEN_PLUGIN_IDENTIFIERS_H
#define GEN_PLUGIN_IDENTIFIERS_H

#include "gen/plugin/model.h"

struct identifiers {
    struct pool *pool;
    struct errors *errors;
    struct map taken;
};

/* A function, an object or an enumeration constant. */
void identifiers_declare(struct identifiers *identifiers, const struct model_file *file,
                         const struct source_place *place, const char *name);
/* The tag of a struct or enum: C keeps tags apart from other names. */
void identifiers_declare_tag(struct identifiers *identifiers, const struct model_file *file,
                             const struct source_place *place, const char *name);
/* A member of struct tag. */
void identifiers_declare_member(struct identifiers *identifiers, const struct model_file *file,
                                const struct source_place *place, const char *tag,
                                const char *name);

#endif
