/* SPDX-License-Identifier: Apache-2.0 */
/* What the generated tables of a server's services say about files, symbols and extensions. */
#ifndef GRPCC_SRC_REFLECTION_H
#define GRPCC_SRC_REFLECTION_H

#include <stdbool.h>

#include "grpcc/arena.h"
#include "grpcc/descriptor.h"

/* Files without doubles, in an arena. */
struct grpcc_file_set {
    struct grpcc_arena *arena;
    const struct grpcc_file **files;
    size_t n;
    size_t capacity;
};

/* Adds file and all that it imports, file first. False: no room. */
bool grpcc_file_set_add(struct grpcc_file_set *set, const struct grpcc_file *file) GRPCC_MUST_CHECK;
bool grpcc_file_set_has(const struct grpcc_file_set *set, const struct grpcc_file *file);
/* NULL: none of them. */
const struct grpcc_file *grpcc_file_set_by_name(const struct grpcc_file_set *set, const char *name);
const struct grpcc_file *grpcc_file_set_by_symbol(const struct grpcc_file_set *set,
                                                  const char *symbol);

/* Calls visit for each extension of the message `extended` (full name) that file declares; false
 * from visit ends it. */
void grpcc_file_extensions(const struct grpcc_file *file, const char *extended,
                           bool (*visit)(void *data, int32_t number), void *data);

#endif
