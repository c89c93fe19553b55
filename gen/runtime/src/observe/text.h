/* SPDX-License-Identifier: Apache-2.0 */
/* A line put together in a buffer of fixed size, for logs and dumps. What has no room is left off,
 * never half of it. */
#ifndef GRPCC_SRC_TEXT_H
#define GRPCC_SRC_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "grpcc/compiler.h"

struct grpcc_text {
    char *at;
    size_t size;
    size_t n;
    bool cut; /* something had no room */
};

void grpcc_text_add(struct grpcc_text *text, const char *piece);
void grpcc_text_printf(struct grpcc_text *text, const char *format, ...) GRPCC_FORMAT(2, 3);
/*
 * length bytes of anything as a JSON string of printable characters: controls of ASCII and C1,
 * line separators and what is not UTF-8 are escaped, so that a line stays a line and a terminal
 * unharmed. No more than bytes_max of them, cut between characters.
 */
void grpcc_text_quote(struct grpcc_text *text, const char *value, size_t length, size_t bytes_max);
/* The same without quotes where nothing of it needs them: letters, digits and most of ASCII. */
void grpcc_text_word(struct grpcc_text *text, const char *value, size_t length, size_t bytes_max);
/* UTC with milliseconds: 2026-11-22T17:25:04.120Z */
void grpcc_text_time(struct grpcc_text *text, long long unix_ms);

#endif
