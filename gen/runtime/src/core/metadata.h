/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_METADATA_H
#define GRPCC_SRC_METADATA_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"

#define GRPCC_KEY_DETAILS "grpc-status-details-bin"
#define GRPCC_KEY_PUSHBACK "grpc-retry-pushback-ms"

/* Headers that are to be sent; items and all bytes live in an arena. Zeroed: empty. */
struct grpcc_metadata_list {
    grpc_metadata *items;
    size_t n;
    size_t capacity;
};

/* Copies one header. False: no room, not a legal key or value, or a name that gRPC keeps for
 * itself. */
bool grpcc_metadata_add(struct grpcc_metadata_list *list, struct grpcc_arena *arena,
                        const char *key, const void *value, size_t length) GRPCC_MUST_CHECK;
/* As _add for the runtime's own headers: no checks, key and value are borrowed. */
bool grpcc_metadata_add_own(struct grpcc_metadata_list *list, struct grpcc_arena *arena,
                            const char *key, const void *value, size_t length) GRPCC_MUST_CHECK;
/* The first value of that key in received headers, or NULL. */
const grpc_slice *grpcc_metadata_find(const grpc_metadata_array *array, const char *key);
/* All values of that key, with commas between them, into buffer without a NUL: their whole length,
 * which may be more than size; then buffer holds nothing of use. 0: there is none. */
size_t grpcc_metadata_join(const grpc_metadata_array *array, const char *key, char *buffer,
                           size_t size);
/* What a peer sent as pushback: -1 none, -2 do not retry (anything that is not a number counts as
 * that). */
int64_t grpcc_metadata_pushback_ms(const grpc_metadata_array *array);

#endif
