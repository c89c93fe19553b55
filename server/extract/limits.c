/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/limits.h"

static void complete_32(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void complete_64(uint64_t *value, uint64_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

void comb_extract_limits_complete(struct comb_extract_limits *limits)
{
    complete_32(&limits->wall_ms, COMB_EXTRACT_WALL_MS_DEFAULT);
    complete_32(&limits->cpu_s, COMB_EXTRACT_CPU_S_DEFAULT);
    complete_64(&limits->memory_bytes, COMB_EXTRACT_MEMORY_BYTES_DEFAULT);
    complete_64(&limits->input_bytes, COMB_EXTRACT_INPUT_BYTES_DEFAULT);
    complete_64(&limits->output_bytes, COMB_EXTRACT_OUTPUT_BYTES_DEFAULT);
    complete_64(&limits->expanded_bytes, COMB_EXTRACT_EXPANDED_BYTES_DEFAULT);
    complete_32(&limits->expansion_ratio, COMB_EXTRACT_EXPANSION_RATIO_DEFAULT);
    complete_32(&limits->nesting, COMB_EXTRACT_NESTING_DEFAULT);
    complete_32(&limits->entries, COMB_EXTRACT_ENTRIES_DEFAULT);
    complete_32(&limits->pages, COMB_EXTRACT_PAGES_DEFAULT);
    if (limits->output_bytes > COMB_EXTRACT_OUTPUT_BYTES_MAX)
        limits->output_bytes = COMB_EXTRACT_OUTPUT_BYTES_MAX;
    if (limits->memory_bytes < COMB_EXTRACT_MEMORY_BYTES_MIN)
        limits->memory_bytes = COMB_EXTRACT_MEMORY_BYTES_MIN;
}
