/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x-forwarded-client-cert, as Envoy writes it:
 *
 *     element *("," element);  element = pair *(";" pair);  pair = key "=" (token / quoted)
 *
 * Source: Envoy's documentation of its HTTP connection manager, "HTTP header manipulation".
 */
#ifndef GRPCC_SRC_XFCC_H
#define GRPCC_SRC_XFCC_H

#include <stddef.h>

#include "grpcc/arena.h"
#include "grpcc/status.h"

enum {
    GRPCC_XFCC_BYTES_MAX = 64 << 10, /* of the header */
    GRPCC_XFCC_ELEMENTS_MAX = 32,    /* proxies that the call came through */
    GRPCC_XFCC_NAMES_MAX = 64        /* URI or DNS pairs of one element */
};

/* One element. Absent or empty values are NULL; all strings live in the arena. */
struct grpcc_xfcc {
    const char *hash;
    const char *subject;
    const char *certificate; /* PEM, decoded */
    const char *chain;       /* PEM, decoded */
    const char *by[GRPCC_XFCC_NAMES_MAX];
    size_t n_by;
    const char *uris[GRPCC_XFCC_NAMES_MAX];
    size_t n_uris;
    const char *dns_names[GRPCC_XFCC_NAMES_MAX];
    size_t n_dns_names;
};

/*
 * Reads all elements, strictly, and keeps the last one. text need not end with a NUL.
 * INVALID_ARGUMENT says what is wrong; RESOURCE_EXHAUSTED: the arena is full.
 */
enum grpcc_status grpcc_xfcc_parse(struct grpcc_arena *arena, const char *text, size_t length,
                                   struct grpcc_xfcc *ret_last,
                                   struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
