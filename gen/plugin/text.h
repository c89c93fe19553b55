/* SPDX-License-Identifier: Apache-2.0 */
/* A text that grows at its end, and the small template language in which the plugin writes C. */
#ifndef GEN_PLUGIN_TEXT_H
#define GEN_PLUGIN_TEXT_H

#include <stddef.h>

/* Zeroed: empty. */
struct text {
    char *data; /* NUL-terminated once anything was added; NULL before */
    size_t length;
    size_t capacity;
};

void text_add(struct text *text, const char *data, size_t length);
void text_puts(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Adds template with each $name$ replaced by the value that follows "name" in the arguments, which
 * end with NULL:
 *
 *     text_fill(out, "struct $m$ *$m$_new(void);\n", "m", "pkg_v1_node", NULL);
 *
 * A name without a value is a bug in the plugin and ends the program.
 */
void text_fill(struct text *text, const char *template, ...) __attribute__((sentinel));

/* Adds string as a C string literal with its quotes; bytes outside of ASCII as octal escapes. */
void text_literal(struct text *text, const char *string);

/* The text, never NULL; valid until the next change. */
const char *text_string(const struct text *text);
void text_done(struct text *text);

#endif
