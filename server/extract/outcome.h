/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the extraction of one file's text ended: what combd and its workers tell each other, and what
 * callers are told.
 */
#ifndef COMB_EXTRACT_OUTCOME_H
#define COMB_EXTRACT_OUTCOME_H

enum comb_extract_outcome {
    COMB_EXTRACT_TEXT = 1,    /* all of the text, which may be empty: an image in a PDF */
    COMB_EXTRACT_TRUNCATED,   /* its beginning, or all but a part that cannot be read; see reason */
    COMB_EXTRACT_UNSUPPORTED, /* nothing that text is taken from */
    COMB_EXTRACT_REFUSED      /* no text; see reason */
};

enum comb_extract_reason {
    COMB_EXTRACT_REASON_NONE = 0,
    COMB_EXTRACT_REASON_TOO_LARGE, /* more text, or a larger file, than the limits allow */
    COMB_EXTRACT_REASON_BOMB, /* unpacks, nests, counts or declares more than a document does */
    COMB_EXTRACT_REASON_ENCRYPTED,   /* opens with a password only */
    COMB_EXTRACT_REASON_DAMAGED,     /* is not what its kind has to be, or ends too early */
    COMB_EXTRACT_REASON_TIMEOUT,     /* took longer than the limits of wall or CPU time */
    COMB_EXTRACT_REASON_MEMORY,      /* asked for more memory than it may have */
    COMB_EXTRACT_REASON_CRASHED,     /* ended the parser's process */
    COMB_EXTRACT_REASON_FORBIDDEN,   /* made the parser call what no parser has to call */
    COMB_EXTRACT_REASON_SOURCE,      /* its content could not be read; try again */
    COMB_EXTRACT_REASON_UNAVAILABLE, /* no worker could be started; try again */
    COMB_EXTRACT_REASON_CANCELLED    /* by the caller, or the pool ends */
};
#define COMB_EXTRACT_REASONS (COMB_EXTRACT_REASON_CANCELLED + 1)

/* One lower-case word each, for metrics, logs and tables: "truncated", "too-large"; "unknown" for
 * other numbers. Static. */
const char *comb_extract_outcome_name(enum comb_extract_outcome outcome);
const char *comb_extract_reason_name(enum comb_extract_reason reason);
/* For people: a half sentence, "it opens with a password only"; "" for NONE. Static. */
const char *comb_extract_reason_text(enum comb_extract_reason reason);

#endif
