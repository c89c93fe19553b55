/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks in a list, the newest first; each is about twice as large as the one before, up to
 * BLOCK_MAX. The first block is part of the arena's own allocation, so that an arena that is reset
 * and used again costs no malloc at all.
 *
 * In debug mode every item is a block of exactly its size: the sanitizer then sees overruns and use
 * after reset.
 */
#include "grpcc/arena.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gen/runtime/src/message/memory.h"

#if defined(__SANITIZE_ADDRESS__) && !defined(GRPCC_ARENA_DEBUG)
#define GRPCC_ARENA_DEBUG 1
#endif

#ifdef GRPCC_ARENA_DEBUG
enum { ARENA_DEBUG = 1 };
#else
enum { ARENA_DEBUG = 0 };
#endif

enum { ALIGNMENT = 16 };
enum { BLOCK_FIRST = 4096, BLOCK_MAX = 1 << 20 };

struct block {
    struct block *next;
    size_t capacity;
    size_t used;
    size_t padding; /* the data begins aligned */
};

_Static_assert(sizeof(struct block) % ALIGNMENT == 0, "a block's data must be aligned");

struct cleanup {
    struct cleanup *next;
    void (*function)(void *data);
    void *data;
};

struct grpcc_arena {
    size_t limit;
    size_t held;        /* bytes of all blocks */
    atomic_size_t used; /* bytes handed out; other threads may look at it */
    bool failed;
    struct cleanup *cleanups;
    struct block *newest;
    ProtobufCAllocator protobuf;
    _Alignas(ALIGNMENT) struct block first;
};

static unsigned char *block_data(struct block *block)
{
    return (unsigned char *)(block + 1);
}

static void *protobuf_alloc(void *arena, size_t size)
{
    return grpcc_arena_alloc(arena, size);
}

static void protobuf_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

static void arena_empty(struct grpcc_arena *arena)
{
    atomic_store_explicit(&arena->used, 0, memory_order_relaxed);
    arena->failed = false;
    arena->cleanups = NULL;
    arena->first.next = NULL;
    arena->first.used = 0;
    arena->newest = &arena->first;
    arena->held = arena->first.capacity;
}

struct grpcc_arena *grpcc_arena_new(size_t limit_bytes)
{
    size_t limit = limit_bytes ? limit_bytes : GRPCC_ARENA_LIMIT_DEFAULT;
    size_t first = ARENA_DEBUG ? 0 : BLOCK_FIRST - sizeof(struct grpcc_arena);
    if (first > limit)
        first = limit;
    struct grpcc_arena *arena = grpcc_memory_zalloc(sizeof(*arena) + first);
    if (!arena)
        return NULL;
    arena->limit = limit;
    arena->first.capacity = first;
    arena->protobuf = (ProtobufCAllocator){protobuf_alloc, protobuf_free, arena};
    arena_empty(arena);
    return arena;
}

void grpcc_arena_reset(struct grpcc_arena *arena)
{
    for (struct cleanup *cleanup = arena->cleanups; cleanup; cleanup = cleanup->next)
        cleanup->function(cleanup->data);
    for (struct block *block = arena->newest; block != &arena->first;) {
        struct block *next = block->next;
        grpcc_memory_free(block);
        block = next;
    }
    arena_empty(arena);
}

void grpcc_arena_free(struct grpcc_arena *arena)
{
    if (!arena)
        return;
    grpcc_arena_reset(arena);
    grpcc_memory_free(arena);
}

/* A block for at least size bytes, or NULL where the limit or memory ends. */
static struct block *arena_grow(struct grpcc_arena *arena, size_t size)
{
    size_t room = arena->limit - arena->held;
    if (size > room)
        return NULL;
    size_t capacity = arena->newest->capacity * 2;
    if (capacity < BLOCK_FIRST)
        capacity = BLOCK_FIRST;
    if (capacity > BLOCK_MAX)
        capacity = BLOCK_MAX;
    if (capacity > room)
        capacity = room;
    if (capacity < size || ARENA_DEBUG)
        capacity = size;
    struct block *block = grpcc_memory_alloc(sizeof(*block) + capacity);
    if (!block)
        return NULL;
    block->capacity = capacity;
    block->used = 0;
    block->next = arena->newest;
    arena->newest = block;
    arena->held += capacity;
    return block;
}

/* Whether size bytes fit behind what is used, and where. */
static bool block_fits(const struct block *block, size_t size, size_t *ret_start)
{
    size_t start = (block->used + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    *ret_start = start;
    return !ARENA_DEBUG && start <= block->capacity && size <= block->capacity - start;
}

void *grpcc_arena_alloc(struct grpcc_arena *arena, size_t size)
{
    struct block *block = arena->newest;
    size_t start;
    if (!block_fits(block, size, &start)) {
        block = arena_grow(arena, size);
        start = 0;
    }
    if (!block) {
        arena->failed = true;
        return NULL;
    }
    block->used = start + size;
    size_t used = atomic_load_explicit(&arena->used, memory_order_relaxed);
    atomic_store_explicit(&arena->used, used + size, memory_order_relaxed);
    return block_data(block) + start;
}

void *grpcc_arena_zalloc(struct grpcc_arena *arena, size_t size)
{
    void *pointer = grpcc_arena_alloc(arena, size);
    if (pointer)
        memset(pointer, 0, size);
    return pointer;
}

void *grpcc_arena_calloc(struct grpcc_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        arena->failed = true;
        return NULL;
    }
    return grpcc_arena_zalloc(arena, total);
}

void *grpcc_arena_memdup(struct grpcc_arena *arena, const void *data, size_t size)
{
    void *copy = grpcc_arena_alloc(arena, size);
    if (copy && size)
        memcpy(copy, data, size);
    return copy;
}

char *grpcc_arena_strndup(struct grpcc_arena *arena, const char *text, size_t length)
{
    size_t n = strnlen(text, length);
    char *copy = grpcc_arena_alloc(arena, n + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *grpcc_arena_strdup(struct grpcc_arena *arena, const char *text)
{
    return grpcc_arena_memdup(arena, text, strlen(text) + 1);
}

char *grpcc_arena_vprintf(struct grpcc_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : grpcc_arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *grpcc_arena_printf(struct grpcc_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = grpcc_arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

bool grpcc_arena_on_free(struct grpcc_arena *arena, void (*function)(void *data), void *data)
{
    struct cleanup *cleanup = grpcc_arena_alloc(arena, sizeof(*cleanup));
    if (!cleanup)
        return false;
    *cleanup = (struct cleanup){arena->cleanups, function, data};
    arena->cleanups = cleanup;
    return true;
}

size_t grpcc_arena_used(const struct grpcc_arena *arena)
{
    return atomic_load_explicit(&arena->used, memory_order_relaxed);
}

bool grpcc_arena_failed(const struct grpcc_arena *arena)
{
    return arena->failed;
}

ProtobufCAllocator *grpcc_arena_allocator(struct grpcc_arena *arena)
{
    return &arena->protobuf;
}
