/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsers: each puts the text of one file into a sink. They run in a process without files, network
 * and descriptors but one; what they keep within their limits by themselves gives a better reason
 * than the process's end. One thread.
 */
#ifndef COMB_EXTRACT_WORKER_FORMAT_H
#define COMB_EXTRACT_WORKER_FORMAT_H

#include "server/extract/limits.h"
#include "server/extract/outcome.h"
#include "server/extract/worker/input.h"
#include "server/extract/worker/sink.h"

struct comb_extract_file_view {
    comb_str name, media_type; /* as the writer of the file called it: a hint */
    struct comb_extract_input *input;
    struct comb_extract_sink *sink;
    const struct comb_extract_limits *limits; /* complete */
    unsigned level;                           /* 0: a file; 1: within a mail */
};

/* Makes the libraries load what they would open files for later. Once, before the process gives
 * them up. */
void comb_extract_formats_prepare(void);

/*
 * Finds out what the file is, mostly by its content, and puts its text. The outcome is TEXT or
 * UNSUPPORTED with reason NONE, and otherwise REFUSED, or TRUNCATED where text has been put and is
 * of use. Flushes the sink at level 0.
 */
void comb_extract_read(const struct comb_extract_file_view *file,
                       enum comb_extract_outcome *ret_outcome,
                       enum comb_extract_reason *ret_reason);

/* ---- each kind; NONE: all of it was put ---- */

enum comb_extract_text_encoding {
    COMB_EXTRACT_TEXT_BYTES, /* UTF-8, and Windows-1252 where it is none */
    COMB_EXTRACT_TEXT_UTF16_LE,
    COMB_EXTRACT_TEXT_UTF16_BE
};
enum comb_extract_reason comb_extract_read_plain(const struct comb_extract_file_view *file,
                                                 enum comb_extract_text_encoding encoding);
/* is_utf8: known from elsewhere, whatever the page says. */
enum comb_extract_reason comb_extract_read_html(const struct comb_extract_file_view *file,
                                                bool is_utf8);
/* A zip: *ret_known false where it is neither OOXML nor ODF. */
enum comb_extract_reason comb_extract_read_package(const struct comb_extract_file_view *file,
                                                   comb_str content, bool *ret_known);
enum comb_extract_reason comb_extract_read_pdf(const struct comb_extract_file_view *file,
                                               comb_str content);
enum comb_extract_reason comb_extract_read_mail(const struct comb_extract_file_view *file,
                                                comb_str content);
void comb_extract_mail_prepare(void);

#endif
