/* SPDX-License-Identifier: Apache-2.0 */
/* Flags as the official interop programs of all languages spell them: one dash or two, the value
 * behind "=" or as the next word, a bare name for true. */
#ifndef INTEROP_FLAGS_H
#define INTEROP_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

enum flag_kind { FLAG_TEXT, FLAG_NUMBER, FLAG_BOOL };

struct flag {
    const char *name;
    enum flag_kind kind;
    void *value; /* const char **, int *, bool *; holds the default at first */
    const char *help;
};

/* Reads argv into the values of n flags. False: it has said on stderr what is wrong, or --help was
 * given and answered. */
bool flags_read(const struct flag *flags, size_t n, int argc, char **argv);

#endif
