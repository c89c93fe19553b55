/* SPDX-License-Identifier: Apache-2.0 */
/* What reads and writes of the search index in MongoDB share. */
#ifndef COMB_SEARCH_DRIVER_MONGO_INTERNAL_H
#define COMB_SEARCH_DRIVER_MONGO_INTERNAL_H

#include "server/search/driver/mongo.h"

#define SEARCH_MONGO_COLLECTION "search"
/* The key of an array's element. */
#define SEARCH_MONGO_KEY_SIZE 16

struct search_mongo {
    struct comb_search_store base;
    struct comb_mongo *mongo;
};

struct comb_mongo *search_mongo_of(struct comb_search_store *self);

/* ---- BSON (mongo_write.c) ---- */

void search_mongo_add_id(bson_t *to, const char *key, const struct comb_uuid *id);
void search_mongo_add_ids(bson_t *to, const char *key, const struct comb_uuid *ids, size_t n);
void search_mongo_add_text(bson_t *to, const char *key, comb_str text);
void search_mongo_add_texts(bson_t *to, const char *key, const comb_str *texts, size_t n);
const char *search_mongo_key(uint32_t index, char buffer[SEARCH_MONGO_KEY_SIZE]);
bool search_mongo_id_at(comb_str document, const char *key, struct comb_uuid *ret_id);
/* "" where there is none. */
comb_str search_mongo_text_at(comb_str document, const char *key);
/* {find, filter: {_id: {$in: ids}}}, all in one batch; the caller adds a projection, and destroys
 * it. */
bson_t *search_mongo_find(const struct comb_uuid *ids, size_t n);
/* {$unset: {member: "", ...}} */
void search_mongo_add_unset(bson_t *update, const char *const *members, size_t n);
/* What a tombstone does not have; the last one is its mark that it is to be worked off. */
#define SEARCH_MONGO_DEAD_MEMBERS 17
extern const char *const search_mongo_dead_members[SEARCH_MONGO_DEAD_MEMBERS];

/* ---- slots: mongo_write.c, then mongo_tidy.c ---- */

enum comb_status search_mongo_put(struct comb_search_store *self, struct comb_ctx *ctx,
                                  const struct comb_search_document *documents, size_t n,
                                  struct comb_error *err);
enum comb_status search_mongo_remove(struct comb_search_store *self, struct comb_ctx *ctx,
                                     const struct comb_search_removal *removals, size_t n,
                                     struct comb_error *err);
enum comb_status search_mongo_put_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                          const struct comb_search_content *contents, size_t n,
                                          struct comb_error *err);
/* These have none any more, as of (epoch, 0). */
enum comb_status search_mongo_drop_contents(struct comb_search_store *self, struct comb_ctx *ctx,
                                            const struct comb_uuid *ids, size_t n, uint64_t epoch,
                                            struct comb_error *err);
enum comb_status search_mongo_prune(struct comb_search_store *self, struct comb_ctx *ctx,
                                    size_t max, size_t *ret_n, struct comb_error *err);
enum comb_status search_mongo_sweep(struct comb_search_store *self, struct comb_ctx *ctx,
                                    uint64_t epoch, size_t max, size_t *ret_n,
                                    struct comb_error *err);
enum comb_status search_mongo_purge(struct comb_search_store *self, struct comb_ctx *ctx,
                                    int64_t age_us, size_t max, size_t *ret_n,
                                    struct comb_error *err);
enum comb_status search_mongo_sweep_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                            uint64_t epoch, size_t max, size_t *ret_n,
                                            struct comb_error *err);

#endif
