/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/memory.h"

#include <stdlib.h>
#include <string.h>

static const struct comb_allocator libc_allocator = {malloc, realloc, free};
static struct comb_allocator allocator = {malloc, realloc, free};

void comb_memory_set_allocator(const struct comb_allocator *replacement)
{
    allocator = replacement ? *replacement : libc_allocator;
}

void *comb_memory_alloc(size_t size)
{
    return allocator.alloc(size);
}

void *comb_memory_zalloc(size_t size)
{
    void *pointer = allocator.alloc(size);
    if (pointer)
        memset(pointer, 0, size);
    return pointer;
}

void *comb_memory_realloc(void *pointer, size_t size)
{
    return allocator.realloc(pointer, size);
}

void comb_memory_free(void *pointer)
{
    allocator.free(pointer);
}

char *comb_memory_dup(comb_str s)
{
    char *copy = allocator.alloc(s.len + 1);
    if (!copy)
        return NULL;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

void comb_memory_wipe(void *data, size_t size)
{
    if (size)
        explicit_bzero(data, size);
}
