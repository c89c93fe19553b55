/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bump allocator with one owner and one free: everything that a call allocates lives in its
 * arena.
 *
 * An arena is not thread-safe: one thread at a time. Allocation can fail (no memory, or the arena's
 * own limit) and then answers NULL; grpcc_arena_failed() says that it happened, and stays true
 * until the reset. Built with GRPCC_ARENA_DEBUG each item is a malloc of its own, so that ASan sees
 * overruns.
 */
#ifndef GRPCC_ARENA_H
#define GRPCC_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "grpcc/compiler.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_arena;

/* The limit of an arena made with limit 0, in bytes. */
#define GRPCC_ARENA_LIMIT_DEFAULT (64u << 20)

/* A new, empty arena that never holds more than limit_bytes (0: the default); NULL without memory.
 */
struct grpcc_arena *grpcc_arena_new(size_t limit_bytes);
/* Runs what grpcc_arena_on_free() registered, newest first, and frees all. NULL is fine. */
void grpcc_arena_free(struct grpcc_arena *arena);
/* As free, but the arena can be used again; keeps its first block. */
void grpcc_arena_reset(struct grpcc_arena *arena);

/* Aligned for any object (16 bytes), not zeroed. Size 0 gives a valid pointer. NULL: no room. */
void *grpcc_arena_alloc(struct grpcc_arena *arena, size_t size) GRPCC_MUST_CHECK;
void *grpcc_arena_zalloc(struct grpcc_arena *arena, size_t size) GRPCC_MUST_CHECK;
/* count * size with an overflow check, zeroed. */
void *grpcc_arena_calloc(struct grpcc_arena *arena, size_t count, size_t size) GRPCC_MUST_CHECK;
char *grpcc_arena_strdup(struct grpcc_arena *arena, const char *text) GRPCC_MUST_CHECK;
char *grpcc_arena_strndup(struct grpcc_arena *arena, const char *text,
                          size_t length) GRPCC_MUST_CHECK;
void *grpcc_arena_memdup(struct grpcc_arena *arena, const void *data, size_t size) GRPCC_MUST_CHECK;
char *grpcc_arena_printf(struct grpcc_arena *arena, const char *format, ...)
    GRPCC_FORMAT(2, 3) GRPCC_MUST_CHECK;
char *grpcc_arena_vprintf(struct grpcc_arena *arena, const char *format,
                          va_list args) GRPCC_MUST_CHECK;

/* Calls function(data) when the arena is freed or reset. False: no room, and function was not
 * registered. */
bool grpcc_arena_on_free(struct grpcc_arena *arena, void (*function)(void *data),
                         void *data) GRPCC_MUST_CHECK;

/* Bytes handed out since the last reset (any thread may ask), and whether an allocation failed
 * since then. */
size_t grpcc_arena_used(const struct grpcc_arena *arena);
bool grpcc_arena_failed(const struct grpcc_arena *arena);

/* The arena as protobuf-c's allocator; free is a no-op. Lives as long as the arena. */
ProtobufCAllocator *grpcc_arena_allocator(struct grpcc_arena *arena);

/*
 * The seam under every allocation of the runtime: tests make the N-th one fail. Call before any
 * other function of the library, or never; malloc, realloc and free are the default.
 */
struct grpcc_allocator {
    void *(*alloc)(size_t size);
    void *(*realloc)(void *pointer, size_t size);
    void (*free)(void *pointer);
};
void grpcc_set_allocator(const struct grpcc_allocator *allocator);

#ifdef __cplusplus
}
#endif

#endif
