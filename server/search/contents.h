/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer "search-content" of the change feed: keeps what is read out of files in the index.
 * Files go through comb-extract, a bounded number at a time. One that takes longer than
 * COMB_SEARCH_QUICK_MS is put off for the consumer "search-slow", which reads it from the beginning
 * with a comb-extract of its own (README.md, "Slow files"). Attributes have a consumer of their own
 * (indexer.h).
 *
 * A file is read again when its content is another one: the index says which blob it has, and what
 * became of it. Where the content could not be read, or comb-extract did not start, it is tried
 * again; where the file was cut or refused that is kept with the reason, and stays so.
 *
 * A batch takes no longer than a batch may: no file is begun that might not end in time, and the
 * cursor moves behind those that have.
 */
#ifndef COMB_SEARCH_CONTENTS_H
#define COMB_SEARCH_CONTENTS_H

#include "server/consumers/consumer.h"
#include "server/extract/extract.h"
#include "server/search/search_driver.h"
#include "server/tree/tree_store.h"

#define COMB_SEARCH_CONTENT_CONSUMER "search-content"
#define COMB_SEARCH_SLOW_CONSUMER "search-slow"
/* A file of the feed that takes longer is put off, so that those behind it go on. */
#define COMB_SEARCH_QUICK_MS 2000u
/* Files that are queued or read at once. */
#define COMB_SEARCH_READING_MAX 16
/* One file's time, that of the parser and of waiting for its bytes: it ends within a batch. */
#define COMB_SEARCH_FILE_MS_MAX 40000u
#define COMB_SEARCH_FILE_MS_DEFAULT 30000u

struct comb_search_contents;

/* Where contents come from. Slots: on threads of the pool, one at a time for one content. */
struct comb_search_source {
    enum comb_status (*open)(void *data, struct comb_ctx *ctx, const struct comb_uuid *blob,
                             void **ret_content, struct comb_error *err);
    enum comb_status (*read)(void *content, struct comb_ctx *ctx, void *buffer, size_t capacity,
                             size_t *ret_n, struct comb_error *err);
    void (*close)(void *content); /* NULL is fine */
    void *data;
};

/* All borrowed. The pools' limits: output_bytes COMB_SEARCH_TEXT_BYTES_MAX, wall_ms at most
 * COMB_SEARCH_FILE_MS_MAX. */
struct comb_search_contents_parts {
    struct comb_search_store *store;
    struct comb_tree_store *tree;
    struct comb_extract *extract;
    struct comb_extract *slow; /* for what was put off; NULL: nothing is */
    struct comb_search_source source;
};

enum comb_status comb_search_contents_new(const struct comb_search_contents_parts *parts,
                                          struct comb_search_contents **ret_contents,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* After the consumers have stopped. NULL is fine. */
void comb_search_contents_free(struct comb_search_contents *contents);
/* For comb_consumers_add(); contents outlives the consumers. */
void comb_search_contents_consumer(struct comb_search_contents *contents,
                                   struct comb_consumer *ret_consumer);
/* The same for who helps it; added behind it, where there is a pool for it. */
void comb_search_contents_slow_consumer(struct comb_search_contents *contents,
                                        struct comb_consumer *ret_consumer);

#endif
