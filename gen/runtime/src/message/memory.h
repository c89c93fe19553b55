/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's allocations, behind the seam of grpcc_set_allocator(). */
#ifndef GRPCC_SRC_MEMORY_H
#define GRPCC_SRC_MEMORY_H

#include <stddef.h>

#include "grpcc/compiler.h"

/* As malloc, calloc, realloc and free; NULL: no room. */
void *grpcc_memory_alloc(size_t size) GRPCC_MUST_CHECK;
void *grpcc_memory_zalloc(size_t size) GRPCC_MUST_CHECK;
void *grpcc_memory_realloc(void *pointer, size_t size) GRPCC_MUST_CHECK;
void grpcc_memory_free(void *pointer);
char *grpcc_memory_strdup(const char *text) GRPCC_MUST_CHECK;
void *grpcc_memory_memdup(const void *data, size_t size) GRPCC_MUST_CHECK;

/* Copies an options struct that begins with its size, which may be that of an older or newer
 * header; size 0: of this one. given NULL: nothing is copied. */
void grpcc_options_copy(void *options, size_t size, const void *given);

#endif
