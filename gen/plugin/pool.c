/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_item {
    struct pool_item *next;
    alignas(max_align_t) unsigned char data[];
};

static void out_of_memory(void)
{
    fputs("protoc-gen-grpcc: out of memory\n", stderr);
    exit(1);
}

void *must_realloc(void *pointer, size_t size)
{
    void *moved = realloc(pointer, size);

    if (!moved)
        out_of_memory();
    return moved;
}

void *pool_alloc(struct pool *pool, size_t size)
{
    struct pool_item *item;

    if (size > SIZE_MAX - sizeof(*item))
        out_of_memory();
    item = must_realloc(NULL, sizeof(*item) + size);
    memset(item->data, 0, size);
    item->next = pool->items;
    pool->items = item;
    return item->data;
}

void *pool_array(struct pool *pool, size_t count, size_t size)
{
    if (count == 0)
        count = 1;
    if (count > SIZE_MAX / size)
        out_of_memory();
    return pool_alloc(pool, count * size);
}

char *pool_strndup(struct pool *pool, const char *text, size_t length)
{
    char *copy = pool_alloc(pool, length + 1);

    memcpy(copy, text, length);
    return copy;
}

char *pool_strdup(struct pool *pool, const char *text)
{
    return pool_strndup(pool, text, strlen(text));
}

char *pool_vprintf(struct pool *pool, const char *format, va_list args)
{
    va_list again;
    char *text;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        out_of_memory();
    text = pool_alloc(pool, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = pool_vprintf(pool, format, args);
    va_end(args);
    return text;
}

void pool_done(struct pool *pool)
{
    while (pool->items) {
        struct pool_item *next = pool->items->next;

        free(pool->items);
        pool->items = next;
    }
}
