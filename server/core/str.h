/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A view of bytes that somebody else owns. Never depends on a NUL behind it; {NULL, 0} is the empty
 * one.
 */
#ifndef COMB_CORE_STR_H
#define COMB_CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "grpcc/arena.h"
#include "server/core/compiler.h"

typedef struct comb_str {
    const char *ptr;
    size_t len;
} comb_str;

/* A view of a string literal. */
#define STR(literal) ((comb_str){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s", COMB_STR_ARG(s) */
#define COMB_STR_ARG(s) (int)(s).len, (s).ptr

/* A view of a NUL-terminated string; NULL gives the empty view. */
static inline comb_str comb_str_from(const char *text)
{
    return (comb_str){text, text ? strlen(text) : 0};
}

static inline comb_str comb_str_of(const void *data, size_t len)
{
    return (comb_str){(const char *)data, len};
}

static inline bool comb_str_is_empty(comb_str s)
{
    return s.len == 0;
}

static inline bool comb_str_equal(comb_str a, comb_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool comb_str_starts_with(comb_str s, comb_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Bytewise, shorter first; <0, 0, >0. */
int comb_str_compare(comb_str a, comb_str b);
/* A NUL-terminated copy in arena; NULL: no room. */
char *comb_str_dup(struct grpcc_arena *arena, comb_str s) COMB_MUST_CHECK;
/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool comb_str_is_utf8(comb_str s);

#endif
