/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that hash a chunk while the one that took it writes it: SHA-256 and the copy into the
 * page cache cost about the same, and one after the other they are what bounds a single upload.
 * Nothing waits for a thread: a chunk that none has begun when it has been written is hashed by its
 * writer.
 */
#ifndef COMB_DATA_HASHERS_H
#define COMB_DATA_HASHERS_H

#include "server/data/content_hash.h"

struct comb_hashers;

/* A chunk on its way into a hash. Lives, with both, from _begin to _end. */
struct comb_hash_job {
    struct comb_content_hash *hash;
    comb_str bytes;
    /* Private: */
    enum { COMB_HASH_WAITS, COMB_HASH_RUNS, COMB_HASH_DONE } state;
    struct comb_hash_job *next;
};

/* As many threads as the machine has processors, within bounds. RESOURCE_EXHAUSTED: not one. */
enum comb_status comb_hashers_new(struct comb_hashers **ret_hashers,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine; no job may be between _begin and _end. */
void comb_hashers_free(struct comb_hashers *hashers);

/* Sets job and begins it, on another thread if one is free and the chunk is worth it. The bytes of
 * one hash come one after the other: the next job of it begins after the _end of this one. Any
 * thread; never blocks for long. */
void comb_hashers_begin(struct comb_hashers *hashers, struct comb_hash_job *job,
                        struct comb_content_hash *hash, comb_str bytes);
/* Returns when the chunk is in the hash. Any thread. */
void comb_hashers_end(struct comb_hashers *hashers, struct comb_hash_job *job);

#endif
