/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's allocations that live longer than a call, behind one seam: fault tests make the N-th
 * one fail. What a call allocates lives in its arena instead.
 */
#ifndef COMB_CORE_MEMORY_H
#define COMB_CORE_MEMORY_H

#include <stddef.h>

#include "server/core/compiler.h"
#include "server/core/str.h"

/* As malloc, calloc, realloc and free; NULL: no memory. */
void *comb_memory_alloc(size_t size) COMB_MUST_CHECK;
void *comb_memory_zalloc(size_t size) COMB_MUST_CHECK;
void *comb_memory_realloc(void *pointer, size_t size) COMB_MUST_CHECK;
void comb_memory_free(void *pointer);
/* A NUL-terminated copy; NULL: no memory. */
char *comb_memory_dup(comb_str s) COMB_MUST_CHECK;

/* Overwrites a secret; the compiler does not remove it. */
void comb_memory_wipe(void *data, size_t size);

struct comb_allocator {
    void *(*alloc)(size_t size);
    void *(*realloc)(void *pointer, size_t size);
    void (*free)(void *pointer);
};
/* Call before any other function of the server, or never; NULL: malloc, realloc and free. */
void comb_memory_set_allocator(const struct comb_allocator *allocator);

#endif
