/* SPDX-License-Identifier: Apache-2.0 */
/* What generated headers include and use. Programs have no need to include it themselves. */
#ifndef GRPCC_GENERATED_H
#define GRPCC_GENERATED_H

#include <limits.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "grpcc/arena.h"
#include "grpcc/compiler.h"
#include "grpcc/descriptor.h"
#include "grpcc/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The capacity that the array of a repeated field gets with its first element; from then on it
 * doubles. */
#define GRPCC_GENERATED_CAPACITY_MIN 4u

/*
 * Room for one element more behind the n elements of a repeated field: array itself, or a copy of
 * it; NULL: no room.
 *
 * *grown is the array that this function made last. Such an array has room for n rounded up to a
 * power of two; any other (decoded, or set by the program) is exactly as large as n says and is
 * copied before it grows.
 */
GRPCC_MUST_CHECK static inline void *grpcc_generated_grow(struct grpcc_arena *arena, void *array,
                                                          size_t n, size_t element_size,
                                                          void **grown)
{
    size_t capacity = GRPCC_GENERATED_CAPACITY_MIN;
    bool full = n >= GRPCC_GENERATED_CAPACITY_MIN && (n & (n - 1)) == 0;
    void *copy;

    if (array && array == *grown && !full)
        return array;
    while (capacity <= n) {
        if (capacity > SIZE_MAX / 2)
            return NULL;
        capacity *= 2;
    }
    copy = grpcc_arena_calloc(arena, capacity, element_size);
    if (!copy)
        return NULL;
    if (array)
        memcpy(copy, array, n * element_size);
    *grown = copy;
    return copy;
}

/*
 * The name of value, NULL: none. libprotobuf-c's own lookup computes one more than the last number
 * of a run, which INT_MAX does not survive.
 */
static inline const char *grpcc_generated_enum_name(const ProtobufCEnumDescriptor *descriptor,
                                                    int value)
{
    unsigned low = 0, high = descriptor->n_values;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (descriptor->values[middle].value == value)
            return descriptor->values[middle].name;
        if (descriptor->values[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
