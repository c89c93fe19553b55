/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with the .proto files, collected so that one run shows all of it. */
#ifndef GEN_PLUGIN_ERRORS_H
#define GEN_PLUGIN_ERRORS_H

#include "gen/plugin/text.h"

struct errors {
    struct text lines; /* "file:line: message", one per line; empty: all is well */
};

/* Adds "file:line: message"; line 0: not known, left out. file NULL: the message is about the
 * plugin's parameter. */
void errors_add(struct errors *errors, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
