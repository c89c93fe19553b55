/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_UTF8_H
#define GRPCC_SRC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF) without a
 * NUL. */
bool grpcc_utf8_is_text(const void *data, size_t size);
/* The largest length <= size_max that does not cut a character of data in two. */
size_t grpcc_utf8_cut(const char *data, size_t size, size_t size_max);

#endif
