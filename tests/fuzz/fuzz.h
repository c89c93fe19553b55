/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz programs share. Each input is a run of its own: nothing is kept from one to the
 * next. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program where a property does not hold: libFuzzer keeps the input, a replay fails. */
static inline void must(bool holds, const char *property)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", property);
        abort();
    }
}

#endif
