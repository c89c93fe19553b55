/* SPDX-License-Identifier: Apache-2.0 */
/* What one file may cost, and the defaults. A member that is 0 means its default. */
#ifndef COMB_EXTRACT_LIMITS_H
#define COMB_EXTRACT_LIMITS_H

#include <stdint.h>

struct comb_extract_limits {
    uint32_t wall_ms;        /* from the beginning to the end, waiting for the content included */
    uint32_t cpu_s;          /* of the parser, in whole seconds */
    uint64_t memory_bytes;   /* address space of the parser's process (RLIMIT_AS) */
    uint64_t input_bytes;    /* of a file that has to be read whole: all but text and HTML */
    uint64_t output_bytes;   /* of text, UTF-8; what is more is cut */
    uint64_t expanded_bytes; /* unpacked from one zip, all entries that are read together */
    uint32_t
        expansion_ratio; /* unpacked to packed, once COMB_EXTRACT_RATIO_FREE_BYTES are passed */
    uint32_t nesting;    /* elements within elements of XML and HTML, parts within mails */
    uint32_t entries;    /* of one zip; parts of one mail */
    uint32_t pages;      /* of one PDF; what is behind them is cut */
};

#define COMB_EXTRACT_WALL_MS_DEFAULT 60000u
#define COMB_EXTRACT_CPU_S_DEFAULT 20u
#define COMB_EXTRACT_MEMORY_BYTES_DEFAULT (512ull << 20)
#define COMB_EXTRACT_INPUT_BYTES_DEFAULT (64ull << 20)
#define COMB_EXTRACT_OUTPUT_BYTES_DEFAULT (4ull << 20)
#define COMB_EXTRACT_EXPANDED_BYTES_DEFAULT (256ull << 20)
#define COMB_EXTRACT_EXPANSION_RATIO_DEFAULT 200u
#define COMB_EXTRACT_NESTING_DEFAULT 512u
#define COMB_EXTRACT_ENTRIES_DEFAULT 10000u
#define COMB_EXTRACT_PAGES_DEFAULT 5000u

/* A small document may consist of what packs well: the ratio counts from here on. */
#define COMB_EXTRACT_RATIO_FREE_BYTES (8ull << 20)
/* Nobody may ask for more. The address space has to hold the libraries, too. */
#define COMB_EXTRACT_OUTPUT_BYTES_MAX (64ull << 20)
#define COMB_EXTRACT_MEMORY_BYTES_MIN (128ull << 20)

/* Replaces what is 0 by its default, and brings what is out of bounds into them. */
void comb_extract_limits_complete(struct comb_extract_limits *limits);

#endif
