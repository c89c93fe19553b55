/* SPDX-License-Identifier: Apache-2.0 */
/* A parser in the test's own process, where sanitizers see it. */
#ifndef TESTS_EXTRACT_READING_H
#define TESTS_EXTRACT_READING_H

#include "server/extract/worker/format.h"

struct reading {
    struct comb_extract_limits limits; /* what is 0 is the default; set before _read */
    size_t piece_bytes;                /* how the content comes; 0: at once */
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason;
    struct comb_buf text;
};

void reading_init(struct reading *reading);
void reading_done(struct reading *reading);
/* Reads a file of that name; replaces what was read before. */
void reading_read(struct reading *reading, const char *name, comb_str content);

/* The outcome, and the text; NULL: any. */
void reading_is(const struct reading *reading, enum comb_extract_outcome outcome,
                enum comb_extract_reason reason, const char *text);
/* The text has this in it. */
void reading_has(const struct reading *reading, const char *text);
void reading_lacks(const struct reading *reading, const char *text);

#endif
