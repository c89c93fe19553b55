/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of the plugin: everything that it makes lives until it ends, so there is one owner and one
 * free.
 *
 * Without memory the program says so and exits: it runs for milliseconds, under protoc, and has
 * nothing to save.
 */
#ifndef GEN_PLUGIN_POOL_H
#define GEN_PLUGIN_POOL_H

#include <stdarg.h>
#include <stddef.h>

struct pool_item;

struct pool {
    struct pool_item *items; /* NULL at first */
};

/* Zeroed, aligned for any object. */
void *pool_alloc(struct pool *pool, size_t size) __attribute__((returns_nonnull));
/* An array of count zeroed items; at least one, so that its address is valid. */
void *pool_array(struct pool *pool, size_t count, size_t size) __attribute__((returns_nonnull));
char *pool_strdup(struct pool *pool, const char *text) __attribute__((returns_nonnull));
char *pool_strndup(struct pool *pool, const char *text, size_t length)
    __attribute__((returns_nonnull));
char *pool_printf(struct pool *pool, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));
char *pool_vprintf(struct pool *pool, const char *format, va_list args)
    __attribute__((returns_nonnull));
/* Frees all; the pool can be used again. */
void pool_done(struct pool *pool);

/* realloc() that ends the program instead of returning NULL. */
void *must_realloc(void *pointer, size_t size) __attribute__((returns_nonnull));

#endif
