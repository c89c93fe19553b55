/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup's file: records in frames, each sealed (server/core/seal.h) under a key that is derived
 * from the operator's and from a random salt in the file's head, and bound to its place and to
 * being the last one or not. So nothing of it can be read without the key, and a frame that is
 * changed, missing, or put somewhere else is found out, as is a file that was cut off.
 *
 *     "COMBBACKUP 1\n"  salt[32]  { size[4] sealed[size] }...
 *
 * A frame's content is items: kind, then the three strings of a record.
 */
#ifndef COMB_MOVE_ARCHIVE_H
#define COMB_MOVE_ARCHIVE_H

#include <stdio.h>

#include "server/core/error.h"
#include "server/core/str.h"

#define COMB_ARCHIVE_KEY_SIZE 32

enum comb_archive_kind {
    COMB_ARCHIVE_HEAD = 1, /* part: name of a fact, value: what it is */
    COMB_ARCHIVE_ROW = 2,  /* part: a row, whose records follow */
    COMB_ARCHIVE_RECORD = 3,
    COMB_ARCHIVE_SUM = 4, /* after a row's records, one for each part: value: count, SHA-256 */
    COMB_ARCHIVE_END = 5, /* nothing follows */
};

struct comb_archive_item {
    enum comb_archive_kind kind;
    comb_str part, key, value;
};

/* ---- writing ---- */

struct comb_archive_writer;

/* out gets the file's bytes in order; what it returns other than OK ends the writing. */
enum comb_status comb_archive_writer_new(const uint8_t key[COMB_ARCHIVE_KEY_SIZE],
                                         enum comb_status (*out)(void *data, comb_str bytes,
                                                                 struct comb_error *err),
                                         void *data, struct comb_archive_writer **ret_writer,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_archive_write(struct comb_archive_writer *writer,
                                    const struct comb_archive_item *item,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* The last frame. Without it no reader takes the file for whole. */
enum comb_status comb_archive_end(struct comb_archive_writer *writer,
                                  struct comb_error *err) COMB_MUST_CHECK;
void comb_archive_writer_free(struct comb_archive_writer *writer);

/* ---- reading ---- */

struct comb_archive_reader;

/* file is borrowed. INVALID_ARGUMENT: it is no backup. */
enum comb_status comb_archive_reader_new(const uint8_t key[COMB_ARCHIVE_KEY_SIZE], FILE *file,
                                         struct comb_archive_reader **ret_reader,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The next item, which lives until the next call; END comes last, and once. DATA_LOSS: another key,
 * or the file is damaged or cut off. */
enum comb_status comb_archive_read(struct comb_archive_reader *reader,
                                   struct comb_archive_item *ret_item,
                                   struct comb_error *err) COMB_MUST_CHECK;
void comb_archive_reader_free(struct comb_archive_reader *reader);

#endif
