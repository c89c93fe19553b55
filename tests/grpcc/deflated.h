/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bytes for tests, by zlib. */
#ifndef GRPCC_TESTING_DEFLATED_H
#define GRPCC_TESTING_DEFLATED_H

#include <grpcc/compression.h>
#include <stddef.h>
#include <stdint.h>

struct deflated {
    uint8_t *data;
    size_t size;
};

/* size bytes of that value behind the bytes of prefix, compressed. Free data with free(). */
struct deflated deflated_new(enum grpcc_compression compression, const void *prefix,
                             size_t prefix_size, uint8_t value, size_t size);

#endif
