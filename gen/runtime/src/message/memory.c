/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/message/memory.h"

#include <stdlib.h>
#include <string.h>

#include "grpcc/arena.h"

static struct grpcc_allocator allocator = {malloc, realloc, free};

void grpcc_set_allocator(const struct grpcc_allocator *replacement)
{
    allocator = *replacement;
}

void *grpcc_memory_alloc(size_t size)
{
    return allocator.alloc(size);
}

void *grpcc_memory_zalloc(size_t size)
{
    void *pointer = allocator.alloc(size);
    if (pointer)
        memset(pointer, 0, size);
    return pointer;
}

void *grpcc_memory_realloc(void *pointer, size_t size)
{
    return allocator.realloc(pointer, size);
}

void grpcc_memory_free(void *pointer)
{
    allocator.free(pointer);
}

char *grpcc_memory_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = allocator.alloc(size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void grpcc_options_copy(void *options, size_t size, const void *given)
{
    size_t given_size = 0;
    if (!given)
        return;
    memcpy(&given_size, given, sizeof(given_size));
    memcpy(options, given, given_size && given_size < size ? given_size : size);
}

void *grpcc_memory_memdup(const void *data, size_t size)
{
    void *copy = grpcc_memory_alloc(size);
    if (copy)
        memcpy(copy, data, size);
    return copy;
}
