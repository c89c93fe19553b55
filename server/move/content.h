/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One content on its way out of a data row, or into one: what the lanes run (lanes.h). From inside
 * of server/move.
 *
 * Threads: one at a time.
 */
#ifndef COMB_MOVE_CONTENT_H
#define COMB_MOVE_CONTENT_H

#include "server/core/hash.h"
#include "server/data/blob_driver.h"

struct move_content {
    struct comb_blobs *blobs; /* borrowed */
    struct grpcc_arena *arena;
    uint8_t *bytes; /* the first ones, up to COMB_MOVE_SMALL_BYTES_MAX */
    size_t n;
    char key_text[COMB_BLOB_KEY_MAX];
    comb_str key;

    /* on the way out */
    uint64_t size; /* as the sql row has them */
    uint8_t sha256[COMB_SHA256_SIZE];
    struct comb_blob_reader *reader;

    /* on the way in */
    bool asks;      /* it may be there from a copy before */
    bool was_there; /* it was */
    bool is_large;  /* it has more bytes, and is written as they come */
    struct comb_blob_writer *writer;

    /* What came of it. */
    enum comb_status status;
    struct comb_error err;
};

enum comb_status move_content_init(struct move_content *content, struct comb_blobs *blobs,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Ends what is open; it can be used again. */
void move_content_close(struct move_content *content);
void move_content_done(struct move_content *content);

/* Opens the content `key`, and reads its first bytes. Its status says what came of it. */
void move_content_fetch(void *content);

/* The next bytes are of the content `key`. */
void move_content_begin(struct move_content *content, comb_str key, bool asks);
/* Bytes, at most COMB_MOVE_CHUNK_BYTES; writes them where they become too many to keep. */
enum comb_status move_content_add(struct move_content *content, comb_str bytes,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* It is whole: writes what is left and makes it durable. Its status says what came of it. One that
 * is there already is a success: it is read again and compared. */
void move_content_store(void *content);

#endif
