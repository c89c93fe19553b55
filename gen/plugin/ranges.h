/* SPDX-License-Identifier: Apache-2.0 */
/* libprotobuf-c's index of sorted numbers: runs of consecutive ones, closed by a sentinel. */
#ifndef GEN_PLUGIN_RANGES_H
#define GEN_PLUGIN_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "gen/plugin/text.h"

/* Emits the array `<prefix>_ranges_` for n > 0 ascending numbers; returns the number of runs,
 * without the sentinel. */
size_t ranges_emit(struct text *out, const char *prefix, const int32_t *numbers, size_t n);

#endif
